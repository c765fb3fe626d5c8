"""The machine this process runs on."""

import os
from collections.abc import Mapping

from orlop.errors import CannotRead
from orlop.host import announcements, commands, copies, files, kernel, mounts, usage
from orlop.host.contract import Copying
from orlop.model import Capacity
from orlop.plugin import (
    CopyDevice,
    CreateFile,
    FileFacts,
    KernelStep,
    LongCopy,
    RenameFile,
    ResizeFile,
    SetAttributes,
    WriteFile,
)


class LocalHost:
    def __init__(self, time_out: float = commands.TIME_OUT, kernel_root: str = kernel.ROOT) -> None:
        self._commands = commands.Commands(time_out)
        self._folders = files.Folders()
        self._mounts = mounts.Mounts()
        self._kernel = kernel.Kernel(kernel_root)
        self._announcements = announcements.Announcements()
        self._sharing: dict[tuple[int, int], bool] = {}  # file system -> whether its files can share blocks

    def run(self, argv: tuple[str, ...], stdin: bytes = b"") -> str:
        return self._commands.run(argv, stdin)

    def detach(self, argv: tuple[str, ...]) -> None:
        commands.detach(argv)

    def programs(self, names: tuple[str, ...]) -> Mapping[str, str | None]:
        return commands.programs(names)

    def files(self, directory: str) -> Mapping[str, FileFacts] | None:
        return self._folders.facts(directory)

    def read(self, path: str) -> str | None:
        return files.read(path)

    def texts(self, *patterns: str) -> Mapping[str, str]:
        return kernel.texts(patterns)

    def space(self, directory: str) -> Capacity:
        try:
            status = os.statvfs(directory)
        except OSError as error:
            raise CannotRead(f"{directory} cannot be looked at: {error.strerror}") from error
        return Capacity(total=status.f_blocks * status.f_frsize, free=status.f_bavail * status.f_frsize)

    def reflink(self, directory: str) -> bool:
        try:
            # Another file system on the same disk has another id, but for a few kinds (xfs), see `mounts_changed`.
            system = (os.stat(directory).st_dev, os.statvfs(directory).f_fsid)
        except OSError as error:
            raise CannotRead(f"{directory} cannot be looked at: {error.strerror}") from error
        if system not in self._sharing:
            self._sharing[system] = copies.can_share(directory)
        return self._sharing[system]

    def users(self) -> Mapping[str, tuple[str, ...]]:
        return usage.users()

    def write(self, step: WriteFile) -> None:
        files.write(step)

    def create(self, step: CreateFile) -> None:
        files.create(step)

    def resize(self, step: ResizeFile) -> None:
        files.resize(step)

    def rename(self, step: RenameFile) -> None:
        files.rename(step)

    def set_attributes(self, step: SetAttributes) -> None:
        files.set_attributes(step)

    def copy(self, step: LongCopy, copying: Copying) -> None:
        copies.copy(step, copying)

    def copy_device(self, step: CopyDevice, copying: Copying) -> None:
        copies.copy_device(step, copying)

    def remove(self, path: str) -> None:
        files.remove(path)

    def change_kernel(self, step: KernelStep) -> None:
        self._kernel.change(step)

    def require_unused(self, device: str) -> None:
        usage.require_unused(device)

    def mounts_changed(self, wait: float) -> bool:
        changed = self._mounts.changed(wait)
        if changed:
            self._sharing.clear()
        return changed

    def heard(self, argv: tuple[str, ...], wait: float) -> bool:
        return self._announcements.heard(argv, wait)

    def close(self) -> None:
        self._announcements.close()

    def restrictions(self, programs: tuple[str, ...]) -> tuple[str, ...]:
        if not programs:
            return ()
        found = [f"{name} is not installed" for name, path in self.programs(programs).items() if path is None]
        if os.geteuid() != 0:
            found.append("the satellite does not run as root")
        if "losetup" in programs and not os.path.exists("/dev/loop-control"):
            found.append("the kernel offers no loop devices: /dev/loop-control is missing")
        if "zfs" in programs and not os.path.exists("/dev/zfs"):
            found.append("the kernel module zfs is not loaded: modprobe zfs")
        return tuple(found)

    def name(self) -> str:
        return os.uname().nodename

    def variant(self) -> str:
        release = files.read("/etc/os-release") or ""
        named = dict(line.split("=", 1) for line in release.splitlines() if "=" in line)
        return f"{named.get('PRETTY_NAME', 'Linux').strip(chr(34))}, kernel {os.uname().release}"
