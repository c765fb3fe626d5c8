"""The plugin as a program on a node of a real cluster."""

from __future__ import annotations

import time
from pathlib import Path

from demo import processes
from demo.cluster import PROGRAMS, Cluster, ClusterError
from demo.processes import Program
from tests.docker.engine import Engine

PATIENCE = 20.0  # seconds


class PluginProgram:
    """`orlop-docker` with all that it keeps in the node's folder of the cluster, which is cleaned up with it."""

    def __init__(self, cluster: Cluster, node: str, lines: str = "") -> None:
        self.cluster, self.node = cluster, node
        self.folder = cluster.directory / node / "docker"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.socket = self.folder / "orlop.sock"
        self.configuration = self.folder / "docker-volume.conf"
        self.configuration.write_text(
            f"[global]\ncontrollers = {cluster.url}\nnode = {node}\nroot = {self.folder}\n{lines}"
        )
        self._engines: list[Engine] = []
        self._program: Program | None = None

    def argv(self) -> list[str]:
        return [
            *(str(PROGRAMS / "orlop-docker"), "--config", str(self.configuration)),
            *("--socket", str(self.socket), "--log-level", "debug"),
        ]

    def start(self) -> None:
        self._program = processes.start(self.argv(), self.folder / "process.json", self.log)
        self.wait()

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def wait(self) -> None:
        until = time.monotonic() + PATIENCE
        while True:
            try:
                Engine(self.socket).close()
            except OSError:
                if time.monotonic() > until:
                    raise ClusterError(f"the plugin on {self.node} does not listen:\n{self.log.read_text()}") from None
                time.sleep(0.05)
            else:
                return

    def engine(self) -> Engine:
        engine = self.connect()
        assert engine.send("Plugin.Activate", b"").body == {"Implements": ["VolumeDriver"]}
        return engine

    def connect(self) -> Engine:
        self._engines.append(Engine(self.socket))
        return self._engines[-1]

    def kill(self) -> None:
        if self._program is not None:
            self._program.kill()

    def end(self) -> None:
        for engine in self._engines:
            engine.close()
        if self._program is not None:
            self._program.end()
