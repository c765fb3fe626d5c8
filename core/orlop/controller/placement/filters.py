"""Which nodes and pools could take a replica at all, and what speaks against the others. Pure.

Every rule of `semantics.md` section 7.2. All objections are told, not only the first one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial

from orlop.controller import sites
from orlop.controller.diskless import diskful, is_diskless, is_tiebreaker
from orlop.controller.placement.cluster import Cluster
from orlop.controller.placement.objections import Objection
from orlop.controller.placement.spread import Spread
from orlop.controller.placement.standing import TARGET, Objections, OfNode, Standing, Standings, is_no_target
from orlop.controller.reported import Status
from orlop.model import KIB, Node, NodeInfo, ResourceDefinition, SelectFilter, StoragePool, key

MAINTENANCE = "MAINTENANCE"  # of a node: nothing is placed there by itself, and what is there stays
AWAY = frozenset({"DELETE", "EVICTED", "EVACUATE"})
NodeRule = Callable[[Node], str | None]  # why nothing may be placed on a node, beyond the rules that are known here
NOTHING: Objections = ()
ONLINE = Status.ONLINE


class Filters:
    """The rules of one placement, made ready to be asked about every node and pool of the cluster."""

    def __init__(
        self,
        cluster: Cluster,
        size: int,
        rule: SelectFilter,
        layers: tuple[str, ...],
        existing: ResourceDefinition | None,
        node_rule: NodeRule | None = None,
        overprovision: float | None = None,
    ) -> None:
        self._cluster = cluster
        self.standings = cluster.standings or Standings()
        self._size = size
        self._layers = layers
        self._node_rule = node_rule
        self._nodes = {key(name) for name in rule.node_names}
        self._pools = {key(name) for name in rule.storage_pools}
        self._providers = frozenset(rule.providers)
        self._target = is_no_target(cluster.picture.controller.props)
        self._occupied = {key(r.node) for r in existing.resources if not is_tiebreaker(r)} if existing else set()
        self._name = existing.name if existing else ""
        self._neighbours = _neighbours(cluster, rule, existing)
        self._spaces = _shared_spaces(cluster, existing)
        self.picky = bool(self._pools or self._providers or self._spaces)
        self._overprovision = overprovision
        self.spread = Spread(rule, remaining(cluster, existing), partial(sites.site_of, cluster.picture))

    def nodes(self) -> Iterator[tuple[str, OfNode, Objections]]:
        """Every node with a pool that has a backing: its key, how it stands, what speaks against it."""
        reports = self._cluster.reported.nodes
        always = self._nodes or self._target or self._node_rule is not None
        occupied, neighbours, layers = self._occupied, self._neighbours, self._layers
        spread = None if self.spread.silent else self.spread
        for node_key, found in self.standings.of_nodes(self._cluster, self._overprovision):
            report = reports.get(node_key)
            if (
                always
                or not found.plain
                or report is None
                or report.status is not ONLINE
                or node_key in occupied
                or node_key in neighbours
                or (found.unusable and any(support.name in layers for support in found.unusable))
                or (spread is not None and spread.against(found.node))
            ):
                yield node_key, found, self.node(found.node, node_key)
            else:
                yield node_key, found, NOTHING

    def pool(self, standing: Standing) -> Objections:
        """What speaks against a pool, whatever speaks against its node."""
        if standing.against or self.picky or standing.candidate.free < self._size:
            return self._against(standing)
        return NOTHING

    def pools(self) -> Iterator[tuple[str, Standing, Objections, Objections]]:
        """Every pool with a backing: key of its node, how it stands, what speaks against its node and against it."""
        for node_key, found, of_node in self.nodes():
            for standing in found.pools:
                yield node_key, standing, of_node, self.pool(standing)

    def node(self, node: Node, node_key: str) -> Objections:
        """What speaks against a node, whatever pools it has."""
        found: list[Objection] = []
        if not node.has_satellite:
            found.append(Objection("kind", f"it is a {node.kind} node without satellite"))
        if node.flags:
            found += _flagged(node)
        if self._target or TARGET in node.props:
            found += self._no_target(node)
        if self._nodes and node_key not in self._nodes:
            found.append(Objection("node_names", "not one of the wanted nodes", f"ask for node {node.name} too"))
        if node_key in self._occupied:
            found.append(Objection("occupied", f"it already has {self._name}"))
        if node_key in self._neighbours:
            found.append(_bad_neighbour(node, self._neighbours[node_key]))
        report = self._cluster.reported.nodes.get(node_key)
        if report is None or report.status is not ONLINE:
            found.append(Objection("offline", "it is offline", f"bring node {node.name} online"))
        elif report.info is not None:
            found += self._missing_layers(node, report.info)
        found += self.spread.objections(node)
        if self._node_rule is not None and (why := self._node_rule(node)):
            found.append(Objection("node_rule", why))
        return tuple(found)

    def _no_target(self, node: Node) -> Iterator[Objection]:
        if self._target:
            yield Objection("target", f"{TARGET} of the controller is false", f"delete {TARGET} there")
        if is_no_target(node.props):
            yield Objection("target", f"{TARGET} is false", f"delete {TARGET} of node {node.name}")

    def _missing_layers(self, node: Node, info: NodeInfo) -> Iterator[Objection]:
        for support in info.layers:
            if support.reasons and support.name in self._layers:
                yield Objection(
                    "layers",
                    f"layer {support.name}: {', '.join(support.reasons)}",
                    f"make layer {support.name} work on node {node.name}",
                )

    def _against(self, standing: Standing) -> Objections:
        """All that speaks against a pool."""
        pool = standing.pool
        found: list[Objection] = []
        if self._pools and key(pool.name) not in self._pools:
            found.append(
                Objection("storage_pools", "not one of the wanted storage pools", f"ask for pool {pool.name} too")
            )
        if self._providers and pool.provider not in self._providers:
            found.append(
                Objection("providers", f"its provider is {pool.provider}", f"ask for provider {pool.provider} too")
            )
        if pool.shared_space and pool.shared_space in self._spaces:
            other = self._spaces[pool.shared_space]
            found.append(Objection("shared", f"a replica on {other} is in the same space {pool.shared_space}"))
        found += standing.against
        free = standing.candidate.free
        if standing.known and free < self._size:
            missing = -(-(self._size - free) // KIB)
            text = f"{free // KIB} KiB free, {self._size // KIB} KiB needed"
            found.append(Objection("space", text, f"add {missing} KiB to {_where(pool)}"))
        return tuple(found)


def _where(pool: StoragePool) -> str:
    return f"pool {pool.name} on node {pool.node}"


def remaining(cluster: Cluster, existing: ResourceDefinition | None) -> list[Node]:
    """Nodes with replicas that stay: rules of spreading count them."""
    if existing is None:
        return []
    found = (cluster.picture.node(r.node) for r in diskful(existing) if r.flags.isdisjoint(AWAY))
    return [node for node in found if node is not None and node.flags.isdisjoint(AWAY)]


def _flagged(node: Node) -> Iterator[Objection]:
    flags = node.flags & AWAY
    if flags:
        restore = "" if "DELETE" in flags else f"restore node {node.name}"
        yield Objection("flags", f"it is marked {', '.join(sorted(flags))}", restore)
    if MAINTENANCE in node.flags:
        yield Objection("maintenance", f"it is marked {MAINTENANCE}", f"end the maintenance of node {node.name}")


def _bad_neighbour(node: Node, other: str) -> Objection:
    return Objection(
        "not_place_with_resources",
        f"it has {other}, which this resource must not be placed with",
        f"move {other} away from node {node.name}",
    )


def _neighbours(cluster: Cluster, rule: SelectFilter, existing: ResourceDefinition | None) -> dict[str, str]:
    """Node -> a resource on it that must not be a neighbour."""
    if not rule.not_place_with_resources and not rule.not_place_with_resources_regex:
        return {}
    definitions = cluster.picture.definitions
    names = {key(name) for name in rule.not_place_with_resources}
    if rule.not_place_with_resources_regex:
        matches = re.compile(rule.not_place_with_resources_regex, re.IGNORECASE).search
        names.update(at for at, definition in definitions.items() if matches(definition.name))
    if existing is not None:
        names.discard(key(existing.name))
    found: dict[str, str] = {}
    for name in sorted(names & definitions.keys()):
        for resource in definitions[name].resources:
            found.setdefault(key(resource.node), definitions[name].name)
    return found


def _shared_spaces(cluster: Cluster, existing: ResourceDefinition | None) -> dict[str, str]:
    """Shared space -> node whose replica is in it."""
    found: dict[str, str] = {}
    for resource in existing.resources if existing else ():
        if is_diskless(resource):
            continue
        for volume in resource.volumes:
            pool = cluster.picture.pool(resource.node, volume.pool)
            if pool is not None and pool.shared_space:
                found[pool.shared_space] = resource.node
    return found
