"""What happens to nodes and resources, for whoever listens (the REST API's event streams)."""

from __future__ import annotations

import queue
import threading
from typing import NamedTuple

from orlop.controller.picture import Change, Picture
from orlop.controller.reported import Reported, Status
from orlop.model import Node, ResourceDefinition

DEEPEST = 1000  # events a slow listener may lag behind before it is cut off


class Event(NamedTuple):
    """`node` events carry values before and after; `resource` events the name of the definition."""

    topic: str  # "node" or "resource"
    name: str  # node-create, node-delete, node-evacuate, node-evicted, node-restored, node-modified, changed
    before: Node | None = None
    after: Node | None = None
    resource: str = ""
    status_before: str = ""
    status_after: str = ""


class Subscription:
    """A queue of events. `get` gives None when nothing came in time; `lost` says that the listener was too slow."""

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.lost = False
        self._queue: queue.Queue[Event] = queue.Queue(DEEPEST)

    def put(self, event: Event) -> None:
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self.lost = True

    def get(self, seconds: float) -> Event | None:
        try:
            return self._queue.get(timeout=seconds)
        except queue.Empty:
            return None


class Events:
    """Never blocks whoever publishes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: tuple[Subscription, ...] = ()

    def subscribe(self, topic: str) -> Subscription:
        subscription = Subscription(topic)
        with self._lock:
            self._subscriptions = (*self._subscriptions, subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions = tuple(s for s in self._subscriptions if s is not subscription)

    def published(self, picture: Picture, reported: Reported, changes: list[Change]) -> None:
        for change in changes:
            if change.kind is Node:
                before, after = change.before, change.after
                assert before is None or isinstance(before, Node)
                assert after is None or isinstance(after, Node)
                self._tell(Event("node", _node_event(before, after), before, after))
            elif (found := change.after or change.before) and isinstance(found, ResourceDefinition):
                self.resource_changed(found.name)

    def resource_changed(self, name: str) -> None:
        self._tell(Event("resource", "changed", resource=name))

    def node_status(self, node: Node, before: Status, after: Status) -> None:
        self._tell(Event("node", "node-modified", node, node, "", before, after))

    def _tell(self, event: Event) -> None:
        for subscription in self._subscriptions:
            if subscription.topic == event.topic:
                subscription.put(event)


def _node_event(before: Node | None, after: Node | None) -> str:
    if before is None:
        return "node-create"
    if after is None:
        return "node-delete"
    gained, lost = after.flags - before.flags, before.flags - after.flags
    if "EVACUATE" in gained:
        return "node-evacuate"
    if "EVICTED" in gained:
        return "node-evicted"
    if lost & {"EVACUATE", "EVICTED"}:
        return "node-restored"
    return "node-modified"
