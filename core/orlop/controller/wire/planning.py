"""What a request would do, without doing it."""

from __future__ import annotations

from typing import Any

from orlop.controller.wire.base import Body


class PlanRequest(Body, frozen=True, kw_only=True):
    """The request as it would be sent; `path` with its query parameters."""

    method: str
    path: str
    body: Any = None


class PlannedField(Body, frozen=True, kw_only=True):
    """Texts for people; absent where there was or will be nothing."""

    name: str
    before: str | None = None
    after: str | None = None


class PlannedChange(Body, frozen=True, kw_only=True):
    """An object that would be made, changed or removed. `change`: create, modify or delete."""

    kind: str
    name: str
    change: str
    fields: tuple[PlannedField, ...] = ()


class PlannedObject(Body, frozen=True, kw_only=True):
    """A resource or pool on a node: commands, what would stand in the way, what can be planned only afterwards."""

    name: str
    commands: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    later: tuple[str, ...] = ()


class PlannedNode(Body, frozen=True, kw_only=True):
    """Work on a node; one that is not connected cannot be asked what it would do, and is told when it is back."""

    node_name: str
    connected: bool
    problem: str | None = None
    objects: tuple[PlannedObject, ...] = ()


class Plan(Body, frozen=True, kw_only=True):
    """Nothing of it was done. `messages`: what the answer would say beside that it is done."""

    changes: tuple[PlannedChange, ...] = ()
    nodes: tuple[PlannedNode, ...] = ()
    messages: tuple[str, ...] = ()
