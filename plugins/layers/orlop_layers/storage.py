"""The lowest level of every stack: hands each volume to the driver of its pool."""

from collections.abc import Mapping
from typing import ClassVar, Self

from orlop.drivers import STORAGE, Drivers
from orlop.errors import PoolUnavailable
from orlop.model import Presence, WantedPool, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import API_VERSION, Probe, Step, StorageDriver


class Storage(Value, frozen=True, kw_only=True):
    """Knows the observed driver of each pool. The satellite observes drivers itself and builds one with `over`."""

    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "STORAGE"
    programs: ClassVar[tuple[str, ...]] = ()
    above: ClassVar[frozenset[str]] = frozenset()
    replicates: ClassVar[bool] = False

    pools: Mapping[str, StorageDriver]
    problems: Mapping[str, str] = {}  # pools whose driver could not even look

    @classmethod
    def over(cls, pools: Mapping[str, StorageDriver], problems: Mapping[str, str]) -> Self:
        return cls(pools=pools, problems=problems)

    @classmethod
    def observe(cls, probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Self:
        installed = Drivers.installed(STORAGE)
        seen: dict[str, StorageDriver] = {}
        for kind in sorted({pool.provider for pool in pools}):
            own = tuple(pool for pool in pools if pool.provider == kind)
            driver = installed.load(STORAGE, kind).observe(probe, own, cluster)
            seen |= dict.fromkeys((pool.name for pool in own), driver)
        return cls.over(seen, {})

    @classmethod
    def size_below(cls, size: int, options: Mapping[str, str]) -> int:
        return size

    def device(self, volume: WantedVolume, below: str | None) -> str | None:
        return self._driver(volume).device(volume)

    def presence(self, volume: WantedVolume, below: str | None) -> Presence:
        return self._driver(volume).presence(volume)

    def size(self, volume: WantedVolume, below: str | None) -> int | None:
        return self._driver(volume).size(volume)

    def take_down(self, volume: WantedVolume, below: str | None) -> list[Step]:
        return self._driver(volume).take_down(volume)

    def bring_up(self, volume: WantedVolume, below: str | None) -> list[Step]:
        return self._driver(volume).bring_up(volume)

    def _driver(self, volume: WantedVolume) -> StorageDriver:
        driver = self.pools.get(volume.pool)
        if driver is None:
            raise PoolUnavailable(
                self.problems.get(volume.pool) or f"this node was not told of a storage pool named {volume.pool}"
            )
        return driver
