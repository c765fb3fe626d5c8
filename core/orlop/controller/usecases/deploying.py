"""Turn definitions into resources on nodes: pools, sizes, incarnations. Changes values only, inside a draft."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from orlop.codes import Fail
from orlop.controller import diskless, drbd_versions, initial_sync, nvme, replication, stacks
from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.properties import Effective, Kind, Source, effective
from orlop.controller.usecases import encryption, guards, metadata_pools, room
from orlop.errors import NotFound, Refused
from orlop.model import (
    Level,
    Node,
    Resource,
    ResourceDefinition,
    StoragePool,
    Volume,
    VolumeDefinition,
    key,
)
from orlop.model.node import volume_name

replace = msgspec.structs.replace
POOL = "StorPoolName"
DEFAULT_POOL = "DfltStorPool"
DISKLESS_POOL = "DfltDisklessStorPool"


def resource(
    core: Core,
    picture: Picture,
    definition: ResourceDefinition,
    node: Node,
    props: Mapping[str, str],
    flags: frozenset[str] = frozenset(),
    layers: tuple[str, ...] = (),
) -> Resource:
    """A new resource of a definition on a node, with a new volume per volume definition; raises when it cannot be."""
    made = Resource(
        node=node.name,
        uuid=core.new_uuid(),
        flags=flags,
        props=props,
        layers=layers,
        created=core.clock.milliseconds(),
    )
    volumes = tuple(
        new_volume(core, picture, definition, made, v) for v in definition.volume_definitions if "DELETE" not in v.flags
    )
    return allotted(picture, definition, replace(made, volumes=volumes))


def allotted(picture: Picture, definition: ResourceDefinition, made: Resource) -> Resource:
    """A new resource with what its layers need besides storage; raises where there is no room for it."""
    if not nvme.on_top(definition.layers):
        return made
    nvme.refuse_second_target(definition)
    nvme.refuse_abandoned(definition)
    return nvme.with_port(picture, made)


def initiator(
    core: Core, definition: ResourceDefinition, node: Node, props: Mapping[str, str], flags: frozenset[str]
) -> Resource:
    """A new resource that reaches the target's volumes; `nvme.completed` gives it these."""
    nvme.require_target(definition)
    made = core.clock.milliseconds()
    return Resource(node=node.name, uuid=core.new_uuid(), flags=flags | nvme.FLAGS, props=props, created=made)


def without_disk(
    core: Core, definition: ResourceDefinition, node: Node, props: Mapping[str, str], flags: frozenset[str]
) -> Resource:
    """A new replica that reads and writes over the network; `complete` gives it its volumes."""
    made = core.clock.milliseconds()
    return Resource(node=node.name, uuid=core.new_uuid(), flags=flags | diskless.FLAGS, props=props, created=made)


def with_disk(
    core: Core,
    picture: Picture,
    definition: ResourceDefinition,
    resource: Resource,
    props: Mapping[str, str],
    pool: StoragePool | None = None,
) -> Resource:
    """A replica without a disk as one that gets one; what it is numbered by stays. Raises where its pool is missing."""
    flags = resource.flags - diskless.FLAGS - {diskless.TIE_BREAKER, diskless.CLIENT} | {diskless.ADDING}
    after = replace(resource, flags=flags, props={**resource.props, **props}, volumes=())
    volumes = tuple(
        new_volume(core, picture, definition, after, v, pool)
        for v in definition.volume_definitions
        if "DELETE" not in v.flags
    )
    return replace(after, volumes=volumes)


def check_node(core: Core, definition: ResourceDefinition, node: Node, layers: tuple[str, ...]) -> None:
    """Raises unless the node may carry a resource of the definition."""
    if not node.has_satellite:
        raise Refused(f"Node '{node.name}' is a {node.kind} node and carries no resources.", code=Fail.INVLD_NODE_TYPE)
    unfit = node.flags & {"DELETE", "EVICTED"}
    if unfit:
        raise Refused(
            f"Node '{node.name}' is marked {', '.join(sorted(unfit))}.",
            correction=f"See 'orlop node restore {node.name}'.",
            code=Fail.EVACUATING,
        )
    for existing in definition.resources:
        if key(existing.node) == key(node.name):
            correction = "It is being deleted; wait until the node has confirmed." if existing.deleting else ""
            raise Refused(
                f"A resource of '{definition.name}' exists already on node '{node.name}'.",
                correction=correction,
                code=Fail.EXISTS_RSC,
            )
    info = core.reported.node(node.name).info
    for support in info.layers if info else ():
        if support.name in layers and not support.usable:
            raise Refused(
                f"Node '{node.name}' cannot use layer {support.name}: {'; '.join(support.reasons)}",
                correction=f"See 'orlop node info {node.name}'.",
                code=Fail.STLT_DOES_NOT_SUPPORT_LAYER,
            )


def new_volume(
    core: Core,
    picture: Picture,
    definition: ResourceDefinition,
    made: Resource,
    of: VolumeDefinition,
    pool: StoragePool | None = None,
) -> Volume:
    """A volume to be created; raises when its pool does not exist. `complete` gives it its final size."""
    pool = pool or pool_for(picture, definition, made, of)
    layers = made.layers or definition.layers
    metadata = metadata_pools.chosen(core, picture, definition, of, made.node, made.props, layers)
    apart = metadata is not None
    props = replication.sizing(picture, definition, of, apart)
    wanted = stacks.levels_of_new(core.drivers, definition, of, layers, props, apart)
    name = volume_name(definition.name, of.number)
    stacks.refuse_backing_name(core.drivers, picture, name, made.node, pool.name)
    return Volume(number=of.number, uuid=core.new_uuid(), pool=pool.name, levels=wanted, metadata=metadata)


def volumes_of(made: Iterable[Resource]) -> list[Volume]:
    """The volumes that have storage of their own."""
    return [v for r in made if not diskless.is_diskless(r) for v in r.volumes]


def complete(
    core: Core, picture: Picture, definition: ResourceDefinition, made: Collection[Volume]
) -> ResourceDefinition:
    """The definition with the new ones among its volumes as they are to be made.

    New replicas of a volume are equally large, a multiple of what the coarsest of their pools hands out at once. Where
    replicas are already, their size is law; one in a coarser pool is rounded up by itself. Raises where a pool cannot
    be used, has not the room, or its driver could not obey the properties in force.
    """
    fresh = {volume.uuid for volume in made}  # an initiator, which comes later, bears the uuids of its target
    before = replace(
        definition,
        resources=tuple(
            replace(r, volumes=tuple(v for v in r.volumes if v.uuid not in fresh)) for r in definition.resources
        ),
    )
    coarsest = _coarsest(core, picture, definition, fresh)

    def sized(resource: Resource, volume: Volume) -> Volume:
        if volume.uuid not in fresh:
            return volume
        layers = tuple(level.layer for level in volume.levels)
        unit = coarsest[volume.number]
        if any(stacks.existing_levels(before, volume.number, layers, apart) is not None for apart in (False, True)):
            unit = stacks.granularity(core.drivers, picture, definition, volume.number, [(resource.node, volume.pool)])
        volume = replace(volume, levels=stacks.aligned(volume.levels, unit))
        of = next(v for v in definition.volume_definitions if v.number == volume.number)
        volume = metadata_pools.sized(core, picture, definition, resource.node, of, volume)
        metadata_pools.refuse(core, picture, definition, resource.node, volume)
        return volume

    definition = encryption.with_keys(core, picture, definition, fresh)
    resources = tuple(replace(r, volumes=tuple(sized(r, v) for v in r.volumes)) for r in definition.resources)
    for resource in resources:
        made_here = [v for v in resource.volumes if v.uuid in fresh]
        room.refuse_full(core, picture, metadata_pools.needs(resource.node, made_here))
    volumes = tuple(_noting(v, coarsest.get(v.number, 0)) for v in definition.volume_definitions)
    after = replace(definition, resources=resources, volume_definitions=volumes)
    if not replication.replicated(after):
        return after
    after = replication.numbered(picture, initial_sync.decided(picture, core.reported, after, fresh))
    drbd_versions.refuse_impossible(picture, after)
    return after


def _coarsest(core: Core, picture: Picture, definition: ResourceDefinition, fresh: Collection[str]) -> dict[int, int]:
    """By number of each volume with new replicas: the bytes that all of them are a multiple of."""
    found = {}
    for of in definition.volume_definitions:
        pools = [
            (r.node, v.pool)
            for r in definition.resources
            for v in r.volumes
            if v.number == of.number and v.uuid in fresh
        ]
        if pools:
            found[of.number] = max(
                stacks.granularity(core.drivers, picture, definition, of.number, pools), stacks.noted(of.props)
            )
    return found


def _noting(of: VolumeDefinition, granularity: int) -> VolumeDefinition:
    """What the replicas were aligned to is kept, for those that come later."""
    if granularity <= max(stacks.SMALLEST, stacks.noted(of.props)):
        return of
    return replace(of, props=stacks.with_noted(of.props, granularity))


def pool_for(picture: Picture, definition: ResourceDefinition, made: Resource, of: VolumeDefinition) -> StoragePool:
    """`semantics.md` section 3.2: R, VD, RD, RG, N, then the pools of existing peers, then the default."""
    found = _configured_pool(picture, definition, made.node, made.props, of)
    name = found.value if found else _peer_pool(picture, definition, made.node, of.number) or DEFAULT_POOL
    pool = picture.pool(made.node, name)
    if pool is None:
        raise NotFound(
            f"Storage pool '{name}' on node '{made.node}' not found.",
            correction=f"Create it, or name one of the pools that 'orlop storage-pool list --nodes {made.node}' shows "
            "with --storage-pool.",
            code=Fail.NOT_FOUND_STOR_POOL if found else Fail.NOT_FOUND_DFLT_STOR_POOL,
        )
    if pool.provider == "DISKLESS":
        raise Refused(
            f"Storage pool '{pool.name}' is diskless and holds no data.",
            correction="Name a pool with a backing.",
            code=Fail.INVLD_STOR_POOL_NAME,
        )
    return pool


def has_configured_pool(picture: Picture, definition: ResourceDefinition, node: Node) -> bool:
    """Whether a property names the pool of some volume on a node; else a pool has to be chosen."""
    return any(_configured_pool(picture, definition, node.name, {}, of) for of in definition.volume_definitions)


def _configured_pool(
    picture: Picture, definition: ResourceDefinition, at: str, props: Mapping[str, str], of: VolumeDefinition
) -> Effective | None:
    """`props` are those of the resource."""
    group = picture.group(definition.group)
    node = picture.node(at)
    return effective(
        POOL,
        {
            Kind.RESOURCE: Source(at, props),
            Kind.VOLUME_DEFINITION: Source(str(of.number), of.props),
            Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
            Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
            Kind.NODE: Source(at, node.props if node else {}),
        },
    )


def _peer_pool(picture: Picture, definition: ResourceDefinition, node: str, number: int) -> str | None:
    peers = [r for r in definition.resources if not r.deleting and not r.diskless]
    pools = [v.pool for r in peers for v in r.volumes if v.number == number]
    return next((pool for pool in pools if picture.pool(node, pool)), None)


def deploy_volume(core: Core, picture: Picture, definition: ResourceDefinition, number: int) -> ResourceDefinition:
    """A new volume definition is deployed at once on all resources that exist."""
    of = next(v for v in definition.volume_definitions if v.number == number)
    resources, made = [], []
    for existing in definition.resources:
        has_disk = diskless.JOINING in existing.flags or not diskless.is_diskless(existing)
        if not existing.deleting and not existing.diskless and has_disk:
            made.append(new_volume(core, picture, definition, existing, of))
            existing = replace(existing, volumes=(*existing.volumes, made[-1]))
        resources.append(existing)
    return nvme.completed(complete(core, picture, replace(definition, resources=tuple(resources)), made))


def grown(
    core: Core, picture: Picture, definition: ResourceDefinition, number: int, size: int
) -> tuple[ResourceDefinition, list[Resource]]:
    """The definition with a volume of `size` bytes, and the resources that grow; no level ever gets smaller."""
    guards.not_deleting(definition)
    of = next(v for v in definition.volume_definitions if v.number == number)
    growing = [r for r in definition.resources if not r.deleting and not r.diskless]
    pools = [(r.node, v.pool) for r in growing for v in r.volumes if v.number == number]
    unit = max(stacks.granularity(core.drivers, picture, definition, number, pools), stacks.noted(of.props))
    more: dict[tuple[str, str], int] = {}

    def larger(resource: Resource, volume: Volume) -> Volume:
        if volume.number != number:
            return volume
        if diskless.is_diskless(resource) and len(volume.levels) == 1:
            return replace(volume, levels=(replace(volume.levels[0], size=max(size, volume.levels[0].size)),))
        if resource not in growing:
            return volume
        layers = tuple(level.layer for level in volume.levels)
        props = replication.sizing(picture, definition, of, apart=volume.metadata is not None)
        wanted = stacks.levels(core.drivers, layers, size, unit, props)
        pairs = zip(wanted, volume.levels, strict=True)
        levels = tuple(Level(layer=new.layer, size=max(new.size, old.size)) for new, old in pairs)
        after = metadata_pools.sized(core, picture, definition, resource.node, of, replace(volume, levels=levels))
        before = metadata_pools.needs(resource.node, [volume])
        for at, bytes_ in metadata_pools.needs(resource.node, [after]).items():
            if at in picture.pools:
                more[at] = bytes_ - before[at]
        return after

    resources = tuple(replace(r, volumes=tuple(larger(r, v) for v in r.volumes)) for r in definition.resources)
    room.refuse_full(core, picture, more)
    after = replace(_noting(of, unit), size=size)
    volumes = tuple(after if v.number == number else v for v in definition.volume_definitions)
    later = [r for r in definition.resources if not r.deleting and diskless.is_diskless(r) and r not in growing]
    return replace(definition, resources=resources, volume_definitions=volumes), [*growing, *later]
