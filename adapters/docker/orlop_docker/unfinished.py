"""Work that goes on when its request is no longer waited for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet

from orlop.errors import OrlopError

ANSWERED = 100.0  # seconds; an engine gives up after 120 and says nothing that helps


class Unfinished(OrlopError):
    """It is still being worked on."""


class Background:
    """One piece of work for each name at a time; who asks again meanwhile gets the outcome of the same."""

    def __init__(self, patience: float = ANSWERED) -> None:
        self._patience = patience
        self._running: dict[str, Future[None]] = {}
        self._lock = threading.Lock()

    def do(self, name: str, work: Callable[[], None]) -> None:
        """Raises what the work raised, or `Unfinished`."""
        with self._lock:
            future = self._running.get(name)
            if future is None:
                future = self._running[name] = Future()
                threading.Thread(target=self._run, args=(name, future, work), name=f"make {name}", daemon=True).start()
        try:
            future.result(self._patience)
        except NotYet:
            raise Unfinished(
                f"{name} is still being made after {self._patience:.0f} seconds; the work goes on",
                correction="Repeat the command to wait for it.",
            ) from None

    def _run(self, name: str, future: Future[None], work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            self._forget(name)
            future.set_exception(error)
        else:
            self._forget(name)
            future.set_result(None)

    def _forget(self, name: str) -> None:
        with self._lock:
            self._running.pop(name, None)
