"""Which policy ranks the candidates, and the points it gives them. Pure, if the policy is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from operator import add
from typing import NamedTuple

from orlop.codes import Fail
from orlop.controller.placement.cluster import Cluster
from orlop.controller.properties import Kind, Source, effective
from orlop.drivers import PLACEMENT
from orlop.errors import OrlopError, Refused
from orlop.model import SelectFilter, StoragePool, key
from orlop.plugin import Candidate, Placement

POLICY = "Autoplacer/Policy"
DEFAULT, WEIGHTED = "balanced", "most-free-space"
WEIGHTS = "Autoplacer/Weights/"
THROUGHPUT = "Autoplacer/MaxThroughput"
THROTTLES = ("sys/fs/blkio_throttle_read", "sys/fs/blkio_throttle_write")
Weight = Callable[[int, StoragePool], float]


class Scores(NamedTuple):
    policy: str
    parts: Mapping[str, Sequence[float]]  # by name of each part, points by index of the candidate
    totals: Sequence[float]

    def of(self, index: int) -> dict[str, float]:
        return {name: points[index] for name, points in self.parts.items()}


def policy_name(cluster: Cluster, rule: SelectFilter) -> str:
    """The request's or group's, else that of the property, else the default.

    Who sets weights gets the policy that heeds them.
    """
    if rule.placement_policy:
        return rule.placement_policy
    controller = cluster.picture.controller.props
    found = effective(POLICY, {**cluster.asked, Kind.CONTROLLER: Source("", controller)})
    if found is not None:
        return found.value
    return WEIGHTED if any(name.startswith(WEIGHTS) for name in controller) else DEFAULT


def scores(
    cluster: Cluster, rule: SelectFilter, size: int, count: int, candidates: Sequence[Candidate], weight: Weight | None
) -> Scores:
    """Raises `UnknownDriver` for a policy that is not installed, `Refused` for one that gives no usable answer."""
    name = policy_name(cluster, rule)
    parts = _parts(cluster, name, size, count, candidates)
    if weight is not None:
        points = [weight(size, c.pool) for c in candidates]
        if any(points):
            parts["plugins"] = points
    totals = _sums(parts, len(candidates))
    if rule.preferred_nodes and candidates:
        # One more preferred node outweighs whatever the others may lose by it.
        most = 1 + count * (max(totals) - min(totals))
        preferred = {key(name) for name in rule.preferred_nodes}
        parts["preferred node"] = [most if key(c.node.name) in preferred else 0.0 for c in candidates]
        totals = _sums(parts, len(candidates))
    return Scores(name, parts, totals)


def _sums(parts: Mapping[str, Sequence[float]], number: int) -> Sequence[float]:
    columns = list(parts.values())
    totals: Sequence[float] = columns[0] if columns else [0.0] * number
    for column in columns[1:]:
        totals = list(map(add, totals, column))
    return totals


def _parts(
    cluster: Cluster, name: str, size: int, count: int, candidates: Sequence[Candidate]
) -> dict[str, Sequence[float]]:
    installed = cluster.drivers.names(PLACEMENT)
    if name == DEFAULT and name not in installed:  # the policies are a package of their own
        largest = max((c.free for c in candidates), default=0) or 1
        return {"free space": [c.free / largest for c in candidates]}
    policy = cluster.drivers.load(PLACEMENT, name)
    controller = cluster.picture.controller.props
    weights = {at.removeprefix(WEIGHTS): float(text) for at, text in controller.items() if at.startswith(WEIGHTS)}
    throughput = _throughput(cluster, candidates) if weights.get("MaxThroughput") else ()
    placement = Placement(size=size, count=count, weights=weights, throughput=throughput)
    try:
        parts: dict[str, Sequence[float]] = {
            str(part): list(points) for part, points in policy.score(placement, candidates).items()
        }
    except OrlopError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever a policy of somebody's raises, its name has to be told
        raise _broken(name, f"it raised {type(error).__name__}: {error}") from error
    for part, points in parts.items():
        if len(points) != len(candidates):
            raise _broken(name, f"it gave {len(points)} points of '{part}' for {len(candidates)} candidates")
        if not math.isfinite(sum(points)):  # one that is not finite makes the sum so
            raise _broken(name, f"the points of '{part}' are not all finite numbers")
    return parts


def _broken(name: str, why: str) -> Refused:
    return Refused(
        f"Placement policy '{name}' gives no answer: {why}.",
        correction=f"Use another policy ({POLICY}, or placement_policy in the request), and repair that one.",
        code=Fail.UNKNOWN_ERROR,
    )


def _throughput(cluster: Cluster, candidates: Sequence[Candidate]) -> list[float]:
    """Bytes a second that a pool has, less those that its volumes are throttled to."""
    taken: dict[tuple[str, str], float] = {}
    for definition in cluster.picture.definitions.values():
        limits = {of.number: _limit(of.props, definition.props) for of in definition.volume_definitions}
        if not any(limits.values()):
            continue
        for resource in definition.resources:
            for volume in resource.volumes:
                at = (key(resource.node), key(volume.pool))
                taken[at] = taken.get(at, 0.0) + limits.get(volume.number, 0.0)
    controller = Source("", cluster.picture.controller.props)

    def left(candidate: Candidate) -> float:
        node, pool = candidate.node, candidate.pool
        of_pool, of_node = Source(pool.name, pool.props), Source(node.name, node.props)
        found = effective(THROUGHPUT, {Kind.STORAGE_POOL: of_pool, Kind.NODE: of_node, Kind.CONTROLLER: controller})
        has = float(found.value) if found else 0.0
        return max(0.0, has - taken.get((key(node.name), key(pool.name)), 0.0))

    return [left(candidate) for candidate in candidates]


def _limit(props: Mapping[str, str], inherited: Mapping[str, str]) -> float:
    return sum(float(props.get(name) or inherited.get(name) or 0) for name in THROTTLES)
