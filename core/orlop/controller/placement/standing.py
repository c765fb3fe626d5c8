"""How every pool stands, whatever is to be placed: its room, and what speaks against it in any case. Pure.

Between two placements hardly anything changes in a large cluster. What was found out about a pool is therefore kept
and used again as long as the very values it follows from are in force; values are frozen, so that is a comparison of
references.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from orlop.controller import capacity, drbd_versions
from orlop.controller.picture import NOTHING, Usage
from orlop.controller.placement.cluster import Cluster
from orlop.controller.placement.objections import Objection
from orlop.drivers import STORAGE
from orlop.errors import UnknownDriver
from orlop.model import Node, NodeInfo, ReportedPool, StoragePool, Support
from orlop.plugin import Candidate

DISKLESS = "DISKLESS"
TARGET = "AutoplaceTarget"
SPOTS = 32  # combinations of properties in rules of spreading that are kept
Objections = tuple[Objection, ...]
Pools = Mapping[tuple[str, str], StoragePool]


class Below:
    """What decides which replicas of one resource go together. There is one object for all pools that are alike in it:
    telling them apart is quick then."""

    __slots__ = ("drbd", "thin", "zfs")

    def __init__(self, drbd: tuple[int, ...], zfs: bool, thin: bool) -> None:
        self.drbd = drbd  # version; empty: not told
        self.zfs = zfs
        self.thin = thin


class Standing(NamedTuple):
    """`against` is what speaks against the pool in any case."""

    node_key: str
    pool_key: str
    candidate: Candidate
    against: Objections
    pool: StoragePool
    node: Node
    known: bool  # how much room there is
    below: Below


class OfNode(NamedTuple):
    """How a node and its pools stand; the fields after `unusable` are what it follows from."""

    node: Node
    pools: Sequence[Standing]
    plain: bool  # nothing about the node itself speaks against it
    unusable: Sequence[Support]  # layers
    its_pools: Sequence[tuple[tuple[str, str], StoragePool]]
    seen: Sequence[ReportedPool | None]
    usages: Sequence[Usage]
    info: NodeInfo | None


class _Basis(NamedTuple):
    """What the standing of every pool depends on, and how pools were found to stand."""

    controller: Mapping[str, str]
    pool_definitions: Mapping[str, object]
    rooms: capacity.Rooms
    pools: Pools
    by_node: Mapping[str, list[tuple[tuple[str, str], StoragePool]]]
    found: dict[str, OfNode]


class Standings:
    """One per controller. Requests may use it at the same time: all that they put there is right for all."""

    def __init__(self) -> None:
        self._basis: _Basis | None = None
        self._alike: dict[tuple[tuple[int, ...], bool, bool], Below] = {}
        self._spots: dict[Hashable, dict[str, tuple[Node, Any]]] = {}

    def of_nodes(self, cluster: Cluster, overprovision: float | None = None) -> Iterator[tuple[str, OfNode]]:
        """Every node with pools that have a backing, by key."""
        basis = self._in_force(cluster, overprovision)
        nodes, usage = cluster.picture.nodes, cluster.picture.usage
        reports = cluster.reported.nodes
        known = basis.found
        for node_key, pools in basis.by_node.items():
            node = nodes.get(node_key)
            if node is None:
                continue
            report = reports.get(node_key)
            info = report.info if report is not None else None
            reported = report.pools if report is not None else {}
            seen = [reported.get(at[1]) for at, _ in pools]
            usages = [usage.get(at, NOTHING) for at, _ in pools]
            found = known.get(node_key)
            if (
                found is None
                or found.node is not node
                or found.info is not info
                or found.its_pools is not pools
                or found.seen != seen
                or found.usages != usages
            ):
                found = known[node_key] = self._stands(cluster, basis.rooms, node, info, pools, seen, usages)
            yield node_key, found

    def _stands(
        self,
        cluster: Cluster,
        rooms: capacity.Rooms,
        node: Node,
        info: NodeInfo | None,
        pools: Sequence[tuple[tuple[str, str], StoragePool]],
        seen: Sequence[ReportedPool | None],
        usages: Sequence[Usage],
    ) -> OfNode:
        load = sum(usage.volumes for usage in usages)
        standings = [
            self._standing(cluster, rooms, at, pool, node, report, usage, load)
            for (at, pool), report, usage in zip(pools, seen, usages, strict=True)
        ]
        plain = node.has_satellite and not node.flags and TARGET not in node.props
        unusable = [support for support in info.layers if not support.usable] if info else []
        return OfNode(node, standings, plain, unusable, pools, seen, usages, info)

    def spots(self, names: Hashable) -> dict[str, tuple[Node, Any]]:
        """What rules about these properties made of each node, to be filled by whoever asks."""
        if len(self._spots) > SPOTS:
            self._spots = {}
        return self._spots.setdefault(names, {})

    def _in_force(self, cluster: Cluster, overprovision: float | None) -> _Basis:
        """What was kept, as far as it still holds. What a single group or request decides is not kept."""
        picture, before = cluster.picture, self._basis
        same_pools = before is not None and before.pools is picture.pools
        by_node = before.by_node if before is not None and same_pools else _by_node(picture.pools)
        special = overprovision is not None or any(capacity.LEAST in of.props for of in cluster.asked.values())
        same = (
            before is not None
            and before.controller is picture.controller.props
            and before.pool_definitions is picture.pool_definitions
        )
        if same and not special and before is not None:
            if same_pools:
                return before
            basis = before._replace(pools=picture.pools, by_node=by_node)
        else:
            rooms = capacity.Rooms(picture, cluster.asked, overprovision)
            controller, definitions = picture.controller.props, picture.pool_definitions
            basis = _Basis(controller, definitions, rooms, picture.pools, by_node, {})
        if not special:
            self._basis = basis
        return basis

    def _standing(
        self,
        cluster: Cluster,
        rooms: capacity.Rooms,
        at: tuple[str, str],
        pool: StoragePool,
        node: Node,
        seen: ReportedPool | None,
        usage: Usage,
        load: int,
    ) -> Standing:
        where = f"pool {pool.name} on node {pool.node}"
        found: list[Objection] = []
        if is_no_target(pool.props):
            found.append(Objection("target", f"{TARGET} is false", f"delete {TARGET} of {where}"))
        its = self.below(cluster, pool)
        try:
            room = rooms.room(pool, node, seen, usage, is_thin(cluster, pool))
        except UnknownDriver as error:
            room = capacity.Room(problem=str(error))
        if room.problem:
            found.append(Objection("unknown", room.problem, f"repair {where}"))
        elif room.warning:
            found.append(Objection("nearly_full", room.warning, f"add space to {where}, or free some"))
        candidate = Candidate(node, pool, room.free, room.total, usage.reserved, usage.volumes, load)
        return Standing(at[0], at[1], candidate, tuple(found), pool, node, not room.problem, its)

    def below(self, cluster: Cluster, pool: StoragePool) -> Below:
        try:
            thin = is_thin(cluster, pool)
        except UnknownDriver:
            thin = False
        values = (drbd_versions.version(cluster.picture, pool.node), pool.provider.startswith("ZFS"), thin)
        return self._alike.setdefault(values, Below(*values))


def _by_node(pools: Pools) -> dict[str, list[tuple[tuple[str, str], StoragePool]]]:
    found: dict[str, list[tuple[tuple[str, str], StoragePool]]] = {}
    for at, pool in pools.items():
        if pool.provider != DISKLESS:
            found.setdefault(at[0], []).append((at, pool))
    return found


def is_thin(cluster: Cluster, pool: StoragePool) -> bool:
    """Raises `UnknownDriver`."""
    return bool(cluster.drivers.load(STORAGE, pool.provider).thin)


def is_no_target(props: Mapping[str, str]) -> bool:
    return props.get(TARGET, "").lower() == "false"
