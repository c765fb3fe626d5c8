"""The contracts of storage drivers and layers, and what they may read of a node.

A driver or layer is a class with two halves. The *controller half* are class methods that need no node:
they check, size and describe. The *node half* is a frozen picture of what was seen, made by `observe`, the only
impure method, once per round for all volumes; everything else in it is pure and returns steps.
"""

from collections.abc import Collection, Mapping
from typing import ClassVar, Protocol, Self, runtime_checkable

from orlop.model import (
    BackingObject,
    Capacity,
    NewBacking,
    Presence,
    ReplicaOrder,
    WantedPool,
    WantedSnapshot,
    WantedVolume,
)
from orlop.model.cluster import Value
from orlop.plugin.steps import Step

API_VERSION = 1
ASKED = "asked"  # I/O is held back because somebody said so, not by the layer's own rules


class FileFacts(Value, frozen=True, kw_only=True):
    """What a directory says of one of its files. Sizes in bytes; attributes without the `user.` prefix."""

    size: int
    allocated: int
    attributes: Mapping[str, str]
    inode: int = 0
    device: str = ""  # "major:minor" of what holds the file


class Probe(Protocol):
    """The reading half of a host. Every method raises `CannotRead` or `CommandFailed` rather than guess."""

    def run(self, argv: tuple[str, ...], stdin: bytes = b"") -> str:
        """Output of a program that only looks. `LC_ALL=C`, with a time-out."""
        ...

    def programs(self, names: tuple[str, ...]) -> Mapping[str, str | None]:
        """Path of each program, None where it is not installed."""
        ...

    def files(self, directory: str) -> Mapping[str, FileFacts] | None:
        """Regular files of a directory by name; None when the directory does not exist."""
        ...

    def read(self, path: str) -> str | None:
        """Text of a small file, None when it does not exist."""
        ...

    def texts(self, *patterns: str) -> Mapping[str, str]:
        """What every path that a pattern fits says, `*` standing for any part of a name, in as few looks as possible.

        The text of a small file, the target of a link, nothing for a directory: sysfs and configfs are read so.
        """
        ...

    def space(self, directory: str) -> Capacity:
        """Size and free bytes of the file system that holds a directory."""
        ...

    def reflink(self, directory: str) -> bool:
        """Whether files in a directory can share their blocks."""
        ...

    def users(self) -> Mapping[str, tuple[str, ...]]:
        """Block devices that are in use, with what uses each: mounts in all namespaces, holders, swap."""
        ...


@runtime_checkable
class StorageDriver(Protocol):
    """One kind of pool. `kind` is the provider kind of the API; the entry point bears it in lower case."""

    api_version: ClassVar[int]
    kind: ClassVar[str]
    thin: ClassVar[bool]
    snapshots: ClassVar[bool]
    programs: ClassVar[tuple[str, ...]]  # what has to be installed on a node
    options: ClassVar[frozenset[str]]  # properties it heeds; volumes and snapshots come with their effective values

    # -- controller half --------------------------------------------------------------------------

    @classmethod
    def check_pool(cls, props: Mapping[str, str]) -> Mapping[str, str]:
        """Properties of a pool in their canonical spelling; raises `BadProperty`."""
        ...

    @classmethod
    def granularity(cls, props: Mapping[str, str]) -> int:
        """Bytes; sizes of volumes in this pool are multiples of it, as far as it shows without a look (`extent`)."""
        ...

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        """Raises `BadProperty` for a value of one of its `options` that it could not obey."""
        ...

    @classmethod
    def refuse_name(cls, name: str) -> str | None:
        """Why a backing name (`<resource>_<nr>`) can't be used in such a pool, or None."""
        ...

    # -- node half --------------------------------------------------------------------------------

    @classmethod
    def observe(cls, probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Self:
        """Look at all pools of this kind at once. A broken pool fails only itself (`pool_problem`)."""
        ...

    def pool_problem(self, pool: str) -> str:
        """Why a pool can't be used, one sentence; empty when it can."""
        ...

    def pool_warning(self, pool: str) -> str:
        """Why nothing new should be placed in a pool that works, one sentence; empty when there is room."""
        ...

    def extent(self, pool: str) -> int:
        """Bytes that the pool hands out at once; sizes of its volumes are multiples of it."""
        ...

    def pool_marked(self, pool: str) -> bool:
        """Whether the backing carries the mark of exactly this pool."""
        ...

    def mark_pool(self, pool: WantedPool) -> list[Step]:
        """Steps that put our mark on the backing of a `new` pool; empty when it is there."""
        ...

    def capacity(self, pool: str) -> Capacity: ...

    def objects(self, pool: str) -> tuple[BackingObject, ...]:
        """Everything in the pool that bears a mark of ours or a name of our form."""
        ...

    def presence(self, volume: WantedVolume) -> Presence: ...

    def device(self, volume: WantedVolume) -> str | None:
        """Path of the block device; None while it cannot be known."""
        ...

    def size(self, volume: WantedVolume) -> int | None:
        """Bytes the device offers now."""
        ...

    def allocated(self, volume: WantedVolume) -> int | None:
        """Bytes the volume takes from the pool now."""
        ...

    def formatted(self, volume: WantedVolume) -> bool:
        """Whether the object records that its file system was made."""
        ...

    def record_formatted(self, volume: WantedVolume, kind: str) -> list[Step]:
        """Steps that record on the object that its file system was made, once per incarnation."""
        ...

    def take_down(self, volume: WantedVolume) -> list[Step]:
        """Close or remove. Removing needs the uuid; the device is seen gone before the object is removed."""
        ...

    def bring_up(self, volume: WantedVolume) -> list[Step]:
        """Create (only `new`), fill from the source, put in place of `replaces`, open, grow; never shrink."""
        ...

    def snapshot_presence(self, snapshot: WantedSnapshot) -> Presence: ...

    def snapshot_allocated(self, snapshot: WantedSnapshot) -> int | None: ...

    def snapshot_created(self, snapshot: WantedSnapshot) -> int | None:
        """When it was taken, milliseconds since 1970."""
        ...

    def take_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        """Steps that take a `new` snapshot. Raises `Refused` where it would not be consistent."""
        ...

    def remove_snapshot(self, snapshot: WantedSnapshot) -> list[Step]: ...


@runtime_checkable
class DeviceStorage(StorageDriver, Protocol):
    """A kind of pool whose backing can be made of whole block devices (*physical storage*)."""

    @classmethod
    def backing_props(cls, backing: NewBacking) -> Mapping[str, str]:
        """Properties of a pool on that backing; raises `BadName` or `BadProperty` for what could not be made."""
        ...

    @classmethod
    def make_backing(cls, probe: Probe, backing: NewBacking, cluster: str) -> list[Step]:
        """Steps that are left to make it, of devices just proved unused and blank; none when it is there.

        Raises `WouldDestroy` where the name is taken by something else.
        """
        ...

    @classmethod
    def begun(cls, probe: Probe, backing: NewBacking, cluster: str) -> Collection[str]:
        """Devices that are not blank any more because an attempt to make just this backing was cut.

        Only those that say so themselves; a driver that signs all its devices in the step that makes them has none.
        """
        ...

    @classmethod
    def remove_backing(cls, probe: Probe, pool: WantedPool, cluster: str) -> list[Step]:
        """Steps that are left to take apart an empty backing that was made by `make_backing`, and to wipe its devices.

        Raises `WouldDestroy` when anything else is in it.
        """
        ...


@runtime_checkable
class TakesObjects(StorageDriver, Protocol):
    """A kind of pool where an administrator may have an object made a volume of ours, or removed, by naming it.

    Whose the object is was compared before; steps are asked for again after every round, until none is left.
    """

    def found(self, pool: str, name: str) -> BackingObject | None:
        """Whatever bears that name in the pool, whoever's it is."""
        ...

    def device_of(self, found: BackingObject) -> str | None:
        """Path of the device that shows the object; None while it is closed."""
        ...

    def adopt(self, found: BackingObject, volume: WantedVolume) -> list[Step]:
        """Steps that are left until the object is the volume's: our mark first, then its name. Data stays as it is.

        Raises `Refused` for what can be no volume, `WouldDestroy` where something else has the name.
        """
        ...

    def discard(self, found: BackingObject, mark: str) -> list[Step]:
        """Steps that are left to remove it. `mark`: a uuid drawn for this removal, for what has to be marked first.

        Raises `Refused` while something else depends on it.
        """
        ...


@runtime_checkable
class SnapshotRoom(StorageDriver, Protocol):
    """A kind of pool in which a snapshot needs room of its own as soon as it is taken."""

    @classmethod
    def snapshot_room(cls, size: int, options: Mapping[str, str]) -> int:
        """Bytes that have to be free for a snapshot of a volume of `size` bytes."""
        ...


@runtime_checkable
class ReadsZeros(Protocol):
    """A kind of pool that can promise what a new volume reads as before it was written."""

    def reads_zeros(self, pool: str) -> bool:
        """Whether every volume of the pool reads as zeros where nothing was written, also after its blocks were given
        back and handed out again. Replicas need no first copy then."""
        ...


@runtime_checkable
class KeepsRemnants(Protocol):
    """A kind of pool where what was removed may have to stay, under another name, while something depends on it."""

    def remnants(self, pool: str) -> list[Step]:
        """Steps that remove what nothing depends on any more, or shrink what has to stay. Nobody waits for them: they
        are asked for at every look and again at the next if one fails."""
        ...


class Standing(Value, frozen=True, kw_only=True):
    """A volume whose stack has the layer that looks, with what was seen of the level below it."""

    volume: WantedVolume
    below: str | None  # device of the level below
    ready: bool  # every level below is READY: what is on the device can be looked at
    metadata: str | None = None  # device of what the volume's metadata is kept on, where it is apart from the data
    stored: bool = True  # what the stack stands on is there, open or closed; also while that cannot be told
    pool: WantedPool | None = None  # that its backing lies in, as its driver spells it


@runtime_checkable
class NeedsKernel(Protocol):
    """A layer that needs something of a node beside its programs."""

    @classmethod
    def kernel_restrictions(cls, probe: Probe) -> tuple[str, ...]:
        """Why it cannot work there although the programs are installed, one sentence each."""
        ...


class Flow(Value, frozen=True, kw_only=True):
    """What goes through one resource of a node right now."""

    devices: tuple[str, ...] = ()  # by which the layer's programs know its volumes; empty: it is not up here
    held: frozenset[str] = frozenset()  # why I/O is held back; `ASKED` is what `hold` does and `resume` undoes
    obstacle: str = ""  # why it must not be held back as things are, one sentence
    under_way: bool = False  # something has not yet reached every replica that is connected
    trace: str = ""  # another text whenever data came or went, or a replica did


@runtime_checkable
class HoldsWrites(Protocol):
    """A layer that can hold I/O back, so that the volumes of a resource stand still on all nodes at once."""

    @classmethod
    def flow(cls, probe: Probe, resource: str) -> Flow:
        """Look at one resource. Must not touch any of its devices: whoever reads them waits, too."""
        ...

    @classmethod
    def hold(cls, flow: Flow) -> list[Step]: ...

    @classmethod
    def resume(cls, flow: Flow) -> list[Step]:
        """Only given what is held for no other reason than `ASKED`."""
        ...


@runtime_checkable
class HasVersion(Protocol):
    """A layer that can do more or less on a node, by what its kernel has."""

    @classmethod
    def kernel_version(cls, probe: Probe) -> str:
        """Three numbers, `9.2.13`. Asked only where `kernel_restrictions` has none."""
        ...


@runtime_checkable
class TellsOfChanges(Protocol):
    """A layer whose volumes change by themselves, and a program that prints a line whenever one did."""

    listen_to: ClassVar[tuple[str, ...]]


@runtime_checkable
class NodeLayer(Protocol):
    """One level of a volume's device stack. `kind` is the layer's name in the API."""

    api_version: ClassVar[int]
    kind: ClassVar[str]
    programs: ClassVar[tuple[str, ...]]
    above: ClassVar[frozenset[str]]  # layers this one may stand directly on; empty only for STORAGE
    replicates: ClassVar[bool]  # True: the replicas of a volume hold the same data
    options: ClassVar[frozenset[str]]  # properties it heeds; its level comes with their effective values

    # -- controller half --------------------------------------------------------------------------

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        """Raises `BadProperty` for a value of one of its `options` that it could not obey."""
        ...

    @classmethod
    def size_below(cls, size: int, options: Mapping[str, str]) -> int:
        """Bytes the level below must offer for this one to offer `size`."""
        ...

    # -- node half --------------------------------------------------------------------------------

    @classmethod
    def observe(cls, probe: Probe, standing: tuple[Standing, ...], cluster: str) -> Self:
        """Look at the level of all these volumes at once; the levels below were looked at before, in the same round."""
        ...

    def device(self, volume: WantedVolume, below: str | None) -> str | None: ...

    def presence(self, volume: WantedVolume, below: str | None) -> Presence: ...

    def size(self, volume: WantedVolume, below: str | None) -> int | None: ...

    def facts(self, volume: WantedVolume, below: str | None) -> Mapping[str, str]:
        """What else the controller has to know of the level; it arrives there with the report of the volume."""
        ...

    def take_down(self, volume: WantedVolume, below: str | None) -> list[Step]:
        """Steps that must come before the levels below change: close, remove. Run top first."""
        ...

    def bring_up(self, volume: WantedVolume, below: str | None) -> list[Step]:
        """Steps that need the levels below in place: create, open, grow. Run bottom first."""
        ...


@runtime_checkable
class KeepsMetadata(Protocol):
    """A layer with metadata of its own, which it takes from `Standing.metadata` where a volume has it kept apart."""

    @classmethod
    def metadata_size(cls, size: int, options: Mapping[str, str]) -> int:
        """Bytes of metadata for a device below of `size` bytes, all of which are left for data."""
        ...


@runtime_checkable
class KeyStore(Protocol):
    """A place that keeps the master passphrase, asked once when the controller starts."""

    api_version: ClassVar[int]

    @classmethod
    def passphrase(cls) -> str | None:
        """None where it keeps none; raises an `OrlopError` where it should, and it cannot be had."""
        ...


@runtime_checkable
class ErasesData(Protocol):
    """A layer that makes its data unreadable before it goes: what is below is opened for that, where it is closed."""

    erases: ClassVar[bool]


@runtime_checkable
class Imports(Protocol):
    """A layer that can go on with what others made: it finds what they left on a device."""

    @classmethod
    def left_behind(cls, probe: Probe, device: str) -> Mapping[str, str]:
        """What the controller has to know of it; `size` is bytes for the level above.

        Raises `Refused` for what could not be brought up as it was.
        """
        ...


@runtime_checkable
class JudgesCopies(Protocol):
    """A layer that lets data go only where it sees itself that others have it."""

    def unjudged(self, volume: WantedVolume, below: str | None) -> bool:
        """Whether a volume that is to go holds data of which that cannot be seen as things are.

        What is below is opened then, and the layer brought up, as if the volume were wanted; nothing of it goes in the
        same round.
        """
        ...


@runtime_checkable
class Operates(Protocol):
    """A layer that administrators may have something done with, once: `orlop resource verify` and its like."""

    def operate(self, resource: str, order: ReplicaOrder) -> list[Step]:
        """What is left to do for it on this node, by what was seen. Raises `Refused` where it may not be done."""
        ...
