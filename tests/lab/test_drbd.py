"""Replicated volumes with the DRBD of the kernel: the same data on two nodes, whatever happens to one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from orlop.client import ApiError
from tests.lab.cluster import Cluster
from tests.lab.node import GIB, Node
from tests.lab.replicated import Replicated
from tests.lab.volumes import take

NODES, DISKS = 2, (1 * GIB, 1 * GIB)
MIB = 1 << 20


@pytest.fixture
def web(pools: Cluster) -> Iterator[Replicated]:
    volume = Replicated(pools, "web", 24).define()
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


def connection(web: Replicated, node: Node) -> str:
    """To the only peer, as the node sees it."""
    drbd = web.on(node).layer_object.drbd
    assert drbd is not None
    (state,) = drbd.connections.values()
    return state.message


def test_a_split_brain_is_explained_and_the_named_victim_gives_up_its_data(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    one.cut(two)
    for node, place, size in ((one, 2, 1), (two, 6, 3)):
        web.cluster.wait("the peer is gone", lambda node=node: connection(web, node) == "Connecting")
        web.make_primary(node)
        web.write(node, size, seek=place)
    one.mend(two)
    web.cluster.wait("DRBD gave up", lambda: [each.certain for each in web.client.split_brains()] == [True])
    assert "SplitBrain(node2)" in web.cluster.orlop("resource list")
    assert "split brain" in web.cluster.orlop("advise resource")
    (found,) = web.client.split_brains([web.name])
    sides = {side.node_name: side for side in found.volumes[0].sides}
    assert (sides[one.name].out_of_sync_kib, sides[two.name].out_of_sync_kib) == (1024, 3072)
    assert sides[one.name].generations[1] == sides[two.name].generations[1]
    told = web.cluster.orlop(f"resource split-brain {web.name}")
    assert f"resolve-split-brain {web.name} --victim {two.name}" in told
    kept, lost = web.backing_hash(one), web.backing_hash(two)
    assert kept != lost
    with pytest.raises(ApiError, match="in use on node2"):
        web.client.resolve_split_brain(web.name, two.name)
    assert (web.backing_hash(one), web.backing_hash(two)) == (kept, lost)
    web.client.make_secondary(web.name, two.name)
    web.cluster.orlop(f"resource resolve-split-brain {web.name} --victim {two.name}")
    web.wait_synchronized(one, two)
    assert web.client.split_brains() == []
    web.client.make_secondary(web.name, one.name)
    assert web.backing_hash(one) == web.backing_hash(two) == kept


def test_what_differs_is_found_by_verifying_and_put_right_by_invalidating(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.cluster.orlop(f"resource-definition drbd-options {web.name} --verify-alg sha256")
    kept = web.backing_hash(one)
    backing = f"of=/dev/vg0/{web.name}_00000"
    two.run("dd", "if=/dev/urandom", backing, "bs=4K", "count=3", "seek=100", "oflag=direct", "conv=notrunc")
    web.client.verify(web.name, one.name)

    def differing() -> int:
        return next(iter(web.on(one).volumes[0].state.replication_states.values())).out_of_sync_kib

    web.cluster.wait("it is known what differs", lambda: differing() == 12)
    assert "12 KiB differ" in web.cluster.orlop("volume list")
    assert web.backing_hash(two) != kept
    web.client.invalidate(web.name, two.name)
    web.cluster.wait("nothing differs", lambda: web.state(two) == "UpToDate" and differing() == 0)
    assert web.backing_hash(one) == web.backing_hash(two) == kept


def test_a_disconnection_outlives_a_restart_and_the_only_good_copy_is_kept(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.client.make_primary(web.name, one.name)
    web.cluster.wait("it is known to be in use", lambda: web.on(one).state.in_use)
    told = web.cluster.orlop(f"resource disconnect {one.name} {web.name}")
    assert "in use on node" in told
    web.write(one, 2)
    with pytest.raises(ApiError, match="other replica"):
        web.client.invalidate(web.name, two.name)
    two.kill()
    web.cluster.start_node(two)
    web.cluster.wait_online(one, two)
    web.cluster.wait("it is up", lambda: web.state(two) == "UpToDate")
    assert (connection(web, one), connection(web, two)) == ("StandAlone", "StandAlone")
    assert web.client.split_brains() == []
    kept = web.backing_hash(one)
    web.client.pause_sync(web.name, two.name)
    web.client.connect(web.name, two.name)
    web.cluster.wait("it waits", lambda: web.state(two) == "Inconsistent")
    assert web.backing_hash(two) != kept
    web.client.resume_sync(web.name, two.name)
    web.wait_synchronized(one, two)
    device = web.device(one)
    held = one.run("sh", "-c", f"exec sleep 600 < {device} > /dev/null 2>&1 & echo $!").strip()
    with pytest.raises(ApiError, match="in use"):
        web.client.make_secondary(web.name, one.name)
    one.run("kill", held)
    web.cluster.wait("it is let go", lambda: not web.client.make_secondary(web.name, one.name).errors)
    assert web.backing_hash(one) == web.backing_hash(two) == kept


def test_an_empty_disk_in_place_of_the_old_one_gets_all_data(web: Replicated) -> None:
    one, two = web.cluster.nodes
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    web.client.make_primary(web.name, one.name)
    web.write(one, 4)
    disk = two.disks[0].path
    two.shell(f"drbdsetup down {web.name}; vgremove -q --force --force --yes vg0; wipefs -qa {disk}")
    two.run("vgcreate", "-q", "vg0", disk)
    web.write(one, 4, seek=6)
    web.cluster.wait("the pool is given up", lambda: web.cluster.orlop(f"storage-pool lost {two.name} pool"))
    web.client.create_storage_pool(two.name, "pool", "LVM", {"StorDriver/StorPoolName": "vg0"})
    web.deploy(two)
    web.wait_synchronized(one, two)
    web.client.make_secondary(web.name, one.name)
    assert web.backing_hash(one) == web.backing_hash(two)


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


@pytest.fixture(scope="module")
def apart(pools: Cluster) -> Cluster:
    """Another volume group on each node, for metadata, and on the first one a thin pool."""
    for node in pools.nodes:
        node.run("vgcreate", "-q", "vg1", node.disks[1].path)
        pools.client.create_storage_pool(node.name, "meta", "LVM", {"StorDriver/StorPoolName": "vg1"})
    pools.nodes[0].run("lvcreate", "-q", "--type", "thin-pool", "--size", "256m", "--name", "thin", "vg0")
    props = {"StorDriver/StorPoolName": "vg0/thin", "MaxOversubscriptionRatio": "1000"}
    pools.client.create_storage_pool(pools.nodes[0].name, "thin", "LVM_THIN", props)
    return pools


def test_metadata_is_in_a_pool_of_its_own(apart: Cluster) -> None:
    one, two = apart.nodes
    web = Replicated(apart, "apart", 24, {"StorPoolNameDrbdMeta": "meta"}).define()
    web.deploy(one, two)
    web.wait_synchronized(one, two)
    for node in (one, two):
        assert re.search(r'meta-disk\s+"/dev/vg1/apart_00000.-meta"', node.run("drbdsetup", "show", "apart"))
        assert _size(node) == 24 << 10
    web.make_primary(one)
    web.write(one, 24)
    one.kill()
    apart.wait("the loss is noticed", lambda: "Connecting" in two.run("drbdsetup", "events2", "--now"))
    web.make_primary(two)
    web.write(two, 4, seek=8)
    apart.start_node(one)
    web.wait_synchronized(one, two)
    web.make_secondary(two)
    assert web.backing_hash(one) == web.backing_hash(two)
    web.client.modify_volume_definition("apart", 0, size_kib=40 << 10)
    for node in (one, two):
        apart.wait("it has grown", lambda node=node: _size(node) == 40 << 10)
    web.wait_synchronized(one, two)
    web.size = 40
    before = web.backing_hash(one)
    assert web.backing_hash(two) == before
    take(web.client, "apart", "first")
    web.make_primary(two)
    web.write(two, 40)
    web.make_secondary(two)
    copy = web.restored("first", "copy")
    copy.wait_synchronized(one, two)
    assert copy.backing_hash(one) == copy.backing_hash(two) == before
    assert web.backing_hash(one) == web.backing_hash(two) != before
    copy.delete()
    web.client.delete_snapshot("apart", "first")
    web.delete()
    for node in (one, two):
        apart.wait("nothing is left", lambda node=node: node.run("drbdsetup", "events2", "--now") == "exists -\n")
        assert node.shell("lvs --noheadings -o lv_name vg1; ls /var/lib/orlop/drbd").strip() == ""


def test_metadata_in_a_pool_of_its_own_grows(apart: Cluster) -> None:
    one, _ = apart.nodes
    web = Replicated(apart, "large", 16 << 10, {"StorPoolNameDrbdMeta": "meta"}).define()
    web.deploy(one, pool="thin")
    extents = "lvs --noheadings --units m --nosuffix -o lv_size vg1/large_00000.-meta"
    apart.wait("it is up", lambda: _size(one) == 16 << 20)
    assert one.shell(extents).strip() == "4.00"
    web.make_primary(one)
    web.write(one, 4)
    web.client.modify_volume_definition("large", 0, size_kib=40 << 20)
    apart.wait("it has grown", lambda: _size(one) == 40 << 20)
    assert one.shell(extents).strip() == "12.00"
    web.write(one, 4, seek=36 << 10)
    data = f"(dd if={web.device(one)} bs=1M count=4; dd if={web.device(one)} bs=1M count=4 skip={36 << 10}) | sha256sum"
    before = one.shell(data)
    one.kill()
    apart.start_node(one)
    apart.wait("it is up again", lambda: _size(one) == 40 << 20)
    web.make_primary(one)
    assert one.shell(data) == before
    web.make_secondary(one)
    web.delete()
    apart.wait("nothing is left", lambda: one.shell("lvs --noheadings -o lv_name vg1").strip() == "")
