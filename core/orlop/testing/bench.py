"""A node in memory with one pool, driven by hand."""

from collections.abc import Mapping
from typing import Any

import msgspec

from orlop.drivers import Drivers
from orlop.hooks import Hooks
from orlop.model import (
    GIB,
    MIB,
    ReportedPool,
    ReportedResource,
    WantedLevel,
    WantedPool,
    WantedResource,
    WantedSnapshot,
    WantedVolume,
)
from orlop.satellite.node import Node
from orlop.satellite.rounds import LOOK_EVERY
from orlop.testing import SimulatedHost
from orlop.transport.messages import Fence, Report, Sync, Update

CLUSTER = "cluster-uuid"
FENCE = Fence(cluster=CLUSTER, term=1, nonce="nonce")
FOLDER = "/srv/orlop"
DRIVERS = Drivers.installed()
replace = msgspec.structs.replace


def pool(name: str = "pool", folder: str = FOLDER, **more: Any) -> WantedPool:
    props = {"StorDriver/StorPoolName": folder}
    return WantedPool(**{"name": name, "uuid": f"{name}-uuid", "provider": "FILE_THIN", "props": props, **more})


def volume(resource: str = "res", number: int = 0, size: int = 16 * MIB, **more: Any) -> WantedVolume:
    known = {"resource": resource, "number": number, "uuid": f"{resource}-{number}", "pool": "pool"}
    return WantedVolume(**{**known, "levels": (WantedLevel(layer="STORAGE", size=size),), **more})


def snapshot(name: str = "snap", of: WantedVolume | None = None, **more: Any) -> WantedSnapshot:
    of = of or volume()
    known = {"resource": of.resource, "snapshot": name, "number": of.number, "uuid": f"{of.uuid}-{name}"}
    return WantedSnapshot(**{**known, "volume": of.uuid, "pool": of.pool, "size": of.size, **more})


def resource(*items: WantedVolume | WantedSnapshot, revision: int = 1) -> WantedResource:
    return WantedResource(
        name=items[0].resource,
        revision=revision,
        volumes=tuple(i for i in items if isinstance(i, WantedVolume)),
        snapshots=tuple(i for i in items if isinstance(i, WantedSnapshot)),
    )


class Bench:
    """Collects reports as a controller would: later values replace earlier ones."""

    def __init__(
        self, host: SimulatedHost | None = None, *pools: WantedPool, run: str = "run-1", look_every: float = LOOK_EVERY
    ) -> None:
        self.host = host or SimulatedHost(total=10 * GIB)
        self.pools = pools or (pool(new=True),)
        self.now = 1000.0
        self._look_every = look_every
        self.start(run)

    def start(self, run: str) -> None:
        """Also what a restart of the satellite is: nothing but the disk is remembered."""
        self.node = Node(
            name="node",
            host=self.host,
            drivers=DRIVERS,
            hooks=Hooks(),
            directory="/var/lib/orlop",
            run=run,
            look_every=self._look_every,
        )
        self.last = 0
        self.resources: dict[str, ReportedResource] = {}
        self.reported_pools: dict[str, ReportedPool] = {}
        self.orphans: tuple[str, ...] | None = None

    def sync(self, *wanted: WantedResource, fence: Fence = FENCE) -> Report:
        self.node.sync(Sync(fence=fence, node="node", node_uuid="node-uuid", pools=self.pools, resources=wanted))
        return self.settle()

    def update(self, *wanted: WantedResource, fence: Fence = FENCE, **more: Any) -> Report:
        self.node.update(Update(fence=fence, resources=wanted, **more))
        return self.settle()

    def wait(self, seconds: float) -> Report:
        self.now += seconds
        return self.settle()

    def settle(self) -> Report:
        """Work until nothing is due."""
        while self.node.due() <= self.now:
            self.node.work(self.now)
        said = self.node.reports(self.last)
        self.last = said.number
        self.resources |= {r.name: r for r in said.resources}
        self.reported_pools |= {p.name: p for p in said.pools}
        if said.orphans is not None:
            self.orphans = tuple(thing.name for thing in said.orphans)
        return said

    def files(self, folder: str = FOLDER) -> Mapping[str, Any]:
        return {n: f for n, f in self.host.disk.folders.get(folder, {}).items() if n != ".orlop-pool"}

    def device(self, name: str = "res") -> str:
        device = self.resources[name].volumes[0].device
        assert device is not None
        return device
