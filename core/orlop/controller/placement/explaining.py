"""Why a placement came out as it did, or what it would be: per node and pool what excluded it, and its points. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from orlop.controller.placement.changes import Change, smallest
from orlop.controller.placement.choice import Place
from orlop.controller.placement.cluster import Cluster
from orlop.controller.placement.filters import Filters
from orlop.controller.placement.placing import Attempt
from orlop.controller.placement.standing import Objections
from orlop.model import key
from orlop.plugin import Candidate

LESS = "scores less than those that were chosen"


class PoolExplained(NamedTuple):
    """`rank` counts from 1, among the pools that were ranked: the best one of each node; `points` by part of the score.

    `note` says why a pool that nothing speaks against was not chosen.
    """

    candidate: Candidate
    objections: Objections
    points: Mapping[str, float]
    score: float | None = None
    rank: int | None = None
    chosen: bool = False
    note: str = ""


class NodeExplained(NamedTuple):
    name: str
    objections: Objections
    pools: Sequence[PoolExplained]
    replica: bool  # it has one already


class Explanation(NamedTuple):
    attempt: Attempt
    nodes: Sequence[NodeExplained]
    changes: Sequence[Change]  # none where the placement succeeds


def explained(cluster: Cluster, tried: Attempt, replicas: frozenset[str] = frozenset()) -> Explanation:
    """`replicas`: keys of the nodes that have the data already."""
    pools: dict[str, list[PoolExplained]] = {}
    for pool in _all_pools(tried):
        pools.setdefault(key(pool.candidate.node.name), []).append(pool)
    request = tried.request
    filters = Filters(cluster, request.size, request.rule, request.layers, request.existing, request.node_rule)
    nodes = [
        NodeExplained(
            node.name,
            tried.against_nodes.get(name) or filters.node(node, name),
            sorted(pools.get(name, ()), key=lambda one: key(one.candidate.pool.name)),
            name in replicas,
        )
        for name, node in sorted(cluster.picture.nodes.items())
    ]
    return Explanation(tried, nodes, () if tried.succeeded else smallest(cluster, tried))


def _all_pools(tried: Attempt) -> Iterator[PoolExplained]:
    chosen = set(tried.choice.places or ())
    rank = {index: number for number, index in enumerate(tried.order)}
    best = {(tried.candidates[index].node.name): index for index in reversed(tried.order)}
    for index, candidate in enumerate(tried.candidates):
        points, total = tried.scores.of(index), tried.scores.totals[index]
        number = rank.get(index)
        if number is None:
            other = tried.candidates[best[candidate.node.name]].pool.name
            yield PoolExplained(candidate, (), points, total, note=f"pool {other} of the node scores more")
            continue
        note = "" if number in chosen else _why_not(tried, number)
        yield PoolExplained(candidate, (), points, total, number + 1, number in chosen, note)
    for against in tried.against_pools.values():
        for candidate, objections in against:
            yield PoolExplained(candidate, objections, {})
    for candidate in tried.behind:
        yield PoolExplained(candidate, (), {})


def _why_not(tried: Attempt, number: int) -> str:
    """Why a place was not chosen although it could be."""
    if tried.choice.places is None:
        return "it would do, but not enough others together with it"
    place = tried.places[number]
    others = [(tried.places[at], tried.candidates[tried.order[at]].node.name) for at in tried.choice.places]
    for other, node in others:
        shared = [token for token in place.tokens if token in other.tokens]
        if shared and other.score >= place.score:
            return f"{_named(shared[0])} is that of {node}, which was chosen"
    if all(other.score >= place.score for other, _ in others):
        return LESS
    return _together(place, others)


def _together(place: Place, others: Sequence[tuple[Place, str]]) -> str:
    """Why one with more points than a chosen one makes a worse whole, or none."""
    apart = [node for other, node in others if other.side != place.side]
    if apart:
        return f"it does not go together with {apart[0]}, and others with it score less"
    shared = [(token, node) for other, node in others for token in place.tokens if token in other.tokens]
    if shared:
        token, node = shared[0]
        return f"{_named(token)} is that of {node}, and those that go together with {node} score more"
    return "with it, the rules of spreading leave only choices that score less"


def _named(token: object) -> str:
    if isinstance(token, tuple) and len(token) == 2:
        name, value = token
        return (
            "its node" if name == "node" else f"its shared space {value}" if name == "space" else f"its {name} {value}"
        )
    return str(token)
