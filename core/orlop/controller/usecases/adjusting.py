"""Bring definitions to the number of replicas that their group asks for, on demand. Nothing is ever removed.

What fits is made with the request, as clients expect it. Replicas that would be filled from others beyond the number
that may be at the same time are jobs: each of them is made when it is its turn.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

from orlop import codes
from orlop.codes import Info, Subject
from orlop.controller import balancing, moving, nvme, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import diskful
from orlop.controller.moving import REPLACE, WAITING, Move
from orlop.controller.picture import Draft
from orlop.controller.placement import Cluster
from orlop.controller.replication import replicated
from orlop.controller.usecases import all_or_nothing, evacuation, filters, lookup, moves, replicating, spawning
from orlop.errors import OrlopError
from orlop.model import Operation, Resource, ResourceDefinition, SelectFilter, key

Placed = tuple[ResourceDefinition, list[Resource]]


class Short(NamedTuple):
    """A definition that has `lacking` replicas less than `rule` asks for."""

    definition: ResourceDefinition
    rule: SelectFilter
    lacking: int


def adjust(core: Core, group_name: str | None, request: wire.ResourceGroupAdjust) -> Answers:
    """Make what is missing for every definition of a group (None: of all groups)."""
    answers = Answers(codes.MODIFY, Subject.RSC_GRP, RscGrp=group_name or "")
    asked = filters.asked(request.select_filter)
    room = moves.concurrent(core) - moves.being_filled(core)
    placed: list[Placed] = []
    later: list[Short] = []
    for short in _missing(core, group_name, asked):
        can_wait = _can_wait(short.rule, asked)
        waiting = [o for o in moving.of(short.definition) if o.kind == REPLACE and o.state == WAITING]
        if can_wait and waiting:
            _explain_waiting(answers, short, waiting)
            continue
        copied = _is_copied(core, short.definition)
        if copied and can_wait and short.lacking > room:
            later.append(short)
            continue
        if copied:
            room -= short.lacking
        placed += _placed(core, answers, short, asked, copied)
    placed += _placed_later(core, answers, later, asked)
    for definition, made in placed:
        all_or_nothing.deployed(core, answers, definition, made)
    if not len(answers):
        answers.success("Every resource definition has what its resource group asks for.")
    return answers


def _missing(core: Core, group_name: str | None, asked: SelectFilter) -> list[Short]:
    """By name, as it is before anything is made."""
    picture = core.picture
    if group_name is not None:
        lookup.group(picture, group_name)
    found = []
    for definition in sorted(picture.definitions.values(), key=lambda d: key(d.name)):
        if definition.deleting or (group_name is not None and key(definition.group) != key(group_name)):
            continue
        if nvme.target(definition) is not None:  # whatever the group says: a second one would be an unrelated copy
            continue
        rule = filters.merged(asked, lookup.group(picture, definition.group).select_filter)
        count = spawning.wanted_count(rule, definition)
        if count > 0:
            found.append(Short(definition, rule, count))
    return found


def _is_copied(core: Core, definition: ResourceDefinition) -> bool:
    """Whether new replicas get their data from one that is there; where none is known to be good, they wait for it."""
    return replicated(definition) and any(replicating.is_up_to_date(core, definition, r) for r in diskful(definition))


def _can_wait(rule: SelectFilter, asked: SelectFilter) -> bool:
    """A job heeds what the group says when it begins: what only this request says would be forgotten by then."""
    return asked == SelectFilter() and rule.additional_place_count is None and not rule.diskless_on_remaining


def _placed(core: Core, answers: Answers, short: Short, asked: SelectFilter, copied: bool) -> list[Placed]:
    try:
        return [spawning.autoplace(core, answers, short.definition.name, asked, counted=copied)]
    except OrlopError as error:
        answers.refused(error)
        return []


def _placed_later(core: Core, answers: Answers, later: list[Short], asked: SelectFilter) -> list[Placed]:
    """Jobs for what there is a place for; where there is none, it is placed or refused at once, with the reasons."""
    cluster = Cluster(core.picture, core.reported, core.drivers)
    draft = Draft(core.picture)
    queued: list[tuple[Move, int]] = []
    placed: list[Placed] = []
    for short in later:
        wanted = len(moving.counted(short.definition)) + short.lacking
        found = moving.plan(balancing.missing(cluster, draft, short.definition, wanted, partial(spawning.choose, core)))
        if found.staying:
            placed += _placed(core, answers, short, asked, True)
        else:
            queued += [(move, short.rule.place_count or 0) for move in found.moves]
    if queued:
        answers.success(
            f"{len(queued)} {'replica is' if len(queued) == 1 else 'replicas are'} made by jobs, in turn.",
            codes.MODIFIED,
            details=f"At most {moves.concurrent(core)} are filled at the same time (property '{moves.CONCURRENT}' of "
            "the controller); see 'orlop job list'.",
        )
        evacuation.explain_missing(answers, [move for move, _ in queued])
        evacuation.enqueue_missing(core, queued)
    return placed


def _explain_waiting(answers: Answers, short: Short, waiting: list[Operation]) -> None:
    count = len(waiting)
    answers.info(
        f"Resource '{short.definition.name}' gets {count} more {'replica' if count == 1 else 'replicas'} already, by "
        f"{'a job that waits' if count == 1 else 'jobs that wait'} for {'its' if count == 1 else 'their'} turn.",
        Info.NOOP,
        RscDfn=short.definition.name,
        cause=waiting[0].problem,
        details="See 'orlop job list'.",
        correction="Adjust it once more after that: more are missing." if short.lacking > count else "",
    )
