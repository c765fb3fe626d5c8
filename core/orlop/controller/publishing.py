"""What a committed change means for the nodes: who is told, and whether at once; which reports are out of date."""

from __future__ import annotations

from typing import Protocol

from orlop.controller import orders
from orlop.controller.contracts import Links
from orlop.controller.picture import Change, Picture
from orlop.controller.replication import replicated
from orlop.controller.reported import Reported
from orlop.drivers import Drivers
from orlop.model import Controller, Node, NodeConnection, ResourceDefinition, ResourceGroup, StoragePool

SURROUNDING = (Controller, Node, NodeConnection, ResourceGroup)  # their properties hold for what is below them


class Published(Protocol):
    """The core. Its picture is read anew every time: a link that is dropped may lead to a further change."""

    @property
    def picture(self) -> Picture: ...
    @property
    def reported(self) -> Reported: ...
    @property
    def drivers(self) -> Drivers: ...
    @property
    def links(self) -> Links | None: ...


def publish(core: Published, before: Picture, changes: list[Change]) -> None:
    """Under the writer lock, as soon as the core has the new picture."""
    for change in changes:
        if isinstance(change.before or change.after, ResourceDefinition):
            _definition(core, before, change)
        elif change.kind is Node:
            _node(core, change)
        elif change.kind is StoragePool and core.links:
            core.links.pools_changed(change.key[0])
        if change.kind in SURROUNDING:
            _around(core, before, change)


def _around(core: Published, before: Picture, change: Change) -> None:
    """Options of replicated resources are in force at once, whichever object they are set on."""
    old, new = change.before, change.after
    if all(getattr(old, name, None) == getattr(new, name, None) for name in ("props", "interfaces")):
        return
    for name, definition in core.picture.definitions.items():
        if replicated(definition) and before.definitions.get(name) is definition:
            _definition(core, before, Change(ResourceDefinition, (name,), definition, definition))


def _definition(core: Published, before: Picture, change: Change) -> None:
    old, new = change.before, change.after
    assert old is None or isinstance(old, ResourceDefinition)
    assert new is None or isinstance(new, ResourceDefinition)
    nodes = (orders.nodes_of(old) if old else set()) | (orders.nodes_of(new) if new else set())
    for node in nodes:
        then = orders.wanted_resource(core.drivers, before, old, node) if old else None
        now = orders.wanted_resource(core.drivers, core.picture, new, node) if new else None
        if now is None:
            core.reported.node(node).required.pop(change.key[0], None)
        if orders.same_order(then, now):
            continue
        urgent = orders.asks_for_more(then, now)
        if now is not None and urgent:
            core.reported.node(node).required[change.key[0]] = now.revision
        if core.links:
            core.links.changed(node, change.key[0], urgent)


def _node(core: Published, change: Change) -> None:
    old, new = change.before, change.after
    assert old is None or isinstance(old, Node)
    assert new is None or isinstance(new, Node)
    if new is None and old is not None:
        if core.links:
            core.links.drop(old)
        core.reported.nodes.pop(change.key[0], None)
    elif new is not None and core.links and (old is None or old.interfaces != new.interfaces):
        core.links.watch(new)
