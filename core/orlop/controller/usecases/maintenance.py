"""Maintenance of a node: what would be done there by itself, or because of it, is not done. No data moves."""

from __future__ import annotations

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Info, Subject
from orlop.controller import moving
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.placement import MAINTENANCE
from orlop.controller.usecases import guards, lookup
from orlop.model import key


def switch(core: Core, name: str, enabled: bool) -> Answers:
    """Begin or end it; told is what is in use there and what stands still meanwhile."""
    with core.change() as draft:
        node = lookup.node(draft, name)
        answers = Answers(codes.MODIFY, Subject.NODE, Node=node.name)
        if (MAINTENANCE in node.flags) == enabled:
            answers.info(f"Node '{node.name}' is {'' if enabled else 'not '}in maintenance already.", Info.NOOP)
            return answers
        flags = node.flags | {MAINTENANCE} if enabled else node.flags - {MAINTENANCE}
        draft.put(replace(node, flags=flags))
    if not enabled:
        answers.success(f"Node '{node.name}' is not in maintenance any more.", codes.MODIFIED)
        return answers
    answers.success(
        f"Node '{node.name}' is in maintenance: nothing is placed, moved, balanced or evicted there by itself.",
        codes.MODIFIED,
        details=f"What you ask for by name is done as ever. It ends with 'orlop node maintenance off {node.name}'.",
    )
    for definition in sorted(core.picture.definitions_on(node.name), key=lambda d: key(d.name)):
        here = [r for r in definition.resources if key(r.node) == key(node.name)]
        if guards.users(core, definition, here):
            answers.warning(
                f"Resource '{definition.name}' is in use on node '{node.name}'.",
                correction="Close it there, or move what uses it to another node, before the node is stopped.",
                RscDfn=definition.name,
            )
        if any(operation.state != moving.WAITING for operation in moving.of(definition)):
            answers.info(
                f"A replica of '{definition.name}' is just moving; that goes on.",
                correction="See 'orlop job list' and 'orlop job cancel'.",
                RscDfn=definition.name,
            )
    return answers
