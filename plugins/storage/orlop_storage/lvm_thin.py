"""LVM_THIN: volumes in a thin pool that all share. A snapshot is a volume like any other, closed until it is needed."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from orlop.codes import Fail
from orlop.errors import Refused
from orlop.model import Capacity, WantedSnapshot, WantedVolume
from orlop.plugin import NEW_FILE, Step
from orlop_storage import lvm_options
from orlop_storage.logical_volumes import LogicalVolumes
from orlop_storage.lvm_backing import GroupBacking
from orlop_storage.lvm_places import canonical
from orlop_storage.taken_volumes import TakenVolumes
from orlop_storage.volume_groups import LogicalVolume, is_ours

PER_CHUNK = 32  # bytes of metadata: 16 in a tree whose blocks may be half empty


class ThinVolumes(LogicalVolumes, frozen=True, kw_only=True):
    """What volumes in thin pools have in common, wherever the pool is."""

    programs: ClassVar[tuple[str, ...]] = ("lvm", "thin_check")

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        lvm_options.added(options.get(lvm_options.CREATE, ""), lvm_options.THIN)
        lvm_options.added(options.get(lvm_options.SNAPSHOT, ""), lvm_options.THIN, lvm_options.SNAPSHOT)

    @abstractmethod
    def _thin_pool(self, pool: str, seen: LogicalVolume | None) -> str:
        """Name of the thin pool that an object is in."""

    def _clone(self, volume: WantedVolume, name: str) -> Step:
        source = self._source(volume)
        return self._run(
            *("lvcreate", "--yes", "--snapshot", "--setactivationskip", "n"),
            *self._named(name, volume.uuid, source),
            self._at(volume.pool, source.name),
        )

    def _make_way(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]:
        """The old one goes only when what takes its place is complete."""
        steps: list[Step] = []
        if self._draft(volume.pool, volume.uuid) is None:
            self._require_blocks(volume.pool, self._source(volume), f"volume {volume.name}")
            steps.append(self._clone(volume, NEW_FILE + volume.uuid))
        return [*steps, *self._remove(volume.pool, seen)]

    def _from_draft(self, volume: WantedVolume, draft: LogicalVolume) -> list[Step]:
        rename = self._run("lvrename", self._at(volume.pool, draft.name), self._at(volume.pool, volume.name))
        return [rename] if draft.active else [self._open(volume.pool, draft), rename]

    def _open(self, pool: str, seen: LogicalVolume) -> Step:
        """Together with its thin pool, which tells its free space only while it is open itself."""
        own = self._thin_pool(pool, seen)
        first = [] if self._group(pool).volumes[own].active else [self._at(pool, own)]
        at = self._at(pool, seen.name)
        return self._run("lvchange", "--activate", "y", "--ignoreactivationskip", *first, at)

    def _snapshot(self, snapshot: WantedSnapshot, origin: LogicalVolume) -> list[Step]:
        self._require_blocks(snapshot.pool, origin, f"snapshot {snapshot.name}")
        added = lvm_options.added(
            snapshot.options.get(lvm_options.SNAPSHOT, ""), lvm_options.THIN, lvm_options.SNAPSHOT
        )
        return [
            self._run(
                *("lvcreate", "--yes", "--snapshot", "--setactivationskip", "y"),
                *added.options,
                *self._named(snapshot.name, snapshot.uuid, origin),
                self._at(snapshot.pool, origin.name),
            )
        ]

    def _require_blocks(self, pool: str, seen: LogicalVolume | None, what: str) -> None:
        """A pool without a free block could still name a volume, and would fail at the first write."""
        thin = self._group(pool).volumes[self._thin_pool(pool, seen)]
        full = "data" if (thin.data or 0.0) >= 1 else "metadata" if (thin.metadata or 0.0) >= 1 else ""
        if full or thin.health == "out_of_data":
            raise Refused(
                f"no space left in thin pool {self._at(pool, thin.name)} for {what}: its {full or 'data'} is full",
                correction="Extend it with lvextend, or remove snapshots.",
                code=Fail.NOT_ENOUGH_FREE_SPACE,
            )


class LvmThin(ThinVolumes, TakenVolumes, GroupBacking, frozen=True, kw_only=True):
    kind: ClassVar[str] = "LVM_THIN"
    thin: ClassVar[bool] = True
    thin_backing: ClassVar[bool] = True
    options: ClassVar[frozenset[str]] = frozenset({lvm_options.CREATE, lvm_options.SNAPSHOT})

    @classmethod
    def check_pool(cls, props: Mapping[str, str]) -> Mapping[str, str]:
        return canonical(props, thin=True)

    def reads_zeros(self, pool: str) -> bool:
        """Not where the thin pool hands out blocks with what others left in them."""
        return self.places[pool].pool.zeroes

    def capacity(self, pool: str) -> Capacity:
        """What is free is told by the data and by what the metadata can still describe."""
        self._group(pool)
        seen = self.places[pool].pool
        if seen.data is None or seen.metadata is None:
            return Capacity(total=seen.size, free=0)
        described = int(seen.metadata_size * (1 - seen.metadata)) // PER_CHUNK * seen.chunk
        return Capacity(total=seen.size, free=min(int(seen.size * (1 - seen.data)), described))

    def _lies_in(self, pool: str, seen: LogicalVolume) -> bool:
        return seen.pool == self.places[pool].thin

    def _belongs(self, volume: WantedVolume, seen: LogicalVolume) -> bool:
        return self._lies_in(volume.pool, seen) and super()._belongs(volume, seen)

    def _thin_pool(self, pool: str, seen: LogicalVolume | None) -> str:
        return self.places[pool].thin

    def _allocated(self, pool: str, name: str, uuid: str) -> int | None:
        seen = self._group(pool).volumes.get(name)
        if seen is None or seen.data is None or not is_ours(seen, self.cluster, uuid):
            return None
        return int(seen.size * seen.data)

    def _make(self, volume: WantedVolume) -> list[Step]:
        draft = self._draft(volume.pool, volume.uuid)
        if draft is not None:
            return self._from_draft(volume, draft)
        self._require_blocks(volume.pool, None, f"volume {volume.name}")
        if volume.source is not None:
            return [self._clone(volume, volume.name)]
        added = lvm_options.added(volume.levels[-1].options.get(lvm_options.CREATE, ""), lvm_options.THIN)
        return [
            self._run(
                *("lvcreate", "--yes", "--type", "thin", "--virtualsize", f"{volume.size}b"),
                *added.options,
                *self._named(volume.name, volume.uuid),
                *("--thinpool", self.places[volume.pool].name),
            )
        ]

    def _grow(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]:
        if seen.size >= volume.size:
            return []
        extents = self._group(volume.pool).extents(volume.size)
        return [self._run("lvextend", "--extents", str(extents), self._at(volume.pool, volume.name))]
