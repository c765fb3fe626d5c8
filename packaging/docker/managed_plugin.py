"""Make a managed plugin: a folder that `docker plugin create NAME FOLDER` takes. Run by `make docker-plugin`, as root.

The root file system is a small Debian with Python, the plugin, and the programs that it starts.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from trees import debian

PROJECT = Path(__file__).parents[2]
PACKAGES = ("python3-minimal", "python3", "mount", "e2fsprogs", "xfsprogs", "ca-certificates")
LIBRARY = "usr/lib/python3/dist-packages"
ROOT = "/var/lib/orlop/docker"  # where the plugin mounts
CONFIGURATION = {
    "description": "Volumes of an Orlop cluster for containers",
    "documentation": "docs/guide/docker.md",
    "entrypoint": ["/usr/bin/python3", "-m", "orlop_docker"],
    "workdir": "/",
    "interface": {"types": ["docker.volumedriver/1.0"], "socket": "orlop.sock"},
    "network": {"type": "host"},  # controllers on loopback are reached as well
    "propagatedMount": ROOT,
    "mounts": [
        {
            "name": "devices",
            "description": "Devices of volumes come and go.",
            "source": "/dev",
            "destination": "/dev",
            "type": "bind",
            "options": ["rbind"],
            "settable": None,
        }
    ],
    "linux": {
        # SYS_RESOURCE lets ext4 grow while it is mounted.
        "capabilities": ["CAP_SYS_ADMIN", "CAP_SYS_RESOURCE"],
        "allowAllDevices": True,
        "devices": None,
    },
    "env": [
        {"name": name, "description": says, "settable": ["value"], "value": value}
        for name, value, says in (
            ("ORLOP_DOCKER_CONTROLLERS", "http://localhost:3370", "Where the controllers are, parted by commas."),
            ("ORLOP_DOCKER_NODE", "", "This machine's name in the cluster; empty: the host's name."),
            ("ORLOP_DOCKER_DEFAULTS", "", "Options of volumes that do not say otherwise: 'size=1G fs=xfs'."),
            ("ORLOP_DOCKER_LOG_LEVEL", "info", "How much goes to the engine's log."),
        )
    ],
}


def build(target: Path) -> None:
    root = target / "rootfs"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    debian.bootstrap(root, PACKAGES)
    _install(root)
    # The engine fills /dev; nodes in the tree would be read endlessly by whoever copies it.
    for left in ("dev", "var/cache/apt", "var/lib/apt/lists"):
        shutil.rmtree(root / left)
        (root / left).mkdir()
    (root / ROOT.lstrip("/")).mkdir(parents=True)
    (root / "run/docker/plugins").mkdir(parents=True)
    (target / "config.json").write_text(json.dumps(CONFIGURATION, indent=2) + "\n")


def _install(root: Path) -> None:
    """For the Python of the tree, which need not be the one that runs this."""
    version = next((root / "usr/bin").glob("python3.[0-9]*")).name.removeprefix("python")
    with tempfile.TemporaryDirectory() as wheels:
        pip = [sys.executable, "-m", "pip", "--quiet"]
        subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", wheels, str(PROJECT)], check=True)
        (wheel,) = Path(wheels).glob("orlop-*.whl")
        for_tree = ["--python-version", version, "--only-binary=:all:", "--target", str(root / LIBRARY)]
        subprocess.run([*pip, "install", *for_tree, f"{wheel}[docker]"], check=True)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
