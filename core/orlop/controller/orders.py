"""From what is wanted to what each node is told. Pure: the product, the simulation and the dry run share it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

import msgspec

from orlop.controller import diskless, external_metadata, nvme, options, replicas, snapshotting, stacks, volume_keys
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.drivers import Drivers
from orlop.model import (
    FileSystem,
    NodeSnapshot,
    Resource,
    ResourceDefinition,
    Snapshot,
    StoragePool,
    Volume,
    WantedLevel,
    WantedMetadata,
    WantedPool,
    WantedResource,
    WantedSnapshot,
    WantedVolume,
    key,
)

DISKLESS = "DISKLESS"


def nodes_of(definition: ResourceDefinition) -> set[str]:
    """Keys of the nodes that have a part in a definition."""
    return {key(r.node) for r in definition.resources} | {key(n.node) for s in definition.snapshots for n in s.nodes}


def wanted_pool(pool: StoragePool) -> WantedPool:
    props = stacks.without_noted(pool.props)
    return WantedPool(name=pool.name, uuid=pool.uuid, provider=pool.provider, props=props, new=pool.new)


def wanted_pools(picture: Picture, node: str) -> tuple[WantedPool, ...]:
    return tuple(
        wanted_pool(p)
        for (owner, _), p in sorted(picture.pools.items())
        if owner == key(node) and p.provider != DISKLESS
    )


def wanted_resource(
    drivers: Drivers, picture: Picture, definition: ResourceDefinition, node: str
) -> WantedResource | None:
    """What `node` should hold of a definition, tombstones included; None when it has no part in it."""
    here = key(node)
    volumes: list[WantedVolume] = []
    for resource in definition.resources:
        if key(resource.node) == here:
            volumes += _volumes(drivers, picture, definition, resource)
    snapshots = [
        wanted
        for snapshot in definition.snapshots
        if snapshotting.is_due(definition, snapshot)
        for part in snapshot.nodes
        if key(part.node) == here
        for wanted in _snapshots(drivers, picture, definition, snapshot, part)
    ]
    if here not in nodes_of(definition):
        return None
    return WantedResource(
        name=definition.name,
        revision=definition.revision,
        volumes=tuple(volumes),
        snapshots=tuple(snapshots),
        hold=snapshotting.hold(definition, node),
    )


def same_order(one: WantedResource | None, other: WantedResource | None) -> bool:
    """Whether two orders differ in nothing but their revision."""
    if one is None or other is None:
        return one is other
    return one.volumes == other.volumes and one.snapshots == other.snapshots and one.hold == other.hold


def asks_for_more(then: WantedResource | None, now: WantedResource | None) -> bool:
    """Whether a node has to act on an order to fulfil it: not if something only is not `new` or not known any more."""
    return now is not None and _acts(then) != _acts(now)


def _acts(order: WantedResource | None) -> tuple[object, object, object] | None:
    if order is None:
        return None
    volumes = [
        msgspec.structs.replace(
            v, new=False, source=None, source_name="", replaces=None, file_system=None, levels=_levels(v)
        )
        for v in map(external_metadata.without_options, order.volumes)
    ]
    snapshots = [msgspec.structs.replace(s, new=False, options=s.options if s.new else {}) for s in order.snapshots]
    return volumes, snapshots, order.hold


def _levels(volume: WantedVolume) -> tuple[WantedLevel, ...]:
    """An option is heeded by what is made or removed later; what is there need not be told in a hurry."""
    if volume.new:
        return volume.levels
    return tuple(msgspec.structs.replace(level, options={}) for level in volume.levels)


def _volumes(
    drivers: Drivers, picture: Picture, definition: ResourceDefinition, resource: Resource
) -> list[WantedVolume]:
    """While a disk is removed its volume is a tombstone beside the one without a disk, of the same device.

    Of a replica that is to meet the others first there is only the one without a disk.
    """
    found = []
    for volume in resource.volumes:
        if diskless.joins(resource, volume):
            found.append(_volume(drivers, picture, definition, resource, diskless.without_disk(volume)))
            continue
        to_remove = diskless.loses_disk(resource, volume)
        found.append(_volume(drivers, picture, definition, resource, volume, to_remove))
        if to_remove and not resource.deleting and "DELETE" not in volume.flags:
            found.append(_volume(drivers, picture, definition, resource, diskless.without_disk(volume)))
    return found


def _volume(
    drivers: Drivers,
    picture: Picture,
    definition: ResourceDefinition,
    resource: Resource,
    volume: Volume,
    to_remove: bool = False,
) -> WantedVolume:
    removing = to_remove or resource.deleting or "DELETE" in volume.flags
    makes_one = volume.new and not volume.source and not resource.diskless and _is_first(definition, volume)
    return WantedVolume(
        resource=definition.name,
        number=volume.number,
        uuid=volume.uuid,
        pool=volume.pool,
        levels=_wanted_levels(drivers, picture, definition, resource, volume),
        wanted=not removing or nvme.kept(definition, resource, volume),
        active=_active(picture, definition, resource, volume),
        new=volume.new,
        source=volume.source,
        source_name=volume.source_name,
        replaces=volume.replaces,
        file_system=_file_system(picture, definition, resource, volume) if makes_one else None,
        drbd=replicas.wanted(picture, definition, resource, volume),
        metadata=_metadata(drivers, picture, definition, resource, volume),
    )


def _metadata(
    drivers: Drivers, picture: Picture, definition: ResourceDefinition, resource: Resource, volume: Volume
) -> WantedMetadata | None:
    own = external_metadata.object_of(volume)
    if own is None:
        return None
    levels = _wanted_levels(drivers, picture, definition, resource, own)
    return WantedMetadata(uuid=own.uuid, pool=own.pool, levels=levels)


def _wanted_levels(
    drivers: Drivers, picture: Picture, definition: ResourceDefinition, resource: Resource, volume: Volume
) -> tuple[WantedLevel, ...]:
    return tuple(
        WantedLevel(
            layer=level.layer,
            size=level.size,
            options=options.of_level(drivers, picture, definition, resource.node, volume, level.layer),
            data=_data(picture, definition, resource, volume, level.layer),
        )
        for level in volume.levels
    )


def _is_first(definition: ResourceDefinition, volume: Volume) -> bool:
    """Whether others get their data from it; where nothing is replicated, every volume is its own first one."""
    of = next((v for v in definition.volume_definitions if v.number == volume.number), None)
    return of is None or of.first in ("", volume.uuid)


def _data(
    picture: Picture, definition: ResourceDefinition, resource: Resource, volume: Volume, layer: str
) -> Mapping[str, str]:
    """What the controller allotted to one level."""
    match layer:
        case nvme.LAYER:
            return nvme.data(picture, definition, resource, volume)
        case volume_keys.LUKS:
            return volume_keys.level_data(picture, definition, volume)
        case _:
            return {}


def _active(picture: Picture, definition: ResourceDefinition, resource: Resource, volume: Volume) -> bool:
    states = {o.state for o in definition.operations if o.kind == "rollback"}
    if nvme.is_initiator(resource):
        closing = "INACTIVE" in resource.flags or not states.isdisjoint({"disconnecting", "closing"})
        return not closing and nvme.may_connect(picture, definition, resource, volume)
    return volume.new or ("INACTIVE" not in resource.flags and "closing" not in states)  # made first, then closed


def _file_system(
    picture: Picture, definition: ResourceDefinition, resource: Resource, volume: Volume
) -> FileSystem | None:
    group = picture.group(definition.group)
    of = next((v for v in definition.volume_definitions if v.number == volume.number), None)
    objects = {
        Kind.RESOURCE: Source(resource.node, resource.props),
        Kind.VOLUME_DEFINITION: Source(str(volume.number), of.props if of else {}),
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
        Kind.CONTROLLER: Source("", picture.controller.props),
    }

    def value(name: str) -> str:
        found = effective(f"FileSystem/{name}", objects)
        return found.value if found else ""

    kind = value("Type")
    if not kind:
        return None
    return FileSystem(
        kind=kind, options=tuple(shlex.split(value("MkfsParams"))), user=value("User"), group=value("Group")
    )


def _snapshots(
    drivers: Drivers, picture: Picture, definition: ResourceDefinition, snapshot: Snapshot, part: NodeSnapshot
) -> list[WantedSnapshot]:
    return [
        WantedSnapshot(
            resource=definition.name,
            snapshot=snapshot.name,
            number=volume.number,
            uuid=volume.uuid,
            volume=volume.volume,
            pool=volume.pool,
            size=volume.size,
            wanted="DELETE" not in snapshot.flags and "DELETE" not in part.flags,
            new=volume.new,
            options=options.of_volume(drivers, picture, definition, part.node, volume.pool, volume.number),
        )
        for volume in part.volumes
    ]
