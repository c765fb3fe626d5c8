"""What a snapshot of a replicated resource is made into: new resources, or the resource itself as it was."""

import pytest

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.usecases import (
    definitions,
    encryption,
    resources,
    restoring,
    rolling_back,
    snapshots,
    spawning,
)
from orlop.errors import Refused
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.disk import BLOCK

OLD, NEW = b"old".ljust(BLOCK, b"."), b"new".ljust(BLOCK, b".")


@pytest.fixture(params=["8.4", "9"])
def cluster(request):
    made = SimulatedCluster(seed=5, drbd=request.param)
    made.register()
    return made


def spawn(cluster, name="web", layers=("drbd", "storage"), count=2):
    body = wire.ResourceGroupSpawn(
        resource_definition_name=name,
        volume_sizes=(1024, 1024),
        select_filter=wire.AutoSelectFilter(place_count=count, layer_stack=layers),
        partial=True,
    )
    answers = spawning.spawn(cluster.core, "DfltRscGrp", body)
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle()
    return diskful(cluster, name)


def diskful(cluster, name="web"):
    return [r.node for r in cluster.core.picture.definition(name).resources if not r.diskless]


def write(cluster, node, data, name="web", number=0):
    host = cluster.nodes[node].host
    host.run(("drbdadm", "primary", name))
    minor = cluster.core.picture.definition(name).volume_definitions[number].minor
    host.disk.write(f"/dev/drbd{minor}", 0, data)
    host.run(("drbdsetup", "events2", "--now", "--statistics"))
    host.run(("drbdadm", "secondary", name))
    cluster.settle(15)


def raw(cluster, node, name="web", number=0):
    return cluster.nodes[node].host.disk.folders[POOL][f"{name}_{number:05d}"].blocks.get(0)


def disks(cluster, name="web"):
    found = {}
    for resource in cluster.core.picture.definition(name).resources:
        report = cluster.core.reported.resource(resource.node, name)
        levels = [level for v in report.volumes for level in v.levels if level.layer == "DRBD"]
        found[resource.node] = {level.facts.get("disk") for level in levels}
    return {node: states for node, states in found.items() if node in diskful(cluster, name)}


def take(cluster, name="web", snapshot="first", nodes=()):
    answers = snapshots.create(cluster.core, name, wire.Snapshot(name=snapshot, nodes=nodes))
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle(10)


def restore(cluster, to="copy", layers=("DRBD", "STORAGE"), name="web", nodes=(), size=None):
    definitions.create(
        cluster.core,
        wire.ResourceDefinitionCreate(
            resource_definition=wire.ResourceDefinition(
                name=to, layer_data=tuple(wire.ResourceDefinitionLayer(type=layer) for layer in layers)
            )
        ),
    )
    body = wire.SnapshotRestore(to_resource=to, nodes=nodes)
    restoring.restore_volume_definitions(cluster.core, name, "first", body)
    if size:
        definitions.modify_volume(cluster.core, to, 0, wire.VolumeDefinitionModify(size_kib=size))
    answers = restoring.restore_resource(cluster.core, name, "first", body)
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle()


def roll_back(cluster, name="web", snapshot="first"):
    return rolling_back.rollback(cluster.core, name, snapshot, wire.SnapshotRollback())


def synchronized_fully(cluster, name):
    """Nodes that were told to begin with nothing, as those are that get all of the data."""
    return {
        node
        for node in diskful(cluster, name)
        for minor in {v.minor for v in cluster.core.picture.definition(name).volume_definitions}
        if not any(
            argv[0] == "drbdmeta" and str(minor) in argv and "set-gi" in argv for argv in cluster.nodes[node].host.ran
        )
    }


def test_copies_hold_what_was_then_and_nothing_is_sent(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    write(cluster, two, NEW)
    restore(cluster)
    assert disks(cluster, "copy") == {one: {"UpToDate"}, two: {"UpToDate"}}
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD
    assert raw(cluster, one) == NEW
    assert not synchronized_fully(cluster, "copy")
    write(cluster, two, NEW, "copy")
    assert raw(cluster, one, "copy") == NEW


def test_the_copy_has_no_generation_of_the_original(cluster):
    one, two = spawn(cluster)
    take(cluster)
    restore(cluster)

    def generations(name):
        told = [argv[-1] for node in (one, two) for argv in cluster.nodes[node].host.ran if "set-gi" in argv]
        minors = {str(v.minor) for v in cluster.core.picture.definition(name).volume_definitions}
        mine = [
            argv[-1].split(":")[0]
            for node in (one, two)
            for argv in cluster.nodes[node].host.ran
            if "set-gi" in argv and minors & set(argv)
        ]
        assert set(mine) <= {t.split(":")[0] for t in told}
        return set(mine) - {""}

    assert generations("copy")
    assert not generations("copy") & generations("web")
    assert all(v.day0 == "" for v in cluster.core.picture.definition("copy").volume_definitions)


def test_what_was_not_written_synchronously_is_sent(cluster):
    one, two = spawn(cluster)
    definitions.modify(
        cluster.core, "web", wire.ResourceDefinitionModify(override_props={"DrbdOptions/Net/protocol": "A"})
    )
    cluster.settle()
    write(cluster, one, OLD)
    take(cluster)
    restore(cluster)
    assert len(synchronized_fully(cluster, "copy")) == 1
    assert disks(cluster, "copy") == {one: {"UpToDate"}, two: {"UpToDate"}}
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD


def test_what_lies_beyond_the_old_end_is_sent(cluster):
    """There metadata was, which is different on every node."""
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    restore(cluster, size=8192)
    assert len(synchronized_fully(cluster, "copy")) == 1
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD


def test_a_copy_on_one_node_gets_another_replica_later(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    restore(cluster, nodes=(two,))
    assert disks(cluster, "copy") == {two: {"UpToDate"}}
    body = wire.ResourceCreate(resource=wire.Resource(node_name=one, props={"StorPoolName": "pool1"}))
    resources.create(cluster.core, "copy", (body,))
    cluster.settle()
    assert disks(cluster, "copy") == {one: {"UpToDate"}, two: {"UpToDate"}}
    assert raw(cluster, one, "copy") == OLD


def test_a_replicated_one_becomes_an_unreplicated_one_and_back(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    restore(cluster, "plain", ("STORAGE",), nodes=(two,))
    assert raw(cluster, two, "plain") == OLD
    take(cluster, "plain")
    restore(cluster, "again", ("DRBD", "STORAGE"), name="plain")
    assert disks(cluster, "again") == {two: {"UpToDate"}}
    assert raw(cluster, two, "again") == OLD


def test_encrypted_below(cluster):
    encryption.create(cluster.core, "correct horse")
    one, two = spawn(cluster, layers=("drbd", "luks", "storage"))
    write(cluster, one, OLD)
    take(cluster)
    write(cluster, one, NEW)
    restore(cluster, layers=("DRBD", "LUKS", "STORAGE"))
    assert disks(cluster, "copy") == {one: {"UpToDate"}, two: {"UpToDate"}}
    assert not synchronized_fully(cluster, "copy")
    for node in (one, two):
        cluster.nodes[node].host.run(("drbdadm", "primary", "copy"))
        minor = cluster.core.picture.definition("copy").volume_definitions[0].minor
        assert cluster.nodes[node].host.disk.content(f"/dev/drbd{minor}").blocks.get(0) == OLD
        cluster.nodes[node].host.run(("drbdadm", "secondary", "copy"))
    cluster.settle(15)
    assert not roll_back(cluster).failed
    cluster.settle()
    assert disks(cluster) == {one: {"UpToDate"}, two: {"UpToDate"}}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 17))
def test_a_crash_while_it_is_restored_is_made_good(cluster, number, moment):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    for node in (one, two):
        cluster.nodes[node].host.faults.crash(number, moment)
    crashed = []

    def lose():
        for node in (one, two):
            if cluster.nodes[node].satellite is None and node not in crashed:
                crashed.append(node)
                cluster.nodes[node].power_loss()
                cluster.nodes[node].start()

    step = cluster.step

    def stepping(deadline):
        lose()
        step(deadline)

    cluster.step = stepping
    restore(cluster)
    cluster.heal()
    cluster.settle()
    assert disks(cluster, "copy") == {one: {"UpToDate"}, two: {"UpToDate"}}
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD


def test_it_goes_back_to_what_it_was_on_all_nodes(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    write(cluster, two, NEW)
    for _ in range(2):
        assert not roll_back(cluster).failed
        cluster.settle()
        assert disks(cluster) == {one: {"UpToDate"}, two: {"UpToDate"}}
        assert raw(cluster, one) == raw(cluster, two) == OLD
        write(cluster, two, NEW)
        assert raw(cluster, one) == raw(cluster, two) == NEW


def test_it_is_not_taken_back_while_somebody_uses_it(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    cluster.nodes[two].host.run(("drbdadm", "primary", "web"))
    cluster.settle(15)
    with pytest.raises(Refused, match="in use") as refusal:
        roll_back(cluster)
    assert refusal.value.code is Fail.IN_USE


def test_it_is_not_taken_back_where_a_node_lacks_the_snapshot(cluster):
    one, two = spawn(cluster)
    take(cluster, nodes=(one,))
    with pytest.raises(Refused, match="does not hold every volume"):
        roll_back(cluster)
    resources.delete(cluster.core, "web", two)
    cluster.settle()
    for resource in cluster.core.picture.definition("web").resources:
        if resource.diskless:
            resources.delete(cluster.core, "web", resource.node)
    cluster.settle()
    assert not roll_back(cluster).failed


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("number", range(1, 20))
def test_a_crash_while_it_goes_back_leaves_one_or_the_other(cluster, number, moment):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    write(cluster, two, NEW)
    for node in (one, two):
        cluster.nodes[node].host.faults.crash(number, moment)
    roll_back(cluster)
    for node in (one, two):
        if cluster.nodes[node].satellite is None:
            cluster.nodes[node].power_loss()
    cluster.heal()
    cluster.settle(120)
    assert disks(cluster) == {one: {"UpToDate"}, two: {"UpToDate"}}
    assert raw(cluster, one) == raw(cluster, two)
    assert raw(cluster, one) in (OLD, NEW)
    (operation,) = cluster.core.picture.definition("web").operations
    assert raw(cluster, one) == (OLD if operation.state == "done" else NEW)
    assert not roll_back(cluster).failed
    cluster.settle()
    assert raw(cluster, one) == raw(cluster, two) == OLD


def test_a_controller_that_dies_meanwhile_goes_on_later(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    write(cluster, one, NEW)
    cluster.core.wait = lambda done, seconds=0.0: None
    roll_back(cluster)
    cluster.run(1)
    cluster.start_controller()
    cluster.settle(120)
    assert disks(cluster) == {one: {"UpToDate"}, two: {"UpToDate"}}
    assert raw(cluster, one) == raw(cluster, two) == OLD
