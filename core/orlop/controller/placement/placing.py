"""Choose nodes and pools: filters, then the points of a policy, then the best choice that the rules allow.

Every candidate that is turned down keeps its reasons, and the error prints them, one line per node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orlop.codes import Fail
from orlop.controller.placement.cells import Grouping
from orlop.controller.placement.choice import Choice, Place, choose
from orlop.controller.placement.cluster import Cluster
from orlop.controller.placement.filters import Filters, NodeRule
from orlop.controller.placement.mixing import Mixing
from orlop.controller.placement.objections import Objection
from orlop.controller.placement.scoring import Scores, Weight, scores
from orlop.controller.placement.standing import Objections, Standing
from orlop.errors import Refused
from orlop.model import KIB, Node, ResourceDefinition, SelectFilter, StoragePool, key
from orlop.plugin import Candidate

Vetoes = Callable[[int, StoragePool], list[str]]
Preselect = Callable[[int, Sequence[StoragePool]], Sequence[StoragePool]]


class Request(NamedTuple):
    """What is to be placed, and who has a say. `size` is bytes that each replica takes from its pool."""

    wanted: int
    size: int
    rule: SelectFilter
    layers: tuple[str, ...]
    existing: ResourceDefinition | None = None
    vetoes: Vetoes | None = None
    weight: Weight | None = None
    preselect: Preselect | None = None
    node_rule: NodeRule | None = None
    overprovision: float | None = None  # stands in for all over-subscription ratios of thin pools


class Attempt(NamedTuple):
    """All that was found out on the way to a choice. `order` and `places` go together, best first."""

    request: Request
    candidates: Sequence[Candidate]  # that nothing speaks against
    scores: Scores
    order: Sequence[int]  # indexes of the candidates that were ranked: the best one of each node
    places: Sequence[Place]
    choice: Choice
    grouping: Grouping
    against_nodes: Mapping[str, Objections]  # by key of the node
    against_pools: Mapping[str, Sequence[tuple[Candidate, Objections]]]  # by key of the node
    behind: Sequence[Candidate]  # pools that only their node speaks against

    @property
    def chosen(self) -> list[Candidate]:
        return [self.candidates[self.order[place]] for place in self.choice.places or ()]

    @property
    def succeeded(self) -> bool:
        return self.choice.places is not None


class NotEnoughNodes(Refused):
    """No choice satisfies the request. `reasons` has one line per node."""

    code = Fail.NOT_ENOUGH_NODES

    def __init__(
        self,
        wanted: int,
        size: int,
        reasons: Iterable[str],
        attempt: Attempt | None = None,
        changes: Sequence[str] = (),
    ) -> None:
        """`changes`: each would make it succeed, the smallest one first."""
        self.reasons = tuple(reasons)
        self.attempt = attempt
        self.changes = tuple(changes)
        room = f" with {size // KIB} KiB free each" if size else ""
        cause = f"{wanted} node{'s' if wanted != 1 else ''}{room} {'are' if wanted != 1 else 'is'} needed."
        if attempt is not None and not attempt.choice.complete:
            cause += f" There may be a choice: {attempt.choice.steps} attempts were made and found none."
        help_ = "Add nodes or pools, free space, or relax the filters named above."
        if changes:
            help_ = f"The smallest change: {changes[0]}." + "".join(f" Or: {text}." for text in changes[1:4])
        super().__init__("Not enough available nodes", cause=cause, details="\n".join(self.reasons), correction=help_)


def place(
    cluster: Cluster,
    wanted: int,
    size: int,
    rule: SelectFilter,
    layers: tuple[str, ...],
    existing: ResourceDefinition | None = None,
    vetoes: Vetoes | None = None,
    weight: Weight | None = None,
    *,
    preselect: Preselect | None = None,
    node_rule: NodeRule | None = None,
) -> list[Candidate]:
    """`wanted` candidates on different nodes for replicas of `size` bytes, best first; raises `NotEnoughNodes`.

    `node_rule` says why nothing may be placed on a node, where more than the request and the cluster decides it.
    """
    tried = attempt(cluster, Request(wanted, size, rule, layers, existing, vetoes, weight, preselect, node_rule))
    if not tried.succeeded:
        raise refusal(cluster, tried)
    return tried.chosen


def attempt(cluster: Cluster, request: Request) -> Attempt:
    """Looks for a choice; raises only where the request itself makes no sense."""
    filters = Filters(
        cluster,
        request.size,
        request.rule,
        request.layers,
        request.existing,
        request.node_rule,
        request.overprovision,
    )
    mixing = Mixing(cluster, filters.standings, request.layers, request.existing)
    found: list[Standing] = []
    behind: list[Candidate] = []
    against_nodes: dict[str, Objections] = {}
    against_pools: dict[str, list[tuple[Candidate, Objections]]] = {}
    size, picky = request.size, filters.picky or bool(mixing.taken)
    for node_key, of, of_node in filters.nodes():
        if of_node:
            against_nodes[node_key] = of_node
        for standing in of.pools:
            if picky or standing.against or standing.candidate.free < size:
                of_pool = (*filters.pool(standing), *mixing.objections(standing.below, standing.pool.provider))
                if of_pool:
                    against_pools.setdefault(node_key, []).append((standing.candidate, of_pool))
                    continue
            if of_node:
                behind.append(standing.candidate)
            else:
                found.append(standing)
    found, turned_down = _asked_of_plugins(request, found)
    for standing, why in turned_down:
        against_pools.setdefault(key(standing.node.name), []).append((standing.candidate, why))
    candidates = [standing.candidate for standing in found]
    points = scores(cluster, request.rule, request.size, request.wanted, candidates, request.weight)
    order, places = _places(filters, mixing, found, points)
    grouping = filters.spread.grouping
    choice = choose(places, request.wanted, grouping) if request.wanted > 0 else Choice(())
    return Attempt(request, candidates, points, order, places, choice, grouping, against_nodes, against_pools, behind)


def _asked_of_plugins(
    request: Request, found: list[Standing]
) -> tuple[list[Standing], list[tuple[Standing, Objections]]]:
    """Those that plugins leave, and those they speak against."""
    if request.preselect is None and request.vetoes is None:
        return found, []
    kept: list[Standing] = []
    turned_down: list[tuple[Standing, Objections]] = []
    pools = [standing.pool for standing in found]
    selected = pools if request.preselect is None else request.preselect(request.size, pools)
    names = {(pool.node, pool.name) for pool in selected}
    for standing in found:
        pool = standing.pool
        if (pool.node, pool.name) not in names:
            turned_down.append((standing, (Objection("preselect", "a plugin has not preselected it"),)))
        elif request.vetoes is not None and (vetoes := request.vetoes(request.size, pool)):
            turned_down.append((standing, tuple(Objection("veto", why) for why in vetoes)))
        else:
            kept.append(standing)
    return kept, turned_down


def _places(
    filters: Filters, mixing: Mixing, found: Sequence[Standing], points: Scores
) -> tuple[list[int], list[Place]]:
    """The best pool of each node, as places, best first.

    Rules look at nodes. Only where pools of one node differ in what goes together, or share their space with other
    nodes, more than one of them matters.
    """
    best = _best_of_nodes(mixing, found, points.totals)
    ranked = sorted([(-points.totals[index], found[index].node_key, found[index].pool_key, index) for index in best])
    spaces = any(found[index].pool.shared_space for index in best)
    spread = filters.spread
    spots = {} if spread.names is None else filters.standings.spots(spread.names)
    order, places = [], []
    for score, name, _, index in ranked:
        standing = found[index]
        node, space = standing.node, standing.pool.shared_space
        spot = spots.get(name)
        if spot is None or spot[0] is not node:
            spot = spots[name] = (node, spread.place(node))
        tokens, alike, cell = spot[1]
        if spaces:
            tokens = (("node", name), *((("space", space),) if space else ()), *tokens)
        order.append(index)
        places.append(Place(-score, tokens, (mixing.side(standing.below), alike), cell))
    return order, places


def _best_of_nodes(mixing: Mixing, found: Sequence[Standing], totals: Sequence[float]) -> list[int]:
    """Of each node the best pool for each side and shared space. The pools of a node follow each other."""
    best: list[int] = []
    of_node: dict[tuple[int, str] | int, int] = {}
    node = None
    for index, standing in enumerate(found):
        if standing.node is not node:
            best += of_node.values()
            node, of_node = standing.node, {}
        side, space = id(mixing.side(standing.below)), standing.pool.shared_space
        at = (side, space) if space else side
        before = of_node.get(at)
        if (
            before is None
            or totals[index] > totals[before]
            or (totals[index] == totals[before] and standing.pool_key < found[before].pool_key)
        ):
            of_node[at] = index
    return [*best, *of_node.values()]


def candidates(
    cluster: Cluster, size: int, rule: SelectFilter, layers: tuple[str, ...], existing: ResourceDefinition | None
) -> Iterator[tuple[Candidate, str | None]]:
    """Every pool with a backing on a node that could be used, with the reason against it or None."""
    for _, standing, of_node, of_pool in Filters(cluster, size, rule, layers, existing).pools():
        if not of_node:
            yield standing.candidate, "; ".join(objection.text for objection in of_pool) or None


def node_check(
    cluster: Cluster,
    rule: SelectFilter,
    layers: tuple[str, ...],
    existing: ResourceDefinition | None = None,
) -> Callable[[Node], str | None]:
    """A function that says why nothing may be placed on a node at all."""
    filters = Filters(cluster, 0, rule, layers, existing)

    def check(node: Node) -> str | None:
        return "; ".join(objection.text for objection in filters.node(node, key(node.name))) or None

    return check


def node_problem(
    cluster: Cluster, node: Node, rule: SelectFilter, layers: tuple[str, ...], existing: ResourceDefinition | None
) -> str | None:
    """Why nothing may be placed on a node at all; for many nodes use `node_check`."""
    return node_check(cluster, rule, layers, existing)(node)


def refusal(cluster: Cluster, tried: Attempt, changes: Sequence[str] = ()) -> NotEnoughNodes:
    """What the user is told: what was asked, what stood in the way on each node, and what would help."""
    request = tried.request
    return NotEnoughNodes(request.wanted, request.size, lines(cluster, tried), tried, changes)


def lines(cluster: Cluster, tried: Attempt) -> list[str]:
    """One sentence per node of the cluster."""
    best: dict[str, str] = {}
    for index in tried.order:
        best.setdefault(key(tried.candidates[index].node.name), tried.candidates[index].pool.name)
    wanted = tried.request.wanted
    short = (
        f"but {wanted} nodes are needed and {len(best)} would do"
        if len(best) < wanted
        else "but not together with the spread rules"
    )
    filters = Filters(cluster, 0, tried.request.rule, (), tried.request.existing, tried.request.node_rule)
    found = []
    for name, node in sorted(cluster.picture.nodes.items()):
        objections = tried.against_nodes.get(name) or filters.node(node, name)
        text = "; ".join(objection.text for objection in objections)
        if not text and name in best:
            text = f"pool {best[name]} would do, {short}"
        elif not text:
            text = "; ".join(_pool_text(*one) for one in tried.against_pools.get(name, ()))
        found.append(f"node {node.name}: {text or 'it has no storage pool'}")
    return found


def _pool_text(candidate: Candidate, objections: Objections) -> str:
    return f"pool {candidate.pool.name}: " + "; ".join(objection.text for objection in objections)
