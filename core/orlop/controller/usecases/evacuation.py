"""Nodes that are emptied, given up, forgotten, and taken back; and what then has to be made elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Subject, Warn
from orlop.controller import balancing, evacuating, moving, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import diskful, is_diskless
from orlop.controller.moving import EVACUATE, Move, Plan, Staying
from orlop.controller.picture import Draft, with_resource
from orlop.controller.placement import Cluster
from orlop.controller.replication import replicated
from orlop.controller.usecases import lookup, moves, replicating, snapshots, spawning
from orlop.errors import Refused
from orlop.model import Node, Resource, ResourceDefinition, key

TARGETS, AVOIDED = "Internal/Evacuate/Targets", "Internal/Evacuate/NotTargets"  # of a node: names, by commas


def plan(core: Core, name: str, targets: tuple[str, ...] = (), avoided: tuple[str, ...] = ()) -> Plan:
    """What an evacuation would do now."""
    node = lookup.node(core.picture, name)
    for other in (*targets, *avoided):
        lookup.node(core.picture, other)
    return evacuating.plan(core.picture, node.name, partial(spawning.choose, core), targets, avoided)


def evacuate(core: Core, name: str, body: wire.NodeEvacuate) -> Answers:
    """Move everything that is replicated to other nodes; answered at once, with what stays and why."""
    found = plan(core, name, body.target, body.do_not_target)
    with core.change() as draft:
        node = lookup.node(draft, name)
        kept = {at: value for at, value in node.props.items() if at not in (TARGETS, AVOIDED)}
        lists = {TARGETS: ",".join(body.target), AVOIDED: ",".join(body.do_not_target)}
        props = {**kept, **{at: value for at, value in lists.items() if value}}
        draft.put(replace(node, flags=node.flags | {"EVACUATE"}, props=props))
        mark(draft, node.name, frozenset({"EVACUATE"}), frozenset())
    answers = Answers(codes.MODIFY, Subject.NODE, Node=node.name)
    answers.success(f"Node '{node.name}' is marked for evacuation.", codes.MODIFIED)
    enqueue(core, node, found.moves)
    explain(answers, found, node.name)
    return answers


def go_on(core: Core, node: Node) -> None:
    """What came to a node that is being evacuated, or could not leave before, is planned again."""
    targets, avoided = _names(node, TARGETS), _names(node, AVOIDED)
    known = core.picture.nodes
    targets = tuple(name for name in targets if key(name) in known)
    avoided = tuple(name for name in avoided if key(name) in known)
    enqueue(core, node, plan(core, node.name, targets, avoided).moves)


def enqueue(core: Core, node: Node, found: Iterable[Move]) -> None:
    found = list(found)
    if found:
        current = lookup.node(core.picture, node.name)
        moves.enqueue(core, found, targets=_names(current, TARGETS), avoided=_names(current, AVOIDED))
        moves.begin(core, [key(move.definition) for move in found])


def _names(node: Node, prop: str) -> tuple[str, ...]:
    return tuple(name for name in node.props.get(prop, "").split(",") if name)


def explain(answers: Answers, found: Plan, node: str) -> None:
    """An entry for each resource of a plan, and for what stays."""
    for move in found.moves:
        if move.target:
            answers.info(
                f"Resource '{move.definition}' moves from node '{node}' to '{move.target}', pool '{move.pool}'.",
                details="It is removed here when the new replica and all others have all of the data and nobody uses "
                "it; see 'orlop job list'.",
                RscDfn=move.definition,
            )
        else:
            answers.info(
                f"Resource '{move.definition}' is removed from node '{node}': no replica is needed in its place.",
                details="It goes when all others have all of the data and nobody uses it; see 'orlop job list'.",
                RscDfn=move.definition,
            )
    moves.explain_staying(answers, found.staying, f" on node '{node}'", Warn.NOT_EVACUATING)


# -- giving a node up -------------------------------------------------------------------------------------------------


def evict(core: Core, name: str) -> Answers:
    """Mark the node and its resources and make replicas elsewhere; nothing is removed, `restore` takes it back."""
    with core.change() as draft:
        node = lookup.node(draft, name)
        answers = Answers(codes.MODIFY, Subject.NODE, Node=node.name)
        answers.success(f"Node '{node.name}' is evicted.", codes.MODIFIED)
        draft.put(replace(node, flags=node.flags | {"EVICTED"}, evicted_at=core.clock.milliseconds()))
        marked = mark(draft, node.name, frozenset({"EVICTED"}), frozenset())
    if core.reported.online(node.name):
        answers.warning(
            f"Node '{node.name}' is connected, and what it has goes on there.",
            correction=f"To empty it: orlop node restore {node.name}, then orlop node evacuate {node.name}.",
        )
    explain_missing(answers, replace_missing(core, [d.name for d in marked if _had_disk(d, node.name)]))
    return answers


def _had_disk(definition: ResourceDefinition, node: str) -> bool:
    return any(key(r.node) == key(node) for r in diskful(definition))


def replace_missing(core: Core, names: Iterable[str]) -> list[Move | Staying]:
    """Have the replicas made that some definitions miss since a node was given up or lost; which, or why not."""
    picture = core.picture
    cluster, draft = Cluster(picture, core.reported, core.drivers), Draft(picture)
    queued: list[tuple[Move, int]] = []
    told: list[Move | Staying] = []
    for definition in [d for name in names if (d := picture.definition(name)) is not None]:
        if not replicated(definition) or definition.deleting or moving.of(definition):
            continue
        wanted = balancing.least_replicas(cluster, definition)
        if len(moving.counted(definition)) < wanted:
            found = balancing.missing(cluster, draft, definition, wanted, partial(spawning.choose, core))
            queued += [(each, wanted) for each in found if isinstance(each, Move)]
            told += found
    enqueue_missing(core, queued)
    return told


def enqueue_missing(core: Core, found: Iterable[tuple[Move, int]]) -> None:
    """Moves, and how many replicas their definitions are to have."""
    found = list(found)
    for wanted in sorted({count for _, count in found}):
        moves.enqueue(core, [move for move, count in found if count == wanted], wanted=wanted)
    moves.begin(core, {key(move.definition) for move, _ in found})


def explain_missing(answers: Answers, found: Iterable[Move | Staying]) -> None:
    for each in found:
        if isinstance(each, Move):
            answers.info(
                f"Resource '{each.definition}' gets another replica on node '{each.target}', pool '{each.pool}'.",
                details="See 'orlop job list'.",
                RscDfn=each.definition,
            )
        else:
            answers.warning(
                f"Resource '{each.definition}' has fewer replicas than it should and gets no other one now.",
                RscDfn=each.definition,
                cause=each.cause,
                correction=f"{each.correction} It is tried again.".strip(),
            )


# -- taking it back ---------------------------------------------------------------------------------------------------


def restore(core: Core, name: str, body: wire.NodeRestore) -> Answers:
    """Clears the marks. What was moving away stays; deletes only what others have as well."""
    node = lookup.node(core.picture, name)
    answers = Answers(codes.MODIFY, Subject.NODE, Node=node.name)
    answers.success(f"Node '{node.name}' is restored.", codes.MODIFIED)
    stopped = moves.cancel_all(core, EVACUATE, node.name) if "EVACUATE" in node.flags else []
    with core.change() as draft:
        node = lookup.node(draft, name)
        marks = frozenset({"EVICTED", "EVACUATE"})
        props = {at: value for at, value in node.props.items() if at not in (TARGETS, AVOIDED)}
        draft.put(replace(node, flags=node.flags - marks, evicted_at=None, props=props))
        marked = mark(draft, node.name, frozenset(), marks)
        if body.delete_resources:
            for definition in marked:
                _delete_resource(core, draft, definition.name, node.name, answers)
        if body.delete_snapshots:
            _delete_snapshots(draft, node.name, answers)
    core.settle([key(d.name) for d in marked])
    for definition_name, what in stopped:
        answers.info(f"Moving '{definition_name}' away is given up: {what}.", RscDfn=definition_name)
    return answers


def _delete_resource(core: Core, draft: Draft, name: str, node: str, answers: Answers) -> None:
    definition = lookup.definition(draft, name)
    resource = lookup.resource(definition, node)
    if resource.deleting:
        return
    try:
        _require_others(core, definition, resource)
    except Refused as error:
        answers.warning(
            f"Resource '{definition.name}' on node '{node}' is kept.",
            RscDfn=definition.name,
            cause=f"{error.message} {error.cause}".strip(),
            correction="Delete it with 'orlop resource delete' if the data is not needed.",
        )
        return
    draft.put(with_resource(definition, replace(resource, flags=resource.flags | {"DELETE"})))
    answers.info(f"Resource '{definition.name}' on node '{node}' is removed.", RscDfn=definition.name)


def _require_others(core: Core, definition: ResourceDefinition, resource: Resource) -> None:
    """Raises unless as many others as are wanted are known to have everything."""
    if not replicated(definition):
        raise Refused("It is the only copy of its data.")
    report = core.reported.resource(resource.node, definition.name)
    if report is not None and any(v.in_use for v in report.volumes):
        raise Refused("It is in use.")
    if is_diskless(resource):
        return
    replicating.require_copy_elsewhere(core, definition, resource)
    others = [r for r in diskful(definition) if r.uuid != resource.uuid]
    behind = [r.node for r in others if not replicating.is_up_to_date(core, definition, r)]
    if behind:
        raise Refused(f"Not known to be up to date: {', '.join(behind)}.")
    if evacuating.missing(core.picture, definition, resource) > 0:
        raise Refused("Without it there would be fewer replicas than its resource group asks for.")


def mark(draft: Draft, node: str, add: frozenset[str], remove: frozenset[str]) -> list[ResourceDefinition]:
    """Change flags of all resources on a node; the definitions that have one, as they are then."""
    here = key(node)
    marked = []
    for definition in draft.definitions_on(node):
        resources = tuple(
            replace(r, flags=(r.flags | add) - remove) if key(r.node) == here else r for r in definition.resources
        )
        if any(key(r.node) == here for r in resources):
            after = replace(definition, resources=resources)
            marked.append(after)
            draft.put(after)
    return sorted(marked, key=lambda d: key(d.name))


def _delete_snapshots(draft: Draft, node: str, answers: Answers) -> None:
    here = key(node)
    for definition in draft.definitions_on(node):
        for snapshot in definition.snapshots:
            if all(key(part.node) != here for part in snapshot.nodes):
                continue
            try:
                snapshots.mark_deleted(draft, definition.name, snapshot.name, {here})
            except Refused as error:
                answers.refused(error)
            else:
                answers.info(
                    f"Snapshot '{snapshot.name}' of '{definition.name}' on node '{node}' is removed.",
                    RscDfn=definition.name,
                    Snapshot=snapshot.name,
                )
