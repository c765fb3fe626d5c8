"""A hundred satellites in one thread: real agents on simulated hosts, behind the real protocol, on loopback addresses.

`python -m benchmarks.satellites STATE_DIRECTORY PORT NODES RESOURCES` serves until its standard input ends. Lines
there are commands: `hang 33` lets the first 33 satellites answer nothing any more, `hang 0` lets them go on.
"""

from __future__ import annotations

import asyncio
import gc
import io
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from benchmarks import seed
from benchmarks.seed import Scale
from orlop.drivers import Drivers
from orlop.hooks import Hooks
from orlop.model import GIB
from orlop.satellite.node import Node
from orlop.satellite.task import NEVER
from orlop.testing.host import SimulatedHost
from orlop.transport import identity
from orlop.transport.application import Application
from orlop.transport.identity import Identity
from orlop.transport.messages import PREFIX, Report

REPORTS = PREFIX + "reports"
Reply = Callable[[bytes], None]


class Unhurried(Application):
    """Long polls are held by the loop below, which asks only when there is something to answer."""

    def _reports(self, _: Any, request: Any, __: bytes) -> Report:
        return self._agent.reports(int(request.number("after")), 0.0)


class Satellite:
    """One node: steps its agent when something is due, and holds long polls until there is something to report."""

    def __init__(self, node: Node, who: Identity) -> None:
        self.node = node
        self.hanging = False
        self._application = Unhurried(node, who)
        self._polls: dict[Reply, tuple[dict[str, Any], int]] = {}
        self._held: list[tuple[dict[str, Any], Reply]] = []
        self._timer: asyncio.TimerHandle | None = None

    def request(self, environ: dict[str, Any], reply: Reply) -> None:
        if self.hanging:
            self._held.append((environ, reply))
            return
        if environ["PATH_INFO"] == REPORTS:
            self._poll(environ, reply)
            return
        self._answer(environ, reply)
        self.schedule()

    def hang(self, hanging: bool) -> None:
        self.hanging = hanging
        if not hanging:
            held, self._held = self._held, []
            for environ, reply in held:
                self.request(environ, reply)
            self.schedule()

    def schedule(self) -> None:
        """Work when the agent next has something to do."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self.node.due()
        if due != NEVER and not self.hanging:
            delay = max(0.0, due - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._step)

    def _step(self) -> None:
        self._timer = None
        if self.hanging:
            return
        self.node.work(time.monotonic())
        for reply, (environ, after) in list(self._polls.items()):
            if self.node.reports(after).number != after:
                del self._polls[reply]
                self._answer(environ, reply)
        self.schedule()

    def _poll(self, environ: dict[str, Any], reply: Reply) -> None:
        query = parse_qs(environ["QUERY_STRING"])
        after, wait = int(query["after"][0]), float(query["wait"][0])
        if self.node.reports(after).number != after:
            self._answer(environ, reply)
            return
        self._polls[reply] = environ, after
        asyncio.get_running_loop().call_later(wait, self._expire, reply)

    def _expire(self, reply: Reply) -> None:
        found = self._polls.pop(reply, None)
        if found is not None and self.hanging:
            self._held.append((found[0], reply))
        elif found is not None:
            self._answer(found[0], reply)

    def _answer(self, environ: dict[str, Any], reply: Reply) -> None:
        head: list[str] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Callable[[bytes], object]:
            head.append(f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n")
            return reply

        body = b"".join(self._application(environ, start))
        reply(head[0].encode("latin-1") + body)


class Connection(asyncio.Protocol):
    """As much of HTTP/1.1 as the controller speaks to a satellite."""

    def __init__(self, satellite: Satellite) -> None:
        self._satellite = satellite
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while True:
            head, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return
            environ = _environ(head.decode("latin-1"))
            length = int(environ["CONTENT_LENGTH"])
            if len(rest) < length:
                return
            environ["wsgi.input"], self._buffer = io.BytesIO(rest[:length]), rest[length:]
            self._satellite.request(environ, self._reply())

    def _reply(self) -> Reply:
        transport = self._transport

        def reply(answer: bytes) -> None:
            if transport is not None and not transport.is_closing():
                transport.write(answer)

        return reply


def _environ(head: str) -> dict[str, Any]:
    first, *lines = head.split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = {name.upper().replace("-", "_"): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": headers.get("CONTENT_LENGTH", "0"),
        **{f"HTTP_{name}": value for name, value in headers.items()},
    }


def seeded(scale: Scale, controller: Identity) -> list[Satellite]:
    """Satellites whose hosts hold the cluster already."""
    drivers, hooks = Drivers.installed(), Hooks()
    found = []
    for name, sync in seed.first_orders(drivers, seed.picture(scale), controller.cluster):
        host = SimulatedHost(name=name, total=10240 * GIB, reflink=True, clock=time.time)
        made = Node(name=name, host=host, drivers=drivers, hooks=hooks, directory="/var/lib/orlop", run=f"{name}-0")
        made.sync(sync)
        while made.due() <= time.monotonic():
            made.work(time.monotonic())
        node = Node(name=name, host=host, drivers=drivers, hooks=hooks, directory="/var/lib/orlop", run=f"{name}-1")
        found.append(Satellite(node, Identity(cluster=controller.cluster, name=name, key=controller.key)))
    return found


async def serve(satellites: list[Satellite], port: int) -> None:
    loop = asyncio.get_running_loop()
    for number, satellite in enumerate(satellites):
        await loop.create_server(lambda satellite=satellite: Connection(satellite), seed.address(number), port)  # type: ignore[misc]
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    print("ready", flush=True)
    while line := await commands.readline():
        count = int(line.split()[1])
        for number, satellite in enumerate(satellites):
            satellite.hang(number < count)
        print("done", flush=True)


def main() -> None:
    directory, port, nodes, resources = sys.argv[1:]
    controller = identity.load(Path(directory))
    assert controller is not None
    gc.disable()
    satellites = seeded(Scale(int(nodes), int(resources)), controller)
    gc.enable()
    gc.freeze()
    asyncio.run(serve(satellites, int(port)))


if __name__ == "__main__":
    main()
