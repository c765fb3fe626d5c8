"""Replicas without a disk that are in use for long get one by themselves; superfluous ones go, never in haste."""

import pytest
from msgspec.structs import replace

from orlop.controller.patience import REST
from orlop.controller.picture import with_resource
from orlop.controller.usecases.auto_diskful import CLEANUP, FLAG, MINUTES, AutoDiskful
from orlop.model import Operation
from tests.simulation.test_drbd9_controller import create, device, disks, kernel, replicas, spawn, started, with_state


@pytest.fixture
def cluster():
    made = started()
    spawn(made)
    return made


@pytest.fixture
def auto(cluster):
    """As the controller starts it; and a device in use where there is no disk."""
    made = AutoDiskful(cluster.core)
    (node,) = with_state(cluster, "Diskless")
    cluster.nodes[node].host.disk.use(device(cluster), "mount")
    cluster.settle()
    assert kernel(cluster, node).role == "Primary"
    return made


def after(cluster, minutes, **props):
    """The property on the definition, or on what `props` says."""
    with cluster.core.change() as draft:
        of = draft.definition("web")
        draft.put(replace(of, props={**of.props, MINUTES: str(minutes), **props}))


def look(cluster, auto, seconds=0.0):
    cluster.run(seconds)
    auto.look()
    cluster.settle()


def with_disks(cluster):
    return sorted(node for node, resource in replicas(cluster).items() if "DISKLESS" not in resource.flags)


def test_after_that_many_minutes_it_gets_a_disk(cluster, auto):
    after(cluster, 5)
    look(cluster, auto, REST)  # only from now on it is known to be in use
    assert len(with_disks(cluster)) == 2
    look(cluster, auto, 200)
    assert len(with_disks(cluster)) == 2
    look(cluster, auto, 60)
    assert len(with_disks(cluster)) == 3
    (made,) = [r for r in replicas(cluster).values() if FLAG in r.flags]
    assert made.props["StorPoolName"] == "pool1"


@pytest.mark.parametrize("why", ["not asked for", "used now and then", "just started", "few nodes known"])
def test_it_does_not(cluster, auto, why):
    if why != "not asked for":
        after(cluster, 5)
    if why == "few nodes known":
        for name in [n for n in cluster.nodes if n not in replicas(cluster)] + with_state(cluster, "UpToDate")[:1]:
            cluster.nodes[name].reachable = False
    look(cluster, auto, 0 if why == "just started" else REST)
    if why == "used now and then":
        (node,) = with_state(cluster, "Diskless")
        cluster.nodes[node].host.disk.release(device(cluster))
        look(cluster, auto, 200)
        cluster.nodes[node].host.disk.use(device(cluster), "mount")
    look(cluster, auto, 200 if why == "used now and then" else 350 if why != "just started" else 300)
    assert len(with_disks(cluster)) == 2


@pytest.fixture
def three(cluster):
    """Three disks where two are wanted, the third one made automatically."""
    node = next(n for n in cluster.nodes if n not in replicas(cluster))
    create(cluster, node)
    with cluster.core.change() as draft:
        of = draft.definition("web")
        third = next(r for r in of.resources if r.node == node)
        draft.put(with_resource(of, replace(third, flags=third.flags | {FLAG})))
    cluster.settle()
    return node


def test_one_that_is_too_many_goes_but_never_the_new_one(cluster, three):
    auto = AutoDiskful(cluster.core)
    look(cluster, auto, REST)
    assert len(with_state(cluster, "UpToDate")) == 2
    assert disks(cluster)[three] == "UpToDate"
    assert FLAG not in replicas(cluster)[three].flags


def test_all_stay_where_that_is_not_wanted(cluster, three):
    after(cluster, 5, **{CLEANUP: "False"})
    look(cluster, AutoDiskful(cluster.core), REST)
    assert len(with_state(cluster, "UpToDate")) == 3


def test_nobody_goes_before_the_new_one_has_the_data(cluster, three):
    """What is known of it counts, and while its node is away nothing is."""
    cluster.nodes[three].reachable = False
    look(cluster, AutoDiskful(cluster.core), REST)
    assert not any(r.deleting for r in replicas(cluster).values())
    assert FLAG in replicas(cluster)[three].flags


def test_nobody_goes_while_another_replica_is_dead(cluster, three):
    dead = with_state(cluster, "UpToDate")[0]
    auto = AutoDiskful(cluster.core)
    cluster.run(REST)
    cluster.nodes[dead].power_loss()
    cluster.run(60)
    look(cluster, auto)
    assert not any(r.deleting for r in replicas(cluster).values())
    cluster.nodes[dead].start()
    cluster.settle()
    look(cluster, auto)
    assert len(with_state(cluster, "UpToDate")) == 2


def busy(cluster, state):
    """Something else is done with all replicas."""
    with cluster.core.change() as draft:
        of = draft.definition("web")
        operation = Operation(uuid="o", kind="other", state=state, created=0)
        draft.put(replace(of, operations=(operation,)))


def test_it_gives_no_disk_while_something_else_is_under_way(cluster, auto):
    (user,) = with_state(cluster, "Diskless")
    after(cluster, 5)
    look(cluster, auto, REST)
    busy(cluster, "begun")
    look(cluster, auto, 300)
    assert "DISKLESS" in replicas(cluster)[user].flags
    busy(cluster, "failed")
    look(cluster, auto)
    assert disks(cluster)[user] == "UpToDate"


def test_nobody_goes_while_something_else_is_under_way(cluster, three):
    auto = AutoDiskful(cluster.core)
    busy(cluster, "begun")
    look(cluster, auto, REST)
    assert len(with_state(cluster, "UpToDate")) == 3
    busy(cluster, "done")
    look(cluster, auto)
    assert len(with_state(cluster, "UpToDate")) == 2
