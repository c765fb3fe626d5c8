"""What an administrator meets: nodes away, full pools, foreign files, old databases, two controllers."""

import pytest
from msgspec.structs import replace

from orlop import codes
from orlop.codes import ERROR, WARNING, Fail, Subject, Warn
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.reported import Status
from orlop.controller.usecases import (
    adjusting,
    availability,
    definitions,
    evacuation,
    groups,
    nodes,
    pools,
    resources,
    restoring,
    rolling_back,
    snapshots,
    spawning,
    waiting,
)
from orlop.errors import Refused
from orlop.model import GIB, Operation, Presence, key
from orlop.testing.cluster import POOL
from orlop.testing.commits import ControllerCrash
from orlop.testing.disk import BLOCK
from orlop.transport.messages import Report

TOKEN = b"data".ljust(BLOCK, b".")


def severities(answers, severity):
    return [entry for entry in answers if entry.severity == severity]


def files(cluster, node):
    return sorted(name for name in cluster.nodes[node].host.disk.folders[POOL] if not name.startswith("."))


def device(cluster, node, name="web_00000"):
    disk = cluster.nodes[node].host.disk
    return next((path for path, loop in disk.loops.items() if loop.path == f"{POOL}/{name}"), None)


def test_a_spawned_resource_is_there_when_the_answer_comes(cluster, spawn):
    answers = spawn(count=2)
    assert not answers.failed
    made = cluster.core.picture.definition("web").resources
    assert len(made) == 2
    for resource in made:
        assert device(cluster, resource.node), "the device exists before the answer"
        assert not resource.volumes[0].new, "`new` was cleared durably before the answer"


def test_the_first_entry_names_the_definition(spawn):
    assert next(iter(spawn())).obj_refs["RscDfn"] == "web"


def test_copies_without_replication_are_called_unrelated(spawn):
    assert any("unrelated copies" in entry.message for entry in spawn(count=2))


def test_nothing_is_called_done_before_it_is_committed(cluster, spawn):
    spawn(count=1)
    with cluster.core.change() as draft:
        definition = draft.definition("web")
        (made,) = definition.resources
        volumes = tuple(replace(v, new=True) for v in made.volumes)
        draft.put(replace(definition, resources=(replace(made, volumes=volumes),)))
    cluster.core.suspend("nothing is committed any more")
    answers = Answers(codes.CREATE, Subject.RSC)
    waiting.settled(cluster.core, answers, "web", [made.node], "created 'web'", "it will be created")
    assert [e.code for e in answers] == [Warn.STLT_NOT_UPDATED]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ({"place_count": -1}, Fail.INVLD_PLACE_COUNT),
        ({"additional_place_count": 1001}, Fail.INVLD_PLACE_COUNT),
        ({"x_replicas_on_different_map": {"Aux/site": 0}}, Fail.INVLD_PLACE_COUNT),
        ({"not_place_with_rsc_regex": "("}, Fail.INVLD_CONF),
    ],
)
def test_a_wrong_filter_is_refused_wherever_it_is_given(cluster, spawn, rule, code):
    spawn(count=1)
    body = wire.AutoSelectFilter(**rule)
    spawned = wire.ResourceGroupSpawn(resource_definition_name="next", volume_sizes=(64,), select_filter=body)
    for act in (
        lambda: resources.autoplace(cluster.core, "web", wire.AutoPlaceRequest(select_filter=body)),
        lambda: spawning.spawn(cluster.core, "DfltRscGrp", spawned),
        lambda: adjusting.adjust(cluster.core, "DfltRscGrp", wire.ResourceGroupAdjust(select_filter=body)),
        lambda: groups.create(cluster.core, wire.ResourceGroup(name="words", select_filter=body)),
    ):
        with pytest.raises(Refused) as refused:
            act()
        assert refused.value.code == code
    assert cluster.core.picture.definition("next") is None


def test_no_replica_is_removed_for_a_smaller_count(cluster, spawn):
    spawn(count=3)
    fewer = wire.AutoPlaceRequest(select_filter=wire.AutoSelectFilter(place_count=1))
    answers = resources.autoplace(cluster.core, "web", fewer)
    assert [e.code for e in answers] == [Warn.RSC_ALREADY_DEPLOYED]
    adjusting.adjust(cluster.core, "DfltRscGrp", wire.ResourceGroupAdjust(select_filter=fewer.select_filter))
    assert all(files(cluster, node) == ["web_00000"] for node in cluster.nodes)


def test_no_blank_copy_is_offered_as_the_data(cluster, spawn):
    spawn(count=1)
    node = next(n for n in cluster.nodes if not files(cluster, n))
    with pytest.raises(Refused, match="cannot be reached"):
        availability.make_available(cluster.core, "web", node, wire.ResourceMakeAvailable())
    assert not files(cluster, node)


def test_when_placement_fails_nothing_exists_and_every_node_has_its_reason(cluster, spawn):
    cluster.nodes["charlie"].stop()
    cluster.run(30.0)
    with pytest.raises(Refused) as refused:
        spawn(count=3)
    assert refused.value.code == Fail.NOT_ENOUGH_NODES
    assert "node charlie: it is offline" in refused.value.details
    assert cluster.core.picture.definition("web") is None


def test_an_offline_node_warns_at_once_and_catches_up(cluster, spawn, create):
    spawn(count=1)
    node = next(n for n in cluster.nodes if not files(cluster, n))
    cluster.nodes[node].stop()
    cluster.run(30.0)
    before = cluster.clock.now
    answers = create("web", node)
    assert cluster.clock.now == before, "nobody waited for a node known to be away"
    assert [e.code for e in severities(answers, WARNING)] == [Warn.NOT_CONNECTED]
    cluster.nodes[node].start()
    cluster.run(60.0)
    assert files(cluster, node) == ["web_00000"]


def test_attempts_to_reach_a_node_are_counted_until_it_is_back(cluster):
    cluster.nodes["alpha"].stop()
    cluster.run(30.0)
    assert cluster.core.reported.node("alpha").attempts > 1
    cluster.nodes["alpha"].start()
    cluster.run(30.0)
    assert cluster.core.reported.node("alpha").attempts == 0


def test_deleting_with_a_node_away_answers_at_once_and_completes_later(cluster, spawn):
    spawn(count=2)
    away = cluster.core.picture.definition("web").resources[0].node
    cluster.nodes[away].stop()
    cluster.run(30.0)
    answers = definitions.delete(cluster.core, "web")
    assert not answers.failed
    assert cluster.core.picture.definition("web").deleting
    with pytest.raises(Refused, match="is being deleted") as refused:
        spawn(count=1)
    assert away in refused.value.cause
    cluster.nodes[away].start()
    cluster.run(60.0)
    assert cluster.core.picture.definition("web") is None
    assert files(cluster, away) == []


def test_a_lost_node_frees_everything_and_what_comes_back_is_an_orphan(cluster, spawn):
    spawn(count=2)
    away = cluster.core.picture.definition("web").resources[0].node
    definitions_before = cluster.core.picture.definition("web").uuid
    cluster.nodes[away].stop()
    cluster.run(30.0)
    definitions.delete(cluster.core, "web")
    nodes.lost(cluster.core, away)
    assert cluster.core.picture.definition("web") is None
    assert definitions_before
    cluster.nodes[away].start()
    cluster.register(away)
    assert files(cluster, away) == ["web_00000"], "nothing is wiped silently"
    problem = cluster.core.reported.pool(away, "pool1").problem
    orphans = [o.name for o in cluster.core.reported.nodes[key(away)].orphans]
    assert problem or orphans == ["web_00000"], "it is either in a pool that says whose it is, or listed"


def test_a_volume_that_vanished_is_missing_and_not_made_again(cluster, spawn):
    spawn(count=1)
    node = cluster.core.picture.definition("web").resources[0].node
    cluster.nodes[node].power_loss()
    cluster.nodes[node].host.disk.drop(f"{POOL}/web_00000")
    cluster.nodes[node].start()
    cluster.run(60.0)
    report = cluster.core.reported.current(node, "web")
    assert report.volumes[0].presence is Presence.MISSING
    assert report.problem
    assert files(cluster, node) == []


def test_what_vanishes_right_after_its_creation_is_not_made_again(cluster, spawn):
    """The satellite itself remembers what it reported complete; it need not hear from the controller again."""
    cluster.mute = True  # no order that can wait is sent
    spawn(count=1)
    node = cluster.core.picture.definition("web").resources[0].node
    disk = cluster.nodes[node].host.disk
    disk.detach(device(cluster, node))
    disk.drop(f"{POOL}/web_00000")
    cluster.run(60.0)
    assert cluster.core.reported.current(node, "web").volumes[0].presence is Presence.MISSING
    assert files(cluster, node) == []


def test_a_foreign_file_of_the_same_name_is_refused_and_left_alone(cluster, create):
    disk = cluster.nodes["alpha"].host.disk
    disk.put(f"{POOL}/web_00000", disk.new_file(4096, 4096))
    definition = wire.ResourceDefinition(name="web", volume_definitions=(wire.VolumeDefinition(size_kib=64),))
    definitions.create(cluster.core, wire.ResourceDefinitionCreate(resource_definition=definition))
    answers = create("web", "alpha")
    assert severities(answers, ERROR)
    deleted = definitions.delete(cluster.core, "web")
    assert not severities(deleted, ERROR)
    assert files(cluster, "alpha") == ["web_00000"]
    assert disk.find(f"{POOL}/web_00000").attributes == {}


def used(cluster, spawn, user):
    """One volume that somebody has just opened: its node, the disk of that, and the device."""
    spawn(count=1)
    node = cluster.core.picture.definition("web").resources[0].node
    disk, opened = cluster.nodes[node].host.disk, device(cluster, node)
    disk.use(opened, user)
    return node, disk, opened


def test_a_volume_in_use_is_not_deleted(cluster, spawn):
    spawn(count=1)
    node = cluster.core.picture.definition("web").resources[0].node
    disk = cluster.nodes[node].host.disk
    disk.use(device(cluster, node), "/mnt in the name space of process 7")
    cluster.run(30.0)
    with pytest.raises(Refused) as refused:
        definitions.delete(cluster.core, "web")
    assert refused.value.code == Fail.IN_USE
    assert f"On {node}: volume 0: /mnt in the name space of process 7." in refused.value.cause
    assert not cluster.core.picture.definition("web").deleting


def test_a_volume_that_was_just_closed_is_deleted_at_once(cluster, spawn):
    """The report that it is in use is some seconds old; the satellite looks again before anybody is refused."""
    node, disk, opened = used(cluster, spawn, "/mnt")
    cluster.run(30.0)
    assert cluster.core.reported.current(node, "web").volumes[0].in_use
    disk.release(opened)
    assert not definitions.delete(cluster.core, "web").failed
    assert files(cluster, node) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_volume_that_was_just_closed_is_deleted_at_once_also_while_it_is_worked_on(cluster, spawn, seed):
    """A look passes over what is in hand; that it is over does not mean yet that it has seen this volume."""
    node, disk, opened = used(cluster, spawn, "/mnt")
    cluster.run(30.0)
    cluster.random.seed(seed)
    disk.loops[opened].size //= 2  # there is something to mend
    while not cluster.nodes[node].jobs:
        cluster.step(cluster.clock.now + 30.0)
    disk.release(opened)
    assert not definitions.delete(cluster.core, "web").failed
    assert files(cluster, node) == []


def test_a_volume_that_comes_into_use_meanwhile_keeps_its_data(cluster, spawn):
    """The controller did not know it yet; the satellite looks again right before it detaches."""
    node, disk, opened = used(cluster, spawn, "qemu")
    answers = definitions.delete(cluster.core, "web")
    assert [e.code for e in severities(answers, ERROR)] == [Fail.IN_USE]
    assert files(cluster, node) == ["web_00000"]
    disk.release(opened)
    cluster.run(120.0)
    assert cluster.core.picture.definition("web") is None
    assert files(cluster, node) == []


def test_a_removal_that_failed_is_tried_at_once_when_it_is_asked_for_again(cluster, spawn):
    node, disk, opened = used(cluster, spawn, "/mnt")
    assert definitions.delete(cluster.core, "web").failed
    disk.release(opened)
    assert not definitions.delete(cluster.core, "web").failed
    assert files(cluster, node) == []


def test_a_full_pool_fails_the_creation_and_leaves_nothing_half_made(cluster, create):
    definition = wire.ResourceDefinition(name="web", volume_definitions=(wire.VolumeDefinition(size_kib=64),))
    definitions.create(cluster.core, wire.ResourceDefinitionCreate(resource_definition=definition))
    disk = cluster.nodes["alpha"].host.disk
    with cluster.core.change() as draft:
        pool = draft.pool("alpha", "pool1")
        draft.remove(pool)
    thick = wire.StoragePool(
        storage_pool_name="thick", provider_kind="FILE", props={"StorDriver/StorPoolName": "/srv/thick"}
    )
    disk.make_folder("/srv/thick")
    pools.create(cluster.core, "alpha", thick)
    cluster.run(30.0)
    disk.total = disk.total - disk.free + 4096  # somebody else filled it since it was reported
    body = wire.ResourceCreate(resource=wire.Resource(node_name="alpha", props={"StorPoolName": "thick"}))
    answers = resources.create(cluster.core, "web", (body,))
    assert [e.code for e in severities(answers, ERROR)] == [Fail.NOT_ENOUGH_FREE_SPACE]
    definitions.delete(cluster.core, "web")
    cluster.run(60.0)
    assert cluster.core.picture.definition("web") is None
    assert [name for name in disk.folders["/srv/thick"] if not name.startswith(".orlop-pool")] == []


def test_a_snapshot_that_fails_on_one_node_is_removed_on_all(cluster, spawn):
    spawn(count=2)
    first, second = (r.node for r in cluster.core.picture.definition("web").resources)
    cluster.nodes[second].host.faults.fail(1)
    answers = snapshots.create(cluster.core, "web", wire.Snapshot(name="snap1"))
    assert answers.failed
    cluster.run(60.0)
    snapshot = cluster.core.picture.definition("web").snapshots[0]
    assert "FAILED_DEPLOYMENT" in snapshot.flags
    assert files(cluster, first) == files(cluster, second) == ["web_00000"]
    snapshots.delete(cluster.core, "web", "snap1")
    assert cluster.core.picture.definition("web").snapshots == ()


def test_a_rollback_brings_the_data_back_and_nothing_else_is_lost(cluster, spawn):
    spawn(count=1)
    node = cluster.core.picture.definition("web").resources[0].node
    disk = cluster.nodes[node].host.disk
    disk.write(device(cluster, node), 0, TOKEN)
    snapshots.create(cluster.core, "web", wire.Snapshot(name="snap1"))
    disk.write(device(cluster, node), 0, b"other".ljust(BLOCK, b"."))
    assert not rolling_back.rollback(cluster.core, "web", "snap1", wire.SnapshotRollback()).failed
    assert disk.read(device(cluster, node), 0, BLOCK) == TOKEN


def test_a_rollback_in_use_changes_nothing(cluster, spawn):
    spawn(count=1)
    node = cluster.core.picture.definition("web").resources[0].node
    disk = cluster.nodes[node].host.disk
    snapshots.create(cluster.core, "web", wire.Snapshot(name="snap1"))
    disk.write(device(cluster, node), 0, TOKEN)
    disk.use(device(cluster, node), "qemu")  # the controller does not know it yet
    answers = rolling_back.rollback(cluster.core, "web", "snap1", wire.SnapshotRollback())
    assert answers.failed
    cluster.run(60.0)
    assert disk.read(device(cluster, node), 0, BLOCK) == TOKEN


def test_a_rollback_goes_on_after_the_controller_died(cluster, spawn):
    spawn(count=2)
    for resource in cluster.core.picture.definition("web").resources:
        cluster.nodes[resource.node].host.disk.write(device(cluster, resource.node), 0, TOKEN)
    snapshots.create(cluster.core, "web", wire.Snapshot(name="snap1"))
    cluster.store.crash_at(2, written=True)  # the step from closing to replacing
    with pytest.raises(ControllerCrash):
        rolling_back.rollback(cluster.core, "web", "snap1", wire.SnapshotRollback())
    assert cluster.store.committed.definition("web").operations[0].state == "replacing"
    cluster.start_controller()
    cluster.run(60.0)
    definition = cluster.core.picture.definition("web")
    assert definition.operations[0].state == "done"
    for resource in definition.resources:
        disk = cluster.nodes[resource.node].host.disk
        assert disk.read(device(cluster, resource.node), 0, BLOCK) == TOKEN


@pytest.mark.parametrize("state", ["closing", "replacing"])
def test_what_is_being_rolled_back_can_be_deleted(cluster, spawn, state):
    """One node dies in the middle; the deletion completes on both, whatever incarnation they hold."""
    spawn(count=2)
    snapshots.create(cluster.core, "web", wire.Snapshot(name="snap1"))
    cluster.store.crash_at(1 if state == "closing" else 2, written=True)
    with pytest.raises(ControllerCrash):
        rolling_back.rollback(cluster.core, "web", "snap1", wire.SnapshotRollback())
    assert cluster.store.committed.definition("web").operations[0].state == state
    away = cluster.store.committed.definition("web").resources[0].node
    cluster.nodes[away].stop()
    cluster.start_controller()
    cluster.run(30.0)
    with cluster.core.change() as draft:
        definition = draft.definition("web")
        draft.put(
            replace(
                definition,
                flags=definition.flags | {"DELETE"},
                resources=tuple(replace(r, flags=r.flags | {"DELETE"}) for r in definition.resources),
                snapshots=tuple(replace(s, flags=s.flags | {"DELETE"}) for s in definition.snapshots),
            )
        )
    cluster.run(30.0)
    cluster.nodes[away].start()
    cluster.run(60.0)
    assert cluster.core.picture.definition("web") is None
    assert all(files(cluster, node) == [] for node in cluster.nodes)


def test_a_new_resource_restored_from_a_snapshot_holds_its_data(cluster, spawn):
    spawn(count=1)
    node = cluster.core.picture.definition("web").resources[0].node
    disk = cluster.nodes[node].host.disk
    disk.write(device(cluster, node), 0, TOKEN)
    snapshots.create(cluster.core, "web", wire.Snapshot(name="snap1"))
    target = wire.ResourceDefinition(name="copy")
    definitions.create(cluster.core, wire.ResourceDefinitionCreate(resource_definition=target))
    body = wire.SnapshotRestore(to_resource="copy")
    restoring.restore_volume_definitions(cluster.core, "web", "snap1", body)
    assert not restoring.restore_resource(cluster.core, "web", "snap1", body).failed
    assert disk.read(device(cluster, node, "copy_00000"), 0, BLOCK) == TOKEN


def test_restoring_a_node_leaves_a_snapshot_that_something_is_filled_from(cluster, spawn):
    spawn(count=2)
    node = cluster.core.picture.definition("web").resources[0].node
    snapshots.create(cluster.core, "web", wire.Snapshot(name="before"))
    with cluster.core.change() as draft:
        busy = Operation(uuid="operation", kind="rollback", state="busy", created=0)
        draft.put(replace(draft.definition("web"), operations=(busy,)))
    assert evacuation.restore(cluster.core, node, wire.NodeRestore(delete_snapshots=True)).failed
    cluster.settle()
    assert "web_00000.before" in files(cluster, node)


def test_the_last_part_of_a_snapshot_takes_the_snapshot_with_it(cluster, spawn):
    spawn(count=1)
    node = cluster.core.picture.definition("web").resources[0].node
    snapshots.create(cluster.core, "web", wire.Snapshot(name="before"))
    assert not evacuation.restore(cluster.core, node, wire.NodeRestore(delete_snapshots=True)).failed
    cluster.settle()
    assert files(cluster, node) == ["web_00000"]
    assert not cluster.core.picture.definition("web").snapshots


def test_a_deleted_volume_cannot_be_called_back_by_its_flags(cluster, spawn):
    spawn(count=1)
    away = cluster.core.picture.definition("web").resources[0].node
    cluster.nodes[away].stop()
    cluster.run(30.0)
    definitions.delete_volume(cluster.core, "web", 0)
    definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(flags=("-DELETE",)))
    cluster.nodes[away].start()
    cluster.run(60.0)
    assert not cluster.core.picture.definition("web").volume_definitions
    assert files(cluster, away) == []


def test_an_old_order_does_not_bring_back_what_was_deleted(cluster, spawn):
    spawn(count=1)
    name, order = next(s for s in cluster.sent if s[1].resources)
    definitions.delete(cluster.core, "web")
    cluster.run(30.0)
    cluster.nodes[name].satellite.update(order)
    cluster.run(30.0)
    assert files(cluster, name) == []


@pytest.mark.parametrize("action", range(1, 6))
def test_a_new_volume_is_not_complete_before_its_file_system(cluster, action):
    """The satellite dies in the middle, comes back and is asked for everything while it makes the rest."""
    cluster.nodes["alpha"].host.faults.crash(action, "after")
    definition = wire.ResourceDefinition(
        name="web", props={"FileSystem/Type": "ext4"}, volume_definitions=(wire.VolumeDefinition(size_kib=64),)
    )
    definitions.create(cluster.core, wire.ResourceDefinitionCreate(resource_definition=definition))
    body = wire.ResourceCreate(resource=wire.Resource(node_name="alpha", props={"StorPoolName": "pool1"}))
    resources.create(cluster.core, "web", (body,))
    cluster.nodes["alpha"].start()
    cluster.run(60.0)
    assert not cluster.core.picture.definition("web").resources[0].volumes[0].new
    assert cluster.nodes["alpha"].host.disk.find(f"{POOL}/web_00000").signatures == ["ext4"]


def test_nothing_is_shrunk(cluster, spawn):
    spawn(size_kib=128)
    with pytest.raises(Refused, match="not shrunk"):
        definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=64))


def with_level(cluster, size):
    """What an earlier version with other sums may have stored for 64 KiB."""
    with cluster.core.change() as draft:
        definition = draft.definition("web")
        (made,) = definition.resources
        volumes = tuple(replace(v, levels=(replace(v.levels[0], size=size),)) for v in made.volumes)
        draft.put(replace(definition, resources=(replace(made, volumes=volumes),)))


def test_a_size_that_was_stored_is_never_computed_again(cluster, spawn, create):
    spawn(count=1)
    with_level(cluster, 128 << 10)
    first = cluster.core.picture.definition("web").resources[0].node
    create("web", next(n for n in cluster.nodes if n != first))
    definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=96))
    made = cluster.core.picture.definition("web").resources
    assert [r.volumes[0].levels[0].size for r in made] == [128 << 10, 128 << 10]


def test_a_replica_on_its_way_out_says_nothing_about_the_size(cluster, spawn, create):
    spawn(count=2)
    away, first = (r.node for r in cluster.core.picture.definition("web").resources)
    cluster.nodes[away].stop()
    cluster.run(30.0)
    resources.delete(cluster.core, "web", away)
    definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=128))
    third = next(n for n in cluster.nodes if n not in (away, first))
    create("web", third)
    sizes = {r.node: r.volumes[0].levels[0].size for r in cluster.core.picture.definition("web").resources}
    assert sizes == {away: 64 << 10, first: 128 << 10, third: 128 << 10}


def test_a_controller_that_only_observes_sends_no_orders(cluster, spawn):
    spawn(count=3)
    sent = len(cluster.sent)
    cluster.core.suspend("somebody else is active")
    link = cluster.links.links["alpha"]
    link.changed("web")
    assert link.push(), "the connection stays"
    assert len(cluster.sent) == sent


def test_a_controller_that_only_observes_still_hears_reports(cluster, spawn):
    spawn(count=3)
    with cluster.core.change() as draft:
        definition = draft.definition("web")
        made = [replace(r, volumes=tuple(replace(v, new=True) for v in r.volumes)) for r in definition.resources]
        draft.put(replace(definition, resources=tuple(made)))
    cluster.core.suspend("somebody else is active")
    said = cluster.core.reported.resource("alpha", "web")
    cluster.core.on_report("alpha", Report(run="r", number=1, synced=True, resources=(said,)))
    assert all(v.new for r in cluster.core.picture.definition("web").resources for v in r.volumes)


def test_a_satellite_that_restarted_unnoticed_is_told_everything_again(cluster, spawn):
    spawn(count=3)
    node = cluster.nodes["alpha"]
    node.stop()
    node.start()
    node.starts -= 1  # its channel goes on, as if nothing had happened
    node.host.disk.drop(f"{POOL}/web_00000")
    cluster.run(60.0)
    (seen,) = cluster.core.reported.resource("alpha", "web").volumes
    assert seen.presence is Presence.MISSING


def test_after_a_reconnection_everything_is_unknown_until_it_is_reported(cluster, spawn):
    spawn(count=3)
    link = cluster.links.links["alpha"]
    link.close()
    assert link.connect()
    assert cluster.core.reported.resource("alpha", "web") is None
    assert cluster.core.reported.pool("alpha", "pool1") is None


def test_an_older_controller_that_wakes_up_only_observes(cluster, spawn):
    spawn()
    old, old_links = cluster.core, cluster.links
    cluster.start_controller()
    cluster.run(30.0)
    node = cluster.core.picture.definition("web").resources[0].node
    old_links.links[key(node)].changed("web")
    old_links.links[key(node)].push()
    assert old.suspended
    with pytest.raises(Refused, match="only observes"), old.change():
        pass
    assert not cluster.core.suspended


def test_a_restored_database_is_noticed_and_accepted_by_hand(cluster, spawn):
    backup, term = cluster.store.backup(), cluster.store.term
    spawn(name="newer")
    cluster.start_controller()
    cluster.run(30.0)
    spawn(name="newest")
    cluster.store.restore(backup, term)
    cluster.start_controller()
    cluster.run(30.0)
    assert cluster.core.suspended
    assert any(files(cluster, n) for n in cluster.nodes), "the satellites did nothing"
    cluster.accept_restore()
    cluster.run(60.0)
    assert not cluster.core.suspended
    assert all(r.status is Status.ONLINE for r in cluster.core.reported.nodes.values())
    orphans = {o.name for r in cluster.core.reported.nodes.values() for o in r.orphans}
    assert orphans == {"newer_00000", "newest_00000"}
    assert any(files(cluster, n) for n in cluster.nodes), "orphans are listed, not removed"


def test_a_database_restored_within_one_term_is_noticed_by_its_commits(cluster, spawn):
    backup, term = cluster.store.backup(), cluster.store.term
    spawn(name="newer")
    cluster.store.restore(backup, term)
    cluster.start_controller()  # a higher term than ever, with fewer commits than the satellites have heard of
    cluster.run(30.0)
    assert cluster.core.suspended


def test_thick_space_that_is_promised_cannot_be_promised_again(cluster):
    for disk in (n.host.disk for n in cluster.nodes.values()):
        disk.total = 10 * GIB
    cluster.run(30.0)
    with cluster.core.change() as draft:
        for node in cluster.nodes:
            pool = draft.pool(node, "pool1")
            draft.remove(pool)
    for name, node in cluster.nodes.items():
        node.host.disk.make_folder("/srv/thick")
        thick = wire.StoragePool(
            storage_pool_name="thick", provider_kind="FILE", props={"StorDriver/StorPoolName": "/srv/thick"}
        )
        pools.create(cluster.core, name, thick)
    body = wire.ResourceGroupSpawn(
        resource_definition_name="big", volume_sizes=(6 << 20,), select_filter=wire.AutoSelectFilter(place_count=3)
    )
    assert not spawning.spawn(cluster.core, "DfltRscGrp", body).failed
    second = wire.ResourceGroupSpawn(
        resource_definition_name="more", volume_sizes=(6 << 20,), select_filter=wire.AutoSelectFilter(place_count=1)
    )
    with pytest.raises(Refused) as refused:
        spawning.spawn(cluster.core, "DfltRscGrp", second)
    assert "KiB free" in refused.value.details
