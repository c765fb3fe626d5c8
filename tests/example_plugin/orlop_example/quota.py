"""FILE_QUOTA: thin files in a folder of which only so much may be used (`StorDriver/Example/Quota`, bytes)."""

from collections.abc import Mapping
from typing import ClassVar, Self

from orlop.errors import BadProperty
from orlop.model import Capacity, WantedPool
from orlop.plugin import Probe
from orlop_storage.file import FileThin

QUOTA = "StorDriver/Example/Quota"


class FileQuota(FileThin, frozen=True, kw_only=True):
    kind: ClassVar[str] = "FILE_QUOTA"
    options: ClassVar[frozenset[str]] = frozenset({QUOTA})  # the controller accepts no other key of its own

    quotas: Mapping[str, int] = {}  # bytes by pool

    @classmethod
    def check_pool(cls, props: Mapping[str, str]) -> Mapping[str, str]:
        if not props.get(QUOTA, "").isdecimal():
            raise BadProperty(f"{QUOTA} must be a number of bytes", correction="For example 10737418240 for 10 GiB.")
        return {**super().check_pool(props), QUOTA: props[QUOTA]}

    @classmethod
    def observe(cls, probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Self:
        seen = FileThin.observe(probe, pools, cluster)
        quotas = {pool.name: int(pool.props.get(QUOTA, "0")) for pool in pools}
        return cls(cluster=cluster, folders=seen.folders, quotas=quotas)

    def capacity(self, pool: str) -> Capacity:
        real = super().capacity(pool)
        used = sum(file.allocated for file in self.folders[pool].files.values())
        quota = min(self.quotas[pool], real.total)
        return Capacity(total=quota, free=max(0, min(quota - used, real.free)))
