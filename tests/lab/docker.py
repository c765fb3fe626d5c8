"""Docker in a node: Debian's engine on a disk of its own, and the project's plugin beside it, as a user starts them."""

from __future__ import annotations

import functools
import shutil
import signal
import tempfile
from pathlib import Path

from tests.docker.commands import APPLETS, IMAGE, Commands, Ended
from tests.lab import cache, debian
from tests.lab.cluster import HOST, Cluster
from tests.lab.image import make_file_system, size_of
from tests.lab.node import Node

PACKAGES = ("docker.io", "containerd", "runc")
PARTS = ("usr/sbin/dockerd", "usr/bin/docker", "usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/sbin/runc")
SPARE = 16 << 20  # bytes
UNIT = 98  # where the disk is plugged in
FOLDER = "/opt/docker"  # in a node
SOCKET = "/run/docker/plugins/orlop.sock"
CONFIGURATION = "/etc/orlop/docker-volume.conf"
LOGS = {"engine": "/var/log/dockerd.log", "plugin": "/var/log/orlop-docker.log"}
OPTIONS = (
    *("--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver", "overlay2"),
    *("--exec-opt", "native.cgroupdriver=cgroupfs"),
)


@functools.cache
def disk() -> Path:
    """File with the disk. What its programs need besides is in the image of every node."""
    key = cache.digest(Path(__file__), Path(debian.__file__))
    return cache.artefact("docker", key, _build) / "docker.ext4"


def _build(new: Path) -> None:
    with tempfile.TemporaryDirectory(dir=new) as scratch:
        tree, programs = Path(scratch) / "tree", Path(scratch) / "programs"
        debian.bootstrap(tree, PACKAGES, variant="extract")
        programs.mkdir()
        for part in PARTS:
            shutil.copy(tree / part, programs)
        options = ("-O", "^metadata_csum,^has_journal", "-N", "64")
        make_file_system(programs, new / "docker.ext4", size_of(programs) + SPARE, *options)


class Engine(Commands):
    """An engine with its plugin. Both come again when the node does; containers that ran in it are dead then."""

    def __init__(self, cluster: Cluster, node: Node) -> None:
        super().__init__(node.name)
        self.cluster, self.machine = cluster, node
        self._programs: dict[str, int] = {}
        node.put(CONFIGURATION, f"[global]\ncontrollers = http://{HOST}:{cluster.port}\n")
        self._boot()
        self._make_image()
        node.at_start(self._boot)

    def _boot(self) -> None:
        self.machine.machine.attach(UNIT, disk(), "docker", read_only=True)
        by_name = "/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_docker"
        there = lambda: self.machine.attempt("test", "-b", by_name).code == 0  # noqa: E731
        self.machine.wait_for("the disk with Docker shows up", there)
        self.machine.shell(f"mkdir -p {FOLDER}; mount -o ro {by_name} {FOLDER}")
        self.start_plugin()
        self.start_engine()

    def _make_image(self) -> None:
        links = "; ".join(f"ln -s busybox bin/{name}" for name in APPLETS)
        self.machine.shell(
            f"mkdir -p /tmp/image/bin; cd /tmp/image; cp /bin/busybox bin; {links}; "
            f"tar -c . | {FOLDER}/docker import - {IMAGE}"
        )

    def command(self, *words: str, stdin: bytes = b"") -> Ended:
        done = self.machine.attempt(f"{FOLDER}/docker", *words, stdin=stdin, seconds=300.0)
        return Ended(done.code, done.output, done.errors)

    # -- its programs -------------------------------------------------------------------------------------------

    def start_plugin(self) -> None:
        self._start("plugin", "orlop-docker", "--log-level", "debug")
        self.machine.wait_for("the plugin listens", lambda: self.machine.run("ss", "-Hlx", "src", SOCKET))

    def start_engine(self) -> None:
        self._start("engine", f"{FOLDER}/dockerd", *OPTIONS)
        self.machine.wait_for("the engine answers", lambda: self.command("version").code == 0)

    def _start(self, name: str, *argv: str) -> None:
        path = {"PATH": f"{debian.PATH}:{FOLDER}"}
        self._programs[name] = self.machine.start_program(*argv, log=LOGS[name], environment=path)

    def kill(self, name: str) -> None:
        """`engine` or `plugin`, as a crash would; containers go on."""
        self.machine.stop_program(self._programs.pop(name), signal.SIGKILL)

    def log(self, name: str) -> str:
        return self.machine.get(LOGS[name]).decode(errors="replace")
