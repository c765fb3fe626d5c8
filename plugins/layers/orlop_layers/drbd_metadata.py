"""What is on a device that the kernel does not have open: metadata of DRBD, none, or something that nobody guesses."""

import hashlib
import json

from orlop.errors import CannotRead, CommandFailed
from orlop.model.cluster import Value
from orlop.plugin import Probe, Step, run

JUST_CREATED = "0000000000000004"
DISPLACED = "displaced"  # in place of a generation: power was lost between growing the device and moving its end
NONE, UNCLEAN = "no valid meta data found", "please apply-al first"
NODES = 32  # node ids of a resource: 0 to 31
OWN_SIGNATURE = "drbd"  # as wipefs calls it


class Place(Value, frozen=True, kw_only=True):
    """Where metadata is, or will be: at the end of a device, or on one of its own (`apart`). `nine`: in the format of
    DRBD 9; `marked`: it bears the volume's mark, by which it is told from what came with a copy or was left over."""

    minor: int
    device: str
    apart: str = ""
    node_id: int = 0
    nine: bool = False
    marked: bool = False

    def reading(self, command: str) -> tuple[str, ...]:
        return ("drbdmeta", *self._target, command)

    def reading_unclean(self, command: str) -> tuple[str, ...]:
        """What the tool does not print otherwise while the activity log was not read."""
        return ("drbdmeta", "--force", *self._target, command)

    def writing(self, command: str, *arguments: str) -> Step:
        """Without questions; what is to be written was decided before."""
        return run("drbdmeta", "--force", *self._target, command, *arguments)

    def set_generations(self, node_id: int, told: str) -> Step:
        """Fields that are empty or left out stay as they are."""
        return self.writing("set-gi", *(("--node-id", str(node_id)) if self.nine else ()), told)

    @property
    def _target(self) -> tuple[str, ...]:
        where = (self.apart, "flex-external") if self.apart else (self.device, "internal")
        return (str(self.minor), "v09" if self.nine else "v08", *where)

    @property
    def on(self) -> str:
        """The device that metadata is on."""
        return self.apart or self.device


def current(probe: Probe, place: Place) -> str | None:
    """Identifier of the current generation of the data; None where there is no metadata. Raises rather than guess."""
    asking = (*place.reading("get-gi"), *(("--node-id", str(place.node_id)) if place.nine else ()))
    try:
        told = probe.run(asking)
    except CommandFailed as error:
        return _elsewhere(probe, place, error)
    generation = told.strip().partition(":")[0].upper()
    if len(generation) != len(JUST_CREATED):
        raise CannotRead(f"the metadata on {place.on} makes no sense: {told[:200]!r}")
    return generation


def _elsewhere(probe: Probe, place: Place, failure: CommandFailed) -> str | None:
    """Only where the tool says that there is none, there is none: that nothing could be read proves nothing.

    Unlike the other command this one also looks where the end of the device was when it was last open. Metadata on a
    device of its own is at the beginning of that and has never to be moved.
    """
    try:
        probe.run(place.reading("dump-md"))
    except CommandFailed as error:
        if NONE in str(error).lower():
            return None
        if UNCLEAN not in str(error).lower() or place.apart:
            raise CannotRead(f"the metadata on {place.on} cannot be read: {failure}; {error}") from error
    if place.apart:
        raise CannotRead(f"the metadata on {place.on} cannot be read: {failure}")
    return DISPLACED


def is_stale(probe: Probe, place: Place, uuid: str) -> bool:
    """Whether metadata under a new volume was left there by another one, or came with a copy of another one's data."""
    return place.marked and probe.run(place.reading("read-dev-uuid")).strip().upper() != _mark(uuid)


def signatures(probe: Probe, device: str) -> tuple[str, ...]:
    """What a device seems to hold, at either end."""
    found = json.loads(probe.run(("wipefs", "--no-act", "--json", device)) or '{"signatures": []}')
    return tuple(row["type"] for row in found["signatures"])


def create(place: Place, uuid: str, slots: int) -> list[Step]:
    """The tool takes what an opened LUKS device holds at first for data; what is blank was decided before."""
    made = place.writing("create-md", *((str(slots),) if place.nine else ()))
    return [made, place.writing("write-dev-uuid", _mark(uuid))] if place.marked else [made]


def declare_first(place: Place, uuid: str, day0: str) -> list[Step]:
    """The data of this replica is good as it is, and every other one gets it from here.

    Where the others read as this one did on day 0, only what was written since is sent: it is kept by the generation
    that the bitmaps are based on. That comes first, so that what is cut in between is done again.
    """
    generation = f"{int(_mark(uuid), 16) & ~1:016X}"
    if not place.nine:
        return [place.set_generations(0, f"{generation}:0:0:0:1:1:0:0:0:0:0")]
    return [*(_based(place, day0) if day0 else []), place.set_generations(place.node_id, f"{generation}:0:0:0:1:1")]


def declare_equal(place: Place, day0: str) -> list[Step]:
    """What this replica reads as is what all others read as on day 0.

    It notes what it gets since then as the first one does, so it says the same of its bitmaps: a replica that comes
    later and meets this one first would get everything from here otherwise. DRBD itself has it so that places of nodes
    that are not known yet bear the generation of day 0, and that their bitmap has all that was written since.
    """
    return [*_based(place, day0), place.set_generations(place.node_id, f"{day0}:0:0:0:1:1")]


def _based(place: Place, day0: str) -> list[Step]:
    return [place.set_generations(node, f":{day0}") for node in range(NODES) if node != place.node_id]


def move(place: Place) -> Step:
    """The metadata of a device that grew while it was not open, to its new end; it is looked for where it was."""
    return run(*place.reading("check-resize"))


def remembered(minor: int) -> str:
    """Where the tools note how large the device below was when it was last open."""
    return f"/var/lib/drbd/drbd-minor-{minor}.lkbd"


def _mark(uuid: str) -> str:
    """By which metadata is known to be a volume's own."""
    return hashlib.sha256(uuid.encode()).hexdigest()[:16].upper()
