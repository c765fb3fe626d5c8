"""Turn definitions into resources on nodes: pools, sizes, incarnations. Changes values only, inside a draft."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from orlop.codes import Fail
from orlop.controller import stacks
from orlop.controller.capacity import usable_free
from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.properties import Effective, Kind, Source, effective
from orlop.controller.usecases import guards
from orlop.drivers import STORAGE
from orlop.errors import NotFound, Refused
from orlop.model import (
    KIB,
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
    return replace(made, volumes=volumes)


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
    """A volume to be created; raises when its pool does not exist or is full."""
    pool = pool or pool_for(picture, definition, made, of)
    layers = made.layers or definition.layers
    wanted = _levels(core, picture, definition, layers, of, [(made.node, pool.name)])
    name = volume_name(definition.name, of.number)
    stacks.refuse_backing_name(core.drivers, picture, name, made.node, pool.name)
    refuse_full(core, picture, pool, wanted[-1].size)
    return Volume(number=of.number, uuid=core.new_uuid(), pool=pool.name, levels=wanted)


def _levels(
    core: Core,
    picture: Picture,
    definition: ResourceDefinition,
    layers: tuple[str, ...],
    of: VolumeDefinition,
    pools: list[tuple[str, str]],
) -> tuple[Level, ...]:
    existing = stacks.existing_levels(definition, of.number, layers)
    if existing is not None:
        return existing
    coarsest = stacks.granularity(picture, core.drivers, pools)
    return stacks.levels(core.drivers, layers, of.size, coarsest, of.props)


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
    for peer in definition.resources:
        for volume in peer.volumes:
            if volume.number == number and not peer.deleting and picture.pool(node, volume.pool):
                return volume.pool
    return None


def refuse_full(core: Core, picture: Picture, pool: StoragePool, size: int) -> None:
    """Raises when a pool is known to lack the space; a pool that has not reported yet is asked by trying."""
    driver = core.drivers.load(STORAGE, pool.provider)
    free = usable_free(picture, pool, core.reported.pool(pool.node, pool.name), driver.thin)
    if free is not None and free < size:
        raise Refused(
            f"Storage pool '{pool.name}' on node '{pool.node}' has {free // KIB} KiB left, {size // KIB} KiB are "
            "needed.",
            correction="Free space there, use another pool, or raise MaxOversubscriptionRatio of a thin pool.",
            code=Fail.NOT_ENOUGH_FREE_SPACE,
        )


def deploy_volume(core: Core, picture: Picture, definition: ResourceDefinition, number: int) -> ResourceDefinition:
    """A new volume definition is deployed at once on all resources that exist."""
    of = next(v for v in definition.volume_definitions if v.number == number)
    resources = []
    for existing in definition.resources:
        if not existing.deleting and not existing.diskless:
            volume = new_volume(core, picture, definition, existing, of)
            existing = replace(existing, volumes=(*existing.volumes, volume))
        resources.append(existing)
    return replace(definition, resources=tuple(resources))


def grown(
    core: Core, picture: Picture, definition: ResourceDefinition, owner: Resource, volume: Volume, size: int
) -> Volume:
    """The volume with all levels large enough for `size` bytes; no level ever gets smaller."""
    guards.not_deleting(definition)
    layers = tuple(level.layer for level in volume.levels)
    of = next(v for v in definition.volume_definitions if v.number == volume.number)
    pools = [(r.node, v.pool) for r in definition.resources for v in r.volumes if v.number == volume.number]
    coarsest = stacks.granularity(picture, core.drivers, pools)
    wanted = stacks.levels(core.drivers, layers, size, coarsest, of.props)
    pool = picture.pool(owner.node, volume.pool)
    if pool is not None:
        refuse_full(core, picture, pool, max(0, wanted[-1].size - volume.levels[-1].size))
    return replace(
        volume,
        levels=tuple(
            Level(layer=new.layer, size=max(new.size, old.size)) for new, old in zip(wanted, volume.levels, strict=True)
        ),
    )
