"""Begin, lead on and give up moves of replicas. What follows from reports is in `controller/moving.py`.

Whoever plans writes rows; here they are begun, a few at a time. Everything is judged again at that moment, by what is
reported then: a plan may be hours old.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import Any

from msgspec.structs import replace

from orlop.codes import Fail, Warn
from orlop.controller import evacuating, moving
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import diskful, is_diskless
from orlop.controller.migrating import may_leave
from orlop.controller.moving import (
    DONE,
    FAILED,
    FILLING,
    LEAVING,
    REBALANCE,
    REDUCE,
    REPLACE,
    WAITING,
    Move,
    Staying,
)
from orlop.controller.orders import nodes_of
from orlop.controller.patience import in_maintenance, resting
from orlop.controller.picture import Picture, with_resource
from orlop.controller.placement import Candidate, NotEnoughNodes
from orlop.controller.usecases import auto_diskful, deploying, guards, lookup, replicating, spawning
from orlop.errors import NotFound, OrlopError, Refused
from orlop.model import Operation, Resource, ResourceDefinition, key

log = logging.getLogger(__name__)
CONCURRENT = "Orlop/ConcurrentSyncs"  # of the controller: how many replicas may be filled at the same time
USUAL = 4


class Overtaken(Refused):
    """What was planned is not possible any more, and is not done in another way."""


def enqueue(core: Core, moves: Iterable[Move], **more: Any) -> int:
    """Writes rows for moves, in one transaction; how many. `more` arguments are kept with each of them."""
    count = 0
    with core.change() as draft:
        before = core.picture
        for move in moves:
            definition, known = draft.definition(move.definition), before.definition(move.definition)
            if definition is None or known is None or definition.deleting or _is_queued(known, move):
                continue
            operation = Operation(
                uuid=core.new_uuid(),
                kind=move.kind,
                state=WAITING,
                created=core.clock.milliseconds(),
                arguments={**move.arguments(), **more},
            )
            draft.put(moving.begun(definition, operation))
            count += 1
    return count


def explain_staying(answers: Answers, staying: Iterable[Staying], where: str, code: Warn | int = 0) -> None:
    """An entry for what a plan leaves as it is. `where` ends the sentence: " on node 'alpha'"."""
    for each in staying:
        answers.warning(
            f"Resource '{each.definition}' stays{where or ' as it is'}.",
            code,
            RscDfn=each.definition,
            cause=each.cause,
            correction=each.correction,
        )


def _is_queued(definition: ResourceDefinition, move: Move) -> bool:
    """A replica goes once, and none comes while others are still to come."""
    sources = {
        (o.arguments.get("source"), o.kind if o.arguments.get("source") is None else "") for o in moving.of(definition)
    }
    return (move.source, move.kind if move.source is None else "") in sources


def begin(core: Core, names: Iterable[str] | None = None, again: bool = True) -> None:
    """Begins moves that wait, as far as few enough replicas are being filled: lost redundancy first, then the oldest.

    `names` (keys of definitions) restricts it; without `again` what could not begin before is left out. Raises nothing.
    """
    wanted = list(core.picture.definitions) if names is None else names
    found = (core.picture.definitions.get(name) for name in wanted)
    waiting = [
        (operation.kind != REPLACE, operation.created, key(d.name), operation)
        for d in found
        if d is not None and d.operations
        for operation in moving.of(d)
        if operation.state == WAITING and (again or not operation.problem)
    ]
    if not waiting:
        return
    filling = being_filled(core)
    for _, _, name, operation in sorted(waiting, key=lambda each: each[:3]):
        filling += _began(core, name, operation, filling)


def being_filled(core: Core) -> int:
    """How many replicas just get the data; one whose node is away gets nothing."""
    return sum(
        core.reported.online(made.node) and not replicating.is_up_to_date(core, definition, made)
        for definition in list(core.picture.definitions.values())
        if definition.operations
        for operation in moving.of(definition)
        if operation.state == FILLING
        and (made := moving.named(definition, operation.arguments.get("made"))) is not None
    )


def _began(core: Core, name: str, operation: Operation, filling: int) -> bool:
    """Whether another replica is being filled now."""
    try:
        state = _begin(core, name, operation, filling)
    except OrlopError as error:
        note(core, name, operation.uuid, f"{error} {error.cause}".strip(), failed=isinstance(error, Overtaken))
        return False
    if state != WAITING:
        core.settle([key(name)])
    return state == FILLING


def concurrent(core: Core, operation: Operation | None = None) -> int:
    """How many replicas may be filled at the same time, this one included."""
    said = core.picture.controller.props.get(CONCURRENT, "")
    asked = operation.arguments.get("concurrent") if operation else None
    return max(1, int(asked) if asked else int(said) if said.isdecimal() else USUAL)


def _begin(core: Core, name: str, operation: Operation, filling: int) -> str:
    """The state that it has now; raises what stands in the way."""
    picture = core.picture
    definition = lookup.definition(picture, name)
    source = moving.source_of(definition, operation)
    named = [node for node in (operation.arguments.get("source"), operation.arguments.get("target")) if node]
    pausing = sorted({*resting(picture, definition), *(node for node in named if in_maintenance(picture, node))})
    if moving.under_way(definition) or definition.deleting:
        return WAITING  # it is looked at again
    if pausing:
        raise Refused(f"It waits for the end of maintenance of {', '.join(pausing)}.")
    guards.no_operation(definition)
    if any(auto_diskful.FLAG in r.flags for r in definition.resources):
        raise Refused("It waits until the replica that got its disk by itself is dealt with.")
    if operation.arguments.get("source") and (source is None or source.deleting):
        return _end(core, name, operation)
    if _only_goes(picture, definition, operation, source):
        assert source is not None
        return _leave(core, definition, operation, source)
    if _is_settled(picture, definition, operation):
        return _end(core, name, operation)
    if filling >= concurrent(core, operation):
        return WAITING
    return _fill(core, definition, operation, source)


def _only_goes(picture: Picture, definition: ResourceDefinition, operation: Operation, source: Resource | None) -> bool:
    if source is None or operation.kind == REBALANCE:
        return False
    return operation.kind == REDUCE or is_diskless(source) or evacuating.missing(picture, definition, source) <= 0


def _is_settled(picture: Picture, definition: ResourceDefinition, operation: Operation) -> bool:
    """Whether what a new replica was wanted for is there already."""
    if operation.kind != REPLACE:
        return False
    return len(moving.counted(definition)) >= int(operation.arguments["wanted"])


def _end(core: Core, name: str, operation: Operation) -> str:
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        draft.put(moving.changed(definition, replace(operation, state=DONE, problem="")))
    return DONE


# -- a replica goes ---------------------------------------------------------------------------------------------------


def _leave(core: Core, definition: ResourceDefinition, operation: Operation, source: Resource) -> str:
    with core.change() as draft:
        current = lookup.definition(draft, definition.name)
        if current.resources != definition.resources:
            return WAITING
        if operation.kind == REDUCE and evacuating.missing(draft, current, source) > 0:
            draft.put(moving.changed(current, replace(operation, state=DONE, problem="")))
            return DONE
        require_may_leave(core, current, source)
        gone = with_resource(current, replace(source, flags=source.flags | {"DELETE"}))
        begun = replace(
            operation, state=LEAVING, problem="", arguments=moving.arguments(operation, leaving=source.uuid)
        )
        draft.put(moving.changed(gone, begun))
    log.info("%s on %s is to go: %s", definition.name, source.node, operation.kind)
    return LEAVING


def require_may_leave(core: Core, definition: ResourceDefinition, source: Resource) -> None:
    """Raises unless nobody uses a replica and all others are known to have everything."""
    guards.unused(core, definition, [source], "Moving it away")
    reports = core.reported.currents(nodes_of(definition), definition.name)
    if is_diskless(source):
        report = reports.get(key(source.node))
        allowed = report is not None and all(v.in_use is False for v in report.volumes)
    else:
        allowed = may_leave(definition, source, reports)
    if not allowed:
        others = [r for r in diskful(definition) if r.uuid != source.uuid]
        behind = [r.node for r in others if not replicating.is_up_to_date(core, definition, r)]
        raise Refused(
            f"'{definition.name}' stays on node '{source.node}' for now.",
            cause=f"Not known to be up to date: {', '.join(behind)}."
            if behind
            else "It is not known whether it is in use there, or its node is just at work on it.",
            code=Fail.INSUFFICIENT_REPLICA_COUNT,
        )


# -- a replica comes --------------------------------------------------------------------------------------------------


def _fill(core: Core, definition: ResourceDefinition, operation: Operation, source: Resource | None) -> str:
    picture = core.picture
    _require_sources(core, definition, whole=operation.kind == REBALANCE)
    others = evacuating.without(definition, source) if source is not None else definition
    if source is not None:  # nothing is placed where it is, although the rules of spreading do not count it
        picture = evacuating.marked(picture, source.node)
    chosen = _chosen(core, picture, others, operation)
    with core.change() as draft:
        current = lookup.definition(draft, definition.name)
        pool = lookup.pool(draft, chosen.node.name, chosen.pool.name)
        node = lookup.node(draft, chosen.node.name)
        if current.resources != definition.resources or operation not in current.operations:
            return WAITING
        if being_filled(core) >= concurrent(core, operation):  # others may have begun meanwhile
            return WAITING
        made = spawning.placed(core, draft, current, node, pool)
        replicas = len(diskful(current))
        after = deploying.complete(core, draft, with_resource(current, made), deploying.volumes_of([made]))
        arguments = moving.arguments(
            operation,
            target=node.name,
            pool=pool.name,
            made=made.uuid,
            leaving=source.uuid if source is not None else None,
            replicas=replicas if source is not None else 0,
        )
        draft.put(moving.changed(after, replace(operation, state=FILLING, problem="", arguments=arguments)))
    log.info("%s gets a replica on %s: %s", definition.name, node.name, operation.kind)
    return FILLING


def _require_sources(core: Core, definition: ResourceDefinition, whole: bool) -> None:
    behind = [r.node for r in diskful(definition) if not replicating.is_up_to_date(core, definition, r)]
    if behind and (whole or len(behind) == len(diskful(definition))):
        raise Refused(
            f"'{definition.name}' is left as it is: not known to be up to date on {', '.join(behind)}.",
            code=Fail.NOT_ALL_UPTODATE,
        )


def _chosen(core: Core, picture: Picture, others: ResourceDefinition, operation: Operation) -> Candidate:
    """Where it was planned, if that is still possible; elsewhere only where nobody was shown a plan."""
    arguments = operation.arguments
    target, pool = arguments.get("target"), arguments.get("pool")
    rule = evacuating.within(picture, others, tuple(arguments.get("targets", ())), tuple(arguments.get("avoided", ())))
    choose = partial(spawning.choose, core, picture)
    if target:
        exact = replace(rule, node_names=(target,), storage_pools=(pool,) if pool else rule.storage_pools)
        try:
            return choose(exact, others, 1)[0]
        except NotEnoughNodes as error:
            if operation.kind == REBALANCE:
                _refuse_planned(core, picture, target, pool or "", error)
                raise
    return choose(rule, others, 1)[0]


def _refuse_planned(core: Core, picture: Picture, target: str, pool: str, error: NotEnoughNodes) -> None:
    """Raises where the target of a plan is known to be unfit; while its node is away, that is waited for."""
    known = picture.node(target) is not None and picture.pool(target, pool) is not None
    if known and not (core.reported.online(target) and core.reported.pool(target, pool)):
        return
    why = [line for line in error.reasons if line.startswith(f"node {target}:")]
    raise Overtaken(
        f"Nothing can be placed on node '{target}' in pool '{pool}' any more.",
        cause="; ".join(why),
        correction="Make a new plan: orlop node rebalance --dry-run.",
        code=Fail.NOT_ENOUGH_NODES,
    )


# -- what becomes of it -----------------------------------------------------------------------------------------------


def note(core: Core, name: str, uuid: str, problem: str, failed: bool = False) -> None:
    """Writes down what stands in a move's way, if that is new."""
    current = core.picture.definition(name)
    found = next((o for o in current.operations if o.uuid == uuid), None) if current else None
    if found is None or found.state in moving.ENDED or (found.problem == problem and not failed):
        return
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        state = FAILED if failed else found.state
        draft.put(moving.changed(definition, replace(found, state=state, problem=problem)))
    log.warning("%s of %s waits: %s", found.kind, name, problem)


def cancel(core: Core, name: str, uuid: str, why: str = "it was cancelled") -> str:
    """Ends a move; what became of the new replica, in words. Refused once the old one is on its way out."""
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        operation = next((o for o in moving.of(definition) if o.uuid == uuid), None)
        if operation is None:
            raise NotFound(
                f"'{name}' has no move {uuid} that is under way.",
                correction="See 'orlop job list'.",
                code=Fail.NOT_FOUND_RSC,
            )
        if operation.state == LEAVING:
            raise Refused(
                f"The replica of '{definition.name}' on {operation.arguments.get('source')} is just being removed.",
                correction="That cannot be taken back; wait until it is gone.",
                code=Fail.RSC_BUSY,
            )
        ended = replace(operation, state=FAILED, problem=why)
        made = moving.named(definition, operation.arguments.get("made")) if operation.state == FILLING else None
        said = "nothing had begun"
        if made is not None:
            said = f"its new replica on {made.node} goes again"
            if kept := _kept_because(core, definition, made):
                said = f"its new replica on {made.node} stays: {kept}"
            else:
                definition = with_resource(definition, replace(made, flags=made.flags | {"DELETE"}))
        draft.put(moving.changed(definition, ended))
    core.settle([key(name)])
    return said


def _kept_because(core: Core, definition: ResourceDefinition, made: Resource) -> str:
    """Why a replica that is not wanted any more is not removed: it may be one of few that are good."""
    users = guards.users(core, definition, [made])
    if users:
        return "it is in use"
    others = [r for r in diskful(definition) if r.uuid != made.uuid]
    behind = [r.node for r in others if not replicating.is_up_to_date(core, definition, r)]
    if not behind:
        return ""
    is_good = replicating.is_up_to_date(core, definition, made) or len(behind) == len(others)
    return f"not known to be up to date: {', '.join(behind)}" if is_good else ""


def cancel_all(core: Core, kind: str, node: str | None = None) -> list[tuple[str, str]]:
    """Ends all moves of a kind, or those away from a node; by definition what became of each, refusals included."""
    found = []
    for definition in sorted(core.picture.definitions.values(), key=lambda d: key(d.name)):
        for operation in moving.of(definition) if definition.operations else ():
            source = operation.arguments.get("source")
            if operation.kind != kind or (node is not None and (not source or key(source) != key(node))):
                continue
            try:
                found.append((definition.name, cancel(core, definition.name, operation.uuid)))
            except OrlopError as error:
                found.append((definition.name, str(error)))
    return found


def fail_lost(core: Core) -> None:
    """What was to be filled on a node that was given up does not come."""
    for definition in list(core.picture.definitions.values()):
        for operation in moving.of(definition) if definition.operations else ():
            made = moving.named(definition, operation.arguments.get("made"))
            if operation.state == FILLING and made is not None and "EVICTED" in made.flags:
                note(core, definition.name, operation.uuid, f"node {made.node} was evicted meanwhile", failed=True)
