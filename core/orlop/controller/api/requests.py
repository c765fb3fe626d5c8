"""From what came over HTTP to typed values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, TypeVar

import msgspec
from werkzeug.datastructures import MultiDict

from orlop.controller.api.identity import Identity
from orlop.controller.api.site import Site
from orlop.controller.core import Core
from orlop.errors import OrlopError
from orlop.model import key
from orlop.model.decoding import converted

Item = TypeVar("Item")
TRUE = frozenset({"true", "1", "yes"})
LARGEST_NUMBER = 1 << 62


class BadRequest(OrlopError):
    """The request cannot be understood; HTTP 400."""

    def __init__(self, details: str) -> None:
        super().__init__("Unable to parse input json.", details=details)


class Query:
    """Query parameters. Lists are repeated parameters; names compare case-insensitively."""

    def __init__(self, arguments: MultiDict[str, str]) -> None:
        self._arguments = arguments

    def text(self, name: str) -> str:
        return self._arguments.get(name, "")

    def texts(self, name: str) -> list[str]:
        return [value for value in self._arguments.getlist(name) if value]

    def keys(self, name: str) -> frozenset[str]:
        return frozenset(key(value) for value in self.texts(name))

    def number(self, name: str) -> int:
        """0 when it is absent; raises `BadRequest`."""
        value = self._arguments.get(name, "").strip()
        if not value:
            return 0
        try:
            number = int(value)
        except ValueError:
            raise BadRequest(f"query parameter '{name}' must be a whole number, not '{value}'") from None
        if abs(number) > LARGEST_NUMBER:
            raise BadRequest(f"query parameter '{name}' is out of range")
        return number

    def flag(self, name: str, absent: bool = False) -> bool:
        """`True`, `true`, `1` and `yes` are true."""
        value = self._arguments.get(name)
        return absent if value is None else value.strip().lower() in TRUE

    def page(self, items: list[Item]) -> list[Item]:
        """`limit` items after `offset`; without a limit everything, whatever the offset says."""
        limit, offset = self.number("limit"), max(self.number("offset"), 0)
        return items[offset : offset + limit] if limit > 0 else items

    def matches(self, props: Iterable[tuple[str, str]]) -> bool:
        """Whether all `props=key` and `props=key=value` filters hold."""
        wanted = self.texts("props")
        if not wanted:
            return True
        have = dict(props)
        for text in wanted:
            name, equals, value = text.partition("=")
            if name not in have or (equals and have[name] != value):
                return False
        return True


class Call(NamedTuple):
    """One request, as handlers see it. `body` is of the type that the route declares."""

    core: Core
    site: Site
    query: Query
    identity: Identity
    body: Any = None


def parse(data: bytes, kind: Any) -> Any:
    """A body of the given type, whatever its Content-Type; absent, null and `{}` are the same."""
    try:
        raw = msgspec.json.decode(data) if data.strip() else None
        return converted({} if raw is None else _without_nulls(raw), kind, strict=False)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError, UnicodeDecodeError) as error:
        raise BadRequest(str(error)) from None


def _texts(props: dict[str, Any]) -> dict[str, Any]:
    """Values of properties are texts; clients send them as numbers and booleans too."""
    texts = {name: value for name, value in props.items() if value is not None}
    for name, value in texts.items():
        if isinstance(value, bool | int | float):
            texts[name] = msgspec.json.encode(value).decode()
    return texts


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            name: _texts(member) if isinstance(member, dict) and name.endswith("props") else _without_nulls(member)
            for name, member in value.items()
            if member is not None
        }
    if isinstance(value, list):
        return [_without_nulls(member) for member in value if member is not None]
    return value
