"""One controller and its satellites on this machine, in a directory of their own."""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from demo import machine, processes
from demo.processes import Program

Found = TypeVar("Found")
MARKER = ".orlop-pool"
CONTROLLER = "controller"
PROGRAMS = Path(sys.executable).parent  # where orlop, orlop-controller and orlop-satellite are installed
PATIENCE = 60.0  # seconds


class ClusterError(Exception):
    """The cluster does not do what it has to; the sentence says what."""


class Node(NamedTuple):
    name: str
    address: str


class Ports(NamedTuple):
    rest: int = 3370
    enrolment: int = 3371
    satellite: int = 3366


STANDARD = Ports()
NODES = (Node("alpha", "127.0.0.11"), Node("bravo", "127.0.0.12"), Node("charlie", "127.0.0.13"))


class Cluster:
    """Its directory holds everything: states, pools, mount points, logs, records of processes."""

    def __init__(self, directory: Path, nodes: tuple[Node, ...] = NODES, ports: Ports = STANDARD) -> None:
        self.directory = directory.parent.resolve() / directory.name
        self.nodes = nodes
        self.ports = ports
        self.kept = self.directory / "kept"  # present: nobody but `make demo-stop` ends this cluster
        self._lock = -1

    # -- the directory ----------------------------------------------------------------------------

    def open(self) -> None:
        """Take the directory for this process; refused while another one has it."""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(self.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError as error:
            raise ClusterError(f"{self.directory} can't be used: {error.strerror}") from error
        owner = os.fstat(self._lock)
        if owner.st_uid != os.geteuid():
            raise ClusterError(f"{self.directory} belongs to user {owner.st_uid}; remove it or choose another one")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ClusterError(f"another demo is at work in {self.directory}; wait for it or end it") from error

    def close(self) -> None:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def pool(self, node: str) -> Path:
        return self.directory / node / "pool"

    def state(self, name: str) -> Path:
        return self.directory / name / "state"

    def log(self, name: str) -> Path:
        return self.directory / name / "log"

    def addresses(self) -> list[tuple[str, int]]:
        """Where its programs listen."""
        local = [("127.0.0.1", self.ports.rest), ("127.0.0.1", self.ports.enrolment)]
        return local + [(node.address, self.ports.satellite) for node in self.nodes]

    # -- its programs -----------------------------------------------------------------------------

    def start_controller(self) -> None:
        state = self.state(CONTROLLER)
        self._start(
            CONTROLLER,
            "orlop-controller",
            *("--database", f"sqlite:///{state}/orlop.db", "--state-directory", str(state)),
            *("--address", "127.0.0.1", "--port", str(self.ports.rest)),
            *("--enrolment-address", "127.0.0.1", "--enrolment-port", str(self.ports.enrolment)),
        )

    def start_satellite(self, name: str) -> None:
        node = next(node for node in self.nodes if node.name == name)
        self._start(
            name,
            "orlop-satellite",
            *("run", "--node", name, "--address", node.address, "--port", str(self.ports.satellite)),
            *("--state-directory", str(self.state(name))),
        )

    def join(self, name: str, show: Callable[..., str]) -> None:
        """Make a node part of the cluster as its administrator would; `show` runs a command and returns its output."""
        printed = [line.strip() for line in show(f"orlop node join-command {name}").splitlines()]
        command = next(line for line in printed if line.startswith("orlop-satellite join"))
        self.state(name).mkdir(mode=0o700, parents=True, exist_ok=True)
        token = next(line.removeprefix("token: ") for line in printed if line.startswith("token: "))
        show(f"{command} --state-directory {self.state(name)}", stdin=f"{token}\n")

    def assemble(self, pools: bool = True) -> None:
        """Start everything; afterwards all nodes are online and, if wanted, have a pool named pool1."""
        self.open()
        self.start_controller()
        self.wait_for_controller()
        for node in self.nodes:
            self.orlop(f"node create {node.name} {node.address} --port {self.ports.satellite}")
            self.join(node.name, self.run)
            self.start_satellite(node.name)
        self.wait_online()
        for node in self.nodes if pools else ():
            self.orlop(f"storage-pool create file-thin {node.name} pool1 {self.pool(node.name)}")

    def start(self, name: str) -> None:
        if name == CONTROLLER:
            self.start_controller()
        else:
            self.start_satellite(name)

    def _start(self, name: str, program: str, *arguments: str) -> None:
        if self.program(name):
            return
        self.state(name).mkdir(mode=0o700, parents=True, exist_ok=True)
        processes.start([str(PROGRAMS / program), *arguments], self._record(name), self.log(name))

    def _record(self, name: str) -> Path:
        return self.directory / name / "process.json"

    def program(self, name: str) -> Program | None:
        """The running program of a node or of the controller."""
        return processes.recorded(self._record(name))

    def running(self) -> list[str]:
        """Names of the programs that run."""
        return [name for name in (CONTROLLER, *(node.name for node in self.nodes)) if self.program(name)]

    def stop(self, name: str) -> None:
        """Have it end in an orderly way."""
        program = self.program(name)
        if program and not program.end():
            raise ClusterError(f"{name} did not end when asked and was killed; {self.said(name)}")

    def kill(self, name: str) -> None:
        """End it with SIGKILL, as a crash would."""
        program = self.program(name)
        if program:
            program.kill()

    def signal(self, name: str, number: signal.Signals) -> None:
        program = self.program(name)
        if program:
            program.signal(number)

    def said(self, name: str) -> str:
        """The last lines of a program's log."""
        lines = self.log(name).read_text(errors="replace").splitlines()[-15:]
        return f"the end of {self.log(name)}:\n  " + "\n  ".join(lines)

    def last_words(self) -> str:
        """Of all programs that ever ran."""
        names = (CONTROLLER, *(node.name for node in self.nodes))
        return "\n".join(self.said(name) for name in names if self.log(name).exists())

    # -- talking to it ----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.ports.rest}"

    def environment(self) -> dict[str, str]:
        """For commands: programs of this clone first, output as wide as a terminal of 110 columns."""
        path = f"{PROGRAMS}:{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        ours = {"ORLOP_CONTROLLERS": self.url, "COLUMNS": "110", "NO_COLOR": "1"}
        return {**os.environ, "PATH": path, **ours}

    def command(self, *argv: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command with the programs of this clone, in a session of its own; its output comes back."""
        return subprocess.run(
            argv,
            env=self.environment(),
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            timeout=300,
        )

    def run(self, line: str, stdin: str = "") -> str:
        """Output of a command; raises `ClusterError` if it fails."""
        done = self.command(*shlex.split(line), stdin=stdin)
        if done.returncode:
            raise ClusterError(f"'{line}' ended with {done.returncode}:\n{done.stdout}")
        return done.stdout

    def orlop(self, line: str) -> str:
        """Output of `orlop` with these arguments; raises `ClusterError` if it fails."""
        return self.run(f"orlop {line}")

    def get(self, path: str) -> Any:
        """Answer of the REST API, from JSON."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return json.load(answer)

    def wait(self, what: str, done: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Until something is true; errors of a connection count as not yet."""
        until = time.monotonic() + seconds
        last = ""
        while True:
            try:
                if done():
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
                last = f" ({error})"
            if time.monotonic() > until:
                raise ClusterError(f"{what}: not within {seconds:.0f} seconds{last}")
            time.sleep(0.1)

    def wait_for_controller(self) -> None:
        def answers() -> bool:
            if not self.program(CONTROLLER):
                raise ClusterError(f"the controller ended; {self.said(CONTROLLER)}")
            return bool(self.get("/v1/controller/version"))

        self.wait("the controller answers", answers)

    def status(self, node: str) -> str:
        found = [each for each in self.get("/v1/nodes") if each["name"] == node]
        return str(found[0].get("connection_status", "")) if found else ""

    def wait_online(self, *names: str) -> None:
        for name in names or tuple(node.name for node in self.nodes):
            self.wait(f"node {name} is online", lambda name=name: self.status(name) == "ONLINE")  # type: ignore[misc]

    def volumes(self, resource: str, node: str) -> list[dict[str, Any]]:
        """Volumes of a resource on a node as the API shows them, by number."""
        for found in self.get(f"/v1/view/resources?resources={resource}&nodes={node}"):
            if found["name"] == resource and found["node_name"] == node:
                return sorted(found.get("volumes", []), key=lambda volume: int(volume["volume_number"]))
        return []

    def device(self, resource: str, node: str, number: int = 0) -> str:
        """Path of a volume's block device; raises `ClusterError` when there is none."""
        for volume in self.volumes(resource, node):
            if volume["volume_number"] == number and volume.get("device_path"):
                return str(volume["device_path"])
        raise ClusterError(f"volume {number} of {resource} has no device on {node}")

    # -- its end ----------------------------------------------------------------------------------

    def leftovers(self) -> list[str]:
        """What is left of volumes and programs: processes, mounts, loop devices, backing files; one line each."""
        return [
            *(f"process {line}" for line in machine.processes(self.directory)),
            *(f"mount {target}" for target in machine.mounts(self.directory)),
            *(f"loop device {loop.device} of {loop.file}" for loop in machine.loop_devices(self.directory)),
            *(f"file {file}" for file in self.backing_files()),
        ]

    def backing_files(self) -> list[Path]:
        """Files in the pools, drafts included; the marker of a pool is not one."""
        files = (file for node in self.nodes for file in self.pool(node.name).rglob("*"))
        return sorted(file for file in files if file.name != MARKER and not file.is_dir())

    def end(self) -> list[str]:
        """End the programs, then remove every trace; what could not be removed, one line each."""
        problems = []
        for name in (CONTROLLER, *(node.name for node in self.nodes)):
            program = self.program(name)
            if program and not program.end():
                problems.append(f"{name} did not end when asked and was killed")
        problems += [f"process {line} is left" for line in self._settled(machine.processes)]
        for target in machine.mounts(self.directory):
            problems += self._clean("umount", target)
        for loop in machine.loop_devices(self.directory):
            problems += self._clean("losetup", "--detach", loop.device)
        left = self._settled(machine.loop_devices)
        if left or machine.mounts(self.directory):
            return [*problems, *(f"{loop.device} is still attached to {loop.file}" for loop in left)]
        shutil.rmtree(self.directory)
        return problems

    def _clean(self, *argv: str) -> list[str]:
        done = self.command(*argv)
        return [f"{shlex.join(argv)}: {done.stdout.strip()}"] if done.returncode else []

    def _settled(self, look: Callable[[Path], list[Found]]) -> list[Found]:
        """What is left after a moment: a command of a satellite ends, the kernel detaches after the last close."""
        until = time.monotonic() + 5
        while (left := look(self.directory)) and time.monotonic() < until:
            time.sleep(0.1)
        return left
