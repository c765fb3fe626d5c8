"""What the core needs of its surroundings: the product and the simulation each bring their own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from orlop.controller.picture import Change
from orlop.model import NewBacking, Node, ReplicaOrder, WantedPool
from orlop.transport.messages import BackingOutcome, ObjectTaken, Operated, PhysicalDevice, Plan, Planned, TakeObject

Result = TypeVar("Result")


class Clock(Protocol):
    def monotonic(self) -> float:
        """Seconds, for measuring."""
        ...

    def milliseconds(self) -> int:
        """Since 1970, for people."""
        ...


class Commits(Protocol):
    """What the core needs of the store."""

    def commit(self, changes: list[Change], sequence: int) -> None: ...


class Waiter(Protocol):
    """How a request waits: on a condition in the product, by stepping the cluster in the simulation."""

    def wait(self, done: Callable[[], Result | None], seconds: float) -> Result | None:
        """The first result of `done` that is not None; None when the time is over."""
        ...

    def notify(self) -> None:
        """Something changed: ask `done` again."""
        ...


class Links(Protocol):
    """The connections to the satellites, told what changed; they compute and send orders on their own time."""

    def watch(self, node: Node) -> None:
        """The node is new or its addresses changed."""
        ...

    def drop(self, node: Node) -> None:
        """The node is gone."""
        ...

    def changed(self, node: str, resource: str, urgent: bool) -> None:
        """The node's share of a resource changed (keys); it is told at once or, not `urgent`, with the next order."""
        ...

    def pools_changed(self, node: str) -> None: ...

    def look(self, node: str) -> int:
        """Have the node (key) look at everything now; the number it reports when it has, 0 if it cannot be asked."""
        ...

    def secrets_available(self) -> None:
        """What was refused to satellites because the controller was locked can be given now."""
        ...

    def reconnect(self, node: Node) -> None:
        """Try again now, whatever the pause."""
        ...

    def physical_storage(self, node: str) -> tuple[PhysicalDevice, ...]:
        """Ask the satellite; raises `TransportError` when it is away."""
        ...

    def make_backing(self, node: str, backing: NewBacking) -> BackingOutcome:
        """Waits for the satellite to make it; raises `TransportError` when it is away or does not answer."""
        ...

    def remove_backing(self, node: str, pool: WantedPool) -> BackingOutcome: ...

    def operate(self, node: str, resource: str, order: ReplicaOrder) -> Operated:
        """Waits for the satellite to do it; raises `TransportError` when it is away or does not answer."""
        ...

    def take_object(self, node: str, order: TakeObject) -> ObjectTaken: ...

    def plan(self, node: str, message: Plan) -> Planned:
        """What the satellite would do; nothing is done. Raises `TransportError` when it is away."""
        ...


class Ticket(Protocol):
    """How a node joins: the command, the token it asks for, and when that ends."""

    @property
    def command(self) -> str: ...
    @property
    def token(self) -> str: ...
    @property
    def expires_at(self) -> int:
        """Milliseconds since 1970."""
        ...


class Enrolment(Protocol):
    def join_command(self, node: str) -> Ticket: ...
