import pytest

from orlop.controller import wire
from orlop.controller.usecases import resources, spawning
from orlop.testing.cluster import SimulatedCluster


@pytest.fixture
def cluster():
    """Three nodes with a pool of sparse files each; file systems can share blocks."""
    made = SimulatedCluster(seed=7)
    made.register()
    return made


@pytest.fixture
def spawn(cluster):
    """Make a resource definition `name` with one 64 KiB volume on `count` nodes."""

    def make(name="web", count=2, size_kib=64):
        body = wire.ResourceGroupSpawn(
            resource_definition_name=name,
            volume_sizes=(size_kib,),
            select_filter=wire.AutoSelectFilter(place_count=count),
        )
        return spawning.spawn(cluster.core, "DfltRscGrp", body)

    return make


@pytest.fixture
def create(cluster):
    """Put a resource of an existing definition on a node."""

    def make(name, node):
        body = wire.ResourceCreate(resource=wire.Resource(node_name=node, props={"StorPoolName": "pool1"}))
        return resources.create(cluster.core, name, (body,))

    return make
