"""Routes of resource definitions and volume definitions."""

from __future__ import annotations

from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import PAGED, Routes
from orlop.controller.api.views import definitions as view
from orlop.controller.usecases import cloning, definitions, lookup

route = Routes("resource definitions", Subject.RSC_DFN)
LIST = "/v1/resource-definitions"
ONE = f"{LIST}/{{resource}}"
VOLUMES = f"{ONE}/volume-definitions"
VOLUME = f"{VOLUMES}/{{volume_number}}"
MISSING = frozenset({Fail.NOT_FOUND_RSC_DFN})
FILTERS = {"resource_definitions": list, "with_volume_definitions": bool, "props": list, **PAGED}


@route("GET", LIST, answer=tuple[wire.ResourceDefinition, ...], query=FILTERS)
def listed(call: Call) -> list[wire.ResourceDefinition]:
    picture = call.core.picture
    wanted = call.query.keys("resource_definitions")
    names = sorted(wanted & picture.definitions.keys()) if wanted else call.site.fragments.names(picture)
    found = [d for d in map(picture.definitions.__getitem__, names) if call.query.matches(d.props.items())]
    volumes = call.query.flag("with_volume_definitions")
    return [view.definition(d, volumes) for d in call.query.page(found)]


@route("POST", LIST, body=wire.ResourceDefinitionCreate, status=201)
def create(call: Call) -> Answers:
    return definitions.create(call.core, call.body)


@route("GET", ONE, answer=wire.ResourceDefinition)
def shown(call: Call, resource: str) -> wire.ResourceDefinition:
    return view.definition(lookup.definition(call.core.picture, resource), volumes=True)


@route("PUT", ONE, body=wire.ResourceDefinitionModify)
def modify(call: Call, resource: str) -> Answers:
    return definitions.modify(call.core, resource, call.body)


@route("DELETE", ONE, absent=MISSING)
def delete(call: Call, resource: str) -> Answers:
    return definitions.delete(call.core, resource)


@route("GET", f"{ONE}/sync-status", answer=wire.ResourceDefinitionSyncStatus)
def sync_status(call: Call, resource: str) -> wire.ResourceDefinitionSyncStatus:
    found = lookup.definition(call.core.picture, resource)
    return wire.ResourceDefinitionSyncStatus(synced_on_all=view.synced(call.core.reported, found))


@route(
    "POST", f"{ONE}/clone", body=wire.ResourceDefinitionClone, answer=wire.ResourceDefinitionCloneStarted, status=201
)
def clone(call: Call, resource: str) -> wire.ResourceDefinitionCloneStarted:
    return cloning.start(call.core, resource, call.body)


@route("GET", f"{ONE}/clone/{{resourceClone}}", answer=wire.ResourceDefinitionCloneStatus)
def clone_status(call: Call, resource: str, resourceClone: str) -> wire.ResourceDefinitionCloneStatus:  # noqa: N803
    return wire.ResourceDefinitionCloneStatus(status=cloning.status(call.core, resource, resourceClone))


@route("GET", VOLUMES, answer=tuple[wire.VolumeDefinition, ...], query=PAGED)
def volumes(call: Call, resource: str) -> list[wire.VolumeDefinition]:
    return call.query.page(view.volume_definitions(lookup.definition(call.core.picture, resource)))


@route("POST", VOLUMES, body=wire.VolumeDefinitionCreate, status=201, about=Subject.VLM_DFN)
def create_volume(call: Call, resource: str) -> Answers:
    return definitions.create_volume(call.core, resource, call.body)


@route("GET", VOLUME, answer=wire.VolumeDefinition, about=Subject.VLM_DFN)
def volume(call: Call, resource: str, volume_number: int) -> wire.VolumeDefinition:
    found = lookup.definition(call.core.picture, resource)
    return view.volume_definition(found, lookup.volume_definition(found, volume_number))


@route("PUT", VOLUME, body=wire.VolumeDefinitionModify, about=Subject.VLM_DFN)
def modify_volume(call: Call, resource: str, volume_number: int) -> Answers:
    return definitions.modify_volume(call.core, resource, volume_number, call.body)


@route("DELETE", VOLUME, about=Subject.VLM_DFN, absent=MISSING | {Fail.NOT_FOUND_VLM_DFN})
def delete_volume(call: Call, resource: str, volume_number: int) -> Answers:
    return definitions.delete_volume(call.core, resource, volume_number)
