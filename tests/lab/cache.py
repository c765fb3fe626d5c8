"""What takes long to make is kept outside the clone, by a hash of all that went into it, and shared between runs."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

KEPT = 3  # artefacts of one name: several clones or branches may be at work on one machine
FORGOTTEN = 7 * 86400  # seconds without use after which an artefact goes anyway
NEW = ".new-"


def directory() -> Path:
    """$ORLOP_LAB_CACHE, else a folder in the user's cache."""
    chosen = os.environ.get("ORLOP_LAB_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    found = (Path(chosen) if chosen else base / "orlop-lab").absolute()
    found.mkdir(parents=True, exist_ok=True)
    return found


def digest(*inputs: str | bytes | Path) -> str:
    """Hash of texts and of files; the order counts."""
    total = hashlib.sha256()
    for part in inputs:
        content = part.read_bytes() if isinstance(part, Path) else part.encode() if isinstance(part, str) else part
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()[:16]


def artefact(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` with this key. If there is none yet, `build` fills a new one, which then gets its name.

    The folder stays as long as this process lives; another process waits while it is being built.
    """
    home = directory()
    wanted = home / f"{name}-{key}"
    with _locked(home / f"{name}.lock"):
        if not wanted.is_dir():
            _build(name, wanted, build)
        os.utime(wanted)
        _hold(wanted)
        _remove_superseded(name, wanted)
    return wanted


def _build(name: str, wanted: Path, build: Callable[[Path], None]) -> None:
    began = time.monotonic()
    print(f"lab: building {wanted.name}", flush=True)
    for crashed in wanted.parent.glob(f"{NEW}{name}-*"):
        shutil.rmtree(crashed)
    new = wanted.parent / f"{NEW}{wanted.name}"
    new.mkdir(mode=0o755)
    try:
        build(new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    new.rename(wanted)
    print(f"lab: built {wanted.name} in {time.monotonic() - began:.0f} seconds", flush=True)


@functools.cache
def _hold(folder: Path) -> None:
    """The descriptor is never closed: the shared lock ends with the process."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def _remove_superseded(name: str, current: Path) -> None:
    length = len(current.name)
    others = [each for each in current.parent.glob(f"{name}-*") if len(each.name) == length and each != current]
    others.sort(key=lambda each: each.stat().st_mtime, reverse=True)
    for number, other in enumerate(others):
        if number >= KEPT - 1 or time.time() - other.stat().st_mtime > FORGOTTEN:
            _remove_unused(other)


def _remove_unused(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except BlockingIOError:
        return  # another run works with it
    finally:
        os.close(descriptor)


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
