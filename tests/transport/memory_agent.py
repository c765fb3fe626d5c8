"""A real agent that keeps everything in memory: it obeys, remembers and reports, but there is no storage."""

import threading

from orlop.errors import Fenced, TransportError
from orlop.model import NodeInfo, ReportedResource
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
    PlannedSteps,
    RemoveBacking,
    Report,
    Secrets,
    Sync,
    TakeObject,
    Update,
)


class MemoryAgent:
    def __init__(self, name: str, run: str = "first run") -> None:
        self.name, self.run = name, run
        self.fence: Fence | None = None
        self.orders: list[Sync | Update] = []
        self.told: Secrets | None = None
        self._changed = threading.Condition()
        self._number = 0
        self._reported: dict[str, tuple[int, ReportedResource]] = {}

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def check(self, fence: Fence) -> None:
        with self._changed:
            known = self.fence
            if known and (fence.term < known.term or (fence.term == known.term and fence.nonce != known.nonce)):
                raise Fenced(known.term, known.nonce, f"{self.name} obeys term {known.term}, not {fence.term}")
            self.fence = fence

    def info(self) -> NodeInfo:
        return NodeInfo(name=self.name, uname=self.name, version="0.1.0")

    def sync(self, message: Sync) -> Accepted:
        self.check(message.fence)
        self.orders.append(message)
        return Accepted(info=self.info())

    def update(self, message: Update) -> Accepted:
        self.check(message.fence)
        if not self.orders:
            raise TransportError(f"{self.name} has not been told its whole picture yet")
        self.orders.append(message)
        for resource in message.resources:
            self.report(ReportedResource(name=resource.name, revision=resource.revision, settled=True))
        return Accepted()

    def report(self, resource: ReportedResource) -> None:
        with self._changed:
            self._number += 1
            self._reported[resource.name] = self._number, resource
            self._changed.notify_all()

    def reports(self, after: int, wait: float) -> Report:
        with self._changed:
            self._changed.wait_for(lambda: self._number > after, timeout=wait)
            resources = tuple(value for number, value in self._reported.values() if number > after)
            return Report(run=self.run, number=self._number, synced=bool(self.orders), resources=resources)

    def secrets(self, message: Secrets) -> Accepted:
        self.check(message.fence)
        self.told = message
        return Accepted()

    def physical_storage(self) -> tuple[PhysicalDevice, ...]:
        return (PhysicalDevice(device="/dev/sdb", size=1 << 30),)

    def make_backing(self, message: MakeBacking) -> BackingOutcome:
        self.check(message.fence)
        return BackingOutcome(
            problem=f"{message.backing.name} is not made", step="make it", left=("make it",), code=998
        )

    def remove_backing(self, message: RemoveBacking) -> BackingOutcome:
        self.check(message.fence)
        return BackingOutcome()

    def operate(self, message: Operate) -> Operated:
        self.check(message.fence)
        return Operated(done=(f"{message.order.verb} {message.resource} {message.order.peer}",))

    def take_object(self, message: TakeObject) -> ObjectTaken:
        self.check(message.fence)
        return ObjectTaken(found=message.object, done=(f"take {message.object.name}",))

    def plan(self, message: Plan) -> Planned:
        self.check(message.fence)
        return Planned(resources=tuple(PlannedSteps(name=each.name, steps=("make it",)) for each in message.resources))
