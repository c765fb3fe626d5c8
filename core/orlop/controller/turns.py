"""Who may compute. Many commands at once would only keep reads waiting, and each other."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

TURNS = 2  # commands that compute at the same time


class Turns:
    """For threads. One that has no turn may wait as well: it has none to give away."""

    def __init__(self) -> None:
        self._free = threading.Semaphore(TURNS)
        self._mine = threading.local()

    @contextmanager
    def taken(self) -> Iterator[None]:
        with self._free:
            self._mine.held = True
            try:
                yield
            finally:
                self._mine.held = False

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Whoever waits for somebody else gives the turn away meanwhile."""
        if not getattr(self._mine, "held", False):
            yield
            return
        self._free.release()
        try:
            yield
        finally:
            self._free.acquire()
