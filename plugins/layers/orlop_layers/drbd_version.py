"""Which DRBD the kernel has, by what the tools say: they load it when they are first used."""

import re

from orlop.errors import NodeError
from orlop.plugin import Probe

KERNEL = re.compile(r"^DRBD_KERNEL_VERSION_CODE=0x([0-9a-fA-F]+)$", re.MULTILINE)
OLDEST = (8, 4, 0)


def kernel_version(probe: Probe) -> str:
    """As in `8.4.11`; raises where there is none that can be used."""
    said = probe.run(("drbdadm", "--version"))
    found = KERNEL.search(said)
    code = int(found[1], 16) if found else 0
    version = (code >> 16, code >> 8 & 0xFF, code & 0xFF)
    if not code:
        raise NodeError(
            "the kernel has no DRBD", correction="Install the kernel module drbd, or leave the layer DRBD out."
        )
    if version < OLDEST:
        raise NodeError(f"DRBD {_words(version)} is too old", correction="Use DRBD 8.4 or 9.")
    return _words(version)


def is_old(version: str) -> bool:
    """DRBD 8.4 has one peer, and other words for many things."""
    return version.startswith("8.")


def _words(version: tuple[int, int, int]) -> str:
    return ".".join(map(str, version))
