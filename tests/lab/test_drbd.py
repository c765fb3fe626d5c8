"""Replicated volumes with the DRBD of the kernel: the same data on two nodes, whatever happens to one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from orlop.client import NewResource
from orlop.client.values import Resource
from tests.lab.cluster import Cluster
from tests.lab.node import GIB, Node

NODES, DISKS = 2, (1 * GIB,)
MIB = 1 << 20
FAST = {"DrbdOptions/PeerDevice/c-plan-ahead": "0", "DrbdOptions/PeerDevice/resync-rate": "102400"}


@pytest.fixture(scope="module")
def pools(cluster: Cluster) -> Cluster:
    """A volume group on each node."""
    cluster.orlop("controller set-property PrefNic private")
    for number, node in enumerate(cluster.nodes, 1):
        cluster.orlop(f"node interface create {node.name} private 10.77.0.{number}")
        node.run("vgcreate", "-q", "vg0", node.disks[0].path)
        cluster.client.create_storage_pool(node.name, "pool", "LVM", {"StorDriver/StorPoolName": "vg0"})
    return cluster


class Replicated:
    """A resource on some nodes; what is below DRBD is read from the logical volumes themselves."""

    def __init__(self, cluster: Cluster, name: str, size: int) -> None:
        self.cluster, self.client, self.name, self.size = cluster, cluster.client, name, size
        self.client.create_resource_definition(name, layers=["DRBD", "STORAGE"], props=FAST)
        self.client.create_volume_definition(name, size << 10)

    def deploy(self, *nodes: Node) -> None:
        for node in nodes:
            self.client.create_resource(self.name, NewResource(node=node.name, storage_pool="pool"))

    def on(self, node: Node) -> Resource:
        return next(r for r in self.client.resources([self.name]) if r.node_name == node.name)

    def state(self, node: Node) -> str | None:
        return self.on(node).volumes[0].state.disk_state

    def wait_synchronized(self, *nodes: Node) -> None:
        """Every disk is up to date, and no node sees another that is not in step."""

        def done() -> bool:
            return all(
                self.state(node) == "UpToDate"
                and {s.replication_state for s in self.on(node).volumes[0].state.replication_states.values()}
                == {"Established"}
                for node in nodes
            )

        self.cluster.wait(f"{self.name} is synchronized", done)

    def device(self, node: Node) -> str:
        return self.cluster.device(self.name, node)

    def backing_hash(self, node: Node) -> str:
        """Of the data area of the logical volume, past all caches."""
        reading = f"dd if=/dev/vg0/{self.name}_00000 bs=1M count={self.size} iflag=direct status=none | sha256sum"
        return node.shell(reading).split()[0]

    def write(self, node: Node, size: int, seek: int = 0) -> None:
        where = (f"of={self.device(node)}", "bs=1M", f"count={size}", f"seek={seek}")
        node.run("dd", "if=/dev/urandom", *where, "oflag=direct", "conv=notrunc,fsync", "status=none")

    def make_primary(self, node: Node) -> None:
        node.run("drbdadm", "primary", self.name)

    def make_secondary(self, node: Node) -> None:
        node.run("drbdadm", "secondary", self.name)

    def delete(self) -> None:
        self.client.delete_resource_definition(self.name)


@pytest.fixture
def web(pools: Cluster) -> Iterator[Replicated]:
    volume = Replicated(pools, "web", 24)
    yield volume
    pools.wait("nobody uses it", lambda: not any(volume.on(node).state.in_use for node in pools.nodes))
    volume.delete()
    for node in pools.nodes:
        pools.wait("nothing is left", lambda node=node: "web" not in node.run("drbdsetup", "events2", "--now"))
        assert "web" not in node.shell("lvs --noheadings -o lv_name; ls /var/lib/orlop/drbd")


def test_two_nodes_hold_the_same_data(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.make_primary(one)
    web.write(one, 8)
    web.cluster.wait("it is in use", lambda: web.on(one).state.in_use)
    assert web.on(two).state.in_use is False
    web.make_secondary(one)
    assert web.backing_hash(one) == web.backing_hash(two)
    web.make_primary(two)
    web.write(two, 8, seek=4)
    web.make_secondary(two)
    assert web.backing_hash(one) == web.backing_hash(two)
    assert re.search(r"web +node1 +DRBD,STORAGE.*UpToDate", web.cluster.orlop("resource list").replace("|", " "))
