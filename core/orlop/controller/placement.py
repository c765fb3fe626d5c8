"""Choose nodes and pools: filters, then most free space, then a choice that satisfies the spread rules. Pure.

Every candidate that is turned down keeps its reason, and the error prints them, one line per node.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import NamedTuple

from orlop.codes import Fail
from orlop.controller.capacity import about, nearly_full, usable_free
from orlop.controller.diskless import diskful, is_tiebreaker
from orlop.controller.picture import Picture
from orlop.controller.properties.effective import Objects
from orlop.controller.reported import Reported, Status
from orlop.drivers import STORAGE, Drivers
from orlop.errors import Refused, UnknownDriver
from orlop.model import Node, ResourceDefinition, SelectFilter, StoragePool, key

DISKLESS = "DISKLESS"


class Candidate(NamedTuple):
    node: Node
    pool: StoragePool
    free: int  # bytes that may still be promised


class Cluster(NamedTuple):
    """What placement looks at."""

    picture: Picture
    reported: Reported
    drivers: Drivers
    asked: Objects = {}  # the definition and the group that are placed: they decide some properties of placement


class NotEnoughNodes(Refused):
    """No choice satisfies the request. `reasons` has one line per node and pool that was turned down."""

    code = Fail.NOT_ENOUGH_NODES

    def __init__(self, wanted: int, size: int, reasons: Iterable[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            "Not enough available nodes",
            cause=f"{wanted} node{'s' if wanted != 1 else ''} with {size // 1024} KiB free each are needed.",
            details="\n".join(self.reasons),
            correction="Add nodes or pools, free space, or relax the filters named above.",
        )


def place(
    cluster: Cluster,
    wanted: int,
    size: int,
    rule: SelectFilter,
    layers: tuple[str, ...],
    existing: ResourceDefinition | None = None,
    vetoes: Callable[[int, StoragePool], list[str]] = lambda size, pool: [],
    weight: Callable[[int, StoragePool], float] = lambda size, pool: 0.0,
) -> list[Candidate]:
    """`wanted` candidates on different nodes for replicas of `size` bytes; raises `NotEnoughNodes`."""
    reasons: dict[str, list[str]] = {}
    best: dict[str, Candidate] = {}
    largest = 1
    found = []
    for candidate, why in candidates(cluster, size, rule, layers, existing):
        if why is None:
            objections = vetoes(size, candidate.pool)
            why = "; ".join(objections) or None
        if why is not None:
            reasons.setdefault(key(candidate.node.name), []).append(f"pool {candidate.pool.name}: {why}")
            continue
        found.append(candidate)
        largest = max(largest, candidate.free)
    ranked = [(-(c.free / largest + weight(size, c.pool)), *_names(c), c) for c in found]
    for _, node, _, candidate in sorted(ranked, key=itemgetter(0, 1, 2)):
        best.setdefault(node, candidate)
    chosen = _spread(list(best.values()), wanted, rule, _existing_nodes(cluster.picture, existing))
    if chosen is None:
        raise NotEnoughNodes(wanted, size, _explain(cluster, wanted, rule, existing, reasons, best))
    return chosen


def _names(candidate: Candidate) -> tuple[str, str]:
    return key(candidate.node.name), key(candidate.pool.name)


def candidates(
    cluster: Cluster, size: int, rule: SelectFilter, layers: tuple[str, ...], existing: ResourceDefinition | None
) -> Iterable[tuple[Candidate, str | None]]:
    """Every pool with a backing on a node that could be used, with the reason against it or None."""
    pools = {key(name) for name in rule.storage_pools}
    for (node_key, _), pool in cluster.picture.pools.items():
        node = cluster.picture.nodes.get(node_key)
        if node is None or pool.provider == DISKLESS or node_problem(cluster, node, rule, layers, existing):
            continue
        why = None
        free = 0
        if pools and key(pool.name) not in pools:
            why = "not one of the wanted storage pools"
        elif rule.providers and pool.provider not in rule.providers:
            why = f"its provider is {pool.provider}"
        elif _is_no_target(pool.props):
            why = "AutoplaceTarget is false"
        else:
            free, why = _space(cluster, pool, size)
        yield Candidate(node, pool, free), why


def _space(cluster: Cluster, pool: StoragePool, size: int) -> tuple[int, str | None]:
    seen = about(pool, cluster.reported.pool(pool.node, pool.name))
    try:
        thin = bool(cluster.drivers.load(STORAGE, pool.provider).thin)
    except UnknownDriver as error:
        return 0, str(error)
    free = usable_free(cluster.picture, pool, seen, thin)
    if free is None or seen is None:
        return 0, (seen.problem if seen else "") or "its free space is not known yet"
    if seen.warning:
        return free, seen.warning
    if thin and (why := nearly_full(cluster.picture, pool, seen, cluster.asked)):
        return free, why
    if free < size:
        return free, f"{free // 1024} KiB free, {size // 1024} KiB needed"
    return free, None


def node_problem(
    cluster: Cluster, node: Node, rule: SelectFilter, layers: tuple[str, ...], existing: ResourceDefinition | None
) -> str | None:
    """Why nothing may be placed on a node at all."""
    if not node.has_satellite:
        return f"it is a {node.kind} node without satellite"
    if flags := node.flags & {"DELETE", "EVICTED", "EVACUATE", "MAINTENANCE"}:
        return f"it is marked {', '.join(sorted(flags))}"
    if rule.node_names and key(node.name) not in {key(name) for name in rule.node_names}:
        return "not one of the wanted nodes"
    if _is_no_target(node.props):
        return "AutoplaceTarget is false"
    if existing and any(key(r.node) == key(node.name) and not is_tiebreaker(r) for r in existing.resources):
        return f"it already has {existing.name}"
    report = cluster.reported.nodes.get(key(node.name))
    if report is None or report.status is not Status.ONLINE:
        return "it is offline"
    missing = [s for s in report.info.layers if s.name in layers and not s.usable] if report.info else []
    if missing:
        return "; ".join(f"layer {s.name}: {', '.join(s.reasons)}" for s in missing)
    return _neighbours(cluster.picture, node, rule) or _fixed_values(node, rule)


def _is_no_target(props: Mapping[str, str]) -> bool:
    return "AutoplaceTarget" in props and props["AutoplaceTarget"].lower() == "false"


def _neighbours(picture: Picture, node: Node, rule: SelectFilter) -> str | None:
    if not rule.not_place_with_resources and not rule.not_place_with_resources_regex:
        return None
    names = {key(name) for name in rule.not_place_with_resources}
    pattern = rule.not_place_with_resources_regex
    for definition in picture.definitions_on(node.name):
        if key(definition.name) in names or (pattern and re.search(pattern, definition.name, re.IGNORECASE)):
            return f"it has {definition.name}, which this resource must not be placed with"
    return None


def _fixed_values(node: Node, rule: SelectFilter) -> str | None:
    """Rules that name a value (`key=value`) and need no look at other replicas."""
    if not rule.replicas_on_same and not rule.replicas_on_different:
        return None
    for name, _, value in (text.partition("=") for text in rule.replicas_on_same):
        if name not in node.props:
            return f"it lacks the property {name}"
        if value and node.props[name] != value:
            return f"its {name} is {node.props[name]}, not {value}"
    for name, _, value in (text.partition("=") for text in rule.replicas_on_different):
        if value and node.props.get(name) == value:
            return f"its {name} is {value}"
    return None


def _existing_nodes(picture: Picture, existing: ResourceDefinition | None) -> list[Node]:
    if existing is None:
        return []
    found = [picture.node(r.node) for r in diskful(existing)]
    return [node for node in found if node is not None]


def _spread(candidates: list[Candidate], wanted: int, rule: SelectFilter, taken: list[Node]) -> list[Candidate] | None:
    """The first choice, best candidates first, whose nodes together with those taken satisfy the rules."""

    def extend(chosen: list[Candidate], start: int) -> list[Candidate] | None:
        if len(chosen) == wanted:
            return chosen
        for index in range(start, len(candidates) - (wanted - len(chosen)) + 1):
            nodes = [*taken, *(c.node for c in chosen), candidates[index].node]
            if fits(nodes, rule):
                whole = extend([*chosen, candidates[index]], index + 1)
                if whole is not None:
                    return whole
        return None

    return extend([], 0)


def fits(nodes: list[Node], rule: SelectFilter) -> bool:
    """Whether a resource on these nodes is spread as the rule wants it."""
    for name in (text.partition("=")[0] for text in rule.replicas_on_same):
        if len({node.props.get(name) for node in nodes}) > 1:
            return False
    for name in (text.partition("=")[0] for text in rule.replicas_on_different):
        values = [node.props[name] for node in nodes if name in node.props]
        if len(values) != len(set(values)):
            return False
    for name, count in rule.x_replicas_on_different.items():
        values = [node.props.get(name, "") for node in nodes]
        sizes = [values.count(value) for value in set(values)]
        if any(size > count for size in sizes) or sum(size < count for size in sizes) > 1:
            return False
    return True


def _explain(
    cluster: Cluster,
    wanted: int,
    rule: SelectFilter,
    existing: ResourceDefinition | None,
    reasons: dict[str, list[str]],
    best: dict[str, Candidate],
) -> list[str]:
    lines = []
    short = (
        f"but {wanted} nodes are needed and {len(best)} would do"
        if len(best) < wanted
        else "but not together with the spread rules"
    )
    for name, node in sorted(cluster.picture.nodes.items()):
        problem = node_problem(cluster, node, rule, (), existing)
        if problem is None and name in best:
            problem = f"pool {best[name].pool.name} would do, {short}"
        if problem is None:
            problem = "; ".join(reasons.get(name, ())) or "it has no storage pool"
        lines.append(f"node {node.name}: {problem}")
    return lines
