"""Programs that outlive whoever started them, told by a record of pid, start time and boot: only ours are ended."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import NamedTuple

PATIENCE = 15.0  # seconds a program has to end by itself
BOOT = Path("/proc/sys/kernel/random/boot_id")


class Program(NamedTuple):
    """One run of a program. A pid comes again, the three together do not."""

    pid: int
    started: int  # clock ticks since boot
    boot: str

    @property
    def alive(self) -> bool:
        self._reap()
        return self.boot == BOOT.read_text() and _started(self.pid) == self.started

    def _reap(self) -> None:
        try:
            os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return  # started by an earlier demo

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.kill(self.pid, number)

    def wait(self, seconds: float) -> bool:
        """Whether it has ended."""
        until = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def end(self) -> bool:
        """Ask it to end, force it if it does not; whether asking was enough."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        if self.wait(PATIENCE):
            return True
        self.kill()
        return False

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if not self.wait(PATIENCE):
            raise SystemExit(f"process {self.pid} survives SIGKILL: it hangs in the kernel")


def start(argv: list[str], record: Path, log: Path) -> Program:
    """Run a program in a session of its own, with its output in a file, and leave a record of it."""
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ending)  # never a program without a record
    try:
        pid = os.posix_spawn(
            argv[0],
            argv,
            {**os.environ, "PYTHONUNBUFFERED": "1"},
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=ending,
        )
        started = _started(pid)
        program = Program(pid, -1 if started is None else started, BOOT.read_text())
        record.write_text(json.dumps(program))
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return program


def recorded(record: Path) -> Program | None:
    """The program of a record if it still runs."""
    try:
        program = Program(*json.loads(record.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return program if program.alive else None


def _started(pid: int) -> int | None:
    """Start time of a process, None when it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])
