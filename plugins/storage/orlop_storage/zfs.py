"""Volumes as zvols below one dataset. ZFS reserves their whole size, ZFS_THIN does not.

What something else depends on cannot be removed: a snapshot with clones, a volume with snapshots. It gets a name that
says so, together with its uuid, and gives its own name free; a snapshot is then removed by the kernel with its last
clone, a volume by `remnants`. Nothing is ever destroyed together with what depends on it.
"""

import re
from collections.abc import Collection, Mapping
from typing import ClassVar, Self

from orlop.errors import BadProperty, NodeError, PoolUnavailable, Refused, WouldDestroy
from orlop.model import BackingObject, Capacity, NewBacking, Presence, WantedPool, WantedSnapshot, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import API_VERSION, Probe, RequireUnused, Step, run
from orlop_storage import taken_datasets, zfs_options, zpools
from orlop_storage.datasets import (
    DATASET,
    DELETED,
    DELETED_SNAPSHOT,
    DRAFT,
    FORMATTED,
    NONE,
    POOL,
    SNAPSHOT,
    VOLUME,
    Dataset,
    Owner,
    Parent,
    look,
)
from orlop_storage.zfs_options import DELETE_STRATEGY, ROLLBACK_STRATEGY, block_size, strategy

OLD_SPELLINGS = ("StorDriver/ZPool", "StorDriver/ZPoolThin")
PATH = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*(/[A-Za-z0-9_][A-Za-z0-9_.:-]*)*")
LEFT = 1 << 20  # bytes, well above the few that a rollback itself leaves written
LONGEST = 100  # what the longest names of ours leave of the 255 characters that a snapshot's whole name may have
LONGEST_NAME = 54  # 48 of a resource, the volume's number
OUR_FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*_[0-9]{5}(\.[A-Za-z0-9_-]+)?")
SETTLE = run("udevadm", "settle", "--timeout=30")  # links come and go a little after their devices


class Zfs(Value, frozen=True, kw_only=True):
    """What was seen of all pools of this kind."""

    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "ZFS"
    thin: ClassVar[bool] = False
    snapshots: ClassVar[bool] = True
    programs: ClassVar[tuple[str, ...]] = ("zfs", "zpool", "udevadm")
    options: ClassVar[frozenset[str]] = zfs_options.OPTIONS

    cluster: str
    parents: Mapping[str, Parent]  # by name of the pool

    def reads_zeros(self, pool: str) -> bool:
        """A block that a volume does not have reads as zeros, with a reservation and without."""
        return True

    @classmethod
    def check_pool(cls, props: Mapping[str, str]) -> Mapping[str, str]:
        path = next((props[name] for name in (DATASET, *OLD_SPELLINGS) if props.get(name)), "").rstrip("/")
        if not PATH.fullmatch(path) or len(path) > LONGEST:
            raise BadProperty(
                f"{DATASET} must name a zpool or a dataset in one, not {path!r}",
                correction="For example tank or tank/orlop.",
            )
        zfs_options.check(props)
        return {**{name: value for name, value in props.items() if name not in OLD_SPELLINGS}, DATASET: path}

    @classmethod
    def granularity(cls, props: Mapping[str, str]) -> int:
        return block_size(props) or 8192

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        zfs_options.check(options)

    @classmethod
    def refuse_name(cls, name: str) -> str | None:
        what = f"{name} has more than {LONGEST_NAME} characters; with a snapshot that may be too long for ZFS"
        return what if len(name) > LONGEST_NAME else None

    @classmethod
    def observe(cls, probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Self:
        return cls(cluster=cluster, parents=look(probe, pools, cluster))

    @classmethod
    def backing_props(cls, backing: NewBacking) -> Mapping[str, str]:
        return cls.check_pool({DATASET: zpools.checked(backing).name})

    @classmethod
    def make_backing(cls, probe: Probe, backing: NewBacking, cluster: str) -> list[Step]:
        return zpools.make(probe, backing, cluster)

    @classmethod
    def begun(cls, probe: Probe, backing: NewBacking, cluster: str) -> Collection[str]:
        return ()

    @classmethod
    def remove_backing(cls, probe: Probe, pool: WantedPool, cluster: str) -> list[Step]:
        return zpools.remove(probe, pool, cluster)

    # -- the pool ---------------------------------------------------------------------------------

    def pool_problem(self, pool: str) -> str:
        return self.parents[pool].problem

    def pool_warning(self, pool: str) -> str:
        return self.parents[pool].warning

    def extent(self, pool: str) -> int:
        return self._parent(pool).extent

    def pool_marked(self, pool: str) -> bool:
        return self.parents[pool].marked

    def mark_pool(self, pool: WantedPool) -> list[Step]:
        parent = self.parents[pool.name]
        if not pool.new or parent.marked or parent.problem:
            return []
        return [run("zfs", "set", f"{POOL}={Owner(self.cluster, pool.uuid, parent.guid)}", parent.path)]

    def capacity(self, pool: str) -> Capacity:
        return self._parent(pool).capacity

    def objects(self, pool: str) -> tuple[BackingObject, ...]:
        parent = self._parent(pool)
        named = [(seen.shown, seen) for seen in (*parent.children.values(), *parent.snapshots)]
        return tuple(
            taken_datasets.described(pool, name, seen)
            for name, seen in sorted(named, key=lambda pair: pair[0])
            if name and (seen.owner.uuid or OUR_FORM.fullmatch(name))
        )

    def found(self, pool: str, name: str) -> BackingObject | None:
        return taken_datasets.found(self._parent(pool), pool, name)

    def device_of(self, found: BackingObject) -> str | None:
        seen = taken_datasets.named(self._parent(found.pool), found.name)
        return self._parent(found.pool).device(seen) if seen else None

    def adopt(self, found: BackingObject, volume: WantedVolume) -> list[Step]:
        return taken_datasets.adopt(self._parent(found.pool), self.cluster, found, volume)

    def discard(self, found: BackingObject, mark: str) -> list[Step]:
        return taken_datasets.discard(self._parent(found.pool), found)

    def remnants(self, pool: str) -> list[Step]:
        """Removed volumes go when nothing depends on them any more; until then only what is needed of them is kept."""
        parent = self.parents[pool]
        steps: list[Step] = []
        for seen in parent.children.values():
            if not self._is_deleted(seen):
                continue
            needed = parent.snapshots_of(seen)
            if not needed:
                steps.append(run("zfs", "destroy", seen.path))
                continue
            if seen.reservation:
                steps.append(run("zfs", "set", "refreservation=none", seen.path))
            if seen.written > LEFT:
                steps.append(run("zfs", "rollback", needed[-1].path))
        return steps

    # -- a volume ---------------------------------------------------------------------------------

    def presence(self, volume: WantedVolume) -> Presence:
        parent = self._parent(volume.pool)
        seen = parent.children.get(volume.name)
        if seen is None:
            return Presence.ABSENT if volume.new or not volume.wanted else Presence.MISSING
        if self._belongs(volume, seen):
            return Presence.READY if parent.device(seen) else Presence.HIDDEN
        return Presence.ABSENT if self._replaceable(volume, seen) else Presence.FOREIGN

    def device(self, volume: WantedVolume) -> str | None:
        seen = self._own(volume)
        return self._parent(volume.pool).device(seen) if seen else None

    def size(self, volume: WantedVolume) -> int | None:
        seen = self._own(volume)
        return seen.size if seen and self._parent(volume.pool).device(seen) else None

    def allocated(self, volume: WantedVolume) -> int | None:
        seen = self._own(volume)
        return seen.used - seen.of_snapshots if seen else None

    def formatted(self, volume: WantedVolume) -> bool:
        seen = self._own(volume)
        return seen is not None and bool(seen.formatted)

    def record_formatted(self, volume: WantedVolume, kind: str) -> list[Step]:
        return [run("zfs", "set", f"{FORMATTED}={kind}", self._parent(volume.pool).at(volume.name))]

    def take_down(self, volume: WantedVolume) -> list[Step]:
        parent = self._parent(volume.pool)
        seen = parent.children.get(volume.name)
        if seen is not None and self._replaceable(volume, seen) and volume.active:
            self._source(volume)  # without it the old one stays up
            return self._close(parent, seen)
        if volume.wanted and volume.active:
            return []
        if seen is None or not self._belongs(volume, seen):
            draft = None if volume.wanted else self._draft(volume)
            return self._destroy(draft, parent) if draft else []
        return self._close(parent, seen) if volume.wanted else self._remove(parent, seen, volume)

    def bring_up(self, volume: WantedVolume) -> list[Step]:
        if not volume.wanted or not volume.active:
            return []
        path = self._parent(volume.pool).at(volume.name)
        match self.presence(volume):
            case Presence.FOREIGN:
                raise WouldDestroy(
                    f"{path} is in the way: it does not carry the mark of volume {volume.uuid}",
                    correction="Rename it, or have it adopted.",
                )
            case Presence.MISSING:
                raise NodeError(
                    f"{path} is missing and is not made again by itself",
                    correction="If the data is lost for good, delete the replica and create it again.",
                )
            case Presence.ABSENT:
                return self._make(volume)
            case Presence.HIDDEN:
                return [*self._set(volume, opened=True), SETTLE]
            case Presence.READY:
                return self._set(volume)

    # -- a volume, step by step -------------------------------------------------------------------

    def _make(self, volume: WantedVolume) -> list[Step]:
        parent = self._parent(volume.pool)
        path = parent.at(volume.name)
        if volume.source is None:
            words = zfs_options.for_volume(_options(volume))
            block = block_size(_options(volume)) or parent.extent
            sparse = ["-s"] if self.thin else []
            marks = ["-o", f"volblocksize={block}", "-o", "volmode=dev", "-o", self._mark(volume)]
            size = str(_rounded(volume.size, block))
            return [run("zfs", "create", *sparse, *words, *marks, "-V", size, path), SETTLE]
        draft, old = self._draft(volume), parent.children.get(volume.name)
        if old is not None:
            return self._exchange(volume, old, draft)
        return [run("zfs", "rename", draft.path, path) if draft else self._clone(volume, path), SETTLE]

    def _exchange(self, volume: WantedVolume, old: Dataset, draft: Dataset | None) -> list[Step]:
        """A rollback. The uuid is the last thing to change; whatever was cut before is simply done again."""
        parent, source = self._parent(volume.pool), self._source(volume)
        how = strategy(_options(volume), ROLLBACK_STRATEGY)
        if draft is None and how != "Clone" and parent.snapshots_of(old)[-1:] == [source]:
            return [run("zfs", "rollback", source.path), self._renew(volume, source), SETTLE]
        if how == "Rollback":
            raise Refused(
                f"{source.path} is not the newest snapshot of {old.path}, so ZFS would destroy the newer ones",
                correction=f"Remove those, or set {ROLLBACK_STRATEGY} to Dynamic or Clone.",
            )
        name = parent.at(volume.name + DRAFT + volume.uuid)
        make = [] if draft else [self._clone(volume, name)]
        away = parent.at(volume.name + DELETED + old.owner.uuid)
        return [*make, run("zfs", "rename", old.path, away), run("zfs", "rename", name, old.path), SETTLE]

    def _renew(self, volume: WantedVolume, source: Dataset) -> Step:
        """The size has gone back, too, but not the room that was reserved."""
        reserve = [] if self.thin else ["refreservation=auto"]
        kind = f"{FORMATTED}={source.formatted or NONE}"
        path = self._parent(volume.pool).at(volume.name)
        return run("zfs", "set", *reserve, "volmode=dev", kind, self._mark(volume), path)

    def _clone(self, volume: WantedVolume, path: str) -> Step:
        source = self._source(volume)
        marks = ["-o", "volmode=dev", "-o", self._mark(volume)]
        kind = ["-o", f"{FORMATTED}={source.formatted}"] if source.formatted else []
        reserve = [] if self.thin else ["-o", "refreservation=auto"]
        words = zfs_options.for_volume(_options(volume))
        return run("zfs", "clone", *words, *reserve, *marks, *kind, source.path, path)

    def _set(self, volume: WantedVolume, opened: bool = False) -> list[Step]:
        """Grow and open."""
        seen = self._parent(volume.pool).children[volume.name]
        size = _rounded(volume.size, seen.block or 1)
        values = [f"volsize={size}"] if size > seen.size else []
        if values and not self.thin:
            values.append("refreservation=auto")
        if opened and seen.hidden:
            values.append("volmode=dev")
        return [run("zfs", "set", *values, seen.path)] if values else []

    def _close(self, parent: Parent, seen: Dataset) -> list[Step]:
        """A device in use stays although it should be hidden, and nobody is told."""
        link = parent.link(seen)
        if seen.hidden and link is None:
            return []
        guard = [RequireUnused(device=link)] if link else []
        return [*guard, run("zfs", "set", "volmode=none", seen.path), SETTLE]

    def _remove(self, parent: Parent, seen: Dataset, volume: WantedVolume) -> list[Step]:
        dependants = parent.snapshots_of(seen)
        how = strategy(_options(volume), DELETE_STRATEGY)
        if not dependants and how != "Rename":
            return self._destroy(seen, parent)
        if how == "Delete":
            raise Refused(
                f"{seen.path} has snapshots: {', '.join(s.name for s in dependants)}",
                correction=f"Remove them first, or set {DELETE_STRATEGY} to Dynamic.",
            )
        away = parent.at(volume.name + DELETED + seen.owner.uuid)
        return self._close(parent, seen) or [run("zfs", "rename", seen.path, away)]

    @staticmethod
    def _destroy(seen: Dataset, parent: Parent) -> list[Step]:
        link = parent.link(seen)
        return [*([RequireUnused(device=link)] if link else []), run("zfs", "destroy", seen.path)]

    # -- a snapshot -------------------------------------------------------------------------------

    def snapshot_presence(self, snapshot: WantedSnapshot) -> Presence:
        if self._find(snapshot.pool, snapshot.uuid):
            return Presence.READY
        path = self._snapshot_path(snapshot)
        if any(seen.path == path for seen in self._parent(snapshot.pool).snapshots):
            return Presence.FOREIGN
        return Presence.ABSENT if snapshot.new or not snapshot.wanted else Presence.MISSING

    def snapshot_allocated(self, snapshot: WantedSnapshot) -> int | None:
        seen = self._find(snapshot.pool, snapshot.uuid)
        return seen.used if seen else None

    def snapshot_created(self, snapshot: WantedSnapshot) -> int | None:
        seen = self._find(snapshot.pool, snapshot.uuid)
        return seen.created if seen else None

    def take_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        presence, path = self.snapshot_presence(snapshot), self._snapshot_path(snapshot)
        if presence is Presence.READY or not snapshot.wanted:
            return []
        if presence is not Presence.ABSENT:
            raise WouldDestroy(f"snapshot {path} is {presence.lower()}; it is not taken again")
        of = self._parent(snapshot.pool).children.get(snapshot.volume_name)
        if of is None or not self._is(of, snapshot.volume):
            raise Refused(f"{path.partition('@')[0]} is not the volume that snapshot {snapshot.name} is of")
        mark = f"{SNAPSHOT}={Owner(self.cluster, snapshot.uuid, snapshot.name)}"
        words = zfs_options.for_snapshot(snapshot.options)
        return [run("zfs", "snapshot", *words, "-o", mark, "-o", f"{FORMATTED}={of.formatted or NONE}", path)]

    def remove_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        """`-d` leaves it to the kernel, which knows best, to remove it now or with its last clone."""
        seen = self._find(snapshot.pool, snapshot.uuid)
        if seen is None:
            return []
        if seen.deferred:
            return [run("zfs", "rename", seen.path, f"{seen.of}@{DELETED_SNAPSHOT}{snapshot.uuid}")]
        if strategy(snapshot.options, DELETE_STRATEGY) != "Delete":
            return [run("zfs", "destroy", "-d", seen.path)]
        if seen.clones:
            raise Refused(
                f"{seen.path} has clones: {', '.join(seen.clones)}",
                correction=f"Remove them first, or set {DELETE_STRATEGY} to Dynamic.",
            )
        return [run("zfs", "destroy", seen.path)]

    # -- shared -----------------------------------------------------------------------------------

    def _parent(self, pool: str) -> Parent:
        parent = self.parents[pool]
        if parent.problem:
            raise PoolUnavailable(parent.problem)
        if not parent.marked:
            raise PoolUnavailable(f"{parent.path} does not carry the mark of pool {pool} yet")
        return parent

    def _is(self, seen: Dataset, uuid: str | None) -> bool:
        return bool(uuid) and (seen.owner.uuid, seen.owner.cluster) == (uuid, self.cluster)

    def _own(self, volume: WantedVolume) -> Dataset | None:
        seen = self._parent(volume.pool).children.get(volume.name)
        return seen if seen is not None and self._is(seen, volume.uuid) else None

    def _belongs(self, volume: WantedVolume, seen: Dataset) -> bool:
        """A volume that is removed before a rollback got to it is still the incarnation of before."""
        return self._is(seen, volume.uuid) or (not volume.wanted and self._is(seen, volume.replaces))

    def _replaceable(self, volume: WantedVolume, seen: Dataset) -> bool:
        return volume.wanted and volume.new and volume.source is not None and self._is(seen, volume.replaces)

    def _is_deleted(self, seen: Dataset) -> bool:
        return seen.deleted and seen.owner.cluster == self.cluster

    def _draft(self, volume: WantedVolume) -> Dataset | None:
        seen = self._parent(volume.pool).children.get(volume.name + DRAFT + volume.uuid)
        return seen if seen is not None and self._is(seen, volume.uuid) else None

    def _find(self, pool: str, uuid: str | None) -> Dataset | None:
        """Wherever it is: its volume may have been replaced or removed since."""
        found = (seen for seen in self._parent(pool).snapshots if self._is(seen, uuid))
        return next((seen for seen in found if not seen.deleted), None)

    def _source(self, volume: WantedVolume) -> Dataset:
        source = self._find(volume.pool, volume.source)
        if source is None:
            raise Refused(f"snapshot {volume.source_name}, which {volume.name} is filled from, is not there")
        return source

    def _snapshot_path(self, snapshot: WantedSnapshot) -> str:
        return f"{self._parent(snapshot.pool).at(snapshot.volume_name)}@{snapshot.snapshot}"

    def _mark(self, volume: WantedVolume) -> str:
        return f"{VOLUME}={Owner(self.cluster, volume.uuid)}"


def _options(volume: WantedVolume) -> Mapping[str, str]:
    return volume.levels[-1].options


def _rounded(size: int, block: int) -> int:
    return -(-size // block) * block
