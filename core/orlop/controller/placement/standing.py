"""How every pool stands, whatever is to be placed: its room, and what speaks against it in any case. Pure.

Between two placements hardly anything changes in a large cluster. What was found out about a pool is therefore kept
and used again as long as the very values it follows from are in force; values are frozen, so that is a comparison of
references.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from orlop.controller import capacity, drbd_versions
from orlop.controller.picture import NOTHING, Usage
from orlop.controller.placement.cluster import Cluster
from orlop.controller.placement.objections import Objection
from orlop.drivers import STORAGE
from orlop.errors import UnknownDriver
from orlop.model import Node, ReportedPool, StoragePool
from orlop.plugin import Candidate

DISKLESS = "DISKLESS"
TARGET = "AutoplaceTarget"
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
    """`against` is what speaks against the pool in any case; the five fields after it are what it follows from."""

    candidate: Candidate
    against: Objections
    pool: StoragePool
    node: Node
    seen: ReportedPool | None
    usage: Usage
    load: int  # volumes on the node
    known: bool  # whether it is known how much room there is
    below: Below


class _Basis(NamedTuple):
    """What the standing of every pool depends on, and how pools were found to stand."""

    controller: Mapping[str, str]
    pool_definitions: Mapping[str, object]
    rooms: capacity.Rooms
    pools: Pools
    by_node: Mapping[str, list[tuple[tuple[str, str], StoragePool]]]
    found: dict[tuple[str, str], Standing]


class Standings:
    """One per controller. Requests may use it at the same time: all that they put there is right for all."""

    def __init__(self) -> None:
        self._basis: _Basis | None = None
        self._alike: dict[tuple[tuple[int, ...], bool, bool], Below] = {}

    def of_nodes(
        self, cluster: Cluster, overprovision: float | None = None
    ) -> Iterator[tuple[str, Node, list[Standing]]]:
        """For every node with pools that have a backing: its key, itself, and how its pools stand."""
        basis = self._in_force(cluster, overprovision)
        nodes, usages = cluster.picture.nodes, cluster.picture.usage
        reports = cluster.reported.nodes
        known = basis.found
        for node_key, pools in basis.by_node.items():
            node = nodes.get(node_key)
            if node is None:
                continue
            report = reports.get(node_key)
            seen_there = report.pools if report is not None else {}
            used = [usages.get(at, NOTHING) for at, _ in pools]
            load = sum([usage.volumes for usage in used])
            standings = []
            for (at, pool), usage in zip(pools, used, strict=True):
                seen = seen_there.get(at[1])
                found = known.get(at)
                if found is None or not (
                    found.pool is pool
                    and found.node is node
                    and found.seen is seen
                    and found.usage == usage
                    and found.load == load
                ):
                    found = known[at] = self._standing(cluster, basis.rooms, pool, node, seen, usage, load)
                standings.append(found)
            yield node_key, node, standings

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
        return Standing(candidate, tuple(found), pool, node, seen, usage, load, not room.problem, its)

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
