"""Long copies: shared blocks where the file system can, else only the parts that hold data."""

import errno
import fcntl
import os
import stat
import tempfile

from orlop.errors import Cancelled, CannotRead, NodeError, WouldDestroy
from orlop.host import files
from orlop.host.contract import Copying
from orlop.plugin import UUID, CopyDevice, LongCopy

FICLONE = 0x40049409  # _IOW(0x94, 9, int), linux/fs.h
CHUNK = 4 * 1024 * 1024
CANNOT_SHARE = (errno.EOPNOTSUPP, errno.ENOTTY, errno.EXDEV, errno.EINVAL, errno.ENOSYS)


def can_share(directory: str) -> bool:
    """Tried with two files that never get a name."""
    try:
        with tempfile.TemporaryFile(dir=directory) as one, tempfile.TemporaryFile(dir=directory) as other:
            return _share(one.fileno(), other.fileno())
    except OSError:
        return False


def _share(source: int, target: int) -> bool:
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError as error:
        if error.errno in CANNOT_SHARE:
            return False
        raise
    return True


def copy(step: LongCopy, copying: Copying) -> None:
    with files.explained(str(step)):
        source = os.open(step.source, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            with files.draft(step.target, step.attributes) as (target, name):
                _fill(step, source, target, copying)
                files.reserve(target, max(step.size, os.fstat(source).st_size), step.sparse)
                os.fsync(target)
                _name(step, name)
        finally:
            os.close(source)


def _fill(step: LongCopy, source: int, target: int, copying: Copying) -> None:
    if _share(source, target):
        return
    if step.reflink_only:
        raise NodeError(f"{step.source} and {step.target} cannot share their blocks on this file system")
    before = os.fstat(source)
    _copy_data(step, source, target, copying)
    after = os.fstat(source)
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise NodeError(
            f"{step.source} was written to while it was copied; the copy was thrown away",
            correction="Try again while nothing uses the volume.",
        )


def _copy_data(step: LongCopy, source: int, target: int, copying: Copying) -> None:
    size = os.fstat(source).st_size
    os.ftruncate(target, size)
    position = _next_data(source, 0)
    while position is not None:
        end = os.lseek(source, position, os.SEEK_HOLE)
        while position < end:
            if copying.cancelled():
                raise Cancelled(f"a newer order came in the middle of: {step}")
            data = os.pread(source, min(CHUNK, end - position), position)
            if not data:
                return
            position += _write_all(target, data, position)
            copying.progress(position, size)
        position = _next_data(source, position)


def copy_device(step: CopyDevice, copying: Copying) -> None:
    with files.explained(str(step)):
        source = _open_device(step.source, os.O_RDONLY)
        try:
            # Nobody else, not even the kernel, may have the target open.
            target = _open_device(step.target, os.O_WRONLY | os.O_EXCL)
            try:
                _copy_blocks(step, source, target, copying)
                os.fsync(target)
            finally:
                os.close(target)
        finally:
            os.close(source)


def _open_device(path: str, mode: int) -> int:
    device = os.open(path, mode | os.O_CLOEXEC)
    if not stat.S_ISBLK(os.fstat(device).st_mode):
        os.close(device)
        raise CannotRead(f"{path} is not a block device")
    return device


def _copy_blocks(step: CopyDevice, source: int, target: int, copying: Copying) -> None:
    position, zeros = 0, bytes(CHUNK)
    while position < step.size:
        if copying.cancelled():
            raise Cancelled(f"a newer order came in the middle of: {step}")
        data = os.pread(source, min(CHUNK, step.size - position), position)
        if not data:
            raise NodeError(f"{step.source} ends at {position} bytes; {step.size} were to be copied")
        if not step.zeroed or data != zeros[: len(data)]:
            _write_all(target, data, position)
        position += len(data)
        copying.progress(position, step.size)


def _next_data(source: int, position: int) -> int | None:
    try:
        return os.lseek(source, position, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # nothing but a hole up to the end
            return None
        raise


def _write_all(target: int, data: bytes, position: int) -> int:
    view = memoryview(data)
    while view:
        written = os.pwrite(target, view, position)
        view, position = view[written:], position + written
    return len(data)


def _name(step: LongCopy, name: str) -> None:
    """In place of another file only when that one is still the incarnation to be replaced."""
    if step.replaces is None or not os.path.lexists(step.target):
        files.link(name, step.target)
        return
    if files.attributes(step.target).get(UUID) != step.replaces:
        raise WouldDestroy(f"{step.target} is not the one to be replaced; it was left as it is")
    os.replace(name, step.target)
