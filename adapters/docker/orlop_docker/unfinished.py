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
    """Who asks for the same while it is worked on gets the outcome of that work."""

    def __init__(self, patience: float = ANSWERED) -> None:
        self._patience = patience
        self._running: dict[tuple[str, str], Future[None]] = {}
        self._lock = threading.Lock()

    def do(self, name: str, wanted: str, work: Callable[[], None]) -> None:
        """`wanted` tells requests with one name apart. Raises what the work raised, or `Unfinished`."""
        same = (name, wanted)
        with self._lock:
            future = self._running.get(same)
            if future is None:
                future = self._running[same] = Future()
                threading.Thread(target=self._run, args=(same, future, work), name=f"make {name}", daemon=True).start()
        self._outcome(name, future)

    def wait(self, name: str, wanted: str) -> None:
        """For the outcome of what is being worked on, if anything is. Raises what `do` raises."""
        with self._lock:
            future = self._running.get((name, wanted))
        if future is not None:
            self._outcome(name, future)

    def _outcome(self, name: str, future: Future[None]) -> None:
        try:
            future.result(self._patience)
        except NotYet:
            raise Unfinished(
                f"{name} is still being made after {self._patience:.0f} seconds; the work goes on",
                correction="Repeat the command to wait for it.",
            ) from None

    def _run(self, same: tuple[str, str], future: Future[None], work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            self._forget(same)
            future.set_exception(error)
        else:
            self._forget(same)
            future.set_result(None)

    def _forget(self, same: tuple[str, str]) -> None:
        with self._lock:
            self._running.pop(same, None)
