"""Snapshots of volumes that DRBD replicates: of one moment on both nodes, and whatever dies, I/O goes on."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.client import NewResource
from orlop.client.values import Resource
from tests.lab.cluster import Cluster
from tests.lab.node import GIB, Node
from tests.lab.pair_writer import BLOCK, PLACES

NODES, DISKS = 2, (1 * GIB,)
WRITER = Path(__file__).with_name("pair_writer.py")
FAST = {"DrbdOptions/PeerDevice/c-plan-ahead": "0", "DrbdOptions/PeerDevice/resync-rate": "102400"}
SIZE = 16  # MiB of each volume
FAILURES = {"FAILED_DEPLOYMENT", "FAILED_DISCONNECT"}


@pytest.fixture(scope="module")
def pools(cluster: Cluster) -> Cluster:
    """A thin pool on each node."""
    cluster.orlop("controller set-property PrefNic private")
    for number, node in enumerate(cluster.nodes, 1):
        cluster.orlop(f"node interface create {node.name} private 10.77.0.{number}")
        node.run("vgcreate", "-q", "vg0", node.disks[0].path)
        node.run("lvcreate", "-q", "-T", "-L", "800m", "vg0/thin")
        cluster.client.create_storage_pool(node.name, "pool", "LVM_THIN", {"StorDriver/StorPoolName": "vg0/thin"})
    return cluster


class Web:
    """A resource with two volumes on both nodes."""

    def __init__(self, cluster: Cluster, name: str = "web") -> None:
        self.cluster, self.client, self.name = cluster, cluster.client, name
        self.one, self.two = cluster.nodes
        self._writer: int | None = None

    def define(self, sizes: int = 2) -> Web:
        self.client.create_resource_definition(self.name, layers=["DRBD", "STORAGE"], props=FAST)
        for _ in range(sizes):
            self.client.create_volume_definition(self.name, SIZE << 10)
        return self

    def deploy(self) -> Web:
        for node in self.cluster.nodes:
            self.client.create_resource(self.name, NewResource(node=node.name, storage_pool="pool"))
        return self.synchronized()

    def on(self, node: Node) -> Resource:
        return next(r for r in self.client.resources([self.name]) if r.node_name == node.name)

    def synchronized(self) -> Web:
        def done() -> bool:
            volumes = [v for node in self.cluster.nodes for v in self.on(node).volumes]
            return len(volumes) == 4 and all(
                v.state.disk_state == "UpToDate"
                and {s.replication_state for s in v.state.replication_states.values()} == {"Established"}
                for v in volumes
            )

        self.cluster.wait(f"{self.name} is synchronized", done)
        return self

    def write_pairs(self) -> None:
        self.one.run("drbdadm", "primary", self.name)
        self.one.put("/tmp/pair_writer.py", WRITER.read_text())
        devices = [f"/dev/drbd/by-res/{self.name}/{n}" for n in (0, 1)]
        self._writer = self.one.start_program("python3", "/tmp/pair_writer.py", *devices, log="/tmp/writer.log")
        self.cluster.wait("it writes", lambda: self.newest(self.one)[1] > 0)

    def stop_writing(self) -> None:
        if self._writer is not None:
            self.one.stop_program(self._writer, signal.SIGKILL)
            self._writer = None
            self.cluster.wait("nobody holds it", lambda: self.one.run("drbdadm", "secondary", self.name) == "")

    def newest(self, node: Node, snapshot: str = "", name: str = "") -> tuple[int, int]:
        """Highest number on each volume, as its backing has it."""
        one, two = (self.numbers(node, n, snapshot, name) for n in (0, 1))
        return max(one), max(two)

    def numbers(self, node: Node, number: int, snapshot: str = "", name: str = "") -> list[int]:
        device = f"/dev/vg0/{name or self.name}_{number:05d}" + (f".{snapshot}" if snapshot else "")
        data = base64.b64decode(node.shell(f"dd if={device} bs=1M count=1 iflag=direct status=none | base64"))
        return [int.from_bytes(data[at * BLOCK : at * BLOCK + 8], "big") for at in range(PLACES)]

    def hash(self, node: Node, number: int, snapshot: str = "", name: str = "") -> str:
        device = f"/dev/vg0/{name or self.name}_{number:05d}" + (f".{snapshot}" if snapshot else "")
        reading = f"dd if={device} bs=1M count={SIZE} iflag=direct status=none | sha256sum"
        return node.shell(reading).split()[0]

    def flags(self, snapshot: str) -> set[str]:
        return {flag for s in self.client.snapshots_of(self.name) if s.name == snapshot for flag in s.flags}

    def is_suspended(self, node: Node) -> bool:
        return "suspended:no" not in node.run("drbdsetup", "events2", "--now")

    def goes_on(self) -> None:
        """Somebody writes, and nothing is suspended on either node."""
        for node in self.cluster.nodes:
            self.cluster.wait(f"nothing is suspended on {node.name}", lambda node=node: not self.is_suspended(node))
        before = self.newest(self.one)
        self.cluster.wait("it is written to", lambda: self.newest(self.one) > before)


@pytest.fixture
def web(pools: Cluster) -> Iterator[Web]:
    made = Web(pools).define().deploy()
    yield made
    made.stop_writing()
    for name in [d.name for d in pools.client.resource_definitions()]:
        for snapshot in pools.client.snapshots_of(name):
            pools.client.delete_snapshot(name, snapshot.name)
    for name in [d.name for d in pools.client.resource_definitions()]:
        pools.client.delete_resource_definition(name)
    for node in pools.nodes:
        pools.wait("nothing is left", lambda node=node: node.run("drbdsetup", "events2", "--now") == "exists -\n")
        assert "web" not in node.shell("lvs --noheadings -o lv_name; ls /var/lib/orlop/drbd /var/lib/orlop/satellite")


def activate(web: Web, snapshot: str) -> None:
    for node in web.cluster.nodes:
        for number in (0, 1):
            node.run("lvchange", "-ay", "-K", f"vg0/web_{number:05d}.{snapshot}")


def test_a_snapshot_is_of_one_moment_on_both_nodes_and_volumes(web: Web) -> None:
    web.write_pairs()
    for snapshot in ("first", "second", "third"):
        web.client.create_snapshot(web.name, snapshot)
        assert web.flags(snapshot) == {"SUCCESSFUL"}
        web.goes_on()
        activate(web, snapshot)
        one, two = web.newest(web.one, snapshot)
        assert one - two in (0, 1), "a later write without an earlier one"
        for number in (0, 1):
            assert web.hash(web.one, number, snapshot) == web.hash(web.two, number, snapshot)
