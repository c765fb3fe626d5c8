"""Which DRBD the kernel has, by what the tools say: they load it when they are first used."""

import re

from orlop.errors import NodeError
from orlop.plugin import Probe

KERNEL = re.compile(r"^DRBD_KERNEL_VERSION_CODE=0x([0-9a-fA-F]+)$", re.MULTILINE)
SERIES = (8, 4)


def require_known(probe: Probe) -> None:
    """Raises where the kernel's DRBD is none that this layer was made for."""
    said = probe.run(("drbdadm", "--version"))
    found = KERNEL.search(said)
    code = int(found[1], 16) if found else 0
    if not code:
        raise NodeError(
            "the kernel has no DRBD", correction="Install the kernel module drbd, or leave the layer DRBD out."
        )
    version = (code >> 16, code >> 8 & 0xFF, code & 0xFF)
    if version[:2] != SERIES:
        raise NodeError(f"the kernel has DRBD {'.'.join(map(str, version))}; this version works with DRBD 8.4 only")
