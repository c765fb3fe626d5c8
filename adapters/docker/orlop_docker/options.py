"""What a volume is to be like: `docker volume create -o name=value`, over the defaults of the configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from orlop.client import wait_from
from orlop.errors import OrlopError, Refused
from orlop.model import names, sizes
from orlop.model.cluster import Value
from orlop_docker import file_system_options as file_systems

DEFAULT_SIZE = 100 * 1024  # KiB, as the plugin of LINSTOR had it
DEFAULT_REPLICAS = 2
# What mkfs of today makes at least, in KiB: xfsprogs refuses anything below 300 MB since 5.19.
SMALLEST = {file_systems.EXT4: 4 * 1024, file_systems.XFS: 300 * 1024}
_YES, _NO = frozenset({"yes", "true", "on", "1"}), frozenset({"no", "false", "off", "0"})


class VolumeOptions(Value, frozen=True, kw_only=True):
    """None and empty: the resource group or the cluster says.

    `given` is what was asked for, `settings` the same with the defaults that counted; both as they were written.
    """

    size: int | None = None  # KiB
    file_system: str = file_systems.EXT4
    mkfs_options: str = ""
    mount_options: tuple[str, ...] = ()
    replicas: int | None = None
    nodes: tuple[str, ...] = ()
    storage_pool: str | None = None
    group: str | None = None
    layers: tuple[str, ...] = ()
    encrypted: bool = False
    source: str | None = None  # name of the volume that it begins as a copy of
    snapshot: str | None = None  # of the source; None: as it is now
    uid: int = 0
    gid: int = 0
    mode: int = 0o755
    wait: str = ""
    given: Mapping[str, str] = {}
    settings: Mapping[str, str] = {}

    @property
    def kib(self) -> int:
        """The size a new volume gets: a file system may need more than was asked for."""
        return max(self.size or DEFAULT_SIZE, SMALLEST[self.file_system])


class _Option(NamedTuple):
    name: str
    field: str
    read: Callable[[str], Any]


def _size(text: str) -> int:
    found = sizes.kib(text, "MiB")
    if not SMALLEST[file_systems.EXT4] <= found <= names.LARGEST >> 10:
        raise ValueError(f"{text!r} is not between 4 MiB and 1 PiB")
    return found


def _between(low: int, high: int, base: int = 10) -> Callable[[str], int]:
    def read(text: str) -> int:
        found = int(text, base) if re.fullmatch("[0-9]{1,10}", text) else -1
        if not low <= found <= high:
            form = "o" if base == 8 else "d"
            raise ValueError(f"{text!r} is no number from {low:{form}} to {high:{form}}")
        return found

    return read


def _truth(text: str) -> bool:
    if text.lower() not in _YES | _NO:
        raise ValueError(f"{text!r} is neither yes nor no")
    return text.lower() in _YES


def _kind(text: str) -> str:
    if text.lower() not in file_systems.KINDS:
        raise ValueError(f"{text!r} is no file system that can be made; there are {', '.join(file_systems.KINDS)}")
    return text.lower()


def _list(check: Callable[[str], str]) -> Callable[[str], tuple[str, ...]]:
    def read(text: str) -> tuple[str, ...]:
        found = tuple(dict.fromkeys(check(part) for part in re.split(r"[,\s]+", text) if part))
        if not found:
            raise ValueError("nothing is named")
        return found

    return read


def _layer(text: str) -> str:
    if not re.fullmatch("[A-Za-z]{1,20}", text):
        raise ValueError(f"{text!r} is no layer")
    return text.upper()


def _text(text: str) -> str:
    return text.strip()


def _some_text(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty")
    return text.strip()


def _wait(text: str) -> str:
    wait_from(text, "volume")
    return text


_ALL = (
    _Option("size", "size", _size),
    _Option("fs", "file_system", _kind),
    _Option("fsopts", "mkfs_options", _text),
    _Option("mountopts", "mount_options", file_systems.mount),
    _Option("replicas", "replicas", _between(1, 32)),
    _Option("nodes", "nodes", _list(names.node)),
    _Option("storagepool", "storage_pool", names.storage_pool),
    _Option("resource-group", "group", names.resource_group),
    _Option("layers", "layers", _list(_layer)),
    _Option("encrypt", "encrypted", _truth),
    _Option("from", "source", _some_text),
    _Option("snapshot", "snapshot", _some_text),
    _Option("uid", "uid", _between(0, (1 << 32) - 2)),
    _Option("gid", "gid", _between(0, (1 << 32) - 2)),
    _Option("mode", "mode", _between(0, 0o7777, base=8)),
    _Option("wait", "wait", _wait),
)
OPTIONS = {option.name: option for option in _ALL}
_ALIASES = {"hosts": "nodes"}
_BY_SPELLING = {re.sub("[-_]", "", name): name for name in OPTIONS} | _ALIASES
PLACING = frozenset({"replicas", "nodes", "storagepool", "layers"})  # what a resource group says, too
OF_A_COPY = frozenset({"size", "mountopts", "from", "snapshot", "uid", "gid", "mode", "wait"})


def canonical(name: str) -> str:
    """`Resource_Group` is `resource-group`, `hosts` is `nodes`; raises `Refused`."""
    found = _BY_SPELLING.get(re.sub("[-_]", "", name).lower())
    if found is None:
        raise Refused(
            f"there is no option '{name}'",
            correction=f"There are {', '.join([*OPTIONS, *_ALIASES])}.",
        )
    return found


def read(settings: Mapping[str, str]) -> dict[str, str]:
    """Options by their names, each at most once; every value can be read by itself. Raises `Refused`."""
    found: dict[str, str] = {}
    for written, value in settings.items():
        name = canonical(written)
        if name in found:
            raise Refused(f"the option '{name}' is given twice; '{written}' is another name for it")
        _field(name, value)
        found[name] = value
    return found


def _field(name: str, value: str) -> Any:
    try:
        return OPTIONS[name].read(value)
    except ValueError as error:
        raise Refused(f"{name}={value} cannot be used: {error}") from None
    except OrlopError as error:
        raise Refused(
            f"{name}={value} cannot be used: {error}", cause=error.cause, correction=error.correction
        ) from None


def volume_options(asked: Mapping[str, str], defaults: Mapping[str, str]) -> VolumeOptions:
    """`defaults` are what `read` made of the configuration. Raises `Refused`."""
    given = read(asked)
    settings = {**_still_counting(given, defaults), **given}
    options = VolumeOptions(**{OPTIONS[name].field: _field(name, value) for name, value in settings.items()})
    options = replace(options, given=given, settings=settings)
    if options.snapshot and not options.source:
        options = _with_source(options)
    if options.source:
        _refuse_others(given)
    file_systems.mkfs(options.file_system, options.mkfs_options)
    return options


def _still_counting(given: Iterable[str], defaults: Mapping[str, str]) -> Mapping[str, str]:
    """The defaults that what was asked for leaves in place; options of mkfs belong to a kind of file system."""
    beside = set(given)
    dropped = set(PLACING) if "resource-group" in beside else set()
    if beside & {"nodes", "replicas"}:
        dropped |= {"nodes", "replicas"}
    if "fs" in beside:
        dropped.add("fsopts")
    if beside & {"from", "snapshot"}:
        dropped |= OPTIONS.keys() - OF_A_COPY | {"size"}
    return {name: value for name, value in defaults.items() if name not in dropped}


def _with_source(options: VolumeOptions) -> VolumeOptions:
    source, slash, snapshot = str(options.snapshot).partition("/")
    if not (source and slash and snapshot):
        raise Refused(
            f"snapshot={options.snapshot} does not say of which volume",
            correction="Give from=VOLUME as well, or snapshot=VOLUME/SNAPSHOT.",
        )
    return replace(options, source=source, snapshot=snapshot)


def _refuse_others(given: Mapping[str, str]) -> None:
    others = sorted(given.keys() - OF_A_COPY)
    if others:
        raise Refused(
            f"{', '.join(others)} cannot be chosen for a copy of another volume",
            cause="A copy has the file system and the layers of its source, and lies where its source lies.",
            correction=f"Leave {'it' if len(others) == 1 else 'them'} out.",
        )
