"""What tests of moving replicas share: nodes with DRBD 9, resources of two replicas, and never fewer good copies."""

from __future__ import annotations

from collections.abc import Callable

from orlop.controller import moving, wire
from orlop.controller.diskless import diskful
from orlop.controller.growing import is_whole
from orlop.controller.usecases import evacuation
from orlop.controller.usecases.healing import Healing
from orlop.model import Operation, key
from orlop.testing.cluster import SimulatedCluster


def jobs(cluster: SimulatedCluster, name: str = "web") -> list[Operation]:
    definition = cluster.core.picture.definition(name)
    return [o for o in definition.operations if o.kind in moving.KINDS] if definition else []


def states(cluster: SimulatedCluster, name: str = "web") -> list[str]:
    return [operation.state for operation in jobs(cluster, name)]


def good(cluster: SimulatedCluster, name: str = "web") -> list[str]:
    """Nodes whose kernel has a disk that is up to date; what the controller thinks does not count."""
    found = []
    for node in cluster.nodes.values():
        resource = node.host.drbd.resources.get(name)
        if resource is not None and any(d.disk == "UpToDate" for d in resource.devices.values()):
            found.append(node.name)
    return sorted(found)


def with_disks(cluster: SimulatedCluster, name: str = "web") -> list[str]:
    definition = cluster.core.picture.definition(name)
    return sorted(r.node for r in diskful(definition)) if definition else []


def whole(cluster: SimulatedCluster, name: str = "web") -> list[str]:
    """Nodes that report to have everything."""
    definition = cluster.core.picture.definition(name)
    reported = cluster.core.reported
    return sorted(r.node for r in diskful(definition) if is_whole(r, reported.resource(r.node, name)))


def evacuate(cluster: SimulatedCluster, node: str, *targets: str, avoid: tuple[str, ...] = ()) -> list[str]:
    """The messages of the answer."""
    body = wire.NodeEvacuate(target=targets, do_not_target=avoid)
    answers = evacuation.evacuate(cluster.core, node, body)
    assert not answers.failed, [entry.message for entry in answers]
    return [entry.message for entry in answers]


def run(
    cluster: SimulatedCluster,
    healing: Healing,
    seconds: float,
    check: Callable[[], None] = lambda: None,
    every: float = 10.0,
) -> None:
    """Time passes; the controller looks as often as it does in the product, and so does `check`, at every step."""
    end = cluster.clock.now + seconds
    look = cluster.clock.now
    while cluster.clock.now < end:
        if cluster.clock.now >= look:
            healing.look()
            look = cluster.clock.now + every
        cluster.step(min(end, look) if look > cluster.clock.now else end)
        check()


def on(cluster: SimulatedCluster, node: str, name: str = "web") -> bool:
    definition = cluster.core.picture.definition(name)
    return definition is not None and any(key(r.node) == key(node) for r in definition.resources)
