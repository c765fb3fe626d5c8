"""Between the controller and the satellites of a simulated cluster: channels that fail, links that try again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from orlop.controller.link import Link
from orlop.errors import TransportError
from orlop.model import NewBacking, Node, NodeInfo, ReplicaOrder, WantedPool, key
from orlop.satellite.node import Node as Satellite
from orlop.transport.messages import (
    Accepted,
    BackingOutcome,
    Fence,
    MakeBacking,
    ObjectTaken,
    Operate,
    Operated,
    PhysicalDevice,
    Plan,
    Planned,
    RemoveBacking,
    Report,
    Secrets,
    Sync,
    TakeObject,
    Update,
)

if TYPE_CHECKING:
    from orlop.testing.cluster import SimulatedCluster, SimulatedNode

Result = TypeVar("Result")
RECONNECT = 2.0  # seconds until a link tries again


class SimulatedChannel:
    """A connection that can lose answers, repeat old orders and break."""

    def __init__(self, cluster: SimulatedCluster, node: SimulatedNode, fence: Fence) -> None:
        self._cluster, self._node, self._fence = cluster, node, fence
        self._start = -1

    def connect(self) -> NodeInfo:
        self._start = self._node.starts

        def greet(satellite: Satellite) -> NodeInfo:
            satellite.check(self._fence)
            return satellite.info()

        return self._node.guarded(greet)

    def sync(self, message: Sync) -> Accepted:
        return self._order(lambda satellite: satellite.sync(message))

    def update(self, message: Update) -> Accepted:
        self._cluster.sent.append((self._node.name, message))
        return self._order(lambda satellite: satellite.update(message))

    def secrets(self, message: Secrets) -> Accepted:
        return self._order(lambda satellite: satellite.secrets(message))

    def reports(self, after: int, wait: float) -> Report:
        return self._alive(lambda satellite: satellite.reports(after, 0.0))

    def physical_storage(self) -> tuple[PhysicalDevice, ...]:
        return self._alive(lambda satellite: satellite.physical_storage())

    def make_backing(self, message: MakeBacking) -> BackingOutcome:
        return self._order(lambda satellite: satellite.make_backing(message))

    def remove_backing(self, message: RemoveBacking) -> BackingOutcome:
        return self._order(lambda satellite: satellite.remove_backing(message))

    def operate(self, message: Operate) -> Operated:
        while self._node.jobs:  # what is in hand is finished first
            self._node.step()
        return self._order(lambda satellite: satellite.operate(message, 0.0))

    def take_object(self, message: TakeObject) -> ObjectTaken:
        return self._order(lambda satellite: satellite.take_object(message))

    def plan(self, message: Plan) -> Planned:
        return self._alive(lambda satellite: satellite.plan(message))

    def close(self) -> None:
        self._start = -1

    def _alive(self, act: Callable[[Satellite], Result]) -> Result:
        if self._start != self._node.starts:
            raise TransportError(f"satellite {self._node.name} was restarted")
        return self._node.guarded(act)

    def _order(self, act: Callable[[Satellite], Result]) -> Result:
        accepted = self._alive(act)
        if self._cluster.lost_answers > 0:
            self._cluster.lost_answers -= 1
            raise TransportError(f"the answer of satellite {self._node.name} was lost")
        return accepted


class SimulatedLinks:
    """The links of one controller."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster
        self.links: dict[str, Link] = {}
        self.retry: dict[str, float] = {}

    def watch(self, node: Node) -> None:
        self.drop(node)
        if node.has_satellite:
            core = self._cluster.core
            self.links[key(node.name)] = Link(core, node, self._cluster.dial)

    def drop(self, node: Node) -> None:
        link = self.links.pop(key(node.name), None)
        if link is not None:
            link.end()

    def reconnect(self, node: Node) -> None:
        self.watch(node)

    def restart(self) -> None:
        for node in self._cluster.core.picture.nodes.values():
            self.watch(node)

    def changed(self, node: str, resource: str, urgent: bool) -> None:
        if node in self.links:
            self.links[node].changed(resource, urgent)

    def pools_changed(self, node: str) -> None:
        if node in self.links:
            self.links[node].pools_changed()

    def look(self, node: str) -> int:
        return self.links[node].look() if node in self.links else 0

    def secrets_available(self) -> None:
        for link in self.links.values():
            link.secrets_available()

    def physical_storage(self, node: str) -> tuple[PhysicalDevice, ...]:
        return self.links[key(node)].physical_storage()

    def make_backing(self, node: str, backing: NewBacking) -> BackingOutcome:
        return self.links[key(node)].make_backing(backing)

    def remove_backing(self, node: str, pool: WantedPool) -> BackingOutcome:
        return self.links[key(node)].remove_backing(pool)

    def operate(self, node: str, resource: str, order: ReplicaOrder) -> Operated:
        return self.links[key(node)].operate(resource, order)

    def take_object(self, node: str, order: TakeObject) -> ObjectTaken:
        return self.links[key(node)].take_object(order)

    def plan(self, node: str, message: Plan) -> Planned:
        return self.links[key(node)].plan(message)

    def step(self, name: str, now: float) -> bool:
        """Whether the link had something to do; one that failed rests."""
        link = self.links[name]
        if not link.connected:
            if now < self.retry.get(name, 0.0):
                return False
            if not link.connect():
                self.retry[name] = now + RECONNECT
            return True
        lagging = link.lagging and not self._cluster.mute and self._cluster.random.random() < 0.2
        if link.pending or lagging:
            if not link.push():
                self.retry[name] = now + RECONNECT
            return True
        before = self._cluster.progress
        if not link.poll(0.0):
            self.retry[name] = now + RECONNECT
            return True
        return self._cluster.progress != before or link.pending
