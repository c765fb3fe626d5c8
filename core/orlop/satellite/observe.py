"""One look at the node, shared by all resources of a round. What fails to be seen fails only its own pool or layer."""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from orlop.drivers import LAYER, STORAGE, Drivers
from orlop.errors import NodeError, OrlopError, PoolUnavailable
from orlop.model import WantedPool, WantedResource
from orlop.plugin import NodeLayer, Probe, StorageDriver
from orlop.satellite.file_systems import Content

log = logging.getLogger(__name__)

BOTTOM = "STORAGE"


class Observation(NamedTuple):
    """`problems` says why a pool has no driver, `broken` why a layer is not among `layers`."""

    pools: Mapping[str, WantedPool]
    drivers: Mapping[str, StorageDriver]  # by name of the pool
    problems: Mapping[str, str]
    layers: Mapping[str, NodeLayer]
    broken: Mapping[str, str]
    contents: Mapping[str, Content | str] = {}  # by device: what is on it, or why that cannot be read

    def driver(self, pool: str) -> StorageDriver:
        if pool not in self.drivers:
            raise PoolUnavailable(self.problem(pool))
        return self.drivers[pool]

    def problem(self, pool: str) -> str:
        """Why a pool can't be used; empty when it can."""
        if pool in self.drivers:
            return self.drivers[pool].pool_problem(pool)
        return self.problems.get(pool) or f"this node was not told of a storage pool named {pool}"

    def layer(self, kind: str) -> NodeLayer:
        if kind not in self.layers:
            raise NodeError(self.broken.get(kind) or f"layer {kind} was not looked at")
        return self.layers[kind]


def kinds(resources: list[WantedResource]) -> frozenset[str]:
    """The layers that some resources are made of."""
    return frozenset(level.layer for r in resources for volume in r.volumes for level in volume.levels)


def observe(
    probe: Probe, drivers: Drivers, pools: tuple[WantedPool, ...], layers: frozenset[str], cluster: str
) -> Observation:
    by_pool: dict[str, StorageDriver] = {}
    problems: dict[str, str] = {}
    for kind in sorted({pool.provider for pool in pools}):
        own = tuple(_canonical(drivers, pool) for pool in pools if pool.provider == kind)
        seen, problem = _guarded(drivers, STORAGE, kind, probe, own, cluster)
        if problem:
            problems |= dict.fromkeys((pool.name for pool in own), problem)
        else:
            by_pool |= dict.fromkeys((pool.name for pool in own), seen)
    found: dict[str, NodeLayer] = {}
    broken: dict[str, str] = {}
    for kind in sorted(layers):
        if kind == BOTTOM:
            found[kind] = drivers.load(LAYER, kind).over(by_pool, problems)
            continue
        layer, problem = _guarded(drivers, LAYER, kind, probe, pools, cluster)
        if problem:
            broken[kind] = problem
        else:
            found[kind] = layer
    return Observation({pool.name: pool for pool in pools}, by_pool, problems, found, broken)


def _canonical(drivers: Drivers, pool: WantedPool) -> WantedPool:
    """A pool with its properties as its driver spells them; one that is refused keeps them, and its driver says why."""
    try:
        return msgspec.structs.replace(pool, props=drivers.load(STORAGE, pool.provider).check_pool(pool.props))
    except OrlopError:
        return pool


def _guarded(
    drivers: Drivers, namespace: str, kind: str, probe: Probe, pools: tuple[WantedPool, ...], cluster: str
) -> tuple[Any, str]:
    """What a driver saw, or why it saw nothing."""
    try:
        return drivers.load(namespace, kind).observe(probe, pools, cluster), ""
    except OrlopError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - somebody else's plugin must not stop the other pools
        log.exception("plugin %s failed while it looked at the node", kind)
        return None, f"plugin {kind} failed while it looked at the node: {error!r}"
