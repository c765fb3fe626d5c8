"""What DRBD 8.4 keeps of a resource on a simulated node: on the disk below, and in the kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orlop.testing.disk import BLOCK, Disk, SimulatedFile
from orlop.testing.drbd_network import apart, capacity

JUST_CREATED = "0000000000000004"


@dataclass
class Metadata:
    """`history` are generations of data that the current one came from."""

    generation: str = JUST_CREATED
    good: bool = False
    device_uuid: str = "0" * 16
    history: list[str] = field(default_factory=list)
    base: dict[int, bytes] | None = None  # the data as the peer had it when it was last seen
    size: int = 0
    end: int = 0  # of the device below, where it was written
    apart: bool = False  # it has a device for itself
    unclean: bool = False  # the kernel has had it open


@dataclass
class Volume:
    minor: int
    backing: str
    file: SimulatedFile
    metadata: Metadata
    disk: str = "Inconsistent"
    replication: str = "Off"
    written: int = 0  # whatever was written to the disk here, by whom ever
    looks: int = 0  # until a synchronization is over
    differs: int = 0  # bytes that a verification found
    paused: bool = False
    apart: str = ""  # the device of its metadata, where that is another
    room: SimulatedFile | None = None  # what that shows

    @property
    def out_of_sync(self) -> int:
        """Bytes that were written since the peer was last seen, or that a verification found."""
        base, now = self.metadata.base, self.file.blocks
        return self.differs if base is None else BLOCK * len(different(base, now))

    @property
    def capacity(self) -> int:
        return capacity(self.file.size) if self.room is None else apart(self.file.size, self.room.size)


@dataclass
class Resource:
    name: str
    disk: Disk  # of its node
    role: str = "Secondary"
    volumes: dict[int, Volume] = field(default_factory=dict)
    local: str = ""
    remote: str = ""
    secret: str = ""
    state: str = "StandAlone"
    held: set[str] = field(default_factory=set)  # why I/O is suspended: user, quorum...
    stuck: bool = False  # what was under way when it was suspended is never answered
    discards: bool = False  # what was written here only is given up at the next handshake
    verifies: bool = False  # an algorithm is set


def copy(source: SimulatedFile, target: SimulatedFile) -> None:
    """Block by block: what is below may encrypt them."""
    for at in set(target.blocks) - set(source.blocks):
        del target.blocks[at]
    for at, data in list(source.blocks.items()):
        target.blocks[at] = data
    target.signatures[:] = source.signatures


def different(one: Mapping[int, bytes], other: Mapping[int, bytes]) -> set[int]:
    return {at for at in one.keys() | other.keys() if one.get(at) != other.get(at)}


def split(one: Metadata, other: Metadata) -> bool:
    if JUST_CREATED in (one.generation, other.generation) or one.generation == other.generation:
        return False
    return one.generation not in other.history and other.generation not in one.history


def is_newer(one: Metadata, other: Metadata) -> bool:
    return other.generation == JUST_CREATED or other.generation in one.history
