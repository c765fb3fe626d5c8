"""Logical volumes that an administrator has made volumes of ours, or removed, by naming them."""

from __future__ import annotations

from orlop.errors import Refused, WouldDestroy
from orlop.model import BackingObject, WantedVolume
from orlop.plugin import CLUSTER, NEW_FILE, UUID, RequireUnused, Step
from orlop_storage.logical_volumes import LogicalVolumes, change_tag
from orlop_storage.volume_groups import FILLING, LogicalVolume


class TakenVolumes(LogicalVolumes, frozen=True, kw_only=True):
    """Only for kinds whose volumes are one object: nothing else would have to be marked with it."""

    def found(self, pool: str, name: str) -> BackingObject | None:
        seen = self._group(pool).volumes.get(name)
        if seen is None or not self._lies_in(pool, seen):
            return None
        return BackingObject(
            pool=pool, name=name, uuid=seen.tags.get(UUID, ""), cluster=seen.tags.get(CLUSTER, ""), size=seen.size
        )

    def device_of(self, found: BackingObject) -> str | None:
        group = self._group(found.pool)
        return group.path(found.name) if group.volumes[found.name].active else None

    def adopt(self, found: BackingObject, volume: WantedVolume) -> list[Step]:
        """The mark comes first: cut in between, it is an orphan that says what it was to become."""
        seen = self._group(found.pool).volumes[found.name]
        at = self._at(found.pool, found.name)
        self._refuse_unfit(found.pool, seen)
        if found.name != volume.name:
            self._check_name(found.pool, volume.name)
            if volume.name in self._group(found.pool).volumes:
                raise WouldDestroy(f"{self._at(found.pool, volume.name)} exists already; it was left as it is")
        if (found.cluster, found.uuid) != (self.cluster, volume.uuid):
            return [*self._unused(found.pool, seen), self._mark(at, seen, volume.uuid)]
        return [self._run("lvrename", at, self._at(found.pool, volume.name))] if found.name != volume.name else []

    def discard(self, found: BackingObject, mark: str) -> list[Step]:
        """What bears no mark gets one first, since LVM removes by the mark what is still the same."""
        group = self._group(found.pool)
        seen, at = group.volumes[found.name], self._at(found.pool, found.name)
        if dependants := [other.name for other in group.snapshots_of(seen.name)]:
            raise Refused(f"{at} has snapshots: {', '.join(dependants)}", correction="Remove them first.")
        if seen.is_thin_pool:
            raise Refused(f"{at} is a thin pool", correction="Remove it with lvremove if nothing in it is needed.")
        if not found.uuid:
            return [*self._unused(found.pool, seen), self._mark(at, seen, mark)]
        return self._remove(found.pool, seen)

    def _refuse_unfit(self, pool: str, seen: LogicalVolume) -> None:
        at = self._at(pool, seen.name)
        why = ""
        if seen.is_thin_pool:
            why = "it is a thin pool"
        elif seen.origin and not seen.pool:
            why = f"it is a snapshot of {seen.origin} and cannot be without it"
        elif seen.name.startswith(NEW_FILE) or FILLING in seen.tags:
            why = "it was never finished: it holds no whole volume"
        elif seen.invalid:
            why = "it is a snapshot that ran out of space and has lost its content"
        if why:
            raise Refused(f"{at} can be no volume: {why}")

    def _unused(self, pool: str, seen: LogicalVolume) -> list[Step]:
        return [RequireUnused(device=self._group(pool).path(seen.name))] if seen.active else []

    def _mark(self, at: str, seen: LogicalVolume, uuid: str) -> Step:
        old = [part for key in (CLUSTER, UUID) if key in seen.tags for part in change_tag("del", key, seen.tags[key])]
        new = [*change_tag("add", CLUSTER, self.cluster), *change_tag("add", UUID, uuid)]
        return self._run("lvchange", *old, *new, at)
