"""Groups are adjusted on demand: at once what may be filled at once, the rest in its turn."""

import pytest
from msgspec.structs import replace

from orlop.codes import Fail, Info
from orlop.controller import wire
from orlop.controller.usecases import adjusting, groups, moves
from orlop.controller.usecases.healing import Healing
from tests.simulation.moving_replicas import evacuate, good, run, states, whole, with_disks
from tests.simulation.test_drbd9_controller import replicas, spawn, started

FIVE = ("alpha", "bravo", "charlie", "delta", "echo")
NAMES = ("web0", "web1", "web2", "web3", "web4")
GROUP = "DfltRscGrp"


@pytest.fixture
def cluster():
    """Five resources of two replicas on five nodes; two replicas may be filled at the same time."""
    made = started(*FIVE)
    for name in NAMES:
        spawn(made, name=name)
    limit(made, 2)
    return made


@pytest.fixture
def healing(cluster):
    return Healing(cluster.core)


def limit(cluster, count):
    with cluster.core.change() as draft:
        draft.put(replace(draft.controller, props={**draft.controller.props, moves.CONCURRENT: str(count)}))


def rule(cluster, **more):
    """Of the group, without placing at once."""
    with cluster.core.change() as draft:
        group = draft.group(GROUP)
        draft.put(replace(group, select_filter=replace(group.select_filter, **more)))


def adjusted(cluster, **asked):
    body = wire.ResourceGroupAdjust(select_filter=wire.AutoSelectFilter(**asked) if asked else None)
    return list(adjusting.adjust(cluster.core, GROUP, body))


def placed(entries):
    return [entry.message for entry in entries if " placed on node " in entry.message]


def few_at_a_time(cluster, most=2):
    def check():
        assert moves.being_filled(cluster.core) <= most

    return check


def counts(cluster):
    return [len(with_disks(cluster, name)) for name in NAMES]


def test_what_may_be_filled_at_once_is_placed_with_the_request(cluster):
    limit(cluster, 5)
    body = wire.ResourceGroupModify(select_filter=wire.AutoSelectFilterModify(place_count=3))
    entries = list(groups.modify(cluster.core, GROUP, body))
    assert len(placed(entries)) == 5
    assert not any("job" in entry.message for entry in entries)
    assert [len(whole(cluster, name)) for name in NAMES] == [3] * 5
    assert [states(cluster, name) for name in NAMES] == [["done"]] * 5


def test_beyond_that_it_is_made_in_its_turn(cluster, healing):
    rule(cluster, place_count=3)
    entries = adjusted(cluster)
    assert len(placed(entries)) == 2
    assert not any(entry.is_error for entry in entries)
    (entry,) = [e for e in entries if "in turn" in e.message]
    assert entry.message == "3 replicas are made by jobs, in turn."
    assert "At most 2" in entry.details
    told = [e.message for e in entries if "gets another replica on node" in e.message]
    assert [message.split("'")[1] for message in told] == ["web2", "web3", "web4"]
    run(cluster, healing, 120, few_at_a_time(cluster))
    assert [len(whole(cluster, name)) for name in NAMES] == [3] * 5


def test_what_is_placed_at_once_counts_until_it_is_filled(cluster, healing):
    """While nothing is copied, nothing else begins."""
    rule(cluster, place_count=3)
    sources = {name: good(cluster, name) for name in NAMES[:2]}
    links = {frozenset((a, b)) for a in FIVE for b in FIVE if a != b}
    cluster.network.cut |= links
    adjusted(cluster)
    run(cluster, healing, 60, few_at_a_time(cluster))
    assert [states(cluster, name) for name in NAMES] == [["filling"]] * 2 + [["waiting"]] * 3
    assert {name: good(cluster, name) for name in NAMES[:2]} == sources
    cluster.network.cut -= links
    run(cluster, healing, 180, few_at_a_time(cluster))
    assert [states(cluster, name) for name in NAMES] == [["done"]] * 5


def test_one_that_misses_more_than_the_limit_gets_them_one_by_one(cluster, healing):
    limit(cluster, 1)
    rule(cluster, place_count=4)
    entries = adjusted(cluster)
    assert placed(entries) == []
    assert any(entry.message == "10 replicas are made by jobs, in turn." for entry in entries)
    run(cluster, healing, 400, few_at_a_time(cluster, 1))
    assert [len(whole(cluster, name)) for name in NAMES] == [4] * 5


def test_what_waits_for_its_turn_is_not_made_twice(cluster, healing):
    rule(cluster, place_count=3)
    adjusted(cluster)
    assert states(cluster, NAMES[-1]) == ["waiting"]
    rule(cluster, place_count=4)
    entries = adjusted(cluster)
    again = [e for e in entries if "already" in e.message]
    assert again
    assert {e.code for e in again} == {Info.NOOP}
    assert {e.correction for e in again} == {"Adjust it once more after that: more are missing."}
    run(cluster, healing, 120, few_at_a_time(cluster))
    adjusted(cluster)
    run(cluster, healing, 120, few_at_a_time(cluster))
    assert [len(whole(cluster, name)) for name in NAMES] == [4] * 5


def test_it_waits_for_what_else_is_being_filled(cluster, healing):
    user = with_disks(cluster, "web0")[0]
    moved = [name for name in NAMES if user in with_disks(cluster, name)]
    evacuate(cluster, user)
    rule(cluster, place_count=3)
    assert moves.being_filled(cluster.core) == min(2, len(moved))
    assert len(placed(adjusted(cluster))) == 2 - min(2, len(moved))
    run(cluster, healing, 400, few_at_a_time(cluster))
    assert [len(whole(cluster, name)) for name in NAMES] == [3] * 5
    assert not any(user in with_disks(cluster, name) for name in NAMES)


def test_where_there_is_no_place_it_is_an_error_at_once(cluster):
    rule(cluster, place_count=6)
    before = cluster.core.picture.definitions
    entries = adjusted(cluster)
    assert [entry.code for entry in entries if entry.is_error] == [Fail.NOT_ENOUGH_NODES] * 5
    assert counts(cluster) == [2] * 5
    assert cluster.core.picture.definitions == before


@pytest.mark.parametrize("asked", [{"place_count": 3}, {"place_count": 3, "node_name_list": FIVE}])
def test_what_only_the_request_says_is_not_left_to_a_job(cluster, asked):
    assert len(placed(adjusted(cluster, **asked))) == 5
    assert counts(cluster) == [3] * 5


@pytest.mark.parametrize("more", [{"diskless_on_remaining": True}, {"additional_place_count": 1}])
def test_what_a_job_would_not_heed_is_done_at_once(cluster, more):
    rule(cluster, place_count=3, **more)
    entries = adjusted(cluster)
    assert not any("job" in entry.message for entry in entries)
    cluster.settle()
    assert counts(cluster) == [3] * 5


def test_what_has_nothing_to_be_filled_from_yet_takes_nobodys_turn(cluster):
    limit(cluster, 1)
    spawn(cluster, count=2, name="web")
    for node in with_disks(cluster):
        cluster.nodes[node].power_loss()
    cluster.run(30)
    rule(cluster, place_count=3)
    adjusted(cluster)
    assert len(replicas(cluster)) >= 3
    assert states(cluster) == []
