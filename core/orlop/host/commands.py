"""Run external programs: argv, fixed locale, a time-out, a process group of their own."""

import logging
import os
import re
import select
import shutil
import signal
import subprocess
import threading

from orlop.errors import CommandFailed

log = logging.getLogger(__name__)

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
TIME_OUT = 120.0  # seconds
HIDDEN = re.compile(r"(--shared-secret=)\S+")  # drbdadm prints the commands of its own that fail
FIRST_LINE = 30.0  # seconds that a detached program gets to start
LAST_WAIT = 5.0  # seconds that a killed process gets to disappear


class Commands:
    """Remembers what survived its SIGKILL: the same command is not started again while that one hangs."""

    def __init__(self, time_out: float = TIME_OUT) -> None:
        self._time_out = time_out
        self._abandoned: list[tuple[tuple[str, ...], subprocess.Popen[bytes]]] = []
        self._lock = threading.Lock()

    def run(self, argv: tuple[str, ...], stdin: bytes = b"") -> str:
        self._refuse_while_stuck(argv)
        log.debug("run %s", argv)
        environment = {"PATH": PATH, "LC_ALL": "C", "HOME": "/"}
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                argv,
                stdin=pipe if stdin else subprocess.DEVNULL,
                stdout=pipe,
                stderr=pipe,
                env=environment,
                cwd="/",
                process_group=0,
            )
        except FileNotFoundError:
            raise CommandFailed(argv, 127, f"{argv[0]} is not installed") from None
        except OSError as error:
            raise CommandFailed(argv, 126, error.strerror or str(error)) from error
        try:
            output, errors = process.communicate(stdin or None, timeout=self._time_out)
        except subprocess.TimeoutExpired:
            self._kill(argv, process)
            raise CommandFailed(argv, 124, f"no answer in {self._time_out:.0f} s") from None
        if process.returncode:
            raise CommandFailed(argv, process.returncode, HIDDEN.sub(r"\1...", errors.decode(errors="replace")))
        return output.decode(errors="replace")

    def _kill(self, argv: tuple[str, ...], process: subprocess.Popen[bytes]) -> None:
        os.killpg(process.pid, signal.SIGKILL)
        try:
            process.communicate(timeout=LAST_WAIT)
        except subprocess.TimeoutExpired:
            for stream in (process.stdin, process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
            self.abandon(argv, process)
            raise CommandFailed(
                argv, 137, f"process {process.pid} is stuck in the kernel and could not be killed; it is left behind"
            ) from None

    def abandon(self, argv: tuple[str, ...], process: subprocess.Popen[bytes]) -> None:
        """Nothing is started on the same object, the last argument, until this process has ended."""
        with self._lock:
            self._abandoned.append((argv, process))

    def _refuse_while_stuck(self, argv: tuple[str, ...]) -> None:
        if not self._abandoned:
            return
        with self._lock:
            self._abandoned = [(old, process) for old, process in self._abandoned if process.poll() is None]
            stuck = [process.pid for old, process in self._abandoned if old == argv or old[-1] == argv[-1]]
        if stuck:
            raise CommandFailed(argv, 137, f"not started: process {stuck[0]}, on the same object, is still stuck")


def detach(argv: tuple[str, ...]) -> None:
    """Start what outlives this process, in a session of its own; returns when it has printed its first line."""
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={**os.environ, "PATH": PATH, "LC_ALL": "C"},
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise CommandFailed(argv, 126, error.strerror or str(error)) from error
    assert process.stdout is not None
    with process.stdout as output:
        ready, _, _ = select.select([output], [], [], FIRST_LINE)
        said = output.readline() if ready else b""
    if not said:
        process.kill()
        process.wait()
        raise CommandFailed(argv, process.returncode, "it did not start")
    threading.Thread(target=process.wait, daemon=True).start()


def programs(names: tuple[str, ...]) -> dict[str, str | None]:
    return {name: shutil.which(name, path=PATH) for name in names}
