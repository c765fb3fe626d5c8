"""Replicas that are filled from a snapshot: which of them hold the same, and what their nodes are told of it. Pure.

`semantics.md` section 16.4: replicas hold the same only if they were made from the same snapshot, which was taken of
replicas that stood still in step. And only if each is as large as what the snapshot was taken of, with metadata of the
same size, or none, at its end: what lies beyond, where metadata was before, is different on every node. Otherwise the
first one's data counts, and the others get all of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace

from orlop.controller.external_metadata import layout
from orlop.controller.replication import replicated
from orlop.controller.snapshotting import EQUAL
from orlop.model import Resource, ResourceDefinition, Snapshot, Volume, VolumeDefinition, key


def decided(definition: ResourceDefinition, snapshot: Snapshot, filled: Collection[str]) -> ResourceDefinition:
    """The definition with it recorded which of the volumes that are filled (uuids) hold the same, and who is first."""
    if not replicated(definition):
        return definition
    made = [r for r in definition.resources if any(v.uuid in filled for v in r.volumes)]
    equal = _are_equal(snapshot, made, filled)

    def judged(volume: Volume) -> Volume:
        return replace(volume, equal=equal) if volume.uuid in filled else volume

    resources = tuple(replace(r, volumes=tuple(map(judged, r.volumes))) for r in definition.resources)
    volumes = tuple(replace(of, first=_first(of, made, filled)) for of in definition.volume_definitions)
    return replace(definition, resources=resources, volume_definitions=volumes)


def origin(of: VolumeDefinition, volume: Volume) -> str:
    """The replica whose data a new one holds already; empty where that is not certain."""
    return of.first if volume.new and volume.equal and volume.source is not None else ""


def _first(of: VolumeDefinition, made: Iterable[Resource], filled: Collection[str]) -> str:
    uuids = [v.uuid for r in made for v in r.volumes if v.number == of.number and v.uuid in filled]
    return of.first if of.first in uuids or not uuids else uuids[0]


def _are_equal(snapshot: Snapshot, made: Collection[Resource], filled: Collection[str]) -> bool:
    parts = {key(part.node): part for part in snapshot.nodes}
    for resource in made:
        part = parts.get(key(resource.node))
        if part is None or part.props.get(EQUAL) != layout(resource):
            return False
        sizes = {v.number: v.size for v in part.volumes}
        if any(v.levels[-1].size != sizes.get(v.number) for v in resource.volumes if v.uuid in filled):
            return False
    return True
