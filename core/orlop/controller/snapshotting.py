"""How a snapshot comes about, from wanted and reported. Pure, and safe to repeat at any point; see `progress`.

A snapshot counts on every node or on none. That of a replicated resource is an operation: all nodes of the resource
hold its I/O back, those with a part in the snapshot take it, all prove that nothing changed since all of them held
back, all let go. Only then it counts. The nodes let go by themselves after a short time.
Several resources can be held back together: none is taken before all of them stand still.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from orlop.controller.external_metadata import layout
from orlop.controller.growing import facts, is_whole
from orlop.model import (
    Hold,
    NodeSnapshot,
    Operation,
    Presence,
    ReportedHold,
    ReportedResource,
    ReportedSnapshot,
    Resource,
    ResourceDefinition,
    Snapshot,
    SnapshotVolume,
    WantedHold,
    key,
)

Reports = Mapping[str, ReportedResource]  # key of the node -> its current report

SUCCESSFUL = "SUCCESSFUL"
FAILED = "FAILED_DEPLOYMENT"
DISCONNECTED = "FAILED_DISCONNECT"
DELETE = "DELETE"
OVER = frozenset({SUCCESSFUL, FAILED, DISCONNECTED, DELETE})

KIND = "snapshot"
HOLDING, HELD, TAKING, PROVING, LETTING_GO = "suspending", "suspended", "taking", "checking", "resuming"
DONE, GIVEN_UP = "done", "failed"
EQUAL = "Internal/Drbd/EqualWithSlots"  # on parts that hold the same; how many peers their metadata has room for, and
# which volumes have none at their end


# -- the operation --------------------------------------------------------------------------------------------


def operation(
    uuid: str, created: int, snapshot: Snapshot, nodes: Collection[str], together: Collection[str], synchronous: bool
) -> Operation:
    """`nodes` hold I/O back; `together` are keys of the definitions that stand still at the same time; `synchronous`:
    what is answered, is on all disks."""
    arguments = {
        "snapshot": snapshot.uuid,
        "nodes": sorted(map(key, nodes)),
        "together": sorted(together),
        "synchronous": synchronous,
    }
    return Operation(uuid=uuid, kind=KIND, state=HOLDING, created=created, arguments=arguments)


def current(definition: ResourceDefinition) -> Operation | None:
    """The one that is under way."""
    return next((o for o in definition.operations if o.kind == KIND and o.state not in (DONE, GIVEN_UP)), None)


def hold(definition: ResourceDefinition, node: str) -> WantedHold | None:
    """What a node is told of it."""
    found = current(definition)
    if found is None or found.state == LETTING_GO or key(node) not in found.arguments["nodes"]:
        return None
    return WantedHold(uuid=found.uuid, everywhere=found.state in (TAKING, PROVING), prove=found.state == PROVING)


def is_due(definition: ResourceDefinition, snapshot: Snapshot) -> bool:
    """Whether the nodes are told of a snapshot: not before everything stands still."""
    found = current(definition)
    return found is None or found.state not in (HOLDING, HELD) or found.arguments["snapshot"] != snapshot.uuid


def companions(definition: ResourceDefinition) -> list[str]:
    """Keys of the definitions that this one waits for, or that wait for it."""
    return [
        name
        for found in definition.operations
        if found.kind == KIND
        for name in found.arguments["together"]
        if name != key(definition.name)
    ]


def released(definition: ResourceDefinition, others: Mapping[str, ResourceDefinition]) -> ResourceDefinition:
    """The definition with its snapshot being taken, once everything that is taken together stands still."""
    found = current(definition)
    if found is None or found.state != HELD:
        return definition
    mates = [others[name] for name in companions(definition) if name in others]
    waits = any((theirs := current(mate)) is not None and theirs.state == HOLDING for mate in mates)
    return definition if waits else _with(definition, replace(found, state=TAKING))


# -- progress -------------------------------------------------------------------------------------------------


def advanced(definition: ResourceDefinition, reports: Reports) -> ResourceDefinition:
    """The same object when nothing changes."""
    found = current(definition)
    held = found.arguments["snapshot"] if found else ""
    snapshots = [after for s in definition.snapshots if (after := _snapshot(s, reports, s.uuid == held)) is not None]
    if not _same(snapshots, definition.snapshots):
        definition = replace(definition, snapshots=tuple(snapshots))
    return _operation(definition, found, reports) if found else definition


def _operation(definition: ResourceDefinition, found: Operation, reports: Reports) -> ResourceDefinition:
    snapshot = next((s for s in definition.snapshots if s.uuid == found.arguments["snapshot"]), None)
    if snapshot is None or snapshot.flags & OVER:
        return _with(definition, replace(found, state=GIVEN_UP))
    if problem := _broken(definition, found, reports):
        return _failed(definition, found, snapshot, problem)
    if found.state == HOLDING and _all(found, reports, Hold.IN_FORCE):
        return _with(definition, replace(found, state=HELD))
    if found.state == TAKING and _is_complete(snapshot) and _all(found, reports, Hold.EVERYWHERE):
        return _taken(definition, found, snapshot, reports)
    if found.state == PROVING and _all(found, reports, Hold.PROVEN):
        return _with(definition, replace(found, state=LETTING_GO))
    if found.state == LETTING_GO and _all(found, reports, Hold.ENDED):
        done = replace(snapshot, flags=snapshot.flags | {SUCCESSFUL})
        return _with(_put(definition, done), replace(found, state=DONE))
    return definition


def _taken(
    definition: ResourceDefinition, found: Operation, snapshot: Snapshot, reports: Reports
) -> ResourceDefinition:
    """Everything stands still at this moment, so what is reported of the replicas held when the parts were taken."""
    nodes = {key(part.node) for part in snapshot.nodes}
    parts = [r for r in definition.resources if key(r.node) in nodes]
    for resource in parts:
        if not is_whole(resource, reports[key(resource.node)]):
            problem = f"node {resource.node}: its data was not up to date any more"
            return _failed(definition, found, snapshot, problem)
    if _are_equal(parts, reports, found):
        layouts = {key(r.node): layout(r) for r in parts}
        marked = tuple(replace(p, props={**p.props, EQUAL: layouts[key(p.node)]}) for p in snapshot.nodes)
        definition = _put(definition, replace(snapshot, nodes=marked))
    return _with(definition, replace(found, state=PROVING))


def _are_equal(parts: Sequence[Resource], reports: Reports, found: Operation) -> bool:
    """Whether each replica is in step with every other one: what is written, is written on all before it counts."""
    if not found.arguments["synchronous"]:
        return False
    for one in parts:
        for other in parts:
            for volume in one.volumes if one is not other else ():
                seen = facts(reports[key(one.node)], volume)
                if seen.get(f"peer/{other.node}/replication") != "Established":
                    return False
                if seen.get(f"peer/{other.node}/out_of_sync") != "0":
                    return False
    return True


def _is_complete(snapshot: Snapshot) -> bool:
    return bool(snapshot.nodes) and all(not v.new for part in snapshot.nodes for v in part.volumes)


def _all(found: Operation, reports: Reports, state: Hold) -> bool:
    """Whether every node has come so far."""
    seen = [_hold(found, reports, node) for node in found.arguments["nodes"]]
    reached = {Hold.IN_FORCE, Hold.EVERYWHERE} if state is Hold.IN_FORCE else {state}
    return all(said is not None and said.state in reached for said in seen)


def _broken(definition: ResourceDefinition, found: Operation, reports: Reports) -> str:
    names = {key(r.node): r.node for r in definition.resources}
    for node in found.arguments["nodes"]:
        said = _hold(found, reports, node)
        if said is not None and said.state is Hold.BROKEN:
            return f"node {names.get(node, node)}: {said.problem}"
    return ""


def _hold(found: Operation, reports: Reports, node: str) -> ReportedHold | None:
    said = reports[node].hold if node in reports else None
    return said if said is not None and said.uuid == found.uuid else None


def _failed(
    definition: ResourceDefinition, found: Operation, snapshot: Snapshot, problem: str, flag: str = FAILED
) -> ResourceDefinition:
    gone = _put(definition, failed(snapshot, flag))
    return _with(gone, replace(found, state=GIVEN_UP, problem=problem))


def _put(definition: ResourceDefinition, snapshot: Snapshot) -> ResourceDefinition:
    snapshots = tuple(snapshot if s.uuid == snapshot.uuid else s for s in definition.snapshots)
    return replace(definition, snapshots=snapshots)


def _with(definition: ResourceDefinition, operation: Operation) -> ResourceDefinition:
    operations = tuple(operation if o.uuid == operation.uuid else o for o in definition.operations)
    return replace(definition, operations=operations)


# -- parts ----------------------------------------------------------------------------------------------------


def _snapshot(snapshot: Snapshot, reports: Reports, held: bool) -> Snapshot | None:
    """`held`: it is complete only when the operation says so."""
    parts = []
    for part in snapshot.nodes:
        after = _part(snapshot, part, reports.get(key(part.node)))
        if after is not None:
            parts.append(after)
    if not parts and DELETE in snapshot.flags:
        return None
    if not _same(parts, snapshot.nodes):
        snapshot = replace(snapshot, nodes=tuple(parts))
    if snapshot.flags & OVER:
        return snapshot
    if snapshot_problems(snapshot, reports):
        return failed(snapshot)
    if not held and _is_complete(snapshot):
        return replace(snapshot, flags=snapshot.flags | {SUCCESSFUL})
    return snapshot


def failed(snapshot: Snapshot, flag: str = FAILED) -> Snapshot:
    """A snapshot counts on every node or on none: what was taken already is removed."""
    return replace(
        snapshot,
        flags=snapshot.flags | {flag},
        nodes=tuple(replace(part, flags=part.flags | {DELETE}) for part in snapshot.nodes),
    )


def abandoned(definition: ResourceDefinition, node: str | None) -> ResourceDefinition:
    """Snapshots in the making that `node` (None: any node) has a part in, marked as failed by a disconnection."""
    found = current(definition)
    held = found.arguments["snapshot"] if found and _takes_part(found.arguments["nodes"], node) else ""
    snapshots = tuple(
        failed(s, DISCONNECTED)
        if not s.flags & OVER and (s.uuid == held or _takes_part([part.node for part in s.nodes], node))
        else s
        for s in definition.snapshots
    )
    if _same(snapshots, definition.snapshots):
        return definition
    definition = replace(definition, snapshots=snapshots)
    if found is None or all(s.uuid != found.arguments["snapshot"] or not s.flags & OVER for s in snapshots):
        return definition
    lost = f"node {node} went away" if node else "the controller was started anew"
    return _with(definition, replace(found, state=GIVEN_UP, problem=lost))


def _takes_part(nodes: Collection[str], node: str | None) -> bool:
    return node is None or key(node) in map(key, nodes)


def snapshot_problems(snapshot: Snapshot, reports: Reports) -> dict[str, str]:
    """Display name of each node that could not take its part, with the reason."""
    found = {}
    for part in snapshot.nodes:
        report = reports.get(key(part.node))
        for volume in part.volumes:
            seen = reported_snapshot(report, volume.uuid)
            if seen is not None and volume.new and seen.problem:
                found[part.node] = seen.problem
    return found


def _part(snapshot: Snapshot, part: NodeSnapshot, report: ReportedResource | None) -> NodeSnapshot | None:
    if report is None:
        return part
    removing = DELETE in snapshot.flags or DELETE in part.flags
    volumes = []
    created = part.created
    for volume in part.volumes:
        seen = reported_snapshot(report, volume.uuid)
        if removing and seen is not None and seen.presence is Presence.ABSENT:
            continue
        if not removing and seen is not None and _is_taken(volume, seen):
            volume = replace(volume, new=False)
            created = seen.created or created
        volumes.append(volume)
    if removing and not volumes:
        return None
    if _same(volumes, part.volumes):
        return part
    return replace(part, volumes=tuple(volumes), created=created)


def _is_taken(volume: SnapshotVolume, seen: ReportedSnapshot) -> bool:
    return volume.new and seen.presence is Presence.READY and not seen.problem


def reported_snapshot(report: ReportedResource | None, uuid: str) -> ReportedSnapshot | None:
    return next((s for s in report.snapshots if s.uuid == uuid), None) if report else None


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(a is b for a, b in zip(new, old, strict=True))
