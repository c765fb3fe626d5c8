"""The file system of the demo: one that this machine lets grow while it is mounted."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

CAP_SYS_RESOURCE = 24  # the kernel asks for it when ext4 is to grow; some containers and sandboxes lack it


class FileSystem(NamedTuple):
    """Commands with {device} and {folder}; sizes as a user types them."""

    make: str
    grow: str
    size: str
    grown: str
    mount_copy: str  # options for a second one with the same identity
    packages: Mapping[str, str]  # program -> Debian package


EXT4 = FileSystem(
    make="mkfs.ext4 -q {device}",
    grow="resize2fs {device}",
    size="64M",
    grown="128M",
    mount_copy="",
    packages={"mkfs.ext4": "e2fsprogs", "resize2fs": "e2fsprogs"},
)
XFS = FileSystem(
    make="mkfs.xfs -q {device}",
    grow="xfs_growfs {folder}",
    size="320M",  # the smallest is 300 MiB
    grown="400M",
    mount_copy="-o nouuid ",
    packages={"mkfs.xfs": "xfsprogs", "xfs_growfs": "xfsprogs"},
)


def growing() -> FileSystem:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return EXT4 if int(line.split()[1], 16) >> CAP_SYS_RESOURCE & 1 else XFS
    return EXT4
