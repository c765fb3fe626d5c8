"""The contract of layers: levels of a volume's device stack, each on what the one below offers.

The further contracts are of what some layers can do and others cannot. A layer has them or not; `isinstance` tells.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol, Self, runtime_checkable

from orlop.model import Presence, ReplicaOrder, WantedPool, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin.contracts import Probe
from orlop.plugin.steps import Step

ASKED = "asked"  # I/O is held back because somebody said so, not by the layer's own rules


class Standing(Value, frozen=True, kw_only=True):
    """A volume whose stack has the layer that looks, with what was seen of the level below it."""

    volume: WantedVolume
    below: str | None  # device of the level below
    ready: bool  # every level below is READY: what is on the device can be looked at
    metadata: str | None = None  # device of what the volume's metadata is kept on, where it is apart from the data
    stored: bool = True  # what the stack stands on is there, open or closed; also while that cannot be told
    pool: WantedPool | None = None  # that its backing lies in, as its driver spells it


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
