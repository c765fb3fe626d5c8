"""Who uses a block device. What is missed here may be detached under somebody's feet, so look everywhere."""

import errno
import os
import re
import stat
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from orlop.errors import CannotRead, InUse
from orlop.host import zvols

PROC = Path("/proc")
BLOCK = Path("/sys/block")
GLANCE = 3.0  # seconds
NO_DEVICE = ("socket:", "pipe:", "anon_inode:")


def users() -> dict[str, tuple[str, ...]]:
    """Device -> what uses it: mounts of every mount namespace, holders, swap, loop devices on top."""
    found: dict[str, set[str]] = {}
    for device, user in (*_mounts(), *_holders(), *_swaps(), *_loops()):
        found.setdefault(device, set()).add(user)
        if whole := _whole(device):
            found.setdefault(whole, set()).add(user)
    found |= {name: found[device] for name, device in zvols.names() if device in found}
    for device in [device for device in found if device.startswith("/dev/dm-")]:
        for alias in _aliases(device):
            found.setdefault(alias, set()).update(found[device])
    return {device: tuple(sorted(by)) for device, by in found.items()}


def require_unused(device: str) -> None:
    """Raises `InUse`. Whoever merely glances at the device (udev, blkid, losetup) is waited for."""
    if os.path.isfile(device):
        _require_unopened(device)
        return
    until = time.monotonic() + GLANCE
    while True:
        known = users()
        lasting = known.get(device) or known.get(os.path.realpath(device), ())
        by = [*lasting, *_descriptors(device)]
        if not by and _held(device):
            by = ["a part of the kernel"]
        if not by:
            return
        if lasting or time.monotonic() > until:
            raise InUse(device, by)
        time.sleep(0.05)


def _require_unopened(path: str) -> None:
    """A file that is no device: a process may have it open as it is, a machine's disk for example."""
    found = os.stat(path)
    by = [f"open in process {p.name}" for p in _processes() if (found.st_dev, found.st_ino) in _files_open_in(p)]
    by += ["used as swap" for line in (PROC / "swaps").read_text().splitlines()[1:] if _plain(line.split()[0]) == path]
    if by:
        raise InUse(path, by)


def _files_open_in(process: Path) -> Iterator[tuple[int, int]]:
    return ((status.st_dev, status.st_ino) for status in _opened(process) if stat.S_ISREG(status.st_mode))


def _processes() -> Iterator[Path]:
    return (path for path in PROC.iterdir() if path.name.isdigit())


def _mounts() -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for process in _processes():
        try:
            namespace = os.readlink(process / "ns/mnt")
            if namespace in seen:
                continue
            lines = (process / "mountinfo").read_text(errors="replace").splitlines()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        except OSError as error:
            if error.errno == errno.EINVAL:  # a process about to end has no namespace any more
                continue
            raise CannotRead(f"the mounts of process {process.name} cannot be read: {error.strerror}") from error
        seen.add(namespace)
        yield from _mounted(lines)


def _mounted(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """`36 35 98:0 /root /at options - ext4 /dev/sda1 ...`, proc(5)."""
    for line in lines:
        fields = line.split(" ")
        source = fields[fields.index("-") + 2]
        at = f"mounted at {_plain(fields[4])}"
        for device in {_device(fields[2]), _plain(source) if source.startswith("/dev/") else ""} - {""}:
            yield device, at


def _plain(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), text)


def _device(numbers: str) -> str:
    """Path of a block device by its "major:minor"; empty for a file system without one."""
    try:
        return "/dev/" + os.path.basename(os.readlink(f"/sys/dev/block/{numbers}")).replace("!", "/")
    except OSError:
        return ""


def _whole(device: str) -> str:
    """The disk a partition belongs to; empty for anything else."""
    name = device.removeprefix("/dev/").replace("/", "!")
    at = Path("/sys/class/block") / name
    return f"/dev/{at.resolve().parent.name.replace('!', '/')}" if (at / "partition").exists() else ""


def _aliases(device: str) -> Iterator[str]:
    """The other names of a device of device-mapper: `/dev/mapper/<name>`, and `/dev/<group>/<volume>` for LVM's."""
    at = BLOCK / device.removeprefix("/dev/") / "dm"
    try:
        name, uuid = ((at / file).read_text().strip() for file in ("name", "uuid"))
    except OSError:
        return  # gone meanwhile
    yield f"/dev/mapper/{name}"
    if uuid.startswith("LVM-"):
        yield _lvm_path(name)


def _lvm_path(name: str) -> str:
    """
    >>> _lvm_path("my--group-web_00000.a--b")
    '/dev/my-group/web_00000.a-b'
    """
    group, _, volume = name.replace("--", "\0").partition("-")
    return f"/dev/{group}/{volume}".replace("\0", "-")


def _holders() -> Iterator[tuple[str, str]]:
    for folder in (*BLOCK.glob("*/holders"), *BLOCK.glob("*/*/holders")):
        device = "/dev/" + folder.parent.name.replace("!", "/")
        for holder in _names(folder):
            yield device, f"held by {holder}"


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _swaps() -> Iterator[tuple[str, str]]:
    for line in (PROC / "swaps").read_text().splitlines()[1:]:
        yield _plain(line.split()[0]), "used as swap"


def _loops() -> Iterator[tuple[str, str]]:
    for backing in BLOCK.glob("loop*/loop/backing_file"):
        try:
            path = backing.read_text().strip()
        except OSError:
            continue  # detached meanwhile
        if path.startswith("/dev/"):
            yield path, f"held by {backing.parent.parent.name}"


def _descriptors(device: str) -> list[str]:
    number = _number(device)
    return [f"open in process {process.name}" for process in _processes() if number in _open_in(process)]


def _number(device: str) -> int:
    try:
        status = os.stat(device)
    except OSError as error:
        raise CannotRead(f"{device} cannot be looked at: {error.strerror}") from error
    if not stat.S_ISBLK(status.st_mode):
        raise CannotRead(f"{device} is not a block device")
    return status.st_rdev


def _open_in(process: Path) -> Iterator[int]:
    """Numbers of the block devices a process has open."""
    return (status.st_rdev for status in _opened(process) if stat.S_ISBLK(status.st_mode))


def _opened(process: Path) -> Iterator[os.stat_result]:
    folder = process / "fd"
    try:
        descriptors = os.listdir(folder)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return
    for descriptor in descriptors:
        try:
            if os.readlink(folder / descriptor).startswith(NO_DEVICE):
                continue
            yield os.stat(folder / descriptor)
        except OSError:
            continue  # closed meanwhile


def _held(device: str) -> bool:
    """Whether somebody, perhaps in the kernel, opened the device for himself alone."""
    try:
        os.close(os.open(device, os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC))
    except OSError as error:
        if error.errno == errno.EBUSY:
            return True
        if error.errno == errno.ENXIO:  # nothing is attached to it
            return False
        raise CannotRead(f"{device} cannot be opened: {error.strerror}") from error
    return False
