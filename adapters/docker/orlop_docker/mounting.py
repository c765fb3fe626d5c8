"""Mount volumes on this machine. Programs are started by `orlop.host`, with words and never with a shell."""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path
from typing import Protocol

from orlop.errors import CannotRead, CommandFailed, InUse, NodeError
from orlop_docker import mount_table
from orlop_docker.mount_table import Mounted
from orlop_docker.options import VolumeOptions

DATA = "data"  # only inside a file system: where nothing is mounted, there is nothing to write to
_DRAFT = ".data.new"
_DEVICE = re.compile(r"/dev/[A-Za-z0-9_.+/-]+")
_GROW = {"ext4": "resize2fs", "xfs": "xfs_growfs"}


class Programs(Protocol):
    """The part of `orlop.host.Host` that is needed."""

    def run(self, argv: tuple[str, ...]) -> str: ...

    def read(self, path: str) -> str | None: ...


class Mounting:
    """Volumes lie in folders below `root`, named as their resources."""

    def __init__(self, programs: Programs, root: str) -> None:
        self._programs = programs
        self._folder = Path(root) / "volumes"

    def point(self, resource: str) -> Path:
        return self._folder / resource

    def data(self, resource: str) -> str:
        """What a container gets."""
        return str(self.point(resource) / DATA)

    def table(self) -> dict[str, Mounted]:
        """Mounted volumes by their resources; raises `CannotRead`."""
        text = self._programs.read(mount_table.TABLE)
        if text is None:
            raise CannotRead(f"{mount_table.TABLE} is missing")
        found = mount_table.parse(text)
        return {os.path.basename(at): each for at, each in found.items() if os.path.dirname(at) == str(self._folder)}

    def mounted(self, resource: str) -> Mounted | None:
        return self.table().get(resource)

    def mount(self, resource: str, device: str, kind: str, settings: VolumeOptions) -> None:
        """Raises `CommandFailed`, and then nothing is mounted."""
        if not _DEVICE.fullmatch(device) or ".." in device.split("/"):
            raise NodeError(f"{device!r} is not the path of a device")
        point = self._prepared(resource)
        # A clone of xfs has the uuid of its source until it gets another one; both may be mounted here.
        wanted = [*settings.mount_options]
        if kind == "xfs" and "nouuid" not in wanted:
            wanted.append("nouuid")
        words = ("-o", ",".join(wanted)) if wanted else ()
        self._programs.run(("mount", "-t", kind, *words, "--", device, str(point)))
        try:
            self._make_data(point, settings)
        except BaseException:
            self._programs.run(("umount", "--", str(point)))
            raise

    def _prepared(self, resource: str) -> Path:
        """A folder that nobody can enter while nothing is mounted on it; root could, but there is no `data` in it."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        point = self.point(resource)
        point.mkdir(mode=0o000, exist_ok=True)
        return point

    def _make_data(self, point: Path, settings: VolumeOptions) -> None:
        """Complete or not at all; afterwards owner and mode are the container's own affair."""
        if (point / DATA).is_dir():
            return
        draft = point / _DRAFT
        try:
            draft.mkdir(exist_ok=True)
            os.chown(draft, settings.uid, settings.gid)
            draft.chmod(settings.mode)
            draft.rename(point / DATA)
        except OSError as error:
            raise NodeError(
                f"no folder '{DATA}' could be made in the volume: {error.strerror}",
                correction="Mount it writable once.",
            ) from error

    def grow(self, resource: str) -> None:
        """Makes the file system of a mounted volume as large as its device; does nothing where it is."""
        found = self.mounted(resource)
        if found is None or found.kind not in _GROW:
            return
        target = str(self.point(resource)) if found.kind == "xfs" else device_of(found)
        self._programs.run((_GROW[found.kind], target))

    def unmount(self, resource: str) -> None:
        """Raises `InUse` when something here still uses it; it is no error when it is not mounted."""
        point = str(self.point(resource))
        while self.mounted(resource) is not None:  # it may be mounted over itself
            try:
                self._programs.run(("umount", "--", point))
            except CommandFailed as error:
                if "busy" in error.stderr:
                    raise InUse(point, ["a program of this machine has files in it"]) from error
                raise
        with contextlib.suppress(OSError):  # it may be gone, or hold what somebody put there: neither is ours
            os.rmdir(point)

    def sizes(self) -> dict[str, int]:
        """Sectors of the devices of all mounted volumes, by their resources."""
        found = {}
        for resource, mounted in self.table().items():
            text = self._programs.read(f"/sys/dev/block/{mounted.device}/size")
            if text is not None:
                found[resource] = int(text)
        return found


def device_of(mounted: Mounted) -> str:
    """Path of the block device that the kernel has there; raises `CannotRead`."""
    try:
        name = os.path.basename(os.readlink(f"/sys/dev/block/{mounted.device}"))
    except OSError as error:
        raise CannotRead(f"the device {mounted.device} mounted at {mounted.at} cannot be looked at") from error
    return "/dev/" + name.replace("!", "/")
