"""ZFS on a simulated node: what `zfs`, `zpool`, `find /dev` and `udevadm settle` show and do there.

Links below /dev/zvol come and go with `settle` only, as late as udev can be. Messages are those of version 2.1.11.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from getopt import getopt

from orlop.errors import CommandFailed, NodeError
from orlop.model import GIB
from orlop.plugin import UUID
from orlop.testing.disk import Disk, SimulatedFile
from orlop.testing.zfs_room import Dataset, Room, Zpool, above, zpool_of

VERSION = "/sys/module/zfs/version"
DEFAULT_BLOCK = 8192


@dataclass
class Minor:
    """An open device. Its size is what the kernel was told last."""

    number: int
    size: int


@dataclass
class SimulatedZfs:
    disk: Disk
    clock: Callable[[], float]
    zpools: dict[str, Zpool] = field(default_factory=dict)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    minors: dict[str, Minor] = field(default_factory=dict)
    links: dict[str, int] = field(default_factory=dict)
    changes: int = 0
    version: str = "2.1.11-1"

    def __post_init__(self) -> None:
        self._lock = threading.RLock()  # a satellite with threads has several hands here

    def programs(self) -> Mapping[str, Callable[[Disk, tuple[str, ...]], str]]:
        return {
            "zfs": lambda disk, arguments: self._run("zfs", arguments),
            "zpool": lambda disk, arguments: self._run("zpool", arguments),
            "find": lambda disk, arguments: "".join(f"{a}\t../../zd{n}\n" for a, n in sorted(self.links.items())),
            "udevadm": lambda disk, arguments: "252\n" if arguments == ("--version",) else self.settle(),
        }

    def read(self, path: str) -> str | None:
        """Files of the kernel that tell of ZFS."""
        if path == VERSION:
            return self.version + "\n"
        sizes = {f"/sys/block/zd{minor.number}/size": minor.size for minor in self.minors.values()}
        return f"{sizes[path] // 512}\n" if path in sizes else None

    def make(self, name: str, size: int = 100 * GIB, devices: tuple[str, ...] = (), **props: str) -> None:
        """A zpool, or a file system dataset in one."""
        if "/" not in name:
            self.zpools[name] = Zpool(size, devices)
        self._put(name, "filesystem", SimulatedFile(inode=0), dict(props))

    def boot(self) -> None:
        """Volumes get their devices by themselves."""
        self.minors.clear()
        self.links.clear()
        for name, seen in self.datasets.items():
            if seen.kind == "volume":
                self._appear(name)
        self.settle()

    def settle(self) -> str:
        self.links = {f"/dev/zvol/{name}": minor.number for name, minor in self.minors.items()}
        for link in [link for link in self.disk.opened if link.startswith("/dev/zvol/")]:
            del self.disk.opened[link]
        for name in self.minors:
            self.disk.opened[f"/dev/zvol/{name}"] = self.datasets[name].file
        return ""

    # -- programs ---------------------------------------------------------------------------------

    def _run(self, program: str, arguments: tuple[str, ...]) -> str:
        if arguments == ("--version",):
            return f"zfs-{self.version}\nzfs-kmod-{self.version}\n"
        verbs: dict[tuple[str, str], Callable[[list[str]], str | None]] = {
            ("zfs", "list"): self._list,
            ("zfs", "create"): self._create,
            ("zfs", "set"): self._set,
            ("zfs", "snapshot"): self._snapshot,
            ("zfs", "clone"): self._clone,
            ("zfs", "rename"): self._rename,
            ("zfs", "rollback"): self._rollback,
            ("zfs", "destroy"): self._destroy,
            ("zpool", "list"): self._list_zpools,
            ("zpool", "create"): self._create_zpool,
            ("zpool", "destroy"): self._destroy_zpool,
            ("zpool", "labelclear"): self._clear_label,
        }
        try:
            with self._lock:
                return verbs[program, arguments[0]](list(arguments[1:])) or ""
        except NodeError as error:
            raise CommandFailed((program, *arguments), 1, error.message) from None

    def _list(self, words: list[str]) -> str:
        flags, names = getopt(words, "Hpro:t:d:")
        options = dict(flags)
        kinds = options.get("-t", "filesystem,volume").split(",")
        depth = int(options["-d"]) if "-d" in options else 99 if "-r" in options or not names else 0
        rows, room = [], self._room()
        for name in names or list(self.zpools):
            self._known(name)
            for path in sorted(self.datasets):
                below = len(re.findall("[/@]", path[len(name) :]))
                inside = path == name or path.startswith((f"{name}/", f"{name}@"))
                if inside and below <= depth and (self.datasets[path].kind in kinds or "all" in kinds):
                    rows.append("\t".join(room.column(path, column) for column in options["-o"].split(",")))
        return "".join(f"{row}\n" for row in rows)

    def _create(self, words: list[str]) -> None:
        flags, (name,) = getopt(words, "so:V:")
        props = _props(flags)
        self._room_for_name(name, "cannot create")
        size, block = int(dict(flags)["-V"]), _bytes(props.pop("volblocksize", str(DEFAULT_BLOCK)))
        if size % block:
            raise NodeError(f"cannot create '{name}': volume size must be a multiple of volume block size")
        reservation = 0 if "-s" in dict(flags) else _reserved(size)
        self._need(name, reservation, f"cannot create '{name}': out of space")
        self._volume(name, SimulatedFile(inode=0, size=size, allocated=size if reservation else 0), props, block)
        self.datasets[name].reservation = reservation

    def _set(self, words: list[str]) -> None:
        *settings, name = words
        seen = self._known(name)
        for setting in sorted(settings, key=lambda s: ":" in s.partition("=")[0]):  # user properties come last
            key, _, value = setting.partition("=")
            if key == "volsize":
                self._resize(name, seen, int(value))
            elif key == "refreservation":
                self._reserve(name, seen, _reserved(seen.file.size) if value == "auto" else 0)
            else:
                seen.props[key] = value
            if key == "volmode":
                self._appear(name)
        self._label(seen)

    def _snapshot(self, words: list[str]) -> None:
        flags, (name,) = getopt(words, "o:")
        of = self._known(above(name))
        self._room_for_name(name, "cannot create snapshot")
        if of.reservation:
            self._need(name, self._room().written(above(name)), f"cannot create snapshot '{name}': out of space")
        taken = SimulatedFile(inode=0, size=of.file.size, blocks=dict(of.file.blocks))
        taken.signatures = list(of.file.signatures)
        self._put(name, "snapshot", taken, _props(flags), of.block)

    def _clone(self, words: list[str]) -> None:
        flags, (source, name) = getopt(words, "o:")
        props, of = _props(flags), self._known(source)
        self._room_for_name(name, "cannot create")
        reservation = _reserved(of.file.size) if props.pop("refreservation", "") == "auto" else 0
        self._need(name, reservation, f"cannot create '{name}': out of space")
        file = SimulatedFile(inode=0, size=of.file.size, blocks=dict(of.file.blocks))
        file.signatures, file.allocated = list(of.file.signatures), of.file.size if reservation else 0
        self._volume(name, file, props, of.block)
        self.datasets[name].origin, self.datasets[name].reservation = source, reservation

    def _rename(self, words: list[str]) -> None:
        old, new = words
        self._known(old)
        self._room_for_name(new, "cannot rename to")
        for path in [p for p in self.datasets if p == old or p.startswith((f"{old}@", f"{old}/"))]:
            to = new + path[len(old) :]
            self.datasets[to] = self.datasets.pop(path)
            if path in self.minors:
                self.minors[to] = self.minors.pop(path)
            for other in self.datasets.values():
                other.origin = to if other.origin == path else other.origin

    def _rollback(self, words: list[str]) -> None:
        (name,) = words
        taken, of = self._known(name), self._known(above(name))
        if newer := [path for path in self._room().snapshots[above(name)] if self.datasets[path].txg > taken.txg]:
            raise NodeError(
                f"cannot rollback to '{name}': more recent snapshots or bookmarks exist\n"
                f"use '-r' to force deletion of the following snapshots and bookmarks:\n" + "\n".join(newer)
            )
        of.file.blocks, of.file.signatures = dict(taken.file.blocks), list(taken.file.signatures)
        of.file.size = taken.file.size

    def _destroy(self, words: list[str]) -> None:
        flags, (name,) = getopt(words, "d")
        seen = self._known(name)
        if clones := self._room().clones.get(name):
            if not flags:
                raise NodeError(f"cannot destroy '{name}': snapshot has dependent clones\n" + _use("-R", clones))
            seen.deferred = True
            return
        if children := [path for path in self.datasets if path.startswith((f"{name}@", f"{name}/"))]:
            raise NodeError(f"cannot destroy '{name}': {seen.kind} has children\n" + _use("-r", children))
        if name in self.minors:
            self._close(name)
            if name in self.minors:
                raise NodeError(f"cannot destroy '{name}': dataset is busy")
        del self.datasets[name]
        if seen.origin and self.datasets[seen.origin].deferred and seen.origin not in self._room().clones:
            del self.datasets[seen.origin]

    def _list_zpools(self, words: list[str]) -> str:
        flags, names = getopt(words, "HpvPo:")
        columns = dict(flags).get("-o", "name,size,allocated,free,health").split(",")
        lines = []
        for name in names or sorted(self.zpools):
            if name not in self.zpools:
                raise NodeError(f"cannot open '{name}': no such pool")
            zpool, taken = self.zpools[name], self._room().taken(name)
            known = {"name": name, "health": zpool.health, "size": zpool.size, "allocated": taken}
            known["free"] = zpool.size - taken
            lines.append("\t".join(str(known[column]) for column in columns))
            lines += [f"\t{device}\t{zpool.size}" for device in zpool.devices if ("-v", "") in flags]
        return "".join(f"{line}\n" for line in lines)

    def _create_zpool(self, words: list[str]) -> None:
        flags, (name, *devices) = getopt(words, "m:o:O:")
        if name in self.zpools:
            raise NodeError(f"cannot create '{name}': pool already exists")
        disks = [device for device in devices if device.startswith("/dev/")]
        files = [self.disk.content(device) for device in disks]
        if found := [disk for disk, file in zip(disks, files, strict=True) if file.signatures]:
            raise NodeError(f"invalid vdev specification\nuse '-f' to override the following errors:\n{found} in use")
        for file in files:
            file.signatures.append("zfs_member")
        props = dict(value.split("=", 1) for flag, value in flags if flag == "-O")
        self.make(name, sum(file.size for file in files), tuple(disks), **props)

    def _destroy_zpool(self, words: list[str]) -> None:
        (name,) = words
        if name not in self.zpools:
            raise NodeError(f"cannot open '{name}': no such pool")
        del self.zpools[name]
        for path in [path for path in self.datasets if zpool_of(path) == name]:
            self.minors.pop(path, None)
            del self.datasets[path]

    def _clear_label(self, words: list[str]) -> None:
        self.disk.content(words[-1]).signatures.clear()

    # -- datasets ---------------------------------------------------------------------------------

    def _known(self, name: str) -> Dataset:
        if name not in self.datasets:
            raise NodeError(f"cannot open '{name}': dataset does not exist")
        return self.datasets[name]

    def _room_for_name(self, name: str, what: str) -> None:
        self._known(above(name))
        if name in self.datasets:
            raise NodeError(f"{what} '{name}': dataset already exists")

    def _put(self, name: str, kind: str, file: SimulatedFile, props: dict[str, str], block: int = 0) -> None:
        self.changes += 1
        now = int(self.clock())
        self.datasets[name] = Dataset(kind, 7_000_000 + self.changes, self.changes, now, props, file, block=block)

    def _volume(self, name: str, file: SimulatedFile, props: dict[str, str], block: int) -> None:
        self._put(name, "volume", file, props, block)
        self._label(self.datasets[name])
        self._appear(name)

    @staticmethod
    def _label(seen: Dataset) -> None:
        """Tests look up the device of an incarnation by this."""
        seen.file.attributes[UUID] = seen.props.get("orlop:volume", "").partition("/")[2]

    def _appear(self, name: str) -> None:
        if self.datasets[name].props.get("volmode") == "none":
            self._close(name)
        elif name not in self.minors:
            taken = {minor.number for minor in self.minors.values()}
            number = next(n for n in range(0, 1 << 20, 16) if n not in taken)
            self.minors[name] = Minor(number, self.datasets[name].file.size)

    def _close(self, name: str) -> None:
        """A device in use stays, and nobody is told."""
        if not self.disk.used.get(f"/dev/zvol/{name}"):
            self.minors.pop(name, None)
            self.disk.opened.pop(f"/dev/zvol/{name}", None)

    def _resize(self, name: str, seen: Dataset, size: int) -> None:
        if size % seen.block:
            raise NodeError(f"cannot set property for '{name}': 'volsize' must be a multiple of volume block size")
        if seen.reservation:
            more = _reserved(size) - seen.reservation
            self._need(name, more, f"cannot set property for '{name}': size is greater than available space")
            seen.reservation = _reserved(size)
            seen.file.allocated = size
        seen.file.size = size
        if name in self.minors:
            self.minors[name].size = size

    def _reserve(self, name: str, seen: Dataset, amount: int) -> None:
        self._need(name, amount - seen.reservation, f"cannot set property for '{name}': out of space")
        seen.reservation, seen.file.allocated = amount, seen.file.size if amount else 0

    def _need(self, name: str, amount: int, sentence: str) -> None:
        if amount > self._room().free(name):
            raise NodeError(sentence)

    def _room(self) -> Room:
        return Room(self.zpools, self.datasets)


def _props(flags: list[tuple[str, str]]) -> dict[str, str]:
    return dict(value.split("=", 1) for flag, value in flags if flag == "-o")


def _use(flag: str, names: list[str]) -> str:
    return f"use '{flag}' to destroy the following datasets:\n" + "\n".join(names)


def _bytes(text: str) -> int:
    number = re.match(r"\d+", text)
    return int(number[0] if number else 0) << {"k": 10, "m": 20}.get(text[-1].lower(), 0)


def _reserved(size: int) -> int:
    """With room for what ZFS has to note about the blocks."""
    return size + size // 8
