"""How every call of the client goes out and what becomes of its reply."""

from collections.abc import Iterator
from typing import Any, TypeVar

import msgspec

from orlop.client.answer import Answer, ApiError, Entry, UnexpectedReply
from orlop.client.controller_values import Event
from orlop.client.wire import Query, Reply, Request, Transport
from orlop.model.decoding import decoded

T = TypeVar("T")


class Caller:
    """What the calls are built on: `read` for what is asked, `command` for what is to be done."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    def read(
        self, kind: type[T], path: str, query: Query = (), method: str = "GET", body: Any = None, changes: bool = False
    ) -> T:
        """`changes` marks a call that does something although its answer is no envelope."""
        request = Request(method=method, path=path, query=query, body=body, changes=changes, data=True)
        reply = self.transport.send(request)
        if reply.status >= 300:
            raise ApiError(_entries(reply), reply.status)
        try:
            return decoded(reply.body, kind, strict=False)
        except msgspec.DecodeError as error:
            raise UnexpectedReply(f"the answer to {method} {path} cannot be read", cause=str(error)) from error

    def command(self, method: str, path: str, body: Any = None, query: Query = ()) -> Answer:
        reply = self.transport.send(Request(method=method, path=path, query=query, body=body, changes=True))
        entries = _entries(reply)
        if reply.status >= 300 or any(entry.is_error for entry in entries):
            raise ApiError(entries, reply.status)
        return Answer(entries)

    def download(self, path: str, query: Query = ()) -> bytes:
        """Whatever lies there, as it is."""
        reply = self.transport.send(Request(method="GET", path=path, query=query))
        if reply.status >= 300:
            raise ApiError(_entries(reply), reply.status)
        return reply.body

    def events(self, path: str, query: Query = (), silence: float | None = None) -> Iterator[Event]:
        """Server-sent events as they come, until the controller ends the stream; mostly it never does.

        `silence`: see `Request`; controllers say every 15 seconds that they live.
        """
        name, data = "message", list[str]()
        for line in self.transport.lines(Request(method="GET", path=path, query=query, silence=silence)):
            field, _, value = line.partition(":")
            if not line:
                if data:
                    yield Event(name=name, data=msgspec.json.decode("\n".join(data)))
                name, data = "message", []
            elif field == "event":
                name = value.strip()
            elif field == "data":
                data.append(value.removeprefix(" "))


def _entries(reply: Reply) -> list[Entry]:
    try:
        return decoded(reply.body, list[Entry], strict=False)
    except msgspec.DecodeError as error:
        if reply.status >= 300:
            return []
        raise UnexpectedReply("the answer of the controller cannot be read", cause=str(error)) from error
