"""From a rehearsal to what people read: objects that change, and what each node would do."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from orlop.codes import Info, Warn
from orlop.controller import orders, wire
from orlop.controller.answers import Entry
from orlop.controller.core import Core
from orlop.controller.picture import Change
from orlop.controller.rehearsal import Rehearsal
from orlop.controller.store.shapes import SHAPES, Rows, rows
from orlop.errors import TransportError
from orlop.model import Controller, ResourceDefinition, StoragePool, WantedResource, key
from orlop.transport.messages import Plan, Planned, PlannedSteps

CREATE, MODIFY, DELETE = "create", "modify", "delete"
TOLD = ("flags", "props", "size", "pool", "layers", "group", "state", "minor", "node_id", "ports", "select_filter")
SEALED = ("volume_key", "snapshot_volume_key", "master_key")
UNTRUE = frozenset({Warn.STLT_NOT_UPDATED, Warn.NOT_CONNECTED, Info.NOOP})  # or told by the plan itself
Row = Mapping[str, Any]


def plan(core: Core, tried: Rehearsal, said: Iterable[Entry]) -> wire.Plan:
    """`said` is what the use case answered in the rehearsal."""
    changes = tried.changes
    return wire.Plan(
        changes=tuple(_changes(changes)),
        nodes=tuple(_nodes(core, tried, changes)),
        messages=tuple(_sentence(each) for each in said if each.severity and each.code not in UNTRUE),
    )


def _sentence(entry: Entry) -> str:
    return " ".join(part for part in (entry.message, entry.cause) if part)


# -- objects --------------------------------------------------------------------------------------------------


def _changes(changes: list[Change]) -> Iterable[wire.PlannedChange]:
    for change in changes:
        if isinstance(change.before, Controller) and isinstance(change.after, Controller):
            fields = _fields({"props": change.before.props}, {"props": change.after.props})
            yield wire.PlannedChange(kind="controller", name="", change=MODIFY, fields=fields)
    before, after = rows(changes)
    for shape in SHAPES:
        yield from _of_table(shape.name, before, after)


def _of_table(table: str, before: Rows, after: Rows) -> Iterable[wire.PlannedChange]:
    old, new = before.get(table, {}), after.get(table, {})
    for identity in {**old, **new}:
        was, becomes = old.get(identity), new.get(identity)
        if was == becomes or table in SEALED:
            continue
        fields = _fields(_shown(was), _shown(becomes))
        change = MODIFY if was and becomes else CREATE if becomes else DELETE
        if fields or change != MODIFY:  # a number of ours changed, which tells nobody anything
            name = "/".join(str(part) for part in identity)
            yield wire.PlannedChange(kind=table.replace("_", " "), name=name, change=change, fields=fields)


def _shown(row: Row | None) -> Row:
    found = {name: row[name] for name in TOLD if name in row} if row else {}
    return {name: _plain(value) for name, value in found.items()}


def _plain(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) and value[:1] in ("{", "[") else value


def _fields(before: Row, after: Row) -> tuple[wire.PlannedField, ...]:
    found = []
    for name in dict.fromkeys((*before, *after)):
        old, new = before.get(name), after.get(name)
        if isinstance(old, Mapping) or isinstance(new, Mapping):
            found += _entries(name, old or {}, new or {})
        elif old != new and (old or new):
            found.append(wire.PlannedField(name=name, before=_text(old), after=_text(new)))
    return tuple(found)


def _entries(name: str, old: Row, new: Row) -> list[wire.PlannedField]:
    differing = [each for each in sorted({**old, **new}) if old.get(each) != new.get(each)]
    return [
        wire.PlannedField(name=f"{name}/{each}", before=_text(old.get(each)), after=_text(new.get(each)))
        for each in differing
    ]


def _text(value: Any) -> str | None:
    if value is None or value in ([], {}, ""):
        return None
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


# -- nodes ----------------------------------------------------------------------------------------------------


def _nodes(core: Core, tried: Rehearsal, changes: list[Change]) -> Iterable[wire.PlannedNode]:
    work: dict[str, list[WantedResource]] = {}
    for change in changes:
        if change.kind is ResourceDefinition:
            for node, order in _orders(tried, change):
                work.setdefault(node, []).append(order)
    pools = {c.key[0] for c in changes if c.kind is StoragePool and isinstance(c.after, StoragePool) and c.after.new}
    for node in sorted({*work, *pools}):
        yield _asked(core, tried, node, tuple(work.get(node, ())), node in pools)


def _orders(tried: Rehearsal, change: Change) -> Iterable[tuple[str, WantedResource]]:
    """By key of the node: what it would be told otherwise than now."""
    old, new = change.before, change.after
    assert old is None or isinstance(old, ResourceDefinition)
    if not isinstance(new, ResourceDefinition):
        return  # nothing of it is on any node
    for node in sorted(orders.nodes_of(new)):
        then = orders.wanted_resource(tried.drivers, tried.before, old, node) if old else None
        now = orders.wanted_resource(tried.drivers, tried.picture, new, node)
        if now is not None and not orders.same_order(then, now):
            yield node, now


def _asked(
    core: Core, tried: Rehearsal, node: str, resources: tuple[WantedResource, ...], pools: bool
) -> wire.PlannedNode:
    found = tried.picture.node(node)
    name = found.name if found else node
    away = core.reported.node(name).problem or "its satellite is not connected"
    if not core.reported.online(name):
        return _away(name, away, resources)
    told = orders.wanted_pools(tried.picture, node) if pools else None
    message = Plan(fence=core.fence, resources=resources, pools=told)
    try:
        answer = core.asked(name, lambda links: links.plan(name, message), changes=False)
    except TransportError as error:
        return _away(name, error.message, resources)
    return wire.PlannedNode(node_name=name, connected=True, objects=tuple(_objects(answer)))


def _away(name: str, problem: str, resources: tuple[WantedResource, ...]) -> wire.PlannedNode:
    waiting = tuple(wire.PlannedObject(name=each.name) for each in resources)
    return wire.PlannedNode(node_name=name, connected=False, problem=problem, objects=waiting)


def _objects(answer: Planned) -> Iterable[wire.PlannedObject]:
    def told(each: PlannedSteps, name: str) -> wire.PlannedObject:
        return wire.PlannedObject(name=name, commands=each.steps, problems=each.problems, later=each.later)

    yield from (told(each, f"storage pool {each.name}") for each in answer.pools)
    yield from (told(each, each.name) for each in sorted(answer.resources, key=lambda each: key(each.name)))
