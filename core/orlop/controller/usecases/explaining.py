"""What a placement would do, and why; nothing is changed."""

from __future__ import annotations

from typing import NamedTuple

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.core import Core
from orlop.controller.diskless import diskful
from orlop.controller.placement import Attempt, Explanation, explained
from orlop.controller.usecases import choosing, filters, lookup, spawning
from orlop.errors import Refused
from orlop.model import KIB, SelectFilter, key

UNNAMED = "explained-placement"  # what is not made has a name nevertheless


class Answer(NamedTuple):
    """`rule` is the filter that was in force: the request's, and the group's below it."""

    explanation: Explanation
    rule: SelectFilter
    summary: str


def definition(core: Core, name: str, request: wire.ExplainPlacement) -> Answer:
    """What placing the missing replicas would do; where none is missing, what placing all of them would do now."""
    picture = core.picture
    found = lookup.definition(picture, name)
    rule = filters.merged(filters.asked(request.select_filter), lookup.group(picture, found.group).select_filter)
    choosing.refuse_unknown_policy(core.drivers, rule)
    replicas = [r.node for r in diskful(found)]
    count = spawning.wanted_count(rule, found)
    if count <= 0 and not replicas:
        raise Refused(
            f"Nobody says how many replicas '{found.name}' should have.",
            correction="Give a place count, or set one in the resource group.",
            code=Fail.INVLD_PLACE_COUNT,
        )
    missing = count > 0
    cluster, tried = spawning.tried(
        core, picture, rule, found, count if missing else len(replicas), found if missing else None
    )
    explanation = explained(cluster, tried, frozenset(map(key, replicas)))
    return Answer(explanation, rule, _summary(tried, sorted(replicas), missing))


def group(core: Core, name: str, request: wire.ExplainPlacement) -> Answer:
    """What spawning a resource of these sizes would do."""
    picture = core.picture
    found = lookup.group(picture, name)
    rule = filters.merged(filters.asked(request.select_filter), found.select_filter)
    choosing.refuse_unknown_policy(core.drivers, rule)
    count = spawning.wanted_count(rule, None)
    if count <= 0:
        raise Refused(
            f"Nobody says how many replicas a resource of group '{found.name}' should have.",
            correction="Give a place count, or set one in the resource group.",
            code=Fail.INVLD_PLACE_COUNT,
        )
    asked = wire.ResourceGroupSpawn(
        resource_definition_name=UNNAMED, volume_sizes=request.volume_sizes, partial=not request.volume_sizes
    )
    spawned = spawning.spawned(core, picture, found, rule, asked)
    cluster, tried = spawning.tried(core, picture, rule, spawned, count, None)
    return Answer(explained(cluster, tried), rule, _summary(tried, [], True))


def _summary(tried: Attempt, replicas: list[str], missing: bool) -> str:
    wanted = tried.request.wanted
    what = f"{wanted} replica{'s' if wanted != 1 else ''} of {tried.request.size // KIB} KiB"
    places = ", ".join(f"{c.node.name} ({c.pool.name})" for c in tried.chosen)
    there = f"There are replicas on {', '.join(replicas)}. " if replicas else ""
    if not missing:
        now = f"they would go to {places}" if tried.succeeded else "not all of them could be"
        return f"{there}Placed now, {now}."
    if tried.succeeded:
        return f"{there}{what} would go to {places}."
    doubt = "" if tried.choice.complete else f" in {tried.choice.steps} attempts"
    return f"{there}{what} cannot be placed{doubt}."
