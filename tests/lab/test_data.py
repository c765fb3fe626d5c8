"""Data on real devices, through the whole product: what was written is what is read, whatever was done meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.backings import BACKINGS, Backing, make, remove
from tests.lab.cluster import Cluster
from tests.lab.node import Node
from tests.lab.volumes import Volume

ROWS = [backing for backing in BACKINGS if "btrfs" not in backing.name]  # it shares blocks as xfs does
SIZE, GROWN = 24, 40  # MiB


@pytest.fixture(params=ROWS, ids=lambda backing: backing.name)
def pool(cluster: Cluster, node: Node, request: pytest.FixtureRequest) -> Iterator[str]:
    """Name of a pool; one of each row."""
    backing: Backing = request.param
    make(node, backing)
    cluster.client.create_storage_pool(node.name, backing.name, backing.kind, dict(backing.props))
    yield backing.name
    remove(node, backing)


def test_data_outlives_all_that_is_done_to_a_volume(cluster: Cluster, node: Node, pool: str) -> None:
    volume = Volume(cluster, node, pool, f"data-{pool}").create(SIZE)
    volume.write(SIZE)
    first = volume.hash(SIZE)
    volume.snapshot("first")
    volume.write(4, offset=2)
    changed = volume.hash(SIZE)
    assert changed != first

    copy = volume.restore("first", to=f"copy-{pool}")
    assert copy.hash(SIZE) == first
    copy.write(2)
    assert volume.hash(SIZE) == changed, "a copy has nothing to do with what it was made from"

    clone = volume.clone(to=f"clone-{pool}")
    assert clone.hash(SIZE) == changed
    cluster.wait("its snapshot is gone", lambda: [s.name for s in cluster.client.snapshots([volume.name])] == ["first"])

    volume.roll_back("first")
    assert volume.hash(SIZE) == first
    assert clone.hash(SIZE) == changed

    volume.grow(GROWN)
    assert volume.usable(GROWN)
    assert volume.hash(SIZE) == first

    _lose_power_while_writing(cluster, node, volume)
    cluster.wait("the volume is back", lambda: volume.usable(GROWN))
    assert volume.hash(SIZE) == first
    assert volume.snapshot_flags("first") == {"SUCCESSFUL"}

    copy.delete()
    clone.delete()
    volume.delete_snapshot("first")
    volume.delete()
    cluster.client.delete_storage_pool(node.name, pool)
    assert cluster.client.orphans([node.name]) == []


def _lose_power_while_writing(cluster: Cluster, node: Node, volume: Volume) -> None:
    """Writes go on behind the part that is compared."""
    writing = cluster.in_background(lambda: volume.write(GROWN - SIZE, offset=SIZE))
    cluster.wait("data is on its way", lambda: node.attempt("pgrep", "-x", "dd").code == 0)
    node.kill()
    writing.join()
    cluster.start_node(node)
