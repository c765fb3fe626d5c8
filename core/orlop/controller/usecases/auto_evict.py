"""A node that is away for long is given up: its replicas are made elsewhere (`semantics.md` section 4).

Only time counts in which this process saw the node away. Nothing on the node is touched, and it can come back.
"""

from __future__ import annotations

import logging

from orlop.controller import balancing
from orlop.controller.core import Core
from orlop.controller.diskless import diskful
from orlop.controller.growing import facts
from orlop.controller.patience import Patience
from orlop.controller.placement import MAINTENANCE, Cluster
from orlop.controller.properties import Kind, Source, effective
from orlop.controller.replication import replicated
from orlop.controller.usecases import evacuation
from orlop.errors import OrlopError
from orlop.model import Node, ResourceDefinition, key

log = logging.getLogger(__name__)
AFTER, ALLOWED = "DrbdOptions/AutoEvictAfterTime", "DrbdOptions/AutoEvictAllowEviction"
MOST_AWAY = "DrbdOptions/AutoEvictMaxDisconnectedNodes"
MINUTES, PERCENT = 720, 34
GONE = frozenset({"EVICTED", "DELETE"})


class AutoEvict:
    """`look` is called again and again, by one thread; it remembers since when each node is away."""

    def __init__(self, core: Core, patience: Patience) -> None:
        self._core, self._patience = core, patience
        self._since: dict[str, float] = {}
        self._told: dict[str, str] = {}  # key of the node -> why it is not evicted, as it was logged last

    def look(self) -> None:
        """Raises nothing: what cannot be done now is logged once and tried at the next look."""
        core, now = self._core, self._core.clock.monotonic()
        nodes = [node for node in core.picture.nodes.values() if node.has_satellite]
        away = {key(node.name): node for node in nodes if not core.reported.online(node.name)}
        self._since = {name: self._since.get(name, now) for name in away}
        if not self._patience.is_over():
            return
        for name, node in sorted(away.items()):
            minutes = _minutes(core, node)
            if node.flags & GONE or now - self._since[name] < minutes * 60:
                continue
            if why := reason_against(core, node, nodes):
                if self._told.get(name) != why:
                    log.warning("node %s is away for more than %d minutes and not evicted: %s", node.name, minutes, why)
                self._told[name] = why
                continue
            self._told.pop(name, None)
            self._evict(node, minutes)

    def _evict(self, node: Node, minutes: int) -> None:
        log.error("node %s is away for more than %d minutes and is evicted", node.name, minutes)
        try:
            evacuation.evict(self._core, node.name)
        except OrlopError as error:
            log.error("node %s could not be evicted: %s", node.name, error)


def reason_against(core: Core, node: Node, nodes: list[Node]) -> str:
    """Why a node that is away must not be evicted now; empty when it may."""
    if MAINTENANCE in node.flags:
        return "it is in maintenance"
    if _said(core, node, ALLOWED, "true") == "false":
        return f"{ALLOWED} is False"
    away = [each for each in nodes if not core.reported.online(each.name)]
    most = _said(core, node, MOST_AWAY, "")
    percent = int(most) if most.isdecimal() else PERCENT
    if len(away) * 100 > percent * len(nodes):
        return f"{len(away)} of {len(nodes)} nodes are away, more than the {percent} % of {MOST_AWAY}"
    definitions = [d for d in core.picture.definitions_on(node.name) if replicated(d) and not d.deleting]
    for definition in definitions:
        if peer := _still_connected(core, definition, node):
            return f"{definition.name} on {peer} is still connected to it: only its satellite is away"
    usable = [n for n in nodes if core.reported.online(n.name) and not n.flags & (GONE | {"EVACUATE", MAINTENANCE})]
    cluster = Cluster(core.picture, core.reported, core.drivers)
    for definition in definitions:
        least = balancing.least_replicas(cluster, definition)
        if _has_disk(definition, node) and len(usable) < least:
            return f"{definition.name} is to have {least} replicas, and only {len(usable)} nodes are left for them"
    return ""


def _has_disk(definition: ResourceDefinition, node: Node) -> bool:
    return any(key(r.node) == key(node.name) for r in diskful(definition))


def _still_connected(core: Core, definition: ResourceDefinition, node: Node) -> str:
    """A node that is online and says that its DRBD sees the one that is away."""
    for resource in definition.resources:
        if key(resource.node) == key(node.name) or not core.reported.online(resource.node):
            continue
        report = core.reported.resource(resource.node, definition.name)
        if any(facts(report, v).get(f"peer/{node.name}/connection") == "Connected" for v in resource.volumes):
            return resource.node
    return ""


def _minutes(core: Core, node: Node) -> int:
    said = _said(core, node, AFTER, "")
    return int(said) if said.isdecimal() else MINUTES


def _said(core: Core, node: Node, name: str, otherwise: str) -> str:
    objects = {
        Kind.NODE: Source(node.name, node.props),
        Kind.CONTROLLER: Source("", core.picture.controller.props),
    }
    found = effective(name, objects)
    return found.value.lower() if found is not None else otherwise
