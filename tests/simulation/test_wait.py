"""Waiting on simulated nodes: away, failing, out of step; and a controller that starts anew meanwhile."""

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from orlop.controller import wire
from orlop.controller.core import WAIT
from orlop.controller.usecases import definitions, groups, operating, resources, snapshots, spawning, wait_for
from orlop.controller.wait import presets
from orlop.errors import Refused
from orlop.model import MIB, ReplicaVerb
from tests.simulation.test_drbd9_controller import TOKEN, create, disks, spawn, started, with_state, write


@pytest.fixture
def cluster():
    """Four nodes with DRBD 9 and a pool of sparse files each."""
    return started()


def asked(cluster, policy=None, name="web", **more):
    return wait_for.question(cluster.core, wire.WaitRequest(resource=name, policy=policy, **more))


def waited(cluster, policy=None, timeout=600.0, **more):
    return wait_for.wait(cluster.core, asked(cluster, policy, **more), timeout, timeout)


def look(cluster, policy=None, **more):
    return waited(cluster, policy, timeout=0.0, **more)


def missing(progress):
    return {m.node_name: m.reason for m in progress.missing}


def passed(cluster, act):
    """What came of it, and the simulated seconds it took."""
    before = cluster.clock.now
    return act(), cluster.clock.now - before


def words(answers):
    return "\n".join(f"{e.message} {e.cause} {e.details}" for e in answers)


def once(cluster, node, verb):
    assert not operating.once(cluster.core, "web", node, verb, wire.ReplicaOperation()).failed


def left_behind(cluster, node):
    """It has to get all of the data anew, and does not begin to."""
    once(cluster, node, ReplicaVerb.PAUSE_SYNC)
    once(cluster, node, ReplicaVerb.INVALIDATE)
    cluster.settle()


# -- nodes that come and go ---------------------------------------------------------------------------------------


def test_all_copies_of_a_new_resource_are_waited_for(cluster):
    spawn(cluster, count=3)
    found = waited(cluster, "all and quorum and redundancy=3")
    assert found.satisfied
    assert [c.said for c in found.conditions] == [
        "3 of 3 copies complete",
        "3 of 3 votes, 2 needed",
        "3 of 3 copies up to date",
    ]


def test_a_node_that_is_away_is_missing_until_it_is_back(cluster):
    spawn(cluster, count=3)
    away = with_state(cluster, "UpToDate")[0]
    cluster.nodes[away].reachable = False
    cluster.settle()
    found = look(cluster, "all")
    assert (found.satisfied, found.timed_out) == (False, True)
    assert missing(found)[away].startswith("the node is away")
    assert look(cluster, "quorum").satisfied
    assert look(cluster, "redundancy=2").satisfied
    found, seconds = passed(cluster, lambda: waited(cluster, "all", timeout=30.0))
    assert found.timed_out
    assert 30 <= seconds < 31
    cluster.nodes[away].reachable = True
    found, seconds = passed(cluster, lambda: waited(cluster, "all"))
    assert found.satisfied
    assert seconds < 60


def test_a_node_that_fails_is_named_with_its_reason_until_it_succeeds(cluster):
    cluster.nodes["bravo"].host.faults.fail(1, "the disk is tired")
    body = wire.ResourceGroupSpawn(
        resource_definition_name="web",
        volume_sizes=(1024,),
        select_filter=wire.AutoSelectFilter(node_name_list=("alpha", "bravo"), place_count=2),
    )
    spawning.spawn(cluster.core, "DfltRscGrp", body)
    found = look(cluster, "count=2")
    assert "the disk is tired" in missing(found)["bravo"]
    assert found.missing[0].stalled
    assert waited(cluster, "count=2").satisfied


def test_who_was_invalidated_counts_again_when_it_is_synchronized(cluster):
    spawn(cluster)
    one, two = with_state(cluster, "UpToDate")
    write(cluster, one, data=TOKEN)
    assert look(cluster, "redundancy=2").satisfied
    left_behind(cluster, two)
    found = look(cluster, "redundancy=2")
    assert not found.satisfied
    assert missing(found)[two].startswith("Inconsistent")
    assert look(cluster, "count=2").satisfied
    assert look(cluster, "quorum").satisfied
    told = wait_for.changes(cluster.core, asked(cluster, "redundancy=2"), 600.0)
    assert not next(told).satisfied
    assert passed(cluster, lambda: next(told)) == (None, wait_for.KEEP_ALIVE)
    once(cluster, two, ReplicaVerb.RESUME_SYNC)
    said = [progress for progress in told if progress is not None]
    assert said[-1].satisfied
    assert all(two in missing(progress) for progress in said[:-1])


def test_a_replica_that_is_added_is_waited_for_until_it_has_the_data(cluster):
    spawn(cluster, count=1)
    (one,) = with_state(cluster, "UpToDate")
    write(cluster, one)
    other = next(name for name in cluster.nodes if name != one)
    with pytest.raises(Refused, match="can never be satisfied"):
        look(cluster, "redundancy=2")
    create(cluster, other)
    assert waited(cluster, "redundancy=2").satisfied
    assert with_state(cluster, "UpToDate") == sorted([one, other])


def test_a_controller_that_starts_anew_knows_nothing_before_it_was_told(cluster):
    spawn(cluster, count=3)
    told = wait_for.changes(cluster.core, asked(cluster, "all"), None)
    assert next(told).satisfied
    cluster.start_controller()
    found = look(cluster, "count=1")
    assert not found.satisfied
    assert len(found.missing) == 3
    assert waited(cluster, "all").satisfied


def test_a_deleted_definition_ends_the_waiting(cluster):
    spawn(cluster)
    for node in with_state(cluster, "UpToDate"):
        cluster.nodes[node].reachable = False
    cluster.settle()
    told = wait_for.changes(cluster.core, asked(cluster, "all"), None)
    assert not next(told).satisfied
    definitions.delete(cluster.core, "web")
    with pytest.raises(Refused, match="is being deleted"):
        list(told)


# -- sizes and snapshots ------------------------------------------------------------------------------------------


def test_a_size_is_waited_for(cluster):
    spawn(cluster)
    resize(cluster, 2048)
    found = waited(cluster, volume_number=0, size_kib=0)
    assert (found.satisfied, found.policy) == (True, "ratio=1")
    for node in with_state(cluster, "UpToDate"):
        assert cluster.core.reported.resource(node, "web").volumes[0].size >= 2 * MIB


def resize(cluster, size_kib):
    return definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=size_kib))


def test_a_snapshot_is_waited_for(cluster):
    spawn(cluster)
    snapshots.create(cluster.core, "web", wire.Snapshot(name="daily"))
    found = waited(cluster, snapshot="daily")
    assert (found.satisfied, found.policy, found.snapshot_name) == (True, "all", "daily")
    with pytest.raises(Refused, match="can never be satisfied"):
        waited(cluster, "count=3", snapshot="daily")


# -- requests of a group with a policy ----------------------------------------------------------------------------


def preset(cluster, place_count=UNSET, **values):
    props = {presets.PREFIX + name: value for name, value in values.items()}
    rule = wire.AutoSelectFilterModify(place_count=place_count)
    body = wire.ResourceGroupModify(override_props=props, select_filter=rule)
    assert not groups.modify(cluster.core, "DfltRscGrp", body).failed


def spawned(cluster, count, nodes=()):
    rule = wire.AutoSelectFilter(place_count=count, node_name_list=nodes)
    body = wire.ResourceGroupSpawn(resource_definition_name="web", volume_sizes=(1024,), select_filter=rule)
    return passed(cluster, lambda: spawning.spawn(cluster.core, "DfltRscGrp", body))


def test_a_spawn_waits_until_its_group_says_that_it_is_done(cluster):
    preset(cluster, 3, Resource="redundancy=3")
    answers, _ = spawned(cluster, 3)
    assert "'redundancy=3' (resource group 'DfltRscGrp') is satisfied: redundancy=3: 3 of 3" in words(answers)
    assert look(cluster, "redundancy=3").satisfied


def test_a_copy_that_fails_is_not_waited_for_where_one_is_enough(cluster):
    preset(cluster, Resource="count=1")
    cluster.nodes["bravo"].host.faults.fail(1, "the disk is tired")
    answers, seconds = spawned(cluster, 2, ("alpha", "bravo"))
    assert "is satisfied: count=1: " in words(answers)
    assert seconds < 20


def test_where_no_hope_is_left_nobody_waits_for_the_timeout(cluster):
    preset(cluster, Resource="all")
    cluster.nodes["bravo"].host.faults.fail(1, "the disk is tired")
    answers, seconds = spawned(cluster, 2, ("alpha", "bravo"))
    assert "is not satisfied yet: all: " in words(answers)
    assert "Node 'bravo', volume 0: failed: " in words(answers)
    assert seconds < 20


def test_a_policy_that_can_never_be_satisfied_is_no_reason_to_wait(cluster):
    preset(cluster, 4, Resource="redundancy=4")
    answers, seconds = spawned(cluster, 2)
    assert not answers.failed
    assert "cannot be satisfied and was not waited for" in words(answers)
    assert seconds < 20


def test_where_nothing_is_planned_the_request_is_done_all_the_same(cluster):
    spawn(cluster, count=1)
    (one,) = with_state(cluster, "UpToDate")
    other = next(name for name in cluster.nodes if name not in disks(cluster))
    preset(cluster, Resource="count=1")
    resources.deactivate(cluster.core, "web", one)
    body = wire.ResourceCreate(
        resource=wire.Resource(node_name=other, props={"StorPoolName": "pool1"}, flags=("INACTIVE",))
    )
    answers, seconds = passed(cluster, lambda: resources.create(cluster.core, "web", (body,)))
    assert "'count=1' (resource group 'DfltRscGrp') does not apply: 'web' has no active replica" in words(answers)
    assert not answers.failed
    assert seconds < 20


def test_the_timeout_of_the_group_counts(cluster):
    """What is out of step may still come into step, so it is waited for."""
    spawn(cluster)
    left_behind(cluster, with_state(cluster, "UpToDate")[1])
    preset(cluster, Resource="all", Timeout="20")
    other = next(name for name in cluster.nodes if name not in disks(cluster))
    body = wire.ResourceCreate(resource=wire.Resource(node_name=other, props={"StorPoolName": "pool1"}))
    answers, seconds = passed(cluster, lambda: resources.create(cluster.core, "web", (body,)))
    assert "is not satisfied yet: all: 2 of 3" in words(answers)
    assert 20 <= seconds < 21 < WAIT


def test_a_resize_and_a_snapshot_wait_as_their_group_says(cluster):
    preset(cluster, 3, Size="all", Snapshot="count=3")
    spawn(cluster)
    assert "'all' (resource group 'DfltRscGrp') is satisfied" in words(resize(cluster, 2048))
    answers = snapshots.create(cluster.core, "web", wire.Snapshot(name="daily"))
    assert "'count=3' (resource group 'DfltRscGrp') cannot be satisfied" in words(answers)
    assert not answers.failed


def test_the_definition_decides_before_its_group(cluster):
    preset(cluster, Resource="count=1")
    spawn(cluster)
    definition = cluster.core.picture.definition("web")
    with cluster.core.change() as draft:
        draft.put(replace(definition, props={**definition.props, presets.RESOURCE: "quorum"}))
    assert look(cluster).policy == "quorum"
