"""Metadata that is kept apart from the data, in a storage pool that `StorPoolNameDrbdMeta` names. Pure.

The pool is looked up once, when a replica's volume is made, and stays with the volume: a later change of the property
is for those that are made later. Metadata belongs to one replica. It is in no snapshot, and none is made from one.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from orlop.controller.diskless import LAYER
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.model import Level, NodeSnapshot, Resource, ResourceDefinition, Volume, VolumeDefinition, WantedVolume

POOL = "StorPoolNameDrbdMeta"
INTERNAL = ("", ".internal")
NOT_BELOW = "NVME"  # a replica whose data are on another node has nothing to keep its metadata on
APART = "Internal/Drbd/MetadataApart"  # on parts of snapshots: numbers of volumes that had no metadata at their end


def pool_name(
    picture: Picture,
    definition: ResourceDefinition,
    of: VolumeDefinition,
    node: str = "",
    props: Mapping[str, str] = {},
) -> str:
    """Of a replica that is made now, whose properties are `props`; empty: at the end of the data.

    `semantics.md` section 3.2: VD, VG, R, RD, RG, N. Without a node, what holds wherever no node says otherwise.
    """
    group = picture.group(definition.group)
    volume_group = next((v for v in group.volume_groups if v.number == of.number), None) if group else None
    at = picture.node(node) if node else None
    found = effective(
        POOL,
        {
            Kind.VOLUME_DEFINITION: Source(str(of.number), of.props),
            Kind.VOLUME_GROUP: Source(str(of.number), volume_group.props if volume_group else {}),
            Kind.RESOURCE: Source(node, props),
            Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
            Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
            Kind.NODE: Source(node, at.props if at else {}),
        },
    )
    return found.value if found and found.value not in INTERNAL else ""


def keeps_any(layers: tuple[str, ...]) -> bool:
    """Whether a replica of that stack has metadata that could be kept apart."""
    return LAYER in layers


def object_of(volume: Volume) -> Volume | None:
    """What a volume's metadata is kept on, for whoever asks the same of it as of a volume."""
    own = volume.metadata
    if own is None:
        return None
    filled = {"source": None, "source_name": "", "replaces": None}
    return replace(volume, uuid=own.uuid, pool=own.pool, levels=own.levels, metadata=None, **filled)


def objects_of(volume: Volume) -> tuple[Volume, ...]:
    """Everything in pools that belongs to a volume."""
    own = object_of(volume)
    return (volume,) if own is None else (volume, own)


def larger(volume: Volume, levels: tuple[Level, ...]) -> Volume:
    """With its metadata on levels that are at least as large as now."""
    assert volume.metadata is not None
    before = volume.metadata.levels or levels
    pairs = zip(levels, before, strict=True)
    grown = tuple(Level(layer=new.layer, size=max(new.size, old.size)) for new, old in pairs)
    return replace(volume, metadata=replace(volume.metadata, levels=grown))


def without_options(volume: WantedVolume) -> WantedVolume:
    """An option is heeded by what is made or removed later."""
    if volume.metadata is None or volume.new:
        return volume
    levels = tuple(replace(level, options={}) for level in volume.metadata.levels)
    return replace(volume, metadata=replace(volume.metadata, levels=levels))


# -- snapshots ------------------------------------------------------------------------------------------------


def layout(resource: Resource) -> str:
    """What replicas have to agree in so that one byte is at the same place in all of them, whatever is below."""
    apart = [str(v.number) for v in resource.volumes if v.metadata is not None]
    slots = str(resource.peer_slots)
    return f"{slots} {','.join(apart)}" if apart else slots


def marks(resource: Resource) -> Mapping[str, str]:
    """Properties of a part of a snapshot that is taken of a resource."""
    apart = [str(v.number) for v in resource.volumes if v.metadata is not None]
    return {APART: ",".join(apart)} if apart else {}


def all_data(part: NodeSnapshot, number: int) -> bool:
    """Whether a snapshot's volume holds data to its end."""
    return str(number) in part.props.get(APART, "").split(",")
