"""The host's side of the agent in a node: one connection for each request."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.lab.machine import AGENT_PORT

GRACE = 30.0  # seconds beyond what the node itself allows a command


class AgentError(Exception):
    """The agent could not do what it was asked."""


class Agent:
    def __init__(self, address: str) -> None:
        self.address = address

    def ask(self, do: str, body: bytes = b"", seconds: float = 60.0, **request: Any) -> tuple[dict[str, Any], bytes]:
        """The answer and the bytes that came with it; raises `OSError` when the node can't be reached."""
        header = {"do": do, "length": len(body), "seconds": seconds, **request}
        with socket.create_connection((self.address, AGENT_PORT), seconds + GRACE) as connection:
            connection.sendall(json.dumps(header).encode() + b"\n" + body)
            with connection.makefile("rb") as stream:
                line = stream.readline()
                if not line:
                    raise ConnectionResetError("the node closed the connection")
                answer: dict[str, Any] = json.loads(line)
                content = stream.read(answer["length"])
        if len(content) != answer["length"]:
            raise ConnectionResetError("the node closed the connection in the middle of an answer")
        if "error" in answer:
            raise AgentError(answer["error"])
        return answer, content

    def answers(self) -> bool:
        try:
            self.ask("ping", seconds=0.0)
        except OSError:
            return False
        return True
