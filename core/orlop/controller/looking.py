"""A thread that looks again and again at something nobody reports."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

log = logging.getLogger(__name__)


class Looking:
    """Calls `look` every so many seconds; what it raises is logged, and it goes on."""

    def __init__(self, look: Callable[[], None], seconds: float, name: str) -> None:
        self._look = look
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self._look()
            except Exception:
                log.exception("%s failed; it is tried again", self._thread.name)
