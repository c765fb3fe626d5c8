"""Splits paths before they are decoded: a `%2F` belongs to a name and does not separate segments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

SLASH = "\x1f"  # stands for an encoded slash while a path is being routed; no name may hold a control character

Wsgi = Callable[..., Iterable[bytes]]


def routed(path: str) -> str:
    """A path as it was sent, as routes are matched with."""
    return "/".join(unquote_to_bytes(part).decode("utf-8", "replace").replace("/", SLASH) for part in path.split("/"))


class Paths:
    """WSGI middleware. Servers give the path as it was sent in REQUEST_URI, decoded in PATH_INFO."""

    def __init__(self, application: Wsgi) -> None:
        self._application = application

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        raw = environ.get("REQUEST_URI", "")
        if "%2f" in raw.lower():
            path = urlsplit(raw).path if not raw.startswith("//") else raw.partition("?")[0]
            segments = [unquote_to_bytes(part).decode("latin-1").replace("/", SLASH) for part in path.split("/")]
            environ["PATH_INFO"] = "/".join(segments)
        return self._application(environ, start_response)
