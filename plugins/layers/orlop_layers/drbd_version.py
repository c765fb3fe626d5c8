"""Which DRBD the kernel has, by what the tools say: they load it when they are first used."""

import re

from orlop.errors import NodeError
from orlop.model.cluster import Value
from orlop.plugin import Probe

KERNEL = re.compile(r"^DRBD_KERNEL_VERSION_CODE=0x([0-9a-fA-F]+)$", re.MULTILINE)
TOOLS = re.compile(r"^DRBDADM_VERSION_CODE=0x([0-9a-fA-F]+)$", re.MULTILINE)
FIRST_8, FIRST_9 = (8, 4, 0), (9, 0, 19)  # before 9.0.19 a node without a disk does not count for the quorum
# 9.3.3 waits for good when a disk is attached to a device that is connected. 9.2.13 does so only if peers answer before
# it is through with its own part, which happens on slow machines: the disk stays Negotiating, and 'down' hangs.
ATTACHES_ALONE = (9, 3, 0)
NO_VOTE = (9, 34, 0)  # tools that can say that a node without a disk is no tiebreaker

Numbers = tuple[int, int, int]


class Version(Value, frozen=True, kw_only=True):
    """8.4 replicates between two nodes with disks; 9 has up to 31 peers, nodes without disks, quorum, tiebreakers."""

    kernel: Numbers
    tools: Numbers = (0, 0, 0)

    @property
    def nine(self) -> bool:
        return self.kernel >= FIRST_9

    @property
    def without_vote(self) -> bool:
        """Whether its files can take a node without a disk out of quorum decisions."""
        return self.nine and self.tools >= NO_VOTE

    @property
    def attaches_alone(self) -> bool:
        """Whether a disk is attached only while there is no connection."""
        return self.kernel >= ATTACHES_ALONE

    @property
    def frees_slots(self) -> bool:
        """Whether a peer can be forgotten that has no place in the metadata; earlier ones call that an error."""
        return self.nine and (self.kernel >= (9, 2, 2) or (9, 1, 13) <= self.kernel < (9, 2, 0))

    def __str__(self) -> str:
        return ".".join(map(str, self.kernel))


def known(probe: Probe) -> Version:
    """Raises where the kernel's DRBD is none that this layer was made for."""
    said = probe.run(("drbdadm", "--version"))
    version = Version(kernel=_numbers(KERNEL, said), tools=_numbers(TOOLS, said))
    if not any(version.kernel):
        raise NodeError(
            "the kernel has no DRBD", correction="Install the kernel module drbd, or leave the layer DRBD out."
        )
    if version.kernel[:2] != FIRST_8[:2] and not version.nine:
        raise NodeError(
            f"the kernel has DRBD {version}; this works with DRBD 8.4, and with DRBD 9 from 9.0.19 on",
            correction="Install a newer kernel module drbd.",
        )
    return version


def _numbers(pattern: re.Pattern[str], said: str) -> Numbers:
    found = pattern.search(said)
    code = int(found[1], 16) if found else 0
    return (code >> 16, code >> 8 & 0xFF, code & 0xFF)
