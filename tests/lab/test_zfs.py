"""ZFS on a real kernel: what depends on something, power lost in the middle, pools that go away or are full."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.client import ApiError
from orlop.codes import Fail
from tests.lab.backings import BACKINGS, Backing, make, remove, wiped
from tests.lab.cluster import Cluster
from tests.lab.faults import FlakyDisk, fill_zpool
from tests.lab.node import Node
from tests.lab.volumes import Volume

SIZE = 16  # MiB
KINDS = [backing for backing in BACKINGS if backing.kind in ("ZFS", "ZFS_THIN")]
PROGRAM = Path(__file__).parent / "guest/zpool_of_disks.py"


@pytest.fixture(params=KINDS, ids=lambda backing: backing.name)
def pool(cluster: Cluster, node: Node, request: pytest.FixtureRequest) -> Iterator[str]:
    """Name of a pool of each kind."""
    yield from _pool(cluster, node, request.param)


@pytest.fixture
def thin(cluster: Cluster, node: Node) -> Iterator[str]:
    yield from _pool(cluster, node, KINDS[-1])


def _pool(cluster: Cluster, node: Node, backing: Backing) -> Iterator[str]:
    make(node, backing)
    cluster.client.create_storage_pool(node.name, backing.name, backing.kind, dict(backing.props))
    try:
        yield backing.name
        for each in cluster.client.resource_definitions():
            for snapshot in cluster.client.snapshots([each.name]):
                cluster.client.delete_snapshot(each.name, snapshot.name)
            cluster.client.delete_resource_definition(each.name)
        cluster.wait("everything is gone", lambda: not there(node))
        assert cluster.client.orphans([node.name]) == []
        cluster.client.delete_storage_pool(node.name, backing.name)
    finally:
        remove(node, backing)


def there(node: Node) -> list[str]:
    """Volumes and snapshots."""
    return node.run("zfs", "list", "-H", "-o", "name", "-t", "volume,snapshot").split()


def problem(cluster: Cluster, node: Node, pool: str) -> str:
    return " ".join(entry.message for entry in cluster.client.storage_pool(node.name, pool).reports)


def test_snapshots_outlive_rollbacks_and_their_volume(cluster: Cluster, node: Node, pool: str) -> None:
    volume = Volume(cluster, node, pool, "lives").create(SIZE)
    hashes = []
    for name in ("first", "second", "third"):
        volume.write(SIZE)
        hashes.append(volume.hash(SIZE))
        volume.snapshot(name)
    volume.write(SIZE)

    volume.roll_back("first")
    assert volume.hash(SIZE) == hashes[0], "past two newer snapshots"
    volume.write(4)
    volume.roll_back("third")
    assert volume.hash(SIZE) == hashes[2], "and forth again"
    volume.snapshot("last")
    volume.write(4)
    volume.roll_back("last")
    assert volume.hash(SIZE) == hashes[2], "in place"

    copy = volume.restore("second", to="copy")
    assert copy.hash(SIZE) == hashes[1]
    for name in ("second", "first", "last", "third"):
        volume.delete_snapshot(name)
    volume.delete()
    assert copy.hash(SIZE) == hashes[1], "a copy outlives what it was made from"
    again = Volume(cluster, node, pool, "lives").create(SIZE)
    assert again.hash(SIZE) != hashes[2], "the name is free"
    assert cluster.client.orphans([node.name]) == []
    copy.delete()
    again.delete()


@pytest.mark.parametrize(
    ("text", "after"),
    [("zfs clone", True), (".deleted.", True), ("zfs rollback", True)],
    ids=["cloned", "old one away", "in place, not marked"],
)
def test_a_rollback_that_lost_power_is_done_again(
    cluster: Cluster, node: Node, thin: str, text: str, after: bool
) -> None:
    volume = Volume(cluster, node, thin, "power").create(SIZE)
    volume.write(SIZE)
    first = volume.hash(SIZE)
    volume.snapshot("first")
    if "rollback" not in text:
        volume.snapshot("second")
    volume.write(4)
    node.run("sync")
    node.crash_at(text, after=after)
    rolling = cluster.in_background(lambda: volume.roll_back("first"))
    node.wait_until_off()
    cluster.start_node(node)
    rolling.join()
    cluster.wait("it is rolled back", lambda: volume.usable(SIZE) and volume.hash(SIZE) == first)


def test_an_inactive_volume_stays_closed_over_a_reboot(cluster: Cluster, node: Node, thin: str) -> None:
    volume = Volume(cluster, node, thin, "closed").create(SIZE)
    volume.write(SIZE)
    content, device = volume.hash(SIZE), volume.device
    cluster.client.deactivate_resource(volume.name, node.name)
    assert node.attempt("test", "-e", device).code == 1
    node.run("sync")
    node.kill()
    cluster.start_node(node)
    assert node.attempt("test", "-e", device).code == 1, "volumes of ZFS come up by themselves"
    cluster.client.activate_resource(volume.name, node.name)
    cluster.wait("it is open again", lambda: volume.usable(SIZE))
    assert volume.hash(SIZE) == content


def test_a_mounted_volume_is_not_removed(cluster: Cluster, node: Node, thin: str) -> None:
    volume = Volume(cluster, node, thin, "mounted").create(SIZE)
    node.shell(f"mkfs.ext4 -q {volume.device}; mkdir -p /mnt/used; mount {volume.device} /mnt/used")
    with pytest.raises(ApiError) as refused:
        volume.delete()
    assert "/mnt/used" in f"{refused.value} {refused.value.cause}", "whoever sees it first, node or controller"
    assert node.run("ls", "/mnt/used")
    node.run("umount", "/mnt/used")


def test_a_full_pool_is_a_clear_error_and_goes_on_when_there_is_room(cluster: Cluster, node: Node, pool: str) -> None:
    volume = Volume(cluster, node, pool, "full").create(SIZE)
    volume.write(SIZE)
    content = volume.hash(SIZE)
    filler = fill_zpool(node, "tank", left=4 << 20)
    another = Volume(cluster, node, pool, "another")
    another.define(SIZE * 4)
    if pool == "zfs":
        with pytest.raises(ApiError):
            another.deploy()
        with pytest.raises(ApiError) as full:
            volume.snapshot("first")
        assert full.value.has(Fail.NOT_ENOUGH_FREE_SPACE), str(full.value)
        assert not [name for name in there(node) if "@" in name]
    assert volume.hash(SIZE) == content
    node.run("zfs", "destroy", filler)
    cluster.wait("there is room", lambda: cluster.client.storage_pool(node.name, pool).free_capacity or 0 > 1 << 18)
    volume.snapshot("second")
    volume.grow(SIZE * 2)
    assert volume.usable(SIZE * 2)


def test_foreign_volumes_are_left_alone_and_listed(cluster: Cluster, node: Node, thin: str) -> None:
    node.shell(
        "zfs create -s -V 16M tank/orlop/theirs_00000; zfs create -s -V 16M -o orlop:volume=other/uuid tank/orlop/mine;"
        "udevadm settle; echo precious | dd of=/dev/zvol/tank/orlop/theirs_00000 conv=sync,fsync status=none;"
        "zfs snapshot tank/orlop/theirs_00000@nightly"
    )
    volume = Volume(cluster, node, thin, "theirs")
    volume.define(SIZE)
    with pytest.raises(ApiError) as refused:
        volume.deploy()
    assert "in the way" in str(refused.value)
    volume.delete()
    cluster.restart_satellite(node)
    names = {"theirs_00000", "theirs_00000.nightly", "mine"}
    cluster.wait("they are listed", lambda: {each.name for each in cluster.client.orphans([node.name])} == names)
    assert node.shell("head -c 8 /dev/zvol/tank/orlop/theirs_00000") == "precious"
    node.shell("zfs destroy -r tank/orlop/theirs_00000; zfs destroy tank/orlop/mine")
    cluster.restart_satellite(node)
    cluster.wait("nothing foreign is left", lambda: not cluster.client.orphans([node.name]))


def test_a_pool_that_goes_away_is_a_clear_state_and_comes_back(cluster: Cluster, node: Node, thin: str) -> None:
    volume = Volume(cluster, node, thin, "away").create(SIZE)
    volume.write(SIZE)
    content = volume.hash(SIZE)
    node.run("zpool", "export", "tank")
    cluster.wait("it is told", lambda: "zpool import tank" in problem(cluster, node, thin))
    node.run("zpool", "import", "-N", "-d", node.disks[0].path + "1", "tank", "tonk")
    cluster.wait("the new name is told", lambda: "tonk/orlop" in problem(cluster, node, thin))
    node.shell(f"zpool export tonk; zpool import -N -d {node.disks[0].path}1 tonk tank; udevadm settle")
    cluster.wait("it is back", lambda: not problem(cluster, node, thin))
    assert volume.hash(SIZE) == content


def test_a_suspended_pool_does_not_stop_the_satellite(cluster: Cluster, node: Node) -> None:
    flaky = FlakyDisk(node, node.disks[1].path)
    node.run("zpool", "create", "-m", "none", "shaky", flaky.path)
    backing = {"StorDriver/StorPoolName": "shaky"}
    cluster.client.create_storage_pool(node.name, "shaky", "ZFS_THIN", backing)
    volume = Volume(cluster, node, "shaky", "shaken").create(SIZE)
    volume.write(SIZE)
    content = volume.hash(SIZE)
    flaky.fail()
    node.start_program("zpool", "scrub", "shaky", log="/dev/null")
    node.start_program("dd", "if=/dev/zero", f"of={volume.device}", "bs=1M", "count=1", "oflag=direct", log="/dev/null")
    cluster.wait("it is told", lambda: "suspended" in problem(cluster, node, "shaky"), seconds=240)
    assert cluster.status(node) == "ONLINE"
    node.kill()
    node.start()
    node.attempt("zpool", "import", "-N", "-d", node.disks[1].path + "1", "-d", node.disks[1].path, "shaky")
    cluster.wait_online(node)
    cluster.wait("it works again", lambda: not problem(cluster, node, "shaky") and volume.usable(SIZE))
    assert volume.hash(SIZE) == content
    volume.delete()
    cluster.client.delete_storage_pool(node.name, "shaky")
    node.run("zpool", "destroy", "shaky")


def test_zpools_are_made_of_disks_and_taken_apart(node: Node) -> None:
    disks = [wiped(node, number) for number in range(len(node.disks))]
    done = json.loads(node.python(PROGRAM, *disks))
    assert done[0] == "zpool destroy made"
