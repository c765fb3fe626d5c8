"""A controller on the host and a satellite in every node of a lab: the real programs, over real connections."""

from __future__ import annotations

import errno
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from orlop.client import Client, ClientError
from tests.lab.agent import AgentError
from tests.lab.lab import Lab
from tests.lab.machine import SATELLITE_PORT
from tests.lab.node import CommandFailed, Node

PROGRAMS = Path(sys.executable).parent
HOST = "10.0.2.2"  # the host's loopback interface, as nodes see it
SATELLITE_LOG = "/dev/virtio-ports/orlop.satellite"
PATIENCE = 120.0


class ClusterError(Exception):
    """The cluster does not do what it has to; the sentence says what."""


class Cluster:
    """`client` is Orlop's own; `orlop("node list")` runs the command line. Ends before its lab."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.nodes = lab.nodes
        self.directory = lab.directory / "controller"
        self.log = lab.directory / "controller.log"
        self.port, self._enrolment_port = _free_ports(2)
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = Client([self.url], timeout=300)
        self._controller: int | None = None
        self._satellites: dict[str, int] = {}

    def __enter__(self) -> Cluster:
        self.directory.mkdir(mode=0o700)
        self.start_controller()
        self.wait("the controller answers", self.client.healthy)
        for node in self.nodes:
            self.register(node)
        self.lab.each(self._join_and_start)
        self.wait_online(*self.nodes)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.client.close()

    # -- the controller -----------------------------------------------------------------------------------------

    def start_controller(self) -> None:
        argv = [
            *(str(PROGRAMS / "orlop-controller"), "--database", f"sqlite:///{self.directory}/orlop.db"),
            *("--state-directory", str(self.directory), "--address", "127.0.0.1", "--port", str(self.port)),
            *("--enrolment-address", "127.0.0.1", "--enrolment-port", str(self._enrolment_port)),
        ]
        self._controller = self.lab.keeper.start(argv, self.log, {**os.environ, "PYTHONUNBUFFERED": "1"})

    def kill_controller(self) -> None:
        """With SIGKILL."""
        if self._controller is not None:
            self.lab.keeper.kill(self._controller)
            self._controller = None

    def restart_controller(self) -> None:
        self.kill_controller()
        self.start_controller()
        self.wait("the controller answers again", self.client.healthy)

    def controller_log(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # -- the satellites -----------------------------------------------------------------------------------------

    def register(self, node: Node) -> None:
        self.orlop(f"node create {node.name} {node.agent.address} --port {SATELLITE_PORT} --communication-type ssl")

    def _join_and_start(self, node: Node) -> None:
        printed = [line.strip() for line in self.orlop(f"node join-command {node.name}").splitlines()]
        command = shlex.split(next(line for line in printed if line.startswith("orlop-satellite join")))
        token = next(line.removeprefix("token: ") for line in printed if line.startswith("token: "))
        command[command.index("--controller") + 1] = f"https://{HOST}:{self._enrolment_port}"
        node.run(*command, stdin=f"{token}\n")
        self.start_satellite(node)
        node.at_start(lambda: self.start_satellite(node))

    def start_satellite(self, node: Node) -> None:
        argv = ("orlop-satellite", "run", "--address", "10.0.2.15", "--port", str(SATELLITE_PORT))

        def started() -> bool:
            try:
                self._satellites[node.name] = node.start_program(*argv, log=SATELLITE_LOG)
            except AgentError as error:
                if os.strerror(errno.EBUSY) not in str(error):
                    raise
                return False  # a guard of the one that was killed still has the log, which only one can
            return True

        self.wait(f"the log of the satellite on {node.name} is free", started)

    def stop_satellite(self, node: Node, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        return node.stop_program(self._satellites.pop(node.name), number)

    def restart_satellite(self, node: Node, number: signal.Signals = signal.SIGTERM) -> None:
        """Back online, and everything told anew: what the controller still knew of the old one does not count."""
        self.stop_satellite(node, number)
        self.wait(f"{node.name} is known to be away", lambda: self.status(node) != "ONLINE")
        self.start_satellite(node)
        self.wait_online(node)

    def start_node(self, node: Node) -> None:
        """After a loss of power: boot, satellite, and back online."""
        node.start()
        self.wait_online(node)

    # -- talking to it ------------------------------------------------------------------------------------------

    def environment(self) -> dict[str, str]:
        path = f"{PROGRAMS}:{os.environ.get('PATH', '')}"
        return {**os.environ, "PATH": path, "ORLOP_CONTROLLERS": self.url, "COLUMNS": "120", "NO_COLOR": "1"}

    def orlop(self, line: str) -> str:
        """Output of `orlop` with these arguments; raises `ClusterError` if it fails."""
        done = self.attempt_orlop(line)
        if done.returncode:
            raise ClusterError(f"'orlop {line}' ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def attempt_orlop(self, line: str) -> subprocess.CompletedProcess[str]:
        argv = [str(PROGRAMS / "orlop"), *shlex.split(line)]
        return subprocess.run(
            argv,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )

    def in_background(self, act: Callable[[], object]) -> threading.Thread:
        """Begin something without waiting for it: for what will be interrupted. What it raises is its own affair."""

        def attempt() -> None:
            with suppress(ClientError, ClusterError, OSError):
                act()

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        return thread

    def device(self, resource: str, node: Node, number: int = 0) -> str:
        """Path of a volume's block device in the node."""
        device = self.client.volume(resource, node.name, number).device_path
        if not device:
            raise ClusterError(f"volume {number} of {resource} has no device on {node.name}")
        return device

    def status(self, node: Node) -> str:
        return self.client.node(node.name).connection_status

    def wait_online(self, *nodes: Node) -> None:
        for node in nodes:
            self.wait(f"{node.name} is online", lambda node=node: self.status(node) == "ONLINE")  # type: ignore[misc]

    def wait(self, what: str, done: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Until something is true; errors of a connection and of commands count as not yet."""
        until = time.monotonic() + seconds
        last = ""
        while True:
            try:
                if done():
                    return
            except (ClientError, ClusterError, CommandFailed, OSError) as error:
                last = f" ({error})"
            if time.monotonic() > until:
                raise ClusterError(f"not within {seconds:.0f} seconds: {what}{last}")
            time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    """Ports of the loopback interface that nobody has, below those that the kernel gives to clients."""
    probes = []
    try:
        for port in range(20000 + os.getpid() % 8000, 32000):
            probe = socket.socket()
            probes.append(probe)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                probes.pop().close()
            if len(probes) == count:
                return [int(probe.getsockname()[1]) for probe in probes]
        raise ClusterError("no free port")
    finally:
        for probe in probes:
            probe.close()
