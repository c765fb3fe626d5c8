"""The drivers of LVM on a real kernel, in what the suites for all drivers do not ask."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.client import ClientError
from tests.lab.cluster import Cluster
from tests.lab.node import GIB, Node
from tests.lab.volumes import Volume

DISKS = (2 * GIB, 2 * GIB)
SCENES = Path(__file__).parent / "lvm_scenes.py"
PLACES = {"LVM": "vg0", "LVM_THIN": "vg0/thin", "LVM_THIN_POOL": "vg0"}
KINDS = list(PLACES)


@pytest.fixture
def group(node: Node) -> Iterator[str]:
    """Volume group vg0 on the first disk, with a small thin pool vg0/thin."""
    disk = node.disks[0].path
    node.shell(f"wipefs -aqf {disk}; blkdiscard -f {disk}; vgcreate -q vg0 {disk}; lvcreate -q -T -L 128m vg0/thin")
    yield "vg0"
    node.shell(f"vgs vg0 >/dev/null 2>&1 || vgrename -q vg1 vg0; vgremove -q --yes --force vg0; pvremove -q {disk}")


def play(node: Node, scene: str, *arguments: str) -> None:
    assert node.python(SCENES, scene, *arguments) == "done\n"


# -- drivers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_snapshots_outlive_a_rollback_and_their_volume(node: Node, group: str, kind: str) -> None:
    play(node, "rollback_with_two_snapshots", kind, PLACES[kind])


def test_old_data_of_the_disk_does_not_show_behind_a_restored_snapshot(node: Node, group: str) -> None:
    play(node, "larger_than_its_snapshot")


def test_a_volume_with_snapshots_grows_while_nobody_uses_it(node: Node, group: str) -> None:
    play(node, "grow_with_snapshots")


def test_a_mounted_volume_is_known_by_all_its_names_and_not_removed(node: Node, group: str) -> None:
    play(node, "users")


def test_stripes_and_mirrors_are_made_as_asked(node: Node) -> None:
    disks = [disk.path for disk in node.disks]
    node.run("vgcreate", "-q", "vg2", *disks)
    play(node, "options", *disks)
    node.run("vgremove", "-q", "vg2")
    node.run("pvremove", "-q", *disks)


def test_filters_of_the_administrator_are_understood(node: Node, group: str) -> None:
    play(node, "filters_are_read_as_lvm_reads_them")


def test_a_look_does_not_wait_for_a_command_that_hangs(node: Node, group: str) -> None:
    play(node, "a_lock_is_not_waited_for")


def test_what_a_guest_made_on_drbd_is_neither_seen_nor_opened(node: Node, group: str) -> None:
    play(node, "what_stands_on_drbd_is_not_seen")


def test_a_full_thin_pool_warns_and_takes_nothing_new(node: Node, group: str) -> None:
    play(node, "a_full_thin_pool")


@pytest.mark.parametrize("kind", KINDS)
def test_whole_disks_become_a_pool_and_are_blank_again(node: Node, kind: str) -> None:
    play(node, "whole_disks", kind, *(disk.path for disk in node.disks))


# -- the product ------------------------------------------------------------------------------------------------------


@pytest.fixture
def pool(cluster: Cluster, node: Node, group: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """A pool of the asked kind in vg0."""
    kind: str = request.param
    name = kind.lower()
    cluster.client.create_storage_pool(node.name, name, kind, {"StorDriver/StorPoolName": PLACES[kind]})
    yield name
    cluster.client.delete_storage_pool(node.name, name)


@pytest.mark.parametrize("pool", KINDS, indirect=True)
def test_a_logical_volume_that_looks_like_ours_is_left_alone_and_reported(
    cluster: Cluster, node: Node, pool: str
) -> None:
    where = ("--virtualsize", "8m", "--thinpool", "vg0/thin") if pool == "lvm_thin" else ("--size", "8m", "vg0")
    node.run("lvcreate", "--yes", "--quiet", "--name", "web_00000", *where)
    node.shell("dd if=/dev/urandom of=/dev/vg0/web_00000 bs=1M count=8 oflag=direct status=none")
    before = node.run("sha256sum", "/dev/vg0/web_00000")
    volume = Volume(cluster, node, pool, "web")
    volume.define(8)
    with pytest.raises(ClientError, match="vg0/web_00000 is in the way"):
        volume.deploy()
    volume.delete()
    cluster.wait("it is reported", lambda: [each.name for each in cluster.client.orphans()] == ["web_00000"])
    assert node.run("sha256sum", "/dev/vg0/web_00000") == before
    node.run("lvremove", "--yes", "vg0/web_00000")


@pytest.mark.parametrize("pool", ["LVM_THIN"], indirect=True)
def test_a_group_that_was_renamed_comes_back_with_everything(cluster: Cluster, node: Node, pool: str) -> None:
    volume = Volume(cluster, node, pool, "kept").create(8)
    volume.write(8)
    before = volume.hash(8)
    node.run("vgrename", "vg0", "vg1")

    def reports() -> str:
        return " ".join(each.message for each in cluster.client.storage_pool(node.name, pool).reports)

    cluster.wait("the pool says where it is", lambda: "is now called vg1" in reports())
    with pytest.raises(ClientError):
        Volume(cluster, node, pool, "more").create(8)
    node.run("vgrename", "vg1", "vg0")
    cluster.wait("the pool is back", lambda: reports() == "")
    cluster.wait("the volume is back", lambda: volume.hash(8) == before)
    Volume(cluster, node, pool, "more").delete()
    volume.delete()


CUTS = [
    ("LVM", "restore", "lvrename"),
    ("LVM", "roll back", "--deltag orlop.uuid"),
    ("LVM_THIN", "roll back", "lvrename"),
    ("LVM_THIN_POOL", "restore", "--type thin "),
    ("LVM_THIN_POOL", "delete", "thin_count"),
]


@pytest.mark.parametrize(("pool", "act", "step"), CUTS, indirect=["pool"])
def test_a_node_that_loses_power_in_the_middle_goes_on_after_it(
    cluster: Cluster, node: Node, pool: str, act: str, step: str
) -> None:
    volume = Volume(cluster, node, pool, "cut").create(16)
    volume.write(16)
    first = volume.hash(16)
    volume.snapshot("first")
    volume.write(4)  # as much as fits into a thin pool of its own
    second = volume.hash(16)
    copy = Volume(cluster, node, pool, "copy")
    node.crash_at(step)
    lines = {
        "restore": lambda: volume.restore("first", to="copy"),
        "roll back": lambda: volume.roll_back("first"),
        "delete": lambda: (volume.delete_snapshot("first"), volume.delete()),
    }
    thread = cluster.in_background(lines[act])
    node.wait_until_off()
    cluster.start_node(node)
    thread.join()
    if act == "restore":
        cluster.wait("the copy is there", lambda: copy.usable(16))
        assert (copy.hash(16), volume.hash(16)) == (first, second)
        copy.delete()
    if act == "roll back":
        cluster.wait("it is rolled back", lambda: volume.usable(16) and volume.hash(16) == first)
    if act != "delete":
        volume.delete_snapshot("first")
    volume.delete()
    cluster.wait("nothing is left", lambda: node.run("lvs", "--noheadings", "-o", "lv_name").split() == ["thin"])
    assert cluster.client.orphans([node.name]) == []
