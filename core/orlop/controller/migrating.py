"""The disk of one node takes the place of another's: the old one goes when all others are whole. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from orlop.controller.diskless import ADDING, diskful, is_diskless
from orlop.controller.growing import Reports, is_whole
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
    if not has_everything(target, reports) or not may_leave(definition, source, reports):
        return definition
    return with_resource(done, replace(source, flags=source.flags | {"DELETE"}))


def may_leave(definition: ResourceDefinition, source: Resource, reports: Reports) -> bool:
    """Whether all other replicas are there and have everything, and nobody uses this one."""
    staying = [r for r in diskful(definition) if r.uuid != source.uuid]
    whole = bool(staying) and all(has_everything(r, reports) for r in staying)
    return whole and _is_unused(source, reports)


def without_source(resource: Resource) -> Resource:
    return replace(resource, props={name: value for name, value in resource.props.items() if name != SOURCE})


def has_everything(resource: Resource, reports: Reports) -> bool:
    if ADDING in resource.flags or any(v.new for v in resource.volumes):
        return False
    return is_whole(resource, reports.get(key(resource.node)))


def _is_unused(source: Resource, reports: Reports) -> bool:
    """What is in use, or away, is waited for."""
    report = reports.get(key(source.node))
    return report is not None and all(v.in_use is False for v in report.volumes)
