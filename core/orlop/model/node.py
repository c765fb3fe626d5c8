"""What one node is told and what it reports: the values that travel between controller and satellite.

A *wanted* value is an order that can be repeated: it says how things should be, never what to do. An absent
wanted value means nothing at all; only `wanted=False` with the uuid removes.
"""

from collections.abc import Mapping
from enum import StrEnum

from orlop.model.cluster import Value
from orlop.model.drbd import WantedDrbd


class Presence(StrEnum):
    """What could be learned about one volume at one level."""

    ABSENT = "ABSENT"  # no object of that name; `new` decides whether it may be made
    HIDDEN = "HIDDEN"  # ours, but closed: what is on it shows only once it is up
    READY = "READY"  # ours, up and looked at
    FOREIGN = "FOREIGN"  # the name is taken by an object with another uuid or none: never touched
    MISSING = "MISSING"  # not new and absent: never made again until an administrator asks


METADATA = ".-meta"  # no name of a snapshot begins with '-'


def volume_name(resource: str, number: int, suffix: str = "") -> str:
    """Backing name of a volume in its pool, or of what belongs to it; no name of ours contains a dot."""
    return f"{resource}_{number:05d}{suffix}"


def snapshot_name(resource: str, number: int, snapshot: str) -> str:
    """Backing name of a volume's snapshot."""
    return f"{volume_name(resource, number)}.{snapshot}"


class FileSystem(Value, frozen=True, kw_only=True):
    """The file system a new volume gets (`FileSystem/*` properties)."""

    kind: str
    options: tuple[str, ...] = ()
    user: str = ""
    group: str = ""


class WantedPool(Value, frozen=True, kw_only=True):
    name: str
    uuid: str
    provider: str
    props: Mapping[str, str] = {}
    new: bool = False


class NewBacking(Value, frozen=True, kw_only=True):
    """What a pool is to be made on: a volume group, a thin pool in a new volume group, a zpool."""

    provider: str
    name: str  # of the volume group or zpool
    devices: tuple[str, ...]
    raid_level: str = "JBOD"
    arguments: Mapping[str, tuple[str, ...]] = {}  # further ones by program: pvcreate, vgcreate, lvcreate, zpool


class WantedLevel(Value, frozen=True, kw_only=True):
    layer: str
    size: int
    options: Mapping[str, str] = {}  # effective values of what the layer heeds; at STORAGE, of the driver's options
    data: Mapping[str, str] = {}  # what the controller allotted: names of keys, ports...; the same on all nodes or not


class WantedMetadata(Value, frozen=True, kw_only=True):
    """What the topmost level keeps apart from the data: made, opened, grown and removed with it (`metadata_of`)."""

    uuid: str
    pool: str
    levels: tuple[WantedLevel, ...]  # top first, STORAGE last


class WantedVolume(Value, frozen=True, kw_only=True):
    """One volume as this node should hold it."""

    resource: str
    number: int
    uuid: str
    pool: str
    levels: tuple[WantedLevel, ...]  # top first, STORAGE last
    wanted: bool = True  # False: a tombstone, remove the object with exactly this uuid
    active: bool = True  # False: keep the data, close the devices
    new: bool = False
    source: str | None = None  # uuid of the snapshot volume a new volume is filled from
    source_name: str = ""  # backing name of that snapshot volume, `<resource>_<nr>.<snapshot>`
    replaces: str | None = None
    file_system: FileSystem | None = None
    drbd: WantedDrbd | None = None  # where one of the levels replicates
    metadata: WantedMetadata | None = None
    suffix: str = ""  # of the name, of what belongs to a volume

    @property
    def name(self) -> str:
        return volume_name(self.resource, self.number, self.suffix)

    @property
    def size(self) -> int:
        """Bytes at the storage level."""
        return self.levels[-1].size


def metadata_of(volume: WantedVolume) -> WantedVolume | None:
    """The object that a volume's metadata is kept on, for whoever holds it as any other; None: it has none."""
    own = volume.metadata
    if own is None:
        return None
    return WantedVolume(
        resource=volume.resource,
        number=volume.number,
        uuid=own.uuid,
        pool=own.pool,
        levels=own.levels,
        wanted=volume.wanted,
        active=volume.active,
        new=volume.new,
        suffix=METADATA,
    )


def objects_of(volume: WantedVolume) -> tuple[WantedVolume, ...]:
    """Everything in pools that belongs to a volume."""
    own = metadata_of(volume)
    return (volume,) if own is None else (volume, own)


class WantedSnapshot(Value, frozen=True, kw_only=True):
    """One volume's snapshot as this node should hold it."""

    resource: str
    snapshot: str
    number: int
    uuid: str
    volume: str  # uuid of the volume it is taken of
    pool: str
    size: int
    wanted: bool = True
    new: bool = False
    options: Mapping[str, str] = {}  # effective values of the driver's options

    @property
    def name(self) -> str:
        return snapshot_name(self.resource, self.number, self.snapshot)

    @property
    def volume_name(self) -> str:
        return volume_name(self.resource, self.number)


class WantedHold(Value, frozen=True, kw_only=True):
    """Hold the I/O of a resource back on this node for a short time. It ends by itself, see `Hold`."""

    uuid: str
    everywhere: bool = False  # every other node that takes part holds it back, too: nothing may change from here on
    prove: bool = False  # what had to be done meanwhile is done on every node: say whether nothing has changed


class WantedResource(Value, frozen=True, kw_only=True):
    name: str
    revision: int
    volumes: tuple[WantedVolume, ...] = ()
    snapshots: tuple[WantedSnapshot, ...] = ()
    hold: WantedHold | None = None  # None: whatever was held back for the controller goes on


class Capacity(Value, frozen=True, kw_only=True):
    """Bytes."""

    total: int
    free: int


class BackingObject(Value, frozen=True, kw_only=True):
    """Something found in a pool that looks like ours or stands in the way."""

    pool: str
    name: str
    uuid: str = ""  # empty: the object carries no mark of ours
    cluster: str = ""
    size: int = 0
    purpose: str = ""  # what it is there for, one sentence; empty: nobody knows


class ReportedLevel(Value, frozen=True, kw_only=True):
    layer: str
    presence: Presence
    device: str | None = None
    size: int | None = None
    facts: Mapping[str, str] = {}  # as the layer has them


class ReportedVolume(Value, frozen=True, kw_only=True):
    number: int
    uuid: str
    presence: Presence
    device: str | None = None
    size: int | None = None  # bytes the top device offers
    allocated: int | None = None  # bytes taken from the pool
    in_use: bool | None = None  # None: not known
    users: tuple[str, ...] = ()  # what holds the device, in words; empty where only a layer says that it is in use
    formatted: bool = False  # the wanted file system is on it
    problem: str = ""
    levels: tuple[ReportedLevel, ...] = ()  # top first, as wanted; empty where it was not seen
    metadata: tuple[ReportedLevel, ...] = ()  # the same, of what its metadata is kept on


class ReportedSnapshot(Value, frozen=True, kw_only=True):
    snapshot: str
    number: int
    uuid: str
    presence: Presence
    created: int | None = None
    allocated: int | None = None
    problem: str = ""


class Hold(StrEnum):
    """How far holding I/O back has come on one node."""

    WAITING = "WAITING"  # nothing new is let through; what was under way has not yet reached every replica
    IN_FORCE = "IN_FORCE"  # nothing is under way any more
    EVERYWHERE = "EVERYWHERE"  # the same, since every other node holds it back as well
    PROVEN = "PROVEN"  # the data here stood still from EVERYWHERE until now
    ENDED = "ENDED"  # I/O goes on, after that was proven
    BROKEN = "BROKEN"  # it went on before, or was never held back, or something changed meanwhile


class ReportedHold(Value, frozen=True, kw_only=True):
    uuid: str
    state: Hold
    problem: str = ""


class ReportedResource(Value, frozen=True, kw_only=True):
    """The outcome of one revision on one node."""

    name: str
    revision: int
    settled: bool  # nothing left to do; False: see the problems, it will be tried again
    volumes: tuple[ReportedVolume, ...] = ()
    snapshots: tuple[ReportedSnapshot, ...] = ()
    problem: str = ""  # what stood in the way, one sentence
    plan: tuple[str, ...] = ()  # the steps that were left, printed
    hold: ReportedHold | None = None  # the last one that was asked for


class ReportedPool(Value, frozen=True, kw_only=True):
    name: str
    uuid: str
    capacity: Capacity | None = None
    marked: bool = False  # the marker with this pool's uuid was seen on the backing
    problem: str = ""
    warning: str = ""  # why nothing new should be placed there
    extent: int = 0  # bytes the pool hands out at once; 0: not seen yet
    zeros: bool = False  # what was never written in it reads as zeros


class Support(Value, frozen=True, kw_only=True):
    """Whether a provider or layer can be used on the node, and why not."""

    name: str
    reasons: tuple[str, ...] = ()
    version: str = ""  # of what the kernel has for it, three numbers; empty: not told

    @property
    def usable(self) -> bool:
        return not self.reasons


class NodeInfo(Value, frozen=True, kw_only=True):
    """What a satellite says about itself when the controller connects."""

    name: str
    uname: str
    version: str
    providers: tuple[Support, ...] = ()
    layers: tuple[Support, ...] = ()
    programs: Mapping[str, str] = {}  # external program -> version, or the reason of its absence
    broken_plugins: Mapping[str, str] = {}
    os_variant: str = ""
    host_nqn: str = ""  # by which NVMe targets know the node
