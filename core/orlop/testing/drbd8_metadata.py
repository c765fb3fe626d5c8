"""`drbdmeta` for the metadata of DRBD 8.4, and its generations as the kernel tells them."""

from __future__ import annotations

from orlop.testing.disk import SimulatedFile
from orlop.testing.drbd8_model import Metadata
from orlop.testing.drbd_metadata import APART, require

NONE = "0" * 16
Kept = dict[int, Metadata]


def run(kept: Kept, file: SimulatedFile, where: str, command: str, rest: tuple[str, ...], argv: tuple[str, ...]) -> str:
    """`kept` by the file that the device shows; `where` on it."""
    if command == "create-md":
        kept[file.inode] = Metadata(end=file.size, apart=where == APART)
        return "New drbd meta data block successfully created.\n"
    found = require(kept.get(file.inode), file.size, where == APART, command, argv)
    if command == "set-gi":
        found.generation, found.good = rest[0].partition(":")[0], True
    if command == "write-dev-uuid":
        found.device_uuid = rest[0]
    if command == "read-dev-uuid":
        return f"{found.device_uuid}\n"
    if command == "dump-md":
        return f'version "v08";\nla-size-sect {found.size // 512};\n'
    flag = int(found.good)
    return f"{found.generation}:{NONE}:{NONE}:{NONE}:{flag}:{flag}:0:0:0:0:0\n"


def generations(found: Metadata) -> str:
    """Of a volume that is up: current, bitmap and two of history, then eight flags."""
    past = [*reversed(found.history), NONE, NONE, NONE]
    bitmap, *history = past if found.base is not None else [NONE, *past]
    return ":".join([found.generation, bitmap, *history[:2], *"11100000"]) + "\n"
