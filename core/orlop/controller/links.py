"""Threads that take the steps of the links: two per node, one that connects and pushes, one that polls."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable

from orlop.controller.core import Core
from orlop.controller.link import Channel, Link
from orlop.controller.reported import Status
from orlop.errors import TransportError
from orlop.model import NewBacking, Node, ReplicaOrder, WantedPool, key
from orlop.transport.messages import (
    BackingOutcome,
    Fence,
    ObjectTaken,
    Operated,
    PhysicalDevice,
    Plan,
    Planned,
    TakeObject,
)

log = logging.getLogger(__name__)

RECONNECT = 2.0  # seconds between attempts to reach a node that is away, with jitter
POLL = 5.0  # seconds a poll waits at the satellite: one that hangs is known to be away soon after
LAG = 5.0  # seconds after which a satellite is told what it need not act on, if no order came first
SYNCS = 16  # full syncs at a time


class Worker:
    """One node's link and its two threads."""

    def __init__(self, link: Link, syncs: threading.Semaphore) -> None:
        self.link = link
        self._syncs = syncs
        self._wake = threading.Event()
        self._reconnected = threading.Event()
        self._stopped = threading.Event()
        name = link.node.name
        self._threads = [
            threading.Thread(target=self._guard, args=(self._push_loop,), name=f"push {name}", daemon=True),
            threading.Thread(target=self._guard, args=(self._poll_loop,), name=f"poll {name}", daemon=True),
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        self._wake.set()

    def stop(self) -> None:
        self._stopped.set()
        self._wake.set()
        self._reconnected.set()
        self.link.end()

    def _guard(self, loop: Callable[[], None]) -> None:
        """An error nobody expected is logged and the loop goes on: a node must not stay cut off for a bug."""
        while not self._stopped.is_set():
            try:
                loop()
            except Exception:  # noqa: BLE001 - logged with its trace; the loop starts over
                log.exception("the link to %s failed", self.link.node.name)
                self.link.close()
                self._stopped.wait(RECONNECT)

    def _push_loop(self) -> None:
        while not self._stopped.is_set():
            if not self.link.connected and not self._connect():
                self._wake.wait(RECONNECT * random.uniform(0.7, 1.3))
                self._wake.clear()
                continue
            if self.link.pending:
                self.link.push()
                continue
            if not self._wake.wait(LAG) and self.link.lagging:
                self.link.push()
            self._wake.clear()

    def _connect(self) -> bool:
        if not self.link.connect():  # outside the turn: a satellite that hangs must not keep others from theirs
            return False
        with self._syncs:
            if not self.link.push():
                return False
        self._reconnected.set()
        return True

    def _poll_loop(self) -> None:
        while not self._stopped.is_set():
            if not self.link.connected:
                self._reconnected.wait(1.0)
                self._reconnected.clear()
                continue
            if not self.link.poll(POLL) or self.link.pending:
                self._wake.set()  # lost, or the satellite restarted and needs the whole picture


class ThreadedLinks:
    """The links of all nodes."""

    def __init__(self, core: Core, dial: Callable[[Node, Fence], Channel]) -> None:
        self._core = core
        self._dial = dial
        self._syncs = threading.Semaphore(SYNCS)
        self._lock = threading.Lock()
        self._workers: dict[str, Worker] = {}

    def start(self) -> None:
        for node in self._core.picture.nodes.values():
            self.watch(node)

    def stop(self) -> None:
        with self._lock:
            workers, self._workers = list(self._workers.values()), {}
        for worker in workers:
            worker.stop()

    def watch(self, node: Node) -> None:
        self.drop(node)
        if not node.has_satellite:
            return
        worker = Worker(Link(self._core, node, self._dial), self._syncs)
        with self._lock:
            self._workers[key(node.name)] = worker
        worker.start()

    def drop(self, node: Node) -> None:
        with self._lock:
            worker = self._workers.pop(key(node.name), None)
        if worker is not None:
            worker.stop()
            if self._core.picture.node(node.name) is not None:
                self._core.on_status(node.name, Status.OFFLINE, "its connection is being made anew")

    def reconnect(self, node: Node) -> None:
        self.watch(node)

    def restart(self) -> None:
        """After a new activation every satellite has to be greeted again."""
        for node in self._core.picture.nodes.values():
            self.watch(node)

    def changed(self, node: str, resource: str, urgent: bool) -> None:
        worker = self._workers.get(node)
        if worker is not None:
            worker.link.changed(resource, urgent)
            if urgent:
                worker.wake()

    def pools_changed(self, node: str) -> None:
        worker = self._workers.get(node)
        if worker is not None:
            worker.link.pools_changed()
            worker.wake()

    def look(self, node: str) -> int:
        worker = self._workers.get(node)
        if worker is None:
            return 0
        number = worker.link.look()
        worker.wake()
        return number

    def secrets_available(self) -> None:
        for worker in list(self._workers.values()):
            worker.link.secrets_available()
            worker.wake()

    def physical_storage(self, node: str) -> tuple[PhysicalDevice, ...]:
        return self._link(node).physical_storage()

    def make_backing(self, node: str, backing: NewBacking) -> BackingOutcome:
        return self._link(node).make_backing(backing)

    def remove_backing(self, node: str, pool: WantedPool) -> BackingOutcome:
        return self._link(node).remove_backing(pool)

    def operate(self, node: str, resource: str, order: ReplicaOrder) -> Operated:
        return self._link(node).operate(resource, order)

    def take_object(self, node: str, order: TakeObject) -> ObjectTaken:
        return self._link(node).take_object(order)

    def plan(self, node: str, message: Plan) -> Planned:
        return self._link(node).plan(message)

    def _link(self, node: str) -> Link:
        worker = self._workers.get(key(node))
        if worker is None:
            raise TransportError(f"node {node} has no satellite connection")
        return worker.link
