"""A node is emptied: another one has the data before it goes, whatever restarts or dies meanwhile."""

import pytest
from msgspec.structs import replace

from orlop.controller import wire
from orlop.controller.usecases import evacuation, moves, nodes
from orlop.controller.usecases.healing import Healing
from tests.simulation.moving_replicas import evacuate, good, jobs, on, run, states, whole, with_disks
from tests.simulation.test_drbd9_controller import (
    TOKEN,
    below,
    create,
    device,
    kernel,
    replicas,
    spawn,
    started,
    with_state,
    write,
)


@pytest.fixture
def cluster():
    """Two replicas and a tiebreaker on four nodes, with data."""
    made = started()
    spawn(made)
    write(made, with_state(made, "UpToDate")[0])
    return made


@pytest.fixture
def healing(cluster):
    return Healing(cluster.core)


@pytest.fixture
def source(cluster):
    return with_state(cluster, "UpToDate")[0]


def never_fewer(cluster, count=2):
    """What is good in the kernels of the nodes, seen at every step."""

    def check():
        assert len(good(cluster)) >= count

    return check


def test_another_node_has_the_data_before_it_goes(cluster, healing, source):
    said = evacuate(cluster, source)
    assert said[0] == f"Node '{source}' is marked for evacuation."
    assert f"moves from node '{source}' to" in said[1]
    run(cluster, healing, 180, never_fewer(cluster))
    assert not on(cluster, source)
    assert kernel(cluster, source) is None
    assert len(whole(cluster)) == 2
    assert states(cluster) == ["done"]
    for node in with_disks(cluster):
        assert below(cluster, node)[0] == TOKEN
    assert "TIE_BREAKER" in next(iter(r for r in replicas(cluster).values() if r.node not in whole(cluster))).flags
    assert [entry.message for entry in nodes.delete(cluster.core, source)] == [f"Node '{source}' is deleted."]


def test_targets_are_obeyed(cluster, healing, source):
    (spare,) = [n for n in cluster.nodes if not on(cluster, n)]
    (tiebreaker,) = with_state(cluster, "Diskless")
    evacuate(cluster, source, avoid=(spare,))
    run(cluster, healing, 180, never_fewer(cluster))
    assert tiebreaker in with_disks(cluster)


def test_where_nothing_is_left_it_stays_and_says_why(cluster, healing, source):
    (other,) = [n for n in with_disks(cluster) if n != source]
    said = evacuation.evacuate(cluster.core, source, wire.NodeEvacuate(target=(other,)))
    (entry,) = [each for each in said if "stays" in each.message]
    assert entry.code == 1020
    assert "it already has web" in entry.cause
    run(cluster, healing, 300, never_fewer(cluster))
    assert on(cluster, source)


def test_what_is_in_use_moves_when_it_is_not_any_more(cluster, healing, source):
    cluster.nodes[source].host.disk.use(device(cluster), "mount")
    cluster.settle()
    evacuate(cluster, source)
    run(cluster, healing, 180, never_fewer(cluster))
    assert len(whole(cluster)) == 3  # the data is safe, and nothing was taken from its user
    assert states(cluster) == ["filling"]
    cluster.nodes[source].host.disk.release(device(cluster))
    run(cluster, healing, 180, never_fewer(cluster))
    assert not on(cluster, source)
    assert len(whole(cluster)) == 2


def test_a_replica_in_use_elsewhere_does_not_keep_this_one(cluster, healing, source):
    (other,) = [n for n in with_disks(cluster) if n != source]
    cluster.nodes[other].host.disk.use(device(cluster), "mount")
    cluster.settle()
    evacuate(cluster, source)
    run(cluster, healing, 180, never_fewer(cluster))
    assert not on(cluster, source)
    assert kernel(cluster, other).role == "Primary"


def test_one_of_three_only_goes_where_two_are_wanted(cluster, healing, source):
    (spare,) = [n for n in cluster.nodes if not on(cluster, n)]
    create(cluster, spare)
    assert len(whole(cluster)) == 3
    said = evacuate(cluster, source)
    assert f"is removed from node '{source}': no replica is needed in its place." in said[1]
    run(cluster, healing, 120, never_fewer(cluster))
    assert len(whole(cluster)) == 2
    assert not on(cluster, source)


def test_one_of_three_stays_while_another_one_is_dead(cluster, healing, source):
    (spare,) = [n for n in cluster.nodes if not on(cluster, n)]
    create(cluster, spare)
    cluster.nodes[spare].power_loss()
    cluster.run(30)
    evacuate(cluster, source)
    run(cluster, healing, 150, never_fewer(cluster))
    (job,) = jobs(cluster)
    assert (job.state, spare in job.problem) == ("waiting", True)
    cluster.nodes[spare].start()
    run(cluster, healing, 150, never_fewer(cluster))
    assert not on(cluster, source)


def test_one_of_three_that_is_in_use_stays_and_its_job_says_where(cluster, healing, source):
    (spare,) = [n for n in cluster.nodes if not on(cluster, n)]
    create(cluster, spare)
    cluster.nodes[source].host.disk.use(device(cluster), "mount")
    cluster.settle()
    evacuate(cluster, source)
    run(cluster, healing, 120, never_fewer(cluster, 3))
    (job,) = jobs(cluster)
    assert job.state == "waiting"
    assert f"resource 'web' is in use on {source}." in job.problem
    cluster.nodes[source].host.disk.release(device(cluster))
    run(cluster, healing, 120, never_fewer(cluster))
    assert not on(cluster, source)


def test_no_replica_is_made_while_none_is_known_to_be_good(cluster, healing, source):
    (other,) = [n for n in with_disks(cluster) if n != source]
    before = with_disks(cluster)
    for node in before:
        cluster.nodes[node].power_loss()
    cluster.run(30)
    evacuate(cluster, source)
    run(cluster, healing, 120)
    (job,) = jobs(cluster)
    assert job.state == "waiting"
    assert "not known to be up to date on" in job.problem
    assert with_disks(cluster) == before
    for node in before:
        cluster.nodes[node].start()
    run(cluster, healing, 300)
    assert not on(cluster, source)
    assert other in whole(cluster)
    assert len(whole(cluster)) == 2


def test_a_new_replica_that_has_to_meet_the_others_first_is_waited_for():
    """While another one is dead, it gets its disk only after it has met those that are there."""
    cluster = started(*"abcde")
    with cluster.core.change() as draft:
        group = draft.group("DfltRscGrp")
        draft.put(replace(group, select_filter=replace(group.select_filter, place_count=3)))
    spawn(cluster, count=3)
    source, dead, _ = with_disks(cluster)
    cluster.nodes[dead].power_loss()
    cluster.run(30)
    evacuate(cluster, source)
    (job,) = jobs(cluster)
    made = replicas(cluster)[job.arguments["target"]]
    assert (job.state, "DISK_ADD_REQUESTED" in made.flags) == ("filling", True)
    healing = Healing(cluster.core)
    run(cluster, healing, 60, never_fewer(cluster))
    assert made.node in good(cluster)
    assert states(cluster) == ["filling"]
    cluster.nodes[dead].start()
    run(cluster, healing, 240, never_fewer(cluster))
    assert states(cluster) == ["done"]
    assert not on(cluster, source)
    assert len(whole(cluster)) == 3


def test_a_tiebreaker_is_replaced(cluster, healing):
    (tiebreaker,) = with_state(cluster, "Diskless")
    evacuate(cluster, tiebreaker)
    run(cluster, healing, 120, never_fewer(cluster))
    assert not on(cluster, tiebreaker)
    assert with_state(cluster, "Diskless")


@pytest.mark.parametrize("moment", [1, 5, 13, 34, 55])
def test_a_controller_that_is_killed_goes_on_where_it_was(cluster, healing, source, moment):
    evacuate(cluster, source)
    for _ in range(moment):
        cluster.step(cluster.clock.now + 10)
    cluster.start_controller()
    run(cluster, Healing(cluster.core), 240, never_fewer(cluster))
    assert not on(cluster, source)
    assert len(whole(cluster)) == 2
    assert states(cluster) == ["done"]


@pytest.mark.parametrize("moment", [0, 5, 20, 40])
def test_nobody_goes_while_the_other_replica_is_dead(cluster, healing, source, moment):
    """At whichever step it dies: the good copy is only given up when the dead one is back and whole."""
    (other,) = [n for n in with_disks(cluster) if n != source]
    evacuate(cluster, source)
    for _ in range(moment):
        cluster.step(cluster.clock.now + 10)
    before = set(good(cluster))
    cluster.nodes[other].power_loss()
    run(cluster, healing, 240, never_fewer(cluster, 1))
    assert before - {other} <= set(good(cluster))
    cluster.nodes[other].start()
    run(cluster, healing, 300, never_fewer(cluster, 1))
    assert not on(cluster, source)
    assert len(whole(cluster)) == 2


def test_a_target_that_dies_and_is_lost_is_replaced_by_another(cluster, healing, source):
    evacuate(cluster, source)
    (operation,) = jobs(cluster)
    target = operation.arguments["target"]
    cluster.nodes[target].power_loss()
    run(cluster, healing, 120, never_fewer(cluster))
    assert on(cluster, source)
    cluster.run(60)
    nodes.lost(cluster.core, target)
    run(cluster, healing, 300, never_fewer(cluster))
    assert not on(cluster, source)
    assert len(whole(cluster)) == 2


def test_restoring_takes_it_back_whenever_that_is(cluster, healing, source):
    evacuate(cluster, source)
    assert states(cluster) == ["filling"]
    target = jobs(cluster)[0].arguments["target"]
    said = [entry.message for entry in evacuation.restore(cluster.core, source, wire.NodeRestore())]
    assert f"its new replica on {target} goes again" in said[1]
    run(cluster, healing, 180, never_fewer(cluster))
    assert source in whole(cluster)
    assert len(with_disks(cluster)) == 2
    assert "EVACUATE" not in cluster.core.picture.node(source).flags
    assert "EVACUATE" not in replicas(cluster)[source].flags


def test_restoring_deletes_only_what_others_have(cluster, healing, source):
    evacuate(cluster, source, with_disks(cluster)[1])
    body = wire.NodeRestore(delete_resources=True)
    said = [(e.message, e.cause) for e in evacuation.restore(cluster.core, source, body)]
    assert said[1][0] == f"Resource 'web' on node '{source}' is kept."
    assert "fewer replicas than its resource group asks for" in said[1][1]
    (spare,) = [n for n in cluster.nodes if not on(cluster, n)]
    create(cluster, spare)
    said = [e.message for e in evacuation.restore(cluster.core, source, body)]
    assert said[1] == f"Resource 'web' on node '{source}' is removed."
    cluster.settle()
    assert len(whole(cluster)) == 2
    assert not on(cluster, source)


def test_many_move_a_few_at_a_time(healing, cluster, source):
    with cluster.core.change() as draft:
        props = {**draft.controller.props, moves.CONCURRENT: "1"}
        draft.put(replace(draft.controller, props=props))
    for number in range(6):
        spawn(cluster, name=f"more{number}")
    evacuate(cluster, source)
    names = [d.name for d in cluster.core.picture.definitions.values()]
    moving = {name for name in names if source in with_disks(cluster, name)}
    assert len(moving) > 2

    def check():
        assert moves.being_filled(cluster.core) <= 1
        assert all(len(good(cluster, name)) >= 2 for name in names)

    run(cluster, healing, 600, check)
    assert not cluster.core.picture.definitions_on(source)
    assert all(len(whole(cluster, name)) == 2 for name in names)
