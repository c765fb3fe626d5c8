"""A resource that DRBD replicated by hand goes on under Orlop: same data, same metadata, nothing to synchronize."""

import pytest

from orlop.controller import wire
from orlop.controller.growing import facts
from orlop.controller.usecases import importing, insight, spawning
from orlop.errors import Refused
from orlop.testing.cluster import SimulatedCluster
from orlop.testing.disk import BLOCK
from tests.simulation.backends import BACKENDS, by_hand

NODES = ("alpha", "bravo")
DATA = b"years of work".ljust(BLOCK, b".")
BY_HAND = "r0-data"
LVM = next(backend for backend in BACKENDS if backend.provider == "LVM")


@pytest.fixture(params=["8.4", "9"])
def cluster(request):
    """On both nodes a logical volume with data and DRBD's metadata, of a resource that was taken down in order."""
    made = SimulatedCluster(NODES, seed=4, drbd=request.param)
    for node in made.nodes.values():
        LVM.prepare(node.host)
    made.register(provider=LVM.provider, place=LVM.place)
    rule = wire.AutoSelectFilter(place_count=2, layer_stack=("DRBD", "STORAGE"))
    body = wire.ResourceGroupSpawn(resource_definition_name="r0", volume_sizes=(64,), select_filter=rule)
    spawning.spawn(made.core, "DfltRscGrp", body)
    made.settle()
    write(made, "alpha", "r0", 0)
    made.settle()
    definition = made.core.picture.definition("r0")
    with made.core.change() as draft:  # nobody knows of it any more
        draft.remove(definition)
    made.settle()
    for node in made.nodes.values():
        host = node.host
        host.run(("drbdsetup", "down", "r0"))
        for name in [name for name in host.disk.folders["/var/lib/orlop/drbd"] if name.startswith("r0")]:
            host.disk.drop(f"/var/lib/orlop/drbd/{name}")
        volume = LVM.group(host).volumes["r0_00000"]
        tags = [word for tag in volume.tags for word in ("--deltag", tag)]
        by_hand(host, "lvchange", *tags, "vg0/r0_00000")
        by_hand(host, "lvrename", "vg0/r0_00000", f"vg0/{BY_HAND}")
    made.settle()
    return made


def write(cluster, node, name, at):
    host = cluster.nodes[node].host
    if hasattr(host.drbd, "metadata"):  # DRBD 9
        [volume] = cluster.core.picture.definition(name).volume_definitions
        host.disk.write(f"/dev/drbd{volume.minor}", at, DATA)
    else:
        host.drbd.write(name, 0, at, DATA)


def replicas(*nodes, name=BY_HAND, **more):
    return tuple(wire.ImportedReplica(node_name=node, storage_pool_name="pool1", name=name, **more) for node in nodes)


def both(**more):
    return wire.ReplicatedImport(replicas=replicas(*NODES), **more)


def content(cluster, node, name):
    return LVM.group(cluster.nodes[node].host).volumes[name].content


def disks(cluster, name="db"):
    found = {}
    for resource in cluster.core.picture.definition(name).resources:
        report = cluster.core.reported.current(resource.node, name)
        found[resource.node] = facts(report, resource.volumes[0]).get("disk")
    return found


def generation(cluster, node, name=BY_HAND):
    host = cluster.nodes[node].host
    kept = getattr(host.drbd, "metadata", None) or host.drbd._metadata
    found = kept[content(cluster, node, name).inode]
    return found.generation if hasattr(found, "generation") else found.generations.current


def test_it_comes_up_with_its_data_and_nothing_is_synchronized(cluster):
    before = {node: generation(cluster, node) for node in NODES}
    ran = {node: len(cluster.nodes[node].host.ran) for node in NODES}
    answers = importing.import_(cluster.core, "db", both(drbd_minor_number=1042, drbd_tcp_port=7042))
    assert not answers.failed, [e.message for e in answers]
    cluster.settle()
    assert disks(cluster) == dict.fromkeys(NODES, "UpToDate")
    assert {node: generation(cluster, node, "db_00000") for node in NODES} == before
    for node in NODES:
        assert content(cluster, node, "db_00000").blocks[0] == DATA
        words = {word for argv in cluster.nodes[node].host.ran[ran[node] :] if argv[0] == "drbdmeta" for word in argv}
        assert not words & {"create-md", "set-gi", "write-dev-uuid", "wipe-md"}
    definition = cluster.core.picture.definition("db")
    assert [v.minor for v in definition.volume_definitions] == [1042]
    assert [r.ports for r in definition.resources if r.volumes] == [(7042,), (7042,)]
    assert not any(v.new for r in definition.resources for v in r.volumes)
    assert insight.orphans(cluster.core, frozenset()) == []


def test_what_is_written_afterwards_is_replicated(cluster):
    importing.import_(cluster.core, "db", both())
    cluster.settle()
    write(cluster, "bravo", "db", BLOCK)
    assert content(cluster, "alpha", "db_00000").blocks[BLOCK] == DATA


def test_replicas_with_different_data_are_refused_and_nothing_is_touched(cluster):
    host = cluster.nodes["bravo"].host
    nine = hasattr(host.drbd, "metadata")
    told = "AAAAAAAAAAAAAAAA:0:0:0:1:1" + ("" if nine else ":0:0:0:0:0")
    words = ("set-gi", "--node-id", "1", told) if nine else ("set-gi", told)
    host.run(("drbdmeta", "--force", "1", "v09" if nine else "v08", f"/dev/vg0/{BY_HAND}", "internal", *words))
    before = cluster.core.picture
    with pytest.raises(Refused, match="data of different generations") as refused:
        importing.import_(cluster.core, "db", both())
    assert "volume 0 on bravo: AAAAAAAAAAAAAAAA" in refused.value.cause
    assert cluster.core.picture is before
    assert all(BY_HAND in LVM.group(node.host).volumes for node in cluster.nodes.values())


def test_data_that_is_not_known_to_be_good_is_refused(cluster):
    host = cluster.nodes["alpha"].host
    kept = (getattr(host.drbd, "metadata", None) or host.drbd._metadata)[content(cluster, "alpha", BY_HAND).inode]
    if hasattr(kept, "good"):
        kept.good = False
    else:
        kept.up_to_date = False
    with pytest.raises(Refused, match="not known to be up to date"):
        importing.import_(cluster.core, "db", both())


def test_what_is_still_in_use_is_refused(cluster):
    cluster.nodes["alpha"].host.disk.used[f"/dev/vg0/{BY_HAND}"] = ("held by drbd7",)
    with pytest.raises(Refused, match="in use"):
        importing.import_(cluster.core, "db", wire.ReplicatedImport(replicas=replicas("alpha")))
    assert cluster.core.picture.definition("db") is None


def test_what_has_no_metadata_is_refused(cluster):
    LVM.put(cluster.nodes["alpha"].host, "plain")
    by_hand(cluster.nodes["alpha"].host, "lvchange", "--activate", "y", "vg0/plain")
    with pytest.raises(Refused, match=r"has no metadata of DRBD .* at its end\. Import it without DRBD"):
        importing.import_(cluster.core, "db", wire.ReplicatedImport(replicas=replicas("alpha", name="plain")))


def test_a_closed_volume_is_not_looked_at(cluster):
    by_hand(cluster.nodes["alpha"].host, "lvchange", "--activate", "n", f"vg0/{BY_HAND}")
    with pytest.raises(Refused, match="is closed: open it"):
        importing.import_(cluster.core, "db", both())


def test_one_replica_can_be_imported_alone(cluster):
    importing.import_(cluster.core, "db", wire.ReplicatedImport(replicas=replicas("alpha")))
    cluster.settle()
    assert content(cluster, "alpha", "db_00000").blocks[0] == DATA
    assert BY_HAND in LVM.group(cluster.nodes["bravo"].host).volumes


@pytest.mark.parametrize("at", [1, 2])
def test_an_import_that_was_cut_is_finished_by_naming_what_was_marked(cluster, at):
    cluster.nodes["bravo"].host.faults.crash(at, "after")
    with pytest.raises(Refused, match="may not be imported"):
        importing.import_(cluster.core, "db", both())
    cluster.heal()
    cluster.settle()
    assert cluster.core.picture.definition("db") is None
    found = insight.orphans(cluster.core, frozenset())
    marked = [r for o in found for r in replicas(o.node_name, name=o.name, uuid=o.uuid)]
    assert [each.node_name for each in marked] == list(NODES)
    assert not importing.import_(cluster.core, "db", wire.ReplicatedImport(replicas=tuple(marked))).failed
    cluster.settle()
    assert disks(cluster) == dict.fromkeys(NODES, "UpToDate")


@pytest.mark.parametrize("nodes", [(), ("alpha", "alpha")])
def test_each_volume_of_each_replica_is_named_once(cluster, nodes):
    with pytest.raises(Refused, match="has to be named once"):
        importing.import_(cluster.core, "db", wire.ReplicatedImport(replicas=replicas(*nodes)))


def test_a_replicated_resource_that_the_database_has_forgotten_comes_back(cluster):
    importing.import_(cluster.core, "db", both())
    cluster.settle()
    with cluster.core.change() as draft:
        draft.remove(draft.definition("db"))
    cluster.settle()
    cluster.start_controller()  # every node is told all anew
    cluster.settle()
    for node in cluster.nodes.values():
        node.host.run(("drbdsetup", "down", "db"))
    found = insight.orphans(cluster.core, frozenset())
    named = tuple(r for o in found for r in replicas(o.node_name, name=o.name, uuid=o.uuid))
    assert [each.node_name for each in named] == list(NODES)
    assert not importing.import_(cluster.core, "db", wire.ReplicatedImport(replicas=named)).failed
    cluster.settle()
    assert disks(cluster) == dict.fromkeys(NODES, "UpToDate")
    assert content(cluster, "alpha", "db_00000").blocks[0] == DATA
