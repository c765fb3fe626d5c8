"""What each node has already: counted with every change, so that nobody looks through all definitions for it. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from orlop.controller import drbd_proxy
from orlop.model import ResourceDefinition, key


class Occupied(NamedTuple):
    """Of one node: its resources, and its TCP ports with how many replicas or proxies wait there."""

    resources: int = 0
    ports: Mapping[int, int] = {}


NOTHING = Occupied()
Nodes = Mapping[str, Occupied]  # by key of the node; those that have nothing are not in it


def of_all(definitions: Iterable[ResourceDefinition]) -> dict[str, Occupied]:
    resources: Counter[str] = Counter()
    ports: dict[str, Counter[int]] = {}
    for definition in definitions:
        for at, part in _parts(definition).items():
            resources[at] += part.resources
            ports.setdefault(at, Counter()).update(part.ports)
    return {at: Occupied(resources[at], dict(taken)) for at, taken in ports.items()}


def moved(nodes: Nodes, before: ResourceDefinition | None, after: ResourceDefinition | None) -> Nodes:
    """The counts after a change; the same object where that changes none of them."""
    old, new = _parts(before), _parts(after)
    differing = [at for at in {**old, **new} if old.get(at) != new.get(at)]
    if not differing:
        return nodes
    found = dict(nodes)
    for at in differing:
        seen, left, come = found.pop(at, NOTHING), old.get(at, NOTHING), new.get(at, NOTHING)
        ports = Counter(seen.ports)
        ports.subtract(left.ports)
        ports.update(come.ports)
        now = Occupied(
            seen.resources - left.resources + come.resources, {port: count for port, count in ports.items() if count}
        )
        if now != NOTHING:
            found[at] = now
    return found


def by(definition: ResourceDefinition | None, node: str) -> Occupied:
    """What one definition has on a node."""
    return _parts(definition).get(key(node), NOTHING)


def _parts(definition: ResourceDefinition | None) -> dict[str, Occupied]:
    if definition is None:
        return {}
    nodes = [key(r.node) for r in definition.resources]
    ports = [(key(r.node), port) for r in definition.resources for port in r.ports]
    ends = ((key(node), drbd_proxy.port(c, node)) for c in definition.connections for node in (c.node_a, c.node_b))
    ports += [(at, port) for at, port in ends if port is not None]
    return {
        at: Occupied(nodes.count(at), Counter(port for there, port in ports if there == at))
        for at in {*nodes, *(at for at, _ in ports)}
    }
