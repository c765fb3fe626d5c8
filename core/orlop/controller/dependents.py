"""Definitions whose orders depend on more than themselves: on addresses, on names of nodes, on what others report."""

from __future__ import annotations

from orlop.controller import nvme, orders
from orlop.controller.picture import Draft, Picture
from orlop.controller.reported import Reported
from orlop.drivers import Drivers
from orlop.model import Controller, Node, ResourceDefinition, ResourceGroup, StoragePool, key
from orlop.transport.messages import Report


def touch(drivers: Drivers, before: Picture, draft: Draft) -> None:
    """Gives the next revision to definitions whose orders another change in the draft changes."""
    nodes: set[str] = set()
    anything = False
    for change in draft.changes:
        match change.after:
            case Node(name=name) | StoragePool(node=name):
                nodes.add(name)
            case Controller() | ResourceGroup():
                anything = anything or change.before is not None
    if not (nodes or anything):
        return
    for definition in nvme.concerned(draft, None if anything else nodes):
        if before.definitions.get(key(definition.name)) is definition and _differs(drivers, before, draft, definition):
            draft.put(definition)


def _differs(drivers: Drivers, before: Picture, after: Picture, definition: ResourceDefinition) -> bool:
    return any(
        not orders.same_order(
            orders.wanted_resource(drivers, before, definition, node),
            orders.wanted_resource(drivers, after, definition, node),
        )
        for node in orders.nodes_of(definition)
    )


def to_try_again(picture: Picture, reported: Reported, node: str, report: Report) -> list[tuple[str, str]]:
    """Initiators (keys of node and definition) that failed to connect, of targets that this report says are ready."""
    found = []
    for resource in report.resources:
        definition = picture.definition(resource.name)
        target = nvme.target(definition) if definition else None
        if definition is None or target is None or key(target.node) != key(node) or not resource.settled:
            continue
        for initiator in nvme.initiators(definition):
            last = reported.resource(initiator.node, definition.name)
            if last is not None and not last.settled:
                found.append((key(initiator.node), key(definition.name)))
    return found
