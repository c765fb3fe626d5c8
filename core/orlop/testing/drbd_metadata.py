"""What `drbdmeta` says of any format when there is nothing to be read, or not where it should be."""

from typing import Protocol, TypeVar

from orlop.errors import CommandFailed


class HasEnd(Protocol):
    end: int  # of the device below, where the metadata was written


Found = TypeVar("Found", bound=HasEnd)


def require(found: Found | None, size: int, command: str, argv: tuple[str, ...]) -> Found:
    """`size` of the device now. `check-resize` moves the metadata to its new end."""
    if found is None:
        raise CommandFailed(argv, 1, "No valid meta data found" if command == "dump-md" else "")
    if command == "check-resize":
        found.end = size
    if found.end != size:
        said = 'Found meta data is "unclean", please apply-al first' if command == "dump-md" else ""
        raise CommandFailed(argv, 1, said)
    return found
