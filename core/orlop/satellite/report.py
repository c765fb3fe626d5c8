"""What a node says about a resource: a pure function of what is wanted, what was seen and what went wrong."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec

from orlop.errors import OrlopError
from orlop.model import (
    BackingObject,
    Presence,
    ReportedLevel,
    ReportedPool,
    ReportedResource,
    ReportedSnapshot,
    ReportedVolume,
    WantedPool,
    WantedResource,
    WantedSnapshot,
    WantedVolume,
    objects_of,
)
from orlop.model.keeping import snapshot_before_resync
from orlop.plugin import NEW_FILE, ReadsZeros
from orlop.satellite.observe import BOTTOM, At, Observation, levels
from orlop.satellite.plan import Key, key_of

Users = Mapping[str, tuple[str, ...]]
Said = TypeVar("Said", ReportedVolume, ReportedSnapshot)
LOST = (Presence.FOREIGN, Presence.MISSING)


def resource(
    wanted: WantedResource,
    seen: Observation,
    users: Users | None,
    problems: Mapping[Key, str],
    plan: tuple[str, ...],
    unfinished: frozenset[Key] = frozenset(),
) -> ReportedResource:
    """`unfinished` are the volumes and snapshots that steps are left for."""
    volumes = tuple(
        _in_the_making(v, _volume(v, seen, users, problems.get(key_of(v), "")), unfinished) for v in wanted.volumes
    )
    snapshots = tuple(
        _in_the_making(s, _snapshot(s, seen, problems.get(key_of(s), "")), unfinished) for s in wanted.snapshots
    )
    said = [p for p in (*(v.problem for v in volumes), *(s.problem for s in snapshots)) if p]
    return ReportedResource(
        name=wanted.name,
        revision=wanted.revision,
        settled=not plan and not said,
        volumes=volumes,
        snapshots=snapshots,
        problem="; ".join(dict.fromkeys(said)),
        plan=plan,
    )


def _volume(volume: WantedVolume, seen: Observation, users: Users | None, problem: str) -> ReportedVolume:
    try:
        stack = levels(volume, seen)
        device = stack[-1].device
        driver = seen.driver(volume.pool) if volume.levels[-1].layer == BOTTOM else None
        found = tuple(_level(at) for at in reversed(stack) if at.volume is volume)
        metadata = tuple(_level(at) for at in reversed(stack) if at.volume is not volume)
        lowest = _lowest(volume, stack)
        presence = _gone_or(volume, lowest.presence)
        if presence in LOST:  # also where nothing is to be done, because the volume is inactive
            what = f"the metadata of volume {volume.name}, " if lowest.volume.suffix else "volume "
            problem = problem or f"{what}{lowest.volume.name} is {presence.lower()}"
        return ReportedVolume(
            number=volume.number,
            uuid=volume.uuid,
            presence=presence,
            device=device,
            size=stack[-1].layer.size(volume, stack[-1].below),
            allocated=driver.allocated(volume) if driver else 0,
            metadata=metadata,
            in_use=_says(found) or _in_use(device, users),
            users=users.get(device, ()) if users and device else (),
            formatted=driver.formatted(volume) if driver else False,
            problem=problem,
            levels=found,
        )
    except OrlopError as error:  # not seen is neither there nor gone
        return ReportedVolume(
            number=volume.number, uuid=volume.uuid, presence=Presence.HIDDEN, problem=problem or str(error)
        )


def _lowest(volume: WantedVolume, stack: list[At]) -> At:
    """The level that says how a volume is. Of its data and its metadata, what is lost counts most; of one that is to
    go, what is still there: it is gone with the last of its objects.
    """
    paths = [[at for at in stack if at.volume is volume], [at for at in stack if at.volume is not volume]]
    lowest = [next((at for at in of if at.presence is not Presence.READY), of[-1]) for of in paths if of]
    if not volume.wanted:
        return next((at for at in lowest if _gone_or(volume, at.presence) is not Presence.ABSENT), lowest[0])
    ranked = sorted(lowest, key=lambda at: (at.presence not in LOST, at.presence is Presence.READY))
    return ranked[0]


def _level(at: At) -> ReportedLevel:
    return ReportedLevel(
        layer=at.layer.kind,
        presence=at.presence,
        device=at.device,
        size=at.layer.size(at.volume, at.below),
        facts=at.layer.facts(at.volume, at.below),
    )


def _in_the_making(wanted: WantedVolume | WantedSnapshot, said: Said, unfinished: frozenset[Key]) -> Said:
    """Neither there nor gone while steps are left: at READY the controller ends `new`, at ABSENT it forgets, and what
    is left to do, a file system or a draft that a crash left, would never be done."""
    early = Presence.READY if wanted.wanted and wanted.new else Presence.ABSENT if not wanted.wanted else None
    undone = key_of(wanted) in unfinished or (said.problem and early is Presence.ABSENT)
    if undone and said.presence is early:
        return msgspec.structs.replace(said, presence=Presence.HIDDEN)
    return said


def _says(levels: tuple[ReportedLevel, ...]) -> bool:
    """Whether a layer itself counts a volume as in use: a replicated one is when it was made writable here."""
    return any(level.facts.get("in_use") == "yes" for level in levels)


def _in_use(device: str | None, users: Users | None) -> bool | None:
    if device is None:
        return False
    return None if users is None else device in users


def _snapshot(snapshot: WantedSnapshot, seen: Observation, problem: str) -> ReportedSnapshot:
    try:
        driver = seen.driver(snapshot.pool)
        return ReportedSnapshot(
            snapshot=snapshot.snapshot,
            number=snapshot.number,
            uuid=snapshot.uuid,
            presence=_gone_or(snapshot, driver.snapshot_presence(snapshot)),
            created=driver.snapshot_created(snapshot),
            allocated=driver.snapshot_allocated(snapshot),
            problem=problem,
        )
    except OrlopError as error:
        return ReportedSnapshot(
            snapshot=snapshot.snapshot,
            number=snapshot.number,
            uuid=snapshot.uuid,
            presence=Presence.HIDDEN,
            problem=problem or str(error),
        )


def _gone_or(wanted: WantedVolume | WantedSnapshot, presence: Presence) -> Presence:
    """Where another object bears the name of one to be removed, that one is gone."""
    if presence is Presence.FOREIGN and not wanted.wanted:
        return Presence.ABSENT
    return presence


def devices(wanted: WantedResource, seen: Observation) -> frozenset[str]:
    """The devices a resource offers now."""
    found: set[str] = set()
    for volume in wanted.volumes:
        try:
            found |= {at.device for at in levels(volume, seen) if at.device is not None}
        except OrlopError:
            continue  # the report says so
    return frozenset(found)


def pool(wanted: WantedPool, seen: Observation, problem: str = "") -> ReportedPool:
    """`problem` is what went wrong while it was marked."""
    try:
        driver = seen.driver(wanted.name)
        problem = problem or driver.pool_problem(wanted.name)
        if problem:
            return ReportedPool(name=wanted.name, uuid=wanted.uuid, problem=problem)
        return ReportedPool(
            name=wanted.name,
            uuid=wanted.uuid,
            capacity=driver.capacity(wanted.name),
            marked=driver.pool_marked(wanted.name),
            warning=driver.pool_warning(wanted.name),
            extent=driver.extent(wanted.name),
            zeros=isinstance(driver, ReadsZeros) and driver.reads_zeros(wanted.name),
        )
    except OrlopError as error:
        return ReportedPool(name=wanted.name, uuid=wanted.uuid, problem=problem or str(error))


def orphans(wanted: list[WantedResource], seen: Observation) -> tuple[BackingObject, ...]:
    """What lies in the pools and nothing wanted names. Only listed: an administrator adopts or removes it, unless it
    goes by itself."""
    volumes = [each for r in wanted for volume in r.volumes for each in objects_of(volume)]
    known = {(v.name, v.uuid) for v in volumes} | {(s.name, s.uuid) for r in wanted for s in r.snapshots}
    known |= {(v.name, v.replaces) for v in volumes if v.replaces}
    known |= {(NEW_FILE + uuid, uuid) for _, uuid in known}
    kept = {(s.name, s.uuid): v for v in volumes if v.drbd is not None for s in [snapshot_before_resync(v)]}
    found: list[BackingObject] = []
    for name, driver in seen.drivers.items():
        try:
            found += [
                _explained(thing, kept.get((thing.name, thing.uuid)))
                for thing in driver.objects(name)
                if (thing.name, thing.uuid) not in known
            ]
        except OrlopError:
            continue  # the pool is reported as unavailable
    return tuple(found)


def _explained(thing: BackingObject, of: WantedVolume | None) -> BackingObject:
    if of is None:
        return thing
    purpose = f"data of {of.name} from before a synchronization; it goes by itself when that has finished"
    return msgspec.structs.replace(thing, purpose=purpose)


def with_use(said: ReportedResource, seen: ReportedResource) -> ReportedResource:
    """What was said before, only who uses what as it was seen now: it may be told while other work is left."""
    known = {v.uuid: v for v in seen.volumes if v.in_use is not None}
    volumes = tuple(
        msgspec.structs.replace(v, in_use=now.in_use, users=now.users) if (now := known.get(v.uuid)) else v
        for v in said.volumes
    )
    return msgspec.structs.replace(said, volumes=volumes)


def without_new(wanted: WantedResource, said: ReportedResource) -> WantedResource:
    """The order without `new` for what was seen complete: never made again, even before the controller says so."""
    whole = {v.uuid for v in said.volumes if v.presence is Presence.READY and not v.problem}
    taken = {s.uuid for s in said.snapshots if s.presence is Presence.READY and not s.problem}
    if not any(v.new and v.uuid in whole for v in wanted.volumes) and not any(
        s.new and s.uuid in taken for s in wanted.snapshots
    ):
        return wanted
    return msgspec.structs.replace(
        wanted,
        volumes=tuple(
            msgspec.structs.replace(v, new=False, source=None, source_name="", replaces=None, file_system=None)
            if v.uuid in whole
            else v
            for v in wanted.volumes
        ),
        snapshots=tuple(msgspec.structs.replace(s, new=False) if s.uuid in taken else s for s in wanted.snapshots),
    )
