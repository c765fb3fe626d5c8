"""What becomes of tiebreakers when resources come and go, and how it is told."""

from __future__ import annotations

import logging

from msgspec.structs import replace

from orlop.codes import Info, Warn
from orlop.controller import joining, replication, voting
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import CLIENT, REMOVING, TIE_BREAKER, is_diskless, is_tiebreaker
from orlop.controller.picture import Picture, with_resource
from orlop.controller.placement import Cluster
from orlop.controller.usecases import waiting
from orlop.errors import OrlopError
from orlop.model import Resource, ResourceDefinition, key

log = logging.getLogger(__name__)


def staying(
    core: Core, picture: Picture, definition: ResourceDefinition, resource: Resource, keep_tiebreaker: bool
) -> Resource | None:
    """What a resource that is to be deleted becomes where those that are left need a tiebreaker; None: it goes."""
    if not replication.replicated(definition) or resource.deleting or "INACTIVE" in resource.flags:
        return None
    if is_tiebreaker(resource):
        return resource if keep_tiebreaker and voting.needs_tiebreaker(picture, definition) else None
    left = with_resource(definition, replace(resource, flags=resource.flags | {"DELETE"}))
    there = any(is_tiebreaker(r) for r in left.resources)
    if there or not voting.needs_tiebreaker(picture, left) or not _fit(core, picture, resource):
        return None
    flags = resource.flags - {CLIENT} | {TIE_BREAKER}
    return replace(resource, flags=flags if is_diskless(resource) else flags | {REMOVING})


def _fit(core: Core, picture: Picture, resource: Resource) -> bool:
    node = picture.node(resource.node)
    return node is not None and core.reported.online(node.name) and not node.flags & {"DELETE", "EVICTED", "EVACUATE"}


def without_another(definition: ResourceDefinition, gone: Resource, keep_tiebreaker: bool) -> ResourceDefinition:
    """Who deletes a tiebreaker by hand wants none: it would come back at once."""
    if not is_tiebreaker(gone) or keep_tiebreaker:
        return definition
    return replace(definition, props={**definition.props, voting.AUTO_ADD: "False"})


def explain_staying(core: Core, answers: Answers, definition: ResourceDefinition, resource: Resource) -> Answers:
    """Entries about a resource that is not deleted, because it is needed as tiebreaker."""
    answers.success(
        f"Resource '{definition.name}' on node '{resource.node}' stays without a disk, as tiebreaker.",
        Info.TIE_BREAKER_TAKEOVER,
        cause="An even number of replicas with a disk is left, which could not decide who has the majority.",
        correction=f"Delete it once more to do without: orlop resource delete {resource.node} {definition.name}.",
        Node=resource.node,
    )
    if not is_diskless(resource):
        what = f"the disk of '{definition.name}'"
        waiting.gone(core, answers, definition.name, [resource.node], lambda n: loses_disk(core, definition, n), what)
    return answers


def loses_disk(core: Core, definition: ResourceDefinition, node: str) -> bool:
    """Whether the disk of a resource is still being removed."""
    current = core.picture.definition(definition.name)
    return (
        current is not None
        and current.uuid == definition.uuid
        and any(key(r.node) == key(node) and REMOVING in r.flags for r in current.resources)
    )


def explain(core: Core, answers: Answers, before: ResourceDefinition) -> None:
    """What became of the tiebreakers of a definition since then."""
    after = core.picture.definition(before.name)
    if after is None or not replication.replicated(after) or after.deleting:
        return
    old = {key(r.node): r for r in before.resources if is_tiebreaker(r)}
    new = {key(r.node): r for r in after.resources if is_tiebreaker(r)}
    present = {key(r.node) for r in after.resources if not r.deleting}
    for at, resource in new.items():
        if at not in old:
            answers.info(
                f"Node '{resource.node}' breaks ties of '{after.name}': it has a resource without a disk there.",
                Info.TIE_BREAKER_CREATED,
                Node=resource.node,
            )
    for resource in voting.superfluous(core.picture, after):
        if key(resource.node) in old:
            _explain_superfluous(answers, after, resource)
    for at, resource in old.items():
        if at in present and at not in new:
            answers.info(
                f"The tiebreaker of '{after.name}' on node '{resource.node}' is an ordinary resource from now on.",
                Info.TIE_BREAKER_TAKEOVER,
                Node=resource.node,
            )
        elif at not in present:
            _explain_superfluous(answers, after, resource)
    if not new and voting.needs_tiebreaker(core.picture, after):
        answers.warning(
            f"No node is left that could break ties of '{after.name}'.",
            Warn.NOT_ENOUGH_NODES_FOR_TIE_BREAKER,
            cause="Quorum is lost on both sides when two replicas lose sight of each other, or is not asked for.",
            correction="Add a node with DRBD 9, or switch it off for this definition: orlop resource-definition "
            f"set-property {after.name} {voting.AUTO_ADD} False.",
        )


def _explain_superfluous(answers: Answers, definition: ResourceDefinition, resource: Resource) -> None:
    answers.info(
        f"The tiebreaker of '{definition.name}' on node '{resource.node}' is not needed any more and is removed.",
        Info.TIE_BREAKER_DELETING,
        details="It goes when all replicas are up to date and connected, and nobody uses it.",
        Node=resource.node,
    )


def look(core: Core) -> bool:
    """Gives definitions the votes they could not have at once; called again and again. Whether anything changed.

    Raises nothing: what cannot be done now is logged and tried at the next look.
    """
    if core.suspended:
        return False
    definitions = list(core.picture.definitions.values())
    waiting = [d for d in definitions if any(map(joining.is_joining, d.resources))]
    core.settle([key(d.name) for d in waiting])
    met = sum(core.picture.definition(d.name) is not d for d in waiting)
    names = [d.name for d in definitions if _completed(core, core.picture, d) is not d]
    return met + sum(_complete(core, name) for name in names) > 0


def _completed(core: Core, picture: Picture, definition: ResourceDefinition) -> ResourceDefinition:
    return voting.completed(Cluster(picture, core.reported, core.drivers), definition)


def _complete(core: Core, name: str) -> bool:
    try:
        with core.change() as draft:
            definition = draft.definition(name)
            after = _completed(core, draft, definition) if definition else None
            if after is None or after is definition:
                return False
            draft.put(after)
    except OrlopError as error:
        log.warning("%s keeps its votes as they are: %s", name, error)
        return False
    core.settle([key(name)])
    return True
