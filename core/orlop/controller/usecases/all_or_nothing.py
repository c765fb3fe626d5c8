"""New resources are made on every node of a request or, when a pool runs full meanwhile, on none of them."""

from __future__ import annotations

from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import is_tiebreaker
from orlop.controller.usecases import guards, room, waiting
from orlop.errors import Refused
from orlop.model import Resource, ResourceDefinition, key


def deployed(
    core: Core, answers: Answers, definition: ResourceDefinition, made: list[Resource], spawned: bool = False
) -> None:
    """Waits for what was made. `spawned`: the definition came with the request and goes with its resources."""
    if not made:
        return
    room.explain(core, answers, definition, made)
    problems = waiting.deployed(core, answers, definition, made)
    if full := ran_full(problems):
        take_back(core, answers, definition, made, full, spawned)
    else:
        waiting.explain_copies(core, answers, definition.name)


def ran_full(problems: dict[str, str]) -> list[str]:
    """Nodes on which there was no space."""
    return sorted(
        (n for n, problem in problems.items() if waiting.failure_code(problem) is Fail.NOT_ENOUGH_FREE_SPACE), key=key
    )


def take_back(
    core: Core, answers: Answers, definition: ResourceDefinition, made: list[Resource], full: list[str], spawned: bool
) -> None:
    """Removes exactly what a request made; `full` are the nodes that had no space for it."""
    uuids = {r.uuid for r in made}
    name = definition.name
    try:
        with core.change() as draft:
            current = draft.definition(name)
            if current is None or current.uuid != definition.uuid or current.deleting:
                return
            chosen = [r for r in current.resources if r.uuid in uuids]
            guards.no_operation(current)
            guards.unused(core, current, chosen, "Taking it back")
            whole = (
                spawned and not current.snapshots and all(r in chosen or is_tiebreaker(r) for r in current.resources)
            )
            resources = tuple(
                replace(r, flags=r.flags | {"DELETE"}) if whole or r in chosen else r for r in current.resources
            )
            flags = {"DELETE"} if whole else set()
            draft.put(replace(current, flags=current.flags | flags, resources=resources))
    except Refused as error:  # somebody uses a part of it already: theirs is not taken away
        answers.refused(error)
        return
    core.settle([key(name)])
    where = ", ".join(full)
    answers.info(
        f"'{name}' is taken back on every node, because there was no space on {where}.",
        correction="Free space there or place it elsewhere, then repeat the request.",
    )

    def present(node: str) -> bool:
        found = core.picture.definition(name)
        return found is not None and any(r.uuid in uuids and key(r.node) == key(node) for r in found.resources)

    waiting.gone(core, answers, name, [r.node for r in made], present)
