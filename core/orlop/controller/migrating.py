"""The disk of one node takes the place of another's: the old one goes when the new one has all of the data. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from orlop.controller.diskless import ADDING, is_diskless
from orlop.controller.growing import UP_TO_DATE, Reports, facts
from orlop.controller.picture import with_resource
from orlop.model import Resource, ResourceDefinition, key

SOURCE = "Internal/Drbd/MigrateFrom"  # of the resource that is to have the data: the node that is to give it up


def advanced(definition: ResourceDefinition, reports: Reports) -> ResourceDefinition:
    """The same object when nothing changes."""
    for resource in definition.resources:
        if SOURCE in resource.props and not resource.deleting:
            definition = _advanced(definition, resource, reports)
    return definition


def _advanced(definition: ResourceDefinition, target: Resource, reports: Reports) -> ResourceDefinition:
    source = next((r for r in definition.resources if key(r.node) == key(target.props[SOURCE])), None)
    done = with_resource(definition, without_source(target))
    if source is None or source.deleting or is_diskless(source) or is_diskless(target):
        return done
    if not _has_everything(target, reports) or not _is_unused(source, reports):
        return definition
    return with_resource(done, replace(source, flags=source.flags | {"DELETE"}))


def without_source(resource: Resource) -> Resource:
    return replace(resource, props={name: value for name, value in resource.props.items() if name != SOURCE})


def _has_everything(target: Resource, reports: Reports) -> bool:
    report = reports.get(key(target.node))
    if ADDING in target.flags or not target.volumes or any(v.new for v in target.volumes):
        return False
    return all(facts(report, volume).get("disk") == UP_TO_DATE for volume in target.volumes)


def _is_unused(source: Resource, reports: Reports) -> bool:
    """What is in use, or away, is waited for."""
    report = reports.get(key(source.node))
    return report is not None and all(v.in_use is False for v in report.volumes)
