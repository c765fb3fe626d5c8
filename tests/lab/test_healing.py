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

from orlop.client import SelectFilter
from orlop.client.values import Resource
from tests.lab.cluster import Cluster
from tests.lab.node import GIB, Node
from tests.lab.replicated import Replicated

NODES, DISKS = 3, (1 * GIB,)
WRITER = Path(__file__).with_name("pair_writer.py")
SIZE = 32  # MiB
SINGLE = "single"  # a group whose resources have one replica


@pytest.fixture(scope="module")
def service(pools: Cluster) -> Cluster:
    """With a group of resources that want one replica."""
    pools.client.create_resource_group(SINGLE, select=SelectFilter(place_count=1))
    return pools


class Moved(Replicated):
    """Its replicas are counted, by the controller and in the kernels."""

    def __init__(self, cluster: Cluster, name: str, *nodes: Node, group: str | None = None) -> None:
        super().__init__(cluster, name, SIZE)
        self.define(group).deploy(*nodes)
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

    def fill(self, node: Node) -> None:
        """With random data, by a user who opens the device and closes it."""
        self.make_primary(node)
        self.write(node, self.size)
        self.make_secondary(node)

    @contextmanager
    def written(self, node: Node) -> Iterator[None]:
        """Somebody writes all the time; afterwards nobody does, but the device is still theirs."""
        self.make_primary(node)
        node.put("/tmp/pair_writer.py", WRITER.read_text())
        device = f"/dev/drbd/by-res/{self.name}/0"
        pid = node.start_program("python3", "/tmp/pair_writer.py", device, log="/tmp/writer.log")
        try:
            yield
        finally:
            node.stop_program(pid, signal.SIGKILL)

    def release(self, node: Node) -> None:
        self.cluster.wait("nobody holds it", lambda: node.run("drbdadm", "secondary", self.name) == "")


class Watch:
    """Looks all the time how many good copies there are, in the kernels; the fewest that it saw."""

    def __init__(self, volume: Moved) -> None:
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
def three(service: Cluster) -> Iterator[tuple[Node, Node, Node]]:
    """The nodes, all in service afterwards."""
    yield service.nodes[0], service.nodes[1], service.nodes[2]
    for node in service.nodes:
        service.orlop(f"node restore {node.name}")


def test_a_replica_moves_while_it_is_written_and_there_is_always_a_good_one(
    service: Cluster, three: tuple[Node, Node, Node]
) -> None:
    one, two, three_ = three
    web = Moved(service, "web", one, group=SINGLE)
    with Watch(web) as watch:
        with web.written(one):
            told = service.orlop(f"node evacuate {one.name} --target {three_.name}")
            assert f"moves from node '{one.name}' to '{three_.name}'" in " ".join(told.split())
            web.wait_good(one, three_)  # in use here, so that both are there
            service.restart_controller()  # and nothing is forgotten
            service.wait_online(*service.nodes)
            before = web.backing_hash(three_)
            service.wait("what is written gets there", lambda: web.backing_hash(three_) != before)
        written = web.backing_hash(one)
        assert web.backing_hash(three_) == written
        web.release(one)
        web.wait_good(three_)
    assert watch.fewest == 1
    assert web.backing_hash(three_) == written
    assert "done" in service.orlop("job list --resources web")
    assert "web" not in one.shell("lvs --noheadings -o lv_name")
    web.delete()


def test_with_two_replicas_it_is_refused_and_the_way_by_hand_works(
    service: Cluster, three: tuple[Node, Node, Node]
) -> None:
    one, two, three_ = three
    db = Moved(service, "db", one, two)
    with db.written(two):
        told = " ".join(service.orlop(f"node evacuate {one.name}").split())
        assert f"Resource 'db' stays on node '{one.name}'" in told
        assert "DRBD 8.4 knows two" in told
        assert f"orlop resource delete {one.name} db, then orlop resource create {three_.name} db" in told
        assert db.good() == {one.name, two.name}
        service.orlop(f"resource delete {one.name} db")
        service.wait("it is gone there", lambda: one.name not in db.replicas())
        service.orlop(f"resource create {three_.name} db --storage-pool pool")
        db.wait_good(two, three_)
    assert db.backing_hash(two) == db.backing_hash(three_)
    db.release(two)
    db.delete()


def test_a_node_that_is_empty_is_filled_again(service: Cluster, three: tuple[Node, Node, Node]) -> None:
    one, two, three_ = three
    volumes = [Moved(service, f"vol{n}", node, group=SINGLE) for n, node in enumerate((two, two, three_, three_))]
    hashes = {}
    for volume, node in zip(volumes, (two, two, three_, three_), strict=True):
        volume.fill(node)
        hashes[volume.name] = volume.backing_hash(node)
    told = service.orlop("node rebalance --threshold 1 --dry-run")
    assert "1 moves" in told
    assert service.orlop("node rebalance --threshold 1 --concurrent 1")
    moved = next(volume for volume in volumes if volume.name in told)
    with Watch(moved) as watch:
        moved.wait_good(one)
    assert watch.fewest == 1
    assert moved.backing_hash(one) == hashes[moved.name]
    assert "Nothing would move" in service.orlop("node rebalance --threshold 1 --dry-run")
    for volume in volumes:
        (node,) = [n for n in service.nodes if n.name in volume.replicas()]
        assert volume.backing_hash(node) == hashes[volume.name]
        volume.delete()
