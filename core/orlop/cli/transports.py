"""What stands between the client and the network while a command runs."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from orlop.cli.session import Settings, Shown
from orlop.client.controller_values import Plan
from orlop.client.wire import Http, Reply, Request, Transport
from orlop.model.decoding import decoded


class Watching:
    """Shows on a terminal that something is being waited for, and keeps the last reply."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.last = b"[]"

    def send(self, request: Request) -> Reply:
        with _waiting():
            reply = self._inner.send(request)
        self.last = reply.body
        return reply

    @property
    def answered(self) -> str:
        """The URL of the controller that answered last, if it is known."""
        urls: list[str] = getattr(self._inner, "urls", [])
        return urls[0] if urls else ""

    def lines(self, request: Request) -> Iterator[str]:
        return self._inner.lines(request)


class Printing:
    """--curl: prints the command that would do the same."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url, self._settings = url, settings

    def send(self, request: Request) -> Reply:
        words = ["curl", "-X", request.method]
        if request.payload is not None:
            words += ["-H", "Content-Type: application/json", "-d", request.payload.decode()]
        for option, value in (
            ("--cacert", self._settings.cafile),
            ("--cert", self._settings.certfile),
            ("--key", self._settings.keyfile),
        ):
            words += [option, value] if value else []
        click.echo(shlex.join([*words, self._url + request.target]))
        if not request.changes or request.data:  # what a next request would be made of is not known
            raise Shown
        return Reply(200, b"[]")

    def lines(self, request: Request) -> Iterator[str]:
        raise Shown


class Planning:
    """--dry-run: asks what a request would do, instead of sending it.

    By a path of its own: a controller that does not know it does nothing.
    """

    def __init__(self, inner: Http, show: Callable[[Plan], None]) -> None:
        self._inner, self._show = inner, show

    @property
    def urls(self) -> list[str]:
        return self._inner.urls

    def send(self, request: Request) -> Reply:
        if not request.changes:
            return self._inner.send(request)
        asked = {"method": request.method, "path": request.target, "body": request.body}
        reply = self._inner.send(Request(method="POST", path="/v1/orlop/plan", body=asked, data=True))
        if reply.status >= 300:
            return reply
        self._show(decoded(reply.body, Plan, strict=False))
        if request.data:  # what a next request would be made of is not known
            raise Shown
        return Reply(200, b"[]")

    def lines(self, request: Request) -> Iterator[str]:
        return self._inner.lines(request)


class Replaying:
    """--from-file: the answer is in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, request: Request) -> Reply:
        try:
            return Reply(200, self._path.read_bytes() if str(self._path) != "-" else sys.stdin.buffer.read())
        except OSError as error:
            raise click.FileError(str(self._path), error.strerror) from error

    def lines(self, request: Request) -> Iterator[str]:
        raise click.UsageError("there are no events in a file.")


@contextmanager
def _waiting() -> Iterator[None]:
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status("waiting for the controller"):
        yield
