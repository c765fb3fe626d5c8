"""Files of a pool: looking at them, making them under a temporary name, never replacing by accident."""

import ctypes
import errno
import os
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from orlop.codes import Fail
from orlop.errors import CannotRead, NodeError, WouldDestroy
from orlop.plugin import (
    CREATED,
    NEW_FILE,
    UUID,
    CreateFile,
    FileFacts,
    RenameFile,
    ResizeFile,
    SetAttributes,
    WriteFile,
)

PREFIX = "user."
SECRET_MODE = 0o600
AT_FDCWD, RENAME_NOREPLACE = -100, 1  # linux/fcntl.h, linux/fs.h
SETTLED = 1_000_000_000  # nanoseconds; far more than a tick of the kernel's clock


@contextmanager
def explained(doing: str) -> Iterator[None]:
    """Turns an `OSError` into a sentence that says what was being done."""
    try:
        yield
    except OSError as error:
        code = Fail.NOT_ENOUGH_FREE_SPACE if error.errno in (28, 122) else None  # ENOSPC, EDQUOT
        raise NodeError(f"could not {doing}: {error.strerror}", code=code) from error


class Folders:
    """Reads folders, and the marks of a file again only when its change time moved: a pool may hold thousands."""

    def __init__(self, settled: int = SETTLED) -> None:
        """A file is remembered when its last change is `settled` nanoseconds ago."""
        self._settled = settled
        self._known: dict[str, dict[str, Known]] = {}

    def facts(self, directory: str) -> Mapping[str, FileFacts] | None:
        known, now = self._known.get(directory, {}), time.time_ns()
        found: dict[str, Known] = {}
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    if (seen := _look(entry, known.get(entry.name))) is not None:
                        found[entry.name] = seen
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotRead(f"{directory} cannot be read: {error.strerror}") from error
        # A second change within the clock's last tick would not show.
        self._known[directory] = {name: seen for name, seen in found.items() if seen.changed < now - self._settled}
        return {name: seen.facts for name, seen in found.items()}


class Known(NamedTuple):
    device: int
    inode: int
    changed: int  # nanoseconds since 1970
    blocks: int
    facts: FileFacts


def _look(entry: os.DirEntry[str], known: Known | None) -> Known | None:
    """None for what is not a regular file or went away meanwhile."""
    try:
        if not entry.is_file(follow_symlinks=False):
            return None
        status = entry.stat(follow_symlinks=False)
        mark = (status.st_dev, status.st_ino, status.st_ctime_ns, status.st_blocks)
        if known is not None and known[:4] == mark:
            return known
        facts = FileFacts(
            size=status.st_size,
            allocated=status.st_blocks * 512,
            attributes=attributes(entry.path),
            inode=status.st_ino,
            device=f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}",
        )
        return Known(*mark, facts)
    except FileNotFoundError:
        return None


def attributes(path: str | int) -> dict[str, str]:
    """What a file is marked with, without the `user.` prefix; nothing where the file system knows no marks."""
    try:
        names = os.listxattr(path)
        own = [name for name in names if name.startswith(PREFIX)]
        return {name.removeprefix(PREFIX): os.getxattr(path, name).decode(errors="replace") for name in own}
    except OSError as error:
        if error.errno == 95:  # EOPNOTSUPP
            return {}
        raise


def mark(file: int, marks: Mapping[str, str]) -> None:
    for name, value in marks.items():
        os.setxattr(file, PREFIX + name, value.encode())


def sync_directory(path: str) -> None:
    directory = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def draft(path: str, marks: Mapping[str, str]) -> Iterator[tuple[int, str]]:
    """A new file beside `path`, marked; removed again unless the block gave it its name."""
    name = os.path.join(os.path.dirname(path), NEW_FILE + marks[UUID])
    remove(name)  # what an interrupted attempt of this very incarnation left
    file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, SECRET_MODE)
    try:
        mark(file, {**marks, CREATED: str(time.time_ns() // 1_000_000)})
        yield file, name
    finally:
        os.close(file)
        remove(name)
    sync_directory(path)


def link(name: str, path: str) -> None:
    """Give a draft its name; never in place of another file."""
    try:
        os.link(name, path, follow_symlinks=False)
    except FileExistsError:
        raise WouldDestroy(f"{path} exists already; it was left as it is") from None


def create(step: CreateFile) -> None:
    with explained(str(step)), draft(step.path, step.attributes) as (file, name):
        reserve(file, step.size, step.sparse)
        os.fsync(file)
        link(name, step.path)


def reserve(file: int, size: int, sparse: bool) -> None:
    if sparse:
        os.ftruncate(file, size)
    else:
        os.posix_fallocate(file, 0, size)


def resize(step: ResizeFile) -> None:
    with explained(str(step)):
        file = os.open(step.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            now = os.fstat(file).st_size
            if now > step.size:
                raise WouldDestroy(f"{step.path} has {now} bytes; it is not made smaller ({step.size})")
            reserve(file, step.size, step.sparse)
            os.fsync(file)
        finally:
            os.close(file)


def set_attributes(step: SetAttributes) -> None:
    with explained(str(step)):
        file = os.open(step.path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            mark(file, step.attributes)
            os.fsync(file)
        finally:
            os.close(file)


def write(step: WriteFile) -> None:
    with explained(str(step)):
        name = f"{step.path}.new"
        file = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, SECRET_MODE)
        try:
            os.fchmod(file, SECRET_MODE)  # a left-over may have had another mode
            with os.fdopen(os.dup(file), "wb") as stream:
                stream.write(step.content.encode())
            os.fsync(file)
        finally:
            os.close(file)
        os.replace(name, step.path)
        sync_directory(step.path)


def read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CannotRead(f"{path} cannot be read: {error.strerror}") from error


def rename(step: RenameFile) -> None:
    """A plain renaming would take the place of whatever has the name."""
    with explained(str(step)):
        if not _renamed(step.path, step.target):
            link(step.path, step.target)
            sync_directory(step.target)
            os.unlink(step.path)
        sync_directory(step.target)


def _renamed(path: str, target: str) -> bool:
    """At once, renameat2(2), which Python does not know; False where C library or file system cannot."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        return False
    if call(AT_FDCWD, os.fsencode(path), AT_FDCWD, os.fsencode(target), RENAME_NOREPLACE) == 0:
        return True
    number = ctypes.get_errno()
    if number == errno.EEXIST:
        raise WouldDestroy(f"{target} exists already; it was left as it is")
    if number in (errno.EINVAL, errno.ENOSYS):
        return False
    raise OSError(number, os.strerror(number))


def remove(path: str) -> None:
    with explained(f"remove {path}"):
        try:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                raise WouldDestroy(f"{path} is a directory; only files are removed")
            os.unlink(path)
        except FileNotFoundError:
            return
        sync_directory(path)
