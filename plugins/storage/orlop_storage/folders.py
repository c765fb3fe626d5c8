"""Look at the folders of file pools and at the loop devices on their files."""

import json
import posixpath
from collections.abc import Mapping
from typing import Any

import msgspec

from orlop.errors import CannotRead, CommandFailed, OrlopError
from orlop.model import Capacity, WantedPool
from orlop.model.cluster import Value
from orlop.plugin import UUID, FileFacts, Probe, RequireUnused, Step, run

FOLDER = "StorDriver/StorPoolName"
MARKER = ".orlop-pool"
Owner = tuple[str, str]  # uuids of cluster and pool; empty where a marker makes no sense
TRIES = 5
LOSETUP = (
    "losetup",
    "--list",
    "--json",
    "--output",
    "NAME,BACK-FILE,BACK-INO,BACK-MAJ:MIN,OFFSET,SIZELIMIT,RO,AUTOCLEAR",
)


class Loop(Value, frozen=True, kw_only=True):
    """A loop device. `whole`: it shows the whole file and can be written to. `going`: it was told to detach itself
    from its file as soon as nobody has it open; then its number may be somebody else's, so it is not told twice."""

    device: str
    file: str
    inode: int
    holder: str  # "major:minor" of what holds the file
    whole: bool
    going: bool = False


class Folder(Value, frozen=True, kw_only=True):
    """One pool's folder. With a `problem` nothing else in it counts."""

    path: str
    problem: str = ""
    exists: bool = False
    marked: bool = False
    files: Mapping[str, FileFacts] = {}
    loops: Mapping[int, list[Loop]] = {}  # by inode of the file
    sizes: Mapping[str, int] = {}  # bytes by loop device
    reflink: bool = False
    capacity: Capacity | None = None

    def at(self, name: str) -> str:
        return posixpath.join(self.path, name)

    def loops_of(self, name: str) -> list[Loop]:
        """By inode, since the path a loop device remembers may have got a new owner. On file systems whose volumes
        have numbers of their own (btrfs) only the path tells two files with one inode number apart."""
        seen = self.files.get(name)
        if seen is None:
            return []
        return [
            loop for loop in self.loops.get(seen.inode, ()) if loop.holder == seen.device or loop.file == self.at(name)
        ]

    def loop_of(self, name: str) -> Loop | None:
        """The one that shows the whole file; where there are several, one that stays."""
        return min((loop for loop in self.loops_of(name) if loop.whole), key=lambda loop: loop.going, default=None)

    def detach(self, name: str) -> list[Step]:
        """Nothing when no loop device is left: they have to be seen gone before the file is removed."""
        steps: list[Step] = []
        for loop in self.loops_of(name):
            steps.append(RequireUnused(device=loop.device))
            if not loop.going:
                steps.append(run("losetup", "--detach", loop.device))
        return steps


def look(probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Mapping[str, Folder]:
    try:
        loops = loop_devices(probe) if pools else ()
    except (CommandFailed, CannotRead) as error:
        return {pool.name: Folder(path=_path(pool), problem=str(error)) for pool in pools}
    living = frozenset((cluster, pool.uuid) for pool in pools)
    return {pool.name: _look(probe, pool, cluster, loops, living) for pool in pools}


def _look(probe: Probe, pool: WantedPool, cluster: str, loops: tuple[Loop, ...], living: frozenset[Owner]) -> Folder:
    path = _path(pool)
    try:
        mark = _owner(probe.read(posixpath.join(path, MARKER)))
        files = probe.files(path)
        if pool.new and _left_over(mark, cluster, files or {}, living):
            mark = None
        if problem := _problem(pool, cluster, path, mark, files is not None):
            return Folder(path=path, problem=problem, exists=files is not None)
        if files is None:
            return Folder(path=path)
        folder = Folder(
            path=path,
            exists=True,
            marked=mark is not None,
            files=files,
            reflink=probe.reflink(path),
            capacity=probe.space(path),
        )
        return _with_loops(probe, folder, loops)
    except OrlopError as error:
        return Folder(path=path, problem=str(error))


def _with_loops(probe: Probe, folder: Folder, loops: tuple[Loop, ...]) -> Folder:
    inodes = {seen.inode for seen in folder.files.values()}
    own: dict[int, list[Loop]] = {}
    sizes = {}
    for loop in loops:
        if loop.inode in inodes:
            own.setdefault(loop.inode, []).append(loop)
            if (size := _size(probe, loop.device)) is not None:
                sizes[loop.device] = size
    return Folder(
        path=folder.path,
        exists=True,
        marked=folder.marked,
        files=folder.files,
        loops=own,
        sizes=sizes,
        reflink=folder.reflink,
        capacity=folder.capacity,
    )


def _path(pool: WantedPool) -> str:
    return pool.props.get(FOLDER, "")


def _left_over(mark: Owner | None, cluster: str, files: Mapping[str, FileFacts], living: frozenset[Owner]) -> bool:
    """Whether a mark is of an earlier pool of this cluster that left nothing: only then a new pool may take over."""
    return (
        mark is not None
        and mark[0] == cluster
        and mark not in living
        and not any(UUID in seen.attributes for seen in files.values())
    )


def _problem(pool: WantedPool, cluster: str, path: str, mark: Owner | None, exists: bool) -> str:
    if not path:
        return f"pool {pool.name} has no property {FOLDER}"
    if mark is None:
        if pool.new:
            return ""
        what = "does not carry the mark of" if exists else "does not exist: it was the place of"
        return f"folder {path} {what} pool {pool.name}; is its file system mounted?"
    if mark != (cluster, pool.uuid):
        return f"folder {path} belongs to another pool or cluster: see the file {MARKER} in it"
    return ""


def _owner(mark: str | None) -> Owner | None:
    if mark is None:
        return None
    try:
        said = json.loads(mark)
        return str(said["cluster"]), str(said["pool"])
    except (ValueError, KeyError, TypeError):
        return "", ""


def loop_devices(probe: Probe) -> tuple[Loop, ...]:
    """A device that somebody takes down while losetup reads it lacks some of its facts: then it is asked again."""
    torn: list[str] = []
    for _ in range(TRIES):
        text = probe.run(LOSETUP)
        # Before util-linux 2.37 nothing at all was printed when there was no loop device.
        rows = msgspec.json.decode(text)["loopdevices"] if text.strip() else []
        open_rows = [row for row in rows if row["back-file"] or row["back-ino"] is not None]
        torn = [row["name"] for row in open_rows if None in row.values()]
        if not torn:
            return tuple(map(_loop, open_rows))
    raise CannotRead(f"losetup does not tell what is behind {', '.join(torn)}")


def _loop(row: Mapping[str, Any]) -> Loop:
    return Loop(
        device=row["name"],
        file=row["back-file"],
        inode=int(row["back-ino"]),
        holder=row["back-maj:min"].replace(" ", ""),
        whole=int(row["offset"]) == 0 and int(row["sizelimit"]) == 0 and not _set(row["ro"]),
        going=_set(row["autoclear"]),
    )


def _set(flag: bool | int | str) -> bool:
    """Before util-linux 2.33 flags were texts."""
    return flag not in (False, 0, "0")


def _size(probe: Probe, device: str) -> int | None:
    """What the kernel offers, which is less than the file between growing the file and telling the device."""
    sectors = probe.read(f"/sys/block/{posixpath.basename(device)}/size")
    return int(sectors) * 512 if sectors else None
