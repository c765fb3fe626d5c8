"""Plans that move replicas, on a large cluster: how long they take, and how near they are to the least possible.

By default 1,000 nodes and 50,000 resources of two replicas with DRBD 9, as values in memory; the plans are pure.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.seed import Scale, node_name, resource_name
from benchmarks.table import Figure
from benchmarks.view import Nowhere
from orlop.controller import evacuating, rebalancing
from orlop.controller.clock import SystemClock
from orlop.controller.condition_waiter import ConditionWaiter
from orlop.controller.core import Core
from orlop.controller.drbd_versions import VERSION
from orlop.controller.picture import Draft, Picture
from orlop.controller.placement import Cluster
from orlop.controller.reported import Status
from orlop.controller.usecases import spawning
from orlop.drivers import Drivers
from orlop.hooks import Hooks
from orlop.model import (
    GIB,
    Capacity,
    Level,
    Node,
    NodeInfo,
    Presence,
    ReportedLevel,
    ReportedPool,
    ReportedResource,
    ReportedVolume,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    SelectFilter,
    StoragePool,
    Support,
    Volume,
    VolumeDefinition,
    key,
)
from orlop.transport.messages import Fence

ADDED = 10
SIZES = (1, 2, 4, 8)  # GiB
GROUP, POOL, DRBD = "bench", "pool1", "9.2.13"
STRIDE = 37
TOTAL = 2048 * GIB


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    """Ten times as large as the other benchmarks."""
    nodes, resources = scale.nodes * 10, scale.resources * 10
    core = filled(nodes, resources, ADDED)
    cluster = Cluster(core.picture, core.reported, core.drivers)
    began = time.perf_counter()
    plan = rebalancing.plan(cluster)
    took = time.perf_counter() - began
    least = rebalancing.least(cluster)
    yield Figure(f"rebalance {nodes} nodes and {ADDED} new ones: the plan", took, "s", 60)
    yield Figure("    moves for each that is needed at least", len(plan.moves) / max(least, 1), "", 1.5)
    yield Figure("    moves", len(plan.moves), "")
    yield Figure("    moves that are needed at least", least, "", least=True, wanted=least)
    (before,), (after,) = rebalancing.spreads(cluster), rebalancing.spreads(cluster, plan.moves)
    yield Figure("    fullest less emptiest pool, before", before.fullest - before.emptiest, "%")
    yield Figure("    the same, after", after.fullest - after.emptiest, "%")
    yield from evacuation(core)


def evacuation(core: Core) -> Iterator[Figure]:
    """Of the first node, which has as many replicas as any."""
    name = node_name(0)
    began = time.perf_counter()
    plan = evacuating.plan(core.picture, name, partial(spawning.choose, core))
    took = time.perf_counter() - began
    yield Figure(f"evacuate one node of {len(core.picture.nodes)}: the plan", took, "s", 10)
    yield Figure("    replicas that move", len(plan.moves), "")
    per_move = took / max(len(plan.moves), 1)
    yield Figure("    for each of them", per_move * 1000, "ms")
    targets = [move.target for move in plan.moves]
    most = max(map(targets.count, targets), default=0)
    yield Figure("    most of them on one target", most, "")
    yield Figure("    replicas per target", statistics.mean(map(targets.count, set(targets))) if targets else 0, "")


def filled(nodes: int, resources: int, added: int) -> Core:
    """A core that knows all of it; the last nodes are empty. Nothing is sent to anybody."""
    clock = SystemClock()
    fence = Fence(cluster="c", term=1, nonce="n")
    core = Core(Nowhere(), Picture(), fence, Drivers.installed(), Hooks(), clock, ConditionWaiter(clock))
    draft = Draft(core.picture)
    draft.put(ResourceGroup(name=GROUP, uuid=GROUP, select_filter=SelectFilter(place_count=2)))
    for number in range(nodes + added):
        name = node_name(number)
        draft.put(Node(name=name, uuid=name, props={VERSION: DRBD}))
        draft.put(StoragePool(node=name, name=POOL, uuid=f"{name}/{POOL}", provider="LVM", new=False))
    used = dict.fromkeys(range(nodes + added), 0)
    for number in range(resources):
        places = (number % nodes, (number + STRIDE * (1 + number // nodes)) % nodes)
        size = SIZES[number % len(SIZES)] * GIB
        draft.put(_definition(number, places, size))
        for place in places:
            used[place] += size
    core.picture = draft.freeze()
    for number, taken in used.items():
        name = node_name(number)
        node = core.reported.node(name)
        node.status = Status.ONLINE
        node.info = NodeInfo(name=name, uname=name, version="1", layers=(Support(name="DRBD", version=DRBD),))
        room = Capacity(total=TOTAL, free=TOTAL - taken)
        node.pools[POOL] = ReportedPool(name=POOL, uuid=f"{name}/{POOL}", capacity=room, marked=True)
    for definition in core.picture.definitions.values():
        for resource in definition.resources:
            core.reported.node(resource.node).resources[key(definition.name)] = _report(definition, resource)
    return core


def _definition(number: int, places: tuple[int, int], size: int) -> ResourceDefinition:
    name = resource_name(number)
    levels = (Level(layer="DRBD", size=size), Level(layer="STORAGE", size=size))
    resources = tuple(
        Resource(
            node=node_name(place),
            uuid=f"{name}/{place}",
            volumes=(Volume(number=0, uuid=f"{name}/{place}/0", pool=POOL, levels=levels, new=False),),
            node_id=node_id,
            ports=(7000,),
            peer_slots=7,
        )
        for node_id, place in enumerate(places)
    )
    volume = VolumeDefinition(number=0, uuid=f"{name}/0", size=size, minor=1000 + number)
    return ResourceDefinition(
        name=name,
        uuid=name,
        group=GROUP,
        layers=("DRBD", "STORAGE"),
        volume_definitions=(volume,),
        resources=resources,
    )


def _report(definition: ResourceDefinition, resource: Resource) -> ReportedResource:
    seen = {f"peer/{other.node}/connection": "Connected" for other in definition.resources if other is not resource}
    level = ReportedLevel(layer="DRBD", presence=Presence.READY, facts={"disk": "UpToDate", **seen})
    volumes = tuple(
        ReportedVolume(number=v.number, uuid=v.uuid, presence=Presence.READY, in_use=False, levels=(level,))
        for v in resource.volumes
    )
    return ReportedResource(name=definition.name, revision=1 << 40, settled=True, volumes=volumes)
