"""The agent's core: orders in, rounds of looking and acting, reports out. It has no thread and no clock of its own."""

import logging
import time
from collections.abc import Callable
from functools import partial

import msgspec

from orlop.codes import Fail
from orlop.drivers import LAYER, Drivers
from orlop.errors import TransportError
from orlop.hooks import Hooks
from orlop.host import Host, execute
from orlop.model import NodeInfo, WantedResource, key
from orlop.plugin import Step, TellsOfChanges
from orlop.satellite import physical
from orlop.satellite.backings import Backings
from orlop.satellite.info import info
from orlop.satellite.objects import Objects
from orlop.satellite.operating import operated
from orlop.satellite.planning import planned
from orlop.satellite.rounds import LOOK_EVERY, Rounds
from orlop.satellite.secrets import no_secret
from orlop.satellite.task import NEVER, NOW, Task
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

log = logging.getLogger(__name__)


class Node(Rounds):
    """What the controller may ask of it."""

    def __init__(
        self,
        *,
        name: str,
        host: Host,
        drivers: Drivers,
        hooks: Hooks,
        directory: str,
        run: str,
        secret: Callable[[str], bytes] = no_secret,
        look_every: float = LOOK_EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`directory` keeps the fence and what is held back; `run` must differ from the one of every earlier start."""
        super().__init__(
            host=host,
            drivers=drivers,
            hooks=hooks,
            directory=directory,
            run=run,
            secret=secret,
            look_every=look_every,
            clock=clock,
        )
        self._name, self._directory = name, directory
        self._obeyed: tuple[int, str] | None = None  # term and nonce of the last `Sync`
        self._ordered = 0  # commit that the last order was made from
        self._info: NodeInfo | None = None
        self._backings = Backings(host, drivers, hooks, directory)
        self._objects = Objects(host, drivers, hooks)

    # -- orders -----------------------------------------------------------------------------------

    def check(self, fence: Fence) -> None:
        with self.changed:
            self._fence.admit(fence)

    def info(self) -> NodeInfo:
        if self._info is None:
            self._info = info(self._name, self._host, self._drivers, self._hooks, self._directory)
        return self._info

    def sync(self, message: Sync) -> Accepted:
        """Resources that are not in it are left alone; what they are made of shows up among the orphans."""
        self._info = None
        information = self.info()
        with self.changed:
            self._fence.admit(message.fence)
            if self._late(message.fence):
                return Accepted(info=information)
            self._obeyed = (message.fence.term, message.fence.nonce)
            self._pools = message.pools
            self._outbox.clear()
            self._outbox.info(information)
            self._asked = message.look
            before, self._tasks = self._tasks, {}
            for wanted in message.resources:
                self._order(wanted, before.get(key(wanted.name)))
            self._look_at = NOW
            self.changed.notify_all()
        return Accepted(info=information)

    def update(self, message: Update) -> Accepted:
        with self.changed:
            self._fence.admit(message.fence)
            if self._obeyed != (message.fence.term, message.fence.nonce):
                raise TransportError("this node was not told everything yet", correction="Send a Sync first.")
            if self._late(message.fence):
                return Accepted()
            for name in message.forget:
                self._tasks.pop(key(name), None)
                self._outbox.forget(name)
            for wanted in message.resources:
                self._order(wanted, self._tasks.get(key(wanted.name)))
            if message.pools is not None:
                self._pools = message.pools
                self._outbox.keep_pools({pool.name for pool in message.pools})
            if message.pools is not None or message.forget or message.look not in (0, self._asked):
                self._look_at = NOW
            self._asked = message.look or self._asked
            self.changed.notify_all()
        return Accepted()

    def reports(self, after: int, wait: float = 0.0) -> Report:
        with self.changed:
            if wait > 0:
                self.changed.wait_for(lambda: self._outbox.number != after, timeout=wait)
            return msgspec.structs.replace(self._outbox.after(after), secrets=self._secrets.asked)

    def secrets(self, message: Secrets) -> Accepted:
        with self.changed:
            self._fence.admit(message.fence)
            self._secrets.take(message)
            for task in self._tasks.values():
                if task.lacking & (message.known.keys() | message.refused.keys()):
                    task.due = NOW
            self.changed.notify_all()
        return Accepted()

    def watch_mounts(self, wait: float) -> None:
        """Up to `wait` seconds; if a mount changes who uses what, everything is looked at again at once."""
        if not self._host.mounts_changed(wait):
            return
        users = self._look_for_users()
        with self.changed:
            if users is not None and users != self._users:
                self._look_at = NOW
                self.changed.notify_all()

    def listened_to(self) -> list[tuple[str, ...]]:
        """Programs that tell when a layer's volumes changed by themselves."""
        layers = [driver for driver in self._drivers.all(LAYER).values() if isinstance(driver, TellsOfChanges)]
        found = self._host.programs(tuple(layer.listen_to[0] for layer in layers))
        return [layer.listen_to for layer in layers if found[layer.listen_to[0]] is not None]

    def listen(self, argv: tuple[str, ...], wait: float) -> None:
        """Up to `wait` seconds; whatever is told, everything is looked at again at once."""
        if self._host.heard(argv, wait):
            with self.changed:
                self._look_at = NOW
                self.changed.notify_all()

    def close(self) -> None:
        self._host.close()

    def physical_storage(self) -> tuple[PhysicalDevice, ...]:
        return physical.unused(self._host)

    def make_backing(self, message: MakeBacking) -> BackingOutcome:
        self.check(message.fence)
        return self._looking(self._backings.make(message.backing, message.fence.cluster))

    def remove_backing(self, message: RemoveBacking) -> BackingOutcome:
        self.check(message.fence)
        return self._looking(self._backings.remove(message.pool, message.fence.cluster))

    def take_object(self, message: TakeObject) -> ObjectTaken:
        self.check(message.fence)
        with self.changed:
            pools, known = self._pools, [task.wanted for task in self._tasks.values()]
        outcome = self._objects.taken(message, pools, known)
        self._look_now()
        return outcome

    def plan(self, message: Plan) -> Planned:
        self.check(message.fence)
        with self.changed:
            pools = self._pools if message.pools is None else message.pools
        return planned(self._host, self._drivers, pools, message.resources, message.fence.cluster)

    def operate(self, message: Operate, wait: float) -> Operated:
        """What is in hand of the resource is finished first; it may take `wait` seconds."""
        self.check(message.fence)
        name = key(message.resource)
        with self.changed:
            if not self.changed.wait_for(lambda: name not in self._busy, timeout=wait):
                return Operated(problem=f"{message.resource} is being worked on", code=Fail.RSC_BUSY)
            task, pools = self._tasks.get(name), self._pools
            if task is None:
                return Operated(problem=f"this node has no part in {message.resource}", code=Fail.NOT_FOUND_RSC)
            self._busy.add(name)
        try:
            seen = self._observe(pools, [task.wanted])
            return operated(task.wanted, seen, message.order, partial(self._carried_out, task))
        finally:
            with self.changed:
                self._release(task, NOW)

    def _carried_out(self, task: Task, step: Step) -> None:
        execute(task.wanted.name, (step,), self._host, self._hooks, self._secrets)

    def _looking(self, outcome: BackingOutcome) -> BackingOutcome:
        """Pools may have come or gone by it."""
        self._look_now()
        return outcome

    def _look_now(self) -> None:
        with self.changed:
            self._look_at = NOW
            self.changed.notify_all()

    def _late(self, fence: Fence) -> bool:
        """An order that was overtaken on its way may name what was removed since: it must not be obeyed."""
        if self._obeyed == (fence.term, fence.nonce) and fence.sequence < self._ordered:
            log.warning("ignored an order of commit %d: one of commit %d was given", fence.sequence, self._ordered)
            return True
        self._ordered = fence.sequence
        return False

    def _order(self, wanted: WantedResource, known: Task | None) -> None:
        """A repeated order does not disturb the work on it; any other one replaces the task, which cancels it."""
        task = known if known is not None and known.wanted == wanted else Task(wanted)
        task.due, task.failures, task.looked = NOW, 0, False
        if known is not None and task is not known and self._only_holds(known, wanted):
            task.due, task.looked, task.stands = NEVER, True, True
            self._holding.due = NOW
        self._tasks[key(wanted.name)] = task

    def _only_holds(self, known: Task, wanted: WantedResource) -> bool:
        """Whether an order asks for nothing new but to hold I/O back or to let go: for that nothing is looked at."""
        if known.wanted.hold == wanted.hold:
            return False
        idle = known.due == NEVER and known.looked and known.course is None and key(wanted.name) not in self._busy
        before = msgspec.structs.replace(known.wanted, revision=wanted.revision, hold=wanted.hold)
        return idle and before == wanted and self._outbox.said(wanted.name) is not None
