"""Routes that stream events (server-sent events) as long as the client listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
from flask import Response

from orlop.controller import events, wire
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes
from orlop.controller.api.views import nodes as view
from orlop.controller.core import Core

route = Routes("events")
STREAM = "text/event-stream"
KEEP_ALIVE = 15.0  # seconds of silence after which a comment is sent: proxies cut silent streams


@route("GET", "/v1/events/nodes", answer=STREAM)
def nodes(call: Call) -> Response:
    return _stream(call, "node", lambda event: _node_event(call.core, event))


@route("GET", "/v1/events/drbd/promotion", answer=STREAM)
def promotions(call: Call) -> Response:
    """Silent but alive: no layer of this version reports who may promote."""
    return _stream(call, "promotion", lambda event: b"")


@route("GET", "/v1/orlop/events/resources", answer=STREAM)
def resources(call: Call) -> Response:
    """The name of each resource definition that changed or that a satellite reported about."""
    return _stream(call, "resource", lambda event: frame("changed", {"resource_name": event.resource}))


def frame(name: str, data: object) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (name.encode(), msgspec.json.encode(data))


def _stream(call: Call, topic: str, text: Callable[[events.Event], bytes]) -> Response:
    """Takes one of the limited places until the client goes or turns out too slow for the events."""
    core, limits = call.core, call.site.limits
    limits.open_stream()
    subscription = core.events.subscribe(topic)

    def closed() -> None:
        core.events.unsubscribe(subscription)
        limits.close_stream()

    response = Response(_frames(subscription, text), mimetype=STREAM, headers={"Cache-Control": "no-cache"})
    response.call_on_close(closed)
    return response


def _frames(subscription: events.Subscription, text: Callable[[events.Event], bytes]) -> Iterator[bytes]:
    yield b": connected\n\n"
    while not subscription.lost:
        event = subscription.get(KEEP_ALIVE)
        yield text(event) if event else b": alive\n\n"


def _node_event(core: Core, event: events.Event) -> bytes:
    before = view.node(core.reported, event.before) if event.before else None
    after = view.node(core.reported, event.after) if event.after else None
    if event.name != "node-modified" or before is None or after is None:
        return frame(event.name, wire.EventNode(node=after or before))
    if event.status_before != event.status_after:
        before = msgspec.structs.replace(before, connection_status=event.status_before)
        after = msgspec.structs.replace(after, connection_status=event.status_after)
    return frame(event.name, wire.EventNodeModified(old_node=before, new_node=after))
