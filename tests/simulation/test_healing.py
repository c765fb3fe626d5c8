"""Groups that heal: nodes given up or lost, counts that change, superfluous replicas, maintenance; never in haste."""

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from orlop.controller import balancing, wire
from orlop.controller.moving import REDUCE, Move
from orlop.controller.patience import REST
from orlop.controller.picture import with_resource
from orlop.controller.placement import MAINTENANCE
from orlop.controller.usecases import evacuation, groups, healing, maintenance, moves, nodes
from orlop.controller.usecases.auto_evict import AFTER, ALLOWED, MOST_AWAY
from orlop.controller.usecases.healing import Healing
from tests.simulation.moving_replicas import good, jobs, run, states, whole, with_disks
from tests.simulation.test_drbd9_controller import create, device, disks, kernel, replicas, spawn, started, with_state

FIVE = ("alpha", "bravo", "charlie", "delta", "echo")


@pytest.fixture
def cluster():
    """Two replicas and a tiebreaker on five nodes."""
    made = started(*FIVE)
    spawn(made)
    return made


@pytest.fixture
def auto(cluster):
    return Healing(cluster.core)


def props(cluster, **said):
    """Of the controller."""
    with cluster.core.change() as draft:
        draft.put(replace(draft.controller, props={**draft.controller.props, **said}))


def of_node(cluster, name, **said):
    with cluster.core.change() as draft:
        node = draft.node(name)
        draft.put(replace(node, props={**node.props, **said}))


def away(cluster, node):
    cluster.nodes[node].power_loss()
    cluster.run(30)


def messages(answers):
    return [entry.message for entry in answers]


# -- a node that is given up ------------------------------------------------------------------------------------------


def test_what_was_on_an_evicted_node_is_made_elsewhere_and_comes_back(cluster, auto):
    gone, left = with_state(cluster, "UpToDate")
    away(cluster, gone)
    said = messages(evacuation.evict(cluster.core, gone))
    assert said[0] == f"Node '{gone}' is evicted."
    assert "gets another replica on node" in said[1]
    run(cluster, auto, 120)
    assert len(good(cluster)) == 2
    assert left in good(cluster)
    assert "EVICTED" in replicas(cluster)[gone].flags
    cluster.nodes[gone].start()
    evacuation.restore(cluster.core, gone, wire.NodeRestore())
    run(cluster, auto, 120)
    assert len(whole(cluster)) == 3
    assert gone in whole(cluster)


def test_what_was_on_a_lost_node_is_made_elsewhere(cluster, auto):
    gone, left = with_state(cluster, "UpToDate")
    away(cluster, gone)
    said = messages(nodes.lost(cluster.core, gone))
    assert said[:2] == [f"Node '{gone}' is forgotten.", f"Resource 'web' on node '{gone}' is forgotten."]
    run(cluster, auto, 120)
    assert len(whole(cluster)) == 2
    assert left in whole(cluster)


def test_that_the_last_good_copy_is_lost_is_told(cluster):
    gone, left = with_state(cluster, "UpToDate")
    for node in (left, gone):
        away(cluster, node)
    answers = list(nodes.lost(cluster.core, gone))
    (told,) = [entry for entry in answers if "known to be up to date" in entry.message]
    assert left in told.cause


def test_nothing_is_made_from_nothing(cluster, auto):
    """No replica is left that another one could be filled from."""
    gone, left = with_state(cluster, "UpToDate")
    for node in (gone, left):
        away(cluster, node)
    answers = list(evacuation.evict(cluster.core, gone))
    assert any("No replica is known to be up to date" in entry.cause for entry in answers)
    run(cluster, auto, 120)
    assert states(cluster) == []
    for node in (gone, left):
        cluster.nodes[node].start()
    run(cluster, auto, REST + 120)  # it is tried again, and the mark of the one that was given up stays
    assert len(whole(cluster)) == 3


# -- by itself --------------------------------------------------------------------------------------------------------


def evicted(cluster):
    return [node.name for node in cluster.core.picture.nodes.values() if "EVICTED" in node.flags]


def test_a_node_that_is_away_for_long_is_evicted(cluster, auto):
    props(cluster, **{AFTER: "20"})
    gone = with_state(cluster, "UpToDate")[0]
    run(cluster, auto, REST)
    away(cluster, gone)
    run(cluster, auto, 19 * 60)
    assert evicted(cluster) == []
    run(cluster, auto, 90)
    assert evicted(cluster) == [gone]
    run(cluster, auto, 120)
    assert len(good(cluster)) == 2


REASONS = [
    "not allowed",
    "not allowed there",
    "too many away",
    "connected",
    "maintenance",
    "few nodes left",
    "back",
]


@pytest.mark.parametrize("why", REASONS)
def test_it_is_not(cluster, auto, why):
    props(cluster, **{AFTER: "20"})
    gone = with_state(cluster, "UpToDate")[0]
    run(cluster, auto, REST)
    match why:
        case "not allowed":
            props(cluster, **{ALLOWED: "False"})
        case "not allowed there":
            of_node(cluster, gone, **{ALLOWED: "false"})
        case "too many away":
            props(cluster, **{MOST_AWAY: "10"})
        case "maintenance":
            maintenance.switch(cluster.core, gone, enabled=True)
        case "few nodes left":
            props(cluster, **{balancing.LEAST_REPLICAS: "5"})
    if why == "connected":
        cluster.nodes[gone].stop()  # only the satellite
        cluster.run(30)
    else:
        away(cluster, gone)
    run(cluster, auto, 15 * 60)
    if why == "back":
        cluster.nodes[gone].start()
        run(cluster, auto, 60)
        away(cluster, gone)
        run(cluster, auto, 15 * 60)
    else:
        run(cluster, auto, 15 * 60)
    assert evicted(cluster) == []
    assert states(cluster) == []


def test_what_was_before_this_process_does_not_count(cluster, auto):
    props(cluster, **{AFTER: "20"})
    gone = with_state(cluster, "UpToDate")[0]
    away(cluster, gone)
    run(cluster, auto, 15 * 60)
    cluster.start_controller()
    cluster.run(30)
    auto = Healing(cluster.core)
    run(cluster, auto, 15 * 60)
    assert evicted(cluster) == []
    run(cluster, auto, 6 * 60)
    assert evicted(cluster) == [gone]


def test_nobody_is_evicted_in_the_first_minutes_of_a_controller(cluster, auto):
    """However short the time is that a node may be away: it may be the controller that has just come."""
    props(cluster, **{AFTER: "2"})
    gone = with_state(cluster, "UpToDate")[0]
    away(cluster, gone)
    run(cluster, auto, REST - 60)
    assert evicted(cluster) == []
    run(cluster, auto, 120)
    assert evicted(cluster) == [gone]


# -- as many as the group asks for ------------------------------------------------------------------------------------


def place_count(cluster, count):
    """Without placing at once, as modifying the group would."""
    with cluster.core.change() as draft:
        group = draft.group("DfltRscGrp")
        draft.put(replace(group, select_filter=replace(group.select_filter, place_count=count)))


def test_a_changed_place_count_takes_effect_at_once(cluster):
    body = wire.ResourceGroupModify(select_filter=wire.AutoSelectFilterModify(place_count=3))
    assert body.select_filter.place_count is not UNSET
    assert not groups.modify(cluster.core, "DfltRscGrp", body).failed
    cluster.settle()
    assert len(whole(cluster)) == 3


def test_missing_replicas_are_made_every_hour(cluster, auto):
    place_count(cluster, 3)
    run(cluster, auto, 3500)
    assert len(with_disks(cluster)) == 2
    run(cluster, auto, 300)
    assert len(whole(cluster)) == 3
    assert states(cluster) == ["done"]


def test_one_too_many_goes_after_its_time_of_grace(cluster, auto):
    create(cluster, next(n for n in cluster.nodes if n not in replicas(cluster)))
    props(cluster, BalanceResourcesInterval="600", BalanceResourcesGracePeriod="7200")
    run(cluster, auto, 6600)
    assert len(whole(cluster)) == 3

    def check():
        assert len(good(cluster)) >= 2

    run(cluster, auto, 1500, check)
    assert len(whole(cluster)) == 2


@pytest.mark.parametrize("why", ["off", "off there", "dead", "in use", "maintenance", "moving"])
def test_none_goes(cluster, auto, why):
    third = next(n for n in cluster.nodes if n not in replicas(cluster))
    create(cluster, third)
    props(cluster, BalanceResourcesInterval="600", BalanceResourcesGracePeriod="0")
    match why:
        case "off":
            props(cluster, BalanceResourcesEnabled="False")
        case "off there":
            with cluster.core.change() as draft:
                web = draft.definition("web")
                draft.put(replace(web, props={**web.props, "BalanceResourcesEnabled": "false"}))
        case "dead":
            away(cluster, third)
        case "in use":
            for node in with_disks(cluster)[:1]:
                cluster.nodes[node].host.disk.use(device(cluster), "mount")
            cluster.settle()
            with cluster.core.change() as draft:  # the others are new
                for node in with_disks(cluster)[1:]:
                    now = cluster.clock.milliseconds() + 10**8
                    web = draft.definition("web")
                    draft.put(with_resource(web, replace(replicas(cluster)[node], created=now)))
        case "maintenance":
            maintenance.switch(cluster.core, third, enabled=True)
        case "moving":
            spare = next(n for n in cluster.nodes if n not in with_disks(cluster))
            user = with_disks(cluster)[0]
            cluster.nodes[user].host.disk.use(device(cluster), "mount")
            cluster.settle()
            place_count(cluster, 3)
            evacuation.evacuate(cluster.core, user, wire.NodeEvacuate(target=(spare,)))
            run(cluster, auto, 60)
            assert len(whole(cluster)) == 4
            place_count(cluster, 2)
    before = with_disks(cluster)
    assert healing.balance_plan(cluster.core).moves == ()
    run(cluster, auto, REST + 1300)
    assert with_disks(cluster) == before


def test_one_that_was_too_many_stays_when_it_is_wanted_meanwhile(cluster, auto):
    third = next(n for n in cluster.nodes if n not in replicas(cluster))
    create(cluster, third)
    moves.enqueue(cluster.core, [Move("web", REDUCE, third)])
    place_count(cluster, 3)
    run(cluster, auto, 120)
    assert states(cluster) == ["done"]
    assert third in whole(cluster)
    assert len(whole(cluster)) == 3


def test_what_balancing_would_do_is_shown_and_done_on_demand(cluster, auto):
    place_count(cluster, 3)
    (move,) = healing.balance_plan(cluster.core).moves
    assert (move.kind, move.source, move.pool) == ("replace", None, "pool1")
    assert len(with_disks(cluster)) == 2
    healing.balance(cluster.core, "DfltRscGrp")
    run(cluster, auto, 60)
    assert move.target in whole(cluster)
    assert healing.balance_plan(cluster.core).moves == ()


def test_a_replica_whose_disk_failed_is_replaced(cluster, auto):
    one = with_disks(cluster)[0]
    with cluster.core.change() as draft:
        web = draft.definition("web")
        broken = next(r for r in web.resources if r.node == one)
        draft.put(with_resource(web, replace(broken, props={**broken.props, "DrbdOptions/SkipDisk": "True"})))
    cluster.settle()
    healing.balance(cluster.core)
    run(cluster, auto, 120)
    assert len(set(whole(cluster)) - {one}) == 2


def test_two_failed_disks_at_once_are_left_to_somebody_who_looks(cluster, auto):
    with cluster.core.change() as draft:
        for node in with_disks(cluster):
            web = draft.definition("web")
            broken = next(r for r in web.resources if r.node == node)
            draft.put(with_resource(web, replace(broken, props={**broken.props, "DrbdOptions/SkipDisk": "True"})))
    assert healing.balance_plan(cluster.core).moves == ()


# -- maintenance ------------------------------------------------------------------------------------------------------


def test_maintenance_moves_nothing_and_keeps_placements_away(cluster, auto):
    one = with_disks(cluster)[0]
    free = [n for n in cluster.nodes if n not in replicas(cluster)]
    for node in free:
        maintenance.switch(cluster.core, node, enabled=True)
    assert all(MAINTENANCE in cluster.core.picture.node(n).flags for n in free)
    place_count(cluster, 4)
    found = healing.balance_plan(cluster.core)
    assert {move.target for move in found.moves}.isdisjoint(free)
    assert any("MAINTENANCE" in each.cause for each in found.staying)
    maintenance.switch(cluster.core, one, enabled=True)
    assert healing.balance_plan(cluster.core) == ((), ())
    for node in (*free, one):
        maintenance.switch(cluster.core, node, enabled=False)
    assert len(healing.balance_plan(cluster.core).moves) == 2


def test_maintenance_tells_what_is_in_use(cluster):
    one = with_disks(cluster)[0]
    cluster.nodes[one].host.disk.use(device(cluster), "mount")
    cluster.settle()
    said = messages(maintenance.switch(cluster.core, one, enabled=True))
    assert said[1] == f"Resource 'web' is in use on node '{one}'."
    assert "already" in messages(maintenance.switch(cluster.core, one, enabled=True))[0]


def test_a_move_waits_for_the_end_of_maintenance(cluster, auto):
    source, other = with_disks(cluster)
    maintenance.switch(cluster.core, other, enabled=True)
    evacuation.evacuate(cluster.core, source, wire.NodeEvacuate())
    run(cluster, auto, 120)
    (job,) = jobs(cluster)
    assert job.state == "waiting"
    assert "maintenance of" in job.problem
    maintenance.switch(cluster.core, other, enabled=False)
    run(cluster, auto, 240)
    assert source not in with_disks(cluster)


def test_a_move_is_cancelled(cluster, auto):
    source = with_disks(cluster)[0]
    cluster.nodes[source].host.disk.use(device(cluster), "mount")
    cluster.settle()
    place_count(cluster, 3)
    healing.balance(cluster.core)
    (job,) = jobs(cluster)
    assert job.state == "filling"
    assert "goes again" in moves.cancel(cluster.core, "web", job.uuid)
    run(cluster, auto, 60)
    assert len(whole(cluster)) == 2
    assert jobs(cluster)[0].problem == "it was cancelled"


def test_a_cancelled_move_leaves_a_new_replica_that_is_in_use(cluster, auto):
    place_count(cluster, 3)
    healing.balance(cluster.core)
    (job,) = jobs(cluster)
    made = job.arguments["target"]
    for _ in range(100):
        cluster.step(cluster.clock.now + 10)
        if any(d.disk == "Inconsistent" for d in kernel(cluster, made).devices.values()):
            break
    host = cluster.nodes[made].host
    host.drbd.drbdadm(host.disk, ("pause-sync", "web"))
    host.disk.use(device(cluster), "mount")
    cluster.settle()
    assert disks(cluster)[made] == "Inconsistent"
    said = moves.cancel(cluster.core, "web", job.uuid)
    assert said == f"its new replica on {made} stays: it is in use"
    host.drbd.drbdadm(host.disk, ("resume-sync", "web"))
    run(cluster, auto, 60)
    assert made in whole(cluster)


def test_a_cancelled_move_leaves_a_good_copy_while_another_one_is_dead(cluster, auto):
    source, other = with_disks(cluster)
    cluster.nodes[source].host.disk.use(device(cluster), "mount")
    cluster.settle()
    evacuation.evacuate(cluster.core, source, wire.NodeEvacuate())
    run(cluster, auto, 120)
    assert len(whole(cluster)) == 3
    away(cluster, other)
    (job,) = jobs(cluster)
    assert f"not known to be up to date: {other}" in moves.cancel(cluster.core, "web", job.uuid)
    cluster.run(60)
    assert len(good(cluster)) == 2
