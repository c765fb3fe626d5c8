"""Real files and loop devices on this machine: what Orlop adds to the bare commands. Needs root."""

from __future__ import annotations

import contextlib
import itertools
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.processes import BenchmarkError, Client, free_port
from benchmarks.seed import Scale
from benchmarks.table import Figure
from demo.cluster import Cluster, Node, Ports

NODE = Node("alpha", "127.0.0.41")
ROUNDS = 12
SIZE_KIB = 4096


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    if os.geteuid() != 0:
        print("  real files and loop devices need root: left out")
        return
    with _cluster(directory / "cluster") as cluster:
        creation = Creation(cluster, directory)
        bare = creation.median(creation.bare, creation.nothing, creation.remove_bare)
        rest = creation.median(creation.over_rest, creation.defined, creation.delete)
        command = creation.median(creation.by_command, creation.defined, creation.delete)
        creation.client.close()
    yield Figure("bare commands that make one volume", bare * 1000, "ms")
    yield Figure("create a resource over REST", rest * 1000, "ms", 1.5 * bare * 1000 + 50)
    yield Figure("what the command orlop adds to that", (command - rest) * 1000, "ms", 300)


@contextlib.contextmanager
def _cluster(directory: Path) -> Iterator[Cluster]:
    """On ports that are free, beside any other cluster of this machine."""
    ports = Ports(free_port(), free_port(), free_port(NODE.address))
    cluster = Cluster(directory, (NODE,), ports)
    try:
        cluster.assemble()
        yield cluster
    finally:
        problems = cluster.end()
        cluster.close()
    if problems:
        raise BenchmarkError("; ".join(problems))


class Creation:
    """One volume, made in three ways."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.client = Client(cluster.ports.rest)
        self._cluster = cluster
        self._node = cluster.nodes[0].name
        self._file = directory / "bare"
        self._device = ""
        self._numbers = itertools.count()

    def median(self, work: Callable[[str], None], before: Callable[[], str], after: Callable[[str], None]) -> float:
        """Seconds of `work`."""
        times = []
        for _ in range(ROUNDS):
            name = before()
            began = time.perf_counter()
            work(name)
            times.append(time.perf_counter() - began)
            after(name)
        return statistics.median(times)

    def nothing(self) -> str:
        return ""

    def bare(self, _: str) -> None:
        """What an administrator would type: a file, its mark, a loop device."""
        subprocess.run(["truncate", "--size", f"{SIZE_KIB}K", str(self._file)], check=True)
        os.setxattr(self._file, "user.bare", b"volume 0")
        attach = ["losetup", "--find", "--show", "--nooverlap", str(self._file)]
        self._device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()

    def remove_bare(self, _: str) -> None:
        subprocess.run(["losetup", "--detach", self._device], check=True)
        self._file.unlink()

    def defined(self) -> str:
        name = f"bench{next(self._numbers)}"
        self.client.request("POST", "/v1/resource-definitions", {"resource_definition": {"name": name}})
        body = {"volume_definition": {"size_kib": SIZE_KIB}}
        self.client.request("POST", f"/v1/resource-definitions/{name}/volume-definitions", body)
        return name

    def over_rest(self, name: str) -> None:
        body = {"resource": {"node_name": self._node, "props": {"StorPoolName": "pool1"}}}
        self.client.request("POST", f"/v1/resource-definitions/{name}/resources/{self._node}", body)

    def by_command(self, name: str) -> None:
        self._cluster.orlop(f"resource create {self._node} {name} --storage-pool pool1")

    def delete(self, name: str) -> None:
        self.client.request("DELETE", f"/v1/resource-definitions/{name}")
