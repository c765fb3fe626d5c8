"""The pools that DRBD's metadata is kept in: chosen, sized and asked for room when replicas are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orlop.codes import Fail
from orlop.controller import capacity, external_metadata, options, replication, stacks
from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.usecases import room
from orlop.drivers import LAYER, STORAGE
from orlop.errors import NotFound, OrlopError, Refused
from orlop.model import KIB, Level, Metadata, ResourceDefinition, StoragePool, Volume, VolumeDefinition, key
from orlop.model.node import METADATA, volume_name
from orlop.plugin import KeepsMetadata

Pool = tuple[str, str]  # key of its node, and its own


def chosen(
    core: Core,
    picture: Picture,
    definition: ResourceDefinition,
    of: VolumeDefinition,
    node: str,
    props: Mapping[str, str],
    layers: tuple[str, ...],
) -> Metadata | None:
    """What a replica's volume that is made now keeps its metadata on, its sizes not yet known; None: on itself.

    `props` are those of the resource. Raises where the pool that a property names cannot have it.
    """
    if not external_metadata.keeps_any(layers):
        return None
    name = external_metadata.pool_name(picture, definition, of, node, props)
    if not name:
        return None
    what = f"The metadata of volume {of.number} of '{definition.name}'"
    correction = f"Set {external_metadata.POOL} to another pool, or to .internal to keep metadata with the data."
    if external_metadata.NOT_BELOW in layers:
        raise Refused(
            f"{what} cannot be kept in storage pool '{name}': its data come over {external_metadata.NOT_BELOW}.",
            correction=correction,
            code=Fail.INVLD_LAYER_STACK,
        )
    pool = picture.pool(node, name)
    if pool is None:
        raise NotFound(
            f"{what} is to be kept in storage pool '{name}', which node '{node}' does not have.",
            correction=f"Create the pool there. {correction}",
            code=Fail.NOT_FOUND_STOR_POOL,
        )
    if pool.provider == "DISKLESS":
        raise Refused(
            f"{what} cannot be kept in storage pool '{pool.name}': it is diskless.",
            correction=correction,
            code=Fail.INVLD_STOR_POOL_NAME,
        )
    room.refuse_unusable(core, pool)
    stacks.refuse_backing_name(
        core.drivers, picture, volume_name(definition.name, of.number, METADATA), node, pool.name
    )
    return Metadata(uuid=core.new_uuid(), pool=pool.name, levels=())


def sized(
    core: Core, picture: Picture, definition: ResourceDefinition, node: str, of: VolumeDefinition, volume: Volume
) -> Volume:
    """A volume with its metadata as large as the size of its data needs it, and never smaller than it is."""
    if volume.metadata is None:
        return volume
    layers = tuple(level.layer for level in volume.levels[1:])
    pools = [(node, volume.metadata.pool)]
    unit = stacks.granularity(core.drivers, picture, definition, of.number, pools)
    props = replication.sizing(picture, definition, of)
    levels = _levels(core, layers, volume.levels[0].layer, volume.levels[-1].size, unit, props)
    return external_metadata.larger(volume, levels)


def _levels(
    core: Core, layers: tuple[str, ...], above: str, size: int, unit: int, props: Mapping[str, str]
) -> tuple[Level, ...]:
    """For the metadata of a device of `size` bytes, which the layer `above` makes."""
    layer = core.drivers.load(LAYER, above)
    if not isinstance(layer, KeepsMetadata):
        raise Refused(f"Layer {above} keeps no metadata apart from the data.", code=Fail.INVLD_LAYER_STACK)
    return stacks.levels(core.drivers, layers, layer.metadata_size(size, props), unit, props)


def refuse(core: Core, picture: Picture, definition: ResourceDefinition, node: str, volume: Volume) -> None:
    """Raises where what is in force for the volume could not be obeyed by the pools' drivers, or a layer."""
    for each in external_metadata.objects_of(volume):
        options.refuse(core.drivers, picture, definition, node, each)


def needs(node: str, volumes: Iterable[Volume]) -> dict[Pool, int]:
    """Bytes that a node's pools have to have for volumes, by key of the pool."""
    need: dict[Pool, int] = {}
    for each in (one for volume in volumes for one in external_metadata.objects_of(volume)):
        at = key(node), key(each.pool)
        need[at] = need.get(at, 0) + each.levels[-1].size
    return need


def is_usual(picture: Picture, definition: ResourceDefinition, of: VolumeDefinition, layers: tuple[str, ...]) -> bool:
    """Whether metadata is kept apart wherever no node or resource says otherwise."""
    return external_metadata.keeps_any(layers) and bool(external_metadata.pool_name(picture, definition, of))


def may_be_apart(core: Core, picture: Picture, definition: ResourceDefinition) -> bool:
    """Whether metadata of new replicas is to be kept apart on any node; placement asks about every pool otherwise."""
    if not external_metadata.keeps_any(definition.layers):
        return False
    names = [node.name for node in picture.nodes.values() if external_metadata.POOL in node.props]
    return any(
        external_metadata.pool_name(picture, definition, of, name)
        for of in definition.volume_definitions
        for name in ("", *names)
    )


def objections(core: Core, picture: Picture, definition: ResourceDefinition, size: int, pool: StoragePool) -> list[str]:
    """Why replicas of all volumes, `size` bytes in a pool, cannot have their metadata on the pool's node."""
    need: dict[str, int] = {}
    for of in (v for v in definition.volume_definitions if "DELETE" not in v.flags):
        try:
            own = chosen(core, picture, definition, of, pool.node, {}, definition.layers)
        except OrlopError as error:
            return [str(error)]
        if own is not None:
            props = replication.sizing(picture, definition, of, apart=True)
            levels = stacks.levels_of_new(core.drivers, definition, of, definition.layers, props, apart=True)
            fresh = Volume(number=of.number, uuid="", pool=pool.name, levels=levels, metadata=own)
            made = sized(core, picture, definition, pool.node, of, fresh).metadata
            assert made is not None
            need[own.pool] = need.get(own.pool, 0) + made.levels[-1].size
    if pool.name in need:
        need[pool.name] += size
    found = []
    for name, wanted in need.items():
        at = picture.pool(pool.node, name)
        assert at is not None
        thin, seen = core.drivers.load(STORAGE, at.provider).thin, room.seen(core, at)
        free = capacity.usable_free(picture, at, seen, thin)
        if free is None or seen is None:
            found.append(f"the free space of pool {name} for metadata is not known yet")
        elif free < wanted:
            found.append(f"pool {name} for metadata: {free // KIB} KiB free, {wanted // KIB} KiB needed")
        elif thin and (why := capacity.nearly_full(picture, at, seen, room.asked_of(picture, definition))):
            found.append(f"pool {name} for metadata: {why}")
    return found
