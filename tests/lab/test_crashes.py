"""A node loses power in the middle of what is done to a volume, and comes back: nothing is lost, nothing is left half
done. After the first step of what takes several; the simulation cuts all of them, as `ORLOP_LAB_CUTS=all` does here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from tests.lab.backings import KINDS, Backing, make, remove
from tests.lab.cluster import Cluster
from tests.lab.node import Node
from tests.lab.volumes import Volume

SIZE, GROWN = 8, 16  # MiB
MOST = 20  # steps of one operation
ALL = os.environ.get("ORLOP_LAB_CUTS") == "all"
CUTS = range(1, MOST) if ALL else (1,)
ROWS = [backing for backing in KINDS if ALL or not backing.kind.startswith("FILE")]  # one step makes a file


class Operation(NamedTuple):
    """`done`: whether it has come about, data included."""

    name: str
    act: Callable[[Volume], object]
    done: Callable[[Volume, str], bool]
    snapshot: bool = False  # whether it needs one
    several: bool = True  # whether it takes more than one step


def _restored(volume: Volume, content: str) -> bool:
    return Volume(volume.cluster, volume.node, volume.pool, f"{volume.name}-copy").hash(SIZE) == content


def _rolled_back(volume: Volume, content: str) -> bool:
    return volume.hash(SIZE) == content


def _decided(volume: Volume, content: str) -> bool:
    """A snapshot that was cut may fail, for its moment is over; it must not stay in the making."""
    return bool(volume.snapshot_flags("first") & {"SUCCESSFUL", "FAILED_DEPLOYMENT", "FAILED_DISCONNECT"})


OPERATIONS = (
    Operation("snapshot", lambda volume: volume.snapshot("first"), _decided, several=False),
    Operation("restore", lambda volume: volume.restore("first", f"{volume.name}-copy"), _restored, snapshot=True),
    Operation("back", lambda volume: volume.roll_back("first"), _rolled_back, snapshot=True),
    Operation("grow", lambda volume: volume.grow(GROWN), lambda volume, _: volume.usable(GROWN), several=False),
)
CHOSEN = [operation for operation in OPERATIONS if ALL or operation.several]


@pytest.fixture(scope="module", params=ROWS, ids=lambda backing: backing.name)
def pool(cluster: Cluster, node: Node, request: pytest.FixtureRequest) -> Iterator[str]:
    backing: Backing = request.param
    make(node, backing)
    cluster.client.create_storage_pool(node.name, backing.name, backing.kind, dict(backing.props))
    yield backing.name
    remove(node, backing)


def cut_short(cluster: Cluster, node: Node, act: Callable[[], object], steps: int) -> bool:
    """Begin something and take the power after so many steps; False when it was done before that."""
    node.crash_at(after=True, count=steps)
    asked = cluster.in_background(act)
    cluster.wait("it is done, or the node is off", lambda: not asked.is_alive() or not node.machine.running)
    try:
        node.no_crash()
    except OSError:  # it is off, or about to be
        node.wait_until_off()
        cluster.start_node(node)
        asked.join()
        return True
    return False


def test_a_volume_is_made_and_deleted_whatever_was_cut(cluster: Cluster, node: Node, pool: str) -> None:
    for steps in CUTS:
        volume = Volume(cluster, node, pool, f"new{steps}-{pool}")
        volume.define(SIZE)
        making = cut_short(cluster, node, volume.deploy, steps)
        cluster.wait("it is there", lambda volume=volume: volume.usable(SIZE))  # type: ignore[misc]
        volume.write(SIZE)
        deleting = cut_short(cluster, node, volume.delete, steps)
        cluster.wait("it is gone", volume.gone)
        if not making and not deleting:
            break
    assert cluster.client.orphans([node.name]) == []


@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if ALL or each.several], ids=lambda operation: operation.name
)
def test_what_was_cut_is_finished_and_the_data_is_whole(
    cluster: Cluster, node: Node, pool: str, operation: Operation
) -> None:
    for steps in CUTS:
        volume = Volume(cluster, node, pool, f"cut-{operation.name}{steps}-{pool}").create(SIZE)
        volume.write(SIZE)
        content = volume.hash(SIZE)
        if operation.snapshot:
            volume.snapshot("first")
            volume.write(1)
        now = volume.hash(SIZE)
        cut = cut_short(cluster, node, lambda volume=volume: operation.act(volume), steps)  # type: ignore[misc]
        cluster.wait("it has come about", lambda volume=volume, content=content: operation.done(volume, content))  # type: ignore[misc]
        cluster.wait("the volume is back", lambda volume=volume: volume.usable(SIZE))  # type: ignore[misc]
        assert volume.hash(SIZE) == (content if operation.name == "back" else now)
        if not cut:
            break
    assert cluster.client.orphans([node.name]) == []
