"""What was restored does not stay on the nodes of its snapshot where that is asked for."""

import pytest
from msgspec.structs import replace

from orlop import codes
from orlop.codes import Subject
from orlop.controller.answers import Answers
from orlop.controller.usecases import spreading
from orlop.controller.usecases.healing import Healing
from orlop.controller.usecases.spreading import AFTER_RESTORE
from orlop.testing.cluster import SimulatedCluster
from tests.simulation.moving_replicas import good, run
from tests.simulation.test_replicated_restore import OLD, diskful, raw, restore, spawn, take, write


def started(series, **props):
    made = SimulatedCluster(("alpha", "bravo", "charlie", "delta"), seed=5, drbd=series)
    made.register()
    with made.core.change() as draft:
        draft.put(replace(draft.controller, props=props))
    nodes = spawn(made)
    write(made, nodes[0], OLD)
    take(made)
    return made, nodes


@pytest.mark.parametrize("asked", ["true", "false"])
def test_it_moves_where_it_would_be_placed_if_that_is_asked_for(asked):
    cluster, nodes = started("9", **{AFTER_RESTORE: asked})
    restore(cluster)
    healing = Healing(cluster.core)

    def check():
        assert len(good(cluster, "copy")) >= 2

    run(cluster, healing, 60)
    run(cluster, healing, 600, check)
    now = diskful(cluster, "copy")
    assert set(now).isdisjoint(nodes) == (asked == "true")
    assert set(now) == set(nodes) or asked == "true"
    assert {raw(cluster, node, "copy") for node in now} == {OLD}
    assert sorted(diskful(cluster)) == sorted(nodes)


def test_with_drbd_8_it_is_said_why_it_stays():
    cluster, nodes = started("8.4")
    restore(cluster)
    with cluster.core.change() as draft:
        draft.put(replace(draft.controller, props={AFTER_RESTORE: "true"}))
    answers = Answers(codes.CREATE, Subject.RSC)
    spreading.explained(cluster.core, answers, "copy", AFTER_RESTORE)
    (entry,) = [each for each in answers if "stays on the nodes of its snapshot" in each.message]
    assert "DRBD 8.4 knows two" in entry.cause
    run(cluster, Healing(cluster.core), 120)
    assert sorted(diskful(cluster, "copy")) == sorted(nodes)
