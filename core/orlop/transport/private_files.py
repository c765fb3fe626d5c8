"""Files for their owner's eyes: written whole and durably or not at all, refused when others could read them."""

import os
import secrets
import shutil
from collections.abc import Mapping
from pathlib import Path

from orlop.errors import TransportError


def write(path: Path, content: bytes) -> None:
    """Make a new file with mode 0600 and sync it; an existing one or a symbolic link is an error."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, content: bytes) -> None:
    """Put a file in place of the one with that name: after a crash there is the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write(temporary, content)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def read(path: Path) -> bytes:
    """Content of a private file; raises `TransportError` when others than its owner may read it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if mode & 0o077:
            raise TransportError(
                f"{path} can be read by others than its owner (mode {mode & 0o777:04o})",
                cause="Who reads it can give orders to every satellite of the cluster.",
                correction=f"Find out who read it, then run 'chmod 600 {path}'.",
            )
        return file.read()


def make_directory(path: Path, files: Mapping[str, bytes]) -> None:
    """Make a directory with mode 0700 and these private files in it, at once. It must not exist yet."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    staging = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    staging.mkdir(mode=0o700)
    try:
        for name, content in files.items():
            write(staging / name, content)
        sync_directory(staging)
        staging.rename(path)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
