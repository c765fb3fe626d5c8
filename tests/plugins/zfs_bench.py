"""A simulated node with a zpool, and the ZFS drivers at work on it."""

from typing import Any
from uuid import uuid4

import msgspec

from orlop.model import MIB, WantedLevel, WantedPool, WantedSnapshot, WantedVolume
from orlop.testing import SimulatedHost
from orlop.testing.contracts import Workbench
from orlop.testing.disk import BLOCK
from orlop.testing.zfs_room import Room
from orlop_storage.zfs import Zfs
from orlop_storage.zfs_thin import ZfsThin

CLUSTER = "cluster-uuid"
replace = msgspec.structs.replace


def pool(driver: type[Zfs] = ZfsThin, dataset: str = "tank/orlop", **more: Any) -> WantedPool:
    props = {"StorDriver/StorPoolName": dataset}
    known = {"name": "pool", "uuid": "pool-uuid", "provider": driver.kind, "props": props, "new": True}
    return WantedPool(**{**known, **more})


def host(size: int = 100 << 30) -> SimulatedHost:
    made = SimulatedHost()
    made.zfs.make("tank", size)
    made.zfs.make("tank/orlop")
    return made


class ZfsBench(Workbench):
    def __init__(self, driver: type[Zfs] = ZfsThin, size: int = 100 << 30, **more: Any) -> None:
        self.node = host(size)
        super().__init__(driver, self.node, pool(driver, **more), CLUSTER)
        self.until_done(lambda seen: seen.mark_pool(self.pool))
        self.pool = replace(self.pool, new=False)

    def make(self, name: str = "res", size: int = 16 * MIB, content: bytes = b"", **options: str) -> WantedVolume:
        level = WantedLevel(layer="STORAGE", size=size, options={f"StorDriver/{k}": v for k, v in options.items()})
        volume = WantedVolume(resource=name, number=0, uuid=f"{name}-{uuid4()}", pool="pool", levels=(level,), new=True)
        self.up(volume)
        if content:
            self.write(volume, content)
        return replace(volume, new=False)

    def take(self, volume: WantedVolume, name: str) -> WantedSnapshot:
        snapshot = WantedSnapshot(
            resource=volume.resource,
            snapshot=name,
            number=0,
            uuid=f"{name}-{uuid4()}",
            volume=volume.uuid,
            pool="pool",
            size=volume.size,
            new=True,
            options=volume.levels[-1].options,
        )
        self.until_done(lambda seen: seen.take_snapshot(snapshot))
        return replace(snapshot, new=False)

    def restored(self, snapshot: WantedSnapshot, name: str = "copy") -> WantedVolume:
        volume = replace(
            self.volume(name, snapshot.size), source=snapshot.uuid, source_name=snapshot.name, uuid=f"{name}-{uuid4()}"
        )
        self.up(volume)
        return replace(volume, new=False, source=None)

    def rolled_back(self, volume: WantedVolume, snapshot: WantedSnapshot) -> WantedVolume:
        """The order; nothing is done yet."""
        known = {"source": snapshot.uuid, "source_name": snapshot.name, "replaces": volume.uuid}
        return replace(volume, uuid=f"back-{uuid4()}", new=True, **known)

    def roll_back(self, volume: WantedVolume, snapshot: WantedSnapshot) -> WantedVolume:
        back = self.rolled_back(volume, snapshot)
        self.up(back)
        return self.finished(back)

    @staticmethod
    def finished(order: WantedVolume) -> WantedVolume:
        return replace(order, new=False, source=None, source_name="", replaces=None)

    def remove(self, wanted: WantedVolume | WantedSnapshot) -> None:
        if isinstance(wanted, WantedVolume):
            self.down(replace(wanted, wanted=False))
        else:
            self.until_done(lambda seen: seen.remove_snapshot(replace(wanted, wanted=False)))

    def tidy(self) -> None:
        self.act(self.seen().remnants("pool"))

    def seen(self) -> Zfs:
        seen = self.look()
        assert isinstance(seen, Zfs)
        return seen

    def write(self, volume: WantedVolume, content: bytes) -> None:
        self.node.disk.write(self.look().device(volume) or "", 0, content.ljust(BLOCK, b"."))

    def fill(self, volume: WantedVolume, size: int) -> None:
        """With blocks that differ from each other."""
        data = b"".join(str(n).encode().ljust(BLOCK, b".") for n in range(size // BLOCK))
        self.node.disk.write(self.look().device(volume) or "", 0, data)

    def content(self, volume: WantedVolume) -> bytes:
        return self.node.disk.read(self.look().device(volume) or "", 0, BLOCK).rstrip(b".\0")

    def there(self) -> list[str]:
        """Volumes and snapshots, without the path of the pool."""
        return sorted(p.removeprefix("tank/orlop/") for p in self.node.zfs.datasets if p.startswith("tank/orlop/"))

    def written(self, name: str) -> int:
        return Room(self.node.zfs.zpools, self.node.zfs.datasets).written(f"tank/orlop/{name}")

    def acted(self) -> list[str]:
        """What was run since the last call, without looking."""
        looking = [" ".join(argv) for argv in self.node.ran]
        self.node.ran.clear()
        return [line for line in looking if " list " not in line and not line.startswith("find ")]
