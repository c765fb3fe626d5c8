"""Which new replicas need no copy of the first one's data, because neither was ever written. Pure.

`semantics.md` section 16.4: only where what was never written reads as zeros on top of everything below DRBD, and only
within one incarnation of a volume. Where there is doubt, everything is copied. What a replica is, is recorded with it
when it is made, and so is day 0, the generation of the data before anything was written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from msgspec.structs import replace

from orlop.controller.diskless import ADDING
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.controller.reported import Reported
from orlop.model import Resource, ResourceDefinition, Volume, VolumeDefinition

MIXED = "Internal/Drbd/ForceInitialSyncPermanent"  # of a resource definition that ever was in pools of different kinds
FORCED = "DrbdOptions/ForceInitialSync"
FIT = ("DRBD", "STORAGE")  # nothing in between: above LUKS each replica decrypts zeros into something else


def decided(
    picture: Picture, reported: Reported, definition: ResourceDefinition, fresh: Collection[str]
) -> ResourceDefinition:
    """The definition with it recorded which of the volumes that are to be made (uuids) read as zeros.

    A device that is connected already has met its peers: to a disk that it gets later everything is copied.
    """
    if _is_mixed(picture, definition):
        definition = replace(definition, props={**definition.props, MIXED: "True"})
    allowed = MIXED not in definition.props and not _is_forced(picture, definition)

    def judged(resource: Resource, volume: Volume) -> Volume:
        if volume.uuid not in fresh:
            return volume
        blank = ADDING not in resource.flags and _reads_as_zeros(picture, reported, resource.node, volume)
        return replace(volume, equal=allowed and blank)

    resources = tuple(replace(r, volumes=tuple(judged(r, v) for v in r.volumes)) for r in definition.resources)
    return replace(definition, resources=resources)


def day0(first: Volume) -> str:
    """Of an incarnation that begins with this replica. Another than the generation that the first one gets."""
    if not first.equal or first.source is not None:
        return ""
    return f"{int(hashlib.sha256(f'day 0 of {first.uuid}'.encode()).hexdigest()[:16], 16) & ~1:016X}"


def is_equal(of: VolumeDefinition, volume: Volume) -> bool:
    """Whether a node may take a volume that it makes for what the first one was on day 0."""
    return bool(of.day0) and volume.equal and volume.source is None and volume.replaces is None


def forgotten(volumes: tuple[VolumeDefinition, ...]) -> tuple[VolumeDefinition, ...]:
    """After the data was replaced by other data than what was written since day 0."""
    return tuple(replace(v, day0="") if v.day0 else v for v in volumes)


def _reads_as_zeros(picture: Picture, reported: Reported, node: str, volume: Volume) -> bool:
    """What is not known of the pool now does not count."""
    pool, seen = picture.pool(node, volume.pool), reported.pool(node, volume.pool)
    layers = tuple(level.layer for level in volume.levels)
    if pool is None or seen is None or layers != FIT or volume.source is not None or volume.replaces is not None:
        return False
    return reported.online(node) and seen.uuid == pool.uuid and seen.zeros and not seen.problem


def _is_mixed(picture: Picture, definition: ResourceDefinition) -> bool:
    pools = [picture.pool(r.node, v.pool) for r in definition.resources if not r.diskless for v in r.volumes]
    return len({pool.provider for pool in pools if pool is not None and pool.provider != "DISKLESS"}) > 1


def _is_forced(picture: Picture, definition: ResourceDefinition) -> bool:
    group = picture.group(definition.group)
    around = {
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
        Kind.CONTROLLER: Source("", picture.controller.props),
    }
    found = effective(FORCED, around)
    return found is not None and found.value.lower() == "true"
