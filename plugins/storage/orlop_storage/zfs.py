"""Volumes as zvols below one dataset. ZFS reserves their whole size, ZFS_THIN does not.

What something else depends on cannot be removed: a snapshot with clones, a volume with snapshots. It gets a name that
says so, together with its uuid, and gives its own name free; a snapshot is then removed by the kernel with its last
clone, a volume by `remnants`. Nothing is ever destroyed together with what depends on it.
"""

import re
from collections.abc import Collection, Mapping
from typing import ClassVar, Self

from orlop.errors import BadProperty, PoolUnavailable, Refused, WouldDestroy
from orlop.model import BackingObject, Capacity, NewBacking, Presence, WantedPool, WantedSnapshot, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import API_VERSION, Probe, Step, run
from orlop_storage import taken_datasets, zfs_options, zpools
from orlop_storage.datasets import (
    DATASET,
    DELETED_SNAPSHOT,
    FORMATTED,
    NONE,
    POOL,
    SNAPSHOT,
    Dataset,
    Owner,
    Parent,
    look,
)
from orlop_storage.zfs_options import DELETE_STRATEGY, block_size, strategy
from orlop_storage.zvols import Zvol, is_ours, snapshot_of_ours

OLD_SPELLINGS = ("StorDriver/ZPool", "StorDriver/ZPoolThin")
PATH = re.compile(r"[A-Za-z][A-Za-z0-9_.:-]*(/[A-Za-z0-9_][A-Za-z0-9_.:-]*)*")
LEFT = 1 << 20  # bytes, well above the few that a rollback itself leaves written
LONGEST = 100  # what the longest names of ours leave of the 255 characters that a snapshot's whole name may have
LONGEST_NAME = 54  # 48 of a resource, the volume's number
OUR_FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*_[0-9]{5}(\.[A-Za-z0-9_-]+)?")


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
            if not (seen.deleted and seen.owner.cluster == self.cluster):
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
        return self._zvol(volume).presence()

    def device(self, volume: WantedVolume) -> str | None:
        zvol = self._zvol(volume)
        return zvol.parent.device(zvol.own) if zvol.own else None

    def size(self, volume: WantedVolume) -> int | None:
        zvol = self._zvol(volume)
        return zvol.own.size if zvol.own and zvol.parent.device(zvol.own) else None

    def allocated(self, volume: WantedVolume) -> int | None:
        seen = self._zvol(volume).own
        return seen.used - seen.of_snapshots if seen else None

    def formatted(self, volume: WantedVolume) -> bool:
        seen = self._zvol(volume).own
        return seen is not None and bool(seen.formatted)

    def record_formatted(self, volume: WantedVolume, kind: str) -> list[Step]:
        return [run("zfs", "set", f"{FORMATTED}={kind}", self._zvol(volume).path)]

    def take_down(self, volume: WantedVolume) -> list[Step]:
        return self._zvol(volume).take_down()

    def bring_up(self, volume: WantedVolume) -> list[Step]:
        return self._zvol(volume).bring_up() if volume.wanted and volume.active else []

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
        if of is None or not is_ours(of, self.cluster, snapshot.volume):
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

    def _zvol(self, volume: WantedVolume) -> Zvol:
        return Zvol(volume=volume, parent=self._parent(volume.pool), cluster=self.cluster, thin=self.thin)

    def _find(self, pool: str, uuid: str) -> Dataset | None:
        return snapshot_of_ours(self._parent(pool), self.cluster, uuid)

    def _snapshot_path(self, snapshot: WantedSnapshot) -> str:
        return f"{self._parent(snapshot.pool).at(snapshot.volume_name)}@{snapshot.snapshot}"
