"""Processes that a benchmark starts and ends itself."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.seed import Scale, address

PROGRAMS = Path(sys.executable).parent
ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 120.0  # seconds
GZIP = {"Accept-Encoding": "gzip"}


class BenchmarkError(Exception):
    """Something that is measured did not work at all."""


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


class Running:
    """A program with a log."""

    def __init__(self, argv: list[str], log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def line(self) -> str:
        """The next line that it prints; raises `BenchmarkError` when it ended."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise BenchmarkError(f"{self._process.args!r} ended; the end of its log:\n{self.log.read_text()[-2000:]}")
        return line.strip()

    def tell(self, command: str) -> str:
        """Its answer to one line."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return self.line()

    def require(self) -> None:
        if self._process.poll() is not None:
            raise BenchmarkError(f"{self._process.args!r} ended; the end of its log:\n{self.log.read_text()[-2000:]}")

    def end(self) -> None:
        with contextlib.suppress(OSError):
            if self._process.stdin is not None:
                self._process.stdin.close()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    @property
    def memory(self) -> float:
        """Resident memory in MiB."""
        return resident(self.pid)


def resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise BenchmarkError(f"process {pid} has ended")


@contextlib.contextmanager
def running(argv: list[str], log: Path) -> Iterator[Running]:
    program = Running(argv, log)
    try:
        yield program
    finally:
        program.end()


class Ports(NamedTuple):
    rest: int
    enrolment: int
    satellites: int

    @classmethod
    def free(cls) -> Ports:
        return cls(free_port(), free_port(), free_port(address(0)))


def controller(directory: Path, ports: Ports) -> Running:
    return Running(
        [
            *(str(PROGRAMS / "orlop-controller"), "--database", f"sqlite:///{directory}/orlop.db"),
            *("--state-directory", str(directory), "--port", str(ports.rest)),
            *("--enrolment-port", str(ports.enrolment), "--log-level", "warning"),
        ],
        directory / "controller.log",
    )


def satellites(directory: Path, ports: Ports, scale: Scale) -> Running:
    numbers = [str(ports.satellites), str(scale.nodes), str(scale.resources)]
    return Running(
        [sys.executable, "-m", "benchmarks.satellites", str(directory), *numbers], directory / "satellites.log"
    )


class Client:
    """One kept connection to the REST API."""

    def __init__(self, port: int, timeout: float = 150.0) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)

    def request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] = {}
    ) -> bytes:
        """The answer's body; raises `BenchmarkError` for a refusal, OSError or HTTPException without an answer."""
        try:
            self._connection.request(method, path, json.dumps(body) if body else None, dict(headers))
            answer = self._connection.getresponse()
            text = answer.read()
        except BaseException:
            self._connection.close()
            raise
        if answer.status >= 300:
            raise BenchmarkError(f"{method} {path} was answered with {answer.status}: {text[:500]!r}")
        return text

    def timed(self, path: str) -> float:
        """Seconds of a GET, compressed where the server does that."""
        began = time.perf_counter()
        self.request("GET", path, headers=GZIP)
        return time.perf_counter() - began

    def json(self, path: str) -> Any:
        return json.loads(self.request("GET", path))

    def close(self) -> None:
        self._connection.close()


class Echo:
    """Round trips to a process that does nothing else: how late this machine makes anybody at the moment."""

    def __init__(self, log: Path) -> None:
        self._program = Running([sys.executable, "-m", "benchmarks.echo"], log)
        self._socket = socket.create_connection(("127.0.0.1", int(self._program.line())))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def timed(self) -> float:
        """Seconds."""
        began = time.perf_counter()
        self._socket.sendall(b".")
        self._socket.recv(16)
        return time.perf_counter() - began

    def end(self) -> None:
        self._socket.close()
        self._program.end()


def wait_for(what: str, done: Any, program: Running, seconds: float = PATIENCE, pause: float = 0.01) -> None:
    """Until `done()` is true; a connection that is refused counts as not yet."""
    until = time.monotonic() + seconds
    while True:
        program.require()
        with contextlib.suppress(OSError, http.client.HTTPException):
            if done():
                return
        if time.monotonic() > until:
            raise BenchmarkError(f"{what}: not within {seconds:.0f} s; {program.log.read_text()[-2000:]}")
        time.sleep(pause)


def processor_seconds(pid: int) -> float:
    """What a process has used of the processors so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
