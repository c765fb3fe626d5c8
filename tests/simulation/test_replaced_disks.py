"""Disks that are replaced and nodes that come back: what is stale is never a source of data, and never overwritten.

On simulated nodes with DRBD 8.4.
"""

import pytest

from orlop.controller import wire
from orlop.controller.usecases import forgetting, insight, nodes, pools, resources, spawning
from orlop.errors import Refused
from orlop.model import Presence
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.disk import BLOCK
from tests.simulation.test_replicated_file_systems import ONE, TWO
from tests.simulation.test_replication import create, disks, kernel, read, replicas, write

EARLY, LATE = b"early".ljust(BLOCK, b"."), b"late".ljust(BLOCK, b".")


@pytest.fixture
def cluster():
    """A replica of `web` on each of two nodes, with the same data."""
    made = SimulatedCluster(names=(ONE, TWO), seed=9, drbd=True)
    made.register()
    body = wire.ResourceGroupSpawn(
        resource_definition_name="web", volume_sizes=(1024,), select_filter=wire.AutoSelectFilter(place_count=2)
    )
    spawning.spawn(made.core, "DfltRscGrp", body)
    write(made, ONE, data=EARLY)
    made.settle()
    assert read(made, TWO) == EARLY
    return made


def new_pool(cluster, node):
    body = wire.StoragePool(
        storage_pool_name="pool1", provider_kind="FILE_THIN", props={"StorDriver/StorPoolName": POOL}
    )
    return pools.create(cluster.core, node, body)


def stored(cluster, node):
    """The data of the file that lies in the node's pool, whatever uses it."""
    folder = cluster.nodes[node].host.disk.folders[POOL]
    return next(file.blocks.get(0) for name, file in folder.items() if name.startswith("web"))


def test_a_new_empty_disk_gets_the_data_of_the_other_replica(cluster):
    machine = cluster.nodes[TWO]
    machine.power_loss()
    machine.host.disk.folders[POOL].clear()  # another disk is mounted there now
    cluster.settle()
    write(cluster, ONE, data=LATE)
    machine.start()
    cluster.settle()
    assert kernel(cluster, TWO).resources == {}
    assert machine.host.disk.folders[POOL] == {}
    forgetting.pool_lost(cluster.core, TWO, "pool1")
    assert not new_pool(cluster, TWO).failed
    create(cluster, TWO)
    cluster.settle()
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    assert read(cluster, ONE) == read(cluster, TWO) == LATE


def test_an_empty_disk_in_place_of_the_first_replica_gets_the_data_too(cluster):
    """The replica that others got their data from at first has no right to that any more."""
    machine = cluster.nodes[ONE]
    machine.power_loss()
    machine.host.disk.folders[POOL].clear()
    write(cluster, TWO, data=LATE)
    machine.start()
    cluster.settle()
    forgetting.pool_lost(cluster.core, ONE, "pool1")
    new_pool(cluster, ONE)
    create(cluster, ONE)
    cluster.settle()
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    assert read(cluster, ONE) == read(cluster, TWO) == LATE


def test_the_last_pool_with_the_data_is_not_lost_while_it_works(cluster):
    with pytest.raises(Refused, match="not lost"):
        forgetting.pool_lost(cluster.core, TWO, "pool1")


@pytest.mark.parametrize("rebooted", [True, False])
def test_a_node_that_was_lost_comes_back_with_what_it_had(cluster, rebooted):
    """Its data is recognised, stays as it is, and reaches nobody, even where its DRBD still runs."""
    machine = cluster.nodes[TWO]
    machine.reachable = False
    cluster.network.cut.add(frozenset((ONE, TWO)))
    cluster.settle()
    nodes.lost(cluster.core, TWO)
    cluster.settle()
    write(cluster, ONE, data=LATE)
    if rebooted:
        machine.power_loss()
    cluster.network.cut.clear()
    machine.reachable = True
    come_back(cluster)
    create(cluster, TWO)
    cluster.settle(200)
    assert replicas(cluster).keys() == {ONE, TWO}
    report = cluster.core.reported.resource(TWO, "web")
    assert report.volumes[0].presence is Presence.FOREIGN
    assert "in the way" in report.problem
    assert stored(cluster, TWO) == EARLY
    assert stored(cluster, ONE) == LATE
    assert kernel(cluster, ONE).resources["web"].state != "Connected"


def come_back(cluster):
    """The node is registered anew; its pool bears the mark of the one that was lost, until somebody takes that away."""
    cluster.nodes[TWO].start()
    cluster.register(TWO)
    with pytest.raises(Refused, match="belongs to another pool"):
        create(cluster, TWO)
    del cluster.nodes[TWO].host.disk.folders[POOL][".orlop-pool"]
    cluster.settle()


def test_what_came_back_is_replaced_once_an_administrator_removed_it(cluster):
    machine = cluster.nodes[TWO]
    machine.power_loss()
    cluster.settle()
    nodes.lost(cluster.core, TWO)
    write(cluster, ONE, data=LATE)
    come_back(cluster)
    assert [each.name for each in insight.orphans(cluster.core, frozenset())] == ["web_00000"]
    folder = machine.host.disk.folders[POOL]
    for name in [name for name in folder if name.startswith("web")]:
        del folder[name]
    create(cluster, TWO)
    cluster.settle()
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    assert read(cluster, ONE) == read(cluster, TWO) == LATE


def test_a_disk_that_was_away_for_a_while_catches_up(cluster):
    machine = cluster.nodes[TWO]
    machine.power_loss()
    away = dict(machine.host.disk.folders[POOL])
    machine.host.disk.folders[POOL].clear()
    write(cluster, ONE, data=LATE)
    machine.start()
    cluster.settle()
    assert kernel(cluster, TWO).resources == {}
    machine.host.disk.folders[POOL].update(away)
    cluster.settle(200)
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    assert read(cluster, TWO) == LATE


def test_a_replica_whose_object_was_removed_behind_our_back_is_made_anew_on_demand_only(cluster):
    machine = cluster.nodes[TWO]
    machine.power_loss()
    folder = machine.host.disk.folders[POOL]
    for name in [name for name in folder if name.startswith("web")]:
        del folder[name]
    machine.start()
    cluster.settle(200)
    assert cluster.core.reported.resource(TWO, "web").volumes[0].presence is Presence.MISSING
    resources.delete(cluster.core, "web", TWO)
    cluster.settle()
    create(cluster, TWO)
    cluster.settle()
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    assert read(cluster, TWO) == EARLY
