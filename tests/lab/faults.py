"""What can go wrong with disks and pools of a node."""

from __future__ import annotations

from tests.lab.node import Node


class FlakyDisk:
    """A device over another one that works until it is told otherwise. A loss of power leaves the plain disk."""

    def __init__(self, node: Node, device: str, name: str = "flaky") -> None:
        self.node, self.device, self.name = node, device, name
        self.path = f"/dev/mapper/{name}"
        self._sectors = int(node.run("blockdev", "--getsz", device))
        node.run("dmsetup", "create", name, "--table", self._table("linear", f"{device} 0"))
        node.run("udevadm", "settle")

    def fail(self) -> None:
        """Every read and write ends with an error."""
        self._switch(self._table("error"))

    def fail_writes(self) -> None:
        self._switch(self._table("flakey", f"{self.device} 0 0 1 1 error_writes"))

    def drop_writes(self) -> None:
        """What is written is confirmed and lost."""
        self._switch(self._table("flakey", f"{self.device} 0 0 1 1 drop_writes"))

    def heal(self) -> None:
        self._switch(self._table("linear", f"{self.device} 0"))

    def remove(self) -> None:
        self.node.run("dmsetup", "remove", "--retry", self.name)

    def _table(self, target: str, arguments: str = "") -> str:
        return f"0 {self._sectors} {target} {arguments}".rstrip()

    def _switch(self, table: str) -> None:
        self.node.shell(
            f"dmsetup suspend --nolockfs --noflush {self.name}; dmsetup load {self.name} --table '{table}'; "
            f"dmsetup resume {self.name}"
        )


def fill_folder(node: Node, folder: str, left: int = 0) -> str:
    """Path of a file that takes all space of a file system but for so many bytes; remove it to have room again."""
    path = f"{folder}/.lab-filler"
    free = int(node.run("df", "--output=avail", "-B1", folder).splitlines()[1])
    node.run("fallocate", "--length", str(free - left), path)
    return path


def fill_volume_group(node: Node, group: str) -> str:
    """Name of a logical volume that takes all extents that were free."""
    node.run("lvcreate", "--yes", "--extents", "100%FREE", "--name", "lab-filler", group)
    return f"{group}/lab-filler"


def fill_thin_pool(node: Node, pool: str, percent: int = 100) -> str:
    """Write to a thin volume until the pool GROUP/NAME is full to that part; name of the volume."""
    group = pool.partition("/")[0]
    shown = node.run("lvs", "--noheadings", "--units", "b", "--nosuffix", "-o", "lv_size,data_percent", pool).split()
    size, used = int(shown[0]), float(shown[1])
    wanted = int(size * (percent - used) / 100) >> 16 << 16
    node.run("lvcreate", "--yes", "--virtualsize", f"{size}b", "--thinpool", pool, "--name", "lab-thin-filler")
    node.attempt(
        *("dd", "if=/dev/zero", f"of=/dev/{group}/lab-thin-filler", "bs=64K", f"count={wanted >> 16}"),
        *("oflag=direct", "status=none"),
        seconds=600,
    )
    return f"{group}/lab-thin-filler"


def fill_zpool(node: Node, pool: str, left: int = 1 << 20) -> str:
    """Name of a dataset whose reservation takes all space of a pool but for so many bytes; it needs some itself."""
    free = int(node.run("zfs", "list", "-Hp", "-o", "available", pool))
    node.run("zfs", "create", "-o", "canmount=off", "-o", f"refreservation={free - left}", f"{pool}/lab-filler")
    return f"{pool}/lab-filler"
