"""One look at the node, shared by all resources of a round. What fails to be seen fails only its own pool or layer."""

import logging
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import msgspec

from orlop.drivers import LAYER, STORAGE, Drivers
from orlop.errors import NodeError, OrlopError, PoolUnavailable
from orlop.model import Presence, WantedPool, WantedResource, WantedVolume, metadata_of, objects_of
from orlop.plugin import NodeLayer, Probe, Standing, StorageDriver
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


class At(NamedTuple):
    """One level of a volume's stack. `volume`: that volume, or what its metadata is kept on."""

    volume: WantedVolume
    layer: NodeLayer
    below: str | None
    device: str | None
    presence: Presence


def levels(volume: WantedVolume, seen: Observation, under: str = "") -> list[At]:
    """The stack, bottom first; each level stands on the device of the one before. Only what is `under` a layer.

    What the topmost level keeps its metadata on comes first: of all that is to be made, grown or removed, the data are
    last to be there and first to go.
    """
    own = metadata_of(volume) if under in ("", volume.levels[0].layer) else None
    stack = levels(own, seen) if own is not None else []
    below: str | None = None
    for level in reversed(volume.levels):
        if level.layer == under:
            break
        layer = seen.layer(level.layer)
        device = layer.device(volume, below)
        stack.append(At(volume, layer, below, device, layer.presence(volume, below)))
        below = device
    return stack


def observe(
    probe: Probe, drivers: Drivers, pools: tuple[WantedPool, ...], resources: list[WantedResource], cluster: str
) -> Observation:
    """Look at all pools, and at the layers that some resources are made of, bottom up."""
    by_pool: dict[str, StorageDriver] = {}
    problems: dict[str, str] = {}
    for kind in sorted({pool.provider for pool in pools}):
        own = tuple(_canonical(drivers, pool) for pool in pools if pool.provider == kind)
        driver, problem = _guarded(drivers, STORAGE, kind, probe, own, cluster)
        if problem:
            problems |= dict.fromkeys((pool.name for pool in own), problem)
        else:
            by_pool |= dict.fromkeys((pool.name for pool in own), driver)
    found: dict[str, NodeLayer] = {}
    broken: dict[str, str] = {}
    known = {pool.name: _canonical(drivers, pool) for pool in pools}
    seen = Observation({pool.name: pool for pool in pools}, by_pool, problems, found, broken)
    volumes = [each for wanted in resources for volume in wanted.volumes for each in objects_of(volume)]
    for kind in _bottom_up(volumes, broken):
        if kind == BOTTOM:
            found[kind] = drivers.load(LAYER, kind).over(by_pool, problems)
            continue
        standing = tuple(_standing(v, kind, seen, known) for v in volumes if any(at.layer == kind for at in v.levels))
        layer, problem = _guarded(drivers, LAYER, kind, probe, standing, cluster)
        if problem:
            broken[kind] = problem
        else:
            found[kind] = layer
    return seen


def _bottom_up(volumes: list[WantedVolume], broken: dict[str, str]) -> list[str]:
    """The layers in an order in which every one comes after those that it stands on."""
    sorter = TopologicalSorter[str]()
    for stack in {tuple(level.layer for level in volume.levels) for volume in volumes}:
        for above, below in zip(stack, stack[1:], strict=False):
            sorter.add(above, below)
        sorter.add(stack[-1])
    try:
        return list(sorter.static_order())
    except CycleError as error:
        broken |= dict.fromkeys(error.args[1], f"layers stand on each other in both orders: {', '.join(error.args[1])}")
        return [BOTTOM]


def _standing(volume: WantedVolume, kind: str, seen: Observation, pools: Mapping[str, WantedPool]) -> Standing:
    pool = pools.get(volume.pool)
    try:
        under = levels(volume, seen, under=kind)
    except OrlopError:  # what is below reports its own problem
        return Standing(volume=volume, below=None, ready=False, pool=pool)
    below = [at for at in under if at.volume is volume]  # a level may stand on nothing but another node
    beside = [at for at in under if at.volume is not volume]
    return Standing(
        volume=volume,
        below=below[-1].device if below else None,
        ready=all(at.presence is Presence.READY for at in under),
        stored=all(path[0].presence in (Presence.READY, Presence.HIDDEN) for path in (below, beside) if path),
        metadata=beside[-1].device if beside else None,
        pool=pool,
    )


def _canonical(drivers: Drivers, pool: WantedPool) -> WantedPool:
    """A pool with its properties as its driver spells them; one that is refused keeps them, and its driver says why."""
    try:
        return msgspec.structs.replace(pool, props=drivers.load(STORAGE, pool.provider).check_pool(pool.props))
    except OrlopError:
        return pool


def _guarded(
    drivers: Drivers,
    namespace: str,
    kind: str,
    probe: Probe,
    of: tuple[WantedPool, ...] | tuple[Standing, ...],
    cluster: str,
) -> tuple[Any, str]:
    """What a driver or layer saw, or why it saw nothing."""
    try:
        return drivers.load(namespace, kind).observe(probe, of, cluster), ""
    except OrlopError as error:
        return None, str(error)
    except Exception as error:  # noqa: BLE001 - somebody else's plugin must not stop the other pools
        log.exception("plugin %s failed while it looked at the node", kind)
        return None, f"plugin {kind} failed while it looked at the node: {error!r}"
