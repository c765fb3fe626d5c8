"""Entries of the kernel's own file systems, configfs and sysfs: looked at by pattern, changed one at a time."""

import errno
import glob
import os
import time
from collections.abc import Iterable

from orlop.errors import CannotRead, NodeError, WouldDestroy
from orlop.host import files
from orlop.plugin import (
    AwaitEntry,
    KernelStep,
    MakeDirectory,
    MakeLink,
    RemoveDirectory,
    RemoveLink,
    WriteAttribute,
)

ROOT = "/sys"
DEVICES = "/dev"
PATIENCE = 15.0  # seconds for the kernel to show something
GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)


def texts(patterns: Iterable[str]) -> dict[str, str]:
    found = {}
    for path in (path for pattern in patterns for path in glob.iglob(pattern)):
        try:
            found[path] = _text(path)
        except OSError as error:
            if error.errno not in GONE:
                raise CannotRead(f"{path} cannot be read: {error.strerror}") from error
    return found


def _text(path: str) -> str:
    if os.path.islink(path):
        return os.readlink(path)
    if os.path.isdir(path):
        return ""
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()


class Kernel:
    """Changes nothing outside `root`; waits also for devices."""

    def __init__(self, root: str = ROOT, patience: float = PATIENCE) -> None:
        self._root, self._patience = root, patience

    def change(self, step: KernelStep) -> None:
        allowed = (self._root, DEVICES) if isinstance(step, AwaitEntry) else (self._root,)
        _require_within(step.path, *allowed)
        with files.explained(str(step)):
            match step:
                case MakeDirectory(path=path):
                    _make_directory(path)
                case WriteAttribute():
                    _write(step)
                case MakeLink():
                    _require_within(step.target, self._root)
                    _link(step)
                case RemoveLink(path=path):
                    _unlink(path)
                case RemoveDirectory():
                    _remove_directory(step)
                case AwaitEntry():
                    self._await(step)

    def _await(self, step: AwaitEntry) -> None:
        until = time.monotonic() + self._patience
        while not os.path.exists(step.path) or (step.other_than and _text(step.path).strip() == step.other_than):
            if time.monotonic() > until:
                raise NodeError(f"{step.path} did not change in {self._patience:.0f} s")
            time.sleep(0.05)


def _require_within(path: str, *roots: str) -> None:
    if os.path.normpath(path) != path or not any(path.startswith(f"{root}/") for root in roots):
        raise WouldDestroy(f"{path} is not below {' or '.join(roots)}; it was left as it is")


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise


def _write(step: WriteAttribute) -> None:
    if _reads(step.path) == step.text:
        return
    attribute = os.open(step.path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        os.write(attribute, step.text.encode())
    finally:
        os.close(attribute)


def _reads(path: str) -> str | None:
    """None for an attribute that is only written."""
    if not os.stat(path).st_mode & 0o444:
        return None
    return _text(path).strip()


def _link(step: MakeLink) -> None:
    if os.path.islink(step.path) and os.path.realpath(step.path) == os.path.realpath(step.target):
        return
    if os.path.lexists(step.path):
        raise WouldDestroy(f"{step.path} is something else already; it was left as it is")
    os.symlink(step.target, step.path)


def _unlink(path: str) -> None:
    if os.path.islink(path):
        os.unlink(path)
    elif os.path.lexists(path):
        raise WouldDestroy(f"{path} is not a link; it was left as it is")


def _remove_directory(step: RemoveDirectory) -> None:
    try:
        os.rmdir(step.path)
    except FileNotFoundError:
        return
    except OSError as error:
        if not (step.unless_used and error.errno in (errno.EBUSY, errno.ENOTEMPTY)):
            raise
