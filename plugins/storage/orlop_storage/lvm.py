"""LVM: volumes that take all their space from a volume group at once.

A snapshot is a store for what is overwritten in its origin, and as large as ever can be needed. It cannot be without
its origin: a volume that is removed before its snapshots stays, under a name of ours, until the last of them goes.
"""

import re
from collections.abc import Mapping
from typing import ClassVar

from orlop.model import WantedSnapshot, WantedVolume
from orlop.plugin import CLUSTER, NEW_FILE, UUID, CopyDevice, RequireUnused, Step, run
from orlop_storage import lvm_options
from orlop_storage.logical_volumes import change_tag
from orlop_storage.lvm_backing import GroupBacking
from orlop_storage.lvm_places import canonical
from orlop_storage.taken_volumes import TakenVolumes
from orlop_storage.volume_groups import FILLING, FORMATTED, LogicalVolume, is_ours

KEPT = re.compile(r"(.+)\+[0-9]+")  # no name of a volume or snapshot contains a '+'
CHUNK, LARGEST_CHUNK = 4096, 512 << 10  # bytes, what a snapshot keeps at once
ZEROED_AT_ONCE = 4 << 30  # bytes, well within the time-out of a command


class Lvm(TakenVolumes, GroupBacking, frozen=True, kw_only=True):
    kind: ClassVar[str] = "LVM"
    thin: ClassVar[bool] = False
    programs: ClassVar[tuple[str, ...]] = ("lvm",)
    options: ClassVar[frozenset[str]] = frozenset({lvm_options.CREATE, lvm_options.TYPE, lvm_options.SNAPSHOT})

    @classmethod
    def check_pool(cls, props: Mapping[str, str]) -> Mapping[str, str]:
        return canonical(props, thin=False)

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        lvm_options.stripes(lvm_options.of_thick(options))
        _snapshot_options(options)

    @classmethod
    def granularity(cls, props: Mapping[str, str]) -> int:
        return super().granularity(props) * lvm_options.stripes(lvm_options.of_thick(props))

    @classmethod
    def snapshot_room(cls, size: int, options: Mapping[str, str]) -> int:
        """All of a volume may be overwritten; 16 bytes tell where each chunk of it was put."""
        chunk = LARGEST_CHUNK if _snapshot_options(options).value("--chunksize") else CHUNK
        return size + size // CHUNK * 16 + 4 * chunk

    def _lies_in(self, pool: str, seen: LogicalVolume) -> bool:
        return not seen.pool and not seen.is_thin_pool and not KEPT.fullmatch(seen.name)

    def _allocated(self, pool: str, name: str, uuid: str) -> int | None:
        seen = self._group(pool).volumes.get(name)
        return seen.taken if seen is not None and is_ours(seen, self.cluster, uuid) else None

    # -- a volume ---------------------------------------------------------------------------------

    def _make(self, volume: WantedVolume) -> list[Step]:
        if volume.source is None:
            return [self._create(volume, volume.name, volume.size, None)]
        seen = self._seen(volume)
        return self._restore(volume) if seen is None else self._roll_back(volume, seen)

    def _create(self, volume: WantedVolume, name: str, size: int, source: LogicalVolume | None) -> Step:
        extents = self._group(volume.pool).extents(size)
        self._require_room(volume.pool, extents, f"volume {volume.name}")
        added = lvm_options.of_thick(volume.levels[-1].options)
        return self._run(
            *("lvcreate", "--yes", "--wipesignatures", "y", "--zero", "y", "--extents", str(extents)),
            *added.options,
            *self._named(name, volume.uuid, source),
            self._group(volume.pool).name,
            *added.devices,
        )

    def _restore(self, volume: WantedVolume) -> list[Step]:
        """The final name comes last: a copy that was cut short is begun again."""
        source, draft = self._source(volume), self._draft(volume.pool, volume.uuid)
        name, size = NEW_FILE + volume.uuid, max(volume.size, self._source(volume).size)
        device = self._group(volume.pool).path(name)
        steps: list[Step] = []
        if draft is None:
            steps.append(self._create(volume, name, size, source))
        elif not draft.active:
            steps.append(self._open(volume.pool, draft))
        copy = CopyDevice(source=self._group(volume.pool).path(source.name), target=device, size=source.size)
        steps += self._with_open(volume.pool, source, [copy])
        steps += _zeros(device, source.size, draft.size if draft else size)
        return [*steps, self._run("lvrename", self._at(volume.pool, name), self._at(volume.pool, volume.name))]

    def _roll_back(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]:
        """An origin cannot be exchanged without losing its other snapshots, so it is written over.

        Until that is complete it says what it is becoming, and is nobody's.
        """
        source, at = self._source(volume), self._at(volume.pool, volume.name)
        path = self._group(volume.pool).path
        steps: list[Step] = []
        if FILLING in seen.tags and seen.tags[FILLING] != volume.uuid:
            steps.append(self._run("lvchange", *change_tag("del", FILLING, seen.tags[FILLING]), at))
        if seen.tags.get(FILLING) != volume.uuid:
            steps.append(self._run("lvchange", *change_tag("add", FILLING, volume.uuid), at))
        if not seen.active:
            steps.append(self._open(volume.pool, seen))
        copy = CopyDevice(source=path(source.name), target=path(seen.name), size=source.size)
        steps += [copy] if source.origin == seen.name else self._with_open(volume.pool, source, [copy])
        tags = [*change_tag("del", UUID, seen.tags[UUID]), *change_tag("del", FILLING, volume.uuid)]
        tags += change_tag("add", UUID, volume.uuid)
        if FORMATTED in seen.tags:
            tags += change_tag("del", FORMATTED, seen.tags[FORMATTED])
        if FORMATTED in source.tags:
            tags += change_tag("add", FORMATTED, source.tags[FORMATTED])
        return [*steps, self._run("lvchange", *tags, at)]

    def _with_open(self, pool: str, snapshot: LogicalVolume, steps: list[Step]) -> list[Step]:
        """A thick snapshot is open when its origin is."""
        if snapshot.active:
            return steps
        shut = self._run("lvchange", "--activate", "n", self._at(pool, snapshot.origin))
        return [self._open(pool, self._group(pool).volumes[snapshot.origin]), *steps, shut]

    def _make_way(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]:
        return []

    def _grow(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]:
        group, at = self._group(volume.pool), self._at(volume.pool, volume.name)
        if seen.size >= volume.size:
            return []
        extents = group.extents(volume.size)
        self._require_room(volume.pool, extents - group.extents(seen.size), f"growing {volume.name}")
        grow = self._run("lvextend", "--extents", str(extents), at)
        if not seen.active or not group.snapshots_of(seen.name):
            return [grow]
        # LVM resizes an origin of snapshots only while it is closed.
        return [*self._close(volume.pool, seen), grow, self._open(volume.pool, seen)]

    def _remove_volume(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]:
        group = self._group(volume.pool)
        if not group.snapshots_of(seen.name):
            return self._remove(volume.pool, seen)
        kept = next(name for n in range(1, 1 << 20) if (name := f"{seen.name}+{n}") not in group.volumes)
        unused: list[Step] = [RequireUnused(device=group.path(seen.name))] if seen.active else []
        return [*unused, self._run("lvrename", self._at(volume.pool, seen.name), self._at(volume.pool, kept))]

    # -- a snapshot -------------------------------------------------------------------------------

    def _snapshot(self, snapshot: WantedSnapshot, origin: LogicalVolume) -> list[Step]:
        """More than the largest store of any use is cut down to it by LVM itself."""
        added = _snapshot_options(snapshot.options)
        extents = self._group(snapshot.pool).extents(self.snapshot_room(origin.size, snapshot.options))
        self._require_room(snapshot.pool, extents, f"snapshot {snapshot.name}")
        return [
            self._run(
                *("lvcreate", "--yes", "--snapshot", "--extents", str(extents)),
                *added.options,
                *self._named(snapshot.name, snapshot.uuid, origin),
                self._at(snapshot.pool, origin.name),
                *added.devices,
            )
        ]

    def remove_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        """An origin that was removed before goes when its last snapshot was seen gone."""
        group = self._group(snapshot.pool)
        seen = group.volumes.get(snapshot.name)
        if seen is not None and is_ours(seen, self.cluster, snapshot.uuid):
            return self._remove(snapshot.pool, seen)
        steps: list[Step] = []
        for seen in group.volumes.values():
            kept = KEPT.fullmatch(seen.name)
            if kept and kept[1] == snapshot.volume_name and seen.tags.get(CLUSTER) == self.cluster:
                steps += [] if group.snapshots_of(seen.name) else self._remove(snapshot.pool, seen)
        return steps


def _snapshot_options(options: Mapping[str, str]) -> lvm_options.Added:
    return lvm_options.added(options.get(lvm_options.SNAPSHOT, ""), lvm_options.THICK_SNAPSHOT, lvm_options.SNAPSHOT)


def _zeros(device: str, start: int, end: int) -> list[Step]:
    """What a snapshot of before a growth does not fill: it must be the same on every replica."""
    return [
        run("blkdiscard", "--zeroout", "--offset", str(at), "--length", str(min(ZEROED_AT_ONCE, end - at)), device)
        for at in range(start, end, ZEROED_AT_ONCE)
    ]
