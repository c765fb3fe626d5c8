"""The data that a node had before DRBD overwrites it: a snapshot that is there while that lasts, on real kernels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orlop.client import NewResource
from tests.lab.backings import BACKINGS, Backing, make, remove
from tests.lab.cluster import Cluster
from tests.lab.node import GIB, Node
from tests.lab.replicated import FAST

NODES, DISKS = 2, (1 * GIB,)
SIZE = 16  # MiB
LEAVE = {"DrbdOptions/Orlop/snapshot-before-resync": "try"}
KEPT = "0-before-resync"


class Place:
    """How a kind of pool shows what is in it."""

    def __init__(self, backing: Backing) -> None:
        self.zfs = backing.kind.startswith("ZFS")

    def names(self, node: Node) -> str:
        if self.zfs:
            return node.run("zfs", "list", "-H", "-t", "all", "-o", "name")
        return node.shell("lvs --config 'devices{global_filter=[\"r|^/dev/drbd|\"]}' --noheadings -o lv_name vg0")

    def hash(self, node: Node, name: str, snapshot: str = "") -> str:
        if self.zfs:
            if not snapshot:
                return _hash(node, f"/dev/zvol/tank/orlop/{name}")
            node.shell(f"zfs clone tank/orlop/{name}@{snapshot} tank/seen; udevadm settle")
            node.wait_for("it is there", lambda: node.shell("test -b /dev/zvol/tank/seen; echo yes"))
            found = _hash(node, "/dev/zvol/tank/seen")
            node.run("zfs", "destroy", "tank/seen")
            return found
        path = f"vg0/{name}" + (f".{snapshot}" if snapshot else "")
        if snapshot:
            node.shell(
                f"test -b /dev/{path} || lvchange --config 'devices{{global_filter=[\"r|^/dev/drbd|\"]}}' -ay -K {path}"
            )
        return _hash(node, f"/dev/{path}")


def _hash(node: Node, device: str) -> str:
    return node.shell(f"dd if={device} bs=1M count={SIZE} iflag=direct status=none | sha256sum").split()[0]


@pytest.fixture(scope="module")
def placed(cluster: Cluster) -> Cluster:
    cluster.orlop("controller set-property PrefNic private")
    for number, node in enumerate(cluster.nodes, 1):
        cluster.orlop(f"node interface create {node.name} private 10.77.0.{number}")
    return cluster


@pytest.fixture(params=[b for b in BACKINGS if b.name in ("lvm", "lvm-thin", "zfs-thin")], ids=lambda b: b.name)
def backing(request: pytest.FixtureRequest, placed: Cluster) -> Iterator[Backing]:
    chosen: Backing = request.param
    for node in placed.nodes:
        make(node, chosen)
        placed.client.create_storage_pool(node.name, "pool", chosen.kind, dict(chosen.props))
    yield chosen
    placed.nodes[0].attempt("drbdadm", "secondary", "web")
    placed.wait("nobody uses it", lambda: not _in_use(placed))
    placed.client.delete_resource_definition("web")
    for node in placed.nodes:
        placed.wait("nothing is left", lambda node=node: "web" not in node.shell("ls /var/lib/orlop/drbd"))
        assert "web" not in Place(chosen).names(node)
        placed.client.delete_storage_pool(node.name, "pool")
        remove(node, chosen)


def test_what_was_there_before_is_kept_while_it_is_overwritten(placed: Cluster, backing: Backing) -> None:
    one, two = placed.nodes
    client, place, volume = placed.client, Place(backing), "web_00000"
    client.create_resource_definition("web", layers=["DRBD", "STORAGE"], props={**FAST, **LEAVE})
    client.create_volume_definition("web", SIZE << 10)
    for node in (one, two):
        client.create_resource("web", NewResource(node=node.name, storage_pool="pool"))
    placed.wait("it is synchronized", lambda: _state(placed, two) == "UpToDate", 300)
    placed.wait("what the first copy left is gone", lambda: KEPT not in place.names(two))
    placed.orlop("resource-definition set-property web DrbdOptions/PeerDevice/resync-rate 128")
    one.run("drbdadm", "primary", "web")
    _write(one)
    before = place.hash(two, volume)
    one.cut(two)
    placed.wait("the loss is noticed", lambda: "Connecting" in one.run("drbdsetup", "events2", "--now"))
    _write(one)
    assert place.hash(two, volume) == before
    one.mend(two)
    placed.wait("it is overwritten", lambda: "SyncTarget" in two.run("drbdsetup", "events2", "--now"), 300)
    assert KEPT in place.names(two)
    assert KEPT not in place.names(one)
    assert place.hash(two, volume, KEPT) == before
    assert "replication:SyncTarget" in two.run("drbdsetup", "events2", "--now"), "it was over before it was looked at"
    placed.wait("it is told", lambda: KEPT in placed.orlop("orphan list"))
    assert "before a" in placed.orlop("orphan list")
    placed.orlop("resource-definition set-property web DrbdOptions/PeerDevice/resync-rate 102400")
    placed.wait("it is synchronized", lambda: _state(placed, two) == "UpToDate", 300)
    one.run("drbdadm", "secondary", "web")
    placed.wait("it is gone", lambda: KEPT not in place.names(two))
    assert place.hash(one, volume) == place.hash(two, volume) != before
    assert not two.shell("ls /var/lib/orlop/drbd | grep kept || true")


def _in_use(cluster: Cluster) -> bool:
    return any(resource.state.in_use for resource in cluster.client.resources(["web"]))


def _state(cluster: Cluster, node: Node) -> str | None:
    found = next(r for r in cluster.client.resources(["web"]) if r.node_name == node.name)
    return found.volumes[0].state.disk_state if found.volumes else None


def _write(node: Node) -> None:
    where = ("of=/dev/drbd/by-res/web/0", "bs=1M", "count=12", "oflag=direct", "conv=notrunc,fsync", "status=none")
    node.run("dd", "if=/dev/urandom", *where)
