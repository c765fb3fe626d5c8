"""What pools can lie on in a node, one row each: tests of contracts and of the product run over all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from tests.lab.node import Node

POOL = "StorDriver/StorPoolName"
SETTLE = "{ udevadm settle || { sleep 1; udevadm settle; }; }"  # a slow udevd may drop the first one that asks


class Backing(NamedTuple):
    """`make` is shell in which {disk} is an empty disk; `remove` undoes it, whatever state it is in."""

    name: str
    kind: str
    make: str
    props: Mapping[str, str]
    remove: str


def _folder(name: str, kind: str, mkfs: str) -> Backing:
    """A pool in a folder of a file system, which is mounted again after every start."""
    make = f"""
        {mkfs} -L {name} {{disk}}
        mkdir -p /mnt/{name}
        echo 'LABEL={name} /mnt/{name} auto noatime 0 0' > /etc/fstab
        sync /etc/fstab
        udevadm settle
        mount /mnt/{name}
    """
    return Backing(name, kind, make, {POOL: f"/mnt/{name}/pool"}, f"umount /mnt/{name}; : > /etc/fstab")


ZFS = "modprobe zfs; zpool create -m none tank {disk}; zfs create -o mountpoint=none tank/orlop"
NO_ZFS = "zpool destroy -f tank"
LVM = "vgcreate -q vg0 {disk}"
NO_LVM = "vgremove -q --force --force --yes vg0; pvremove -q --force --force --yes {disk}"

BACKINGS = (
    _folder("file-ext4", "FILE", "mkfs.ext4 -q"),
    _folder("file-xfs", "FILE", "mkfs.xfs -q -m reflink=1"),
    _folder("file-btrfs", "FILE", "mkfs.btrfs -q"),
    _folder("thin-xfs", "FILE_THIN", "mkfs.xfs -q -m reflink=1"),
    _folder("thin-ext4", "FILE_THIN", "mkfs.ext4 -q"),
    _folder("thin-btrfs", "FILE_THIN", "mkfs.btrfs -q"),
    Backing("zfs", "ZFS", ZFS, {POOL: "tank/orlop"}, NO_ZFS),
    Backing("zfs-thin", "ZFS_THIN", ZFS, {POOL: "tank/orlop"}, NO_ZFS),
    Backing("lvm", "LVM", LVM, {POOL: "vg0"}, NO_LVM),
    Backing("lvm-thin", "LVM_THIN", f"{LVM}; lvcreate -q -T -l 90%FREE vg0/thin", {POOL: "vg0/thin"}, NO_LVM),
    Backing("lvm-thin-pool", "LVM_THIN_POOL", LVM, {POOL: "vg0"}, NO_LVM),
)


# The first of each kind, for what takes long.
KINDS = tuple({backing.kind: backing for backing in reversed(BACKINGS)}.values())


def make(node: Node, backing: Backing) -> None:
    """On the node's first disk, of which nothing is left."""
    node.shell(backing.make.format(disk=wiped(node)))


def remove(node: Node, backing: Backing) -> None:
    node.attempt("sh", "-c", backing.remove.format(disk=node.disks[0].path))
    wiped(node)


def wiped(node: Node, number: int = 0) -> str:
    """Path of one of the node's disks, as if it was new."""
    path = node.disks[number].path
    node.shell(f"{SETTLE}; wipefs --all --force {path} >/dev/null; blkdiscard --force {path}; {SETTLE}")
    return path
