"""The contract of storage drivers: kinds of pools, and what volumes and snapshots in them are made of.

The further contracts are of what some kinds can do and others cannot. A driver has them or not; `isinstance` tells.
"""

from collections.abc import Collection, Mapping
from typing import ClassVar, Protocol, Self, runtime_checkable

from orlop.model import (
    BackingObject,
    Capacity,
    NewBacking,
    Presence,
    WantedPool,
    WantedSnapshot,
    WantedVolume,
)
from orlop.plugin.contracts import Probe
from orlop.plugin.steps import Step


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
