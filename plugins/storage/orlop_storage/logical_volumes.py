"""What the drivers of LVM have in common: identity by tags, names, pools, opening, closing, removing.

Identity, the cluster and whether a file system was made are tags of the logical volume, given in the command that
makes it, which LVM commits as one version of its metadata. What is half-made is called `.orlop-new-<uuid>`.
"""

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

from orlop.codes import Fail
from orlop.errors import BadName, NodeError, PoolUnavailable, Refused, WouldDestroy
from orlop.model import BackingObject, Capacity, Presence, WantedPool, WantedSnapshot, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import API_VERSION, CLUSTER, NEW_FILE, UUID, Probe, RequireUnused, Step, run
from orlop_storage.lvm_places import Place, places, warning
from orlop_storage.volume_groups import (
    FILLING,
    FORMATTED,
    KIND,
    OUR_FORM,
    POOL,
    LogicalVolume,
    VolumeGroup,
    is_ours,
    refuse_name,
    too_long,
)

EXTENT = 4 << 20  # bytes, LVM's default
NOTED = "StorDriver/internal/AllocationGranularity"  # KiB; what `extent` said when the pool was last seen
_TAG = re.compile(r"[A-Za-z0-9_+.-]+")


class LogicalVolumes(Value, frozen=True, kw_only=True):
    """What was seen of all pools of one kind."""

    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str]
    snapshots: ClassVar[bool] = True

    cluster: str
    config: str  # settings for every command
    places: Mapping[str, Place]  # by name of the pool

    @classmethod
    def granularity(cls, props: Mapping[str, str]) -> int:
        noted = props.get(NOTED, "")
        return int(noted) << 10 if noted.isdecimal() and int(noted) else EXTENT

    @classmethod
    def refuse_name(cls, name: str) -> str | None:
        return refuse_name(name) or too_long("", name) or None

    @classmethod
    def observe(cls, probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Self:
        found, config = places(probe, pools, cluster, cls.kind)
        return cls(cluster=cluster, config=config, places=found)

    # -- the pool ---------------------------------------------------------------------------------

    def pool_problem(self, pool: str) -> str:
        return self.places[pool].problem

    def pool_warning(self, pool: str) -> str:
        return warning(self.places[pool])

    def extent(self, pool: str) -> int:
        return self._group(pool).extent

    def pool_marked(self, pool: str) -> bool:
        return self.places[pool].marked

    def mark_pool(self, pool: WantedPool) -> list[Step]:
        place = self.places[pool.name]
        if not pool.new or place.marked or place.problem:
            return []
        old = [
            part
            for key in (CLUSTER, POOL, KIND)
            if key in place.tags
            for part in change_tag("del", key, place.tags[key])
        ]
        new = [
            *change_tag("add", CLUSTER, self.cluster),
            *change_tag("add", POOL, pool.uuid),
            *change_tag("add", KIND, self.kind),
        ]
        return [self._run("lvchange" if place.thin else "vgchange", *old, *new, place.name)]

    def capacity(self, pool: str) -> Capacity:
        group = self._group(pool)
        return Capacity(total=group.total, free=group.free)

    def objects(self, pool: str) -> tuple[BackingObject, ...]:
        return tuple(
            BackingObject(
                pool=pool,
                name=seen.name,
                uuid=seen.tags.get(UUID, ""),
                cluster=seen.tags.get(CLUSTER, ""),
                size=seen.size,
            )
            for seen in sorted(self._group(pool).volumes.values(), key=lambda seen: seen.name)
            if (UUID in seen.tags or OUR_FORM.fullmatch(seen.name)) and self._lies_in(pool, seen)
        )

    @abstractmethod
    def _lies_in(self, pool: str, seen: LogicalVolume) -> bool:
        """Whether an object is this pool's, or stands in its way."""

    # -- a volume ---------------------------------------------------------------------------------

    def presence(self, volume: WantedVolume) -> Presence:
        seen = self._seen(volume)
        if seen is None:
            return Presence.ABSENT if volume.new or not volume.wanted else Presence.MISSING
        if self._belongs(volume, seen):
            return Presence.READY if seen.active and FILLING not in seen.tags else Presence.HIDDEN
        return Presence.ABSENT if self._replaceable(volume, seen) else Presence.FOREIGN

    def device(self, volume: WantedVolume) -> str | None:
        seen = self._seen(volume)
        if seen is None or not seen.active or not is_ours(seen, self.cluster, volume.uuid):
            return None
        return self._group(volume.pool).path(seen.name)

    def size(self, volume: WantedVolume) -> int | None:
        seen = self._seen(volume)
        return seen.size if seen is not None and self.device(volume) else None

    def allocated(self, volume: WantedVolume) -> int | None:
        return self._allocated(volume.pool, volume.name, volume.uuid)

    def formatted(self, volume: WantedVolume) -> bool:
        seen = self._seen(volume)
        return seen is not None and is_ours(seen, self.cluster, volume.uuid) and FORMATTED in seen.tags

    def record_formatted(self, volume: WantedVolume, kind: str) -> list[Step]:
        return [self._run("lvchange", *change_tag("add", FORMATTED, kind), self._at(volume.pool, volume.name))]

    def take_down(self, volume: WantedVolume) -> list[Step]:
        seen = self._seen(volume)
        if seen is not None and self._replaceable(volume, seen) and volume.active:
            return self._make_way(volume, seen)
        if volume.wanted and volume.active:
            return []
        if seen is None or not self._belongs(volume, seen):
            return [] if volume.wanted else self._remove_drafts(volume)
        if volume.wanted:
            return self._close(volume.pool, seen)
        return [*self._remove_volume(volume, seen), *self._remove_drafts(volume)]

    def bring_up(self, volume: WantedVolume) -> list[Step]:
        if not volume.wanted or not volume.active:
            return []
        at, seen = self._at(volume.pool, volume.name), self._seen(volume)
        match self.presence(volume):
            case Presence.FOREIGN:
                raise WouldDestroy(
                    f"{at} is in the way: it does not carry the mark of volume {volume.uuid}",
                    correction="Rename it, or have it adopted.",
                )
            case Presence.MISSING:
                raise NodeError(
                    f"{at} is missing and is not made again by itself",
                    correction="If the data is lost for good, delete the replica and create it again.",
                )
            case Presence.ABSENT:
                self._check_name(volume.pool, volume.name)
                return self._make(volume)
        assert seen is not None
        if FILLING in seen.tags:
            raise NodeError(f"a rollback has begun to write over {at} and was not finished: roll back again")
        if seen.active:
            return [*self._remove_drafts(volume), *self._grow(volume, seen)]
        return [*self._grow(volume, seen), self._open(volume.pool, seen)]

    @abstractmethod
    def _make(self, volume: WantedVolume) -> list[Step]: ...

    @abstractmethod
    def _make_way(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]:
        """What comes before a rollback puts `volume` in place of `seen`."""

    @abstractmethod
    def _grow(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]: ...

    @abstractmethod
    def _allocated(self, pool: str, name: str, uuid: str) -> int | None: ...

    def _remove_volume(self, volume: WantedVolume, seen: LogicalVolume) -> list[Step]:
        return self._remove(volume.pool, seen)

    def _remove_drafts(self, volume: WantedVolume) -> list[Step]:
        """What a crash in the middle of making this incarnation left."""
        return self._remove_draft(volume.pool, volume.uuid)

    # -- a snapshot -------------------------------------------------------------------------------

    def snapshot_presence(self, snapshot: WantedSnapshot) -> Presence:
        seen = self._group(snapshot.pool).volumes.get(snapshot.name)
        if seen is None:
            return Presence.ABSENT if snapshot.new or not snapshot.wanted else Presence.MISSING
        return Presence.READY if is_ours(seen, self.cluster, snapshot.uuid) else Presence.FOREIGN

    def snapshot_allocated(self, snapshot: WantedSnapshot) -> int | None:
        return self._allocated(snapshot.pool, snapshot.name, snapshot.uuid)

    def snapshot_created(self, snapshot: WantedSnapshot) -> int | None:
        seen = self._group(snapshot.pool).volumes.get(snapshot.name)
        return seen.created if seen is not None and is_ours(seen, self.cluster, snapshot.uuid) else None

    def take_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        group, presence = self._group(snapshot.pool), self.snapshot_presence(snapshot)
        at = self._at(snapshot.pool, snapshot.name)
        if not snapshot.wanted:
            return []
        if presence is Presence.READY:
            if group.volumes[snapshot.name].invalid:
                raise NodeError(f"snapshot {at} ran out of space and has lost its content: delete it")
            return []
        if presence is not Presence.ABSENT:
            raise WouldDestroy(f"snapshot {at} is {presence.lower()}; it is not taken again")
        self._check_name(snapshot.pool, snapshot.name)
        origin = group.volumes.get(snapshot.volume_name)
        if origin is None or not is_ours(origin, self.cluster, snapshot.volume) or FILLING in origin.tags:
            origin_at = self._at(snapshot.pool, snapshot.volume_name)
            raise Refused(f"{origin_at} is not the volume that snapshot {snapshot.name} is of")
        return self._snapshot(snapshot, origin)

    @abstractmethod
    def _snapshot(self, snapshot: WantedSnapshot, origin: LogicalVolume) -> list[Step]: ...

    def remove_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        if self.snapshot_presence(snapshot) is not Presence.READY:
            return self._remove_draft(snapshot.pool, snapshot.uuid)
        return self._remove(snapshot.pool, self._group(snapshot.pool).volumes[snapshot.name])

    # -- shared -----------------------------------------------------------------------------------

    def _group(self, pool: str) -> VolumeGroup:
        place = self.places[pool]
        if place.problem:
            raise PoolUnavailable(place.problem)
        if not place.marked:
            raise PoolUnavailable(f"{place.name} does not carry the mark of pool {pool} yet")
        return place.group

    def _seen(self, volume: WantedVolume) -> LogicalVolume | None:
        return self._group(volume.pool).volumes.get(volume.name)

    def _belongs(self, volume: WantedVolume, seen: LogicalVolume) -> bool:
        """A volume that is removed before a rollback got to it is still the incarnation of before."""
        if not volume.wanted and volume.replaces is not None and is_ours(seen, self.cluster, volume.replaces):
            return True
        return is_ours(seen, self.cluster, volume.uuid)

    def _replaceable(self, volume: WantedVolume, seen: LogicalVolume) -> bool:
        if not (volume.wanted and volume.new and volume.source is not None and volume.replaces is not None):
            return False
        return is_ours(seen, self.cluster, volume.replaces)

    def _source(self, volume: WantedVolume) -> LogicalVolume:
        source = self._group(volume.pool).volumes.get(volume.source_name)
        if source is None or volume.source is None or not is_ours(source, self.cluster, volume.source):
            at = self._at(volume.pool, volume.source_name)
            raise Refused(f"{at} is not the snapshot that {volume.name} is filled from")
        if source.invalid:
            at = self._at(volume.pool, volume.source_name)
            raise Refused(f"snapshot {at} ran out of space and has lost its content")
        return source

    def _check_name(self, pool: str, name: str) -> None:
        group = self._group(pool).name
        if problem := refuse_name(name) or too_long(group, name):
            raise BadName(f"{group}/{name} cannot be made: {problem}", correction="Choose another or a shorter name.")

    def _require_room(self, pool: str, extents: int, what: str) -> None:
        group = self._group(pool)
        if extents * group.extent > group.free:
            raise Refused(
                f"no space left in volume group {group.name}: {what} takes {extents * group.extent} bytes, "
                f"{group.free} are free",
                code=Fail.NOT_ENOUGH_FREE_SPACE,
            )

    def _at(self, pool: str, name: str) -> str:
        return f"{self._group(pool).name}/{name}"

    def _run(self, program: str, *arguments: str) -> Step:
        return run(program, "--config", self.config, *arguments)

    def _open(self, pool: str, seen: LogicalVolume) -> Step:
        return self._run("lvchange", "--activate", "y", "--ignoreactivationskip", self._at(pool, seen.name))

    def _close(self, pool: str, seen: LogicalVolume) -> list[Step]:
        if not seen.active:
            return []
        path = self._group(pool).path(seen.name)
        return [RequireUnused(device=path), self._run("lvchange", "--activate", "n", self._at(pool, seen.name))]

    def _remove(self, pool: str, seen: LogicalVolume) -> list[Step]:
        """LVM closes what it removes, and refuses where it is open. It would take thick snapshots along: the selection,
        judged under LVM's own lock, leaves an origin and anything that got another mark meanwhile alone."""
        unused: list[Step] = [RequireUnused(device=self._group(pool).path(seen.name))] if seen.active else []
        mine = f'lv_tags={{"{UUID}={_checked(seen.tags[UUID])}"}} && lv_role!=thickorigin'
        return [*unused, self._run("lvremove", "--yes", "--select", mine, self._at(pool, seen.name))]

    def _remove_draft(self, pool: str, uuid: str) -> list[Step]:
        seen = self._draft(pool, uuid)
        return self._remove(pool, seen) if seen is not None else []

    def _draft(self, pool: str, uuid: str) -> LogicalVolume | None:
        seen = self._group(pool).volumes.get(NEW_FILE + uuid)
        return seen if seen is not None and is_ours(seen, self.cluster, uuid) else None

    def _named(self, name: str, uuid: str, source: LogicalVolume | None = None) -> tuple[str, ...]:
        """Name and tags of what is made; its file system is that of what it is made from."""
        tags = [*change_tag("add", CLUSTER, self.cluster), *change_tag("add", UUID, uuid)]
        if source is not None and FORMATTED in source.tags:
            tags += change_tag("add", FORMATTED, source.tags[FORMATTED])
        return "--name", name, *tags


def change_tag(what: str, key: str, value: str) -> list[str]:
    """`what` is "add" or "del"."""
    return [f"--{what}tag", f"{key}={_checked(value)}"]


def _checked(value: str) -> str:
    if not _TAG.fullmatch(value):
        raise BadName(f"{value!r} cannot be a tag of LVM")
    return value
