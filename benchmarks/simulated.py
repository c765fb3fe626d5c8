"""The real controller with a hundred simulated nodes: lists, single reads, creation, memory, waiting requests."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks import processes, seed
from benchmarks.load import Done
from benchmarks.processes import Client, Echo, Ports, Running
from benchmarks.seed import Scale
from benchmarks.table import Figure, p99, timing
from orlop.controller.cluster_key import ClusterKeys

EVERY = "/v1/view/resources"
PAUSE = 0.005  # seconds between two reads of one resource
STARTS = 3
LISTS = 50
INDENT = "    "


class Reads(NamedTuple):
    """Seconds of each read, and of a bare echo right after it."""

    times: list[float]
    echoes: list[float]

    def figures(self, name: str, wanted: float) -> Iterator[Figure]:
        yield p99(f"{name}, p99", self.times, wanted)
        yield timing(f"{INDENT}median", self.times)
        yield p99(f"{INDENT}a bare echo on this machine meanwhile, p99", self.echoes)


class Simulated:
    """A controller and its simulated nodes, started on entry."""

    def __init__(self, directory: Path, scale: Scale, seconds: float) -> None:
        self.directory, self.scale, self.seconds = directory, scale, seconds
        self.ports = Ports.free()
        self.starts: list[float] = []
        self._loads = 0
        self._stack = ExitStack()

    def __enter__(self) -> Simulated:
        with ExitStack() as opening:
            url = f"sqlite:///{self.directory}/orlop.db"
            activation = seed.fill(url, self.scale, self.ports.satellites)
            ClusterKeys.open(self.directory, activation.cluster)
            self.satellites = processes.satellites(self.directory, self.ports, self.scale)
            opening.callback(self.satellites.end)
            self.satellites.line()
            for _ in range(STARTS - 1):
                self._start().end()
            self.controller = self._start()
            opening.callback(self.controller.end)
            self.client = Client(self.ports.rest)
            opening.callback(self.client.close)
            self.echo = Echo(self.directory / "echo.log")
            opening.callback(self.echo.end)
            self.wait_online()
            self._stack = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self) -> Running:
        began = time.perf_counter()
        program = processes.controller(self.directory, self.ports)

        def serves() -> bool:
            client = Client(self.ports.rest)
            client.request("GET", "/health")
            client.close()
            return True

        try:
            processes.wait_for("the controller serves", serves, program)
        except BaseException:
            program.end()
            raise
        self.starts.append(time.perf_counter() - began)
        return program

    def wait_online(self) -> None:
        def online() -> bool:
            return all(node["connection_status"] == "ONLINE" for node in self.client.json("/v1/nodes"))

        processes.wait_for("all nodes are online", online, self.controller, pause=0.2)

    @contextmanager
    def load(self, clients: int, kind: str, done: list[Done]) -> Iterator[None]:
        """Clients in another process while the block runs, for the set time; what they did is added to `done`."""
        self._loads += 1
        words = [str(self.ports.rest), str(clients), str(self.seconds), kind, f"{kind}{self._loads}"]
        argv = [sys.executable, "-m", "benchmarks.load", *words]
        with processes.running(argv, self.directory / "load.log") as program:
            program.line()
            time.sleep(self.seconds / 10)
            yield
            done.append(Done(**json.loads(program.line())))

    def read(self, seconds: float, path: str = "") -> Reads:
        """Read one resource after the other, or always the same path."""
        times: list[float] = []
        echoes: list[float] = []
        until = time.perf_counter() + seconds
        number = 0
        while time.perf_counter() < until:
            number = (number + 7) % self.scale.resources
            times.append(self.client.timed(path or f"{EVERY}?resources={seed.resource_name(number)}"))
            echoes.append(self.echo.timed())
            time.sleep(PAUSE)
        return Reads(times, echoes)

    def during(self, clients: int, kind: str, path: str = "") -> Reads:
        """Reads while others are at work."""
        done: list[Done] = []
        with self.load(clients, kind, done):
            return self.read(self.seconds * 0.8, path)


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    with Simulated(directory, scale, seconds) as bench:
        yield Figure("controller start to serving", statistics.median(bench.starts), "s", 5)
        yield from _lists(bench)
        yield from bench.read(seconds / 2).figures("one resource", 10)
        yield from _spawning(bench)
        yield from _reads(bench, "")
        yield from _memory(bench)
        bench.satellites.tell(f"hang {scale.nodes // 3}")
        yield from _waiting(bench)
        yield from _reads(bench, ", a third of satellites hanging")
        bench.satellites.tell("hang 0")


def _lists(bench: Simulated) -> Iterator[Figure]:
    count = f"{bench.scale.resources} resources"
    yield timing(f"list of {count}, the first", [bench.client.timed(EVERY)], 300)
    yield timing(f"list of {count}, nothing changed", [bench.client.timed(EVERY) for _ in range(10)], 300)


def _reads(bench: Simulated, when: str) -> Iterator[Figure]:
    yield from bench.during(20, "spawn").figures(f"one resource while 20 clients create{when}", 10)
    yield from bench.during(1, "list").figures(f"one resource while another lists all{when}", 60)
    done: list[Done] = []
    with bench.load(20, "spawn", done):
        time.sleep(bench.seconds * 0.1)
        lists = [bench.client.timed(EVERY) for _ in range(5)]
    yield timing(f"list of all while 20 clients create{when}", lists, 300)


def _spawning(bench: Simulated) -> Iterator[Figure]:
    done: list[Done] = []
    before = [processes.processor_seconds(p.pid) for p in (bench.controller, bench.satellites)]
    with bench.load(8, "spawn", done):
        pass
    after = [processes.processor_seconds(p.pid) for p in (bench.controller, bench.satellites)]
    (result,) = done
    if result.failures:
        print(f"  {len(result.failures)} requests failed, for example: {result.failures[0]}")
    yield Figure("resources spawned by 8 clients", result.requests / result.seconds, "/s", 100, at_least=True)
    if result.times:
        yield timing(f"{INDENT}one of them, median", result.times)
        yield Figure(f"{INDENT}controller, processor", (after[0] - before[0]) / result.requests * 1000, "ms each")
        yield Figure(f"{INDENT}simulated nodes, processor", (after[1] - before[1]) / result.requests * 1000, "ms each")


def _memory(bench: Simulated) -> Iterator[Figure]:
    done: list[Done] = []
    for _ in range(LISTS):
        bench.client.timed(EVERY)
    with bench.load(8, "list", done):
        pass
    yield Figure(f"controller memory after {LISTS + done[0].requests} lists", bench.controller.memory, "MiB", 400)


def _waiting(bench: Simulated) -> Iterator[Figure]:
    """Resources on satellites that hang: their requests wait."""
    reads = bench.during(16, "spawn", "/health")
    yield from reads.figures("/health while 16 requests wait", 10)
    yield Figure(f"{INDENT}worst", max(reads.times) * 1000, "ms")
