"""Docker in a node: Debian's engine on a disk of its own, and the project's plugin beside it, as a user starts them."""

from __future__ import annotations

import functools
import shutil
import signal
import tempfile
from pathlib import Path

from tests.docker.commands import APPLETS, IMAGE, Commands, Ended
from tests.lab import cache
from tests.lab.cluster import HOST, Cluster
from tests.lab.image import make_file_system, size_of
from tests.lab.node import Node
from trees import debian

PACKAGES = ("docker.io", "containerd", "runc")
PARTS = ("usr/sbin/dockerd", "usr/bin/docker", "usr/bin/containerd", "usr/bin/containerd-shim-runc-v2", "usr/sbin/runc")
SPARE = 16 << 20  # bytes
UNIT, SERIAL = 98, "docker"  # of the disk
DEVICE = f"/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_{SERIAL}"
FOLDER = "/opt/docker"  # in a node
SOCKET = "/run/docker/plugins/orlop.sock"
ROOT = "/var/lib/orlop/docker"  # of the plugin
CONFIGURATION = "/etc/orlop/docker-volume.conf"
CONTAINERD = "/run/containerd/containerd.sock"
# An engine would start containerd itself, but waits for 15 seconds only, which a busy machine takes.
PROGRAMS = {
    "containerd": (f"{FOLDER}/containerd",),
    "engine": (
        *(f"{FOLDER}/dockerd", "--containerd", CONTAINERD, "--iptables=false", "--ip6tables=false", "--bridge=none"),
        *("--storage-driver", "overlay2", "--exec-opt", "native.cgroupdriver=cgroupfs", "--live-restore"),
    ),
    "plugin": ("orlop-docker", "--log-level", "debug"),
}
LOGS = {name: f"/var/log/{name}.log" for name in PROGRAMS}
PLUGINS = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'  # of containerd; that one is Kubernetes'


@functools.cache
def disk() -> Path:
    """File with the disk. What its programs need besides is in the image of every node."""
    key = cache.digest(*PACKAGES, *PARTS, str(SPARE), Path(debian.__file__))
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

    at = "/data:nocopy"  # to copy an image's content, engines mount once more, which takes its time under emulation

    def __init__(self, cluster: Cluster, node: Node) -> None:
        super().__init__(node.name)
        self.on = node
        self._controller = f"http://{HOST}:{cluster.port}"
        self._programs: dict[str, int] = {}

    def install(self) -> None:
        self.on.logs += LOGS.values()
        self.on.put(CONFIGURATION, f"[global]\ncontrollers = {self._controller}\n")
        self.on.put("/etc/containerd/config.toml", PLUGINS)
        self._boot()
        self._make_image()
        self.on.at_start(self._boot)

    def _boot(self) -> None:
        self.on.machine.attach(UNIT, disk(), SERIAL, read_only=True)
        self.on.wait_for("the disk with Docker shows up", lambda: self.on.run("test", "-b", DEVICE) == "")
        self.on.shell(f"mkdir -p {FOLDER}; mount -o ro {DEVICE} {FOLDER}")
        for name in ("plugin", "containerd", "engine"):
            self.start(name)

    def _make_image(self) -> None:
        """Of the node's own busybox."""
        links = "; ".join(f"ln -s busybox bin/{name}" for name in APPLETS)
        self.on.shell(
            f"mkdir -p /tmp/image/bin; cd /tmp/image; cp /bin/busybox bin; {links}; "
            f"tar -c . | {FOLDER}/docker import - {IMAGE}"
        )

    def command(self, *words: str, stdin: bytes = b"") -> Ended:
        done = self.on.attempt(f"{FOLDER}/docker", *words, stdin=stdin, seconds=300.0)
        return Ended(done.code, done.output, done.errors)

    # -- its programs -------------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        path = {"PATH": f"{debian.PATH}:{FOLDER}"}
        self._programs[name] = self.on.start_program(*PROGRAMS[name], log=LOGS[name], environment=path)
        self.on.wait_for(f"the {name} answers", lambda: self._answers(name))

    def _answers(self, name: str) -> bool:
        if name == "engine":
            return self.command("version").code == 0
        return self.on.run("ss", "-Hlx", "src", CONTAINERD if name == "containerd" else SOCKET) != ""

    def kill(self, name: str) -> None:
        """`engine` or `plugin`, as a crash would; containers go on."""
        self.on.stop_program(self._programs.pop(name), signal.SIGKILL)

    # -- what it left -------------------------------------------------------------------------------------------

    def place(self, volume: str) -> str:
        """Where the volume is mounted for containers."""
        return f"{ROOT}/volumes/{volume}/data"

    def left(self) -> dict[str, str]:
        """What there is of volumes on the node."""
        return {
            "logical volumes": self.on.shell("lvs --noheadings -o lv_name -S 'lv_name!=thin'").strip(),
            "DRBD": self.on.shell("drbdsetup events2 --now | grep 'name:' || true").strip(),
            "mounts": self.on.shell(f"grep {ROOT} /proc/self/mounts || true").strip(),
            "folders": self.on.shell(f"ls {ROOT}/volumes").strip(),
            "notes": self.on.shell(f"cat {ROOT}/*.json").replace("{}", ""),
        }
