"""What a node can be asked to do: the reading half is `plugin.Probe`, the acting half is here."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from orlop.plugin import (
    CopyDevice,
    CreateFile,
    KernelStep,
    LongCopy,
    Probe,
    RenameFile,
    ResizeFile,
    SetAttributes,
    WriteFile,
)


def _never() -> bool:
    return False


def _unseen(done: int, total: int) -> None:
    pass


class Copying(NamedTuple):
    """How a long copy is watched: asked often whether to stop, told bytes done and bytes in all."""

    cancelled: Callable[[], bool] = _never
    progress: Callable[[int, int], None] = _unseen


UNWATCHED = Copying()


class Host(Probe, Protocol):
    """A machine. Acting methods raise a `NodeError` and leave nothing half-made under a final name."""

    def write(self, step: WriteFile) -> None: ...

    def create(self, step: CreateFile) -> None: ...

    def resize(self, step: ResizeFile) -> None: ...

    def rename(self, step: RenameFile) -> None: ...

    def set_attributes(self, step: SetAttributes) -> None: ...

    def copy(self, step: LongCopy, copying: Copying) -> None: ...

    def copy_device(self, step: CopyDevice, copying: Copying) -> None: ...

    def remove(self, path: str) -> None:
        """Remove a file; it is no error when there is none."""
        ...

    def change_kernel(self, step: KernelStep) -> None:
        """An entry of the kernel's own file systems; nothing outside /sys is changed."""
        ...

    def require_unused(self, device: str) -> None:
        """Raises `InUse` when anything at all holds the block device, open descriptors included.

        Of a file: when a process has it open. Loop devices on it are looked at by themselves.
        """
        ...

    def mounts_changed(self, wait: float) -> bool:
        """Whether anything was mounted or unmounted since the last call; for one caller, up to `wait` seconds."""
        ...

    def heard(self, argv: tuple[str, ...], wait: float) -> bool:
        """Whether a program that tells of changes as long as it runs said anything since the last call; for one
        caller, up to `wait` seconds."""
        ...

    def detach(self, argv: tuple[str, ...]) -> None:
        """Start a program that outlives this process; returns when it has printed its first line."""
        ...

    def close(self) -> None:
        """Ends what runs for `heard`."""
        ...

    def restrictions(self, programs: tuple[str, ...]) -> tuple[str, ...]:
        """Why a driver that needs `programs` cannot work here, one sentence each; nothing when it can."""
        ...

    def name(self) -> str:
        """What `uname -n` prints."""
        ...

    def variant(self) -> str:
        """Operating system and kernel, for people."""
        ...
