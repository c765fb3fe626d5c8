"""Nodes are added and replicas move there: by a plan that can be looked at, and never with fewer good copies."""

import pytest

from orlop.controller import wire
from orlop.controller.usecases import jobs as all_jobs
from orlop.controller.usecases import maintenance, moves, nodes, rebalance
from orlop.controller.usecases.healing import Healing
from orlop.errors import Refused
from tests.simulation.moving_replicas import good, jobs, run, states, whole, with_disks
from tests.simulation.test_drbd9_controller import spawn, started

OLD, NEW = ("alpha", "bravo", "charlie"), ("delta", "echo")
NAMES = tuple(f"web{number}" for number in range(5))
SIZE = 8 << 20  # KiB: what is promised in a thin pool counts


@pytest.fixture
def cluster():
    """Five resources on three nodes, and two more nodes that were added just now."""
    made = started(*OLD, *NEW)
    for name in NEW:
        maintenance.switch(made.core, name, enabled=True)
    for name in NAMES:
        spawn(made, name=name, size_kib=SIZE)
    for name in NEW:
        maintenance.switch(made.core, name, enabled=False)
    return made


@pytest.fixture
def healing(cluster):
    return Healing(cluster.core)


def count(cluster, node):
    return sum(node in with_disks(cluster, name) for name in NAMES)


def never_fewer(cluster):
    def check():
        for name in NAMES:
            assert len(good(cluster, name)) >= 2

    return check


def start(cluster, **more):
    answers = rebalance.start(cluster.core, wire.Rebalance(threshold=0.1, **more))
    assert not answers.failed
    return [entry.message for entry in answers]


def test_the_new_nodes_are_filled_as_the_plan_says(cluster, healing):
    assert [count(cluster, node) for node in NEW] == [0, 0]
    found = rebalance.plan(cluster.core, threshold=0.1)
    assert 2 <= len(found.moves) <= 4  # ten replicas on five nodes are two on each
    shown = rebalance.shown(cluster.core, found)
    (spread,) = shown.spreads
    assert spread.emptiest == 0
    assert spread.fullest_then < spread.fullest
    assert spread.emptiest_then > spread.emptiest
    said = start(cluster)
    assert said[0].startswith(f"{len(found.moves)} replicas with")
    run(cluster, healing, 300, never_fewer(cluster))
    for move in found.moves:
        assert move.target in with_disks(cluster, move.definition)
        assert move.source not in with_disks(cluster, move.definition)
    assert all(len(whole(cluster, name)) == 2 for name in NAMES)
    assert all(1 <= count(cluster, node) <= 3 for node in (*OLD, *NEW))
    assert rebalance.plan(cluster.core, threshold=0.1).moves == ()


def test_a_second_one_does_not_begin_beside_the_first(cluster):
    start(cluster, concurrent=1)
    assert "are still moving; nothing was added" in start(cluster)[0]


@pytest.mark.parametrize("moment", [5, 60])
def test_a_controller_that_is_killed_goes_on_with_it(cluster, healing, moment):
    found = rebalance.plan(cluster.core, threshold=0.1)
    start(cluster, concurrent=1)
    for _ in range(moment):
        cluster.step(cluster.clock.now + 10)
    cluster.start_controller()
    run(cluster, Healing(cluster.core), 400, never_fewer(cluster))
    assert all(move.target in with_disks(cluster, move.definition) for move in found.moves)
    assert all(len(whole(cluster, name)) == 2 for name in NAMES)


def test_it_is_ended_in_the_middle(cluster, healing):
    start(cluster, concurrent=1)
    run(cluster, healing, 25, never_fewer(cluster))
    assert not rebalance.cancel(cluster.core).failed
    run(cluster, healing, 300, never_fewer(cluster))
    assert rebalance.under_way(cluster.core) == 0
    assert all(len(whole(cluster, name)) == 2 for name in NAMES)
    assert sum("failed" in states(cluster, name) for name in NAMES) > 0


def test_a_new_node_that_dies_in_the_middle_costs_nothing(cluster, healing):
    start(cluster)
    cluster.nodes[NEW[0]].power_loss()
    run(cluster, healing, 300, never_fewer(cluster))
    nodes.lost(cluster.core, NEW[0])
    run(cluster, healing, 300, never_fewer(cluster))
    assert rebalance.under_way(cluster.core) == 0
    assert all(len(whole(cluster, name)) == 2 for name in NAMES)


def test_nothing_begins_to_move_while_one_copy_is_behind(cluster, healing):
    """One good copy would be enough to fill another from; nobody needs the move so much."""
    found = rebalance.plan(cluster.core, threshold=0.1)
    one = found.moves[0].definition
    (other,) = [n for n in with_disks(cluster, one) if n != found.moves[0].source]
    cluster.nodes[other].power_loss()
    cluster.run(30)
    moves.enqueue(cluster.core, found.moves[:1])
    run(cluster, healing, 120)
    (job,) = jobs(cluster, one)
    assert job.state == "waiting"
    assert f"not known to be up to date on {other}." in job.problem
    cluster.nodes[other].start()
    run(cluster, healing, 300)
    assert states(cluster, one) == ["done"]


def test_what_is_in_use_does_not_move(cluster):
    for name in NAMES:
        for node in with_disks(cluster, name):
            number = cluster.core.picture.definition(name).volume_definitions[0].minor
            cluster.nodes[node].host.disk.use(f"/dev/drbd{number}", "mount")
            break
    cluster.settle()
    for move in rebalance.plan(cluster.core, threshold=0.1).moves:
        definition = cluster.core.picture.definition(move.definition)
        report = cluster.core.reported.resource(move.source, definition.name)
        assert not any(volume.in_use for volume in report.volumes)


def test_maintenance_keeps_a_node_out_of_it(cluster):
    maintenance.switch(cluster.core, NEW[0], enabled=True)
    found = rebalance.plan(cluster.core, threshold=0.1)
    assert {move.target for move in found.moves} == {NEW[1]}


def test_one_move_of_it_is_cancelled_by_its_job(cluster, healing):
    start(cluster, concurrent=1)
    waiting = next(job for name in NAMES for job in jobs(cluster, name) if job.state == "waiting")
    assert "nothing had begun" in [entry.message for entry in all_jobs.cancel(cluster.core, waiting.uuid)][0]
    with pytest.raises(Refused, match="cannot be cancelled"):
        all_jobs.cancel(cluster.core, waiting.uuid)
    run(cluster, healing, 300, never_fewer(cluster))
    assert all(len(whole(cluster, name)) == 2 for name in NAMES)


@pytest.mark.parametrize("threshold", [-1, 101])
def test_a_threshold_is_a_share(cluster, threshold):
    with pytest.raises(Refused, match="0 to 100"):
        rebalance.plan(cluster.core, threshold=threshold)
