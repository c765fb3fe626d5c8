"""Routes of resources, their volumes and connections."""

from __future__ import annotations

from msgspec.structs import replace

from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.envelope import Document
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import PAGED, Routes
from orlop.controller.api.views import definitions as definition_view
from orlop.controller.api.views import resources as view
from orlop.controller.api.views.fragments import Piece, join, keys_of
from orlop.controller.usecases import availability, lookup, resources
from orlop.errors import NotFound
from orlop.model import ResourceDefinition, key

route = Routes("resources", Subject.RSC)
LIST = "/v1/resource-definitions/{resource}/resources"
ONE = f"{LIST}/{{node}}"
VOLUMES = f"{ONE}/volumes"
VOLUME = f"{VOLUMES}/{{volume_number}}"
CONNECTIONS = "/v1/resource-definitions/{resource}/resource-connections"
CONNECTION = f"{CONNECTIONS}/{{node_a}}/{{node_b}}"
FILTERS = {"nodes": list, "resources": list, "storage_pools": list, "props": list, **PAGED}
MISSING = frozenset({Fail.NOT_FOUND_RSC_DFN, Fail.NOT_FOUND_RSC})


@route("GET", "/v1/view/resources", answer=tuple[wire.ResourceWithVolumes, ...], query=FILTERS)
def viewed(call: Call) -> Document:
    """Whatever the filters, nothing is built anew that has not changed."""
    query, picture, fragments = call.query, call.core.picture, call.site.fragments
    names, nodes, pools = query.keys("resources"), query.keys("nodes"), query.keys("storage_pools")
    props = query.texts("props")

    def wanted(piece: Piece) -> bool:
        return (
            (not nodes or piece.at in nodes)
            and (not pools or not pools.isdisjoint(keys_of(piece.made_from.pools)))
            and (not props or query.matches(piece.made_from.resource.props.items()))
        )

    found = fragments.by_node(
        picture,
        call.core.reported,
        sorted(names & picture.definitions.keys()) if names else fragments.names(picture),
        wanted if nodes or pools or props else None,
    )
    pieces = query.page(found)
    if names or nodes or pools or props or pieces is not found:
        return Document(join(pieces))
    return fragments.whole(found, Document)


@route("GET", LIST, answer=tuple[wire.Resource, ...], query=PAGED)
def listed(call: Call, resource: str) -> list[wire.Resource]:
    of = lookup.definition(call.core.picture, resource)
    found = sorted(of.resources, key=lambda r: key(r.node))
    return [view.resource(_replica(call, of, r.node)) for r in call.query.page(found)]


@route("POST", LIST, body=tuple[wire.ResourceCreate, ...], status=201)
def create(call: Call, resource: str) -> Answers:
    return resources.create(call.core, resource, call.body)


@route("DELETE", LIST, query={"delete_empty_resource_definition": bool}, absent=MISSING)
def delete_all(call: Call, resource: str) -> Answers:
    return resources.delete_all(call.core, resource, call.query.flag("delete_empty_resource_definition"))


@route("GET", ONE, answer=wire.Resource)
def shown(call: Call, resource: str, node: str) -> wire.Resource:
    return view.resource(_replica(call, lookup.definition(call.core.picture, resource), node))


@route("POST", ONE, body=wire.ResourceCreate, status=201)
def create_on(call: Call, resource: str, node: str) -> Answers:
    """One resource; the node in the path wins."""
    return resources.create(call.core, resource, (placed_on(node, call.body),))


@route("PUT", ONE, body=wire.ResourceModify)
def modify(call: Call, resource: str, node: str) -> Answers:
    return resources.modify(call.core, resource, node, call.body)


@route("DELETE", ONE, query={"keep_tiebreaker": bool}, absent=MISSING)
def delete(call: Call, resource: str, node: str) -> Answers:
    return resources.delete(call.core, resource, node, call.query.flag("keep_tiebreaker"))


@route("POST", "/v1/resource-definitions/{resource}/autoplace", body=wire.AutoPlaceRequest, status=201)
def autoplace(call: Call, resource: str) -> Answers:
    return resources.autoplace(call.core, resource, call.body)


@route("POST", f"{ONE}/activate")
def activate(call: Call, resource: str, node: str) -> Answers:
    return resources.activate(call.core, resource, node)


@route("POST", f"{ONE}/deactivate")
def deactivate(call: Call, resource: str, node: str) -> Answers:
    return resources.deactivate(call.core, resource, node)


@route("POST", f"{ONE}/make-available", body=wire.ResourceMakeAvailable)
def make_available(call: Call, resource: str, node: str) -> Answers:
    return availability.make_available(call.core, resource, node, call.body)


@route("POST", f"{ONE}/unmake-available")
def unmake_available(call: Call, resource: str, node: str) -> Answers:
    return availability.unmake_available(call.core, resource, node)


@route("GET", VOLUMES, answer=tuple[wire.Volume, ...], query=PAGED, about=Subject.VLM)
def volumes(call: Call, resource: str, node: str) -> list[wire.Volume]:
    of = lookup.definition(call.core.picture, resource)
    return call.query.page(view.volumes(_replica(call, of, node)))


@route("GET", VOLUME, answer=wire.Volume, about=Subject.VLM)
def volume(call: Call, resource: str, node: str, volume_number: int) -> wire.Volume:
    of = lookup.definition(call.core.picture, resource)
    for found in view.volumes(_replica(call, of, node)):
        if found.volume_number == volume_number:
            return found
    raise NotFound(
        f"Volume {volume_number} of resource '{of.name}' on node '{node}' not found.", code=Fail.NOT_FOUND_VLM
    )


@route("PUT", VOLUME, body=wire.VolumeModify, about=Subject.VLM)
def modify_volume(call: Call, resource: str, node: str, volume_number: int) -> Answers:
    return resources.modify_volume(call.core, resource, node, volume_number, call.body)


@route("GET", CONNECTIONS, answer=tuple[wire.ResourceConnection, ...], about=Subject.RSC_CONN)
def connections(call: Call, resource: str) -> list[wire.ResourceConnection]:
    return definition_view.connections(lookup.definition(call.core.picture, resource))


@route("GET", CONNECTION, answer=wire.ResourceConnection, about=Subject.RSC_CONN)
def connection(call: Call, resource: str, node_a: str, node_b: str) -> wire.ResourceConnection:
    """An object, as golinstor expects it; python-linstor takes it as well as a list of one."""
    of = lookup.definition(call.core.picture, resource)
    return definition_view.connection(of, lookup.resource(of, node_a).node, lookup.resource(of, node_b).node)


@route("PUT", CONNECTION, body=wire.ResourceConnectionModify, about=Subject.RSC_CONN)
def modify_connection(call: Call, resource: str, node_a: str, node_b: str) -> Answers:
    return resources.modify_connection(call.core, resource, node_a, node_b, call.body)


def placed_on(node: str, body: wire.ResourceCreate) -> wire.ResourceCreate:
    return replace(body, resource=replace(body.resource or wire.Resource(), node_name=node))


def _replica(call: Call, of: ResourceDefinition, node: str) -> view.Replica:
    found = lookup.resource(of, node)
    report = call.core.reported.resource(found.node, of.name)
    return view.replica(call.core.picture, of, found, report)
