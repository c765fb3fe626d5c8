"""Volumes as files of a folder, on loop devices. FILE allocates every block, FILE_THIN none.

Identity is in extended attributes. `losetup -d` answers 0 on a device in use and merely detaches it later, so a
device must be proved unused first and be seen gone before its file is removed.
"""

import json
import re
from collections.abc import Mapping
from typing import ClassVar, Self

from orlop.errors import BadProperty, NodeError, PoolUnavailable, Refused, WouldDestroy
from orlop.model import BackingObject, Capacity, Presence, WantedPool, WantedSnapshot, WantedVolume
from orlop.model.cluster import Value
from orlop.plugin import (
    API_VERSION,
    CLUSTER,
    CREATED,
    NEW_FILE,
    UUID,
    CreateFile,
    FileFacts,
    LongCopy,
    Probe,
    RemoveFile,
    RequireUnused,
    ResizeFile,
    SetAttributes,
    Step,
    WriteFile,
    run,
)
from orlop_storage import taken_files
from orlop_storage.folders import FOLDER, MARKER, Folder, look

OLD_FOLDER = "StorDriver/FileDir"
FORMATTED = "orlop.formatted"
OUR_FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*_[0-9]{5}(\.[A-Za-z0-9_-]+)?")


class File(Value, frozen=True, kw_only=True):
    """What was seen of all pools of this kind."""

    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "FILE"
    thin: ClassVar[bool] = False
    snapshots: ClassVar[bool] = True
    programs: ClassVar[tuple[str, ...]] = ("losetup",)
    options: ClassVar[frozenset[str]] = frozenset()

    cluster: str
    folders: Mapping[str, Folder]  # by name of the pool

    @classmethod
    def check_pool(cls, props: Mapping[str, str]) -> Mapping[str, str]:
        """One spelling for a folder. With `..` that is not possible: what it means depends on links on the node."""
        path = props.get(FOLDER) or props.get(OLD_FOLDER) or ""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if not path.startswith("/") or not parts or ".." in parts or not path.isprintable():
            raise BadProperty(
                f"{FOLDER} must name a folder by its absolute path without '..', not {path!r}",
                correction="For example /srv/orlop; the folder is made on the node if it does not exist.",
            )
        rest = {name: value for name, value in props.items() if name != OLD_FOLDER}
        return {**rest, FOLDER: "/" + "/".join(parts)}

    @classmethod
    def granularity(cls, props: Mapping[str, str]) -> int:
        return 4096

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        return

    @classmethod
    def refuse_name(cls, name: str) -> str | None:
        return None

    @classmethod
    def observe(cls, probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Self:
        return cls(cluster=cluster, folders=look(probe, pools, cluster))

    # -- the pool ---------------------------------------------------------------------------------

    def pool_problem(self, pool: str) -> str:
        return self.folders[pool].problem

    def pool_warning(self, pool: str) -> str:
        return ""

    def extent(self, pool: str) -> int:
        return self.granularity({})

    def pool_marked(self, pool: str) -> bool:
        return self.folders[pool].marked

    def mark_pool(self, pool: WantedPool) -> list[Step]:
        folder = self.folders[pool.name]
        if not pool.new or folder.marked or folder.problem:
            return []
        mark = json.dumps({"cluster": self.cluster, "pool": pool.uuid})
        make = [] if folder.exists else [run("mkdir", "--parents", folder.path)]
        return [*make, WriteFile(path=folder.at(MARKER), content=mark + "\n")]

    def capacity(self, pool: str) -> Capacity:
        capacity = self._folder(pool).capacity
        if capacity is None:
            raise PoolUnavailable(f"the size of pool {pool} is not known")
        return capacity

    def objects(self, pool: str) -> tuple[BackingObject, ...]:
        return tuple(
            taken_files.described(pool, name, seen)
            for name, seen in sorted(self._folder(pool).files.items())
            if UUID in seen.attributes or OUR_FORM.fullmatch(name)
        )

    def found(self, pool: str, name: str) -> BackingObject | None:
        return taken_files.found(self._folder(pool), pool, name)

    def device_of(self, found: BackingObject) -> str | None:
        loop = self._folder(found.pool).loop_of(found.name)
        return loop.device if loop else None

    def adopt(self, found: BackingObject, volume: WantedVolume) -> list[Step]:
        return taken_files.adopt(self._folder(found.pool), self.cluster, found, volume)

    def discard(self, found: BackingObject, mark: str) -> list[Step]:
        return taken_files.discard(self._folder(found.pool), found)

    # -- a volume ---------------------------------------------------------------------------------

    def presence(self, volume: WantedVolume) -> Presence:
        seen = self._folder(volume.pool).files.get(volume.name)
        if seen is None:
            return Presence.ABSENT if volume.new or not volume.wanted else Presence.MISSING
        if self._belongs(volume, seen):
            return Presence.READY if self.device(volume) else Presence.HIDDEN
        return Presence.ABSENT if self._replaceable(volume, seen) else Presence.FOREIGN

    def device(self, volume: WantedVolume) -> str | None:
        folder = self._folder(volume.pool)
        seen = folder.files.get(volume.name)
        if seen is None or not self._is(seen, volume.uuid):
            return None
        loop = folder.loop_of(volume.name)
        return loop.device if loop else None

    def size(self, volume: WantedVolume) -> int | None:
        device = self.device(volume)
        return self._folder(volume.pool).sizes.get(device) if device else None

    def allocated(self, volume: WantedVolume) -> int | None:
        return self._allocated(volume.pool, volume.name, volume.uuid)

    def formatted(self, volume: WantedVolume) -> bool:
        seen = self._folder(volume.pool).files.get(volume.name)
        return seen is not None and self._is(seen, volume.uuid) and bool(seen.attributes.get(FORMATTED))

    def record_formatted(self, volume: WantedVolume, kind: str) -> list[Step]:
        return [SetAttributes(path=self._folder(volume.pool).at(volume.name), attributes={FORMATTED: kind})]

    def take_down(self, volume: WantedVolume) -> list[Step]:
        folder = self._folder(volume.pool)
        seen = folder.files.get(volume.name)
        if seen is not None and self._replaceable(volume, seen) and volume.active:
            self._source(volume)  # without it the old one stays up
            return folder.detach(volume.name)
        if volume.wanted and volume.active:
            return []
        if seen is None or not self._belongs(volume, seen):
            return [] if volume.wanted else self._remove_draft(folder, volume.uuid)
        if detach := folder.detach(volume.name):
            return detach
        if volume.wanted:
            return []
        return [RemoveFile(path=folder.at(volume.name)), *self._remove_draft(folder, volume.uuid)]

    def bring_up(self, volume: WantedVolume) -> list[Step]:
        if not volume.wanted or not volume.active:
            return []
        folder, presence = self._folder(volume.pool), self.presence(volume)
        path = folder.at(volume.name)
        attach = run("losetup", "--find", "--show", "--nooverlap", path)
        match presence:
            case Presence.FOREIGN:
                raise WouldDestroy(
                    f"{path} is in the way: it does not carry the mark of volume {volume.uuid}",
                    correction="Move it away, or have it adopted.",
                )
            case Presence.MISSING:
                raise NodeError(
                    f"{path} is missing and is not made again by itself",
                    correction="If the data is lost for good, delete the replica and create it again.",
                )
            case Presence.ABSENT:
                return [self._make(volume), attach]
            case Presence.HIDDEN:
                return [*self._grow(volume), attach]
            case Presence.READY:
                loop = folder.loop_of(volume.name)
                stay = [attach] if loop and loop.going else []  # losetup takes the same device and keeps it
                return [*self._remove_draft(folder, volume.uuid), *self._grow(volume), *stay]

    def _make(self, volume: WantedVolume) -> Step:
        folder = self._folder(volume.pool)
        path, marks = folder.at(volume.name), self._marks(volume.uuid)
        if volume.source is None:
            return CreateFile(path=path, size=volume.size, attributes=marks, sparse=self.thin)
        source = self._source(volume)
        return LongCopy(
            source=folder.at(volume.source_name),
            target=path,
            attributes=marks | _formatted(source),
            size=max(volume.size, source.size),
            replaces=volume.replaces,
            sparse=self.thin,
        )

    def _grow(self, volume: WantedVolume) -> list[Step]:
        folder = self._folder(volume.pool)
        path, seen, device = folder.at(volume.name), folder.files[volume.name], self.device(volume)
        steps: list[Step] = []
        if seen.size < volume.size:
            steps.append(ResizeFile(path=path, size=volume.size, sparse=self.thin))
        size = max(seen.size, volume.size)
        if device and folder.sizes.get(device, 0) < size // 512 * 512:
            steps.append(run("losetup", "--set-capacity", device))
        return steps

    # -- a snapshot -------------------------------------------------------------------------------

    def snapshot_presence(self, snapshot: WantedSnapshot) -> Presence:
        seen = self._folder(snapshot.pool).files.get(snapshot.name)
        if seen is None:
            return Presence.ABSENT if snapshot.new or not snapshot.wanted else Presence.MISSING
        return Presence.READY if self._is(seen, snapshot.uuid) else Presence.FOREIGN

    def snapshot_allocated(self, snapshot: WantedSnapshot) -> int | None:
        return self._allocated(snapshot.pool, snapshot.name, snapshot.uuid)

    def snapshot_created(self, snapshot: WantedSnapshot) -> int | None:
        seen = self._folder(snapshot.pool).files.get(snapshot.name)
        if seen is None or not self._is(seen, snapshot.uuid):
            return None
        created = seen.attributes.get(CREATED, "")
        return int(created) if created.isdecimal() else None

    def take_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        folder, presence = self._folder(snapshot.pool), self.snapshot_presence(snapshot)
        if presence is Presence.READY or not snapshot.wanted:
            return []
        if presence is not Presence.ABSENT:
            raise WouldDestroy(f"snapshot {folder.at(snapshot.name)} is {presence.lower()}; it is not taken again")
        seen = folder.files.get(snapshot.volume_name)
        if seen is None or not self._is(seen, snapshot.volume):
            raise Refused(f"{folder.at(snapshot.volume_name)} is not the volume that snapshot {snapshot.name} is of")
        copy = LongCopy(
            source=folder.at(snapshot.volume_name),
            target=folder.at(snapshot.name),
            attributes=self._marks(snapshot.uuid) | _formatted(seen),
            size=seen.size,
            reflink_only=folder.reflink,
            sparse=True,
        )
        if folder.reflink:
            return [copy]
        loops = folder.loops_of(snapshot.volume_name)
        return [*(RequireUnused(device=loop.device) for loop in loops), copy]

    def remove_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        folder = self._folder(snapshot.pool)
        if self.snapshot_presence(snapshot) is not Presence.READY:
            return self._remove_draft(folder, snapshot.uuid)
        return folder.detach(snapshot.name) or [RemoveFile(path=folder.at(snapshot.name))]

    # -- shared -----------------------------------------------------------------------------------

    def _folder(self, pool: str) -> Folder:
        folder = self.folders[pool]
        if folder.problem:
            raise PoolUnavailable(folder.problem)
        if not folder.marked:
            raise PoolUnavailable(f"folder {folder.path} does not carry the mark of pool {pool} yet")
        return folder

    def _is(self, seen: FileFacts, uuid: str) -> bool:
        return seen.attributes.get(UUID) == uuid and seen.attributes.get(CLUSTER) == self.cluster

    def _belongs(self, volume: WantedVolume, seen: FileFacts) -> bool:
        """A volume that is removed before a rollback got to it is still the incarnation of before."""
        if not volume.wanted and volume.replaces is not None and self._is(seen, volume.replaces):
            return True
        return self._is(seen, volume.uuid)

    def _replaceable(self, volume: WantedVolume, seen: FileFacts) -> bool:
        return (
            volume.wanted
            and volume.new
            and volume.source is not None
            and volume.replaces is not None
            and self._is(seen, volume.replaces)
        )

    def _source(self, volume: WantedVolume) -> FileFacts:
        folder = self._folder(volume.pool)
        source = folder.files.get(volume.source_name)
        if source is None or volume.source is None or not self._is(source, volume.source):
            raise Refused(f"{folder.at(volume.source_name)} is not the snapshot that {volume.name} is filled from")
        return source

    def _marks(self, uuid: str) -> dict[str, str]:
        return {CLUSTER: self.cluster, UUID: uuid}

    def _allocated(self, pool: str, name: str, uuid: str) -> int | None:
        seen = self._folder(pool).files.get(name)
        return seen.allocated if seen is not None and self._is(seen, uuid) else None

    @staticmethod
    def _remove_draft(folder: Folder, uuid: str) -> list[Step]:
        """What a crash in the middle of making this incarnation left."""
        name = NEW_FILE + uuid
        return [RemoveFile(path=folder.at(name))] if name in folder.files else []


class FileThin(File, frozen=True, kw_only=True):
    kind: ClassVar[str] = "FILE_THIN"
    thin: ClassVar[bool] = True

    def reads_zeros(self, pool: str) -> bool:
        """What is not in a sparse file reads as zeros."""
        return True


def _formatted(seen: FileFacts) -> dict[str, str]:
    kind = seen.attributes.get(FORMATTED)
    return {FORMATTED: kind} if kind else {}
