"""Nodes that are emptied and filled again while somebody writes, with the DRBD 8.4 of a stock kernel on three nodes.

DRBD 8.4 knows two replicas. So a resource of one replica moves in use: the second one has everything before the first
goes. One of two replicas cannot be replaced before it goes: that is refused with the way by hand, which is tried here.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orlop.client import NewResource, SelectFilter
from orlop.client.values import Resource
from tests.lab.cluster import Cluster
from tests.lab.node import GIB, Node

NODES, DISKS = 3, (1 * GIB,)
WRITER = Path(__file__).with_name("pair_writer.py")
FAST = {"DrbdOptions/PeerDevice/c-plan-ahead": "0", "DrbdOptions/PeerDevice/resync-rate": "102400"}
SIZE = 32  # MiB
SINGLE = "single"  # a group whose resources have one replica


@pytest.fixture(scope="module")
def pools(cluster: Cluster) -> Cluster:
    """A volume group on each node, and a group of resources that want one replica."""
    cluster.orlop("controller set-property PrefNic private")
    for number, node in enumerate(cluster.nodes, 1):
        cluster.orlop(f"node interface create {node.name} private 10.77.0.{number}")
        node.run("vgcreate", "-q", "vg0", node.disks[0].path)
        cluster.client.create_storage_pool(node.name, "pool", "LVM", {"StorDriver/StorPoolName": "vg0"})
    cluster.client.create_resource_group(SINGLE, select=SelectFilter(place_count=1))
    return cluster


class Replicated:
    """A resource on some nodes; what is below DRBD is read from the logical volumes themselves."""

    def __init__(self, cluster: Cluster, name: str, *nodes: Node, group: str | None = None, size: int = SIZE) -> None:
        self.cluster, self.client, self.name, self.size = cluster, cluster.client, name, size
        self.client.create_resource_definition(name, layers=["DRBD", "STORAGE"], props=FAST, group=group)
        self.client.create_volume_definition(name, size << 10)
        for node in nodes:
            self.client.create_resource(name, NewResource(node=node.name, storage_pool="pool"))
        self.wait_good(*nodes)

    def replicas(self) -> dict[str, Resource]:
        return {r.node_name: r for r in self.client.resources([self.name])}

    def good(self) -> set[str]:
        """Nodes whose kernel says that they have everything."""
        told = {node.name: node.run("drbdsetup", "events2", "--now") for node in self.cluster.nodes}
        here = re.compile(rf" device name:{self.name} .*disk:UpToDate( |$)", re.MULTILINE)
        return {name for name, text in told.items() if here.search(text)}

    def wait_good(self, *nodes: Node) -> None:
        def done() -> bool:
            found = self.replicas()
            states = {name: r.volumes[0].state.disk_state for name, r in found.items() if r.volumes}
            return states == {node.name: "UpToDate" for node in nodes}

        self.cluster.wait(f"{self.name} is up to date on {', '.join(node.name for node in nodes)} alone", done, 300)

    def hash(self, node: Node) -> str:
        """Of the data area of the logical volume, past all caches."""
        reading = f"dd if=/dev/vg0/{self.name}_00000 bs=1M count={self.size} iflag=direct status=none | sha256sum"
        return node.shell(reading).split()[0]

    def fill(self, node: Node) -> None:
        """With random data, by a user who opens the device and closes it."""
        device = f"/dev/drbd/by-res/{self.name}/0"
        node.run("drbdadm", "primary", self.name)
        node.shell(
            f"dd if=/dev/urandom of={device} bs=1M count={self.size} oflag=direct conv=notrunc,fsync status=none"
        )
        node.run("drbdadm", "secondary", self.name)

    @contextmanager
    def written(self, node: Node) -> Iterator[None]:
        """Somebody writes all the time; afterwards nobody does, but the device is still theirs."""
        node.run("drbdadm", "primary", self.name)
        node.put("/tmp/pair_writer.py", WRITER.read_text())
        device = f"/dev/drbd/by-res/{self.name}/0"
        pid = node.start_program("python3", "/tmp/pair_writer.py", device, log="/tmp/writer.log")
        try:
            yield
        finally:
            node.stop_program(pid, signal.SIGKILL)

    def release(self, node: Node) -> None:
        self.cluster.wait("nobody holds it", lambda: node.run("drbdadm", "secondary", self.name) == "")

    def delete(self) -> None:
        self.client.delete_resource_definition(self.name)


class Watch:
    """Looks all the time how many good copies there are, in the kernels; the fewest that it saw."""

    def __init__(self, volume: Replicated) -> None:
        self.fewest = 99
        self._volume = volume
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(0.2):
            self.fewest = min(self.fewest, len(self._volume.good()))


@pytest.fixture
def three(pools: Cluster) -> Iterator[tuple[Node, Node, Node]]:
    """The nodes, all in service afterwards."""
    yield pools.nodes[0], pools.nodes[1], pools.nodes[2]
    for node in pools.nodes:
        pools.orlop(f"node restore {node.name}")


def test_a_replica_moves_while_it_is_written_and_there_is_always_a_good_one(
    pools: Cluster, three: tuple[Node, Node, Node]
) -> None:
    one, two, three_ = three
    web = Replicated(pools, "web", one, group=SINGLE)
    with Watch(web) as watch:
        with web.written(one):
            told = pools.orlop(f"node evacuate {one.name} --target {three_.name}")
            assert f"moves from node '{one.name}' to '{three_.name}'" in " ".join(told.split())
            web.wait_good(one, three_)  # in use here, so that both are there
            pools.restart_controller()  # and nothing is forgotten
            pools.wait_online(*pools.nodes)
            before = web.hash(three_)
            pools.wait("what is written gets there", lambda: web.hash(three_) != before)
        written = web.hash(one)
        assert web.hash(three_) == written
        web.release(one)
        web.wait_good(three_)
    assert watch.fewest == 1
    assert web.hash(three_) == written
    assert "done" in pools.orlop("job list --resources web")
    assert "web" not in one.shell("lvs --noheadings -o lv_name")
    web.delete()


def test_with_two_replicas_it_is_refused_and_the_way_by_hand_works(
    pools: Cluster, three: tuple[Node, Node, Node]
) -> None:
    one, two, three_ = three
    db = Replicated(pools, "db", one, two)
    with db.written(two):
        told = " ".join(pools.orlop(f"node evacuate {one.name}").split())
        assert f"Resource 'db' stays on node '{one.name}'" in told
        assert "DRBD 8.4 knows two" in told
        assert f"orlop resource delete {one.name} db, then orlop resource create {three_.name} db" in told
        assert db.good() == {one.name, two.name}
        pools.orlop(f"resource delete {one.name} db")
        pools.wait("it is gone there", lambda: one.name not in db.replicas())
        pools.orlop(f"resource create {three_.name} db --storage-pool pool")
        db.wait_good(two, three_)
    assert db.hash(two) == db.hash(three_)
    db.release(two)
    db.delete()


def test_a_node_that_is_empty_is_filled_again(pools: Cluster, three: tuple[Node, Node, Node]) -> None:
    one, two, three_ = three
    volumes = [Replicated(pools, f"vol{n}", node, group=SINGLE) for n, node in enumerate((two, two, three_, three_))]
    hashes = {}
    for volume, node in zip(volumes, (two, two, three_, three_), strict=True):
        volume.fill(node)
        hashes[volume.name] = volume.hash(node)
    told = pools.orlop("node rebalance --threshold 1 --dry-run")
    assert "1 moves" in told
    assert pools.orlop("node rebalance --threshold 1 --concurrent 1")
    moved = next(volume for volume in volumes if volume.name in told)
    with Watch(moved) as watch:
        moved.wait_good(one)
    assert watch.fewest == 1
    assert moved.hash(one) == hashes[moved.name]
    assert "Nothing would move" in pools.orlop("node rebalance --threshold 1 --dry-run")
    for volume in volumes:
        (node,) = [n for n in pools.nodes if n.name in volume.replicas()]
        assert volume.hash(node) == hashes[volume.name]
        volume.delete()
