"""A real Docker engine on a node, in a mount namespace that it shares with the node's plugin.

An engine looks for plugins in /run/docker/plugins and nowhere else, so that two engines on one machine each need that
folder for themselves.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from demo import processes
from demo.cluster import Cluster, ClusterError
from demo.processes import Program
from tests.docker.commands import APPLETS, IMAGE, Commands, Ended
from tests.docker.node import PluginProgram

DOCKER, DOCKERD = "/usr/bin/docker", "/usr/sbin/dockerd"  # not what else may come first in PATH
PLUGINS = Path("/run/docker/plugins")
PATIENCE = 60.0  # seconds
ENTER = 'mount --bind "$1" /run/docker/plugins && exec sleep infinity'


class Namespace:
    """Where only this node's plugins are to be found; a process of its own keeps it while engines come and go."""

    def __init__(self, folder: Path) -> None:
        self.plugins = folder / "plugins"
        self.plugins.mkdir(parents=True, exist_ok=True)
        PLUGINS.mkdir(parents=True, exist_ok=True)
        argv = ["/usr/bin/unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", ENTER, "sh"]
        self._keeper = processes.start([*argv, str(self.plugins)], folder / "keeper.json", folder / "keeper.log")
        self._wait()

    def _wait(self) -> None:
        """Until the process has its folder."""
        until = time.monotonic() + PATIENCE
        table = Path(f"/proc/{self._keeper.pid}/mountinfo")
        while f" {PLUGINS} " not in table.read_text():
            if time.monotonic() > until:
                raise ClusterError("there is no mount namespace")
            time.sleep(0.02)

    def inside(self, *argv: str) -> list[str]:
        return ["/usr/bin/nsenter", "--target", str(self._keeper.pid), "--mount", "--", *argv]

    def end(self) -> None:
        self._keeper.end()


class NodePlugin(PluginProgram):
    """The plugin in the namespace of its engine."""

    def __init__(self, cluster: Cluster, node: str, namespace: Namespace, lines: str = "") -> None:
        super().__init__(cluster, node, lines)
        self.socket = namespace.plugins / "orlop.sock"
        self._namespace = namespace

    def argv(self) -> list[str]:
        argv = super().argv()
        argv[argv.index("--socket") + 1] = str(PLUGINS / "orlop.sock")
        return self._namespace.inside(*argv, "--socket", str(PLUGINS / "linstor.sock"))


class Engine(Commands):
    """`docker` runs a command of it; `start`, `stop` and `kill` are those of the daemon."""

    def __init__(self, cluster: Cluster, node: str) -> None:
        super().__init__(node)
        self.folder = cluster.directory / node / "engine"
        self.folder.mkdir(parents=True, exist_ok=True)
        self.namespace = Namespace(self.folder)
        self.plugin = NodePlugin(cluster, node, self.namespace)
        self._program: Program | None = None

    @property
    def _address(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    def start(self, *options: str) -> None:
        execution = self.folder / "exec"
        argv = [
            *(DOCKERD, "--host", self._address, "--data-root", str(self.folder / "data")),
            *("--exec-root", str(execution), "--pidfile", str(self.folder / "dockerd.pid")),
            *("--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver", "overlay2"),
            *options,
        ]
        # A process of before that is not reaped looks to the engine like one that still runs.
        (execution / "containerd" / "containerd.pid").unlink(missing_ok=True)
        (self.folder / "dockerd.pid").unlink(missing_ok=True)
        record, log = self.folder / "process.json", self.folder / "log"
        self._program = processes.start(self.namespace.inside(*argv), record, log)
        until = time.monotonic() + PATIENCE
        while self.command("version").code:
            if time.monotonic() > until or not self._program.alive:
                raise ClusterError(f"the engine on {self.node} does not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)

    def command(self, *words: str, stdin: bytes = b"") -> Ended:
        argv = [DOCKER, "--host", self._address, *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=180)
        return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())

    def load_image(self, folder: Path) -> None:
        archive = subprocess.run(["tar", "-C", str(folder), "-c", "."], capture_output=True, check=True).stdout
        self.docker("import", "-", IMAGE, stdin=archive)

    def stop(self) -> None:
        if self._program is not None:
            self._program.end()
        self._program = None

    def kill(self) -> None:
        """As a crash would; containers go on."""
        if self._program is not None:
            self._program.kill()
        self._end(self.folder / "exec" / "containerd" / "containerd.pid", signal.SIGKILL)

    def _end(self, file: Path, number: signal.Signals) -> None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            pid = int(file.read_text())
            if str(self.folder) in Path(f"/proc/{pid}/cmdline").read_text():
                os.kill(pid, number)

    def end(self) -> None:
        """Nothing is left of it."""
        if self._program is not None and self._program.alive:
            found = self.docker("ps", "--all", "--quiet").split()
            if found:
                self.docker("rm", "--force", *found)
        self.stop()
        self.plugin.end()
        self.namespace.end()
        shutil.rmtree(self.folder)


def image(folder: Path) -> Path:
    """A root file system of nothing but busybox."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    shutil.copy("/bin/busybox", programs / "busybox")
    for name in APPLETS:
        (programs / name).symlink_to("busybox")
    return folder
