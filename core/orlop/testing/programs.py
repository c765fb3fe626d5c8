"""The external programs of a simulated node: they answer as the recorded ones do (`tests/recorded`)."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from orlop.errors import CommandFailed
from orlop.testing import luks
from orlop.testing.disk import HOLDER, Disk

VERSION = "2.38.1"
LOOKING = {"--list", "--json", "--version", "--no-act", "-n"}
LOOKERS = {"blockdev", "lsblk", "dmsetup", "lvm", "getent", "xfs_repair", "fsck.ext4", "find", "udevadm"}
DRBD_LOOKING = {
    *("--version", "sh-nop", "events2", "show", "status", "xml-help", "role", "cstate", "dstate"),
    *("get-gi", "dump-md", "read-dev-uuid"),
}
Program = Callable[[Disk, tuple[str, ...]], str]
ReadsStdin = Callable[[Disk, tuple[str, ...], bytes], str]


def only_looks(argv: tuple[str, ...]) -> bool:
    if argv[0].startswith("drbd"):
        return bool(DRBD_LOOKING & set(argv))
    return argv[0] in LOOKERS or argv[1:2] in (("list",), ("luksDump",)) or bool(LOOKING & set(argv))


def nothing(disk: Disk, arguments: tuple[str, ...], stdin: bytes) -> None:
    """What is left of most programs that were cut."""


def losetup(disk: Disk, arguments: tuple[str, ...]) -> str:
    match arguments:
        case ("--version",):
            return f"losetup from util-linux {VERSION}\n"
        case ("--list", "--json", *_):
            return _json("loopdevices", [_loop(disk, device) for device in list(disk.loops)])
        case ("--find", "--show", "--nooverlap", path):
            return disk.attach(path) + "\n"
        case ("--detach", device):
            disk.detach(device)
        case ("--set-capacity", device):
            loop = disk.loop(device)
            loop.size = loop.file.size // 512 * 512
        case _:
            raise CommandFailed(("losetup", *arguments), 1, "not known to the simulated losetup")
    return ""


def _loop(disk: Disk, device: str) -> dict[str, Any]:
    loop = disk.loops[device]
    return {
        "name": device,
        "back-file": loop.path + (" (deleted)" if disk.is_deleted(loop) else ""),
        "back-ino": loop.file.inode,
        "back-maj:min": f"     {HOLDER}  ",
        "offset": 0,
        "sizelimit": 0,
        "ro": False,
        "autoclear": loop.autoclear,
    }


def wipefs(disk: Disk, arguments: tuple[str, ...]) -> str:
    if arguments == ("--version",):
        return f"wipefs from util-linux {VERSION}\n"
    devices = [argument for argument in arguments if not argument.startswith("--")]
    if "--all" in arguments:
        disk.content(devices[0]).signatures.clear()
        return ""
    found = [(device, kind) for device in devices for kind in _signatures(disk, device)]
    return _json("signatures", [_signature(disk, device, kind) for device, kind in found])


def _signatures(disk: Disk, device: str) -> list[str]:
    return disk.content(device).signatures if disk.is_block_device(device) else []


def _signature(disk: Disk, device: str, kind: str) -> dict[str, Any]:
    header = luks.header_of(disk.content(device)) if kind == luks.KIND else None
    names = {"uuid": header.uuid, "label": header.label} if header else {"uuid": None, "label": None}
    return {"device": os.path.basename(device), "offset": "0x0" if header else "0x438", "type": kind, **names}


def mkfs_ext4(disk: Disk, arguments: tuple[str, ...]) -> str:
    disk.format(arguments[-1], "ext4")
    return ""


def mkfs_xfs(disk: Disk, arguments: tuple[str, ...]) -> str:
    disk.format(arguments[-1], "xfs")
    return ""


def check_file_system(disk: Disk, arguments: tuple[str, ...]) -> str:
    disk.content(arguments[-1])
    return "clean\n"


def blkdiscard(disk: Disk, arguments: tuple[str, ...]) -> str:
    match arguments:
        case ("--zeroout", "--offset", start, "--length", length, device):
            blocks = disk.content(device).blocks
            for at in [at for at in blocks if int(start) <= at < int(start) + int(length)]:
                del blocks[at]
        case _:
            raise CommandFailed(("blkdiscard", *arguments), 1, "not known to the simulated blkdiscard")
    return ""


def mkdir(disk: Disk, arguments: tuple[str, ...]) -> str:
    disk.make_folder(arguments[-1])
    return ""


def lsblk(disk: Disk, arguments: tuple[str, ...]) -> str:
    loops = [_block_device(device, "loop", loop.size) for device, loop in list(disk.loops.items())]
    disks = [_block_device(device, "disk", file.size, file.signatures) for device, file in list(disk.disks.items())]
    return _json("blockdevices", loops + disks)


def _block_device(device: str, kind: str, size: int, signatures: Sequence[str] = ()) -> dict[str, Any]:
    empty = ("model", "serial", "wwn", "pttype", "pkname")
    known = {"path": device, "name": device[5:], "type": kind, "size": size, "rota": True}
    fstype = signatures[0] if signatures else None
    return {**known, **dict.fromkeys(empty), "fstype": fstype, "mountpoints": [None], "ro": False}


def getent(disk: Disk, arguments: tuple[str, ...]) -> str:
    known = {("passwd", "nobody"): "nobody:x:65534:65534:nobody:/:/bin/false", ("group", "disk"): "disk:x:6:"}
    if arguments not in known:
        raise CommandFailed(("getent", *arguments), 2, "")
    return known[arguments[0], arguments[1]] + "\n"


def _json(key: str, rows: list[dict[str, Any]]) -> str:
    return msgspec.json.format(msgspec.json.encode({key: rows}), indent=3).decode() + "\n"


UTIL_LINUX: Mapping[str, Program] = {
    "losetup": losetup,
    "wipefs": wipefs,
    "lsblk": lsblk,
    "mkfs.ext4": mkfs_ext4,
    "mkfs.xfs": mkfs_xfs,
    "fsck.ext4": check_file_system,
    "xfs_repair": check_file_system,
    "mkdir": mkdir,
    "blkdiscard": blkdiscard,
    "getent": getent,
    "dmsetup": luks.dmsetup,
}
WITH_STDIN: Mapping[str, ReadsStdin] = {"cryptsetup": luks.cryptsetup}
# What a program leaves when power is lost while it runs; of the others nothing.
HALF_DONE: Mapping[str, Callable[[Disk, tuple[str, ...], bytes], None]] = {"cryptsetup": luks.half_formatted}
