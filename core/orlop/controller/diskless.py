"""Replicas without a disk of their own: clients, those that vote, tiebreakers; and disks that come and go. Pure.

What a client of the API sees as the flags DISKLESS, DRBD_DISKLESS and TIE_BREAKER; CLIENT, without a vote, is shown as
a flag of the layer.
"""

from __future__ import annotations

import hashlib
from uuid import UUID

from msgspec.structs import replace

from orlop.model import Level, Resource, ResourceDefinition, Volume, VolumeDefinition

LAYER = "DRBD"
POOL = "DfltDisklessStorPool"
FLAGS = frozenset({"DISKLESS", "DRBD_DISKLESS"})
TIE_BREAKER, CLIENT = "TIE_BREAKER", "CLIENT"
ADDING, REMOVING = "DISK_ADDING", "DISK_REMOVING"  # a disk is on its way to the resource, or from it
JOINING = "DISK_ADD_REQUESTED"  # its volumes are to be made, but it meets the others without them first


def is_diskless(resource: Resource) -> bool:
    """Whether its peers are to take it for one without a disk: also while the disk is being removed, or waits."""
    return not resource.flags.isdisjoint({"DRBD_DISKLESS", REMOVING, JOINING})


def is_tiebreaker(resource: Resource) -> bool:
    return TIE_BREAKER in resource.flags and not resource.deleting


def is_client(resource: Resource) -> bool:
    return is_diskless(resource) and CLIENT in resource.flags


def diskful(definition: ResourceDefinition) -> list[Resource]:
    """Those that stay."""
    return [r for r in definition.resources if not r.deleting and not r.diskless and not is_diskless(r)]


def completed(definition: ResourceDefinition) -> ResourceDefinition:
    """With a volume on every diskless replica for each volume definition, as large as the others are."""
    resources = tuple(_completed(definition, r) for r in definition.resources)
    if all(a is b for a, b in zip(resources, definition.resources, strict=True)):
        return definition
    return replace(definition, resources=resources)


def _completed(definition: ResourceDefinition, resource: Resource) -> Resource:
    if not is_diskless(resource) or resource.deleting:
        return resource
    there = {v.number for v in resource.volumes}
    wanted = [v for v in definition.volume_definitions if "DELETE" not in v.flags]
    more = [
        _volume(of.number, f"{resource.uuid}/{of.uuid}", _size(definition, of), new=True)
        for of in wanted
        if of.number not in there
    ]
    if not more:
        return resource
    return replace(resource, volumes=tuple(sorted((*resource.volumes, *more), key=lambda v: v.number)))


def loses_disk(resource: Resource, volume: Volume) -> bool:
    return REMOVING in resource.flags and has_disk(volume)


def joins(resource: Resource, volume: Volume) -> bool:
    """Whether its node is not to make a volume yet, but to be there without its disk. What is to go is not told so."""
    return JOINING in resource.flags and has_disk(volume) and not resource.deleting and "DELETE" not in volume.flags


def without_disk(volume: Volume) -> Volume:
    """What takes the place of a volume whose disk is removed."""
    size = next(level.size for level in volume.levels if level.layer == LAYER)
    return _volume(volume.number, volume.uuid, size, new=False)


def _volume(number: int, seed: str, size: int, new: bool) -> Volume:
    """No object bears its uuid: it only has to be another one for another volume."""
    uuid = str(UUID(hashlib.sha256(f"without disk {seed}".encode()).hexdigest()[:32]))
    return Volume(number=number, uuid=uuid, pool=POOL, levels=(Level(layer=LAYER, size=size),), new=new)


def _size(definition: ResourceDefinition, of: VolumeDefinition) -> int:
    sizes = [
        level.size
        for resource in diskful(definition)
        for volume in resource.volumes
        for level in volume.levels
        if volume.number == of.number and level.layer == LAYER
    ]
    return max(sizes, default=of.size)


def given_up(resource: Resource) -> Resource:
    """One that was to get a disk later as one that gets none: nothing of it was made."""
    volumes = tuple(without_disk(v) if has_disk(v) else v for v in resource.volumes)
    return replace(resource, volumes=volumes, flags=resource.flags - {JOINING} | FLAGS, peer_slots=None)


def advanced(resource: Resource, gone: set[str]) -> Resource:
    """What came of a disk on its way; the same object when nothing did. `gone`: uuids that were removed."""
    if resource.deleting:
        return resource
    if ADDING in resource.flags and resource.volumes and not any(v.new for v in resource.volumes):
        return replace(resource, flags=resource.flags - {ADDING})
    if REMOVING not in resource.flags:
        return resource
    volumes = tuple(without_disk(v) if v.uuid in gone else v for v in resource.volumes)
    if volumes == resource.volumes and any(has_disk(v) for v in volumes):
        return resource
    if any(has_disk(v) for v in volumes):
        return replace(resource, volumes=volumes)
    return replace(resource, volumes=volumes, flags=(resource.flags - {REMOVING}) | FLAGS, peer_slots=None)


def has_disk(volume: Volume) -> bool:
    """Of a replicated one."""
    return volume.levels[-1].layer != LAYER
