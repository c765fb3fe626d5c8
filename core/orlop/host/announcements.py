"""Programs that go on running and print a line whenever something changes."""

import logging
import os
import select
import subprocess
import threading

from orlop.host.commands import PATH

log = logging.getLogger(__name__)

AT_ONCE = 65536  # bytes; what is said does not matter, only that something is


class Announcements:
    """One process per command line; each is waited for by one caller."""

    def __init__(self) -> None:
        self._running: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}
        self._ended = threading.Event()

    def heard(self, argv: tuple[str, ...], wait: float) -> bool:
        """Whether it printed something since the last call; waits up to `wait` seconds. One that ended is started
        anew at the next call."""
        process = self._process(argv)
        if process is None or process.stdout is None:
            self._ended.wait(wait)
            return False
        ready, _, _ = select.select([process.stdout], [], [], wait)
        if not ready:
            return False
        if os.read(process.stdout.fileno(), AT_ONCE):
            return True
        self._end(argv)
        self._ended.wait(wait)
        return False

    def close(self) -> None:
        """Ends all of them."""
        self._ended.set()
        for argv in list(self._running):
            self._end(argv)

    def _process(self, argv: tuple[str, ...]) -> subprocess.Popen[bytes] | None:
        if argv not in self._running and not self._ended.is_set():
            try:
                self._running[argv] = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env={"PATH": PATH, "LC_ALL": "C", "HOME": "/"},
                    cwd="/",
                    process_group=0,
                )
            except OSError as error:
                log.warning("%s cannot be listened to: %s", argv[0], error.strerror)
        return self._running.get(argv)

    def _end(self, argv: tuple[str, ...]) -> None:
        process = self._running.pop(argv, None)
        if process is not None:
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
