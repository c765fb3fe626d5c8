"""Replicated volumes with DRBD 9: four nodes, one without a disk. Runs where `ORLOP_LAB_DRBD9` names modules."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from orlop.client import NewResource
from orlop.client.values import Resource
from tests.lab import drbd9
from tests.lab.cluster import Cluster, ClusterError
from tests.lab.lab import Lab
from tests.lab.node import GIB, Node

NODES, DISKS = 4, (1 * GIB,)
MIB = 1 << 20
FAST = {
    "DrbdOptions/PeerDevice/c-plan-ahead": "0",
    "DrbdOptions/PeerDevice/resync-rate": "102400",
    "DrbdOptions/Net/ping-int": "2",
    "DrbdOptions/Net/ping-timeout": "50",  # tenths of seconds: nodes are emulated, and the host may have other work
}


@pytest.fixture(scope="module")
def lab(lab: Lab) -> Lab:
    """Before a satellite asks which DRBD there is."""
    lab.each(drbd9.load)
    return lab


@pytest.fixture(scope="module")
def pools(cluster: Cluster) -> Cluster:
    """A thick and a thin pool on each of the first three nodes."""
    cluster.orlop("controller set-property PrefNic private")
    for number, node in enumerate(cluster.nodes, 1):
        cluster.orlop(f"node interface create {node.name} private 10.77.0.{number}")
    for node in cluster.nodes[:3]:
        node.run("vgcreate", "-q", "vg0", node.disks[0].path)
        node.run("lvcreate", "-q", "-L", "300M", "-T", "vg0/thin")
        cluster.client.create_storage_pool(node.name, "pool", "LVM", {"StorDriver/StorPoolName": "vg0"})
        cluster.client.create_storage_pool(node.name, "thin", "LVM_THIN", {"StorDriver/StorPoolName": "vg0/thin"})
    return cluster


class Replicated:
    """A resource on some nodes; what is below DRBD is read from the logical volumes themselves."""

    def __init__(self, cluster: Cluster, name: str, size: int, pool: str) -> None:
        self.cluster, self.client, self.name, self.size, self.pool = cluster, cluster.client, name, size, pool
        self.client.create_resource_definition(name, layers=["DRBD", "STORAGE"], props=FAST)
        self.client.create_volume_definition(name, size << 10)

    def deploy(self, *nodes: Node) -> None:
        for node in nodes:
            self.client.create_resource(self.name, NewResource(node=node.name, storage_pool=self.pool))

    def deploy_diskless(self, node: Node) -> None:
        self.client.create_resource(self.name, NewResource(node=node.name, flags=("DRBD_DISKLESS",)))

    def on(self, node: Node) -> Resource:
        return next(r for r in self.client.resources([self.name]) if r.node_name == node.name)

    def state(self, node: Node) -> str | None:
        return self.on(node).volumes[0].state.disk_state

    def told(self, node: Node) -> str:
        return node.run("drbdsetup", "events2", "--now", "--statistics", self.name)

    def wait_synchronized(self, *nodes: Node) -> None:
        """Every disk is up to date, and so is every one that it sees, with nothing out of sync."""

        def done() -> bool:
            seen = [self.told(node) for node in nodes]
            parts = [line for told in seen for line in told.splitlines() if " peer-device " in line]
            return all(re.search(r" device .* disk:UpToDate ", told) for told in seen) and all(
                "replication:Established" in part and re.search("peer-disk:(UpToDate|Diskless)", part) for part in parts
            )

        try:
            self.cluster.wait(f"{self.name} is synchronized", done)
        except ClusterError as error:
            raise ClusterError("\n".join([str(error), *map(self.told, nodes)])) from None

    def wait_majority(self, *nodes: Node) -> None:
        """Quorum is asked for a while after all see each other."""

        def done() -> bool:
            shown = [node.run("drbdsetup", "show", self.name) for node in nodes]
            return all(re.search(r"quorum\s+majority;", each) for each in shown)

        self.cluster.wait(f"{self.name} asks for a majority", done)

    def backing_hash(self, node: Node) -> str:
        """Of the data area of the logical volume, past all caches."""
        reading = f"dd if=/dev/vg0/{self.name}_00000 bs=1M count={self.size} iflag=direct status=none | sha256sum"
        return node.shell(reading).split()[0]

    def write(self, node: Node, size: int, seek: int = 0) -> None:
        where = (f"of=/dev/drbd/by-res/{self.name}/0", "bs=1M", f"count={size}", f"seek={seek}")
        node.run("dd", "if=/dev/urandom", *where, "oflag=direct", "conv=notrunc,fsync", "status=none")

    def received(self, node: Node) -> int:
        """KiB that came over the network since the device is up."""
        return sum(map(int, re.findall(r"received:(\d+)", self.told(node))))

    def delete(self) -> None:
        self.client.delete_resource_definition(self.name)


def replicated(pools: Cluster, name: str, pool: str) -> Iterator[Replicated]:
    volume = Replicated(pools, name, 24, pool)
    yield volume
    pools.wait("nobody uses it", lambda: not any(r.state.in_use for r in pools.client.resources([name])))
    volume.delete()
    for node in pools.nodes:
        pools.wait("nothing is left", lambda node=node: name not in node.run("drbdsetup", "events2", "--now"))
        left = node.shell("lvs --noheadings -o lv_name; ls /var/lib/orlop/drbd 2>/dev/null || true").split()
        assert not [each for each in left if each.startswith((f"{name}_", f"{name}."))]


@pytest.fixture
def web(pools: Cluster) -> Iterator[Replicated]:
    yield from replicated(pools, "web", "pool")


@pytest.fixture
def thin(pools: Cluster) -> Iterator[Replicated]:
    """Without a tiebreaker: a disk that is added where one was gets everything, wherever that is."""
    for made in replicated(pools, "sparse", "thin"):
        pools.orlop("resource-definition set-property sparse DrbdOptions/auto-add-quorum-tiebreaker False")
        yield made


def test_three_nodes_hold_what_a_fourth_one_without_a_disk_writes(web: Replicated) -> None:
    one, two, three, four = web.cluster.nodes
    web.deploy(one, two, three)
    web.deploy_diskless(four)
    web.wait_synchronized(one, two, three)
    web.write(four, 8)
    assert web.backing_hash(one) == web.backing_hash(two) == web.backing_hash(three)
    assert "quorum:yes" in web.told(four)
    assert re.search(r"web +node4 .*Diskless", web.cluster.orlop("resource list").replace("|", " "))


def test_a_node_that_loses_power_catches_up_and_one_alone_loses_the_quorum(web: Replicated) -> None:
    one, two, three, _ = web.cluster.nodes
    web.deploy(one, two, three)
    web.wait_synchronized(one, two, three)
    web.wait_majority(one, two, three)
    web.write(one, 4)
    one.kill()
    web.cluster.wait("the loss is noticed", lambda: "Connecting" in web.told(two))
    web.write(two, 4, seek=8)
    two.cut(three)
    web.cluster.wait("it is alone", lambda: "quorum:no" in web.told(two))
    assert two.attempt("dd", "if=/dev/zero", f"of=/dev/drbd/by-res/{web.name}/0", "count=1", "oflag=direct").code
    two.mend(three)
    web.cluster.start_node(one)
    web.wait_synchronized(one, two, three)
    assert web.backing_hash(one) == web.backing_hash(two) == web.backing_hash(three)


def test_a_disk_is_added_and_removed_while_another_node_writes(web: Replicated) -> None:
    one, two, three, _ = web.cluster.nodes
    web.deploy(one, two)
    web.deploy_diskless(three)
    web.wait_synchronized(one, two)
    web.write(one, 4)
    web.cluster.orlop(f"resource toggle-disk {three.name} {web.name} --storage-pool {web.pool}")
    web.wait_synchronized(one, two, three)
    web.write(two, 4, seek=2)
    assert web.backing_hash(one) == web.backing_hash(three)
    web.cluster.orlop(f"resource toggle-disk {three.name} {web.name} --diskless")
    web.cluster.wait("the disk has gone", lambda: web.name not in three.run("lvs", "--noheadings", "-o", "lv_name"))
    assert "disk:Diskless client:yes" in web.told(three)
    web.wait_synchronized(one, two)


def test_it_grows_on_all_nodes_under_a_mounted_file_system(web: Replicated) -> None:
    one, two, three, four = web.cluster.nodes
    web.deploy(one, two, three)
    web.deploy_diskless(four)
    web.wait_synchronized(one, two, three)
    device = web.cluster.device(web.name, four)
    four.shell(f"mkfs.ext4 -q {device}; mount {device} /mnt; echo before > /mnt/word")
    web.client.modify_volume_definition(web.name, 0, size_kib=48 << 10)
    web.cluster.wait("it has grown", lambda: int(four.run("blockdev", "--getsize64", device)) >= 48 * MIB)
    four.shell(f"resize2fs {device} && echo after >> /mnt/word && sync && cat /mnt/word && umount /mnt")
    web.wait_synchronized(one, two, three)
    assert web.backing_hash(one) == web.backing_hash(two) == web.backing_hash(three)


def test_a_replica_goes_its_place_is_free_and_another_one_comes(web: Replicated) -> None:
    one, two, three, _ = web.cluster.nodes
    web.deploy(one, two, three)
    web.wait_synchronized(one, two, three)
    web.client.delete_resource(web.name, three.name)  # two disks are left, so it stays as their tiebreaker
    web.cluster.wait("it has no disk", lambda: "disk:Diskless" in web.told(three))
    web.client.delete_resource(web.name, three.name)
    web.cluster.wait("the others have let go", lambda: "node3" not in web.told(one))
    web.write(one, 4)
    web.deploy(three)
    web.wait_synchronized(one, two, three)
    assert web.backing_hash(one) == web.backing_hash(two) == web.backing_hash(three)


def test_what_was_never_written_is_not_copied(thin: Replicated) -> None:
    one, two, three, _ = thin.cluster.nodes
    thin.deploy(one, two)
    thin.wait_synchronized(one, two)
    assert thin.received(two) == thin.received(one) == 0
    thin.write(one, 2)
    thin.deploy(three)
    thin.wait_synchronized(one, two, three)
    assert 2 << 10 <= thin.received(three) < 4 << 10
    assert thin.backing_hash(one) == thin.backing_hash(two) == thin.backing_hash(three)


def test_one_that_was_never_written_itself_gives_what_it_got_and_no_more(thin: Replicated) -> None:
    """The new replica does not reach the first one, so what the other one has noted has to be everything."""
    one, two, three, _ = thin.cluster.nodes
    thin.deploy(one)
    thin.wait_synchronized(one)
    thin.write(one, 2)
    thin.deploy(two)
    thin.wait_synchronized(one, two)
    thin.write(one, 1, seek=8)
    one.cut(three)
    try:
        thin.deploy(three)
        thin.cluster.wait("it has got its data", lambda: " disk:UpToDate " in thin.told(three))
        assert thin.backing_hash(two) == thin.backing_hash(three)
    finally:
        one.mend(three)
    thin.wait_synchronized(one, two, three)
    assert 3 << 10 <= thin.received(three) < 5 << 10
    assert thin.backing_hash(one) == thin.backing_hash(two) == thin.backing_hash(three)
