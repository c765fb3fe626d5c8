"""What a node's pool is made of, as its administrator, its users and passers-by see it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from orlop.testing import SimulatedHost
from orlop.testing.cluster import POOL
from orlop.testing.disk import SimulatedFile
from orlop.testing.lvm import SimulatedGroup, SimulatedVolume
from orlop.testing.zfs_room import Dataset, Room

GROUP = "vg0"
ROOM = 100 << 30


class Thing(NamedTuple):
    """Something in a pool. `uuid` is what its mark says."""

    name: str
    uuid: str
    content: SimulatedFile
    size: int


class Files:
    """Sparse files in a folder."""

    provider, place = "FILE_THIN", POOL

    def prepare(self, host: SimulatedHost) -> None:
        return

    def things(self, host: SimulatedHost) -> list[Thing]:
        files = host.disk.folders[POOL].items()
        return [
            Thing(name, file.attributes.get("orlop.uuid", ""), file, file.size)
            for name, file in files
            if name != ".orlop-pool"
        ]

    def opened(self, host: SimulatedHost) -> Iterator[tuple[str, str]]:
        """Device and uuid of what is open."""
        for device, loop in list(host.disk.loops.items()):
            yield device, loop.file.attributes.get("orlop.uuid", "")

    def put(self, host: SimulatedHost, name: str) -> bool:
        """Somebody else's."""
        path = f"{POOL}/{name}"
        if host.disk.find(path) is not None or host.disk.free <= 4096:
            return False
        host.disk.put(path, host.disk.new_file(4096, 4096))
        return True

    def drop(self, host: SimulatedHost, name: str, device: str | None = None) -> None:
        if device is not None:
            host.disk.detach(device)
        host.disk.drop(f"{POOL}/{name}")

    def fill(self, host: SimulatedHost, full: bool) -> None:
        host.disk.total = host.disk.total - host.disk.free if full else ROOM

    def can_write(self, host: SimulatedHost) -> bool:
        return host.disk.free >= 4096

    def left_over(self, host: SimulatedHost) -> list[str]:
        """What belongs to no volume any more."""
        return []


class LogicalVolumes(Files):
    """A volume group on one disk, with a thin pool in it."""

    provider, place = "LVM", GROUP

    def prepare(self, host: SimulatedHost) -> None:
        host.disk.add_disk("/dev/vdb", ROOM)
        host.run(("vgcreate", GROUP, "/dev/vdb"))
        host.run(("lvcreate", "--type", "thin-pool", "--extents", "5000", "--name", "thin", GROUP))

    def group(self, host: SimulatedHost) -> SimulatedGroup:
        return host.lvm.groups[GROUP]

    def things(self, host: SimulatedHost) -> list[Thing]:
        volumes = self.group(host).volumes.values()
        return [
            Thing(v.name, _uuid(v), v.content, v.size) for v in volumes if not v.is_thin_pool and v.name != "filler"
        ]

    def opened(self, host: SimulatedHost) -> Iterator[tuple[str, str]]:
        for volume in list(self.group(host).volumes.values()):
            path = host.lvm.path(self.group(host), volume)
            if path in host.disk.opened and not volume.is_thin_pool and not volume.name.startswith("."):
                yield path, _uuid(volume)

    def put(self, host: SimulatedHost, name: str) -> bool:
        group = self.group(host)
        if name in group.volumes or not group.free:
            return False
        by_hand(host, *self._make(name))
        return True

    def _make(self, name: str) -> tuple[str, ...]:
        return ("lvcreate", "--extents", "1", "--name", name, GROUP)

    def drop(self, host: SimulatedHost, name: str, device: str | None = None) -> None:
        by_hand(host, "lvremove", f"{GROUP}/{name}")

    def fill(self, host: SimulatedHost, full: bool) -> None:
        group = self.group(host)
        if full and "filler" not in group.volumes and group.free:
            make = ("lvcreate", "--extents", str(group.free), "--name", "filler", GROUP)
            by_hand(host, *make)
        if not full and "filler" in group.volumes:
            self.drop(host, "filler")

    def can_write(self, host: SimulatedHost) -> bool:
        return True

    def left_over(self, host: SimulatedHost) -> list[str]:
        group = self.group(host)
        return [
            volume.name
            for volume in group.volumes.values()
            if (volume.is_thin_pool and volume.name != "thin" and not group.inside(volume.name))
            or ("+" in volume.name and not volume.is_thin_pool and not group.snapshots_of(volume.name))
        ]


class ThinVolumes(LogicalVolumes):
    provider, place = "LVM_THIN", f"{GROUP}/thin"

    def _make(self, name: str) -> tuple[str, ...]:
        size = ("--type", "thin", "--virtualsize", "4194304b", "--thinpool", f"{GROUP}/thin")
        return ("lvcreate", *size, "--name", name)

    def fill(self, host: SimulatedHost, full: bool) -> None:
        self.group(host).volumes["thin"].data = 1.0 if full else 0.0


class OwnThinPools(LogicalVolumes):
    provider, place = "LVM_THIN_POOL", GROUP


class Zvols(Files):
    """Volumes in a dataset of a zpool."""

    provider, place = "ZFS", "tank/orlop"

    def prepare(self, host: SimulatedHost) -> None:
        host.zfs.make("tank", ROOM)
        host.zfs.make(self.place)

    def _below(self, host: SimulatedHost) -> list[tuple[str, Dataset]]:
        start = f"{self.place}/"
        return [(path.removeprefix(start), seen) for path, seen in host.zfs.datasets.items() if path.startswith(start)]

    def things(self, host: SimulatedHost) -> list[Thing]:
        """But for what has only to stay as long as something depends on it."""
        named = [(name.replace("@", "."), seen) for name, seen in self._below(host)]
        return [Thing(name, _owner(seen), seen.file, seen.file.size) for name, seen in named if ".deleted." not in name]

    def opened(self, host: SimulatedHost) -> Iterator[tuple[str, str]]:
        for device, file in list(host.disk.opened.items()):
            if device.startswith(f"/dev/zvol/{self.place}/"):
                yield device, file.attributes.get("orlop.uuid", "")

    def put(self, host: SimulatedHost, name: str) -> bool:
        if f"{self.place}/{name}" in host.zfs.datasets or not self.can_write(host):
            return False
        by_hand(host, "zfs", "create", "-s", "-V", "8192", f"{self.place}/{name}")
        return True

    def drop(self, host: SimulatedHost, name: str, device: str | None = None) -> None:
        """Moved away, for something may depend on it."""
        by_hand(host, "zfs", "set", "volmode=none", f"{self.place}/{name}")
        by_hand(host, "zfs", "rename", f"{self.place}/{name}", f"tank/away-{host.zfs.changes}-{name}")
        by_hand(host, "udevadm", "settle")

    def fill(self, host: SimulatedHost, full: bool) -> None:
        zpool = host.zfs.zpools["tank"]
        zpool.size = Room(host.zfs.zpools, host.zfs.datasets).taken("tank") if full else ROOM

    def can_write(self, host: SimulatedHost) -> bool:
        return Room(host.zfs.zpools, host.zfs.datasets).free("tank") >= 8192

    def left_over(self, host: SimulatedHost) -> list[str]:
        room = Room(host.zfs.zpools, host.zfs.datasets)
        needed = {*room.snapshots, *room.clones}
        gone = [name for name, _ in self._below(host) if ".deleted." in name and f"{self.place}/{name}" not in needed]
        return [name for name in gone if "@" not in name or "@deleted." in name]


class SparseZvols(Zvols):
    provider = "ZFS_THIN"


def by_hand(host: SimulatedHost, program: str, *arguments: str) -> None:
    """Without the faults that the node is to suffer."""
    {**host.lvm.tools(), **host.zfs.programs()}[program](host.disk, arguments)


def _owner(seen: Dataset) -> str:
    mark = seen.props.get("orlop:volume" if seen.kind == "volume" else "orlop:snapshot", "")
    return (mark.split("/") + [""])[1] if mark else ""


def _uuid(volume: SimulatedVolume) -> str:
    return next((tag.removeprefix("orlop.uuid=") for tag in volume.tags if tag.startswith("orlop.uuid=")), "")


BACKENDS = (Files(), LogicalVolumes(), ThinVolumes(), OwnThinPools(), Zvols(), SparseZvols())
