"""The memory of a real satellite that has nothing to do."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import processes
from benchmarks.processes import PROGRAMS, BenchmarkError
from benchmarks.seed import Scale
from benchmarks.table import Figure
from orlop.errors import TransportError
from orlop.transport import identity
from orlop.transport.channel import Channel
from orlop.transport.identity import ClusterKey
from orlop.transport.messages import Fence, Sync

CLUSTER, NODE = "benchmark", "idle"


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    key, port = ClusterKey.draw(), processes.free_port()
    identity.store(directory, identity.contents(CLUSTER, NODE, key))
    fence = Fence(cluster=CLUSTER, term=1, nonce="n")
    argv = [str(PROGRAMS / "orlop-satellite"), "run", "--port", str(port), "--state-directory", str(directory)]
    with processes.running(argv, directory / "log") as program:
        channel = Channel(NODE, "127.0.0.1", port, key=key, fence=fence)
        with contextlib.closing(channel):
            _greet(program, channel)
            channel.sync(Sync(fence=fence, node=NODE, node_uuid="n"))
            channel.reports(0, min(seconds, 3.0))
            yield Figure("memory of an idle satellite", program.memory, "MiB", 60)


def _greet(program: processes.Running, channel: Channel) -> None:
    until = time.monotonic() + 30
    while True:
        program.require()
        try:
            channel.connect()
            return
        except TransportError as error:
            if time.monotonic() > until:
                raise BenchmarkError(f"the satellite does not answer: {error}") from error
            time.sleep(0.05)
