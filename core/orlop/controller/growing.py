"""How a replicated volume grows: first what is below on every node, then the replicated device, once for all. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from orlop.controller.diskless import has_disk
from orlop.controller.replication import LAYER
from orlop.model import ReportedLevel, ReportedResource, Resource, ResourceDefinition, Volume, VolumeDefinition, key

BELOW, DEVICE = "RESIZE", "DRBD_RESIZE"  # flags of a volume definition, as clients know them
UP_TO_DATE = "UpToDate"
Reports = Mapping[str, ReportedResource]  # by key of the node


def advanced(definition: ResourceDefinition, reports: Reports) -> ResourceDefinition:
    """The same object when nothing changes."""
    if not any(v.flags & {BELOW, DEVICE} for v in definition.volume_definitions):
        return definition
    found = tuple(_advanced(definition, of, reports) for of in definition.volume_definitions)
    if found == definition.volume_definitions:
        return definition
    return replace(definition, volume_definitions=found)


def _advanced(definition: ResourceDefinition, of: VolumeDefinition, reports: Reports) -> VolumeDefinition:
    replicas = [
        (volume, reports.get(key(r.node)))
        for r in definition.resources
        if not r.deleting
        for volume in r.volumes
        if volume.number == of.number and has_disk(volume)
    ]
    if BELOW in of.flags and all(_is_large(volume, report, below=True) for volume, report in replicas):
        return replace(of, flags=of.flags - {BELOW} | {DEVICE})
    if DEVICE in of.flags and all(_is_large(volume, report, below=False) for volume, report in replicas):
        return replace(of, flags=of.flags - {DEVICE})
    return of


def _is_large(volume: Volume, report: ReportedResource | None, below: bool) -> bool:
    """Whether the levels below the replicated one, or that one itself, have the size they are to have."""
    seen = {level.layer: level for level in reported_levels(report, volume)}
    place = next((n for n, level in enumerate(volume.levels) if level.layer == LAYER), len(volume.levels) - 1)
    wanted = volume.levels[place + 1 :] if below else (volume.levels[place],)
    sizes = [(level.size, seen[level.layer].size if level.layer in seen else None) for level in wanted]
    if below and volume.metadata is not None:
        apart = {level.layer: level.size for level in reported_metadata(report, volume)}
        sizes += [(level.size, apart.get(level.layer)) for level in volume.metadata.levels]
    return all(has is not None and has >= size for size, has in sizes)


def reported_levels(report: ReportedResource | None, volume: Volume) -> tuple[ReportedLevel, ...]:
    return next((v.levels for v in report.volumes if v.uuid == volume.uuid), ()) if report else ()


def reported_metadata(report: ReportedResource | None, volume: Volume) -> tuple[ReportedLevel, ...]:
    return next((v.metadata for v in report.volumes if v.uuid == volume.uuid), ()) if report else ()


def facts(report: ReportedResource | None, volume: Volume) -> Mapping[str, str]:
    """What the replicating layer said of a volume; empty while nothing is known."""
    return next((level.facts for level in reported_levels(report, volume) if level.layer == LAYER), {})


def is_whole(resource: Resource, report: ReportedResource | None) -> bool:
    """Whether a replica is known to have all of the data of all of its volumes."""
    return bool(resource.volumes) and all(facts(report, v).get("disk") == UP_TO_DATE for v in resource.volumes)
