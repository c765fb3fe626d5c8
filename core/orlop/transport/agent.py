"""What a satellite offers to whoever may give it orders: the server side calls it, the agent implements it."""

from typing import Protocol

from orlop.model import NodeInfo
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


class Agent(Protocol):
    """Thread-safe. Every order checks its fence first and raises `Fenced` where it must not be obeyed."""

    def check(self, fence: Fence) -> None:
        """Raises `Fenced` unless this is the activation to obey; a higher term is stored durably first."""
        ...

    def info(self) -> NodeInfo: ...

    def sync(self, message: Sync) -> Accepted:
        """The whole picture of this node; answers as soon as it is queued."""
        ...

    def update(self, message: Update) -> Accepted:
        """What changed since; raises `TransportError` when no `Sync` of this term came before."""
        ...

    def reports(self, after: int, wait: float) -> Report:
        """Everything that changed after report number `after`; waits up to `wait` seconds for something new."""
        ...

    def secrets(self, message: Secrets) -> Accepted:
        """What a report asked for; the steps that wait for it are carried out."""
        ...

    def physical_storage(self) -> tuple[PhysicalDevice, ...]:
        """Unused block devices of the node."""
        ...

    def make_backing(self, message: MakeBacking) -> BackingOutcome:
        """Returns when it is made or has failed."""
        ...

    def remove_backing(self, message: RemoveBacking) -> BackingOutcome: ...

    def operate(self, message: Operate) -> Operated:
        """Returns when it is done or was refused."""
        ...

    def take_object(self, message: TakeObject) -> ObjectTaken:
        """Returns when it is done or was refused."""
        ...

    def plan(self, message: Plan) -> Planned:
        """What would be done; nothing is."""
        ...
