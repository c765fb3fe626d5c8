"""What was restored or cloned lies where its source was; where that is asked for, it moves to where it would be placed.

`Snapshot/BalanceAfterRestore` and `Clone/BalanceAfterClone` of the new definition, its group or the controller. A
snapshot is restored within its own pool, and copies of one image would pile up on the nodes of that image.
"""

from __future__ import annotations

from msgspec.structs import replace

from orlop.controller import balancing, evacuating
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import diskful
from orlop.controller.moving import REBALANCE, Move
from orlop.controller.picture import Draft
from orlop.controller.placement import Cluster
from orlop.controller.properties import effective
from orlop.controller.replication import replicated
from orlop.controller.usecases import moves, spawning
from orlop.errors import OrlopError
from orlop.model import ResourceDefinition, key

AFTER_RESTORE, AFTER_CLONE = "Snapshot/BalanceAfterRestore", "Clone/BalanceAfterClone"


def explained(core: Core, answers: Answers, name: str, wanted: str) -> None:
    """Has replicas moved that would be placed elsewhere; one after the other, each when all are up to date.

    `wanted`: the property that says so.
    """
    definition = core.picture.definition(name)
    if definition is None or not replicated(definition):
        return
    said = effective(wanted, balancing.around(Cluster(core.picture, core.reported, core.drivers), definition))
    if said is None or said.value.lower() != "true":
        return
    try:
        found = plan(core, definition)
    except OrlopError as error:
        answers.warning(
            f"'{definition.name}' stays on the nodes of its snapshot.",
            cause=f"{error.message} {error.details}".strip(),
            correction=error.correction,
        )
        return
    moves.enqueue(core, found)
    for move in found:
        answers.info(
            f"The replica on node '{move.source}' moves to '{move.target}' when all are up to date.",
            details="See 'orlop job list'.",
        )


def plan(core: Core, definition: ResourceDefinition) -> list[Move]:
    """Moves from where its replicas are to where as many would be placed; raises where DRBD or space forbid it."""
    present = diskful(definition)
    group = core.picture.group(definition.group)
    if group is None or not present:
        return []
    draft = Draft(core.picture)
    draft.remove(definition)
    anew = replace(definition, resources=())
    chosen = spawning.choose(core, draft, group.select_filter, anew, len(present))
    better = {key(c.node.name) for c in chosen}
    leaving = [r for r in present if key(r.node) not in better]
    taken = {key(r.node) for r in present}
    arriving = [c for c in chosen if key(c.node.name) not in taken]
    found = []
    for resource, candidate in zip(leaving, arriving, strict=True):
        evacuating.require_room_beside(
            core.picture, evacuating.planned(definition, resource, candidate.node.name, candidate.pool.name)
        )
        names = (resource.node, candidate.node.name, candidate.pool.name)
        found.append(Move(definition.name, REBALANCE, *names, evacuating.size(resource)))
    return found
