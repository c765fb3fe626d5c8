"""What would have to change for a placement to succeed: the smallest change first. Pure.

A change of the cluster is found by the same search that finds places: each pool costs as many changes as speak
against it, and the cheapest choice that the rules of spreading allow is the answer. Where a node stands is a fact that
no advice changes. Changes of the request are tried one by one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from orlop.controller.placement.cells import Grouping
from orlop.controller.placement.choice import Place, choose
from orlop.controller.placement.cluster import Cluster
from orlop.controller.placement.filters import Filters
from orlop.controller.placement.mixing import Mixing
from orlop.controller.placement.objections import Objection
from orlop.controller.placement.placing import Attempt, Request, attempt
from orlop.model import KIB, SelectFilter, key

SITES = ("sites", "most_per_site", "least_per_site")
SPREADING = ("replicas_on_same", "replicas_on_different", "x_replicas_on_different", *SITES)
LEFT_OUT = ("node_names", "storage_pools", "providers", "not_place_with_resources", *SPREADING)
WITH = {"not_place_with_resources": ("not_place_with_resources_regex",)}
NAMES = {  # as clients know them
    "node_names": "node_name_list",
    "storage_pools": "storage_pool_list",
    "providers": "provider_list",
    "not_place_with_resources": "not_place_with_rsc",
    "x_replicas_on_different": "x_replicas_on_different_map",
    "sites": "site_list",
}


class Change(NamedTuple):
    """`steps` have to be done together; `request`: only what is asked changes, nothing in the cluster.

    `rule` and `wanted` and `size` are what to ask for instead.
    """

    steps: tuple[str, ...]
    request: bool = False
    rule: SelectFilter | None = None
    wanted: int | None = None
    size: int | None = None

    @property
    def text(self) -> str:
        return " and ".join(self.steps)


def smallest(cluster: Cluster, tried: Attempt) -> list[Change]:
    """Changes that would make a placement succeed that failed, those with the fewest steps first."""
    found = [*_of_the_cluster(cluster, tried), *_of_the_request(cluster, tried)]
    return sorted(found, key=lambda change: len(change.steps))  # stable: those of the cluster are before the others


# -- the cluster ------------------------------------------------------------------------------------------------------


class _Mended(NamedTuple):
    """A pool as it would be after `steps`."""

    steps: tuple[str, ...]
    node: str
    pool: str
    place: Place


def _of_the_cluster(cluster: Cluster, tried: Attempt) -> Iterator[Change]:
    request = tried.request
    filters, mixing = _rules(cluster, request)
    mended = sorted(_all_mended(filters, mixing, tried), key=lambda one: (-one.place.score, one.node, one.pool))
    choice = choose([one.place for one in mended], request.wanted, filters.spread.grouping)
    if choice.places is not None:
        steps = dict.fromkeys(step for place in choice.places for step in mended[place].steps)
        yield Change(_needed(tuple(steps), mended, request.wanted, filters.spread.grouping))
    short = request.wanted - _most(tried)
    fitting = ", with the properties that the rules of spreading want" if not filters.spread.silent else ""
    yield Change((f"add {_nodes(short)} with {_size(request.size)} free{fitting}",))


def _needed(steps: tuple[str, ...], mended: list[_Mended], wanted: int, grouping: Grouping) -> tuple[str, ...]:
    """Without those that can be left out: one step may mend several pools, and was counted for each of them."""
    for step in steps:
        left = tuple(each for each in steps if each != step)
        there = [one.place for one in mended if set(one.steps).issubset(left)]
        if choose(there, wanted, grouping).places is not None:
            steps = left
    return steps


def _rules(cluster: Cluster, request: Request) -> tuple[Filters, Mixing]:
    filters = Filters(cluster, request.size, request.rule, request.layers, request.existing, request.node_rule)
    return filters, Mixing(cluster, filters.standings, request.layers, request.existing)


def _all_mended(filters: Filters, mixing: Mixing, tried: Attempt) -> Iterator[_Mended]:
    """Every pool against which nothing speaks that nobody can change."""
    by_plugins = {
        (candidate.pool.node, candidate.pool.name): objections
        for pools in tried.against_pools.values()
        for candidate, objections in pools
    }
    for node_key, standing, of_node, of_pool in filters.pools():
        pool = standing.pool
        objections = (*of_node, *(by_plugins.get((pool.node, pool.name)) or of_pool))
        if any(not objection.change for objection in objections):
            continue
        place = filters.spread.mended(standing.node)
        if place is None:
            continue
        tokens, alike, cell = place
        tokens = (("node", node_key), *((("space", pool.shared_space),) if pool.shared_space else ()), *tokens)
        steps = tuple(objection.change for objection in objections)
        side = mixing.side(standing.below)
        lacking = max(0, tried.request.size - standing.candidate.free) / max(1, tried.request.size)
        cost = len(steps) + lacking / 1000  # among as many steps, the least space
        yield _Mended(steps, node_key, key(pool.name), Place(-cost, tokens, (side, alike), cell))


# -- the request ------------------------------------------------------------------------------------------------------


def _of_the_request(cluster: Cluster, tried: Attempt) -> Iterator[Change]:
    request = tried.request
    for field in LEFT_OUT:
        if not any(getattr(request.rule, name) for name in (field, *WITH.get(field, ()))):
            continue
        empty = SelectFilter()
        rule = replace(request.rule, **{name: getattr(empty, name) for name in (field, *WITH.get(field, ()))})
        if attempt(cluster, request._replace(rule=rule)).succeeded:
            yield Change((f"leave {NAMES.get(field, field)} out",), True, rule=rule)
    size = _largest(cluster, tried)
    if size:
        yield Change((f"ask for {_size(size)} per replica at most",), True, size=size)
    most = _most(tried)
    if most:
        more = "replica" if most == 1 else "replicas"
        yield Change((f"ask for {most} {more} instead of {request.wanted}",), True, wanted=most)


def _most(tried: Attempt) -> int:
    """How many replicas could be placed."""
    for count in range(tried.request.wanted - 1, 0, -1):
        if choose(tried.places, count, tried.grouping).places is not None:
            return count
    return 0


def _largest(cluster: Cluster, tried: Attempt) -> int:
    """The most bytes with which the placement would succeed; 0 where the size is not what stands in the way."""
    request = tried.request
    lacking = [
        candidate.free
        for node, pools in tried.against_pools.items()
        if node not in tried.against_nodes
        for candidate, objections in pools
        if _only_space(objections) and candidate.free > 0
    ]
    sizes = sorted({free - free % KIB for free in lacking if free >= KIB})
    low, high = 0, len(sizes)  # the first `low` sizes work
    while low < high:
        middle = (low + high + 1) // 2
        if attempt(cluster, request._replace(size=sizes[middle - 1])).succeeded:
            low = middle
        else:
            high = middle - 1
    return sizes[low - 1] if low else 0


def _only_space(objections: Iterable[Objection]) -> bool:
    return all(objection.rule == "space" for objection in objections)


def _nodes(count: int) -> str:
    return f"{count} node" if count == 1 else f"{count} nodes"


def _size(size: int) -> str:
    return f"{size // KIB} KiB"
