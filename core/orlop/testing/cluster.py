"""A whole cluster in one thread: the real controller and satellites over simulated nodes, a network and a clock.

Everything that happens is a step, and a seed decides which step comes next, so that a failure can be repeated. Time
passes only when nothing else can happen.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from orlop.controller.core import Core
from orlop.controller.restored import accept
from orlop.controller.usecases import votes
from orlop.drivers import Drivers
from orlop.errors import NodeError, TransportError
from orlop.hooks import Hooks
from orlop.model import NetInterface, Node, StoragePool
from orlop.satellite import guard, holding
from orlop.satellite.node import Node as Satellite
from orlop.satellite.task import Job
from orlop.satellite.trust import shared_secrets
from orlop.testing.cluster_links import SimulatedChannel, SimulatedLinks
from orlop.testing.commits import MemoryStore
from orlop.testing.drbd_network import SimulatedNetwork
from orlop.testing.faults import Crash
from orlop.testing.host import SimulatedHost
from orlop.testing.nvme import Fabric
from orlop.transport.identity import ClusterKey
from orlop.transport.messages import Fence, Report, Update

Result = TypeVar("Result")
KEY_COST = 4  # nobody guesses passphrases here
STATE = "/var/lib/orlop"
POOL = "/srv/pool"
LOOKS = 3  # at votes, until nothing is left to change


class SimulatedClock:
    """Seconds since its own start; `milliseconds` begins in 2027."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def milliseconds(self) -> int:
        return 1_800_000_000_000 + int(self.now * 1000)


class SimulatedNode:
    """A machine: its host outlives the satellite, which outlives nothing."""

    def __init__(self, cluster: SimulatedCluster, name: str, reflink: bool) -> None:
        self.name = name
        self.host = SimulatedHost(
            name=name, reflink=reflink, clock=lambda: cluster.clock.milliseconds() / 1000, fabric=cluster.fabric
        )
        self.host.disk.make_folder(POOL)
        self.reachable = True
        self.starts = 0
        self.satellite: Satellite | None = None
        self.jobs: list[Job] = []
        self._cluster = cluster

    def start(self) -> None:
        """Start the satellite; a crash while it starts leaves it stopped."""
        if self.satellite is not None:
            return
        self.starts += 1
        try:
            self.satellite = Satellite(
                name=self.name,
                host=self.host,
                drivers=self._cluster.drivers,
                hooks=self._cluster.hooks,
                directory=STATE,
                run=f"{self.name}-{self.starts}",
                secret=shared_secrets(self._cluster.key),
                clock=self._cluster.clock.monotonic,
            )
        except Crash:
            self.satellite = None

    def stop(self) -> None:
        """The process is killed."""
        self.satellite = None
        self.jobs.clear()

    def power_loss(self) -> None:
        self.stop()
        self.host.power_loss()

    def guarded(self, act: Callable[[Satellite], Result]) -> Result:
        """Runs something in the satellite; a crash kills the process and looks like a lost connection from outside."""
        if self.satellite is None or not self.reachable:
            raise TransportError(f"satellite {self.name} cannot be reached")
        try:
            return act(self.satellite)
        except Crash:
            self.stop()
            raise TransportError(f"satellite {self.name} stopped") from None
        except NodeError as error:
            raise TransportError(f"satellite {self.name} could not do it: {error}") from error

    def step(self) -> bool:
        """One round of looking, or one piece of work; False when there is nothing to do now."""
        self._guard()
        if self.satellite is None:
            return False
        try:
            due = self.satellite.due() <= self._cluster.clock.now
            if self.jobs and not (due and self._cluster.random.random() < 0.5):
                job = self.jobs.pop(self._cluster.random.randrange(len(self.jobs)))
                self.satellite.carry_out(job)
                return True
            if due:  # also while work is in hand
                self.jobs += self.satellite.look(self._cluster.clock.now)
                return True
        except NodeError:
            return True
        except Crash:
            self.stop()
            return True
        return False

    def _guard(self) -> None:
        """What a process of its own does beside the satellite; faults do not hit it."""
        for argv in list(self.host.detached):
            at, hold = argv[-2:]
            note = holding.read(self.host, at)
            if note is None or note.hold != hold:
                self.host.detached.remove(argv)
            elif self._cluster.clock.now >= note.until:
                with self.host.faults.paused():
                    holding.expired(self.host, self._cluster.drivers, at, hold, self._cluster.clock.now)


class SteppingWaiter:
    """A request that waits lets the cluster go on, step by step."""

    def __init__(self, cluster: SimulatedCluster) -> None:
        self._cluster = cluster

    def wait(self, done: Callable[[], Result | None], seconds: float) -> Result | None:
        deadline = self._cluster.clock.now + seconds
        while (result := done()) is None:
            if self._cluster.clock.now >= deadline:
                return done()
            self._cluster.step(deadline)
        return result

    def notify(self) -> None:
        return


class SimulatedCluster:
    """`nodes` by name. Talk to it through `core` and the use cases; `settle` lets everything come to rest."""

    def __init__(
        self,
        names: Iterable[str] = ("alpha", "bravo", "charlie"),
        seed: int = 0,
        reflink: bool = True,
        hooks: Hooks | None = None,
        drivers: Drivers | None = None,
        drbd: bool | str = False,
    ) -> None:
        """`drbd`: every node has it, in the series "8.4" (as with True) or "9"."""
        self.random = random.Random(seed)
        self.clock = SimulatedClock()
        self.drivers = drivers or Drivers.installed()
        self.hooks = hooks or Hooks()
        self.store = MemoryStore()
        self.key = ClusterKey(bytes(range(32)))
        self.lost_answers = 0  # so many answers to orders get lost
        self.mute = False  # orders that can wait are not sent
        self.sent: list[tuple[str, Update]] = []
        self.progress = 0
        self.fabric = Fabric()
        self.network = SimulatedNetwork()
        self.nodes = {name: SimulatedNode(self, name, reflink) for name in names}
        for node in self.nodes.values():
            if drbd:
                node.host.join(self.network, "8.4" if drbd is True else drbd)
            node.start()
        self.start_controller()

    # -- the controller -----------------------------------------------------------------------------------------

    def start_controller(self) -> None:
        """A new process on the same database."""
        activation = self.store.activate()
        fence = Fence(cluster=activation.cluster, term=activation.term, nonce=activation.nonce)
        self.core = _WatchedCore(self, fence)
        self.links = SimulatedLinks(self)
        self.core.links = self.links
        self.core.abandon_snapshots()
        for node in self.core.picture.nodes.values():
            self.links.watch(node)

    def accept_restore(self) -> None:
        """What `orlop controller accept-restore` does."""
        accept(self.core, self.store, self.links)

    def dial(self, node: Node, fence: Fence) -> SimulatedChannel:
        return SimulatedChannel(self, self.nodes[node.name], fence)

    def register(self, *names: str, provider: str = "FILE_THIN", place: str = POOL) -> None:
        """Nodes with a pool each, as an administrator would add them."""
        with self.core.change() as draft:
            for name in names or self.nodes:
                interface = NetInterface(
                    name="default",
                    uuid=self.core.new_uuid(),
                    address=f"10.0.0.{list(self.nodes).index(name) + 1}",
                    port=3366,
                    encryption="PLAIN",
                    active=True,
                )
                draft.put(Node(name=name, uuid=self.core.new_uuid(), interfaces=(interface,)))
                draft.put(
                    StoragePool(
                        node=name,
                        name="pool1",
                        uuid=self.core.new_uuid(),
                        provider=provider,
                        props={"StorDriver/StorPoolName": place},
                    )
                )
        self.settle()

    # -- steps --------------------------------------------------------------------------------------------------

    def step(self, deadline: float) -> None:
        """Something happens, somewhere; when nothing can, time passes until something can (or until `deadline`)."""
        actions: list[Callable[[], bool]] = [node.step for node in self.nodes.values()]
        actions += [partial(self.links.step, name, self.clock.now) for name in self.links.links]
        self.random.shuffle(actions)
        if not any(action() for action in actions):
            self.clock.now = min(max(self._next_moment(), self.clock.now + 0.01), deadline)

    def _next_moment(self) -> float:
        moments = [at for at in self.links.retry.values() if at > self.clock.now]
        moments += [n.satellite.due() for n in self.nodes.values() if n.satellite is not None]
        moments += [self.clock.now + guard.LOOK_EVERY for n in self.nodes.values() if n.host.detached]
        return min((at for at in moments if at > self.clock.now), default=float("inf"))

    def run(self, seconds: float) -> None:
        """Let simulated time pass."""
        deadline = self.clock.now + seconds
        while self.clock.now < deadline:
            self.step(deadline)

    def settle(self, seconds: float = 60.0) -> None:
        """Let simulated time pass; the controller looks whether votes are to change, as it does all the time."""
        self.run(seconds)
        for _ in range(LOOKS):
            if votes.look(self.core):
                self.run(seconds)

    def heal(self) -> None:
        """Everything is reachable, running and free of faults."""
        self.lost_answers = 0
        for node in self.nodes.values():
            node.reachable = True
            node.host.faults.clear()
            node.host.disk.used.clear()
            node.start()


class _WatchedCore(Core):
    """Counts reports, so that a step knows whether anything happened."""

    def __init__(self, cluster: SimulatedCluster, fence: Fence) -> None:
        super().__init__(
            cluster.store,
            cluster.store.committed,
            fence,
            cluster.drivers,
            cluster.hooks,
            cluster.clock,
            SteppingWaiter(cluster),
            key_cost=KEY_COST,
        )
        self._cluster = cluster

    def on_report(self, node: str, report: Report) -> None:
        if report.resources or report.pools or report.orphans is not None or report.info is not None or report.secrets:
            self._cluster.progress += 1
        super().on_report(node, report)
