"""Operations and split brains on simulated nodes with DRBD 9, where a peer may be one of several."""

import pytest

from orlop.controller import wire
from orlop.controller.snapshotting import EQUAL, SUCCESSFUL
from orlop.controller.usecases import definitions, operating, resources, snapshots, split_brains
from orlop.model import ReplicaVerb
from orlop.testing.cluster import SimulatedCluster
from orlop.testing.disk import BLOCK
from tests.simulation.test_replication import create, disks, said, write

NODES = ONE, TWO, THREE = "alpha", "bravo", "charlie"
FIRST, SECOND = b"first".ljust(BLOCK, b"."), b"second".ljust(BLOCK, b".")


@pytest.fixture
def cluster():
    """Three nodes with a replica of `web` each, up to date; without quorum, so that they can go apart."""
    made = SimulatedCluster(names=NODES, seed=4, drbd="9")
    made.register()
    props = {"DrbdOptions/Net/verify-alg": "crc32c", "DrbdOptions/Resource/quorum": "off"}
    definition = wire.ResourceDefinition(name="web", props=props)
    definitions.create(made.core, wire.ResourceDefinitionCreate(resource_definition=definition))
    volume = wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=1024))
    definitions.create_volume(made.core, "web", volume)
    for node in NODES:
        create(made, node)
    made.settle()
    assert set(disks(made).values()) == {"UpToDate"}
    return made


def data(cluster, node, at):
    return cluster.nodes[node].host.drbd.resources["web"].devices[0].file.blocks.get(at)


def split(cluster):
    """One writes alone, and so does another one with the third."""
    cluster.network.cut |= {frozenset((ONE, TWO)), frozenset((ONE, THREE))}
    cluster.settle()
    write(cluster, ONE, at=0, data=FIRST)
    write(cluster, TWO, at=BLOCK, data=SECOND)
    cluster.network.cut.clear()
    cluster.settle()


def test_a_node_is_kept_apart_from_one_peer_only(cluster):
    operating.disconnect(cluster.core, "web", ONE, wire.ReplicaOperation(peer=TWO))
    cluster.settle()
    assert said(cluster, ONE, f"peer/{TWO}/connection") != "Connected"
    assert said(cluster, ONE, f"peer/{THREE}/connection") == "Connected"
    operating.connect(cluster.core, "web", TWO, wire.ReplicaOperation(peer=ONE))
    cluster.settle()
    assert said(cluster, ONE, f"peer/{TWO}/connection") == "Connected"
    assert set(disks(cluster).values()) == {"UpToDate"}


def test_one_replica_is_compared_with_one_peer(cluster):
    host = cluster.nodes[TWO].host
    backing = host.drbd.resources["web"].devices[0].backing
    host.disk.content(backing).blocks[5 * BLOCK] = FIRST
    operating.once(cluster.core, "web", ONE, ReplicaVerb.VERIFY, wire.ReplicaOperation(peer=TWO))
    cluster.settle()
    assert said(cluster, ONE, f"peer/{TWO}/out_of_sync") == str(BLOCK >> 10)
    assert said(cluster, ONE, f"peer/{THREE}/out_of_sync") == "0"


def equal(cluster, name):
    """Nodes whose part of a snapshot is known to hold the same as the others."""
    snapshots.create(cluster.core, "web", wire.Snapshot(name=name))
    cluster.settle()
    found = next(s for s in cluster.core.picture.definition("web").snapshots if s.name == name)
    assert SUCCESSFUL in found.flags
    return {part.node for part in found.nodes if EQUAL in part.props}


def test_replicas_that_are_known_to_differ_do_not_count_as_equal_in_a_snapshot(cluster):
    assert equal(cluster, "first") == set(NODES)
    host = cluster.nodes[TWO].host
    host.disk.content(host.drbd.resources["web"].devices[0].backing).blocks[5 * BLOCK] = FIRST
    operating.once(cluster.core, "web", ONE, ReplicaVerb.VERIFY, wire.ReplicaOperation(peer=TWO))
    cluster.settle()
    assert equal(cluster, "second") == set()


def test_a_split_brain_of_one_and_two_is_explained_and_ended(cluster):
    split(cluster)
    found = split_brains.explained(cluster.core, ())
    assert {(each.node_a, each.node_b) for each in found if each.certain} == {(ONE, TWO), (ONE, THREE)}
    split_brains.resolve(cluster.core, "web", wire.ResolveSplitBrain(victim=ONE))
    cluster.settle()
    assert split_brains.explained(cluster.core, ()) == []
    assert set(disks(cluster).values()) == {"UpToDate"}
    for node in NODES:
        assert (data(cluster, node, 0), data(cluster, node, BLOCK)) == (None, SECOND)


def test_a_split_brain_with_one_that_is_to_go_is_told_as_well(cluster):
    """Its node keeps the data until it has seen another copy."""
    split(cluster)
    resources.delete(cluster.core, "web", ONE)
    cluster.settle()
    assert ONE in {r.node for r in cluster.core.picture.definition("web").resources}
    found = split_brains.explained(cluster.core, ())
    assert {(each.node_a, each.node_b) for each in found} == {(ONE, TWO), (ONE, THREE)}
