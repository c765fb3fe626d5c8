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
        where = (f"of=/dev/drbd/by-res/{self.name}/0", "bs=1M", f"count={size}", f"seek={seek}")
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


def test_a_node_that_loses_power_is_replaced_by_the_other_and_catches_up(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.make_primary(one)
    web.write(one, 4)
    one.kill()
    web.cluster.wait("the loss is noticed", lambda: "Connecting" in two.run("drbdsetup", "events2", "--now"))
    web.make_primary(two)
    web.write(two, 4, seek=8)
    assert web.on(two).layer_object.drbd is not None
    web.cluster.start_node(one)
    web.wait_synchronized(one, two)
    web.make_secondary(two)
    assert web.backing_hash(one) == web.backing_hash(two)


def test_it_grows_under_a_mounted_file_system(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.make_primary(two)
    device = web.device(two)
    two.shell(f"mkfs.ext4 -q {device}; mount {device} /mnt; echo before > /mnt/word")
    web.client.modify_volume_definition(web.name, 0, size_kib=64 << 10)
    web.cluster.wait("it has grown", lambda: int(two.run("blockdev", "--getsize64", device)) >= 64 * MIB)
    two.shell(f"resize2fs {device} && echo after >> /mnt/word && sync")
    assert two.run("cat", "/mnt/word") == "before\nafter\n"
    two.run("umount", "/mnt")
    web.wait_synchronized(one, two)
    web.make_secondary(two)
    assert web.backing_hash(one) == web.backing_hash(two)


def test_power_lost_between_growing_what_is_below_and_the_device_costs_nothing(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.make_primary(one)
    web.write(one, 4)
    web.make_secondary(one)
    before = web.backing_hash(one)
    one.crash_at("drbdadm resize")
    thread = web.cluster.in_background(lambda: web.client.modify_volume_definition(web.name, 0, size_kib=40 << 10))
    one.wait_until_off()
    web.cluster.start_node(one)
    thread.join()
    web.wait_synchronized(one, two)
    assert web.backing_hash(one) == web.backing_hash(two) == before
    for node in (one, two):
        web.cluster.wait("it has grown", lambda node=node: _size(node) >= 40 << 10)


def _size(node: Node) -> int:
    """KiB of the only device."""
    found = re.search(r"size:(\d+)", node.run("drbdsetup", "events2", "--now", "--statistics"))
    return int(found[1]) if found else 0


def test_a_split_brain_is_shown_left_alone_and_healed_by_hand(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    one.cut(two)
    for node, place in ((one, 2), (two, 6)):
        web.cluster.wait(
            "the peer is gone",
            lambda node=node: (
                "Connecting" in node.run("drbdadm", "cstate", web.name)
                or "WFConnection" in node.run("drbdadm", "cstate", web.name)
            ),
        )
        web.make_primary(node)
        web.write(node, 2, seek=place)
        web.make_secondary(node)
    one.mend(two)

    def connection() -> str:
        drbd = web.on(one).layer_object.drbd
        assert drbd is not None
        return drbd.connections["node2"].message

    web.cluster.wait("both gave up", lambda: connection() == "StandAlone")
    assert "StandAlone(node2)" in web.cluster.orlop("resource list")
    kept = web.backing_hash(one)
    assert kept != web.backing_hash(two)
    two.shell(f"drbdadm disconnect {web.name} 2>/dev/null || true")  # there may be nothing left to disconnect
    two.run("drbdadm", "--", "--discard-my-data", "connect", web.name)
    one.shell(f"drbdadm connect {web.name} 2>/dev/null || true")
    web.wait_synchronized(one, two)
    assert web.backing_hash(one) == web.backing_hash(two) == kept


def test_the_protocol_changes_while_it_is_used(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.make_primary(one)
    web.cluster.orlop(f"resource-definition drbd-options {web.name} --protocol A --ping-int 3")
    for node in (one, two):
        web.cluster.wait("it is in force", lambda node=node: re.search(r"protocol\s+A;", node.run("drbdsetup", "show")))
    web.write(one, 4)
    web.cluster.orlop(f"resource-definition drbd-options {web.name} --unset-protocol --unset-ping-int")
    for node in (one, two):
        web.cluster.wait("it is the usual one", lambda node=node: "protocol" not in node.run("drbdsetup", "show"))
    web.make_secondary(one)
    web.wait_synchronized(one, two)
    assert web.backing_hash(one) == web.backing_hash(two)


def test_a_replica_goes_and_comes_back(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.make_primary(one)
    web.write(one, 4)
    web.client.delete_resource(web.name, two.name)
    assert two.run("drbdsetup", "events2", "--now") == "exists -\n"
    web.cluster.wait("the other has let go", lambda: len(web.client.resources([web.name])) == 1)
    web.write(one, 4, seek=2)
    web.deploy(two)
    web.wait_synchronized(one, two)
    web.make_secondary(one)
    assert web.backing_hash(one) == web.backing_hash(two)


def test_the_controller_is_not_needed_to_go_on(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.cluster.kill_controller()
    web.make_primary(one)
    web.write(one, 4)
    web.make_secondary(one)
    assert web.backing_hash(one) == web.backing_hash(two)
    web.cluster.restart_controller()
    web.cluster.wait_online(one, two)
    web.wait_synchronized(one, two)
