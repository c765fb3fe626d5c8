"""The lowest level of every stack: hands each volume to the driver of its pool."""

from collections.abc import Mapping
from typing import ClassVar, Self

from orlop.errors import PoolUnavailable
from orlop.model import Presence, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import API_VERSION, Probe, Standing, Step, StorageDriver


class Storage(Value, frozen=True, kw_only=True):
    """Knows the observed driver of each pool: the satellite observes the drivers and builds one `over` them."""

    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "STORAGE"
    programs: ClassVar[tuple[str, ...]] = ()
    above: ClassVar[frozenset[str]] = frozenset()
    replicates: ClassVar[bool] = False
    options: ClassVar[frozenset[str]] = frozenset()  # its level comes with what the pool's driver heeds

    pools: Mapping[str, StorageDriver]
    problems: Mapping[str, str] = {}  # pools whose driver could not even look

    @classmethod
    def over(cls, pools: Mapping[str, StorageDriver], problems: Mapping[str, str]) -> Self:
        return cls(pools=pools, problems=problems)

    @classmethod
    def observe(cls, probe: Probe, standing: tuple[Standing, ...], cluster: str) -> Self:
        """By itself it knows no pool."""
        return cls.over({}, {})

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        """Nothing of its own."""

    @classmethod
    def size_below(cls, size: int, options: Mapping[str, str]) -> int:
        return size

    def device(self, volume: WantedVolume, below: str | None) -> str | None:
        return self._driver(volume).device(volume)

    def presence(self, volume: WantedVolume, below: str | None) -> Presence:
        return self._driver(volume).presence(volume)

    def size(self, volume: WantedVolume, below: str | None) -> int | None:
        return self._driver(volume).size(volume)

    def facts(self, volume: WantedVolume, below: str | None) -> Mapping[str, str]:
        return {}

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
