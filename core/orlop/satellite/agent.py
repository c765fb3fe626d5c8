"""A node with threads: one looks, one waits for mounts, a few act. Implements `orlop.transport.agent.Agent`."""

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from orlop.model import NodeInfo
from orlop.satellite.node import Node
from orlop.satellite.rounds import BACK_OFF
from orlop.satellite.task import Job
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

HANDS = 4
WATCH = 5.0  # seconds a wait for the next mount lasts at most
PATIENCE = 60.0  # seconds that an order to be carried out at once waits for what is in hand
PAUSE = 0.5  # seconds between looks for users: where containers come and go, mounts never end


class ThreadedAgent:
    """Looks as soon as an order comes. A step that takes long keeps one pair of hands busy, nothing else."""

    def __init__(self, node: Node, clock: Callable[[], float] = time.monotonic, hands: int = HANDS) -> None:
        self._node, self._clock = node, clock
        self._hands = ThreadPoolExecutor(hands, thread_name_prefix="orlop-act")
        self._eyes = threading.Thread(target=self._watch, name="orlop-look", daemon=True)
        self._mounts = threading.Thread(target=self._watch_mounts, name="orlop-mounts", daemon=True)
        self._stopped = False
        self._ended = threading.Event()

    def start(self) -> None:
        self._eyes.start()
        self._mounts.start()
        for argv in self._node.listened_to():
            threading.Thread(target=self._listen, args=(argv,), name=f"orlop-{argv[0]}", daemon=True).start()

    def stop(self) -> None:
        """What is being carried out is finished first, what is only planned is not begun.

        The wait for mounts ends by itself, a little later; it changes nothing.
        """
        self._ended.set()
        with self._node.changed:
            self._stopped = True
            self._node.changed.notify_all()
        self._eyes.join()
        self._hands.shutdown(cancel_futures=True)
        self._node.close()

    def check(self, fence: Fence) -> None:
        self._node.check(fence)

    def info(self) -> NodeInfo:
        return self._node.info()

    def sync(self, message: Sync) -> Accepted:
        return self._node.sync(message)

    def update(self, message: Update) -> Accepted:
        return self._node.update(message)

    def reports(self, after: int, wait: float) -> Report:
        return self._node.reports(after, wait)

    def secrets(self, message: Secrets) -> Accepted:
        return self._node.secrets(message)

    def physical_storage(self) -> tuple[PhysicalDevice, ...]:
        return self._node.physical_storage()

    def make_backing(self, message: MakeBacking) -> BackingOutcome:
        return self._node.make_backing(message)

    def remove_backing(self, message: RemoveBacking) -> BackingOutcome:
        return self._node.remove_backing(message)

    def operate(self, message: Operate) -> Operated:
        return self._node.operate(message, PATIENCE)

    def take_object(self, message: TakeObject) -> ObjectTaken:
        return self._node.take_object(message)

    def plan(self, message: Plan) -> Planned:
        return self._node.plan(message)

    def _watch(self) -> None:
        while self._wait():
            try:
                jobs = self._node.look(self._clock())
            except Exception:
                log.exception("looking at the node failed; trying again in %.0f s", BACK_OFF[0])
                continue
            for job in jobs:
                self._hands.submit(self._act, job)

    def _watch_mounts(self) -> None:
        while not self._ended.is_set():
            try:
                self._node.watch_mounts(WATCH)
            except Exception:
                log.exception("waiting for mounts failed; use is still looked for from time to time")
                return
            self._ended.wait(PAUSE)

    def _listen(self, argv: tuple[str, ...]) -> None:
        while not self._ended.is_set():
            try:
                self._node.listen(argv, WATCH)
            except Exception:
                if not self._ended.is_set():  # it may be gone already
                    log.exception("listening to %s failed; its volumes are still looked at from time to time", argv[0])
                return
            self._ended.wait(PAUSE)

    def _wait(self) -> bool:
        """Sleep until something is due; False when it is time to stop."""
        with self._node.changed:
            while not self._stopped:
                left = self._node.due() - self._clock()
                if left <= 0:
                    return True
                self._node.changed.wait(min(left, threading.TIMEOUT_MAX))
            return False

    def _act(self, job: Job) -> None:
        try:
            self._node.carry_out(job)
        except Exception:
            log.exception("carrying out the orders for %s failed", job.task.wanted.name)
