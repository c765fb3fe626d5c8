"""Which replicas move from full pools to empty ones, with few moves. Pure.

Pools of one name and kind are levelled among themselves, by what is promised in them against what they have. A move
goes from the fullest to the emptiest, and takes the largest replica that does not turn the two round: so every move
makes the two more equal, and the number of moves is near the least that is possible.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from orlop.controller import evacuating, moving, replication, sites
from orlop.controller.calm import is_calm
from orlop.controller.capacity import about, usable_free
from orlop.controller.diskless import diskful
from orlop.controller.moving import REBALANCE, Move, Plan, Staying
from orlop.controller.patience import resting
from orlop.controller.picture import NOTHING
from orlop.controller.placement import Cluster, fits, node_problem
from orlop.controller.placement.standing import DISKLESS
from orlop.drivers import STORAGE
from orlop.errors import Refused
from orlop.model import Node, Resource, ResourceDefinition, SelectFilter, StoragePool, key

THRESHOLD = 5.0  # percent of a pool that it may be fuller or emptier than the mean
EXACT = 1e-9  # shares of a pool that differ by less are equal
BARRED = frozenset({"DELETE", "EVICTED", "EVACUATE", "MAINTENANCE"})
Vetoes = Callable[[int, StoragePool], list[str]]


class Spread(NamedTuple):
    """How full the pools of one name and kind are: percent of the emptiest, on average, of the fullest."""

    pool: str
    provider: str
    pools: int
    emptiest: float
    mean: float
    fullest: float


class _Level:
    """One pool while it is planned; bytes."""

    __slots__ = ("free", "node", "pool", "promised", "replicas", "total")

    def __init__(self, node: Node, pool: StoragePool, promised: int, total: int, free: int) -> None:
        self.node, self.pool, self.promised, self.total, self.free = node, pool, promised, total, free
        self.replicas: list[tuple[int, str, ResourceDefinition, Resource]] = []  # the largest last

    @property
    def fill(self) -> float:
        return self.promised / self.total

    @property
    def names(self) -> tuple[str, str]:
        return key(self.node.name), key(self.pool.name)

    def take(self, size: int) -> None:
        self.promised += size
        self.free -= size


def plan(
    cluster: Cluster,
    threshold: float = THRESHOLD,
    pools: Iterable[str] = (),
    vetoes: Vetoes = lambda size, pool: [],
) -> Plan:
    """Moves that bring every pool within `threshold` percent of its kind's mean; `pools` names the only ones."""
    moves: list[Move] = []
    barred: dict[str, Staying] = {}
    moved: set[str] = set()  # definitions: one replica of each at most
    for levels in _levels(cluster, frozenset(map(key, pools))).values():
        moves += _Kind(cluster, levels, threshold / 100, vetoes, barred).moves(moved)
    return Plan(tuple(moves), tuple(barred[name] for name in sorted(barred) if name not in moved))


def spreads(cluster: Cluster, moves: Iterable[Move] = (), pools: Iterable[str] = ()) -> list[Spread]:
    """How full pools are, or would be after some moves."""
    kinds = _levels(cluster, frozenset(map(key, pools)))
    by_name = {level.names: level for levels in kinds.values() for level in levels}
    for move in moves:
        definition = cluster.picture.definition(move.definition)
        source = next((r for r in definition.resources if r.node == move.source), None) if definition else None
        at = key(source.volumes[0].pool) if source else ""
        for names, size in (((key(move.source or ""), at), -move.size), ((key(move.target or ""), at), move.size)):
            if names in by_name:
                by_name[names].take(size)
    return [_spread(levels) for _, levels in sorted(kinds.items())]


def _spread(levels: list[_Level]) -> Spread:
    fills = [100 * level.fill for level in levels]
    pool = levels[0].pool
    return Spread(pool.name, pool.provider, len(levels), min(fills), 100 * _mean(levels), max(fills))


def _mean(levels: list[_Level]) -> float:
    return sum(level.promised for level in levels) / sum(level.total for level in levels)


def _levels(cluster: Cluster, only: frozenset[str]) -> dict[tuple[str, str], list[_Level]]:
    """By key of the name and provider: the pools that take part, because they work and their nodes may be used."""
    found: dict[tuple[str, str], list[_Level]] = defaultdict(list)
    for (node_key, name), pool in sorted(cluster.picture.pools.items()):
        node = cluster.picture.nodes.get(node_key)
        if node is None or pool.provider == DISKLESS or node.flags & BARRED or (only and name not in only):
            continue
        seen = about(pool, cluster.reported.pool(pool.node, pool.name))
        if not cluster.reported.online(node.name) or seen is None or seen.capacity is None or seen.problem:
            continue
        free = usable_free(cluster.picture, pool, seen, cluster.drivers.load(STORAGE, pool.provider).thin)
        if seen.capacity.total > 0:
            promised = cluster.picture.usage.get((node_key, name), NOTHING).reserved
            found[name, pool.provider].append(_Level(node, pool, promised, seen.capacity.total, free or 0))
    return found


class _Kind:
    """The pools of one name and kind."""

    def __init__(
        self, cluster: Cluster, levels: list[_Level], threshold: float, vetoes: Vetoes, barred: dict[str, Staying]
    ) -> None:
        self._cluster, self._vetoes, self._threshold, self._barred = cluster, vetoes, threshold, barred
        self._mean = _mean(levels)
        self._levels = {level.names: level for level in levels}

    def moves(self, moved: set[str]) -> list[Move]:
        emptiest = [(level.fill, level.names) for level in self._levels.values() if self._lacks(level)]
        if not emptiest:
            return []
        self._note_replicas(moved)
        fullest = [(-level.fill, level.names) for level in self._levels.values() if level.fill > self._mean]
        heapq.heapify(emptiest)
        found = []
        while emptiest and fullest:
            _, names = heapq.heappop(emptiest)
            receiver = self._levels[names]
            move = self._to(receiver, fullest, moved)
            if move is None:
                continue  # nothing anywhere may go there
            found.append(move)
            moved.add(key(move.definition))
            if self._lacks(receiver):
                heapq.heappush(emptiest, (receiver.fill, names))
        return found

    def _lacks(self, level: _Level) -> bool:
        return level.fill < self._mean - self._threshold

    def _note_replicas(self, moved: set[str]) -> None:
        for name, definition in self._cluster.picture.definitions.items():
            if name in moved or not may_move(self._cluster, definition):
                continue
            for resource in diskful(definition):
                level = self._levels.get((key(resource.node), key(resource.volumes[0].pool)))
                if level is None or level.fill <= self._mean or not _is_free(self._cluster, definition, resource):
                    continue
                level.replicas.append((evacuating.size(resource), name, definition, resource))
        for level in self._levels.values():
            level.replicas.sort(key=lambda each: each[:2])

    def _to(self, receiver: _Level, fullest: list[tuple[float, tuple[str, str]]], moved: set[str]) -> Move | None:
        """The next move to a pool; the heap of the fullest ones is brought up to date."""
        heapq.heapify(fullest)
        passed = []
        move = None
        while fullest and move is None:
            place = heapq.heappop(fullest)
            donor = self._levels[place[1]]
            donor.replicas = [each for each in donor.replicas if each[1] not in moved]
            if not donor.replicas or donor.fill <= self._mean:
                continue
            move = self._between(donor, receiver)
            passed.append((-donor.fill, place[1]))
        fullest.extend(passed)
        return move

    def _between(self, donor: _Level, receiver: _Level) -> Move | None:
        gap = donor.fill - receiver.fill + EXACT
        for size, _, definition, resource in reversed(donor.replicas):
            turns_round = size / donor.total + size / receiver.total > gap
            if turns_round or size > receiver.free or not self._allowed(definition, resource, receiver, size):
                continue
            donor.take(-size)
            receiver.take(size)
            names = (resource.node, receiver.node.name, receiver.pool.name)
            return Move(definition.name, REBALANCE, *names, size)
        return None

    def _allowed(self, definition: ResourceDefinition, resource: Resource, to: _Level, size: int) -> bool:
        group = self._cluster.picture.group(definition.group)
        rule = group.select_filter if group else SelectFilter()
        if rule.storage_pools and key(to.pool.name) not in {key(name) for name in rule.storage_pools}:
            return False
        if "false" in (props.get("AutoplaceTarget", "").lower() for props in (to.node.props, to.pool.props)):
            return False
        if not self._same_site(rule, resource, to.node):
            return False
        others = [r for r in diskful(definition) if r.uuid != resource.uuid]
        nodes = [self._cluster.picture.nodes[key(r.node)] for r in others]
        if not fits([*nodes, to.node], rule):
            return False
        added = evacuating.planned(definition, resource, to.node.name, to.pool.name)
        left = evacuating.without(definition, resource)
        try:
            if node_problem(self._cluster, to.node, rule, definition.layers, left) is not None:
                return False
            evacuating.require_room_beside(self._cluster.picture, added)
        except Refused as error:
            why = Staying(definition.name, resource.node, f"{error.message} {error.details}".strip(), error.correction)
            self._barred.setdefault(key(definition.name), why)
            return False
        return not self._vetoes(size, to.pool)

    def _same_site(self, rule: SelectFilter, resource: Resource, to: Node) -> bool:
        """Where a rule says how many replicas a site gets, each stays in its site."""
        if not rule.sites and rule.most_per_site is None and rule.least_per_site is None:
            return True
        picture = self._cluster.picture
        return key(sites.site_of(picture, picture.node(resource.node))) == key(sites.site_of(picture, to))


def may_move(cluster: Cluster, definition: ResourceDefinition) -> bool:
    """Only what is replicated, whole, at rest and in one pool per node."""
    return (
        replication.replicated(definition)
        and not definition.deleting
        and not moving.of(definition)
        and not moving.under_way(definition)
        and bool(definition.volume_definitions)
        and all(r.volumes and len({key(v.pool) for v in r.volumes}) == 1 for r in diskful(definition))
        and not any(r.flags & (BARRED | {"INACTIVE", "AUTO_DISKFUL"}) for r in definition.resources)
        and not resting(cluster.picture, definition)
        and is_calm(cluster.reported, definition)
    )


def _is_free(cluster: Cluster, definition: ResourceDefinition, resource: Resource) -> bool:
    """Whether nobody uses the replica: one in use is not taken from its user."""
    report = cluster.reported.resource(resource.node, definition.name)
    return report is not None and all(v.in_use is False for v in report.volumes)


def least(cluster: Cluster, threshold: float = THRESHOLD) -> int:
    """How many moves there are at least: what the empty pools lack, in pieces of the largest replica there is."""
    found = 0
    for levels in _levels(cluster, frozenset()).values():
        kind = {level.names for level in levels}
        sizes = [
            evacuating.size(r)
            for d in cluster.picture.definitions.values()
            for r in diskful(d)
            if r.volumes and (key(r.node), key(r.volumes[0].pool)) in kind
        ]
        mean, largest = _mean(levels), max(sizes, default=1)
        lacking = (mean - threshold / 100 - level.fill for level in levels)
        lacks = [share * level.total for share, level in zip(lacking, levels, strict=True) if share > 0]
        found += sum(-(-int(size) // largest) for size in lacks)
    return found
