"""From wanted and reported to the next wanted. Pure, and safe to repeat at any point.

`advance` is what drives everything that takes more than one step: it clears `new` at the first proof of success,
lets go of what satellites have confirmed as removed, and leads rollbacks from closing through replacing to done; what
becomes of snapshots is in `snapshotting`. It is given only *current* reports: reports about the last order a node got.
A crash loses nothing, since the next report leads to the same step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from orlop.controller import (
    cloning,
    diskless,
    growing,
    initial_sync,
    migrating,
    moving,
    nvme,
    snapshot_copies,
    snapshotting,
    volume_keys,
)
from orlop.model import (
    Operation,
    Presence,
    ReportedResource,
    ReportedVolume,
    Resource,
    ResourceDefinition,
    Volume,
    key,
)

replace = msgspec.structs.replace
Reports = Mapping[str, ReportedResource]  # key of the node -> its current report

DELETE = "DELETE"


def advance(definition: ResourceDefinition, reports: Reports) -> ResourceDefinition | None:
    """The definition as it should be wanted next: the same object when there is nothing to do, None when it is gone.

    A definition is gone when it is marked DELETE and neither resources nor snapshots are left.
    """
    changed = _resources(definition, reports)
    changed = _initiators(changed, reports)
    changed = _volume_definitions(changed)
    changed = growing.advanced(changed, reports)
    changed = migrating.advanced(changed, reports)
    changed = moving.advanced(changed, reports)
    changed = snapshotting.advanced(changed, reports)
    changed = _operations(changed, reports)
    changed = cloning.advanced(changed, reports)
    changed = volume_keys.advanced(changed, reports)
    if changed.deleting and not changed.resources and not changed.snapshots:
        return None
    return changed


def reported_volume(report: ReportedResource | None, uuid: str) -> ReportedVolume | None:
    return next((v for v in report.volumes if v.uuid == uuid), None) if report else None


# -- resources ------------------------------------------------------------------------------------------------


def _resources(definition: ResourceDefinition, reports: Reports) -> ResourceDefinition:
    resources = []
    for resource in definition.resources:
        after = _resource(definition, resource, reports.get(key(resource.node)))
        if after is None and _is_known(definition, resource, reports):
            after = replace(resource, volumes=()) if resource.volumes else resource
        if after is not None:
            resources.append(after)
    if _same(resources, definition.resources):
        return definition
    return replace(definition, resources=tuple(resources))


def _is_known(definition: ResourceDefinition, gone: Resource, reports: Reports) -> bool:
    """Whether a peer may still expect a replica that its own node has removed. The peers are told only when nothing
    of it is left, and until they have obeyed it keeps its numbers."""
    if gone.node_id is None:
        return False
    peers = [r for r in definition.resources if r.node_id is not None and not r.deleting]
    if gone.volumes:
        return bool(peers)
    return not all((report := reports.get(key(r.node))) is not None and report.settled for r in peers)


def _resource(definition: ResourceDefinition, resource: Resource, report: ReportedResource | None) -> Resource | None:
    if resource.deleting and not resource.volumes:
        return None
    if report is None:
        return resource
    resource = diskless.advanced(resource, {v.uuid for v in report.volumes if v.presence is Presence.ABSENT})
    volumes = []
    for volume in resource.volumes:
        seen = reported_volume(report, volume.uuid)
        removing = resource.deleting or DELETE in volume.flags
        if removing and nvme.kept(definition, resource, volume):  # the node was not told to remove it yet
            volumes.append(volume)
            continue
        if removing and seen is not None and seen.presence is Presence.ABSENT:
            continue
        volumes.append(_made(volume, seen) if seen and not removing else volume)
    if resource.deleting and not volumes:
        return None
    if _same(volumes, resource.volumes):
        return resource
    return replace(resource, volumes=tuple(volumes))


def _made(volume: Volume, seen: ReportedVolume) -> Volume:
    """A volume stays `new` until it was seen complete once; a rollback or restore is over then, too."""
    if volume.new and not seen.problem and seen.presence is Presence.READY:
        equal = volume.equal and volume.source is None
        return replace(volume, new=False, source=None, source_name="", replaces=None, equal=equal)
    return volume


def made(before: ResourceDefinition | None, after: ResourceDefinition | None) -> list[Resource]:
    """Resources of which nothing was there and now everything is; a rollback makes none."""
    if before is None or after is None:
        return []
    awaited = {r.uuid for r in before.resources if r.volumes and all(v.new and not v.replaces for v in r.volumes)}
    return [r for r in after.resources if r.uuid in awaited and not any(v.new for v in r.volumes)]


def _initiators(definition: ResourceDefinition, reports: Reports) -> ResourceDefinition:
    """Initiators connect once the target lets them in, and are told of a larger size once the target has it."""
    target = nvme.target(definition) if nvme.initiators(definition) else None
    report = reports.get(key(target.node)) if target else None
    if target is None or report is None:
        return definition
    wanted = {v.uuid: v.levels[0].size for v in target.volumes}
    ready = {v.uuid: v.size or 0 for v in report.volumes if v.presence is Presence.READY and not v.problem}
    if not wanted or not wanted.keys() <= ready.keys():
        return definition
    sizes = {uuid: size for uuid, size in wanted.items() if ready[uuid] >= size}
    resources = [_served(r, sizes) if nvme.is_initiator(r) else r for r in definition.resources]
    return definition if _same(resources, definition.resources) else replace(definition, resources=tuple(resources))


def _served(initiator: Resource, sizes: Mapping[str, int]) -> Resource:
    volumes = [_larger(v, sizes.get(v.uuid, 0)) for v in initiator.volumes]
    if not _same(volumes, initiator.volumes):
        initiator = replace(initiator, volumes=tuple(volumes))
    return nvme.admitted(initiator)


def _larger(volume: Volume, size: int) -> Volume:
    level = volume.levels[0]
    return replace(volume, levels=(replace(level, size=size),)) if size > level.size else volume


def _volume_definitions(definition: ResourceDefinition) -> ResourceDefinition:
    used = {v.number for r in definition.resources for v in r.volumes}
    kept = [v for v in definition.volume_definitions if DELETE not in v.flags or v.number in used]
    if len(kept) == len(definition.volume_definitions):
        return definition
    return replace(definition, volume_definitions=tuple(kept))


# -- operations -----------------------------------------------------------------------------------------------


def _operations(definition: ResourceDefinition, reports: Reports) -> ResourceDefinition:
    for operation in definition.operations:
        if operation.kind == "rollback":
            definition = _rollback(definition, operation, reports)
    return definition


def _rollback(definition: ResourceDefinition, operation: Operation, reports: Reports) -> ResourceDefinition:
    """disconnecting: NVMe initiators let go. closing: every device is closed, proven unused. replacing: new
    incarnations are filled from the snapshot.

    The point of no return lies between the last two. A node that cannot close ends the operation and nothing was
    changed; a node that cannot replace is tried until it can.
    """
    if operation.state in ("disconnecting", "closing"):
        if definition.deleting or any(r.deleting for r in definition.resources):
            return _with(definition, replace(operation, state="failed", problem="the resource is being deleted"))
        problems = {
            r.node: report.problem
            for r in definition.resources
            if (report := reports.get(key(r.node))) is not None and report.problem
        }
        if problems:
            node, problem = sorted(problems.items())[0]
            return _with(definition, replace(operation, state="failed", problem=f"node {node}: {problem}"))
        left = [r for r in definition.resources if operation.state == "closing" or nvme.is_initiator(r)]
        if all(_closed(r, reports.get(key(r.node))) for r in left):
            if operation.state == "disconnecting":
                return _with(definition, replace(operation, state="closing"))
            return _replacing(definition, operation)
    if operation.state == "replacing" and not any(v.replaces for r in definition.resources for v in r.volumes):
        return _with(definition, replace(operation, state="done"))
    return definition


def _closed(resource: Resource, report: ReportedResource | None) -> bool:
    if report is None or not report.settled:
        return False
    seen = {v.uuid: v for v in report.volumes}
    return all(v.uuid in seen and seen[v.uuid].presence is Presence.HIDDEN for v in resource.volumes)


def _replacing(definition: ResourceDefinition, operation: Operation) -> ResourceDefinition:
    incarnations: Mapping[str, str] = operation.arguments["incarnations"]  # uuid now -> uuid of the next incarnation
    snapshot = next((s for s in definition.snapshots if s.uuid == operation.arguments["snapshot"]), None)
    if snapshot is None or not incarnations.keys() >= {v.uuid for r in definition.resources for v in r.volumes}:
        return _with(definition, replace(operation, state="failed", problem="the resource changed meanwhile"))
    sources = {
        (key(part.node), v.number): (v.uuid, operation.arguments["names"][str(v.number)])
        for part in snapshot.nodes
        for v in part.volumes
    }
    resources = tuple(_replaced(r, incarnations, sources) for r in definition.resources)
    volumes = initial_sync.forgotten(volume_keys.with_keys_of(snapshot, definition.volume_definitions))
    filled = {v.uuid for r in resources for v in r.volumes if v.source is not None}
    changed = replace(definition, resources=resources, volume_definitions=volumes)
    changed = snapshot_copies.decided(changed, snapshot, filled)
    return _with(changed, replace(operation, state="replacing"))


def _replaced(
    resource: Resource, incarnations: Mapping[str, str], sources: Mapping[tuple[str, int], tuple[str, str]]
) -> Resource:
    if nvme.is_initiator(resource):
        return _followed(resource, incarnations)
    return resource if diskless.is_diskless(resource) else _refilled(resource, incarnations, sources)


def _refilled(
    resource: Resource, incarnations: Mapping[str, str], sources: Mapping[tuple[str, int], tuple[str, str]]
) -> Resource:
    volumes = []
    for volume in resource.volumes:
        source, name = sources[key(resource.node), volume.number]
        following = {"uuid": incarnations[volume.uuid], "new": True, "replaces": volume.uuid}
        volumes.append(replace(volume, **following, source=source, source_name=name, equal=False))
    return replace(resource, volumes=tuple(volumes))


def _followed(initiator: Resource, incarnations: Mapping[str, str]) -> Resource:
    """What it connects to next is the target's next incarnation."""
    volumes = tuple(replace(v, uuid=incarnations[v.uuid], new=True) for v in initiator.volumes)
    return replace(initiator, volumes=volumes)


def _with(definition: ResourceDefinition, operation: Operation) -> ResourceDefinition:
    """Ended operations are kept until the next one of the definition begins, so that whoever waits can look."""
    return replace(
        definition,
        operations=tuple(operation if o.uuid == operation.uuid else o for o in definition.operations),
    )


def _same(new: Sequence[object], old: Sequence[object]) -> bool:
    return len(new) == len(old) and all(a is b for a, b in zip(new, old, strict=True))
