"""What the datasets of simulated zpools take. Blocks are shared until somebody writes: the different ones count."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from orlop.testing.disk import BLOCK, SimulatedFile

UNSET = "-"


@dataclass
class Zpool:
    size: int
    devices: tuple[str, ...] = ()
    health: str = "ONLINE"


@dataclass
class Dataset:
    """A file system, a volume or a snapshot; `file` holds the blocks. `props` are the ones set on itself."""

    kind: str
    guid: int
    txg: int
    created: int
    props: dict[str, str]
    file: SimulatedFile
    origin: str = ""
    block: int = 0
    reservation: int = 0
    deferred: bool = False

    @property
    def blocks(self) -> set[int]:
        return {id(data) for data in self.file.blocks.values()}


def above(path: str) -> str:
    """The dataset that a dataset or snapshot lies in; empty for a whole zpool."""
    return path[: max(path.rfind("/"), path.rfind("@"), 0)]


def zpool_of(path: str) -> str:
    return re.split("[/@]", path, maxsplit=1)[0]


@dataclass
class Room:
    """One look. Bytes."""

    zpools: Mapping[str, Zpool]
    datasets: Mapping[str, Dataset]
    snapshots: dict[str, list[str]] = field(default_factory=dict)  # oldest first, by path of the volume
    clones: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._holders: Counter[int] = Counter()
        for path, seen in sorted(self.datasets.items(), key=lambda item: item[1].txg):
            self._holders.update(seen.blocks)
            if "@" in path:
                self.snapshots.setdefault(above(path), []).append(path)
            if seen.origin:
                self.clones.setdefault(seen.origin, []).append(path)
        self._taken: Counter[str] = Counter()
        for path, seen in self.datasets.items():
            self._taken[zpool_of(path)] += max(0, seen.reservation - self.written(path)) if seen.reservation else 0
        blocks: dict[str, set[int]] = {}
        for path, seen in self.datasets.items():
            blocks.setdefault(zpool_of(path), set()).update(seen.blocks)
        self._taken.update({zpool: len(own) * BLOCK for zpool, own in blocks.items()})

    def taken(self, zpool: str) -> int:
        return self._taken[zpool]

    def free(self, path: str) -> int:
        zpool = zpool_of(path)
        return max(0, self.zpools[zpool].size - self._taken[zpool])

    def only(self, *paths: str) -> int:
        """What nothing else holds."""
        own: Counter[int] = Counter()
        for path in paths:
            own.update(self.datasets[path].blocks)
        return sum(1 for block, held in own.items() if held == self._holders[block]) * BLOCK

    def written(self, name: str) -> int:
        """To a volume since its newest snapshot, or the one it was cloned from."""
        seen = self.datasets[name]
        before = self.snapshots.get(name, [])[-1:] or [path for path in [seen.origin] if path]
        known = self.datasets[before[0]].blocks if before else set()
        return len(seen.blocks - known) * BLOCK

    def column(self, path: str, column: str) -> str:
        """One cell of `zfs list -p`."""
        seen = self.datasets[path]
        if ":" in column:
            return self._handed_down(path, column)
        known: dict[str, object] = {"name": path, "type": seen.kind, "guid": seen.guid, "creation": seen.created}
        known |= {"createtxg": seen.txg}
        if seen.kind == "filesystem":
            known |= {"used": self.taken(zpool_of(path)), "available": self.free(path), "usedbysnapshots": 0}
            known |= {"refreservation": 0, "volmode": "default", "written": 24576, **seen.props}
        elif seen.kind == "volume":
            known |= self._volume(path, seen)
        else:
            known |= {"used": self.only(path), "volsize": seen.file.size, "written": 0}
            known |= {"clones": ",".join(self.clones.get(path, [])), "defer_destroy": "on" if seen.deferred else "off"}
        return str(known.get(column) or 0 if column == "used" else known.get(column, UNSET))

    def _volume(self, path: str, seen: Dataset) -> dict[str, object]:
        of_snapshots = self.only(*self.snapshots.get(path, []))
        return {
            "used": max(self.only(path), seen.reservation) + of_snapshots,
            "available": self.free(path),
            "usedbysnapshots": of_snapshots,
            "volsize": seen.file.size,
            "volblocksize": seen.block,
            "refreservation": seen.reservation,
            "volmode": seen.props.get("volmode", "default"),
            "written": self.written(path),
        }

    def _handed_down(self, path: str, column: str) -> str:
        while path:
            if column in self.datasets[path].props:
                return self.datasets[path].props[column]
            path = above(path)
        return UNSET
