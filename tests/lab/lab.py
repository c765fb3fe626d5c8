"""Several nodes with a network of their own, as a context: they end with it."""

from __future__ import annotations

import functools
import random
import socket
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tests.lab import cache, image, machine
from tests.lab.agent import Agent, AgentError
from tests.lab.keeper import Keeper
from tests.lab.machine import AGENT_PORT, SATELLITE_PORT, Machine, Place, State
from tests.lab.node import GIB, Node

MOST = 4  # nodes; their memory is 768 MiB each, of which they share what they did not change


class Lab:
    """`disks`: sizes in bytes of every node's data disks. Nodes are `lab.nodes`, `lab.node1` and so on."""

    def __init__(self, nodes: int = 1, disks: Iterable[int] = (2 * GIB, 2 * GIB)) -> None:
        self._count, self._sizes = nodes, tuple(disks)
        self.nodes: list[Node] = []

    def __enter__(self) -> Lab:
        self.image = image.image()
        self._saved = state()
        self.keeper = Keeper()
        try:
            self.directory = self.keeper.directory
            addresses, group = _addresses(self._count), _multicast_group()
            for number, address in enumerate(addresses, 1):
                place = Place(self.directory / f"node{number}", address, group)
                virtual = Machine(self.keeper, place, self.image)
                self.nodes.append(Node(number, self._count, virtual, lambda: self._saved))
            for node in self.nodes:
                for size in self._sizes:
                    node.add_disk(size)
            self.each(Node.start)
        except BaseException:
            self.keeper.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.keeper.end()

    def each(self, act: Callable[[Node], object]) -> None:
        """Do something with all nodes at once."""
        with ThreadPoolExecutor(len(self.nodes)) as threads:
            list(threads.map(act, self.nodes))

    def last_words(self) -> dict[str, str]:
        """What is worth reading when a test failed, by title."""
        controller = self.directory / "controller.log"
        found = {"controller": controller.read_text(errors="replace")} if controller.exists() else {}
        for node in self.nodes:
            steps = "\n".join(_line(step) for step in node.executed())
            found[f"{node.name}: executed steps"] = steps
            found[f"{node.name}: satellite"] = node.satellite_log()
            found[f"{node.name}: console"] = node.console()
            for path in node.logs:
                with suppress(OSError, AgentError):
                    found[f"{node.name}: {path}"] = node.get(path).decode(errors="replace")
        return found


def _line(step: dict[str, str]) -> str:
    error = f" -> {step['error']}" if step.get("error") else ""
    return f"{step['time']} {step['event']:8}{step['resource']}: {step['step']}{error}"


@functools.cache
def state() -> State:
    """A machine that has booted, of the current image; without disks, name and address."""
    booted = image.image()
    parts = (booted.root.parent.name, booted.vmlinux.parent.name, machine.version(), machine.SOURCE)
    found = cache.artefact("state", cache.digest(*map(str, parts[:3]), parts[3]), lambda new: _save(new, booted))
    return State(found / "memory", found / "devices")


def _save(new: Path, booted: image.Image) -> None:
    keeper = Keeper()
    try:
        (address,) = _addresses(1)
        virtual = Machine(keeper, Place(keeper.directory / "node", address, _multicast_group()), booted)
        virtual.boot(new / "memory")
        node = Node(0, 0, virtual, lambda: State(new / "memory", new / "devices"))
        node.wait_for("it has booted", Agent(address).answers)
        node.run("/lab/warm")
        virtual.save(State(new / "memory", new / "devices"))
    finally:
        keeper.end()


def _addresses(count: int) -> list[str]:
    """Loopback addresses on which nobody listens yet, at the nodes' ports."""
    while True:
        net = f"127.{random.randint(64, 254)}.{random.randint(0, 254)}"
        found = [f"{net}.{number}" for number in range(1, count + 1)]
        if all(_free(address, port) for address in found for port in (AGENT_PORT, SATELLITE_PORT)):
            return found


def _free(address: str, port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _multicast_group() -> str:
    """For organisations' own use, and sent on the loopback interface only."""
    port = random.randint(20000, 30000)
    return f"239.{random.randint(192, 251)}.{random.randint(0, 254)}.{random.randint(1, 254)}:{port}"
