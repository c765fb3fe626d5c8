"""One volume as a zvol, step by step: made, filled, opened, grown, closed, removed."""

from collections.abc import Mapping

from orlop.errors import NodeError, Refused, WouldDestroy
from orlop.model import Presence, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import RequireUnused, Step, run
from orlop_storage import zfs_options
from orlop_storage.datasets import DELETED, DRAFT, FORMATTED, NONE, VOLUME, Dataset, Owner, Parent
from orlop_storage.zfs_options import DELETE_STRATEGY, ROLLBACK_STRATEGY, block_size, strategy

SETTLE = run("udevadm", "settle", "--timeout=30")  # links come and go a little after their devices


class Zvol(Value, frozen=True, kw_only=True):
    """A volume as it is wanted, and its pool as it was seen. `thin`: without a reservation."""

    volume: WantedVolume
    parent: Parent
    cluster: str
    thin: bool

    @property
    def seen(self) -> Dataset | None:
        """Whatever has its name."""
        return self.parent.children.get(self.volume.name)

    @property
    def own(self) -> Dataset | None:
        seen = self.seen
        return seen if seen is not None and self._is(seen, self.volume.uuid) else None

    @property
    def path(self) -> str:
        return self.parent.at(self.volume.name)

    def presence(self) -> Presence:
        seen, volume = self.seen, self.volume
        if seen is None:
            return Presence.ABSENT if volume.new or not volume.wanted else Presence.MISSING
        if self._belongs(seen):
            return Presence.READY if self.parent.device(seen) else Presence.HIDDEN
        return Presence.ABSENT if self._replaceable(seen) else Presence.FOREIGN

    def take_down(self) -> list[Step]:
        seen, volume = self.seen, self.volume
        if seen is not None and self._replaceable(seen) and volume.active:
            self._source()  # without it the old one stays up
            return self._close(seen)
        if volume.wanted and volume.active:
            return []
        if seen is None or not self._belongs(seen):
            draft = None if volume.wanted else self._draft()
            return self._destroy(draft) if draft else []
        return self._close(seen) if volume.wanted else self._remove(seen)

    def bring_up(self) -> list[Step]:
        match self.presence():
            case Presence.FOREIGN:
                raise WouldDestroy(
                    f"{self.path} is in the way: it does not carry the mark of volume {self.volume.uuid}",
                    correction="Rename it, or have it adopted.",
                )
            case Presence.MISSING:
                raise NodeError(
                    f"{self.path} is missing and is not made again by itself",
                    correction="If the data is lost for good, delete the replica and create it again.",
                )
            case Presence.ABSENT:
                return self._make()
            case Presence.HIDDEN:
                return [*self._set(opened=True), SETTLE]
            case Presence.READY:
                return self._set()

    # -- making -----------------------------------------------------------------------------------

    def _make(self) -> list[Step]:
        if self.volume.source is None:
            words = zfs_options.for_volume(self._options)
            block = block_size(self._options) or self.parent.extent
            sparse = ["-s"] if self.thin else []
            marks = ["-o", f"volblocksize={block}", "-o", "volmode=dev", "-o", self._mark()]
            size = str(_rounded(self.volume.size, block))
            return [run("zfs", "create", *sparse, *words, *marks, "-V", size, self.path), SETTLE]
        draft, old = self._draft(), self.seen
        if old is not None:
            return self._exchange(old, draft)
        return [run("zfs", "rename", draft.path, self.path) if draft else self._clone(self.path), SETTLE]

    def _exchange(self, old: Dataset, draft: Dataset | None) -> list[Step]:
        """A rollback. The uuid is the last thing to change; whatever was cut before is simply done again."""
        parent, source = self.parent, self._source()
        how = strategy(self._options, ROLLBACK_STRATEGY)
        if draft is None and how != "Clone" and parent.snapshots_of(old)[-1:] == [source]:
            return [run("zfs", "rollback", source.path), self._renew(source), SETTLE]
        if how == "Rollback":
            raise Refused(
                f"{source.path} is not the newest snapshot of {old.path}, so ZFS would destroy the newer ones",
                correction=f"Remove those, or set {ROLLBACK_STRATEGY} to Dynamic or Clone.",
            )
        name = parent.at(self.volume.name + DRAFT + self.volume.uuid)
        make = [] if draft else [self._clone(name)]
        away = parent.at(self.volume.name + DELETED + old.owner.uuid)
        return [*make, run("zfs", "rename", old.path, away), run("zfs", "rename", name, old.path), SETTLE]

    def _renew(self, source: Dataset) -> Step:
        """The size has gone back, too, but not the room that was reserved."""
        reserve = [] if self.thin else ["refreservation=auto"]
        kind = f"{FORMATTED}={source.formatted or NONE}"
        return run("zfs", "set", *reserve, "volmode=dev", kind, self._mark(), self.path)

    def _clone(self, path: str) -> Step:
        source = self._source()
        marks = ["-o", "volmode=dev", "-o", self._mark()]
        kind = ["-o", f"{FORMATTED}={source.formatted}"] if source.formatted else []
        reserve = [] if self.thin else ["-o", "refreservation=auto"]
        words = zfs_options.for_volume(self._options)
        return run("zfs", "clone", *words, *reserve, *marks, *kind, source.path, path)

    def _set(self, opened: bool = False) -> list[Step]:
        """Grow and open."""
        seen = self.parent.children[self.volume.name]
        size = _rounded(self.volume.size, seen.block or 1)
        values = [f"volsize={size}"] if size > seen.size else []
        if values and not self.thin:
            values.append("refreservation=auto")
        if opened and seen.hidden:
            values.append("volmode=dev")
        return [run("zfs", "set", *values, seen.path)] if values else []

    # -- closing and removing ---------------------------------------------------------------------

    def _close(self, seen: Dataset) -> list[Step]:
        """A device in use stays although it should be hidden, and nobody is told."""
        link = self.parent.link(seen)
        if seen.hidden and link is None:
            return []
        guard = [RequireUnused(device=link)] if link else []
        return [*guard, run("zfs", "set", "volmode=none", seen.path), SETTLE]

    def _remove(self, seen: Dataset) -> list[Step]:
        dependants = self.parent.snapshots_of(seen)
        how = strategy(self._options, DELETE_STRATEGY)
        if not dependants and how != "Rename":
            return self._destroy(seen)
        if how == "Delete":
            raise Refused(
                f"{seen.path} has snapshots: {', '.join(s.name for s in dependants)}",
                correction=f"Remove them first, or set {DELETE_STRATEGY} to Dynamic.",
            )
        away = self.parent.at(self.volume.name + DELETED + seen.owner.uuid)
        return self._close(seen) or [run("zfs", "rename", seen.path, away)]

    def _destroy(self, seen: Dataset) -> list[Step]:
        link = self.parent.link(seen)
        return [*([RequireUnused(device=link)] if link else []), run("zfs", "destroy", seen.path)]

    # -- whose is what ----------------------------------------------------------------------------

    def _is(self, seen: Dataset, uuid: str | None) -> bool:
        return is_ours(seen, self.cluster, uuid)

    def _belongs(self, seen: Dataset) -> bool:
        """A volume that is removed before a rollback got to it is still the incarnation of before."""
        volume = self.volume
        return self._is(seen, volume.uuid) or (not volume.wanted and self._is(seen, volume.replaces))

    def _replaceable(self, seen: Dataset) -> bool:
        volume = self.volume
        return volume.wanted and volume.new and volume.source is not None and self._is(seen, volume.replaces)

    def _draft(self) -> Dataset | None:
        seen = self.parent.children.get(self.volume.name + DRAFT + self.volume.uuid)
        return seen if seen is not None and self._is(seen, self.volume.uuid) else None

    def _source(self) -> Dataset:
        source = snapshot_of_ours(self.parent, self.cluster, self.volume.source)
        if source is None:
            name = self.volume.name
            raise Refused(f"snapshot {self.volume.source_name}, which {name} is filled from, is not there")
        return source

    def _mark(self) -> str:
        return f"{VOLUME}={Owner(self.cluster, self.volume.uuid)}"

    @property
    def _options(self) -> Mapping[str, str]:
        return self.volume.levels[-1].options


def is_ours(seen: Dataset, cluster: str, uuid: str | None) -> bool:
    return bool(uuid) and (seen.owner.uuid, seen.owner.cluster) == (uuid, cluster)


def snapshot_of_ours(parent: Parent, cluster: str, uuid: str | None) -> Dataset | None:
    """Wherever it is: its volume may have been replaced or removed since."""
    found = (seen for seen in parent.snapshots if is_ours(seen, cluster, uuid))
    return next((seen for seen in found if not seen.deleted), None)


def _rounded(size: int, block: int) -> int:
    return -(-size // block) * block
