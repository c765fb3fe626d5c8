"""Keeps the programs of one lab and its folder, and ends them with the test process, however that one ends.

Started by `Keeper`; it reads orders from its standard input, a line of JSON each. When that ends it kills what runs
and removes the folder. Its programs are killed by the kernel should it be killed itself; the folder is then removed
by the next lab.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

PREFIX = "orlop-lab-"
YOUNG = 60.0  # seconds: its keeper may not have locked it yet
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Keeper:
    """The side of the test process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.lab.keeper"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self.directory = Path(self._answer()["directory"])

    def start(self, argv: list[str], log: Path, environment: dict[str, str] | None = None) -> int:
        """Pid of a program that was started with its output in a file."""
        return int(self._ask(start=argv, log=str(log), environment=environment)["pid"])

    def alive(self, pid: int) -> bool:
        return bool(self._ask(alive=pid)["alive"])

    def signal(self, pid: int, number: signal.Signals) -> None:
        """Nothing happens when the program has ended."""
        self._ask(signal=pid, number=int(number))

    def wait(self, pid: int, seconds: float) -> bool:
        """Whether the program has ended."""
        until = time.monotonic() + seconds
        while self.alive(pid):
            if time.monotonic() > until:
                return False
            time.sleep(0.02)
        return True

    def kill(self, pid: int) -> None:
        self.signal(pid, signal.SIGKILL)
        if not self.wait(pid, 15):
            raise RuntimeError(f"process {pid} survives SIGKILL")

    def end(self) -> None:
        """All programs are gone afterwards, and the folder."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def _ask(self, **order: Any) -> dict[str, Any]:
        assert self._process.stdin is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            self._process.stdin.flush()
            return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the lab's keeper has ended")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer


class Kept:
    """The keeper's own side; it has one thread, which the kernel's parent-death signal is about."""

    def __init__(self) -> None:
        self.programs: dict[int, subprocess.Popen[bytes]] = {}

    def obey(self, order: dict[str, Any]) -> dict[str, Any]:
        if "start" in order:
            return {"pid": self._start(order["start"], order["log"], order["environment"])}
        if "alive" in order:
            return {"alive": self.programs[order["alive"]].poll() is None}
        self.programs[order["signal"]].send_signal(order["number"])
        return {}

    def _start(self, argv: list[str], log: str, environment: dict[str, str] | None) -> int:
        with open(log, "ab") as output:
            program = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        self.programs[program.pid] = program
        return program.pid

    def end(self) -> None:
        for program in self.programs.values():
            program.kill()
        for program in self.programs.values():
            program.wait()


def _die_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _make_folder() -> tuple[Path, int]:
    """A folder of its own and the lock on it that says whose it is."""
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    return folder, lock


def _remove_abandoned() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            if folder.stat().st_uid != os.geteuid() or time.time() - folder.stat().st_mtime < YOUNG:
                continue
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # removed just now
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(lock)


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    _remove_abandoned()
    kept = Kept()
    folder, _ = _make_folder()
    try:
        _say({"directory": str(folder)})
        for line in sys.stdin:
            try:
                _say(kept.obey(json.loads(line)))
            except (OSError, KeyError) as error:
                _say({"error": repr(error)})
    finally:
        kept.end()
        shutil.rmtree(folder, ignore_errors=True)


def _say(answer: dict[str, Any]) -> None:
    try:
        print(json.dumps(answer), flush=True)
    except BrokenPipeError:
        return  # whoever asked is gone, and so is the standard input


if __name__ == "__main__":
    main()
