"""How requests wait where there are threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from orlop.controller.contracts import Clock

Result = TypeVar("Result")


class ConditionWaiter:
    """For threads. Whoever changed something asks for all that wait, and wakes only those whose time has come: to wake
    them all at every change would cost more than the change."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[threading.Event, Callable[[], object]] = {}

    def wait(self, done: Callable[[], Result | None], seconds: float) -> Result | None:
        deadline = self._clock.monotonic() + seconds
        wake = threading.Event()
        self._waiting[wake] = done
        try:
            while (result := done()) is None:
                if not wake.wait(deadline - self._clock.monotonic()):
                    return done()
                wake.clear()
            return result
        finally:
            del self._waiting[wake]

    def notify(self) -> None:
        for wake, done in list(self._waiting.items()):
            if not wake.is_set() and _perhaps(done):
                wake.set()


def _perhaps(done: Callable[[], object]) -> bool:
    """Whether there is a result, or an error that whoever waits has to meet."""
    try:
        return done() is not None
    except Exception:  # noqa: BLE001 - it belongs to the thread that waits, which asks again
        return True
