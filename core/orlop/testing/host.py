"""A node in memory that behaves as a real one does, down to what is left after a crash."""

import os
import sys
from collections.abc import Callable, Mapping

from orlop.drivers import one
from orlop.errors import CannotRead, CommandFailed, InUse, NodeError, WouldDestroy
from orlop.host import Copying
from orlop.model import GIB, Capacity
from orlop.plugin import (
    CREATED,
    NEW_FILE,
    UUID,
    AwaitEntry,
    CopyDevice,
    CreateFile,
    FileFacts,
    KernelStep,
    LongCopy,
    RenameFile,
    ResizeFile,
    SetAttributes,
    WriteFile,
)
from orlop.satellite import before_resync
from orlop.testing import lvm_reports
from orlop.testing import programs as simulated
from orlop.testing.disk import BLOCK, HOLDER, Disk, SimulatedFile
from orlop.testing.drbd import SimulatedDrbd
from orlop.testing.drbd9 import SimulatedDrbd9
from orlop.testing.drbd_network import SimulatedNetwork
from orlop.testing.faults import Faults
from orlop.testing.lvm import SimulatedLvm
from orlop.testing.nvme import Fabric, SimulatedNvme
from orlop.testing.zfs import SimulatedZfs

OURS = (sys.executable, "-m", before_resync.__name__)
HOST_NAME = "/proc/sys/kernel/hostname"


class SimulatedHost:
    """`disk` is what there is, `zfs` what lies in zpools, `faults` what shall go wrong, `ran` every argv so far.

    More programs can be put into `installed`: name -> function of the disk and the arguments; into `reads_stdin`
    those that are given their stdin as well.
    """

    def __init__(
        self,
        name: str = "node",
        total: int = 100 * GIB,
        reflink: bool = False,
        clock: Callable[[], float] = lambda: 1_800_000_000.0,
        fabric: Fabric | None = None,
    ) -> None:
        """`clock` tells seconds since 1970; `fabric` are the nodes that are reached by NVMe."""
        self.disk = Disk(total)
        self.faults = Faults()
        self.lvm = SimulatedLvm(clock)
        self.zfs = SimulatedZfs(self.disk, clock)
        self.nvme = SimulatedNvme(self.disk, name, clock, fabric)
        self.installed = {
            **simulated.UTIL_LINUX,
            **lvm_reports.programs(self.lvm),
            **self.zfs.programs(),
            **self.nvme.programs(),
        }
        self.installed[sys.executable] = self._python
        self.disk.helper = self._called
        self.reads_stdin = dict(simulated.WITH_STDIN)
        self.ran: list[tuple[str, ...]] = []
        self.detached: list[tuple[str, ...]] = []  # programs that outlive the satellite
        self.drbd: SimulatedDrbd | SimulatedDrbd9 | None = None
        self._name, self._reflink, self._clock = name, reflink, clock

    def join(self, network: SimulatedNetwork, drbd: str = "8.4") -> None:
        """This node has DRBD, "8.4" or "9", and reaches the others of a network."""
        if drbd not in ("8.4", "9"):
            raise ValueError(f"there is no simulated DRBD {drbd}")
        with_9 = drbd == "9"
        self.drbd = SimulatedDrbd9(self._name, network, self.disk) if with_9 else SimulatedDrbd(self._name, network)
        self.installed |= self.drbd.programs()
        self.disk.make_folder("/etc/drbd.d")

    # -- looking ----------------------------------------------------------------------------------

    def run(self, argv: tuple[str, ...], stdin: bytes = b"") -> str:
        self.ran.append(argv)
        program = self._program(argv[0])
        if program is None:
            raise CommandFailed(argv, 127, f"{argv[0]} is not installed")
        if simulated.only_looks(argv):
            return self._answer(program, argv, stdin)
        half = simulated.HALF_DONE.get(argv[0], simulated.nothing)
        return self.faults.around(
            " ".join(argv), lambda: self._answer(program, argv, stdin), lambda: half(self.disk, argv[1:], stdin)
        )

    def _called(self, argv: tuple[str, ...], environment: Mapping[str, str]) -> int:
        """By the kernel: programs of this project that something else starts."""
        if argv[: len(OURS)] != OURS:
            return 0
        return before_resync.carried_out(self, one, list(argv[len(OURS) :]), environment)

    def _python(self, disk: Disk, arguments: tuple[str, ...]) -> str:
        argv = (sys.executable, *arguments)
        if code := self._called(argv, {}):
            raise CommandFailed(argv, code, "")
        return ""

    def _program(self, name: str) -> simulated.ReadsStdin | None:
        if name in self.reads_stdin:
            return self.reads_stdin[name]
        program = self.installed.get(name)
        return program and (lambda disk, arguments, _: program(disk, arguments))

    def _answer(self, program: simulated.ReadsStdin, argv: tuple[str, ...], stdin: bytes) -> str:
        try:
            return program(self.disk, argv[1:], stdin)
        except CommandFailed:
            raise
        except NodeError as error:
            raise CommandFailed(argv, 1, f"{argv[0]}: {error}") from error

    def programs(self, names: tuple[str, ...]) -> Mapping[str, str | None]:
        return {name: f"/usr/sbin/{name}" if self._program(name) else None for name in names}

    def files(self, directory: str) -> Mapping[str, FileFacts] | None:
        folder = self.disk.folders.get(directory)
        if folder is None:
            return None
        return {
            name: FileFacts(
                size=file.size,
                allocated=file.allocated,
                attributes=dict(file.attributes),
                inode=file.inode,
                device=HOLDER,
            )
            for name, file in list(folder.items())
        }

    def read(self, path: str) -> str | None:
        if path.startswith("/sys/block/"):
            loop = self.disk.loops.get("/dev/" + path.split("/")[3])
            return f"{loop.size // 512}\n" if loop else self.zfs.read(path)
        if path == HOST_NAME:
            return f"{self._name}\n"
        if path.startswith("/sys/module/"):
            return self.zfs.read(path)
        file = self.disk.find(path)
        return file.text if file else None

    def texts(self, *patterns: str) -> Mapping[str, str]:
        return self.nvme.texts(patterns) | self.disk.texts(patterns)

    def space(self, directory: str) -> Capacity:
        if directory not in self.disk.folders:
            raise CannotRead(f"{directory} cannot be looked at: No such file or directory")
        return Capacity(total=self.disk.total, free=self.disk.free)

    def reflink(self, directory: str) -> bool:
        return self._reflink

    def users(self) -> Mapping[str, tuple[str, ...]]:
        return {device: users for device, users in self.disk.used.items() if users}

    def require_unused(self, device: str) -> None:
        if users := self.disk.used.get(device):
            raise InUse(device, users)

    def mounts_changed(self, wait: float) -> bool:
        return self.disk.use_changed(wait)

    def heard(self, argv: tuple[str, ...], wait: float) -> bool:
        return self.drbd is not None and self.drbd.changed(wait)

    def detach(self, argv: tuple[str, ...]) -> None:
        def act() -> str:
            self.detached.append(argv)
            return ""

        self.faults.around(" ".join(argv), act, lambda: None)

    def close(self) -> None:
        return

    def restrictions(self, programs: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(f"{name} is not installed" for name in programs if not self._program(name))

    def name(self) -> str:
        return self._name

    def variant(self) -> str:
        return "simulated node"

    # -- acting -----------------------------------------------------------------------------------

    def write(self, step: WriteFile) -> None:
        def act() -> str:
            size = len(step.content.encode())
            file = self.disk.new_file(size, BLOCK)
            file.text = step.content
            self.disk.put(step.path, file)
            return ""

        self.faults.around(str(step), act, lambda: None)

    def create(self, step: CreateFile) -> None:
        def act() -> str:
            file = self._draft(step.path, step.attributes)
            self._allocate(file, step.size, step.sparse)
            self._name_it(file, step.path, None)
            return ""

        self.faults.around(str(step), act, lambda: self._leave(step.path, step.attributes))

    def resize(self, step: ResizeFile) -> None:
        def act() -> str:
            file = self.disk.get(step.path)
            if file.size > step.size:
                raise WouldDestroy(f"{step.path} has {file.size} bytes; it is not made smaller ({step.size})")
            self._allocate(file, step.size, step.sparse)
            return ""

        self.faults.around(str(step), act, lambda: None)

    def rename(self, step: RenameFile) -> None:
        def act() -> str:
            file = self.disk.get(step.path)
            if self.disk.find(step.target) is not None:
                raise WouldDestroy(f"{step.target} exists already; it was left as it is")
            self.disk.put(step.target, file)
            self.disk.drop(step.path)
            return ""

        self.faults.around(str(step), act, lambda: None)

    def set_attributes(self, step: SetAttributes) -> None:
        def act() -> str:
            self.disk.get(step.path).attributes.update(step.attributes)
            return ""

        self.faults.around(str(step), act, lambda: None)

    def copy(self, step: LongCopy, copying: Copying) -> None:
        def act() -> str:
            source = self.disk.get(step.source)
            if step.reflink_only and not self._reflink:
                raise NodeError(f"{step.source} and {step.target} cannot share their blocks on this file system")
            file = self._draft(step.target, step.attributes)
            file.blocks, file.signatures = dict(source.blocks), list(source.signatures)
            file.allocated = len(source.blocks) * BLOCK
            file.shared = file.allocated if self._reflink else 0
            self.disk.reserve(file.allocated - file.shared)
            self._allocate(file, max(step.size, source.size), step.sparse)
            if self.drbd is not None:
                self.drbd.copied(source, file)
            copying.progress(source.size, source.size)
            self._name_it(file, step.target, step.replaces)
            return ""

        self.faults.around(str(step), act, lambda: self._leave(step.target, step.attributes))

    def copy_device(self, step: CopyDevice, copying: Copying) -> None:
        def act() -> str:
            source, target = self.disk.content(step.source), self.disk.content(step.target)
            if self.disk.used.get(step.target):
                raise InUse(step.target, self.disk.used[step.target])
            if min(source.size, target.size) < step.size:
                raise NodeError(f"could not {step}: one of them is smaller")
            copied = {at: data for at, data in source.blocks.items() if at < step.size}
            kept = {at: data for at, data in target.blocks.items() if at >= step.size}
            target.blocks, target.signatures = copied | kept, list(source.signatures)
            copying.progress(step.size, step.size)
            return ""

        def half() -> None:
            """Some of it has arrived, nothing of it makes sense."""
            self.disk.content(step.target).blocks[0] = b"half a copy".ljust(BLOCK, b".")

        self.faults.around(str(step), act, half)

    def remove(self, path: str) -> None:
        def act() -> str:
            self.disk.drop(path)
            return ""

        self.faults.around(f"remove {path}", act, lambda: None)

    def change_kernel(self, step: KernelStep) -> None:
        def act() -> str:
            self.nvme.change(step)
            return ""

        if isinstance(step, AwaitEntry):
            act()
        else:
            self.faults.around(str(step), act, lambda: None)

    def power_loss(self) -> None:
        """Devices and their users are gone; files are as the last finished step left them."""
        self.disk.power_loss()
        self.detached.clear()
        self.nvme.power_loss()
        self.zfs.boot()
        if self.drbd is not None:
            self.drbd.power_loss()

    def _draft(self, path: str, marks: Mapping[str, str]) -> SimulatedFile:
        self.disk.drop(os.path.join(os.path.dirname(path), NEW_FILE + marks[UUID]))
        file = self.disk.new_file(0, 0)
        file.attributes.update(marks, **{CREATED: str(int(self._clock() * 1000))})
        return file

    def _leave(self, path: str, marks: Mapping[str, str]) -> None:
        """What a crash leaves of a file that was being made."""
        self.disk.put(os.path.join(os.path.dirname(path), NEW_FILE + marks[UUID]), self._draft(path, marks))

    def _allocate(self, file: SimulatedFile, size: int, sparse: bool) -> None:
        if not sparse:
            self.disk.reserve(size - file.allocated)
            file.allocated = size
        file.size = size

    def _name_it(self, file: SimulatedFile, path: str, replaces: str | None) -> None:
        there = self.disk.find(path)
        if there is not None and (replaces is None or there.attributes.get(UUID) != replaces):
            raise WouldDestroy(f"{path} exists already; it was left as it is")
        self.disk.put(path, file)
