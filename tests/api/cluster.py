"""What stands in for the store and the satellites: a list of changes, and values that are fed as reports."""

from __future__ import annotations

import threading
from functools import cache

from orlop.controller import orders
from orlop.controller.clock import SystemClock
from orlop.controller.condition_waiter import ConditionWaiter
from orlop.controller.core import Core
from orlop.controller.picture import Change, Picture
from orlop.controller.reported import Status
from orlop.drivers import Drivers
from orlop.errors import TransportError
from orlop.hooks import Hooks
from orlop.model import (
    GIB,
    Capacity,
    Controller,
    NewBacking,
    Node,
    NodeInfo,
    Presence,
    ReplicaOrder,
    ReportedLevel,
    ReportedPool,
    ReportedResource,
    ReportedSnapshot,
    ReportedVolume,
    ResourceGroup,
    SelectFilter,
    StoragePoolDefinition,
    Support,
    WantedPool,
    WantedVolume,
    key,
)
from orlop.transport.messages import (
    BackingOutcome,
    Fence,
    ObjectTaken,
    Operated,
    PhysicalDevice,
    Plan,
    Planned,
    PlannedSteps,
    Report,
    TakeObject,
)

FENCE = Fence(cluster="c0ffee00-0000-4000-8000-000000000000", term=1, nonce="n")
INFO = {
    "providers": (Support(name="FILE"), Support(name="FILE_THIN"), Support(name="LVM", reasons=("no lvcreate",))),
    "layers": (Support(name="STORAGE"), Support(name="DRBD", reasons=("no kernel module",))),
}


@cache
def installed() -> Drivers:
    return Drivers.installed()


class Changes:
    """Commits, in memory."""

    def __init__(self) -> None:
        self.commits: list[list[Change]] = []

    def commit(self, changes: list[Change], sequence: int) -> None:
        self.commits.append(changes)


class Satellites:
    """Links whose satellites do at once what they are told. `away` are keys of nodes that cannot be reached."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.away: set[str] = set()
        self.idle: set[str] = set()  # connected, but they report nothing
        self.problems: dict[str, str] = {}  # name of a resource or pool -> why it fails everywhere
        self.drbd: dict[str, str] = {}  # key of a node -> the version of DRBD that its kernel has
        self.disks: dict[str, str] = {}  # key of a node -> state of its replicated disks, where they are not UpToDate
        self.devices: dict[str, tuple[PhysicalDevice, ...]] = {}
        self.operated: list[tuple[str, str, ReplicaOrder]] = []
        self._number = 0

    def watch(self, node: Node) -> None:
        if not node.has_satellite:
            return
        if key(node.name) in self.away:
            self.core.on_status(node.name, Status.OFFLINE, "connection refused")
            return
        told = INFO
        if version := self.drbd.get(key(node.name)):
            told = {**INFO, "layers": (Support(name="STORAGE"), Support(name="DRBD", version=version))}
        info = NodeInfo(name=node.name, uname=node.name, version="0.1.0", **told)
        self.core.on_report(node.name, Report(run="r", number=0, synced=True, info=info))
        self.core.on_status(node.name, Status.ONLINE)

    def drop(self, node: Node) -> None:
        self.core.on_status(node.name, Status.OFFLINE)

    def reconnect(self, node: Node) -> None:
        self.watch(node)

    def secrets_available(self) -> None:
        """Nothing waits for any."""

    def physical_storage(self, node: str) -> tuple[PhysicalDevice, ...]:
        if key(node) in self.away:
            raise TransportError(f"node {node} is not connected")
        return self.devices.get(key(node), ())

    def make_backing(self, node: str, backing: NewBacking) -> BackingOutcome:
        if key(node) in self.away:
            raise TransportError(f"node {node} is not connected")
        return BackingOutcome()

    def remove_backing(self, node: str, pool: WantedPool) -> BackingOutcome:
        return BackingOutcome()

    def operate(self, node: str, resource: str, order: ReplicaOrder) -> Operated:
        self.operated.append((node, resource, order))
        return Operated(problem=self.problems.get(resource, ""), done=(order.verb.value,))

    def plan(self, node: str, message: Plan) -> Planned:
        if key(node) in self.away:
            raise TransportError(f"node {node} is not connected")
        steps = {each.name: f"revision {each.revision}" for each in message.resources}
        return Planned(resources=tuple(PlannedSteps(name=name, steps=(text,)) for name, text in steps.items()))

    def take_object(self, node: str, order: TakeObject) -> ObjectTaken:
        return ObjectTaken(problem="there is nothing in the pools of these satellites")

    def changed(self, node: str, resource: str, urgent: bool) -> None:
        if node in self.idle or not self.core.reported.online(node):
            return
        threading.Thread(target=self.report, args=(node, resource), daemon=True).start()

    def pools_changed(self, node: str) -> None:
        if node in self.idle or not self.core.reported.online(node):
            return
        pools = tuple(
            ReportedPool(name=p.name, uuid=p.uuid, problem=self.problems[p.name])
            if p.name in self.problems
            else ReportedPool(name=p.name, uuid=p.uuid, marked=True, capacity=Capacity(total=100 * GIB, free=60 * GIB))
            for p in orders.wanted_pools(self.core.picture, node)
        )
        threading.Thread(target=self.core.on_report, args=(node, self._report(pools=pools)), daemon=True).start()

    def look(self, node: str) -> int:
        return 0

    def report(self, node: str, resource: str) -> None:
        """The satellite has done what it was last told about a resource."""
        definition = self.core.picture.definitions.get(resource)
        order = orders.wanted_resource(self.core.drivers, self.core.picture, definition, node) if definition else None
        if order is None:
            return
        problem = self.problems.get(order.name, "")
        volumes = tuple(
            ReportedVolume(
                number=v.number,
                uuid=v.uuid,
                presence=Presence.ABSENT if not v.wanted or problem else Presence.READY,
                device=None if problem else f"/dev/loop{v.number}",
                size=v.size,
                allocated=4096,
                in_use=False,
                problem=problem,
                levels=self._levels(node, v),
                metadata=self._metadata(v),
            )
            for v in order.volumes
        )
        snapshots = tuple(
            ReportedSnapshot(
                snapshot=s.snapshot,
                number=s.number,
                uuid=s.uuid,
                presence=Presence.READY if s.wanted else Presence.ABSENT,
                created=1_700_000_000_000,
            )
            for s in order.snapshots
        )
        seen = ReportedResource(
            name=order.name,
            revision=order.revision,
            settled=not problem,
            volumes=volumes,
            snapshots=snapshots,
            problem=problem,
        )
        self.core.on_report(node, self._report(resources=(seen,)))

    def _levels(self, node: str, volume: WantedVolume) -> tuple[ReportedLevel, ...]:
        if volume.drbd is None or not volume.wanted:
            return ()
        disk = "Diskless" if volume.drbd.replica.diskless else self.disks.get(node, "UpToDate")
        facts = {"disk": disk}
        for peer in volume.drbd.replica.peers:
            there = "Diskless" if peer.diskless else self.disks.get(key(peer.node), "UpToDate")
            facts |= {f"peer/{peer.node}/connection": "Connected", f"peer/{peer.node}/disk": there}
        return (ReportedLevel(layer="DRBD", presence=Presence.READY, size=volume.levels[0].size, facts=facts),)

    @staticmethod
    def _metadata(volume: WantedVolume) -> tuple[ReportedLevel, ...]:
        if volume.metadata is None or not volume.wanted:
            return ()
        device, size = f"/dev/loop{9000 + volume.number}", volume.metadata.levels[-1].size
        return (ReportedLevel(layer="STORAGE", presence=Presence.READY, device=device, size=size),)

    def _report(self, resources: tuple[ReportedResource, ...] = (), pools: tuple[ReportedPool, ...] = ()) -> Report:
        self._number += 1
        return Report(run="r", number=self._number, synced=True, resources=resources, pools=pools)


class Cluster:
    """The core of a new database, with satellites."""

    def __init__(self) -> None:
        picture = Picture()
        picture.controller = Controller(cluster=FENCE.cluster)
        group = ResourceGroup(name="DfltRscGrp", uuid="g", select_filter=SelectFilter(place_count=2))
        picture.groups = {key(group.name): group}
        picture.pool_definitions = {
            key(name): StoragePoolDefinition(name=name, uuid=name) for name in ("DfltStorPool", "DfltDisklessStorPool")
        }
        self.store = Changes()
        self.clock = SystemClock()
        self.core = Core(self.store, picture, FENCE, installed(), Hooks(), self.clock, ConditionWaiter(self.clock))
        self.satellites = Satellites(self.core)
        self.core.links = self.satellites

    def report(self, node: str, *resources: ReportedResource) -> None:
        self.core.on_report(node, Report(run="r", number=0, synced=True, resources=resources))

    def disconnect(self, node: str) -> None:
        self.core.on_status(node, Status.OFFLINE, "it does not answer")
