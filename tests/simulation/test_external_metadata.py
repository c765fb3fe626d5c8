"""DRBD's metadata in a storage pool of its own: made, grown, lost and removed with the data, and never part of them."""

import pytest
from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.growing import facts
from orlop.controller.usecases import (
    definitions,
    encryption,
    forgetting,
    nodes,
    physical_storage,
    pools,
    resources,
    restoring,
    rolling_back,
    snapshots,
    spawning,
    toggling,
)
from orlop.errors import NotFound, Refused
from orlop.model import GIB, KIB, MIB, BackingObject, StoragePool, key
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.disk import BLOCK
from orlop.transport.messages import TakeObject
from tests.simulation.backends import BACKENDS

META, OBJECT = "/srv/meta", "web_00000.-meta"
OLD, NEW = b"old".ljust(BLOCK, b"."), b"new".ljust(BLOCK, b".")
PROPERTY = "StorPoolNameDrbdMeta"
SIZE = 1024  # KiB


@pytest.fixture(params=["8.4", "9"])
def cluster(request):
    """Three nodes with a pool for data and one for metadata."""
    return clustered(request.param)


@pytest.fixture
def nine():
    return clustered("9")


def clustered(drbd, without=()):
    made = SimulatedCluster(seed=21, drbd=drbd)
    made.register()
    for name in made.nodes:
        if name not in without:
            add_pool(made, name)
    made.settle()
    return made


def add_pool(cluster, node, provider="FILE_THIN"):
    cluster.nodes[node].host.disk.make_folder(META)
    with cluster.core.change() as draft:
        props = {"StorDriver/StorPoolName": META}
        uuid = cluster.core.new_uuid()
        draft.put(StoragePool(node=node, name="quick", uuid=uuid, provider=provider, props=props))


def spawn(cluster, name="web", count=2, pool="quick", layers=("drbd", "storage"), size=SIZE):
    body = wire.ResourceGroupSpawn(
        resource_definition_name=name,
        volume_sizes=(size,),
        select_filter=wire.AutoSelectFilter(place_count=count, layer_stack=layers, storage_pool_list=("pool1",)),
        resource_definition_props={PROPERTY: pool} if pool else {},
    )
    answers = spawning.spawn(cluster.core, "DfltRscGrp", body)
    assert not answers.failed, [(entry.message, entry.details) for entry in answers]
    cluster.settle()
    return diskful(cluster, name)


def diskful(cluster, name="web"):
    return [r.node for r in definition(cluster, name).resources if not r.diskless]


def definition(cluster, name="web"):
    return cluster.core.picture.definition(name)


def volume(cluster, node, name="web"):
    (resource,) = [r for r in definition(cluster, name).resources if key(r.node) == key(node)]
    return resource.volumes[0]


def report(cluster, node, name="web"):
    return cluster.core.reported.resource(node, name)


def disks(cluster, name="web"):
    return {
        node: facts(report(cluster, node, name), volume(cluster, node, name)).get("disk")
        for node in diskful(cluster, name)
    }


def whole(cluster, name="web"):
    return set(disks(cluster, name).values()) == {"UpToDate"}


def host(cluster, node):
    return cluster.nodes[node].host


def folder(cluster, node, path=META):
    return host(cluster, node).disk.folders[path]


def things(cluster, node):
    """Names of what is in the pool for metadata."""
    return folder(cluster, node).keys() - {".orlop-pool"}


def write(cluster, node, data, name="web"):
    at = host(cluster, node)
    at.run(("drbdadm", "primary", name))
    at.disk.write(f"/dev/drbd{definition(cluster, name).volume_definitions[0].minor}", 0, data)
    at.run(("drbdsetup", "events2", "--now", "--statistics"))
    at.run(("drbdadm", "secondary", name))
    cluster.settle(15)


def raw(cluster, node, name="web"):
    return folder(cluster, node, POOL)[f"{name}_00000"].blocks.get(0)


def take(cluster, snapshot="first"):
    answers = snapshots.create(cluster.core, "web", wire.Snapshot(name=snapshot))
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle(10)


def restore(cluster, pool="quick", to="copy"):
    body = wire.ResourceDefinition(name=to, props={PROPERTY: pool} if pool else {})
    definitions.create(cluster.core, wire.ResourceDefinitionCreate(resource_definition=body))
    request = wire.SnapshotRestore(to_resource=to)
    restoring.restore_volume_definitions(cluster.core, "web", "first", request)
    answers = restoring.restore_resource(cluster.core, "web", "first", request)
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle()


def set_pool(cluster, pool):
    body = wire.ResourceDefinitionModify(override_props={PROPERTY: pool})
    return definitions.modify(cluster.core, "web", body)


def create(cluster, node, pool="pool1"):
    body = wire.ResourceCreate(resource=wire.Resource(node_name=node, props={"StorPoolName": pool}))
    answers = resources.create(cluster.core, "web", (body,))
    cluster.settle()
    return answers


def third(cluster):
    return next(name for name in cluster.nodes if name not in diskful(cluster))


def orphans(cluster):
    return [o for node in cluster.nodes for o in cluster.core.reported.node(node).orphans]


# -- made -----------------------------------------------------------------------------------------------------


def test_metadata_has_an_object_of_its_own_in_its_pool(cluster):
    one, two = spawn(cluster)
    assert disks(cluster) == {one: "UpToDate", two: "UpToDate"}
    for node in (one, two):
        own = volume(cluster, node).metadata
        assert own.pool == "quick"
        found = folder(cluster, node)[OBJECT]
        assert own.uuid in found.attributes.values()
        assert found.size == own.levels[-1].size == MIB
        assert OBJECT not in folder(cluster, node, POOL)
    assert volume(cluster, one).metadata.uuid != volume(cluster, two).metadata.uuid
    write(cluster, one, OLD)
    assert raw(cluster, two) == OLD


def test_the_data_device_is_as_large_as_what_was_asked_for(cluster):
    one, _ = spawn(cluster)
    assert {level.size for level in volume(cluster, one).levels} == {SIZE * KIB}
    assert report(cluster, one).volumes[0].size == SIZE * KIB


def test_both_pools_promise_what_is_kept_in_them(cluster):
    one, _ = spawn(cluster)
    usage = cluster.core.picture.usage
    assert usage[key(one), "quick"].reserved == MIB
    assert usage[key(one), "pool1"].reserved == SIZE * KIB


def test_a_large_volume_has_as_much_metadata_as_the_format_needs(nine):
    one, _ = spawn(nine, size=100 * GIB // KIB)
    assert volume(nine, one).metadata.levels[-1].size == 22436 * KIB


def test_nothing_is_listed_as_an_orphan(cluster):
    spawn(cluster)
    assert orphans(cluster) == []


@pytest.mark.parametrize("kind", ["LVM", "LVM_THIN", "LVM_THIN_POOL", "ZFS", "ZFS_THIN", "FILE"])
def test_the_pool_may_be_of_any_kind(kind):
    cluster = SimulatedCluster(seed=21, drbd="8.4")
    cluster.register()
    for name in cluster.nodes:
        if kind == "FILE":
            add_pool(cluster, name, kind)
            continue
        cluster.nodes[name].host.disk.add_disk("/dev/vdb", 4 * GIB)
        pool = wire.PhysicalStorageStoragePoolCreate(name="quick")
        body = wire.PhysicalStorageCreate(
            provider_kind=kind, device_paths=("/dev/vdb",), pool_name="store", with_storage_pool=pool
        )
        answers = physical_storage.create(cluster.core, name, body)
        assert not answers.failed, [e.message for e in answers]
    cluster.settle()
    one, two = spawn(cluster)
    assert whole(cluster)
    assert volume(cluster, one).metadata.pool == "quick"
    write(cluster, one, OLD)
    for node in cluster.nodes.values():
        node.power_loss()
    cluster.heal()
    cluster.settle()
    assert whole(cluster)
    assert raw(cluster, two) == OLD
    assert orphans(cluster) == []
    definitions.delete(cluster.core, "web")
    cluster.settle()
    assert definition(cluster) is None
    assert orphans(cluster) == []


# -- refused --------------------------------------------------------------------------------------------------


def test_a_node_without_the_pool_is_refused_with_its_name(cluster):
    spawn(cluster, count=1)
    node = third(cluster)
    set_pool(cluster, "missing")
    with pytest.raises(NotFound, match="'missing'") as refused:
        create(cluster, node)
    assert refused.value.code is Fail.NOT_FOUND_STOR_POOL
    assert node not in diskful(cluster)


def test_placement_passes_over_nodes_without_the_pool_and_says_so():
    cluster = clustered("8.4", without=("alpha",))
    assert sorted(spawn(cluster)) == ["bravo", "charlie"]
    with pytest.raises(Refused) as refused:
        spawn(cluster, name="two", count=3)
    assert "node alpha: pool pool1: " in refused.value.details
    assert "'quick', which node 'alpha' does not have" in refused.value.details


def test_placement_passes_over_nodes_where_the_pool_is_full_or_nearly_so(cluster):
    with cluster.core.change() as draft:
        pool = draft.pool("alpha", "quick")
        draft.put(replace(pool, props={**pool.props, "Autoplacer/MinThinFreeSpace": "100"}))
        pool = draft.pool("bravo", "quick")
        draft.put(replace(pool, props={**pool.props, "MaxOversubscriptionRatio": "0.000000001"}))
    with pytest.raises(Refused) as refused:
        spawn(cluster)
    assert refused.value.details.count("pool pool1: pool quick for metadata: ") == 2
    assert "less than the 100 % of Autoplacer/MinThinFreeSpace" in refused.value.details
    assert "KiB free, 1024 KiB needed" in refused.value.details


def test_a_full_pool_is_refused_where_a_node_is_named(cluster):
    spawn(cluster, count=1)
    node = third(cluster)
    with cluster.core.change() as draft:
        pool = draft.pool(node, "quick")
        draft.put(replace(pool, props={**pool.props, "MaxOversubscriptionRatio": "0.000000001"}))
    with pytest.raises(Refused, match="Storage pool 'quick' .* KiB left, 1024 KiB are needed") as refused:
        create(cluster, node)
    assert refused.value.code is Fail.NOT_ENOUGH_FREE_SPACE
    assert node not in diskful(cluster)


def test_the_same_pool_has_to_have_room_for_both(cluster):
    """What is left in it is enough for the data alone."""
    with cluster.core.change() as draft:
        for name in cluster.nodes:
            pool, free = draft.pool(name, "pool1"), host(cluster, name).disk.free
            ratio = f"{(SIZE + 512) * KIB / free:.15f}"
            draft.put(replace(pool, props={**pool.props, "MaxOversubscriptionRatio": ratio}))
    with pytest.raises(Refused) as refused:
        spawn(cluster, pool="pool1")
    assert "pool pool1 for metadata: " in refused.value.details
    spawn(cluster, pool="quick", count=1)


def test_a_pool_with_metadata_in_it_is_not_deleted(cluster):
    one, _ = spawn(cluster)
    with pytest.raises(Refused):
        pools.delete(cluster.core, one, "quick")


def test_an_object_with_metadata_cannot_be_named_as_an_orphan(cluster):
    one, _ = spawn(cluster)
    thing = BackingObject(pool="quick", name=OBJECT, uuid=volume(cluster, one).metadata.uuid)
    order = TakeObject(fence=cluster.core.fence, object=thing, mark="m")
    assert "belongs to web" in cluster.core.asked(one, lambda links: links.take_object(one, order)).problem
    assert OBJECT in things(cluster, one)


# -- kept -----------------------------------------------------------------------------------------------------


def test_a_change_is_for_later_replicas_and_is_told_so(nine):
    one, two = spawn(nine)
    before = {node: volume(nine, node).metadata for node in (one, two)}
    answers = set_pool(nine, ".internal")
    assert any("made from now on" in entry.message for entry in answers)
    nine.settle()
    assert {node: volume(nine, node).metadata for node in (one, two)} == before
    write(nine, one, OLD)
    node = third(nine)
    create(nine, node)
    assert volume(nine, node).metadata is None
    assert whole(nine)
    assert raw(nine, node) == OLD
    write(nine, node, NEW)
    assert raw(nine, one) == NEW


def test_a_replica_with_its_metadata_apart_joins_one_that_has_it_inside(cluster):
    (one,) = spawn(cluster, count=1, pool="")
    write(cluster, one, OLD)
    set_pool(cluster, "quick")
    node = third(cluster)
    create(cluster, node)
    assert volume(cluster, one).metadata is None
    assert volume(cluster, node).metadata.pool == "quick"
    assert whole(cluster)
    assert raw(cluster, node) == OLD


# -- power, and what is lost ----------------------------------------------------------------------------------


def test_all_comes_back_after_a_loss_of_power(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    for node in cluster.nodes.values():
        node.power_loss()
    cluster.heal()
    cluster.settle()
    assert whole(cluster)
    write(cluster, two, NEW)
    assert raw(cluster, one) == NEW


def test_lost_metadata_is_told_and_never_made_again(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    cluster.nodes[two].power_loss()
    del folder(cluster, two)[OBJECT]
    cluster.heal()
    cluster.settle(200)
    (seen,) = report(cluster, two).volumes
    assert seen.presence == "MISSING"
    assert f"{OBJECT} is missing" in report(cluster, two).problem
    assert OBJECT not in folder(cluster, two)
    assert raw(cluster, two) == OLD


def test_metadata_of_somebody_else_is_left_alone(cluster):
    one, two = spawn(cluster)
    cluster.nodes[two].power_loss()
    found = folder(cluster, two)[OBJECT]
    mark = next(name for name, value in found.attributes.items() if value == volume(cluster, two).metadata.uuid)
    found.attributes[mark] = "somebody-else"
    cluster.heal()
    cluster.settle(200)
    assert report(cluster, two).volumes[0].presence == "FOREIGN"
    resources.delete(cluster.core, "web", two)
    cluster.settle(200)
    assert folder(cluster, two)[OBJECT] is found
    assert two not in diskful(cluster)


def test_a_replica_whose_metadata_was_lost_is_replaced_by_a_new_one(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    cluster.nodes[two].power_loss()
    del folder(cluster, two)[OBJECT]
    cluster.heal()
    cluster.settle(200)
    resources.delete(cluster.core, "web", two)
    cluster.settle(200)
    assert "web_00000" not in folder(cluster, two, POOL)
    create(cluster, two)
    assert whole(cluster)
    assert raw(cluster, two) == OLD


def test_what_is_inactive_has_both_of_its_devices_closed(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    answers = resources.deactivate(cluster.core, "web", two)
    assert not answers.failed, [e.message for e in answers]
    cluster.settle()
    (seen,) = report(cluster, two).volumes
    assert {level.device for level in (*seen.levels[1:], *seen.metadata)} == {None}
    resources.activate(cluster.core, "web", two)
    cluster.settle()
    assert whole(cluster)


# -- grown, removed -------------------------------------------------------------------------------------------


def test_metadata_grows_where_the_data_need_it(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    answers = definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=20 * GIB // KIB))
    assert not answers.failed, [e.message for e in answers]
    cluster.settle()
    wanted = (20 * GIB // (32 * KIB) * 7 + 36 * KIB) // KIB
    for node in (one, two):
        assert (
            folder(cluster, node)[OBJECT].size // KIB == volume(cluster, node).metadata.levels[-1].size // KIB == wanted
        )
        assert report(cluster, node).volumes[0].size == 20 * GIB
    assert cluster.core.picture.usage[key(one), "quick"].reserved == wanted * KIB
    assert raw(cluster, two) == OLD


def test_a_single_replica_grows(cluster):
    """DRBD 8.4 keeps the size that was agreed on while it has no peer, unless it is told not to."""
    (one,) = spawn(cluster, count=1)
    answers = definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=20 * GIB // KIB))
    assert not answers.failed, [e.message for e in answers]
    cluster.settle()
    assert report(cluster, one).volumes[0].size == 20 * GIB


def test_deleting_takes_both_objects(cluster):
    nodes = spawn(cluster)
    definitions.delete(cluster.core, "web")
    cluster.settle()
    assert definition(cluster) is None
    for node in nodes:
        assert things(cluster, node) == set()
        assert "web_00000" not in folder(cluster, node, POOL)
        assert cluster.core.picture.usage[key(node), "quick"].reserved == 0


def test_a_resource_is_not_forgotten_while_its_metadata_is_there(cluster):
    one, two = spawn(cluster)
    mark = folder(cluster, two).pop(".orlop-pool")  # as if something else were mounted there
    cluster.settle()
    resources.delete(cluster.core, "web", two)
    cluster.settle(200)
    assert two in {r.node for r in definition(cluster).resources}
    folder(cluster, two)[".orlop-pool"] = mark
    cluster.settle(2000)
    assert things(cluster, two) == set()
    assert two not in {r.node for r in definition(cluster).resources}


# -- snapshots ------------------------------------------------------------------------------------------------


def synchronized_fully(cluster, name):
    minor = str(definition(cluster, name).volume_definitions[0].minor)
    declared = [
        node
        for node in diskful(cluster, name)
        if any(a[0] == "drbdmeta" and minor in a and "set-gi" in a for a in host(cluster, node).ran)
    ]
    return set(diskful(cluster, name)) - set(declared)


def test_a_copy_has_new_metadata_and_needs_nothing_sent(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    write(cluster, two, NEW)
    assert not any(OBJECT + "." in name or name.startswith("web_00000.-meta.") for name in folder(cluster, one))
    restore(cluster)
    assert whole(cluster, "copy")
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD
    assert not synchronized_fully(cluster, "copy")
    assert volume(cluster, one, "copy").metadata.uuid != volume(cluster, one).metadata.uuid
    restore(cluster, pool="", to="another")
    assert volume(cluster, one, "another").metadata.pool == "quick", "the snapshot keeps what the definition said"
    write(cluster, two, NEW, "copy")
    assert raw(cluster, one, "copy") == NEW


def test_a_copy_that_keeps_its_metadata_inside_has_room_for_all_of_the_data(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    restore(cluster, pool=".internal")
    assert whole(cluster, "copy")
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD
    assert report(cluster, one, "copy").volumes[0].size >= SIZE * KIB
    assert volume(cluster, one, "copy").metadata is None
    assert synchronized_fully(cluster, "copy")


def test_a_copy_with_its_metadata_inside_is_no_smaller_where_storage_is_handed_out_in_units():
    """DRBD offers all of a device below, which is larger than what was asked for."""
    backend = next(b for b in BACKENDS if b.provider == "LVM")
    cluster = SimulatedCluster(seed=21, drbd="8.4")
    for node in cluster.nodes.values():
        backend.prepare(node.host)
    cluster.register(provider=backend.provider, place=backend.place)
    for name in cluster.nodes:
        add_pool(cluster, name)
    cluster.settle()
    one, two = spawn(cluster)
    assert report(cluster, one).volumes[0].size == 4 * MIB
    take(cluster)
    restore(cluster, pool=".internal")
    assert whole(cluster, "copy")
    assert volume(cluster, one, "copy").levels[-1].size == 8 * MIB
    assert report(cluster, one, "copy").volumes[0].size >= 4 * MIB


def test_a_copy_with_metadata_apart_of_one_that_had_it_inside_is_synchronized(cluster):
    one, two = spawn(cluster, pool="")
    write(cluster, one, OLD)
    take(cluster)
    restore(cluster)
    assert whole(cluster, "copy")
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD
    assert synchronized_fully(cluster, "copy")


def test_rolled_back_the_same_object_gets_new_metadata(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    take(cluster)
    write(cluster, one, NEW)
    before = volume(cluster, one).metadata
    answers = rolling_back.rollback(cluster.core, "web", "first", wire.SnapshotRollback())
    assert not answers.failed, [e.message for e in answers]
    cluster.settle()
    assert whole(cluster)
    assert raw(cluster, one) == raw(cluster, two) == OLD
    assert volume(cluster, one).metadata == before
    write(cluster, two, NEW)
    assert raw(cluster, one) == NEW


def test_replicas_that_were_never_written_need_no_first_copy(nine):
    nodes = spawn(nine, count=3)
    assert not synchronized_fully(nine, "web")
    write(nine, nodes[0], OLD)
    assert {raw(nine, node) for node in nodes} == {OLD}


# -- disks that come and go ---------------------------------------------------------------------------------------


def toggle(cluster, node, into, **more):
    body = wire.ToggleDiskRequest(operation=into, **more)
    answers = toggling.toggle_disk(cluster.core, "web", node, body)
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle()


def test_a_disk_goes_and_comes_with_its_metadata(nine):
    nodes = spawn(nine, count=3)
    write(nine, nodes[0], OLD)
    toggle(nine, nodes[2], toggling.DISKLESS)
    assert volume(nine, nodes[2]).metadata is None
    assert things(nine, nodes[2]) == set()
    toggle(nine, nodes[2], toggling.DISKFUL, storage_pool="pool1")
    assert volume(nine, nodes[2]).metadata.pool == "quick"
    assert whole(nine)
    assert raw(nine, nodes[2]) == OLD


def test_a_replica_moves_with_metadata_apart(nine):
    one, two = spawn(nine)
    write(nine, one, OLD)
    node = third(nine)
    toggle(nine, node, toggling.DISKFUL, storage_pool="pool1", migrate_from=two)
    nine.settle()
    assert sorted(diskful(nine)) == sorted((one, node))
    assert whole(nine)
    assert raw(nine, node) == OLD
    assert things(nine, two) == set()


# -- encrypted -------------------------------------------------------------------------------------------------


def test_metadata_of_encrypted_data_is_encrypted_too():
    cluster = clustered("8.4")
    encryption.create(cluster.core, "correct horse")
    one, two = spawn(cluster, layers=("drbd", "luks", "storage"))
    assert whole(cluster)
    own = volume(cluster, one).metadata
    assert [level.layer for level in own.levels] == ["LUKS", "STORAGE"]
    assert [level.size for level in own.levels] == [MIB, 17 * MIB]
    (seen,) = report(cluster, one).volumes
    assert [level.layer for level in seen.metadata] == ["LUKS", "STORAGE"]
    for node in cluster.nodes.values():
        node.power_loss()
    cluster.heal()
    cluster.settle()
    assert whole(cluster)
    definitions.delete(cluster.core, "web")
    cluster.settle()
    assert definition(cluster) is None
    assert things(cluster, one) == set()


def test_encrypted_metadata_that_is_closed_is_erased_too():
    cluster = clustered("8.4")
    encryption.create(cluster.core, "correct horse")
    one, two = spawn(cluster, layers=("drbd", "luks", "storage"))
    for node in (one, two):
        resources.deactivate(cluster.core, "web", node)
    cluster.settle()
    definitions.delete(cluster.core, "web")
    cluster.settle()
    assert definition(cluster) is None
    for node in (one, two):
        assert len([argv for argv in host(cluster, node).ran if "erase" in argv]) == 2
        assert things(cluster, node) == set()


def test_another_key_is_in_force_for_metadata_too():
    cluster = clustered("8.4")
    encryption.create(cluster.core, "correct horse")
    one, two = spawn(cluster, layers=("drbd", "luks", "storage"))
    old = definition(cluster).volume_definitions[0].keys[-1]
    answers = encryption.change_volume_key(cluster.core, "web", 0, "another key of the user")
    assert not answers.failed, [e.message for e in answers]
    cluster.settle(200)
    keys = definition(cluster).volume_definitions[0].keys
    assert old.uuid not in {k.uuid for k in keys}
    assert len(keys) == 1
    for node in cluster.nodes.values():
        node.power_loss()
    cluster.heal()
    cluster.settle(200)
    assert whole(cluster)


# -- a pool or node that is lost ------------------------------------------------------------------------------------


def lose_pool(cluster, node, path):
    """The file system of a pool comes up empty."""
    cluster.nodes[node].power_loss()
    folder(cluster, node, path).clear()
    cluster.heal()
    cluster.settle(200)


def test_data_whose_metadata_was_lost_with_its_pool_can_be_deleted_and_made_again(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    lose_pool(cluster, two, META)
    answers = forgetting.pool_lost(cluster.core, two, "quick")
    assert any("metadata of 'web'" in entry.message for entry in answers)
    cluster.settle(200)
    assert volume(cluster, two).metadata is None
    assert report(cluster, two).volumes[0].presence == "MISSING"
    assert raw(cluster, two) == OLD
    resources.delete(cluster.core, "web", two)
    cluster.settle(200)
    assert "web_00000" not in folder(cluster, two, POOL)
    set_pool(cluster, "")
    create(cluster, two)
    assert whole(cluster)
    assert raw(cluster, two) == OLD


def test_metadata_of_data_that_were_lost_is_an_orphan(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    lose_pool(cluster, two, POOL)
    answers = forgetting.pool_lost(cluster.core, two, "pool1")
    assert any("Its metadata in quick is listed as an orphan." in entry.details for entry in answers)
    cluster.settle(200)
    assert diskful(cluster) == [one]
    assert [(orphan.pool, orphan.name) for orphan in orphans(cluster)] == [("quick", OBJECT)]


def test_what_is_on_a_lost_node_is_forgotten_with_its_metadata(cluster):
    one, two = spawn(cluster)
    cluster.nodes[two].stop()
    cluster.nodes[two].reachable = False
    cluster.settle(30)
    nodes.lost(cluster.core, two)
    cluster.settle(30)
    assert one in diskful(cluster)
    assert two not in diskful(cluster)
    assert (key(two), "quick") not in cluster.core.picture.pools


# -- cut at any moment ---------------------------------------------------------------------------------------------


def consistent(cluster):
    """A replica has both of its objects, and nothing else is left."""
    assert whole(cluster)
    for node in cluster.nodes:
        assert things(cluster, node) == ({OBJECT} if node in diskful(cluster) else set())
    assert orphans(cluster) == []


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_power_lost_while_a_replica_is_made(moment):
    for step in range(1, 20):
        cluster = clustered("8.4")
        (one,) = spawn(cluster, count=1)
        write(cluster, one, OLD)
        node = third(cluster)
        host(cluster, node).faults.crash(step, moment)
        create(cluster, node)
        crashed = cluster.nodes[node].satellite is None
        cluster.nodes[node].power_loss()
        cluster.heal()
        cluster.settle(300)
        consistent(cluster)
        assert raw(cluster, node) == OLD
        if not crashed:
            assert step > 6
            return
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_satellite_that_dies_while_a_replica_is_removed(moment):
    for step in range(1, 25):
        cluster = clustered("8.4")
        one, two = spawn(cluster)
        write(cluster, one, OLD)
        host(cluster, two).faults.crash(step, moment)
        resources.delete(cluster.core, "web", two)
        cluster.settle()
        crashed = cluster.nodes[two].satellite is None
        cluster.heal()
        cluster.settle(300)
        consistent(cluster)
        assert diskful(cluster) == [one]
        assert raw(cluster, one) == OLD
        if not crashed:
            assert step > 3
            return
    raise AssertionError("it never came to an end")
