"""Give a replica a disk, or take it away, while it may be in use."""

from __future__ import annotations

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject, Warn
from orlop.controller import diskless, drbd_versions, migrating, replication, stacks, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import ADDING, CLIENT, JOINING, REMOVING, TIE_BREAKER, has_disk, is_client, is_diskless
from orlop.controller.picture import Draft, with_resource
from orlop.controller.usecases import deploying, guards, lookup, replicating, votes, waiting
from orlop.errors import Refused
from orlop.model import Resource, ResourceDefinition, key

DISKFUL, DISKLESS, INTO_CLIENT = "INTO_DRBD_DISKFUL", "INTO_DRBD_DISKLESS", "INTO_DRBD_CLIENT"


def toggle_disk(core: Core, name: str, node: str, request: wire.ToggleDiskRequest) -> Answers:
    """Only for stacks in which a resource can be diskless; data is never given up for a word."""
    answers = Answers(codes.MODIFY, Subject.RSC, RscDfn=name, Node=node)
    definition = lookup.definition(core.picture, name)
    resource = lookup.resource(definition, node)
    operation = (request.operation or DISKFUL).upper()
    if operation not in (DISKFUL, DISKLESS, INTO_CLIENT):
        raise Refused(
            f"There is no operation '{operation}' on the disk of a resource.",
            correction=f"Use {DISKFUL}, {DISKLESS} or {INTO_CLIENT}.",
            code=Fail.INVLD_REQUEST,
        )
    if not replication.replicated(definition):
        return _of_unreplicated(answers, definition, resource, operation, request)
    if request.layer_list and stacks.checked_stack(core.drivers, request.layer_list) != definition.layers:
        raise Refused(
            f"'{definition.name}' has the layer stack {', '.join(definition.layers)}; a disk of it gets no other one.",
            correction="Leave the layer list out.",
            code=Fail.INVLD_LAYER_STACK,
        )
    if operation == DISKFUL:
        return _add(core, answers, name, node, request)
    return _remove(core, answers, name, node, as_client=operation == INTO_CLIENT)


def _of_unreplicated(
    answers: Answers,
    definition: ResourceDefinition,
    resource: Resource,
    operation: str,
    request: wire.ToggleDiskRequest,
) -> Answers:
    if operation == DISKFUL and not resource.diskless and not request.migrate_from:
        return _has_disk(answers, definition, resource)
    raise Refused(
        f"'{definition.name}' cannot change its disk: the layer stack is {', '.join(definition.layers)}.",
        cause="Without a replicating layer every replica is a last copy; none is removed or moved by a toggle.",
        correction="Use a snapshot and 'orlop snapshot resource restore', or copy the data.",
        code=Fail.INVLD_LAYER_STACK,
    )


def _has_disk(answers: Answers, definition: ResourceDefinition, resource: Resource) -> Answers:
    answers.warning(
        f"Resource '{definition.name}' on node '{resource.node}' has its disk already.", Warn.RSC_ALREADY_HAS_DISK
    )
    return answers


def _found(draft: Draft, name: str, node: str) -> tuple[ResourceDefinition, Resource]:
    definition = lookup.definition(draft, name)
    resource = lookup.resource(definition, node)
    guards.not_deleting(definition)
    guards.no_operation(definition)
    if resource.deleting:
        raise Refused(f"Resource '{name}' on node '{node}' is being deleted.", code=Fail.INVLD_RSC_STATE)
    guards.active(definition, resource)
    return definition, resource


# -- a disk comes -----------------------------------------------------------------------------------------------------


def _add(core: Core, answers: Answers, name: str, node: str, request: wire.ToggleDiskRequest) -> Answers:
    with core.change() as draft:
        definition, resource = _found(draft, name, node)
        if REMOVING in resource.flags:
            draft.put(with_resource(definition, _kept(core, definition, resource)))
            answers.success(f"Resource '{name}' on node '{resource.node}' keeps its disk.", codes.MODIFIED)
            return answers
        source = _source(definition, resource, request.migrate_from)
        if resource.flags & {ADDING, JOINING}:
            after = _refuse_other_pool(definition, resource, request.storage_pool)
        elif not is_diskless(resource):
            return _has_disk(answers, definition, resource)
        else:
            props = {deploying.POOL: request.storage_pool} if request.storage_pool else {}
            after = deploying.with_disk(core, draft, definition, resource, props)
        if source is not None:
            after = replace(after, props={**after.props, migrating.SOURCE: source.node})
        fresh = [after] if after.volumes != resource.volumes else []
        changed = with_resource(definition, after)
        draft.put(deploying.complete(core, draft, changed, deploying.volumes_of(fresh)) if fresh else changed)
    core.settle([key(name)])
    answers.success(
        f"Resource '{definition.name}' on node '{resource.node}' gets a disk.",
        codes.MODIFIED,
        details=f"When it has all of the data, the one on node '{source.node}' is deleted." if source else "",
    )
    votes.explain(core, answers, definition)
    waiting.settled(
        core, answers, name, [resource.node], f"added a disk to '{definition.name}'", "the disk will be added"
    )
    return answers


def _kept(core: Core, definition: ResourceDefinition, resource: Resource) -> Resource:
    """Its disk stays, where it is still whole: a node does not remove it while it sees no other copy."""
    whole = all(map(has_disk, resource.volumes)) and replicating.is_up_to_date(core, definition, resource)
    if not whole or core.reported.current(resource.node, definition.name) is None:
        raise Refused(
            f"The disk of '{definition.name}' on node '{resource.node}' is just being removed.",
            correction="Wait until it is gone; see 'orlop resource list'.",
            code=Fail.RSC_BUSY,
        )
    return replace(resource, flags=resource.flags - {REMOVING, TIE_BREAKER, CLIENT})


def _source(definition: ResourceDefinition, target: Resource, node: str | None) -> Resource | None:
    if not node:
        return None
    source = lookup.resource(definition, node)
    if source.deleting or is_diskless(source) or source.uuid == target.uuid:
        raise Refused(
            f"Resource '{definition.name}' on node '{source.node}' has no disk that could go to '{target.node}'.",
            correction="Name another node that has a replica with a disk; see 'orlop resource list'.",
            code=Fail.INVLD_RSC_STATE,
        )
    return source


def _refuse_other_pool(definition: ResourceDefinition, resource: Resource, pool: str | None) -> Resource:
    """A disk that is on its way is not moved to another pool."""
    there = {v.pool for v in resource.volumes}
    if pool and {key(name) for name in there} != {key(pool)}:
        raise Refused(
            f"The disk of '{definition.name}' on node '{resource.node}' is being made in {', '.join(sorted(there))}.",
            correction=f"Give it up first: orlop resource toggle-disk {resource.node} {definition.name} --diskless.",
            code=Fail.RSC_BUSY,
        )
    return resource


# -- a disk goes ------------------------------------------------------------------------------------------------------


def _remove(core: Core, answers: Answers, name: str, node: str, as_client: bool) -> Answers:
    kind = frozenset({CLIENT}) if as_client else frozenset()
    with core.change() as draft:
        definition, resource = _found(draft, name, node)
        without = is_diskless(resource) and JOINING not in resource.flags
        if without and is_client(resource) == as_client and TIE_BREAKER not in resource.flags:
            answers.warning(
                f"Resource '{definition.name}' on node '{resource.node}' is without a disk already.",
                Warn.RSC_ALREADY_DISKLESS,
            )
            return answers
        flags = resource.flags - {ADDING, CLIENT, TIE_BREAKER} | kind
        if JOINING in resource.flags:
            resource = diskless.given_up(resource)
            flags = resource.flags | kind
        elif not is_diskless(resource):
            drbd_versions.refuse_diskless(draft, definition, resource.node)
            if ADDING not in resource.flags:
                replicating.require_copy_elsewhere(core, definition, resource)
                replicating.require_copy_in_sight(core, definition, resource)
            flags |= {REMOVING}
        draft.put(with_resource(definition, replace(migrating.without_source(resource), flags=flags)))
    core.settle([key(name)])
    answers.success(
        f"Resource '{definition.name}' on node '{resource.node}' is to be without a disk.",
        codes.MODIFIED,
    )
    votes.explain(core, answers, definition)
    if not is_diskless(resource):
        what = f"the disk of '{definition.name}'"
        waiting.gone(core, answers, name, [resource.node], lambda n: votes.loses_disk(core, definition, n), what)
    return answers
