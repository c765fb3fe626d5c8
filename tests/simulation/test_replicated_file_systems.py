"""File systems on replicated volumes: made once, through the device, on the replica that the others get data from."""

import pytest

from orlop.controller import wire
from orlop.controller.usecases import definitions, resources, spawning
from orlop.testing.cluster import SimulatedCluster
from tests.simulation.test_replication import create, disks, kernel, replicas, said, write

ONE, TWO = "alpha", "bravo"


@pytest.fixture
def cluster():
    made = SimulatedCluster(names=(ONE, TWO, "charlie"), seed=3, drbd=True)
    made.register()
    return made


def spawn(cluster, count=2, sizes=(1024,)):
    body = wire.ResourceGroupSpawn(
        resource_definition_name="web",
        volume_sizes=sizes,
        select_filter=wire.AutoSelectFilter(place_count=count),
        resource_definition_props={"FileSystem/Type": "ext4"},
    )
    return spawning.spawn(cluster.core, "DfltRscGrp", body)


def made(cluster):
    """How often a file system was made, by node."""
    ran = {name: [argv[0] for argv in node.host.ran] for name, node in cluster.nodes.items()}
    return {name: words.count("mkfs.ext4") for name, words in ran.items() if "mkfs.ext4" in words}


def signatures(cluster, node, number=0):
    return kernel(cluster, node).resources["web"].volumes[number].file.signatures


def test_it_is_made_once_and_replicated(cluster):
    assert not spawn(cluster, sizes=(1024, 2048)).failed
    assert {kernel(cluster, node).resources["web"].role for node in replicas(cluster)} == {"Secondary"}
    cluster.settle()
    assert list(made(cluster).values()) == [2]  # two volumes, on one node
    for node in replicas(cluster):
        assert [signatures(cluster, node, number) for number in (0, 1)] == [["ext4"], ["ext4"]]
        assert kernel(cluster, node).resources["web"].role == "Secondary"
        assert not cluster.nodes[node].host.disk.destroyed
        assert not [name for name in cluster.nodes[node].host.disk.folders["/var/lib/orlop/drbd"] if "lent" in name]


def test_a_replica_that_comes_later_gets_none_of_its_own(cluster):
    spawn(cluster, count=1)
    (one,) = replicas(cluster)
    write(cluster, one)
    create(cluster, next(name for name in cluster.nodes if name != one))
    cluster.settle()
    assert set(disks(cluster).values()) == {"UpToDate"}
    assert list(made(cluster).items()) == [(one, 1)]
    resources.delete(cluster.core, "web", one)
    cluster.settle()
    create(cluster, one)
    cluster.settle()
    assert list(made(cluster).items()) == [(one, 1)]


def test_a_property_that_is_set_later_formats_nothing_that_is_there(cluster):
    body = wire.ResourceGroupSpawn(
        resource_definition_name="web", volume_sizes=(1024,), select_filter=wire.AutoSelectFilter(place_count=2)
    )
    spawning.spawn(cluster.core, "DfltRscGrp", body)
    change = wire.ResourceDefinitionModify(override_props={"FileSystem/Type": "ext4"})
    definitions.modify(cluster.core, "web", change)
    cluster.settle()
    assert made(cluster) == {}


@pytest.mark.parametrize("power", [False, True], ids=["satellite", "power"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("step", [2, 5, 8, 10, 11, 12, 13, 14])
def test_whatever_is_cut_it_is_made_once_and_nobody_stays_primary(cluster, step, moment, power):
    definitions.create(
        cluster.core,
        wire.ResourceDefinitionCreate(
            resource_definition=wire.ResourceDefinition(name="web", props={"FileSystem/Type": "ext4"})
        ),
    )
    volume = wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=1024))
    definitions.create_volume(cluster.core, "web", volume)
    host = cluster.nodes[ONE].host
    host.faults.crash(step, moment)
    create(cluster, ONE)
    if power:
        cluster.nodes[ONE].power_loss()
    cluster.nodes[ONE].start()
    create(cluster, TWO)
    cluster.settle(600)
    assert disks(cluster) == {ONE: "UpToDate", TWO: "UpToDate"}
    assert signatures(cluster, ONE) == signatures(cluster, TWO) == ["ext4"]
    assert made(cluster).keys() == {ONE}
    assert not host.disk.destroyed
    assert said(cluster, ONE, "role") == "Secondary"
