"""How many of the server's threads may be taken by what does not end quickly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from orlop.codes import Fail
from orlop.errors import Refused

LARGEST_BODY = 8 << 20  # bytes of one request


class Busy(Refused):
    """Too many requests wait already; HTTP 503."""

    code = Fail.UNKNOWN_ERROR

    def __init__(self, what: str, most: int) -> None:
        super().__init__(
            f"The controller is busy: {most} {what} are being served already.",
            correction="Try again in a moment.",
        )


class Limits:
    """Commands, event streams and those who only wait together take at most half of the threads, so that reads always
    find one; and each kind has places of its own, so that nobody who waits keeps commands out."""

    def __init__(self, threads: int) -> None:
        if threads < 8:
            raise ValueError(f"{threads} threads are too few for commands, event streams and reads: 8 at least")
        self.streams = threads // 8
        self.waits = threads // 8
        self.commands = threads // 2 - self.streams - self.waits
        self._streams = threading.BoundedSemaphore(self.streams)
        self._waits = threading.BoundedSemaphore(self.waits)
        self._commands = threading.BoundedSemaphore(self.commands)

    @contextmanager
    def command(self) -> Iterator[None]:
        """Held while a command works, which may mean that it waits for satellites; raises `Busy`."""
        with _place(self._commands, "commands", self.commands):
            yield

    @contextmanager
    def wait(self) -> Iterator[None]:
        """Held while a request waits for a policy to be satisfied and changes nothing; raises `Busy`."""
        with _place(self._waits, "waiting requests", self.waits):
            yield

    def open_stream(self) -> None:
        """Raises `Busy`; `close_stream` has to follow."""
        if not self._streams.acquire(blocking=False):
            raise Busy("event streams", self.streams)

    def close_stream(self) -> None:
        self._streams.release()


@contextmanager
def _place(places: threading.BoundedSemaphore, what: str, most: int) -> Iterator[None]:
    if not places.acquire(blocking=False):
        raise Busy(what, most)
    try:
        yield
    finally:
        places.release()
