"""What one simulated node with DRBD 9 keeps: on its disks, and in its kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from orlop.errors import NodeError
from orlop.testing.disk import BLOCK, Disk, SimulatedFile
from orlop.testing.drbd9_generations import JUST_CREATED, Generations

DISKS = (
    *("Diskless", "Attaching", "Failed", "Negotiating", "Inconsistent", "Outdated", "DUnknown", "Consistent"),
    "UpToDate",
)  # in DRBD's order
DEFAULTS = {
    "auto-promote": "yes",
    "on-no-data-accessible": "io-error",
    "on-no-quorum": "suspend-io",
    "quorum": "off",
    "quorum-minimum-redundancy": "off",
}
SYNC = {"SyncSource", "SyncTarget", "PausedSyncS", "PausedSyncT"}


class Suspended(NodeError):
    """A write that does not come back before the reason is gone."""


@dataclass
class OutOfSync:
    """Offsets of blocks; `whole` stands for every one there is."""

    whole: bool = False
    blocks: set[int] = field(default_factory=set)

    def __bool__(self) -> bool:
        return self.whole or bool(self.blocks)

    def fill(self) -> None:
        self.whole = True

    def clear(self) -> None:
        self.whole = False
        self.blocks.clear()

    def take(self, other: OutOfSync) -> None:
        self.whole |= other.whole
        self.blocks |= other.blocks

    def amount(self, size: int) -> int:
        """In bytes, of a device of `size` bytes."""
        return size if self.whole else len(self.blocks) * BLOCK


@dataclass
class Slot:
    """What the metadata says of one peer. `outdated`: it left in order, or was told that it is behind."""

    bits: OutOfSync = field(default_factory=OutOfSync)
    outdated: bool = False


@dataclass
class Metadata:
    """`spare` is the bitmap for peers that are not known yet; `hot` are blocks of the activity log."""

    max_peers: int
    end: int  # of the device below, where it was written
    apart: bool = False  # it has a device for itself
    unclean: bool = False  # the kernel has had it open
    generations: Generations = field(default_factory=Generations)
    node_id: int | None = None
    consistent: bool = False
    up_to_date: bool = False
    crashed: bool = False  # while it was primary
    device_uuid: str = "0" * 16
    slots: dict[int, Slot] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)  # peers without a disk that were connected once
    spare: OutOfSync = field(default_factory=OutOfSync)
    hot: set[int] = field(default_factory=set)
    size: int = 0

    def slot(self, node_id: int) -> Slot | None:
        """That of a peer, given out now if there is one left."""
        if node_id not in self.slots and len(self.slots) < self.max_peers:
            self.slots[node_id] = Slot(OutOfSync(self.spare.whole, set(self.spare.blocks)))
            if self.generations.current == JUST_CREATED:
                self.slots[node_id].bits.fill()
        return self.slots.get(node_id)

    def wrote(self, at: int, reached: set[int]) -> None:
        """`reached` are the node ids that have the block, this one included."""
        self.hot.add(at)
        self.spare.blocks.add(at)
        for node_id, slot in self.slots.items():
            if node_id in reached:
                slot.bits.blocks.discard(at)
            else:
                slot.bits.blocks.add(at)


@dataclass
class PeerDevice:
    """A peer's part of one volume. `looks`: until a synchronization is over."""

    bitmap: bool = True  # a disk is expected there
    tiebreaker: bool = True
    replication: str = "Off"
    looks: int = 0
    paused: bool = False


@dataclass(eq=False)
class Connection:
    """`other` is the far end's resource while they are connected."""

    node_id: int
    name: str
    paths: tuple[tuple[str, str], ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    wanted: bool = False
    discard: bool = False
    state: str = "StandAlone"
    other: Resource | None = None
    volumes: dict[int, PeerDevice] = field(default_factory=dict)


@dataclass(eq=False)
class Device:
    """`due`: node ids that were lost, this one's own with its disk; a new generation begins without those of them that
    are not back when data can be written."""

    number: int
    minor: int
    client: bool = False
    intended_diskless: bool = False
    backing: str = ""
    apart: str = ""  # the device of its metadata, where that is another
    metadata: Metadata | None = None
    file: SimulatedFile | None = None
    disk: str = "Diskless"
    quorum: bool = False
    due: set[int] = field(default_factory=set)
    written: int = 0  # bytes, by users and by synchronization
    exposed: str = ""  # without a disk: the generation of the data that is in use
    negotiating: int = 0  # looks until it is agreed what a disk that is being attached has
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_data(self) -> bool:
        return self.metadata is not None and DISKS.index(self.disk) >= DISKS.index("Inconsistent")

    def become(self, disk: str) -> None:
        self.disk = disk
        if self.metadata is not None:
            self.metadata.consistent = disk not in ("Inconsistent", "Failed")
            self.metadata.up_to_date = disk in ("UpToDate", "Consistent")


@dataclass(eq=False)
class Resource:
    """`node` is the host it is on; `automatic`: primary only as long as somebody has a device open; `attaches_alone`:
    as in 9.3.3, a disk that comes while there are connections is waited for for good; `negotiates`: looks that this
    takes otherwise."""

    node: str
    name: str
    node_id: int
    disk: Disk
    options: dict[str, str] = field(default_factory=dict)
    role: str = "Secondary"
    automatic: bool = False
    attaches_alone: bool = False
    negotiates: int = 0
    opened: int = 0  # requests that are on their way
    suspended_by_user: bool = False
    devices: dict[int, Device] = field(default_factory=dict)
    connections: dict[int, Connection] = field(default_factory=dict)

    def option(self, name: str) -> str:
        return self.options.get(name, DEFAULTS.get(name, ""))

    @property
    def lost_quorum(self) -> bool:
        return self.option("quorum") != "off" and not all(device.quorum for device in self.devices.values())

    def far(self, number: int) -> Iterator[tuple[Connection, PeerDevice, Resource, Device]]:
        """The same volume on the nodes that are connected."""
        for connection in self.connections.values():
            there = connection.other.devices.get(number) if connection.other else None
            part = connection.volumes.get(number)
            if connection.other is not None and there is not None and part is not None:
                yield connection, part, connection.other, there

    def reached(self) -> list[Resource]:
        """Every node of the partition, this one included, however many connections are between."""
        found = {self.node_id: self}
        new = [self]
        while new:
            others = [c.other for r in new for c in r.connections.values() if c.other is not None]
            new = [other for other in others if other.node_id not in found]
            found |= {other.node_id: other for other in new}
        return list(found.values())

    def back(self, connection: Connection) -> Connection:
        """The same connection as the far end has it."""
        assert connection.other is not None
        return connection.other.connections[self.node_id]
