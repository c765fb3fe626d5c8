"""What the contracts of drivers have in common: their version, and what may be read of a node. And that of key stores.

A storage driver (`storing`) or layer (`layering`) is a class with two halves. The *controller half* are class methods
that need no node: they check, size and describe. The *node half* is a frozen picture of what was seen, made by
`observe`, the only impure method, once per round for all volumes; everything else in it is pure and returns steps.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol, runtime_checkable

from orlop.model import Capacity
from orlop.model.cluster import Value

API_VERSION = 1


class FileFacts(Value, frozen=True, kw_only=True):
    """What a directory says of one of its files. Sizes in bytes; attributes without the `user.` prefix."""

    size: int
    allocated: int
    attributes: Mapping[str, str]
    inode: int = 0
    device: str = ""  # "major:minor" of what holds the file


class Probe(Protocol):
    """The reading half of a host. Every method raises `CannotRead` or `CommandFailed` rather than guess."""

    def run(self, argv: tuple[str, ...], stdin: bytes = b"") -> str:
        """Output of a program that only looks. `LC_ALL=C`, with a time-out."""
        ...

    def programs(self, names: tuple[str, ...]) -> Mapping[str, str | None]:
        """Path of each program, None where it is not installed."""
        ...

    def files(self, directory: str) -> Mapping[str, FileFacts] | None:
        """Regular files of a directory by name; None when the directory does not exist."""
        ...

    def read(self, path: str) -> str | None:
        """Text of a small file, None when it does not exist."""
        ...

    def texts(self, *patterns: str) -> Mapping[str, str]:
        """What every path that a pattern fits says, `*` standing for any part of a name, in as few looks as possible.

        The text of a small file, the target of a link, nothing for a directory: sysfs and configfs are read so.
        """
        ...

    def space(self, directory: str) -> Capacity:
        """Size and free bytes of the file system that holds a directory."""
        ...

    def reflink(self, directory: str) -> bool:
        """Whether files in a directory can share their blocks."""
        ...

    def users(self) -> Mapping[str, tuple[str, ...]]:
        """Block devices that are in use, with what uses each: mounts in all namespaces, holders, swap."""
        ...


@runtime_checkable
class KeyStore(Protocol):
    """A place that keeps the master passphrase, asked once when the controller starts."""

    api_version: ClassVar[int]

    @classmethod
    def passphrase(cls) -> str | None:
        """None where it keeps none; raises an `OrlopError` where it should, and it cannot be had."""
        ...
