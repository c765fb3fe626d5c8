"""The pool of nodes that use volumes without holding data: it has no room and no objects."""

from collections.abc import Mapping
from typing import ClassVar, Self

from orlop.errors import PoolUnavailable, Refused
from orlop.model import BackingObject, Capacity, Presence, WantedPool, WantedSnapshot, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import API_VERSION, Probe, Step


class Diskless(Value, frozen=True, kw_only=True):
    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "DISKLESS"
    thin: ClassVar[bool] = False
    snapshots: ClassVar[bool] = False
    programs: ClassVar[tuple[str, ...]] = ()
    options: ClassVar[frozenset[str]] = frozenset()

    pools: frozenset[str]

    @classmethod
    def check_pool(cls, props: Mapping[str, str]) -> Mapping[str, str]:
        return props

    @classmethod
    def granularity(cls, props: Mapping[str, str]) -> int:
        return 4096

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        return

    @classmethod
    def refuse_name(cls, name: str) -> str | None:
        return None

    @classmethod
    def observe(cls, probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Self:
        return cls(pools=frozenset(pool.name for pool in pools))

    def pool_problem(self, pool: str) -> str:
        return ""

    def pool_warning(self, pool: str) -> str:
        return ""

    def extent(self, pool: str) -> int:
        return self.granularity({})

    def pool_marked(self, pool: str) -> bool:
        return pool in self.pools  # there is nothing that could be another pool's

    def mark_pool(self, pool: WantedPool) -> list[Step]:
        return []

    def capacity(self, pool: str) -> Capacity:
        if pool not in self.pools:
            raise PoolUnavailable(f"there is no pool {pool} on this node")
        return Capacity(total=0, free=0)

    def objects(self, pool: str) -> tuple[BackingObject, ...]:
        return ()

    def presence(self, volume: WantedVolume) -> Presence:
        return Presence.ABSENT

    def device(self, volume: WantedVolume) -> str | None:
        return None

    def size(self, volume: WantedVolume) -> int | None:
        return None

    def allocated(self, volume: WantedVolume) -> int | None:
        return None

    def formatted(self, volume: WantedVolume) -> bool:
        return False

    def record_formatted(self, volume: WantedVolume, kind: str) -> list[Step]:
        raise Refused("a diskless volume holds no file system of its own")

    def take_down(self, volume: WantedVolume) -> list[Step]:
        return []

    def bring_up(self, volume: WantedVolume) -> list[Step]:
        return []

    def snapshot_presence(self, snapshot: WantedSnapshot) -> Presence:
        return Presence.ABSENT

    def snapshot_allocated(self, snapshot: WantedSnapshot) -> int | None:
        return None

    def snapshot_created(self, snapshot: WantedSnapshot) -> int | None:
        return None

    def take_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        raise Refused("a diskless pool holds no data to take a snapshot of")

    def remove_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        return []
