"""LVM_THIN_POOL: every volume in a thin pool of its own, larger than itself by a ratio, so that its snapshots can fill
up nothing but that pool. The pool is called `<volume>+pool` and goes with the last thing in it.
"""

import re
from collections.abc import Mapping
from typing import ClassVar

from orlop.model import Capacity, WantedSnapshot, WantedVolume
from orlop.plugin import CLUSTER, NEW_FILE, CopyDevice, Step
from orlop_storage import lvm_options
from orlop_storage.lvm_backing import GroupBacking
from orlop_storage.lvm_places import canonical
from orlop_storage.lvm_thin import ThinVolumes
from orlop_storage.volume_groups import LogicalVolume, is_ours

OWN = re.compile(r"(.+)\+pool[0-9]*")  # no name of a volume or snapshot contains a '+'


class LvmThinPool(ThinVolumes, GroupBacking, frozen=True, kw_only=True):
    kind: ClassVar[str] = "LVM_THIN_POOL"
    thin: ClassVar[bool] = False  # what is promised is reserved
    options: ClassVar[frozenset[str]] = frozenset({lvm_options.CREATE, lvm_options.SNAPSHOT, lvm_options.RATIO})

    @classmethod
    def check_pool(cls, props: Mapping[str, str]) -> Mapping[str, str]:
        return canonical(props, thin=False)

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        lvm_options.ratio(options)
        lvm_options.added(options.get(lvm_options.CREATE, ""), lvm_options.THIN_POOL)
        lvm_options.added(options.get(lvm_options.SNAPSHOT, ""), lvm_options.THIN, lvm_options.SNAPSHOT)

    def capacity(self, pool: str) -> Capacity:
        """What volumes can have of it, each with its ratio."""
        group, ratio = self._group(pool), lvm_options.ratio(self.places[pool].props)
        return Capacity(total=group.total * 100 // ratio, free=group.free * 100 // ratio)

    def _lies_in(self, pool: str, seen: LogicalVolume) -> bool:
        """A volume's pool is a part of the volume."""
        return not seen.is_thin_pool and (not seen.pool or OWN.fullmatch(seen.pool) is not None)

    def _belongs(self, volume: WantedVolume, seen: LogicalVolume) -> bool:
        return bool(seen.pool) and super()._belongs(volume, seen)

    def _thin_pool(self, pool: str, seen: LogicalVolume | None) -> str:
        assert seen is not None
        return seen.pool

    def _allocated(self, pool: str, name: str, uuid: str) -> int | None:
        """A volume takes its whole pool, a snapshot nothing more."""
        seen = self._group(pool).volumes.get(name)
        if seen is None or not is_ours(seen, self.cluster, uuid):
            return None
        own = self._group(pool).volumes[seen.pool]
        return 0 if "." in name else own.taken + own.metadata_size

    # -- a volume ---------------------------------------------------------------------------------

    def _make(self, volume: WantedVolume) -> list[Step]:
        draft = self._draft(volume.pool, volume.uuid)
        if volume.source is None:
            return [*self._make_pool(volume, volume.size), self._create(volume, volume.name, volume.size, None)]
        if volume.replaces is None:
            return self._restore(volume, draft)
        if draft is not None:
            return self._from_draft(volume, draft)
        return [self._clone(volume, volume.name)]

    def _restore(self, volume: WantedVolume, draft: LogicalVolume | None) -> list[Step]:
        """A copy in a pool of its own. The final name comes last: a copy that was cut short is begun again."""
        source, name, path = self._source(volume), NEW_FILE + volume.uuid, self._group(volume.pool).path
        steps: list[Step] = []
        if draft is None:
            size = max(volume.size, source.size)
            steps += [*self._make_pool(volume, size), self._create(volume, name, size, source)]
        elif not draft.active:
            steps.append(self._open(volume.pool, draft))
        steps.append(self._open(volume.pool, source))
        steps.append(CopyDevice(source=path(source.name), target=path(name), size=source.size, zeroed=True))
        steps.append(self._run("lvrename", self._at(volume.pool, name), self._at(volume.pool, volume.name)))
        return [*steps, self._run("lvchange", "--activate", "n", self._at(volume.pool, source.name))]

    def _create(self, volume: WantedVolume, name: str, size: int, source: LogicalVolume | None) -> Step:
        return self._run(
            *("lvcreate", "--yes", "--type", "thin", "--virtualsize", f"{size}b"),
            *self._named(name, volume.uuid, source),
            *("--thinpool", self._at(volume.pool, self._own_pool(volume))),
        )

    def _own_pool(self, volume: WantedVolume) -> str:
        """One that was made for this volume, else a free name: snapshots of an earlier volume may keep the first."""
        volumes = self._group(volume.pool).volumes
        names = (f"{volume.name}+pool{number}" for number in ("", *range(2, 1 << 16)))
        return next(name for name in names if name not in volumes or is_ours(volumes[name], self.cluster, volume.uuid))

    def _make_pool(self, volume: WantedVolume, size: int) -> list[Step]:
        name, group = self._own_pool(volume), self._group(volume.pool)
        if name in group.volumes:
            return []
        options = volume.levels[-1].options
        added = lvm_options.added(options.get(lvm_options.CREATE, ""), lvm_options.THIN_POOL)
        extents = self._pool_extents(volume, size)
        self._require_room(volume.pool, extents + 1, f"the thin pool of volume {volume.name}")  # and its metadata
        return [
            self._run(
                *("lvcreate", "--yes", "--type", "thin-pool", "--zero", "y", "--extents", str(extents)),
                *added.options,
                *self._named(name, volume.uuid),
                group.name,
                *added.devices,
            )
        ]

    def _pool_extents(self, volume: WantedVolume, size: int) -> int:
        return self._group(volume.pool).extents(-(-size * lvm_options.ratio(volume.levels[-1].options) // 100))

    def _grow(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]:
        group = self._group(volume.pool)
        if seen.size >= volume.size:
            return []
        own, extents = group.volumes[seen.pool], self._pool_extents(volume, volume.size)
        steps: list[Step] = []
        if (more := extents - group.extents(own.size)) > 0:
            self._require_room(volume.pool, more, f"growing the thin pool of {volume.name}")
            steps.append(self._run("lvextend", "--extents", str(extents), self._at(volume.pool, own.name)))
        size = str(group.extents(volume.size))
        return [*steps, self._run("lvextend", "--extents", size, self._at(volume.pool, volume.name))]

    # -- the end of a pool ------------------------------------------------------------------------

    def _remove_drafts(self, volume: WantedVolume) -> list[Step]:
        return super()._remove_drafts(volume) or self._remove_empty(volume.pool, volume.name)

    def remove_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        return super().remove_snapshot(snapshot) or self._remove_empty(snapshot.pool, snapshot.volume_name)

    def _remove_empty(self, pool: str, name: str) -> list[Step]:
        """Pools of a volume that nothing was left in.

        Selected, not named: a volume and its snapshot may both come to be the last one in the same round.
        """
        group, steps = self._group(pool), list[Step]()
        for seen in group.volumes.values():
            own = OWN.fullmatch(seen.name)
            if not (own and own[1] == name and seen.is_thin_pool and seen.tags.get(CLUSTER) == self.cluster):
                continue
            if not group.inside(seen.name):
                empty = f'lv_name="{seen.name}" && lv_tags={{"{CLUSTER}={self.cluster}"}} && thin_count=0'
                steps.append(self._run("lvremove", "--yes", "--select", empty, group.name))
        return steps
