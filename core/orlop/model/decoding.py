"""JSON and plain values into values of a type, from any thread.

msgspec finds out what a type is made of when it first meets it, and leaves what it has so far where other threads see
it: one that decodes the same type meanwhile ends the process. Here one thread at a time finds out, before it decodes.
"""

from __future__ import annotations

import threading
from functools import cache
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")

_finding_out = threading.Lock()


def decoded(data: bytes | str, kind: type[T], strict: bool = True) -> T:
    """Raises `msgspec.DecodeError` for what is no JSON, or is JSON of something else."""
    return cast(T, _for(cast(Any, kind), strict).decode(data))


def converted(raw: Any, kind: type[T], strict: bool = True) -> T:
    """Raises `msgspec.ValidationError` for what is something else."""
    _for(cast(Any, kind), strict)
    return msgspec.convert(raw, kind, strict=strict)


@cache
def _for(kind: Any, strict: bool) -> msgspec.json.Decoder[Any]:
    with _finding_out:
        return msgspec.json.Decoder(kind, strict=strict)
