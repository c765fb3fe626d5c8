"""What users trust it with: data, on every kind of pool, through the whole product and a loss of power.

One long test for each kind: each part goes on where the one before it ended, as the life of a volume does.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orlop.client import SelectFilter
from tests.lab.backings import BACKINGS, Backing, make, remove
from tests.lab.cluster import Cluster
from tests.lab.node import Node

GROUP = "DfltRscGrp"
MIB = 1 << 20
SIZE = 16  # MiB
POOL = "pool"


@pytest.fixture(params=[b for b in BACKINGS if "btrfs" not in b.name], ids=lambda backing: backing.name)
def backing(cluster: Cluster, node: Node, request: pytest.FixtureRequest) -> Iterator[Backing]:
    """A pool on it, which is deleted afterwards: that it can be, proves that nothing is left in it."""
    make(node, request.param)
    cluster.client.create_storage_pool(node.name, POOL, request.param.kind, request.param.props)
    yield request.param
    cluster.client.delete_storage_pool(node.name, POOL)
    remove(node, request.param)


def test_data_is_kept(cluster: Cluster, node: Node, backing: Backing) -> None:
    orlop = cluster.client
    place = SelectFilter(place_count=1, storage_pool=POOL, node_name_list=[node.name])
    orlop.spawn(GROUP, "data", [SIZE * 1024], select=place)
    first = write(cluster, node, "data")
    orlop.create_snapshot("data", "one")
    second = write(cluster, node, "data")
    assert first != second

    restore(cluster, "data", "one", "copy")
    assert content(cluster, node, "copy") == first, "a restored volume holds what the snapshot holds"
    assert content(cluster, node, "data") == second, "and its origin what was written since"

    orlop.create_snapshot("data", "two")
    third = write(cluster, node, "data")
    orlop.rollback_snapshot("data", "two")
    assert content(cluster, node, "data") == second, "rolled back to the newest snapshot"
    orlop.rollback_snapshot("data", "one")
    assert content(cluster, node, "data") == first, "and past a newer one"
    orlop.rollback_snapshot("data", "two")
    assert content(cluster, node, "data") == second, "which is still there"
    assert content(cluster, node, "copy") == first, "what was restored is not touched by all this"
    assert third not in (first, second)

    orlop.modify_volume_definition("data", 0, size_kib=(SIZE + 8) * 1024)
    assert int(node.run("blockdev", "--getsize64", cluster.device("data", node))) >= (SIZE + 8) * MIB
    assert content(cluster, node, "data") == second, "a volume grows at its end"

    lose_power_while_writing(cluster, node, "data")
    assert content(cluster, node, "data", MIB) == content(cluster, node, "copy", MIB), "what was flushed is there"
    assert content(cluster, node, "copy") == first

    for snapshot in ("one", "two"):
        orlop.delete_snapshot("data", snapshot)
    orlop.delete_resource_definition("data")
    assert content(cluster, node, "copy") == first, "a copy outlives what it was made from"
    orlop.delete_resource_definition("copy")
    cluster.wait("nothing is left", lambda: not orlop.orphans([node.name]) and not orlop.resource_definitions())


def write(cluster: Cluster, node: Node, resource: str) -> str:
    """Fill it with random bytes; answers their hash as the device tells it afterwards."""
    device = cluster.device(resource, node)
    node.shell(f"dd if=/dev/urandom of={device} bs=1M count={SIZE} oflag=direct status=none")
    return content(cluster, node, resource)


def content(cluster: Cluster, node: Node, resource: str, length: int = SIZE * MIB) -> str:
    """Hash of the first bytes that the disk, not the cache, gives."""
    device = cluster.device(resource, node)
    read = f"dd if={device} bs={MIB} count={length // MIB} iflag=direct status=none"
    return node.shell(f"udevadm settle; {read} | sha256sum").split()[0]


def restore(cluster: Cluster, resource: str, snapshot: str, to: str) -> None:
    cluster.client.create_resource_definition(to)
    cluster.client.restore_volume_definitions(resource, snapshot, to)
    cluster.client.restore_resource(resource, snapshot, to)


def lose_power_while_writing(cluster: Cluster, node: Node, resource: str) -> None:
    """The first MiB is that of `copy`, flushed; the rest is being written when the power goes."""
    device, known = cluster.device(resource, node), cluster.device("copy", node)
    node.shell(f"dd if={known} of={device} bs=1M count=1 conv=fsync,notrunc status=none")
    forever = f"while :; do dd if=/dev/urandom of={device} bs=1M seek=1 count={SIZE} conv=notrunc status=none; done"
    node.start_program("sh", "-c", forever, log="/dev/null")
    node.shell("sleep 1")
    node.kill()
    cluster.start_node(node)
    cluster.wait("its volumes are back", lambda: cluster.device(resource, node) and cluster.device("copy", node))
