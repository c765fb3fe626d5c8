"""Placement: how long one takes in a large cluster, how many there are in a second, how evenly pools are filled."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from benchmarks import seed
from benchmarks.seed import Scale
from benchmarks.table import Figure, timing
from benchmarks.view import Nowhere
from orlop.controller.clock import SystemClock
from orlop.controller.condition_waiter import ConditionWaiter
from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.placement import NotEnoughNodes
from orlop.controller.reported import Status
from orlop.controller.usecases import spawning
from orlop.drivers import PLACEMENT, Drivers
from orlop.hooks import Hooks
from orlop.model import (
    GIB,
    Capacity,
    Level,
    Node,
    NodeInfo,
    ReportedPool,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    SelectFilter,
    StoragePool,
    Support,
    Volume,
    VolumeDefinition,
)
from orlop.transport.messages import Fence, Report

LARGE = 1000  # nodes
POOLS = 4
SIZES = (500 * GIB, 1000 * GIB, 2000 * GIB, 4000 * GIB)
VOLUME = 4 * GIB
REPLICAS = 2
LAYERS = ("DRBD", "STORAGE")
TIMES = 50
CROWD = 50_000  # resources that are in the large cluster already
SPREAD = SelectFilter(
    replicas_on_same=("Aux/region",),
    replicas_on_different=("Aux/rack",),
    x_replicas_on_different={"Aux/zone": 1},
)
# Replicas on different values of five properties, each of which only a few nodes have: hardly two go together.
HARD = SelectFilter(replicas_on_different=tuple(f"Aux/hub{number}" for number in range(5)))


def cluster(nodes: int) -> Core:
    """Nodes with four thick pools each, of four sizes, in two regions, ten zones and racks of ten."""
    clock = SystemClock()
    fence = Fence(cluster="c", term=1, nonce="n")
    core = Core(Nowhere(), Picture(), fence, Drivers.installed(), Hooks(), clock, ConditionWaiter(clock))
    with core.change() as draft:
        draft.put(ResourceGroup(name=seed.GROUP, uuid="g"))
        for number in range(nodes):
            name = seed.node_name(number)
            draft.put(Node(name=name, uuid=name, props=_props(number)))
            for pool in range(POOLS):
                draft.put(StoragePool(node=name, name=f"pool{pool}", uuid=f"{name}/{pool}", provider="LVM", new=False))
    for number in range(nodes):
        name = seed.node_name(number)
        core.on_status(name, Status.ONLINE)
        info = NodeInfo(name=name, uname=name, version="1", layers=tuple(Support(name=layer) for layer in LAYERS))
        core.on_report(name, Report(run="r", number=1, synced=True, info=info, pools=_pools(name, number)))
    return core


def _props(number: int) -> dict[str, str]:
    hub = number % 4
    return {
        "Aux/region": f"region{number % 2}",
        "Aux/zone": f"zone{number % 10}",
        "Aux/rack": f"rack{number // 10}",
        "Satellite/Drbd/Version": "9.2.13",
        **{f"Aux/hub{at}": "hub" if at == hub else str(number) for at in range(5)},
    }


def _pools(node: str, number: int) -> tuple[ReportedPool, ...]:
    sizes = [SIZES[(number + pool) % len(SIZES)] for pool in range(POOLS)]
    return tuple(
        ReportedPool(name=f"pool{pool}", uuid=f"{node}/{pool}", capacity=Capacity(total=size, free=size))
        for pool, size in enumerate(sizes)
    )


def wanted(number: int) -> ResourceDefinition:
    name = seed.resource_name(number)
    volume = VolumeDefinition(number=0, uuid=name, size=VOLUME)
    return ResourceDefinition(name=name, uuid=name, group=seed.GROUP, layers=("STORAGE",), volume_definitions=(volume,))


def place(core: Core, number: int, rule: SelectFilter, count: int = REPLICAS) -> None:
    """Chosen and committed, as a request does it; what was written does not exist for the satellites yet."""
    definition = wanted(number)
    chosen = spawning.choose(core, core.picture, rule, definition, count)
    resources = tuple(_replica(number, c.node.name, c.pool.name) for c in chosen)
    with core.change() as draft:
        draft.put(replace(definition, resources=resources))


def crowded(core: Core, resources: int) -> None:
    """So many resources with two replicas each, spread by number only: small pools are the fullest."""
    nodes = len(core.picture.nodes)
    with core.change() as draft:
        for number in range(resources):
            at = [seed.node_name((number + place * seed.STRIDE) % nodes) for place in range(REPLICAS)]
            places = [(node, f"pool{number // nodes % POOLS}") for node in at]
            draft.put(replace(wanted(number), resources=tuple(_replica(number, *each) for each in places)))


def _replica(number: int, node: str, pool: str) -> Resource:
    uuid = f"{number}/{node}"
    levels = (Level(layer="STORAGE", size=VOLUME),)
    return Resource(node=node, uuid=uuid, volumes=(Volume(number=0, uuid=uuid, pool=pool, levels=levels),))


def one(core: Core, rule: SelectFilter, count: int) -> float:
    """Seconds of the processor that a choice takes."""
    definition = replace(wanted(0), layers=LAYERS)
    began = time.process_time()
    with suppress(NotEnoughNodes):
        spawning.choose(core, core.picture, rule, definition, count)
    return time.process_time() - began


def unevenness(core: Core) -> float:
    """Standard deviation of how full pools are, in percent."""
    fills = []
    for at, pool in core.picture.pools.items():
        seen = core.reported.pool(pool.node, pool.name)
        if seen is not None and seen.capacity is not None:
            promised = core.picture.usage[at].reserved if at in core.picture.usage else 0
            fills.append(100 * promised / seen.capacity.total)
    return statistics.pstdev(fills)


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    large = cluster(max(LARGE, scale.nodes))
    size = f"{len(large.picture.nodes)} nodes with {POOLS} pools"
    first = one(large, SPREAD, 3)
    yield timing(f"place 3 replicas under 3 rules, {size}, the first", [first])
    place(large, 0, SPREAD)
    times = []
    for number in range(1, TIMES):
        place(large, number, SPREAD, 3)
        times.append(one(large, SPREAD, 3))
    yield timing(f"place 3 replicas under 3 rules, {size}", times, 20)
    yield timing("the same where 5 rules leave hardly two nodes together, with what would help", [one(large, HARD, 5)])
    crowd = CROWD if scale.resources >= TIMES else scale.resources
    crowded(large, crowd)
    before = unevenness(large)
    began = time.process_time()
    for number in range(crowd, crowd + 4 * TIMES):
        place(large, number, SelectFilter())
    rate = 4 * TIMES / (time.process_time() - began)
    yield Figure(f"placements committed in a second of the processor, {size} and {crowd} resources", rate, "/s")
    yield Figure("standard deviation of fill there, before less after", before - unevenness(large), "%")
    core = cluster(scale.nodes)
    began = time.process_time()
    for number in range(scale.resources):
        place(core, number, SelectFilter())
    took = time.process_time() - began
    yield Figure(f"placements, {scale.nodes} nodes, {scale.resources} resources", scale.resources / took, "/s")
    yield Figure("pools filled by 'balanced': standard deviation of fill", unevenness(core), "%")
    for policy in [name for name in core.drivers.names(PLACEMENT) if name != "balanced"]:
        yield _filled_by(policy, scale)


def _filled_by(policy: str, scale: Scale) -> Figure:
    core = cluster(min(scale.nodes, 20))
    for number in range(min(scale.resources, 1000)):
        place(core, number, SelectFilter(placement_policy=policy))
    return Figure(f"a small cluster filled by '{policy}': standard deviation", unevenness(core), "%")
