"""The connection to one satellite: what it has to be told, in steps that threads or a simulation take."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Protocol

from orlop.controller import orders
from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.reported import Status
from orlop.errors import Fenced, TransportError, Unauthenticated
from orlop.model import NewBacking, Node, NodeInfo, ReplicaOrder, ResourceDefinition, WantedPool, WantedResource, key
from orlop.transport.messages import (
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


class Channel(Protocol):
    """One authenticated conversation with a satellite; `orlop.transport.channel` has the real one."""

    def connect(self) -> NodeInfo: ...
    def sync(self, message: Sync) -> object: ...
    def update(self, message: Update) -> object: ...
    def secrets(self, message: Secrets) -> object: ...
    def reports(self, after: int, wait: float) -> Report: ...
    def physical_storage(self) -> tuple[PhysicalDevice, ...]: ...
    def make_backing(self, message: MakeBacking) -> BackingOutcome: ...
    def remove_backing(self, message: RemoveBacking) -> BackingOutcome: ...
    def operate(self, message: Operate) -> Operated: ...
    def take_object(self, message: TakeObject) -> ObjectTaken: ...
    def plan(self, message: Plan) -> Planned: ...
    def close(self) -> None: ...


class Link:
    """Steps, none of which waits but `poll`: `connect`, `push`, `poll`. Any failure brings it back to the start.

    Orders are computed when they are sent, from the picture of that moment: changes that came in between fall
    together, and a full `Sync` follows every new connection.
    """

    def __init__(self, core: Core, node: Node, dial: Callable[[Node, Fence], Channel]) -> None:
        self.node = node
        self._core = core
        self._dial = dial
        self._channel: Channel | None = None
        self._lock = threading.Lock()
        self._dirty: set[str] = set()
        self._urgent = False
        self._pools_dirty = False
        self._looks = 0  # so many were asked for
        self._look_due = False
        self._asked: set[str] = set()  # names of secrets that the satellite waits for
        self._refused: set[str] = set()  # of those that it was told it does not get now
        self._synced = False  # the satellite has the whole picture
        self._run = ""
        self._number = 0
        self._ended = False

    @property
    def connected(self) -> bool:
        return self._channel is not None

    @property
    def pending(self) -> bool:
        """Whether `push` has something to do that cannot wait."""
        asked = self._look_due or bool(self._asked)
        due = not self._synced or self._urgent or self._pools_dirty or asked
        return self.connected and due and not self._core.suspended

    @property
    def lagging(self) -> bool:
        """Whether the satellite does not know everything yet, though it need not act on it."""
        return self.connected and bool(self._dirty) and not self._core.suspended

    def changed(self, resource: str, urgent: bool = True) -> None:
        with self._lock:
            self._dirty.add(resource)
            self._urgent = self._urgent or urgent

    def pools_changed(self) -> None:
        with self._lock:
            self._pools_dirty = True

    def look(self) -> int:
        """Have the satellite look at everything; the number that it says when it has."""
        with self._lock:
            self._looks += 1
            self._look_due = True
            return self._looks

    def secrets_available(self) -> None:
        with self._lock:
            self._asked |= self._refused
            self._refused = set()

    def connect(self) -> bool:
        """Whether the satellite answered and both sides proved themselves."""
        if not self.node.interfaces:
            self._core.on_status(self.node.name, Status.NO_STLT_CONN, "it has no net interface for the satellite")
            return False
        self._core.reported.node(self.node.name).forget()
        try:
            channel = self._dial(self.node, self._core.fence)
            info = channel.connect()
        except TransportError as error:
            self._core.reported.node(self.node.name).attempts += 1
            self._failed(error)
            return False
        self._core.reported.node(self.node.name).info = info
        self._core.reported.node(self.node.name).attempts = 0
        self._channel, self._synced, self._run, self._number = channel, False, "", 0
        with self._lock:
            self._asked, self._refused = set(), set()
        self._core.on_status(self.node.name, Status.CONNECTED)
        return True

    def push(self) -> bool:
        """Send what is pending; False when the connection was lost."""
        channel = self._channel
        if channel is None:
            return False
        if self._core.suspended:
            return True
        with self._lock:
            dirty, self._dirty, self._urgent = self._dirty, set(), False
            pools, self._pools_dirty = self._pools_dirty, False
            look, self._look_due = self._look_due, False
            asked, self._asked = self._asked, set()
            whole = not self._synced
        try:
            if whole:
                channel.sync(self._whole())
                self._synced = True
            elif dirty or pools or look:
                channel.update(self._part(dirty, pools))
            if asked:
                self._tell(channel, asked)
        except TransportError as error:
            self._failed(error)
            return False
        return True

    def poll(self, wait: float) -> bool:
        """Fetch and deliver what the satellite has to report; False when the connection was lost."""
        channel = self._channel
        if channel is None:
            return False
        try:
            report = channel.reports(self._number, wait)
        except TransportError as error:
            self._failed(error)
            return False
        if self._run and report.run != self._run:  # it restarted between two polls and knows nothing any more
            self._run, self._number, self._synced = "", 0, False
            self._core.reported.node(self.node.name).forget()
            self._core.on_status(self.node.name, Status.CONNECTED)
            return True
        self._run, self._number = report.run, report.number
        self._core.on_report(self.node.name, report)
        with self._lock:
            self._asked.update(report.secrets)
        if report.synced and self._synced:
            self._core.on_status(self.node.name, Status.ONLINE)
        return True

    def physical_storage(self) -> tuple[PhysicalDevice, ...]:
        """Asks the satellite; raises `TransportError` when it is away."""
        return self._living().physical_storage()

    def make_backing(self, backing: NewBacking) -> BackingOutcome:
        """Returns when the satellite has made it or failed to."""
        return self._living().make_backing(MakeBacking(fence=self._core.fence, backing=backing))

    def remove_backing(self, pool: WantedPool) -> BackingOutcome:
        return self._living().remove_backing(RemoveBacking(fence=self._core.fence, pool=pool))

    def operate(self, resource: str, order: ReplicaOrder) -> Operated:
        return self._living().operate(Operate(fence=self._core.fence, resource=resource, order=order))

    def take_object(self, order: TakeObject) -> ObjectTaken:
        return self._living().take_object(order)

    def plan(self, message: Plan) -> Planned:
        return self._living().plan(message)

    def _living(self) -> Channel:
        channel = self._channel
        if channel is None:
            raise TransportError(f"node {self.node.name} is not connected")
        return channel

    def end(self) -> None:
        """For good: what still fails on this link says nothing about the node any more."""
        self._ended = True
        self.close()

    def close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()

    def _tell(self, channel: Channel, asked: set[str]) -> None:
        message = self._core.secrets_for(self.node.name, asked)
        with self._lock:
            self._refused |= message.refused.keys()
        channel.secrets(message)

    def _whole(self) -> Sync:
        picture = self._core.picture
        wanted = [
            order
            for definition in picture.definitions_on(self.node.name)
            if (order := self._order(picture, definition))
        ]
        required = self._core.reported.node(self.node.name).required
        for order in wanted:
            required[key(order.name)] = max(order.revision, required.get(key(order.name), 0))
        return Sync(
            fence=self._core.fence,
            node=self.node.name,
            node_uuid=self.node.uuid,
            pools=orders.wanted_pools(picture, self.node.name),
            resources=tuple(wanted),
            look=self._looks,
        )

    def _order(self, picture: Picture, definition: ResourceDefinition) -> WantedResource | None:
        return orders.wanted_resource(self._core.drivers, picture, definition, self.node.name)

    def _part(self, dirty: set[str], pools: bool) -> Update:
        picture = self._core.picture
        wanted, forget = [], []
        for name in sorted(dirty):
            definition = picture.definitions.get(name)
            order = self._order(picture, definition) if definition else None
            if order is None:
                forget.append(name)
            else:
                wanted.append(order)
        return Update(
            fence=self._core.fence,
            resources=tuple(wanted),
            forget=tuple(forget),
            pools=orders.wanted_pools(picture, self.node.name) if pools else None,
            look=self._looks,
        )

    def _failed(self, error: TransportError) -> None:
        self.close()
        if self._ended:
            return
        self._synced = False
        match error:
            case Fenced():
                self._core.suspend(
                    f"node {self.node.name} obeys another activation of the controller (term {error.term}): {error}",
                    error.term,
                )
                status = Status.OTHER_CONTROLLER
            case Unauthenticated():
                status = Status.AUTHENTICATION_ERROR
            case _:
                status = Status.OFFLINE
        self._core.on_status(self.node.name, status, str(error))
