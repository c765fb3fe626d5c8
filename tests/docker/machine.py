"""A machine on which mounting is simulated: what is on a device is a folder, which mounting puts in its place."""

from __future__ import annotations

import os
import threading
from pathlib import Path

from orlop.errors import CommandFailed
from orlop.testing.cluster import SimulatedCluster

LINE = "30 1 {device} / {at} rw - {kind} {source} rw\n"


class Machine:
    """The node `name` of a simulated cluster, whose satellite sees what is mounted."""

    def __init__(self, cluster: SimulatedCluster, name: str, folder: Path) -> None:
        self.name = name
        self.ran: list[tuple[str, ...]] = []
        self.busy: set[str] = set()  # mount points with an open file
        self.broken = False  # no file system can be mounted
        self.lingering = 0.0  # seconds that a container's own mounts outlast it
        self._disk = cluster.nodes[name].host.disk
        self._used = self._disk.used
        self._contents = folder
        self._mounted: dict[str, tuple[str, str]] = {}  # mount point -> device, kind
        self._sectors: dict[str, int] = {}

    def run(self, argv: tuple[str, ...]) -> str:
        self.ran.append(argv)
        match argv:
            case ("mount", "-t", kind, *_, "--", device, at):
                self._mount(argv, kind, device, at)
            case ("umount", "--", at):
                self._unmount(argv, at)
            case ("resize2fs" | "xfs_growfs", _):
                pass
            case _:
                raise CommandFailed(argv, 127, f"{argv[0]} is not installed")
        return ""

    def _mount(self, argv: tuple[str, ...], kind: str, device: str, at: str) -> None:
        if not self._disk.is_block_device(device):  # a secondary of DRBD 8.4, for one, cannot be opened
            raise CommandFailed(argv, 32, f"mount: {at}: cannot mount {device} read-only.")
        if self.broken:
            raise CommandFailed(argv, 32, f"mount: {at}: the file system on {device} is damaged")
        if any(device == used for used, _ in self._mounted.values()):
            raise CommandFailed(argv, 32, f"{device} is mounted already")
        content = self._content(device)
        content.mkdir(parents=True, exist_ok=True)
        os.rmdir(at)
        content.rename(at)
        self._mounted[at] = (device, kind)
        self._used[device] = (f"mounted at {at}",)

    def _unmount(self, argv: tuple[str, ...], at: str) -> None:
        if at in self.busy:
            raise CommandFailed(argv, 32, f"umount: {at}: target is busy.")
        device, _ = self._mounted.pop(at)
        Path(at).rename(self._content(device))
        os.mkdir(at)
        if self.lingering:
            threading.Timer(self.lingering, self._used.pop, (device, None)).start()
        else:
            self._used.pop(device, None)

    def opened_by_others(self, device: str) -> None:
        self._used[device] = ("held by a program",)

    def closed(self, device: str) -> None:
        self._used.pop(device, None)

    def _content(self, device: str) -> Path:
        return self._contents / device.replace("/", "_")

    def read(self, path: str) -> str | None:
        if path == "/proc/self/mountinfo":
            rows = self._mounted.items()
            return "".join(
                LINE.format(device=self._number(device), at=at, kind=kind, source=device) for at, (device, kind) in rows
            )
        number = path.removeprefix("/sys/dev/block/").removesuffix("/size")
        return str(self._sectors.get(number, 1000)) if number != path else None

    @staticmethod
    def _number(device: str) -> str:
        return f"7:{''.join(digit for digit in device if digit.isdigit()) or '0'}"

    @property
    def mounts(self) -> set[str]:
        return set(self._mounted)
