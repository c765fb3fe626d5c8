"""Restore snapshots into new resources."""

from __future__ import annotations

import msgspec

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import external_metadata, replication, snapshot_copies, stacks, volume_keys, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.picture import Draft
from orlop.controller.usecases import all_or_nothing, deploying, guards, lookup, spreading
from orlop.controller.usecases.snapshots import usable
from orlop.errors import NotFound, Refused
from orlop.model import Level, NodeSnapshot, Resource, ResourceDefinition, Snapshot, VolumeDefinition, key
from orlop.model.node import snapshot_name

replace = msgspec.structs.replace


def restore_volume_definitions(core: Core, name: str, snapshot_name: str, request: wire.SnapshotRestore) -> Answers:
    """Volume definitions of the snapshot for an existing definition that has none."""
    answers = Answers(codes.CREATE, Subject.VLM_DFN, RscDfn=request.to_resource)
    with core.change() as draft:
        snapshot = usable(lookup.definition(draft, name), snapshot_name)
        target = lookup.definition(draft, request.to_resource)
        guards.not_deleting(target)
        if target.volume_definitions or target.resources:
            raise Refused(
                f"Resource definition '{target.name}' has volumes or resources already.",
                correction="Restore into a new, empty resource definition.",
                code=Fail.EXISTS_VLM_DFN,
            )
        volumes = tuple(
            VolumeDefinition(number=v.number, uuid=core.new_uuid(), size=v.size, flags=v.flags, props=v.props)
            for v in snapshot.volume_definitions
        )
        volumes = volume_keys.with_keys_of(snapshot, volumes)
        draft.put(replication.numbered(draft, replace(target, volume_definitions=volumes)))
    answers.success(
        f"{len(volumes)} volume definitions of snapshot '{snapshot.name}' restored to '{target.name}'.",
        codes.CREATED,
    )
    return answers


def restore_resource(core: Core, name: str, snapshot_name: str, request: wire.SnapshotRestore) -> Answers:
    """New resources filled from the snapshot, on all its nodes or on some."""
    answers = Answers(codes.CREATE, Subject.RSC, RscDfn=request.to_resource, Snapshot=snapshot_name)
    with core.change() as draft:
        source = lookup.definition(draft, name)
        snapshot = usable(source, snapshot_name)
        target = lookup.definition(draft, request.to_resource)
        # What the snapshot kept of its definition comes back; what the target was given since wins.
        target = replace(target, props={**snapshot.resource_definition_props, **target.props})
        target = filled(core, draft, source, snapshot, target, request)
        draft.put(target)
    resources = target.resources
    nodes = [r.node for r in resources]
    answers.success(
        f"Snapshot '{snapshot.name}' of '{source.name}' is restored to '{target.name}' on {', '.join(nodes)}.",
        codes.CREATED,
    )
    all_or_nothing.deployed(core, answers, target, list(resources))
    spreading.explained(core, answers, target.name, spreading.AFTER_RESTORE)
    return answers


def filled(
    core: Core,
    draft: Draft,
    source: ResourceDefinition,
    snapshot: Snapshot,
    target: ResourceDefinition,
    request: wire.SnapshotRestore,
) -> ResourceDefinition:
    """The target with resources that are to be filled from the snapshot; raises where that cannot be."""
    _restorable(source, snapshot, target)
    parts = _parts(snapshot, request.nodes)
    resources = tuple(_restored(core, draft, source, snapshot, target, part, request) for part in parts)
    volumes = volume_keys.with_keys_of(snapshot, target.volume_definitions)
    target = replace(target, resources=resources, volume_definitions=volumes)
    new = [v for r in resources for v in r.volumes]
    target = deploying.complete(core, draft, target, new)
    return snapshot_copies.decided(target, snapshot, {v.uuid for v in new})


def _parts(snapshot: Snapshot, asked: tuple[str, ...]) -> list[NodeSnapshot]:
    parts = {key(p.node): p for p in snapshot.nodes if "DELETE" not in p.flags}
    missing = [n for n in asked if key(n) not in parts]
    if missing:
        raise NotFound(
            f"Snapshot '{snapshot.name}' is not on {', '.join(missing)}.",
            correction=f"It is on {', '.join(p.node for p in parts.values())}.",
            code=Fail.NOT_FOUND_SNAPSHOT,
        )
    return [parts[key(n)] for n in dict.fromkeys(asked)] if asked else list(parts.values())


def _restorable(source: ResourceDefinition, snapshot: Snapshot, target: ResourceDefinition) -> None:
    guards.not_deleting(target)
    guards.no_operation(source)
    if target.resources:
        raise Refused(
            f"Resource definition '{target.name}' has resources already.",
            correction="Restore into a new definition, or roll back instead.",
            code=Fail.EXISTS_RSC,
        )
    sizes = {v.number: v.size for v in target.volume_definitions}
    for volume in snapshot.volume_definitions:
        if sizes.get(volume.number, 0) < volume.size:
            raise Refused(
                f"Resource definition '{target.name}' has no volume {volume.number} of at least "
                f"{volume.size // 1024} KiB.",
                correction="Restore the volume definitions first: orlop snapshot volume-definition restore.",
                code=Fail.INVLD_VLM_SIZES,
            )
    extra = sizes.keys() - {v.number for v in snapshot.volume_definitions}
    if extra:
        raise Refused(
            f"Snapshot '{snapshot.name}' has no volume {', '.join(map(str, sorted(extra)))}.",
            correction=f"Remove it from '{target.name}' and add it after the restore.",
            code=Fail.INVLD_VLM_COUNT,
        )
    if _below_replication(target.layers) != _below_replication(snapshot.layers):
        raise Refused(
            f"The layer stack of '{target.name}' is {', '.join(target.layers)}; the snapshot's is "
            f"{', '.join(snapshot.layers)}.",
            correction="Create the target with the stack of the snapshot, with or without DRBD on top.",
            code=Fail.INVLD_LAYER_STACK,
        )


def _below_replication(layers: tuple[str, ...]) -> tuple[str, ...]:
    """DRBD's own data is at the end of a volume, past all that a user sees."""
    return tuple(layer for layer in layers if layer != replication.LAYER)


def _at_least(levels: tuple[Level, ...], size: int) -> tuple[Level, ...]:
    """What lies below must be able to hold the whole snapshot."""
    return (*levels[:-1], replace(levels[-1], size=max(size, levels[-1].size)))


def _restored(
    core: Core,
    draft: Draft,
    source: ResourceDefinition,
    snapshot: Snapshot,
    target: ResourceDefinition,
    part: NodeSnapshot,
    request: wire.SnapshotRestore,
) -> Resource:
    node = lookup.node(draft, part.node)
    deploying.check_node(core, target, node, target.layers)
    resource = Resource(node=node.name, uuid=core.new_uuid(), created=core.clock.milliseconds())
    volumes = []
    for taken in part.volumes:
        renamed = {key(old): new for old, new in request.stor_pool_rename.items()}.get(key(taken.pool), taken.pool)
        if key(renamed) != key(taken.pool):
            raise Refused(
                f"Volume {taken.number} of snapshot '{snapshot.name}' is in pool '{taken.pool}' on '{part.node}' and "
                f"cannot be restored into '{renamed}'.",
                cause="A snapshot is restored within its own pool.",
                correction="Restore without renaming the pool.",
                code=Fail.INVLD_STOR_POOL_NAME,
            )
        of = stacks.volume_definition_of(target, taken.number)
        assert of is not None
        pool = lookup.pool(draft, part.node, taken.pool)
        volume = deploying.new_volume(core, draft, target, resource, of, pool)
        size = taken.size
        if volume.metadata is None and external_metadata.all_data(part, taken.number):
            props = replication.sizing(draft, target, of)
            size = stacks.levels(core.drivers, target.layers, taken.size, stacks.SMALLEST, props)[-1].size
        volumes.append(
            replace(
                volume,
                levels=_at_least(volume.levels, size),
                source=taken.uuid,
                source_name=snapshot_name(source.name, taken.number, snapshot.name),
            )
        )
    pools = {v.pool for v in volumes}
    props = {deploying.POOL: pools.pop()} if len(pools) == 1 else {}
    return deploying.allotted(draft, target, replace(resource, volumes=tuple(volumes), props=props))
