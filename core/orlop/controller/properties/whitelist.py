"""The data: which keys there are, on which kinds of object, and the rules around them."""

from collections.abc import Mapping
from enum import Enum
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from orlop.model.cluster import Value


class Kind(Enum):
    """Kinds of object that carry properties; the values are the short names of the API."""

    CONTROLLER = "C"
    NODE = "N"
    STORAGE_POOL = "SP"
    STORAGE_POOL_DEFINITION = "SPD"
    RESOURCE_GROUP = "RG"
    VOLUME_GROUP = "VG"
    RESOURCE_DEFINITION = "RD"
    VOLUME_DEFINITION = "VD"
    RESOURCE = "R"
    VOLUME = "V"
    NODE_CONNECTION = "NC"
    RESOURCE_CONNECTION = "RC"
    SNAPSHOT = "S"
    DRBD_PROXY = "PX"
    PROXY_LZMA = "PXlzma"
    PROXY_ZLIB = "PXzlib"
    PROXY_ZSTD = "PXzstd"
    KEY_VALUE_STORE = "KVS"

    @property
    def words(self) -> str:
        return self.name.lower().replace("_", " ")


# Kinds that accept what another kind accepts: their properties are looked up for it, or were copied from it.
ACCEPT_LIKE = {
    Kind.RESOURCE_GROUP: Kind.RESOURCE_DEFINITION,
    Kind.VOLUME_GROUP: Kind.VOLUME_DEFINITION,
    Kind.SNAPSHOT: Kind.RESOURCE_DEFINITION,
}


class Rule(Value, frozen=True, kw_only=True):
    """One key of the whitelist. `lowest` and `highest` bound a range."""

    type: str
    objects: frozenset[str]
    lowest: int | None = msgspec.field(default=None, name="from")
    highest: int | None = msgspec.field(default=None, name="to")
    symbols: tuple[str, ...] = ()
    default: str = ""
    unit: str = ""


class Rules(Value, frozen=True, kw_only=True):
    more_objects: Mapping[str, frozenset[str]]
    forms: Mapping[str, str]
    read_only: Mapping[str, str]
    precedence: Mapping[str, tuple[str, ...]]
    false_wins: Mapping[str, frozenset[str]]


def _read(name: str, kind: Any) -> Any:
    return msgspec.toml.decode(files(__package__).joinpath(name).read_bytes(), type=kind)


@cache
def rules() -> Rules:
    return _read("rules.toml", Rules)  # type: ignore[no-any-return]


@cache
def whitelist() -> Mapping[str, Rule]:
    """Every key that is spelt out, with its rule; `Aux/` and `Paths/` are rules about prefixes instead."""
    found: dict[str, Rule] = _read("whitelist.toml", dict[str, Rule])
    for key, more in rules().more_objects.items():
        found[key] = msgspec.structs.replace(found[key], objects=found[key].objects | more)
    return found


@cache
def keys_of(kind: Kind) -> Mapping[str, Rule]:
    """The keys that an object of this kind accepts."""
    short = ACCEPT_LIKE.get(kind, kind).value
    return {key: rule for key, rule in whitelist().items() if short in rule.objects}


def best_match(table: Mapping[str, Any], key: str) -> Any:
    """The value of the longest pattern (`*` at its end stands for anything) that fits the key, or None."""
    fitting = [pattern for pattern in table if fnmatchcase(key, pattern)]
    return table[max(fitting, key=len)] if fitting else None
