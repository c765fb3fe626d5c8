"""From wanted and seen to steps. Pure: nothing here looks at the node or touches it.

Every volume and snapshot is planned by itself, so that the problem of one does not stop the others.
"""

import logging
from collections.abc import Callable, Collection, Iterator

import msgspec

from orlop.codes import Fail
from orlop.errors import BadName, CannotRead, OrlopError
from orlop.model import FileSystem, Presence, WantedResource, WantedSnapshot, WantedVolume, names
from orlop.model.cluster import Value
from orlop.plugin import ErasesData, JudgesCopies, Step
from orlop.satellite import file_systems
from orlop.satellite.observe import At, Observation, levels

log = logging.getLogger(__name__)

# Programs tell it in words only.
FULL = ("no space left", "insufficient free space", "insufficient suitable", "out of space", "reached threshold")

Key = tuple[int, str, str]  # volume number, snapshot's name or "", uuid: a tombstone and its successor share the name


class Part(Value, frozen=True, kw_only=True):
    """What is left to do for one volume or snapshot, or why it cannot be done."""

    key: Key
    steps: tuple[Step, ...] = ()
    problem: str = ""
    purpose: str = ""  # why it is done, where that does not show; begins the sentence about what stood in the way


def key_of(wanted: WantedVolume | WantedSnapshot) -> Key:
    return (wanted.number, wanted.snapshot if isinstance(wanted, WantedSnapshot) else "", wanted.uuid)


def plan(wanted: WantedResource, seen: Observation, begun: Collection[Key] = ()) -> tuple[Part, ...]:
    """All parts, in the order to carry them out: what frees room comes first. `begun`: whose removal has begun."""
    return tuple(_part(item, seen, begun) for item in _ordered(wanted))


def _ordered(wanted: WantedResource) -> Iterator[WantedVolume | WantedSnapshot]:
    yield from (volume for volume in wanted.volumes if not (volume.wanted and volume.active))
    yield from (snapshot for snapshot in wanted.snapshots if not snapshot.wanted)
    yield from (volume for volume in wanted.volumes if volume.wanted and volume.active)
    yield from (snapshot for snapshot in wanted.snapshots if snapshot.wanted)


def _part(item: WantedVolume | WantedSnapshot, seen: Observation, begun: Collection[Key]) -> Part:
    key = key_of(item)
    try:
        _check_names(item)
        if isinstance(item, WantedSnapshot):
            return Part(key=key, steps=tuple(_snapshot(item, seen)))
        stack = levels(item, seen)
        if (at := _unjudged(item, stack)) is not None:
            return _judging(item, stack[: at + 1])
        return Part(key=key, steps=tuple(_volume(item, stack, seen, key in begun)))
    except OrlopError as error:
        return Part(key=key, problem=sentence(item, error))
    except Exception as error:  # noqa: BLE001 - somebody else's plugin must not stop the other volumes
        log.exception("planning for %s failed", item.name)
        return Part(key=key, problem=f"a plugin failed while it planned for {item.name}: {error!r}")


def sentence(item: WantedVolume | WantedSnapshot, error: OrlopError) -> str:
    """What stood in the way; where it was lack of space, with the pool, and in words that say so."""
    if error.code is not Fail.NOT_ENOUGH_FREE_SPACE and not any(words in str(error).lower() for words in FULL):
        return str(error)
    own = item.metadata if isinstance(item, WantedVolume) else None
    pools = item.pool if own is None or own.pool == item.pool else f"{item.pool} or {own.pool}"
    return f"no space left in storage pool {pools}: {error}"


def _check_names(item: WantedVolume | WantedSnapshot) -> None:
    """They become part of paths here, and a database may have been edited by hand."""
    names.resource(item.resource)
    if isinstance(item, WantedSnapshot):
        names.snapshot(item.snapshot)
    if "/" in item.uuid:
        raise BadName(f"{item.uuid!r} is not a uuid")


def _volume(volume: WantedVolume, stack: list[At], seen: Observation, begun: bool) -> list[Step]:
    if not begun and (steps := _opened_to_be_erased(volume, stack)):
        return steps
    down = [step for at in reversed(stack) for step in at.layer.take_down(at.volume, at.below)]
    if down or not (volume.wanted and volume.active):
        return down
    if volume.file_system is not None and unformatted(volume, seen) is None:
        volume = msgspec.structs.replace(volume, file_system=None)  # layers are told of one that is still to be made
    up: list[Step] = []
    waiting: set[str] = set()
    for at in stack:
        if at.volume.suffix in waiting or (waiting and at is stack[-1]):
            continue
        up += at.layer.bring_up(at.volume if at.volume.suffix else volume, at.below)
        if at.presence is not Presence.READY:  # what stands on it shows only once it is up
            waiting.add(at.volume.suffix)
    return up if up or waiting else _file_system(volume, seen, stack[-1].device)


def _unjudged(volume: WantedVolume, stack: list[At]) -> int | None:
    """The level that has to be up before it can tell whether others have the data of what is to go."""
    if volume.wanted:
        return None
    judges = ((n, at.layer, at.below) for n, at in enumerate(stack) if isinstance(at.layer, JudgesCopies))
    return next((n for n, layer, below in judges if layer.unjudged(volume, below)), None)


def _judging(volume: WantedVolume, stack: list[At]) -> Part:
    """The next level that is closed is opened, from the bottom up. Nothing is taken down beside that."""
    purpose = f"{volume.name} is kept until it was seen that others have its data, unless the definition is deleted: "
    at = next((at for at in stack[:-1] if at.presence is not Presence.READY), stack[-1])
    opened = msgspec.structs.replace(at.volume, wanted=True, active=True)
    try:
        steps = at.layer.bring_up(opened, at.below)
    except OrlopError as error:
        return Part(key=key_of(volume), problem=purpose + sentence(volume, error))
    if not steps:
        return Part(key=key_of(volume), problem=f"{purpose}layer {at.layer.kind} is not up")
    return Part(key=key_of(volume), steps=tuple(steps), purpose=purpose)


def _opened_to_be_erased(volume: WantedVolume, stack: list[At]) -> list[Step]:
    """What was never complete holds nothing that has to be erased, and is not completed for it."""
    if volume.wanted or volume.new or not any(isinstance(at.layer, ErasesData) and at.layer.erases for at in stack):
        return []
    lowest = [at for n, at in enumerate(stack) if n == 0 or at.volume is not stack[n - 1].volume]
    return [
        step
        for at in lowest
        if at.presence is Presence.HIDDEN
        for step in at.layer.bring_up(msgspec.structs.replace(at.volume, wanted=True, active=True), None)
    ]


def _file_system(volume: WantedVolume, seen: Observation, device: str | None) -> list[Step]:
    wanted = unformatted(volume, seen)
    if wanted is None or device is None:
        return []
    content = seen.contents.get(device, "it was not looked at")
    if isinstance(content, str):
        raise CannotRead(f"what is on {device} cannot be told: {content}")
    steps = file_systems.steps(wanted, device, content, volume.name)
    return [*steps, *seen.driver(volume.pool).record_formatted(volume, wanted.kind)]


def unformatted(volume: WantedVolume, seen: Observation) -> FileSystem | None:
    """The file system a volume still has to get. One filled from a snapshot has what the snapshot had."""
    if volume.file_system is None or volume.source is not None:
        return None
    if not (volume.wanted and volume.active and volume.new):
        return None
    return None if seen.driver(volume.pool).formatted(volume) else volume.file_system


def to_look_at(wanted: WantedResource, seen: Observation) -> dict[str, FileSystem]:
    """Devices whose content decides whether they are formatted."""
    found: dict[str, FileSystem] = {}
    for volume in wanted.volumes:
        if volume.file_system is None:
            continue
        try:
            system, stack = unformatted(volume, seen), levels(volume, seen)
        except OrlopError:
            continue  # planning meets the same problem and reports it
        top = stack[-1].device
        if system is not None and top is not None and all(at.presence is Presence.READY for at in stack):
            found[top] = system
    return found


def with_contents(
    seen: Observation, look: Callable[[str, FileSystem], file_systems.Content | str], resources: list[WantedResource]
) -> Observation:
    devices = {device: system for wanted in resources for device, system in to_look_at(wanted, seen).items()}
    return seen._replace(contents={device: look(device, system) for device, system in devices.items()})


def _snapshot(snapshot: WantedSnapshot, seen: Observation) -> list[Step]:
    driver = seen.driver(snapshot.pool)
    if not snapshot.wanted:
        return driver.remove_snapshot(snapshot)
    return driver.take_snapshot(snapshot)
