"""What `drbdmeta` says of any format when there is nothing to be read, or not where it should be."""

from typing import Protocol, TypeVar

from orlop.errors import CommandFailed

APART = "flex-external"  # as `drbdmeta` calls metadata that has a device for itself, and begins where that begins


class HasEnd(Protocol):
    end: int  # of the device below, where the metadata was written
    apart: bool
    unclean: bool  # the kernel has had it open, and always leaves it so


Found = TypeVar("Found", bound=HasEnd)
UNCLEAN = 'Found meta data is "unclean", please apply-al first'


def fits(found: HasEnd | None, size: int, apart: bool) -> bool:
    """Whether it is where it is looked for, on a device of that size."""
    return found is not None and found.apart == apart and (apart or found.end == size)


def require(found: Found | None, size: int, apart: bool, command: str, argv: tuple[str, ...]) -> Found:
    """`size` of the device now. `check-resize` moves the metadata to its new end."""
    if command == "dump-md" and found is not None and found.apart == apart and found.unclean and "--force" not in argv:
        raise CommandFailed(argv, 1, UNCLEAN)
    if found is None or found.apart != apart:
        raise CommandFailed(argv, 1, "No valid meta data found" if command == "dump-md" else "")
    if apart:
        return found
    if command == "check-resize":
        found.end = size
    if found.end != size:
        raise CommandFailed(argv, 1, UNCLEAN if command == "dump-md" else "")
    return found
