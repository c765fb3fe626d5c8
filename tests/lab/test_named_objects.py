"""What others made goes on under Orlop with its data: volumes of LVM and ZFS, and what DRBD 8.4 replicated by hand.

What is compared is read below DRBD and past all caches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from orlop.client import ApiError
from tests.lab.backings import POOL, ZFS
from tests.lab.cluster import Cluster, ClusterError
from tests.lab.node import GIB, Node
from tests.lab.replicated import Replicated
from tests.lab.volumes import Volume, take

NODES, DISKS = 2, (1 * GIB, 1 * GIB)
SIZE = 8  # MiB of what was made by hand
DATA = SIZE - 1  # MiB of it that DRBD leaves to data, whole ones
MINOR, PORT = 5, 7789
CONFIGURATION = f"""
resource r0 {{
    device /dev/drbd{MINOR};
    disk /dev/vg0/r0;
    meta-disk internal;
    disk {{ c-plan-ahead 0; resync-rate 100M; }}
    on node1 {{ address 10.77.0.1:{PORT}; }}
    on node2 {{ address 10.77.0.2:{PORT}; }}
}}
"""
LOOK = "drbdmeta --force 1048575 v08 /dev/vg0/r0 internal dump-md | grep -v '^# 20'; lvs --noheadings -o+tags vg0"


# -- replicated by hand ---------------------------------------------------------------------------------------


@pytest.fixture
def by_hand(pools: Cluster) -> Iterator[Cluster]:
    """A resource that DRBD's own tools have brought up on both nodes; it is in step, and nobody uses it."""
    for node in pools.nodes:
        node.put("/etc/drbd.d/r0.res", CONFIGURATION)
        node.shell(f"lvcreate -q -y -L {SIZE}M -n r0 vg0; drbdadm create-md --force r0; drbdadm up r0")
    connected(pools, "r0")  # a disk that is made good while the two meet may be good for one of them only
    pools.nodes[0].run("drbdadm", "primary", "--force", "r0")
    in_step(pools, "r0")
    overwrite(pools.nodes[0])
    yield pools
    for node in pools.nodes:
        node.shell("drbdadm down r0 || true; rm -f /etc/drbd.d/r0.res*; lvremove -q -y vg0/r0 || true")


def overwrite(node: Node) -> None:
    """All of it, with random data that is on the disks afterwards."""
    where = (f"of=/dev/drbd{MINOR}", "bs=1M", f"count={DATA}", "oflag=direct", "conv=notrunc,fsync", "status=none")
    node.shell(f"drbdadm primary r0; dd if=/dev/urandom {' '.join(where)}; drbdadm secondary r0")


def in_step(cluster: Cluster, name: str) -> None:
    """Both disks are up to date and connected, as the kernels say."""
    _told(cluster, name, "it is in step", r" device .*disk:UpToDate.*peer-disk:UpToDate")


def connected(cluster: Cluster, name: str) -> None:
    _told(cluster, name, "they are connected", r" connection:Connected")


def _told(cluster: Cluster, name: str, what: str, expression: str) -> None:
    """By the kernels of all nodes."""
    good = re.compile(expression, re.DOTALL)
    for node in cluster.nodes:
        cluster.wait(what, lambda node=node: good.search(node.run("drbdsetup", "events2", "--now", name)))


def take_down(*nodes: Node) -> None:
    """As the guide says it."""
    for node in nodes:
        node.shell("drbdadm down r0; mv /etc/drbd.d/r0.res /etc/drbd.d/r0.res.by-hand")


def content(node: Node, device: str, size: int = DATA) -> str:
    return node.shell(f"dd if={device} bs=1M count={size} iflag=direct status=none | sha256sum").split()[0]


def traffic(node: Node, name: str) -> list[int]:
    """KiB received from the peer, sent to it, and out of step with it since it came up."""
    told = node.run("drbdsetup", "events2", "--now", "--statistics", name)
    return [int(count) for count in re.findall(r"\b(?:received|sent|out-of-sync):(\d+)", told)]


def import_it(cluster: Cluster) -> str:
    named = " ".join(f"{node.name}:pool:r0" for node in cluster.nodes)
    return cluster.orlop(f"resource-definition import-drbd web --replica {named} --minor {MINOR} --port {PORT}")


def test_what_drbd_replicated_by_hand_goes_on_and_nothing_is_synchronized(by_hand: Cluster) -> None:
    one, two = by_hand.nodes
    with pytest.raises(ClusterError, match=r"/dev/vg0/r0 is in use[\s\S]*drbdadm down"):
        import_it(by_hand)
    take_down(one, two)
    before = content(one, "/dev/vg0/r0")
    assert content(two, "/dev/vg0/r0") == before
    assert "Neither data nor metadata was touched" in import_it(by_hand)
    web = Replicated(by_hand, "web", DATA)
    web.wait_synchronized(one, two)
    assert [traffic(node, "web") for node in by_hand.nodes] == [[0, 0, 0]] * 2
    assert (web.device(one), web.backing_hash(one), web.backing_hash(two)) == (f"/dev/drbd{MINOR}", before, before)

    web.make_primary(two)
    assert content(two, f"/dev/drbd{MINOR}") == before
    web.write(two, 2)
    web.make_secondary(two)
    assert web.backing_hash(one) == web.backing_hash(two) != before

    web.client.modify_volume_definition("web", 0, size_kib=16 << 10)
    web.wait_synchronized(one, two)
    web.size = 16
    kept = web.backing_hash(one)
    take(web.client, "web", "first")
    web.make_primary(one)
    web.write(one, 4, seek=12)
    web.make_secondary(one)
    assert web.backing_hash(one) == web.backing_hash(two) != kept
    web.client.rollback_snapshot("web", "first")
    web.wait_synchronized(one, two)
    assert web.backing_hash(one) == web.backing_hash(two) == kept

    web.client.delete_snapshot("web", "first")
    web.delete()
    for node in (one, two):
        by_hand.wait("nothing is left", lambda node=node: "web" not in node.run("drbdsetup", "events2", "--now"))
        assert "web" not in node.shell("lvs --noheadings -o lv_name; ls /var/lib/orlop/drbd")


def outdated(one: Node, two: Node) -> None:
    """The second one was told that it may lack something; nothing was written since."""
    two.shell("drbdadm disconnect r0; drbdadm outdate r0; drbdadm down r0")
    one.run("drbdadm", "down", "r0")


def older(one: Node, two: Node) -> None:
    """The second one lacks what was written without it, and does not know."""
    two.run("drbdadm", "down", "r0")
    overwrite(one)
    one.run("drbdadm", "down", "r0")


def lost(one: Node, two: Node) -> None:
    """Power, while it was in use."""
    one.run("drbdadm", "primary", "r0")
    one.run("sync")
    one.kill()
    two.run("drbdadm", "down", "r0")
    one.start()


@pytest.mark.parametrize(
    ("happens", "said"),
    [
        (outdated, "the data on /dev/vg0/r0 is not known to be up to date"),
        (older, "data of different generations"),
        (lost, "not taken down in order"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_replicas_that_are_not_in_step_are_refused_and_left_as_they_are(
    by_hand: Cluster, happens: Callable[[Node, Node], None], said: str
) -> None:
    one, two = by_hand.nodes
    happens(one, two)
    by_hand.wait_online(one, two)
    before = [(node.shell(LOOK), content(node, "/dev/vg0/r0", SIZE)) for node in (one, two)]
    with pytest.raises(ClusterError) as refused:
        import_it(by_hand)
    assert said in " ".join(str(refused.value).split())
    assert [(node.shell(LOOK), content(node, "/dev/vg0/r0", SIZE)) for node in (one, two)] == before
    assert "web" not in [each.name for each in by_hand.client.resource_definitions()]
    assert by_hand.client.orphans([]) == []


# -- one volume -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tank(pools: Cluster) -> Cluster:
    """Also a pool of zvols on the first node."""
    node = pools.nodes[0]
    node.shell(ZFS.format(disk=node.disks[1].path))
    pools.client.create_storage_pool(node.name, "tank", "ZFS", {POOL: "tank/orlop"})
    return pools


@pytest.fixture(params=["pool", "tank"])
def pool(tank: Cluster, request: pytest.FixtureRequest) -> str:
    return str(request.param)


def made(node: Node, pool: str, name: str) -> str:
    """The device of a volume that was made by hand, with random data."""
    if pool == "pool":
        node.shell(f"lvcreate -q -y -L 16M -n {name} vg0")
        device = f"/dev/vg0/{name}"
    else:
        node.shell(f"zfs create -V 16M tank/orlop/{name}; udevadm settle")
        device = f"/dev/zvol/tank/orlop/{name}"
    node.shell(f"dd if=/dev/urandom of={device} bs=1M count=16 oflag=direct conv=fsync status=none")
    return device


def there(node: Node) -> str:
    """Everything that lies in the pools."""
    return node.shell("lvs --noheadings -o lv_name,lv_tags vg0; zfs list -H -o name -t all -r tank")


def test_a_volume_is_imported_with_its_data(tank: Cluster, pool: str) -> None:
    node = tank.nodes[0]
    empty = there(node)
    before = content(node, made(node, pool, "old"), 16)
    tank.orlop(f"resource import {node.name} kept --storage-pool {pool} --object old")
    kept = Volume(tank, node, pool, "kept")
    assert kept.hash(16) == before
    kept.snapshot("first")
    kept.write(8)
    assert kept.hash(16) != before
    kept.roll_back("first")
    tank.wait("it is rolled back", lambda: kept.hash(16) == before)
    kept.grow(24)
    tank.wait("it has grown", lambda: kept.usable(24))
    assert kept.hash(16) == before
    kept.delete_snapshot("first")
    kept.delete()
    tank.wait("nothing is left", lambda: there(node) == empty)


def test_an_orphan_in_use_stays_and_is_adopted_afterwards(tank: Cluster, pool: str) -> None:
    node = tank.nodes[0]
    device = made(node, pool, "left_00000")
    node.shell(
        f"mkfs.ext4 -q {device}; mkdir -p /mnt/left; mount {device} /mnt/left; echo precious > /mnt/left/word; sync"
    )
    tank.restart_satellite(node)
    tank.wait("it is listed", lambda: [each.name for each in tank.client.orphans([])] == ["left_00000"])
    before = there(node)
    with pytest.raises(ClusterError, match="/mnt/left"):
        tank.orlop(f"orphan remove {node.name} {pool} left_00000 --unmarked --yes")
    with pytest.raises(ClusterError, match="/mnt/left"):
        tank.orlop(f"orphan adopt {node.name} {pool} left_00000 --unmarked")
    assert there(node) == before
    node.run("umount", "/mnt/left")
    data = content(node, device, 16)
    tank.orlop(f"orphan adopt {node.name} {pool} left_00000 --unmarked")
    left = Volume(tank, node, pool, "left")
    assert left.hash(16) == data
    node.run("mount", left.device, "/mnt/left")
    assert node.run("cat", "/mnt/left/word") == "precious\n"
    with pytest.raises(ApiError):
        left.delete()
    node.run("umount", "/mnt/left")
    left.delete()
    tank.wait("nothing is left", lambda: "left_00000" not in there(node))
