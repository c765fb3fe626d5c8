"""The names below /dev/zvol, under which drivers and users know the block devices of ZFS volumes."""

import os
from collections.abc import Iterator
from pathlib import Path

ZVOLS = Path("/dev/zvol")


def names(folder: Path = ZVOLS) -> Iterator[tuple[str, str]]:
    """Each name with the device it stands for now, such as /dev/zd16."""
    for directory, _, files in os.walk(folder):
        for file in files:
            path = os.path.join(directory, file)
            if os.path.islink(path):
                yield path, os.path.realpath(path)
