"""What the machine itself says: loop devices, mounts, open ports, and what is missing for a cluster on it."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

PACKAGES = {  # program -> Debian package
    "losetup": "mount",
    "mount": "mount",
    "umount": "mount",
    "fallocate": "util-linux",
}
SPACE = 2 << 30  # bytes
LOOP_DEVICES = 10  # two volumes, twice, and again as the restored resource; two to spare


class LoopDevice(NamedTuple):
    device: str
    file: str


def loop_devices(directory: Path) -> list[LoopDevice]:
    """Attached loop devices whose file lies, or lay, under a directory."""
    found = []
    for entry in sorted(Path("/sys/block").glob("loop*/loop/backing_file")):
        try:
            file = entry.read_text().strip()
        except OSError:
            continue  # detached between the two looks
        if file.startswith(f"{directory}/"):
            found.append(LoopDevice(f"/dev/{entry.parts[3]}", file))
    return found


def mounts(directory: Path) -> list[str]:
    """Mount points under a directory or of its loop devices, the innermost first."""
    devices = {loop.device for loop in loop_devices(directory)}
    found = []
    for line in Path("/proc/self/mounts").read_text().splitlines():
        source, target = (_unescaped(field) for field in line.split()[:2])
        if target.startswith(f"{directory}/") or source in devices:
            found.append(target)
    return sorted(found, key=len, reverse=True)


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)


def processes(directory: Path) -> list[str]:
    """Processes that have a path under a directory on their command line, this one excepted."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes().decode(errors="replace").split("\0")
        except (FileNotFoundError, ProcessLookupError):
            continue
        pid = int(entry.parts[2])
        if pid != os.getpid() and any(word.startswith(f"{directory}/") for word in words):
            found.append(f"{pid} {' '.join(words).strip()}")
    return found


def port_user(address: str, port: int) -> str | None:
    """Who listens where a program of ours wants to; None when the port is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return next(_listeners(port), "a process that cannot be seen from here")
    return None


def _listeners(port: int) -> Iterator[str]:
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port:
                yield from _holders(f"socket:[{fields[9]}]")


def _holders(socket_name: str) -> Iterator[str]:
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(descriptor) == socket_name:
                argv = (descriptor.parents[1] / "cmdline").read_bytes().decode(errors="replace")
                yield f"process {descriptor.parts[2]}: {argv.replace(chr(0), ' ').strip()}"
        except OSError:
            continue  # it ended or closed the socket meanwhile


def obstacles(directory: Path, ports: list[tuple[str, int]], packages: Mapping[str, str] = PACKAGES) -> list[str]:
    """Why a cluster can't run here, one sentence each, with what to do. Needs an existing directory.

    `packages` names the programs that have to be there, each with its Debian package.
    """
    if os.geteuid() != 0:
        return ["Loop devices and mounts need root: run it as root, for example with sudo."]
    lacking = sorted({package for name, package in packages.items() if not shutil.which(name)})
    if lacking:
        return [f"Programs are missing: apt-get install {' '.join(lacking)}"]
    found = [
        f"Port {port} on {address} is taken by {user}. End it first."
        for address, port in ports
        if (user := port_user(address, port))
    ]
    if shutil.disk_usage(directory).free < SPACE:
        found.append(f"{directory} needs {SPACE >> 30} GiB of free space; choose another with ORLOP_DEMO_DIRECTORY.")
    with tempfile.NamedTemporaryFile(dir=directory, prefix="check-") as file:
        os.truncate(file.name, 1 << 20)
        found += _attribute_obstacle(file.name) + _loop_obstacle(file.name)
    return found


def _attribute_obstacle(file: str) -> list[str]:
    try:
        os.setxattr(file, "user.orlop-check", b"1")
    except OSError as error:
        return [
            f"The file system of {Path(file).parent} keeps no extended attributes ({error.strerror}); file pools need "
            "them. Choose a directory on ext4, xfs or btrfs with ORLOP_DEMO_DIRECTORY."
        ]
    return []


def _loop_obstacle(file: str) -> list[str]:
    attached: list[str] = []
    try:
        for _ in range(LOOP_DEVICES):
            done = subprocess.run(["losetup", "--find", "--show", file], capture_output=True, text=True)
            if done.returncode:
                return [_loop_hint(len(attached), done.stderr.strip())]
            attached.append(done.stdout.strip())
    finally:
        for device in attached:
            subprocess.run(["losetup", "--detach", device], check=True)
    return []


def _loop_hint(free: int, message: str) -> str:
    hint = "try: modprobe loop"
    if Path("/dev/loop-control").exists():
        hint = (
            "'losetup --find' names the next device. In a container its node may be missing: start the container with "
            "--privileged -v /dev:/dev, or make nodes with: for n in $(seq 0 63); do "
            "test -e /dev/loop$n || mknod /dev/loop$n b 7 $n; done"
        )
    return f"{LOOP_DEVICES} free loop devices are needed and {free} are there ({message}); {hint}"
