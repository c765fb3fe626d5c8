"""What a simulated node has: folders, files, loop devices and who uses them."""

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from orlop.codes import Fail
from orlop.errors import CannotRead, NodeError

BLOCK = 4096
HOLDER = "254:0"  # the file system all folders are on


@dataclass
class SimulatedFile:
    """Blocks that were never written read as zeros. `signatures` are what `wipefs` would find."""

    inode: int
    size: int = 0
    allocated: int = 0
    attributes: dict[str, str] = field(default_factory=dict)
    blocks: dict[int, bytes] = field(default_factory=dict)
    signatures: list[str] = field(default_factory=list)
    text: str = ""
    shared: int = 0  # of `allocated`, what another file pays for


@dataclass
class Loop:
    path: str
    file: SimulatedFile
    size: int
    autoclear: bool = False


Helper = Callable[[tuple[str, ...], Mapping[str, str]], int]


class Disk:
    """Everything but `loops`, `opened` and `used` outlives a power loss."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.folders: dict[str, dict[str, SimulatedFile]] = {"/run": {}}
        self.loops: dict[str, Loop] = {}
        self.opened: dict[str, SimulatedFile] = {}  # other block devices that are there now, by path
        self.disks: dict[str, SimulatedFile] = {}  # whole disks, by path: they are always there
        self.used: dict[str, tuple[str, ...]] = {}
        self.destroyed: list[str] = []  # devices with data that were formatted
        self.helper: Helper | None = None  # runs what the kernel has called, with its environment
        self._use = threading.Event()
        self._inodes = 1000
        self._lock = threading.Lock()  # a satellite with threads has several hands here

    # -- folders and files ------------------------------------------------------------------------

    def make_folder(self, path: str) -> None:
        self.folders.setdefault(path, {})

    def find(self, path: str) -> SimulatedFile | None:
        return self.folders.get(os.path.dirname(path), {}).get(os.path.basename(path))

    def texts(self, patterns: tuple[str, ...]) -> dict[str, str]:
        """Files that a pattern fits, which has a `*` in the file's name at most."""
        return {
            path: file.text
            for pattern in patterns
            for name, file in list(self.folders.get(os.path.dirname(pattern), {}).items())
            if fnmatchcase(path := f"{os.path.dirname(pattern)}/{name}", pattern)
        }

    def get(self, path: str) -> SimulatedFile:
        found = self.find(path)
        if found is None:
            raise NodeError(f"{path}: No such file or directory")
        return found

    def put(self, path: str, file: SimulatedFile) -> None:
        folder = self.folders.get(os.path.dirname(path))
        if folder is None:
            raise NodeError(f"{path}: No such file or directory")
        folder[os.path.basename(path)] = file

    def drop(self, path: str) -> None:
        """A file that a loop device shows lives on under no name, as on Linux."""
        self.folders.get(os.path.dirname(path), {}).pop(os.path.basename(path), None)

    def new_file(self, size: int, allocated: int) -> SimulatedFile:
        self.reserve(allocated)
        with self._lock:
            self._inodes += 1
            return SimulatedFile(inode=self._inodes, size=size, allocated=allocated)

    def reserve(self, amount: int) -> None:
        if amount > self.free:
            raise NodeError("No space left on device", code=Fail.NOT_ENOUGH_FREE_SPACE)

    @property
    def free(self) -> int:
        living = {id(file): file for file in self._files()}
        return self.total - sum(file.allocated - file.shared for file in living.values())

    def _files(self) -> Iterator[SimulatedFile]:
        for folder in list(self.folders.values()):
            yield from list(folder.values())
        for loop in list(self.loops.values()):
            yield loop.file

    def add_disk(self, path: str, size: int) -> SimulatedFile:
        """A whole disk, blank. It has its own room."""
        with self._lock:
            self._inodes += 1
            self.disks[path] = SimulatedFile(inode=self._inodes, size=size, allocated=size)
        return self.disks[path]

    # -- loop devices -----------------------------------------------------------------------------

    def attach(self, path: str) -> str:
        file = self.get(path)
        for device, loop in list(self.loops.items()):
            if loop.file is file:
                loop.autoclear = False
                return device
        with self._lock:
            device = next(free for n in range(1 << 20) if (free := f"/dev/loop{n}") not in self.loops)
            self.loops[device] = Loop(path=path, file=file, size=file.size // 512 * 512)
        return device

    def detach(self, device: str) -> None:
        """A device in use only goes away with its last user, and nobody is told."""
        loop = self.loop(device)
        if self.used.get(device):
            loop.autoclear = True
        else:
            del self.loops[device]

    def loop(self, device: str) -> Loop:
        if device not in self.loops:
            raise CannotRead(f"{device}: No such device or address")
        return self.loops[device]

    def content(self, device: str) -> SimulatedFile:
        """What a loop device or any other block device shows."""
        return self.opened.get(device) or self.disks.get(device) or self.loop(device).file

    def size(self, device: str) -> int:
        """Bytes that a block device shows; a loop device only learns of its file's when it is told."""
        return self.loops[device].size if device in self.loops else self.content(device).size

    def is_block_device(self, path: str) -> bool:
        return path in self.loops or path in self.opened or path in self.disks

    def is_deleted(self, loop: Loop) -> bool:
        return self.find(loop.path) is not loop.file

    # -- what users do ----------------------------------------------------------------------------

    def use(self, device: str, user: str) -> None:
        self.content(device)
        self.used[device] = (*self.used.get(device, ()), user)
        self._use.set()

    def release(self, device: str) -> None:
        self.used.pop(device, None)
        if device in self.loops and self.loops[device].autoclear:
            del self.loops[device]
        self._use.set()

    def use_changed(self, wait: float) -> bool:
        """Whether a device got or lost a user since the last call, within `wait` seconds."""
        changed = self._use.wait(wait)
        self._use.clear()
        return changed

    def write(self, device: str, offset: int, data: bytes) -> None:
        """`offset` and the length of `data` are multiples of 4 KiB."""
        file = self.content(device)
        for at in range(0, len(data), BLOCK):
            if offset + at not in file.blocks and file.allocated < file.size:
                self.reserve(BLOCK)
                file.allocated += BLOCK
            file.blocks[offset + at] = data[at : at + BLOCK]

    def read(self, device: str, offset: int, length: int) -> bytes:
        blocks: Mapping[int, bytes] = self.content(device).blocks
        zeros = bytes(BLOCK)
        return b"".join(blocks.get(at, zeros) for at in range(offset, offset + length, BLOCK))

    def format(self, device: str, kind: str) -> None:
        file = self.content(device)
        if file.blocks or file.signatures:
            self.destroyed.append(device)
        file.blocks.clear()
        file.signatures[:] = [kind]

    def power_loss(self) -> None:
        self.loops.clear()
        self.opened.clear()
        self.used.clear()
