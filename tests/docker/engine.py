"""An engine as the plugin sees it: requests over the socket, byte for byte as dockerd sends them."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any, NamedTuple

ACCEPT = "application/vnd.docker.plugins.v1.2+json"


class Answer(NamedTuple):
    status: int
    body: Any

    @property
    def error(self) -> str:
        return str(self.body.get("Err", ""))


class Engine:
    """One connection that is kept open; `host` is what its Host header says (nothing at all before Docker 23)."""

    def __init__(self, path: Path, host: str = "") -> None:
        self._host = host
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(60)
        try:
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise
        self._stream = self._socket.makefile("rb")

    def call(self, verb: str, **members: Any) -> Answer:
        return self.send(verb, (json.dumps(members) + "\n").encode())

    def send(self, verb: str, body: bytes) -> Answer:
        path = verb if "." in verb else f"VolumeDriver.{verb}"
        head = f"POST /{path} HTTP/1.1\r\nHost: {self._host}\r\nUser-Agent: Go-http-client/1.1\r\n"
        self._socket.sendall(f"{head}Content-Length: {len(body)}\r\nAccept: {ACCEPT}\r\n\r\n".encode() + body)
        status = int(self._stream.readline().split()[1])
        length = 0
        while (line := self._stream.readline().strip().lower()) != b"":
            if line.startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return Answer(status, json.loads(self._stream.read(length)))

    def close(self) -> None:
        self._stream.close()
        self._socket.close()
