"""A virtual node: run commands in it, cut it off, freeze it, take its power, give it back."""

from __future__ import annotations

import io
import json
import os
import secrets
import tarfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.lab import project
from tests.lab.agent import Agent
from tests.lab.machine import PATIENCE, SATELLITE_PORT, Machine, MachineError, State

GIB = 1 << 30
PROJECT_UNIT = 99  # where the disk with the project is plugged in


class CommandFailed(Exception):
    """A command in a node ended with an error; says which, where, and what it printed."""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    output: str
    errors: str


class Disk:
    """A data disk. Its content is a sparse file on the host and outlives the node's power."""

    def __init__(self, node: Node, unit: int, size: int) -> None:
        self.node, self.unit, self.size = node, unit, size
        self.serial = f"{node.name}-disk{unit}"
        self.file = node.machine.place.folder / f"disk{unit}.raw"

    @property
    def path(self) -> str:
        """Device in the node; another one after another start, maybe."""
        return "/dev/" + self.node.shell(f"ls /sys/class/scsi_disk/0:0:0:{self.unit}/device/block").strip()

    def __repr__(self) -> str:
        return f"<{self.serial}>"


class Node:
    """Commands are checked: what ends with an error raises `CommandFailed`, unless it was only attempted."""

    def __init__(self, number: int, nodes: int, machine: Machine, state: Callable[[], State]) -> None:
        self.number, self.name = number, f"node{number}"
        self.address = f"10.77.0.{number}"  # in the private network of the nodes
        self.machine = machine
        self.agent = Agent(machine.place.address)
        self.disks: list[Disk] = []
        self.logs: list[str] = []  # files in it that are worth reading when a test failed
        self._nodes = nodes
        self._state = state
        self._own_disk = machine.place.folder / "own.raw"
        self._booted: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<{self.name}>"

    # -- commands and files -------------------------------------------------------------------------------------

    def attempt(
        self,
        *argv: str,
        stdin: bytes | str = b"",
        seconds: float = 120.0,
        environment: dict[str, str] | None = None,
    ) -> Done:
        """Run a command in the node; it is killed after that many seconds."""
        body = stdin.encode() if isinstance(stdin, str) else stdin
        answer, content = self.agent.ask("run", body, seconds, argv=argv, environment=environment or {})
        output = content[: answer["output"]].decode(errors="replace")
        return Done(answer["code"], output, content[answer["output"] :].decode(errors="replace"))

    def run(
        self,
        *argv: str,
        stdin: bytes | str = b"",
        seconds: float = 120.0,
        environment: dict[str, str] | None = None,
    ) -> str:
        """Output of a command."""
        done = self.attempt(*argv, stdin=stdin, seconds=seconds, environment=environment)
        if done.code:
            raise CommandFailed(
                f"{self.name}: {' '.join(argv)}\nended with {done.code}:\n{done.output}{done.errors}".rstrip()
            )
        return done.output

    def shell(self, text: str, stdin: bytes | str = b"", seconds: float = 120.0) -> str:
        """Output of a piece of shell, which stops at the first error."""
        return self.run("sh", "-e", "-c", text, stdin=stdin, seconds=seconds)

    def python(self, source: str | Path, *arguments: str, seconds: float = 600.0) -> str:
        """Output of a Python program, given as its text or its file, that may import the project."""
        text = source.read_text() if isinstance(source, Path) else source
        return self.run("python3", "-", *arguments, stdin=text, seconds=seconds)

    def put(self, path: str, content: bytes | str, mode: int = 0o644) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.agent.ask("put", body, path=path, mode=mode)

    def get(self, path: str) -> bytes:
        return self.agent.ask("get", path=path)[1]

    def unpack(self, archive: bytes, folder: str) -> None:
        """The content of a tar archive, into a folder that is made if need be."""
        self.shell('mkdir -p "$0"; exec tar -x -C "$0"'.replace("$0", folder), stdin=archive)

    def push(self, source: Path, folder: str) -> None:
        """A file or a tree of the host, into a folder of the node."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            archive.add(source, source.name)
        self.unpack(buffer.getvalue(), folder)

    def start_program(self, *argv: str, log: str, environment: dict[str, str] | None = None) -> int:
        """Pid of a program that goes on in the background and writes to `log`."""
        answer, _ = self.agent.ask("start", argv=argv, log=log, environment=environment or {})
        return int(answer["pid"])

    def stop_program(self, pid: int, number: int) -> int:
        """Exit code of a program after a signal."""
        return int(self.agent.ask("stop", pid=pid, signal=number)[0]["code"])

    # -- disks --------------------------------------------------------------------------------------------------

    def add_disk(self, size: int = 2 * GIB) -> Disk:
        """Plug in an empty disk, now if the node runs."""
        disk = Disk(self, len(self.disks) + 1, size)
        with disk.file.open("xb") as file:
            file.truncate(size)
        self.disks.append(disk)
        if self.machine.running:
            self.machine.attach(disk.unit, disk.file, disk.serial)
            self.wait_for(f"{disk} shows up", lambda: disk.path)
            self.run("udevadm", "settle")
        return disk

    def mount(self, device: str, folder: str) -> None:
        """Mount a file system here, and at every later start."""
        uuid = self.run("blkid", "-o", "value", "-s", "UUID", device).strip()
        line = f"UUID={uuid} {folder} auto noatime,nofail 0 0"
        self.shell(f"mkdir -p {folder}; echo '{line}' >> /etc/fstab; sync -f /etc/fstab; mount {folder}")

    # -- power --------------------------------------------------------------------------------------------------

    def at_start(self, act: Callable[[], None]) -> None:
        """Have something done at the end of every later start."""
        self._booted.append(act)

    def start(self, cold: bool = False) -> None:
        """Give it power. The state of a machine that has just booted is restored, or, `cold`, one boots for real."""
        if cold:
            self.machine.boot()
            self.wait_for("it has booted", self.agent.answers)
        else:
            self.machine.restore(self._state())
        again = self._own_disk.exists()
        if not again:
            copy_sparse(self.machine.image.node_disk, self._own_disk)
        self.machine.attach(0, self._own_disk, f"{self.name}-own")
        self.machine.attach(PROJECT_UNIT, project.disk(), "orlop", read_only=True)
        for disk in self.disks:
            self.machine.attach(disk.unit, disk.file, disk.serial)
        if not cold:
            self.machine.resume()
        self._become(again)
        for act in self._booted:
            act()

    def _become(self, again: bool) -> None:
        self.wait_for("its agent answers", self.agent.answers)
        nodes = list(range(1, self._nodes + 1))
        self.agent.ask(
            "be",
            seconds=120.0,
            entropy=secrets.token_hex(64),
            time=time.time(),
            disks=len(self.disks),
            again=again,
            number=self.number,
            nodes=nodes,
        )

    def kill(self) -> None:
        """Take its power: memory is lost, disks keep what was written to them."""
        self.machine.kill()

    def freeze(self) -> None:
        """Its processor stops; connections stay open and nobody answers."""
        self.machine.pause()

    def thaw(self) -> None:
        """It goes on where it was, with the clock of that moment, as a machine that was suspended by mistake."""
        self.machine.resume()

    def wait_until_off(self, seconds: float = 120.0) -> None:
        """Until it has lost power by itself, as after `crash_at`."""
        if self.machine.pid is not None and not self.machine.keeper.wait(self.machine.pid, seconds):
            raise MachineError(f"{self.name} is still on after {seconds:.0f} seconds")
        self.machine.pid = None

    # -- network ------------------------------------------------------------------------------------------------

    def cut(self, other: Node) -> None:
        """These two no longer reach each other over the private network; others are not affected."""
        for one, peer in ((self, other), (other, self)):
            one.run("nft", "add", "element", "inet", "lab", "peers", f"{{ {peer.address} }}")

    def mend(self, other: Node) -> None:
        for one, peer in ((self, other), (other, self)):
            one.attempt("nft", "delete", "element", "inet", "lab", "peers", f"{{ {peer.address} }}")

    def cut_controller(self) -> None:
        """The controller no longer reaches the satellite, neither on new connections nor on open ones."""
        self.run("nft", "add", "element", "inet", "lab", "ports", f"{{ {SATELLITE_PORT} }}")

    def mend_controller(self) -> None:
        self.run("nft", "delete", "element", "inet", "lab", "ports", f"{{ {SATELLITE_PORT} }}")

    def pull_cable(self) -> None:
        """Off the private network, with no link."""
        self.machine.cable(plugged=False)

    def plug_cable(self) -> None:
        self.machine.cable(plugged=True)

    def reaches(self, other: Node) -> bool:
        return self.attempt("ping", "-c1", "-W2", other.address).code == 0

    # -- what it did --------------------------------------------------------------------------------------------

    def console(self) -> str:
        return self._log("console")

    def satellite_log(self) -> str:
        """Of all satellites that ran here: power losses included, for it goes straight to the host."""
        return self._log("satellite")

    def executed(self) -> list[dict[str, Any]]:
        """Steps of plans, oldest first: event (started, done, failed or crash), resource, step, error."""
        lines = self._log("steps").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def _log(self, name: str) -> str:
        file = self.machine.place.folder / name
        return file.read_text(errors="replace") if file.exists() else ""

    def crash_at(self, text: str = "", *, after: bool = False, count: int = 1) -> None:
        """Lose power right before (or after) the `count`-th step from now on whose line contains `text`."""
        order = {"text": text, "after": after, "count": count}
        self.put("/run/orlop-crash.json", json.dumps(order))

    def no_crash(self) -> None:
        self.run("rm", "-f", "/run/orlop-crash.json")

    def wait_for(self, what: str, done: Callable[[], object], seconds: float = PATIENCE) -> None:
        """Until something is true; a command that fails counts as not yet."""
        until = time.monotonic() + seconds
        while True:
            if not self.machine.running:
                raise MachineError(f"{self.name} went off while waiting until {what}: {self.machine.said()}")
            last = ""
            try:
                if done():
                    return
            except (CommandFailed, OSError) as error:
                last = f" ({error})"
            if time.monotonic() > until:
                raise MachineError(f"{self.name}: not within {seconds:.0f} seconds: {what}{last}")
            time.sleep(0.05)


def copy_sparse(source: Path, target: Path) -> None:
    """Only what is not zero takes room in the copy."""
    with source.open("rb") as reading, target.open("xb") as writing:
        size = source.stat().st_size
        writing.truncate(size)
        for start, end in _written(reading.fileno(), size):
            reading.seek(start)
            writing.seek(start)
            writing.write(reading.read(end - start))


def _written(descriptor: int, size: int) -> Iterable[tuple[int, int]]:
    end = 0
    while end < size:
        try:
            start = os.lseek(descriptor, end, os.SEEK_DATA)
        except OSError:
            return  # only a hole is left
        end = os.lseek(descriptor, start, os.SEEK_HOLE)
        yield start, end
