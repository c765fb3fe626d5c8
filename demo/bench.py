"""`python -m demo.bench`: what the REST API of a real cluster on this machine takes, as a table."""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from demo.cluster import CONTROLLER, Cluster, ClusterError
from demo.temporary import temporary_cluster

ROUNDS = 30
READS = 200
AT_ONCE = 8


class Row(NamedTuple):
    """What one kind of request took. Times in seconds."""

    name: str
    times: list[float]
    whole: float

    def __str__(self) -> str:
        ordered = sorted(self.times)
        late = ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]
        middle, per_second = statistics.median(ordered), len(ordered) / self.whole
        return f"{self.name:<44}{len(ordered):>6}{middle * 1000:>12.1f}{late * 1000:>12.1f}{per_second:>12.1f}"


class Bench:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def request(self, method: str, path: str, **body: Any) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.cluster.ports.rest, timeout=150)
        try:
            connection.request(method, path, json.dumps(body) if body else None)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 300:
            raise ClusterError(f"{method} {path} was answered with {answer.status}: {text[:500]!r}")

    def measure(self, name: str, count: int, work: Callable[[int], object], at_once: int = 1) -> None:
        def timed(number: int) -> float:
            began = time.perf_counter()
            work(number)
            return time.perf_counter() - began

        began = time.perf_counter()
        with ThreadPoolExecutor(at_once) as threads:
            times = list(threads.map(timed, range(count)))
        print(Row(name, times, time.perf_counter() - began), flush=True)

    def run(self) -> None:
        self.cluster.orlop("resource-group create bench --storage-pool pool1 --place-count 2 --layer-list storage")
        self.cluster.orlop("volume-group create bench")
        print(f"{'request':<44}{'count':>6}{'median ms':>12}{'95 % ms':>12}{'per second':>12}")
        self.measure("spawn, two copies", ROUNDS, self.spawn)
        self.reads()
        self.measure("snapshot", ROUNDS, self.snapshot)
        self.measure("grow", ROUNDS, self.grow)
        self.measure("delete a snapshot", ROUNDS, self.delete_snapshot)
        self.measure("delete", ROUNDS, self.delete)
        self.measure(f"spawn, {AT_ONCE} at once", ROUNDS, self.spawn, AT_ONCE)
        self.measure(f"delete, {AT_ONCE} at once", ROUNDS, self.delete, AT_ONCE)
        self.measure("orlop node list, the whole program", 10, lambda _: self.cluster.orlop("node list"))
        for name in (CONTROLLER, *(node.name for node in self.cluster.nodes)):
            print(f"{'memory of ' + name:<44}{self.memory(name):>6} MiB")

    def spawn(self, number: int) -> None:
        path = "/v1/resource-groups/bench/spawn"
        self.request("POST", path, resource_definition_name=f"bench{number}", volume_sizes=[4096])

    def snapshot(self, number: int) -> None:
        self.request("POST", f"/v1/resource-definitions/bench{number}/snapshots", name="snap1")

    def grow(self, number: int) -> None:
        self.request("PUT", f"/v1/resource-definitions/bench{number}/volume-definitions/0", size_kib=8192)

    def delete_snapshot(self, number: int) -> None:
        self.request("DELETE", f"/v1/resource-definitions/bench{number}/snapshots/snap1")

    def delete(self, number: int) -> None:
        self.request("DELETE", f"/v1/resource-definitions/bench{number}")

    def reads(self) -> None:
        for name, path in (
            ("list nodes", "/v1/nodes"),
            ("list storage pools", "/v1/view/storage-pools"),
            (f"list {2 * ROUNDS} resources", "/v1/view/resources"),
            ("one resource", "/v1/view/resources?resources=bench0"),
        ):
            self.measure(name, READS, lambda _, path=path: self.request("GET", path))  # type: ignore[misc]

    def memory(self, name: str) -> int:
        """Resident memory of a program in MiB."""
        program = self.cluster.program(name)
        if program is None:
            raise ClusterError(f"{name} does not run; {self.cluster.said(name)}")
        status = Path(f"/proc/{program.pid}/status").read_text()
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(kib) // 1024


def main() -> int:
    try:
        with temporary_cluster() as cluster:
            Bench(cluster).run()
    except ClusterError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
