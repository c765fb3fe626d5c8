"""The volume plugin protocol of Docker: JSON over HTTP, one path for each verb.

What engines really do is in the comments; it was seen with Docker 20.10 and 28.5. An error is an answer with status 200
and a text in `Err`, which the user reads as it is.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec

from orlop.errors import OrlopError, Refused
from orlop.model.decoding import decoded
from orlop_docker.driver import Driver

log = logging.getLogger(__name__)
CONTENT = "application/vnd.docker.plugins.v1.2+json"
LARGEST = 1 << 20  # bytes of a request
ACTIVATE = "/Plugin.Activate"


class Asked(msgspec.Struct, rename="pascal", frozen=True):
    name: str = ""
    id: str = msgspec.field(default="", name="ID")
    opts: Mapping[str, str] | None = None


class Application:
    """WSGI; `name` is that of the driver, since the engine may know the plugin by several."""

    def __init__(self, driver: Driver, name: str) -> None:
        self._driver, self._name = driver, name
        self._verbs: dict[str, Callable[[Asked], dict[str, Any]]] = {
            "/VolumeDriver.Capabilities": lambda asked: {"Capabilities": {"Scope": "global"}},
            "/VolumeDriver.List": lambda asked: {"Volumes": driver.volumes(name)},
            "/VolumeDriver.Create": self._create,
            "/VolumeDriver.Remove": self._remove,
            "/VolumeDriver.Mount": self._mount,
            "/VolumeDriver.Unmount": self._unmount,
            "/VolumeDriver.Path": lambda asked: {"Mountpoint": driver.path(_named(asked))},
            "/VolumeDriver.Get": lambda asked: {"Volume": driver.get(name, _named(asked))},
        }

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        status, answer = self._answer(environ)
        body = msgspec.json.encode(answer) + b"\n"
        start(status, [("Content-Type", CONTENT), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: WSGIEnvironment) -> tuple[str, dict[str, Any]]:
        path = environ["PATH_INFO"]
        try:
            # Engines send no Content-Type; Accept says which version they speak.
            body = environ["wsgi.input"].read(_length(environ))
            if environ["REQUEST_METHOD"] != "POST":
                return "405 Method Not Allowed", {"Err": "every call is a POST"}
            if path == ACTIVATE:
                self._driver.activated(self._name)
                return "200 OK", {"Implements": ["VolumeDriver"]}
            if path not in self._verbs:
                return "404 Not Found", {"Err": f"there is no call {path}"}
            answer = self._verbs[path](_asked(body))
        except OrlopError as error:
            log.warning("%s: %s", path, error)
            return "200 OK", {"Err": _text(error)}
        except Exception as error:  # noqa: BLE001 - a connection that ends without an answer makes engines repeat wrongly
            log.exception("%s failed", path)
            return "500 Internal Server Error", {"Err": f"the plugin failed: {error!r}; its log has more"}
        return "200 OK", {**answer, "Err": ""}

    def _create(self, asked: Asked) -> dict[str, Any]:
        self._driver.create(self._name, _named(asked), asked.opts or {})
        return {}

    def _remove(self, asked: Asked) -> dict[str, Any]:
        self._driver.remove(self._name, _named(asked))
        return {}

    def _mount(self, asked: Asked) -> dict[str, Any]:
        return {"Mountpoint": self._driver.mount(self._name, _named(asked), asked.id)}

    def _unmount(self, asked: Asked) -> dict[str, Any]:
        self._driver.unmount(self._name, _named(asked), asked.id)
        return {}


def _length(environ: WSGIEnvironment) -> int:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > LARGEST:
        raise Refused(f"a request of {length} bytes is too large")
    return length


def _asked(body: bytes) -> Asked:
    """After a connection broke, engines repeat a request without its content; `{}` would be a request for anything."""
    if not body.strip():
        raise Refused("the request came without its content", correction="Repeat the command.")
    try:
        return decoded(body, Asked)
    except msgspec.DecodeError as error:
        raise Refused(f"the request cannot be read: {error}") from None


def _named(asked: Asked) -> str:
    if not asked.name:
        raise Refused("the request names no volume")
    return asked.name


def _text(error: OrlopError) -> str:
    """One line for each part; an engine shows it behind the name of the command."""
    return "\n".join(part for part in (str(error), error.cause, error.details, error.correction) if part)
