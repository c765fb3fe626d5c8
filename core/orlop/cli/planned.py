"""What a dry run tells, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orlop.client.controller_values import Plan, PlannedField, PlannedNode

NOTHING = "(nothing)"


def text(plan: Plan) -> str:
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    if not (plan.changes or plan.nodes):
        yield "Dry run: nothing would change."
    else:
        yield "Dry run: nothing was changed. This would be done:"
    for change in plan.changes:
        yield f"  {change.change} {change.kind} {change.name}".rstrip()
        yield from (f"      {_field(field)}" for field in change.fields)
    for node in plan.nodes:
        yield from _node(node)
    for message in plan.messages:
        yield f"Note: {message}"


def _field(field: PlannedField) -> str:
    return f"{field.name}: {field.before or NOTHING} -> {field.after or NOTHING}"


def _node(node: PlannedNode) -> Iterator[str]:
    if not node.connected:
        what = ", ".join(each.name for each in node.objects)
        yield f"Node {node.node_name} is not connected ({node.problem}); it is told when it is back: {what}"
        return
    yield f"On node {node.node_name}:"
    for each in node.objects:
        yield f"  {each.name}"
        yield from (f"      $ {command}" for command in each.commands)
        yield from (f"      then {later}" for later in each.later)
        yield from (f"      in the way: {problem}" for problem in each.problems)
        if not (each.commands or each.later or each.problems):
            yield "      nothing to do"
