"""Snapshots: take, change, delete."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from orlop import codes
from orlop.codes import Fail, Subject, Warn
from orlop.controller import cloning, external_metadata, moving, options, wire
from orlop.controller.answers import Answers
from orlop.controller.core import WAIT, Core
from orlop.controller.picture import Draft
from orlop.controller.properties import Kind
from orlop.controller.replication import replicated
from orlop.controller.snapshotting import DISCONNECTED, FAILED, SUCCESSFUL, reported_snapshot
from orlop.controller.usecases import guards, lookup, protection, room, snapshot_replicas, wait_presets, waiting
from orlop.controller.usecases.property_changes import changed, checked
from orlop.controller.wait import presets
from orlop.drivers import STORAGE
from orlop.errors import Refused
from orlop.model import (
    NodeSnapshot,
    Resource,
    ResourceDefinition,
    Snapshot,
    SnapshotVolume,
    SnapshotVolumeDefinition,
    Volume,
    key,
    names,
)
from orlop.plugin import SnapshotRoom

replace = msgspec.structs.replace
ENDED = frozenset({SUCCESSFUL, FAILED, DISCONNECTED})


def create(core: Core, name: str, request: wire.Snapshot) -> Answers:
    answers = Answers(codes.CREATE, Subject.SNAPSHOT, RscDfn=name, Snapshot=request.name or "")
    return _create(core, answers, [(name, request)])


def create_many(core: Core, request: wire.CreateMultiSnapshotRequest) -> Answers:
    """All are ordered in one transaction; replicated ones stand still together. Each is whole or fails for itself."""
    answers = Answers(codes.CREATE, Subject.SNAPSHOT)
    wanted = [(body.resource_name or "", body) for body in request.snapshots]
    if not wanted:
        raise Refused("The request names no snapshot to take.", code=Fail.INVLD_REQUEST)
    return _create(core, answers, wanted)


def _create(core: Core, answers: Answers, wanted: list[tuple[str, wire.Snapshot]]) -> Answers:
    made: list[tuple[ResourceDefinition, Snapshot]] = []
    for name, _ in wanted:
        snapshot_replicas.look_again(core, name)
    with core.change() as draft:
        named = [lookup.definition(draft, name) for name, _ in wanted]
        together = {key(definition.name) for definition in named if replicated(definition)}
        for name, body in wanted:
            made.append(ordered(core, draft, answers, lookup.definition(draft, name), body, together))
    for definition, snapshot in made:
        answers.success(
            f"New snapshot '{snapshot.name}' of '{definition.name}' registered.",
            codes.CREATED,
            details=f"UUID is: {snapshot.uuid}",
            RscDfn=definition.name,
            Snapshot=snapshot.name,
        )
    for definition, snapshot in made:
        _taken(core, answers, definition, snapshot)
    return answers


def ordered(
    core: Core,
    draft: Draft,
    answers: Answers,
    definition: ResourceDefinition,
    body: wire.Snapshot,
    together: set[str],
    marks: Mapping[str, str] = MappingProxyType({}),
) -> tuple[ResourceDefinition, Snapshot]:
    """Puts a new snapshot into the draft. `together`: keys of the definitions that stand still for it at the same
    moment; `marks` are properties of our own. Raises where none can be taken."""
    snapshot = _new(core, draft, answers, definition, body, marks)
    others = tuple(s for s in definition.snapshots if key(s.name) != key(snapshot.name))
    definition = replace(definition, snapshots=(*others, snapshot))
    if replicated(definition):
        parts = [lookup.resource(definition, part.node) for part in snapshot.nodes]
        operation = snapshot_replicas.operation(core, draft, definition, snapshot, parts, together)
        definition = moving.begun(definition, operation)
    draft.put(definition)
    return definition, snapshot


def _new(
    core: Core,
    draft: Draft,
    answers: Answers,
    definition: ResourceDefinition,
    body: wire.Snapshot,
    own: Mapping[str, str],
) -> Snapshot:
    name = names.snapshot(body.name or "")
    guards.not_deleting(definition)
    guards.no_operation(definition)
    if any(key(s.name) == key(name) and not _failed_without_trace(s) for s in definition.snapshots):
        raise Refused(
            f"A snapshot '{name}' of '{definition.name}' exists already.",
            correction="Choose another name; one that is being deleted keeps its name until every node has confirmed.",
            code=Fail.EXISTS_SNAPSHOT_DFN,
        )
    parts = []
    need: dict[tuple[str, str], int] = {}
    for resource in _participants(core, answers, definition, body.nodes):
        volumes = tuple(_snapshot_volume(core, draft, resource, v) for v in resource.volumes if "DELETE" not in v.flags)
        for volume in volumes:
            at = key(resource.node), key(volume.pool)
            need[at] = need.get(at, 0) + _room(core, draft, definition, resource.node, volume)
        marks = external_metadata.marks(resource)
        parts.append(NodeSnapshot(node=resource.node, uuid=core.new_uuid(), props=marks, volumes=volumes))
    room.refuse_full(core, draft, {at: size for at, size in need.items() if size})
    return Snapshot(
        name=name,
        uuid=core.new_uuid(),
        props={**checked(core.drivers, Kind.SNAPSHOT, body.props), **own},
        layers=definition.layers,
        resource_definition_props=definition.props,
        volume_definitions=tuple(
            SnapshotVolumeDefinition(number=v.number, size=v.size, flags=v.flags, props=v.props, keys=v.keys)
            for v in definition.volume_definitions
            if "DELETE" not in v.flags
        ),
        nodes=tuple(parts),
    )


def _failed_without_trace(snapshot: Snapshot) -> bool:
    """Only listed so that the failure is seen; the next attempt takes its place."""
    return bool(snapshot.flags & {FAILED, DISCONNECTED}) and not snapshot.nodes


def _participants(
    core: Core, answers: Answers, definition: ResourceDefinition, asked: tuple[str, ...]
) -> list[Resource]:
    """Resources to take the snapshot of: those asked for, else every one whose node is there."""
    if replicated(definition):
        return snapshot_replicas.chosen(core, answers, definition, asked)
    diskful = [r for r in definition.resources if not r.deleting and not r.diskless]
    if asked:
        chosen = []
        for node in asked:
            found = lookup.resource(definition, node)
            if found not in diskful:
                raise Refused(f"'{definition.name}' has no data on node '{node}'.", code=Fail.INVLD_RSC_STATE)
            chosen.append(found)
        guards.connected(core, [r.node for r in chosen], "A snapshot")
    else:
        chosen = [r for r in diskful if core.reported.online(r.node)]
        for resource in diskful:
            if resource not in chosen:
                answers.warning(
                    f"Node '{resource.node}' is away; the snapshot leaves it out.",
                    Warn.NOT_CONNECTED,
                    Node=resource.node,
                )
    if not chosen or not any(r.volumes for r in chosen):
        raise Refused(
            f"There is nothing to take a snapshot of: '{definition.name}' has no volume on a connected node.",
            correction="Deploy the resource, or start the satellites of its nodes.",
            code=Fail.NOT_CONNECTED if diskful else Fail.NOT_FOUND_RSC,
        )
    for resource in chosen:
        if any(v.new for v in resource.volumes):
            raise Refused(
                f"'{definition.name}' on node '{resource.node}' is not complete yet.",
                correction="Wait until its volumes are created.",
                code=Fail.SNAPSHOT_NOT_UPTODATE,
            )
    return chosen


def _snapshot_volume(core: Core, draft: Draft, resource: Resource, volume: Volume) -> SnapshotVolume:
    pool = lookup.pool(draft, resource.node, volume.pool)
    room.refuse_unusable(core, pool)
    if not core.drivers.load(STORAGE, pool.provider).snapshots:
        raise Refused(
            f"Pool '{pool.name}' on node '{resource.node}' cannot take snapshots: its provider is {pool.provider}.",
            correction="Move the resource to a pool that can.",
            code=Fail.SNAPSHOTS_NOT_SUPPORTED,
        )
    return SnapshotVolume(
        number=volume.number,
        uuid=core.new_uuid(),
        volume=volume.uuid,
        pool=volume.pool,
        size=volume.levels[-1].size,
    )


def _room(core: Core, draft: Draft, definition: ResourceDefinition, node: str, volume: SnapshotVolume) -> int:
    """Bytes that its pool has to have free; most kinds take none before something is written."""
    driver = core.drivers.load(STORAGE, lookup.pool(draft, node, volume.pool).provider)
    if not isinstance(driver, SnapshotRoom):
        return 0
    heeded = options.of_volume(core.drivers, draft, definition, node, volume.pool, volume.number)
    return driver.snapshot_room(volume.size, heeded)


def _find(core: Core, definition: ResourceDefinition, snapshot: Snapshot) -> Snapshot | None:
    current = core.picture.definition(definition.name)
    return next((s for s in current.snapshots if s.uuid == snapshot.uuid), None) if current else None


def _taken(core: Core, answers: Answers, definition: ResourceDefinition, snapshot: Snapshot) -> None:
    """Wait until the snapshot counts on every node or on none."""
    until = wait_presets.of(core, definition.name, presets.SNAPSHOT, snapshot=snapshot.name)
    outcome, problems = awaited(core, definition, snapshot, until.seconds if until else WAIT)
    _tell(answers, definition, snapshot, outcome, problems)
    if until and isinstance(outcome, Snapshot) and SUCCESSFUL in outcome.flags:
        # It counts on all nodes at once, so the policy only says whether they are enough.
        core.wait(lambda: wait_presets.is_over(core, until, at_rest=True) or None, until.seconds)
        wait_presets.explain(core, answers, until)


def awaited(
    core: Core, definition: ResourceDefinition, snapshot: Snapshot, seconds: float = WAIT
) -> tuple[object, dict[str, str]]:
    """What became of it: the snapshot, False where it is gone, None where that is not known in time; and what stood in
    the way, by node, or by nothing for all of them."""
    problems: dict[str, str] = {}

    def ended() -> Snapshot | bool | None:
        for part in snapshot.nodes:
            # Once the failure is noted, the node has another order: its report is not about the current one any more.
            report = core.reported.resource(part.node, definition.name)
            for volume in part.volumes:
                seen = reported_snapshot(report, volume.uuid)
                if seen is not None and seen.problem:
                    problems[part.node] = seen.problem
        current = _find(core, definition, snapshot)
        if current is None:
            return False
        if (problem := _given_up(core, definition, snapshot)) and not problems:
            problems[""] = problem
        return current if current.flags & ENDED else None

    return core.wait(ended, seconds), problems


def _tell(
    answers: Answers,
    definition: ResourceDefinition,
    snapshot: Snapshot,
    outcome: object,
    problems: dict[str, str],
) -> None:
    """What became of it; None: it is not known yet. `problems` by node, or by nothing for all of them."""
    if isinstance(outcome, Snapshot) and SUCCESSFUL in outcome.flags:
        for part in outcome.nodes:
            answers.success(f"Node '{part.node}' took snapshot '{snapshot.name}'.", Node=part.node)
    elif outcome is None:
        answers.warning(
            f"Snapshot '{snapshot.name}' of '{definition.name}' is not complete yet; the work goes on.",
            Warn.STLT_NOT_UPDATED,
        )
    else:
        why = reasons(outcome, problems)
        answers.error(
            f"Snapshot '{snapshot.name}' of '{definition.name}' failed: {why}",
            failure(outcome, problems),
            details="A snapshot counts on every node or on none; what was taken is removed.",
            correction=f"Delete it with 'orlop snapshot delete {definition.name} {snapshot.name}' and try again.",
        )


def reasons(outcome: object, problems: Mapping[str, str]) -> str:
    """Why a snapshot that failed, or is gone, did."""
    said = "; ".join(f"node {node}: {problem}" if node else problem for node, problem in sorted(problems.items()))
    return said or ("a node went away" if _was_lost(outcome) else "it was deleted meanwhile")


def failure(outcome: object, problems: Mapping[str, str]) -> Fail:
    return Fail.NOT_CONNECTED if _was_lost(outcome) else waiting.failure_code(reasons(outcome, problems))


def _was_lost(outcome: object) -> bool:
    return isinstance(outcome, Snapshot) and DISCONNECTED in outcome.flags


def _given_up(core: Core, definition: ResourceDefinition, snapshot: Snapshot) -> str:
    """Why the replicas did not stand still for it."""
    current = core.picture.definition(definition.name)
    operations = current.operations if current else ()
    return next((o.problem for o in operations if o.arguments.get("snapshot") == snapshot.uuid), "")


def modify(core: Core, name: str, snapshot_name: str, request: wire.SnapshotModify) -> Answers:
    answers = Answers(codes.MODIFY, Subject.SNAPSHOT, RscDfn=name, Snapshot=snapshot_name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        snapshot = lookup.snapshot(definition, snapshot_name)
        props = changed(core.drivers, answers, Kind.SNAPSHOT, snapshot.props, request)
        draft.put(_with(definition, replace(snapshot, props=props)))
    answers.success(f"Snapshot '{snapshot.name}' of '{definition.name}' modified.", codes.MODIFIED)
    return answers


def _with(definition: ResourceDefinition, snapshot: Snapshot) -> ResourceDefinition:
    return replace(
        definition, snapshots=tuple(snapshot if s.uuid == snapshot.uuid else s for s in definition.snapshots)
    )


def delete(core: Core, name: str, snapshot_name: str, nodes: tuple[str, ...] = ()) -> Answers:
    """On all nodes, or only on some; a node that is away removes its part when it is back."""
    answers = Answers(codes.DELETE, Subject.SNAPSHOT, RscDfn=name, Snapshot=snapshot_name)
    found = core.picture.definition(name)
    if found is None or all(key(s.name) != key(snapshot_name) for s in found.snapshots):
        answers.warning(f"Snapshot '{snapshot_name}' of '{name}' not found.", Warn.NOT_FOUND)
        return answers
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        snapshot = lookup.snapshot(definition, snapshot_name)
        chosen = {key(n) for n in nodes} or {key(p.node) for p in snapshot.nodes}
        mark_deleted(draft, name, snapshot_name, chosen)
    core.settle([key(name)])
    affected = [p.node for p in snapshot.nodes if key(p.node) in chosen]
    answers.success(f"Snapshot '{snapshot.name}' of '{definition.name}' marked for deletion.", codes.DELETED)

    def present(node: str) -> bool:
        current = _find(core, definition, snapshot)
        return current is not None and any(key(p.node) == key(node) for p in current.nodes)

    what = f"snapshot '{snapshot.name}' of '{definition.name}'"
    waiting.gone(core, answers, definition.name, affected, present, what)
    return answers


def mark_deleted(draft: Draft, name: str, snapshot_name: str, chosen: set[str]) -> None:
    """On some nodes (keys). Raises while something is being filled from it."""
    definition = lookup.definition(draft, name)
    snapshot = lookup.snapshot(definition, snapshot_name)
    protection.require_unlocked_snapshot(definition, snapshot, "Deleting")
    _not_a_source(draft, definition, snapshot)
    draft.put(_with(definition, _marked(snapshot, chosen)))


def _marked(snapshot: Snapshot, chosen: set[str]) -> Snapshot:
    if chosen >= {key(p.node) for p in snapshot.nodes}:
        return replace(snapshot, flags=snapshot.flags | {"DELETE"})
    return replace(
        snapshot,
        nodes=tuple(replace(p, flags=p.flags | {"DELETE"}) if key(p.node) in chosen else p for p in snapshot.nodes),
    )


def _not_a_source(draft: Draft, definition: ResourceDefinition, snapshot: Snapshot) -> None:
    """A snapshot that volumes are being filled from stays until they are complete."""
    guards.no_operation(definition)
    for other in draft.definitions.values():
        if cloning.needs(other, snapshot):
            raise Refused(
                f"Snapshot '{snapshot.name}' of '{definition.name}' is being restored into '{other.name}'.",
                correction="Wait until that is done, or delete the new resource first.",
                code=Fail.IN_USE,
            )


def usable(definition: ResourceDefinition, name: str) -> Snapshot:
    snapshot = lookup.snapshot(definition, name)
    if SUCCESSFUL not in snapshot.flags or "DELETE" in snapshot.flags:
        raise Refused(
            f"Snapshot '{snapshot.name}' of '{definition.name}' is not usable: "
            f"{', '.join(sorted(snapshot.flags)) or 'it is not complete yet'}.",
            correction="Use a snapshot that 'orlop snapshot list' shows as successful.",
            code=Fail.INVLD_SNAPSHOT_NAME,
        )
    return snapshot
