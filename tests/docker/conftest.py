"""Plugins on the nodes of a simulated cluster, each served on a socket of its own as on a real machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from orlop.client import Client
from orlop_docker import server
from orlop_docker.driver import Driver
from orlop_docker.mounting import Mounting
from orlop_docker.protocol import Application
from orlop_docker.references import References
from orlop_docker.unfinished import Background
from tests.compatibility.controller import Controller
from tests.docker.engine import Engine
from tests.docker.machine import Machine


class Plugin:
    """A plugin on one node; `names` are those of its sockets."""

    def __init__(
        self,
        controller: Controller,
        machine: Machine,
        folder: Path,
        names: tuple[str, ...] = ("orlop",),
        defaults: Mapping[str, str] | None = None,
        patience: float = 50.0,
        mounted: float = 50.0,
        idle: float = 60.0,
        again: float = 0.0,
        client: Client | None = None,
    ) -> None:
        """Seconds in which a volume is to be made and mounted, which it is kept without being needed, and until what
        failed is tried again. `client` if the plain port of the controller is not what it asks.
        """
        self.machine, self.folder = machine, folder
        self.mounting = Mounting(machine, str(folder))
        references = References(folder / "mounts.json", self.mounting.table())
        self.client = client or Client([f"http://127.0.0.1:{controller.port}"], timeout=60)
        self.driver = Driver(
            *(self.client, self.mounting, references, machine.name, defaults or {}),
            *(Background(patience), mounted, idle, again),
        )
        self._listeners = [
            server.listener(Application(self.driver, name), server.unix_socket(self.socket(name))) for name in names
        ]
        for listener in self._listeners:
            listener.start()
        self._engines: list[Engine] = []

    def socket(self, name: str) -> Path:
        return self.folder / f"{name}.sock"

    def engine(self, name: str = "orlop", host: str = "") -> Engine:
        """Its first request is the handshake, as that of every engine."""
        engine = self.connect(name, host)
        assert engine.send("Plugin.Activate", b"").body["Implements"] == ["VolumeDriver"]
        return engine

    def connect(self, name: str = "orlop", host: str = "") -> Engine:
        self._engines.append(Engine(self.socket(name), host))
        return self._engines[-1]

    def stop(self) -> None:
        for engine in self._engines:
            engine.close()
        for listener in self._listeners:
            listener.stop()
        self.client.close()


class Docker:
    """Nodes with plugins, over one cluster."""

    def __init__(self, controller: Controller, folder: Path) -> None:
        self.controller, self._folder = controller, folder
        self._machines: dict[str, Machine] = {}
        self._plugins: list[Plugin] = []

    def machine(self, node: str) -> Machine:
        if node not in self._machines:
            self._machines[node] = Machine(self.controller.cluster, node, self._folder / node / "devices")
        return self._machines[node]

    def plugin(self, node: str, **settings: object) -> Plugin:
        """Started anew on the machine as it is, for the second and later times."""
        made = Plugin(self.controller, self.machine(node), self._folder / node, **settings)  # type: ignore[arg-type]
        self._plugins.append(made)
        return made

    def close(self) -> None:
        self.controller.close()
        for plugin in self._plugins:
            plugin.stop()


def _docker(folder: Path, drbd: bool | str) -> Iterator[Docker]:
    controller = Controller(folder / "reports", drbd=drbd)
    controller.add_nodes()
    made = Docker(controller, folder)
    yield made
    made.close()


@pytest.fixture
def docker(tmp_path: Path) -> Iterator[Docker]:
    """Three nodes with DRBD 9."""
    yield from _docker(tmp_path, "9")


@pytest.fixture
def eight(tmp_path: Path) -> Iterator[Docker]:
    """Three nodes with DRBD 8.4, which has to be told who uses a resource."""
    yield from _docker(tmp_path, "8.4")


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Docker]:
    """Three nodes without anything that replicates."""
    yield from _docker(tmp_path, False)
