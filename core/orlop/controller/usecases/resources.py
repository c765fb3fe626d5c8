"""Resources: a definition on a node."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from orlop import codes
from orlop.codes import Fail, Info, Subject, Warn
from orlop.controller import drbd_versions, nvme, paths, replication, stacks, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import CLIENT, TIE_BREAKER, is_client, is_diskless, is_tiebreaker
from orlop.controller.picture import Draft, with_resource
from orlop.controller.properties import Kind
from orlop.controller.usecases import (
    all_or_nothing,
    definitions,
    deploying,
    filters,
    guards,
    initiators,
    lookup,
    protection,
    replicating,
    spawning,
    votes,
    waiting,
)
from orlop.controller.usecases.property_changes import changed, checked
from orlop.errors import Refused
from orlop.model import Resource, ResourceConnection, ResourceDefinition, key

replace = msgspec.structs.replace
DISKLESS_FLAGS = frozenset({"DISKLESS", "DRBD_DISKLESS", "NVME_INITIATOR", "EBS_INITIATOR"})


def create(core: Core, name: str, requests: tuple[wire.ResourceCreate, ...]) -> Answers:
    """All resources of one request are one transaction."""
    answers = Answers(codes.CREATE, Subject.RSC, RscDfn=name)
    if not requests:
        raise Refused("The request names no resource to create.", code=Fail.INVLD_REQUEST)
    made: list[Resource] = []
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        guards.not_deleting(definition)
        guards.no_operation(definition)
        before = definition
        for request in sorted(requests, key=_is_diskless):  # what initiators connect to comes first
            resource = _new(core, draft, definition, request)
            made.append(resource)
            definition = with_resource(definition, resource)
        definition = deploying.complete(core, draft, definition, deploying.volumes_of(made))
        definition = nvme.completed(definition)
        draft.put(definition)
    for resource in made:
        answers.success(
            f"New resource '{definition.name}' on node '{resource.node}' registered.",
            codes.CREATED,
            details=f"UUID is: {resource.uuid}",
            Node=resource.node,
        )
    votes.explain(core, answers, before)
    initiators.await_target(core, definition.name, made)
    all_or_nothing.deployed(core, answers, definition, made)
    initiators.explain(core, answers, definition.name, made)
    return answers


def _is_diskless(request: wire.ResourceCreate) -> bool:
    flags = request.resource.flags if request.resource else ()
    return bool(request.drbd_client) or not DISKLESS_FLAGS.isdisjoint(flag.upper() for flag in flags)


def _new(core: Core, draft: Draft, definition: ResourceDefinition, request: wire.ResourceCreate) -> Resource:
    body = request.resource
    if body is None or not body.node_name:
        raise Refused("The request does not say on which node.", code=Fail.INVLD_NODE_NAME)
    node = lookup.node(draft, body.node_name)
    flags = frozenset(flag.upper() for flag in body.flags)
    layers = stacks.checked_stack(core.drivers, request.layer_list) if request.layer_list else ()
    stack = layers or definition.layers
    props = checked(core.drivers, Kind.RESOURCE, body.props)
    present = next((r for r in definition.resources if key(r.node) == key(node.name)), None)
    if present is not None and is_tiebreaker(present):
        return _taken_over(core, draft, definition, present, request, props)
    deploying.check_node(core, definition, node, stack)
    initiators.refuse_other_stack(definition, layers)
    if _is_diskless(request):
        if stacks.replicates(core.drivers, stack):
            drbd_versions.refuse_diskless(draft, definition, node.name)
            kind = {CLIENT} if request.drbd_client else set()
            made = deploying.without_disk(core, definition, node, props, flags & {"INACTIVE"} | kind)
            return _numbered(core, draft, definition, made, request)
        initiators.refuse_unfit(definition, flags & DISKLESS_FLAGS, bool(request.drbd_client))
        return deploying.initiator(core, definition, node, props, flags & {"INACTIVE"})
    made = deploying.resource(core, draft, definition, node, props, flags & {"INACTIVE"}, layers)
    return _numbered(core, draft, definition, made, request)


def _numbered(
    core: Core, draft: Draft, definition: ResourceDefinition, made: Resource, request: wire.ResourceCreate
) -> Resource:
    if not stacks.replicates(core.drivers, made.layers or definition.layers):
        return made
    return replication.with_numbers(draft, definition, made, request.drbd_node_id, request.drbd_tcp_ports)


def _taken_over(
    core: Core,
    draft: Draft,
    definition: ResourceDefinition,
    tiebreaker: Resource,
    request: wire.ResourceCreate,
    props: Mapping[str, str],
) -> Resource:
    """A tiebreaker is there already: it becomes what the user asked for."""
    if not _is_diskless(request):
        return deploying.with_disk(core, draft, definition, tiebreaker, props)
    kind = {CLIENT} if request.drbd_client else set()
    flags = tiebreaker.flags - {TIE_BREAKER} | kind
    return replace(tiebreaker, flags=flags, props={**tiebreaker.props, **props})


def modify(core: Core, name: str, node: str, request: wire.ResourceModify) -> Answers:
    answers = Answers(codes.MODIFY, Subject.RSC, RscDfn=name, Node=node)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        resource = lookup.resource(definition, node)
        props = changed(core.drivers, answers, Kind.RESOURCE, resource.props, request)
        after = _with_vote(definition, replace(resource, props=props), request)
        draft.put(with_resource(definition, after))
    answers.success(f"Resource '{definition.name}' on node '{resource.node}' modified.", codes.MODIFIED)
    return answers


def _with_vote(definition: ResourceDefinition, resource: Resource, request: wire.ResourceModify) -> Resource:
    """A replica without a disk that gets a vote, or gives it up."""
    client = request.drbd_client
    if request.drbd_tiebreaker is not None:
        client = not request.drbd_tiebreaker
    if client is None or client == is_client(resource):
        return resource
    if not is_diskless(resource):
        raise Refused(
            f"Resource '{definition.name}' on node '{resource.node}' has a disk, and with it a vote.",
            correction="Only resources without a disk can be clients; see 'orlop resource toggle-disk'.",
            code=Fail.INVLD_RSC_STATE,
        )
    flags = resource.flags - {TIE_BREAKER}
    return replace(resource, flags=flags | {CLIENT} if client else flags - {CLIENT})


def delete(core: Core, name: str, node: str, keep_tiebreaker: bool = False) -> Answers:
    answers = Answers(codes.DELETE, Subject.RSC, RscDfn=name, Node=node)
    lookup.node(core.picture, node)
    found = core.picture.definition(name)
    if found is None or all(key(r.node) != key(node) for r in found.resources):
        answers.warning(f"Resource '{name}' on node '{node}' not found.", Warn.NOT_FOUND)
        return answers
    guards.look_again(core, name, node)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        resource = lookup.resource(definition, node)
        guards.no_operation(definition)
        guards.unused(core, definition, [resource], "Deleting")
        nvme.refuse_left_alone(definition, resource, "Deleting")
        protection.require_data_left(definition, [resource], "Deleting the last resource")
        replicating.require_other_copy(core, definition, resource)
        stays = votes.staying(core, draft, definition, resource, keep_tiebreaker)
        if stays is None:
            after = with_resource(definition, replace(resource, flags=resource.flags | {"DELETE"}))
            draft.put(votes.without_another(after, resource, keep_tiebreaker))
        elif stays is not resource:
            draft.put(with_resource(definition, stays))
    core.settle([key(name)])
    if stays is not None:
        return votes.explain_staying(core, answers, definition, resource)
    answers.success(f"Resource '{definition.name}' on node '{resource.node}' marked for deletion.", codes.DELETED)
    votes.explain(core, answers, definition)
    others = [r for r in definition.resources if r is not resource and not r.deleting and not resource.diskless]
    if others and not stacks.replicates(core.drivers, definition.layers):
        answers.info(
            f"What was written on '{resource.node}' goes with it: the copies of '{definition.name}' on "
            f"{', '.join(r.node for r in others)} are unrelated."
        )
    nodes = initiators.leaving(core, answers, definition, [resource.node])
    waiting.gone(core, answers, definition.name, nodes, lambda n: _present(core, definition, n))
    return answers


def _present(core: Core, definition: ResourceDefinition, node: str) -> bool:
    current = core.picture.definition(definition.name)
    return (
        current is not None
        and current.uuid == definition.uuid
        and any(key(r.node) == key(node) and r.deleting and r.volumes for r in current.resources)
    )


def delete_all(core: Core, name: str, delete_definition: bool) -> Answers:
    """All resources of a definition; the definition stays unless it has to go, too."""
    if delete_definition:
        return definitions.delete(core, name)
    answers = Answers(codes.DELETE, Subject.RSC, RscDfn=name)
    guards.look_again(core, name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        guards.no_operation(definition)
        protection.require_unlocked(definition, "Deleting all resources")
        guards.unused(core, definition, definition.resources, "Deleting")
        marked = tuple(replace(r, flags=r.flags | {"DELETE"}) for r in definition.resources)
        draft.put(replace(definition, resources=marked))
    core.settle([key(name)])
    answers.success(f"All resources of '{definition.name}' marked for deletion.", codes.DELETED)
    nodes = initiators.leaving(core, answers, definition, [r.node for r in definition.resources])
    waiting.gone(core, answers, definition.name, nodes, lambda n: _present(core, definition, n))
    return answers


def autoplace(core: Core, name: str, request: wire.AutoPlaceRequest) -> Answers:
    answers = Answers(codes.CREATE, Subject.RSC, RscDfn=name)
    definition = lookup.definition(core.picture, name)
    guards.not_deleting(definition)
    asked = filters.asked(request.select_filter)
    if request.diskless_on_remaining:
        asked = replace(asked, diskless_on_remaining=True)
    if request.layer_list:
        asked = replace(asked, layers=tuple(request.layer_list))
    definition, made = spawning.autoplace(core, answers, definition.name, asked)
    all_or_nothing.deployed(core, answers, definition, made)
    return answers


# -- active and inactive --------------------------------------------------------------------------------------


def activate(core: Core, name: str, node: str) -> Answers:
    return _switch(core, name, node, active=True)


def deactivate(core: Core, name: str, node: str) -> Answers:
    return _switch(core, name, node, active=False)


def _switch(core: Core, name: str, node: str, active: bool) -> Answers:
    word = "activated" if active else "deactivated"
    if not active:
        guards.look_again(core, name, node)
    answers = Answers(codes.MODIFY, Subject.RSC, RscDfn=name, Node=node)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        resource = lookup.resource(definition, node)
        guards.no_operation(definition)
        if resource.deleting:
            raise Refused(f"Resource '{name}' on node '{node}' is being deleted.", code=Fail.INVLD_RSC_STATE)
        if active == ("INACTIVE" not in resource.flags):
            answers.info(f"Resource '{definition.name}' on node '{resource.node}' is {word} already.", Info.NOOP)
            return answers
        initiators.check_switch(core, definition, resource, active)
        if not active:
            guards.unused(core, definition, [resource], "Deactivating")
        flags = resource.flags - {"INACTIVE"} if active else resource.flags | {"INACTIVE"}
        draft.put(with_resource(definition, replace(resource, flags=flags)))
    answers.success(f"Resource '{definition.name}' on node '{resource.node}' {word}.", codes.MODIFIED)
    waiting.settled(
        core, answers, definition.name, [resource.node], f"{word} '{definition.name}'", f"it will be {word}"
    )
    return answers


# -- volumes and connections ----------------------------------------------------------------------------------


def modify_volume(core: Core, name: str, node: str, number: int, request: wire.VolumeModify) -> Answers:
    answers = Answers(codes.MODIFY, Subject.VLM, RscDfn=name, Node=node, VlmNr=str(number))
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        resource = lookup.resource(definition, node)
        volume = next((v for v in resource.volumes if v.number == number), None)
        if volume is None:
            lookup.volume_definition(definition, number)
            raise Refused(f"Resource '{name}' on node '{node}' has no volume {number}.", code=Fail.NOT_FOUND_VLM)
        after = replace(volume, props=changed(core.drivers, answers, Kind.VOLUME, volume.props, request))
        volumes = tuple(after if v.number == number else v for v in resource.volumes)
        draft.put(with_resource(definition, replace(resource, volumes=volumes)))
    answers.success(f"Volume {number} of '{definition.name}' on node '{resource.node}' modified.", codes.MODIFIED)
    return answers


def modify_connection(
    core: Core, name: str, node_a: str, node_b: str, request: wire.ResourceConnectionModify
) -> Answers:
    """Properties between two nodes of a definition, in either order; without properties there is no object."""
    answers = Answers(codes.MODIFY, Subject.RSC_CONN, RscDfn=name, FirstNode=node_a, SecondNode=node_b)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        first, second = (lookup.resource(definition, n).node for n in sorted((node_a, node_b), key=key))
        if first == second:
            raise Refused("A connection is between two different nodes.", code=Fail.INVLD_NODE_NAME)
        present = next((c for c in definition.connections if {c.node_a, c.node_b} == {first, second}), None)
        connection = present or ResourceConnection(node_a=first, node_b=second, uuid=core.new_uuid())
        props = changed(core.drivers, answers, Kind.RESOURCE_CONNECTION, connection.props, request)
        paths.refuse_unknown(draft, props, request.override_props, (first, second))
        others = tuple(c for c in definition.connections if c is not present)
        kept = (replace(connection, props=props),) if props else ()
        draft.put(replace(definition, connections=(*others, *kept)))
    answers.success(f"Connection of '{definition.name}' between '{first}' and '{second}' modified.", codes.MODIFIED)
    return answers
