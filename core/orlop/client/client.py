"""The client as one class."""

from collections.abc import Sequence
from types import TracebackType

from orlop.client.address import addresses
from orlop.client.controller_calls import ControllerCalls
from orlop.client.definition_calls import DefinitionCalls
from orlop.client.group_calls import GroupCalls
from orlop.client.healing_calls import HealingCalls
from orlop.client.node_calls import NodeCalls
from orlop.client.operation_calls import OperationCalls
from orlop.client.resource_calls import ResourceCalls
from orlop.client.snapshot_calls import SnapshotCalls
from orlop.client.storage_calls import StorageCalls
from orlop.client.wait_calls import WaitCalls
from orlop.client.wire import Credentials, Http, Tls, Transport


class Client(
    NodeCalls,
    StorageCalls,
    DefinitionCalls,
    ResourceCalls,
    OperationCalls,
    HealingCalls,
    SnapshotCalls,
    GroupCalls,
    ControllerCalls,
    WaitCalls,
):
    """Talks to the first controller that can be reached; threads may share it.

    Errors are `ApiError` (the controller said no), `Unreachable` and `TimedOut`. What has no method of its
    own goes through `read()` and `command()`.
    """

    def __init__(
        self,
        controllers: Sequence[str] = (),
        timeout: float = 300.0,
        tls: Tls | None = None,
        credentials: Credentials | None = None,
        transport: Transport | None = None,
    ) -> None:
        super().__init__(transport or Http(addresses(controllers), timeout, tls, credentials))

    def close(self) -> None:
        if isinstance(self.transport, Http):
            self.transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
