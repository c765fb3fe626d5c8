"""Requests in random order, some before the last one is carried out: the data stays, and in the end all is at rest."""

import random

import pytest

from orlop.controller import wire
from orlop.controller.usecases import resources, toggling
from orlop.errors import OrlopError
from tests.simulation.test_drbd9_controller import (
    NODES,
    TOKEN,
    below,
    disks,
    replicas,
    spawn,
    started,
    with_state,
    write,
)

UNDER_WAY = {"DISK_ADDING", "DISK_REMOVING", "DELETE"}


def ask(core, chance):
    """One request; those that are refused change nothing."""
    node = chance.choice(NODES)
    with_disk = wire.Resource(node_name=node, props={"StorPoolName": "pool1"})
    without = wire.Resource(node_name=node, flags=("DRBD_DISKLESS",))
    diskful = wire.ToggleDiskRequest(operation=toggling.DISKFUL, storage_pool="pool1")
    moving = wire.ToggleDiskRequest(operation=toggling.DISKFUL, storage_pool="pool1", migrate_from=chance.choice(NODES))
    request = chance.choice(
        [
            lambda: resources.create(core, "web", (wire.ResourceCreate(resource=with_disk),)),
            lambda: resources.create(core, "web", (wire.ResourceCreate(resource=without),)),
            lambda: resources.delete(core, "web", node, chance.random() < 0.5),
            lambda: toggling.toggle_disk(core, "web", node, diskful),
            lambda: toggling.toggle_disk(core, "web", node, moving),
            lambda: toggling.toggle_disk(core, "web", node, wire.ToggleDiskRequest(operation=toggling.DISKLESS)),
        ]
    )
    try:
        request()
    except OrlopError:
        return


def only_one_is_left(cluster):
    """Whoever deletes the only one means it; that is no matter of this test."""
    return len([r for r in replicas(cluster).values() if not r.deleting]) < 2


@pytest.mark.parametrize("seed", range(5))
def test_the_data_stays_whatever_is_asked(seed):
    cluster, chance = started(seed=seed), random.Random(seed)
    spawn(cluster)
    write(cluster, with_state(cluster, "UpToDate")[0])
    for _ in range(10):
        if not only_one_is_left(cluster):
            ask(cluster.core, chance)
        cluster.settle(chance.choice((2, 20, 120)))
    cluster.settle(300)
    found = disks(cluster)
    assert set(found.values()) <= {"UpToDate", "Diskless"}
    assert with_state(cluster, "UpToDate")
    assert all(below(cluster, node)[0] == TOKEN for node in with_state(cluster, "UpToDate"))
    assert not [r.node for r in replicas(cluster).values() if r.flags & UNDER_WAY]
