"""Tiebreakers come and go with the replicas, and quorum follows; what a user decided stays."""

from collections import Counter

import pytest
from msgspec.structs import replace

from orlop.controller.diskless import CLIENT, TIE_BREAKER, is_diskless, is_tiebreaker
from orlop.controller.drbd_versions import VERSION
from orlop.controller.picture import Draft
from orlop.controller.reported import Status
from orlop.controller.voting import AUTO_ADD, QUORUM, SET_BY, completed, marked, touch
from orlop.model import Controller, ResourceGroup, SelectFilter
from tests.controller.conftest import node
from tests.controller.drbd9 import NODES, cluster, replica, replicated, reports, without_disk


@pytest.fixture
def nine(picture):
    return cluster(picture)


def two(*more, **others):
    return replicated(replica("alpha"), replica("bravo"), *more, **others)


def tiebreakers(of):
    return [r.node for r in of.resources if is_tiebreaker(r)]


def calm(nine, of, in_use=False, **disks):
    """All nodes say that they see each other; those with a disk that it is up to date, unless told otherwise."""
    whole = {r.node: "Diskless" if is_diskless(r) else "UpToDate" for r in of.resources} | disks
    for name, report in reports(of, whole, in_use).items():
        nine.reported.node(name).resources[of.name] = report
    return of


def cut(nine, one, other):
    """`one` says that it does not see the other any more."""
    (report,) = nine.reported.node(one).resources.values()
    (volume,) = report.volumes
    (level,) = volume.levels
    level = replace(level, facts={**level.facts, f"peer/{other}/connection": "Connecting"})
    nine.reported.node(one).resources[report.name] = replace(report, volumes=(replace(volume, levels=(level,)),))


@pytest.mark.parametrize(
    ("count", "expected"), [(1, []), (2, ["charlie"]), (3, []), (4, [])], ids=["one", "two", "three", "four"]
)
def test_an_even_number_gets_a_tiebreaker(nine, count, expected):
    """With four there is no node left."""
    of = completed(nine, replicated(*(replica(name) for name in NODES[:count])))
    assert tiebreakers(of) == expected


def test_it_has_all_that_a_replica_has(nine):
    (made,) = [r for r in completed(nine, two()).resources if is_tiebreaker(r)]
    assert made.flags == {"DISKLESS", "DRBD_DISKLESS", "TIE_BREAKER"}
    assert (made.node_id, made.ports, made.peer_slots) == (2, (7000,), None)
    (volume,) = made.volumes
    assert [level.layer for level in volume.levels] == ["DRBD"]
    assert volume.pool == "DfltDisklessStorPool"


def test_to_do_it_again_changes_nothing(nine):
    once = completed(nine, two())
    assert completed(nine, once) is once


@pytest.mark.parametrize(
    "prevents",
    [
        lambda c: c.picture.put(Controller(props={AUTO_ADD: "False"})),
        lambda c: c.picture.put(Controller(props={})),
        lambda c: c.picture.put(ResourceGroup(name="DfltRscGrp", uuid="g", props={AUTO_ADD: "false"})),
        lambda c: c.picture.put(Controller(props={AUTO_ADD: "True", QUORUM: "off"})),
        lambda c: c.picture.put(node("bravo", **{VERSION: "8.4.11"})),
        lambda c: c.picture.put(node("bravo", **{VERSION: "9.0.18"})),
        lambda c: c.picture.put(node("bravo")),
    ],
    ids=["off", "not set", "off in the group", "no quorum", "8.4", "an old 9", "not known"],
)
def test_what_prevents_it(nine, prevents):
    prevents(nine)
    assert tiebreakers(completed(nine, two())) == []


@pytest.mark.parametrize(
    "unfit",
    [
        lambda c, name: setattr(c.reported.node(name), "status", Status.OFFLINE),
        lambda c, name: c.picture.put(node(name, ["EVICTED"], **{VERSION: "9.2.13"})),
        lambda c, name: c.picture.put(node(name, AutoplaceTarget="false", **{VERSION: "9.2.13"})),
        lambda c, name: c.picture.put(node(name, **{VERSION: "8.4.11"})),
    ],
    ids=["offline", "evicted", "no target", "8.4"],
)
def test_nodes_that_will_not_do(nine, unfit):
    unfit(nine, "charlie")
    assert tiebreakers(completed(nine, two())) == ["delta"]


def test_rules_of_spreading_are_heeded_where_they_can_be(nine):
    rule = SelectFilter(replicas_on_different=("Aux/rack",))
    nine.picture.put(ResourceGroup(name="DfltRscGrp", uuid="g", select_filter=rule))
    for name, rack in zip(NODES, "1213", strict=True):
        nine.picture.put(node(name, **{VERSION: "9.2.13", "Aux/rack": rack}))
    assert tiebreakers(completed(nine, two())) == ["delta"]
    nine.picture.put(node("delta", **{VERSION: "9.2.13", "Aux/rack": "1"}))
    assert tiebreakers(completed(nine, two())) == ["charlie"]


def test_somebody_who_votes_without_a_disk_breaks_ties_already(nine):
    assert tiebreakers(completed(nine, two(without_disk("charlie")))) == []


def test_a_client_does_not(nine):
    assert tiebreakers(completed(nine, two(without_disk("charlie", CLIENT)))) == ["delta"]


@pytest.fixture
def three(nine):
    """One replica more than the tiebreaker was for."""
    volumes = replica("charlie").volumes
    tiebreaker = replace(without_disk("charlie", TIE_BREAKER), volumes=volumes)
    of = replicated(replica("alpha"), replica("bravo"), replica("delta"), tiebreaker)
    return calm(nine, replace(of, props={QUORUM: "majority"}))


def test_it_goes_when_it_is_not_needed_any_more(nine, three):
    after = completed(nine, three)
    assert next(r for r in after.resources if r.node == "charlie").deleting
    assert after.props[QUORUM] == "majority"


@pytest.mark.parametrize("seen", ["in use", "not reported"])
def test_it_stays_where_it_may_be_in_use(nine, three, seen):
    if seen == "in use":
        calm(nine, three, in_use=True)
    else:
        del nine.reported.node("charlie").resources["web"]
    assert completed(nine, three) is three


UNSETTLED = {
    "a replica without all of the data": lambda nine, of: calm(nine, of, bravo="Inconsistent"),
    "a node that says nothing": lambda nine, of: setattr(nine.reported.node("bravo"), "status", Status.OFFLINE),
    "an order on its way": lambda nine, of: nine.reported.node("bravo").required.update(web=99),
    "two that do not see each other": lambda nine, of: cut(nine, "alpha", "bravo"),
    "nobody sees the one that votes": lambda nine, of: cut(nine, "bravo", "charlie"),
}


@pytest.mark.parametrize("unsettled", UNSETTLED.values(), ids=UNSETTLED)
def test_it_stays_until_all_see_each_other(nine, three, unsettled):
    """With it gone, those that are left might be too few: whoever writes would fail."""
    unsettled(nine, three)
    assert completed(nine, three) is three


def test_it_goes_after_quorum_does(nine):
    volumes = replica("charlie").volumes
    of = two(replace(without_disk("charlie", TIE_BREAKER), volumes=volumes))
    calm(nine, of)
    nine.picture.put(Controller(props={AUTO_ADD: "False"}))
    first = completed(nine, replace(of, props={QUORUM: "majority"}))
    assert (first.props[QUORUM], tiebreakers(first)) == ("off", ["charlie"])
    second = completed(nine, first)
    assert (second.props[QUORUM], tiebreakers(second)) == ("off", [])


def test_it_does_not_go_in_a_commit_for_something_else(nine, three):
    draft = Draft(nine.picture.freeze())
    draft.put(three)
    touch(nine._replace(picture=draft), draft)
    assert tiebreakers(draft.definition("web")) == ["charlie"]


# -- quorum -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        ([replica("alpha")], "off"),
        ([replica("alpha"), without_disk("bravo")], "off"),
        ([replica("alpha"), replica("bravo"), without_disk("charlie")], "majority"),
        ([replica("alpha"), replica("bravo"), without_disk("charlie", CLIENT)], "off"),
        ([replica("alpha"), replica("bravo"), replica("charlie")], "majority"),
        ([replica("alpha"), replica("bravo"), replica("charlie", flags=["DELETE"])], "off"),
    ],
)
def test_quorum_follows_from_the_replicas(nine, resources, expected):
    nine.picture.put(Controller(props={AUTO_ADD: "False"}))
    assert completed(nine, calm(nine, replicated(*resources))).props[QUORUM] == expected


@pytest.mark.parametrize("unsettled", UNSETTLED.values(), ids=UNSETTLED)
def test_a_majority_is_asked_for_when_all_see_each_other(nine, unsettled):
    of = calm(nine, two(without_disk("charlie")))
    unsettled(nine, of)
    assert completed(nine, of).props[QUORUM] == "off"
    nine.reported.node("bravo").status = Status.ONLINE
    nine.reported.node("bravo").required.clear()
    assert completed(nine, calm(nine, of)).props[QUORUM] == "majority"


@pytest.mark.parametrize("unsettled", UNSETTLED.values(), ids=UNSETTLED)
def test_what_is_asked_for_already_stays(nine, unsettled):
    of = calm(nine, replace(two(without_disk("charlie")), props={QUORUM: "majority"}))
    unsettled(nine, of)
    assert completed(nine, of) is of


def test_nobody_uses_what_was_never_there(nine):
    of = completed(nine, replicated(replica("alpha", new=True), replica("bravo", new=True)))
    assert (of.props[QUORUM], tiebreakers(of)) == ("majority", ["charlie"])


def test_with_a_tiebreaker_a_majority_counts(nine):
    first = completed(nine, calm(nine, two()))
    assert (first.props[QUORUM], tiebreakers(first)) == ("off", ["charlie"])
    assert completed(nine, calm(nine, first)).props[QUORUM] == "majority"


def test_what_the_user_set_stays(nine):
    of = replace(two(), props=marked({}, {QUORUM: "all"}))
    after = completed(nine, of)
    assert after.props[QUORUM] == "all"
    assert tiebreakers(after) == ["charlie"]


def test_what_the_user_took_back_is_computed_again(nine):
    before = marked({}, {QUORUM: "off"})
    after = marked(before, {name: value for name, value in before.items() if name != QUORUM})
    assert SET_BY not in after
    of = replace(two(without_disk("charlie")), props=after)
    assert completed(nine, calm(nine, of)).props[QUORUM] == "majority"


def test_nothing_computed_hides_what_is_set_elsewhere(nine):
    nine.picture.put(ResourceGroup(name="DfltRscGrp", uuid="g", props={QUORUM: "all"}))
    assert QUORUM not in completed(nine, replace(two(), props={QUORUM: "majority"})).props


def test_8_4_knows_no_quorum(picture):
    old = cluster(picture, version="8.4.11")
    of = two()
    assert completed(old, of) is of


# -- when it is looked at ---------------------------------------------------------------------------------------------


def touched(nine, change):
    nine.picture.put(two())
    draft = Draft(nine.picture.freeze())
    draft.put(change)
    touch(nine._replace(picture=draft), draft)
    return tiebreakers(draft.definition("web"))


@pytest.mark.parametrize(
    "change",
    [
        two(),
        Controller(props={AUTO_ADD: "TRUE"}),
        ResourceGroup(name="DfltRscGrp", uuid="g", props={AUTO_ADD: "True"}),
        node("alpha", **{VERSION: "9.1.20"}),
    ],
    ids=["definition", "controller", "group", "node"],
)
def test_every_change_that_matters_is_followed(nine, change):
    assert touched(nine, change) == ["charlie"]


def test_other_changes_are_not(nine):
    assert touched(nine, node("alpha", **{VERSION: "9.2.13", "Aux/x": "y"})) == []


def test_many_that_need_one_at_once_are_spread_over_the_nodes(nine):
    """Each is counted as soon as it is there, and none takes a port that another one has."""
    draft = nine.picture
    for number in range(10):
        whole = replicated(replica("alpha"), replica("bravo"), name=f"web{number}", props={AUTO_ADD: "False"})
        resources = tuple(replace(r, uuid=f"{r.uuid}-{number}", ports=(7000 + number,)) for r in whole.resources)
        draft.put(replace(whole, resources=resources))
    draft = Draft(draft.freeze())
    for of in list(draft.definitions.values()):
        draft.put(replace(of, props={}))
    touch(nine._replace(picture=draft), draft)
    made = [r for of in draft.definitions.values() for r in of.resources if is_tiebreaker(r)]
    assert Counter(r.node for r in made) == {"charlie": 5, "delta": 5}
    assert len({(r.node, r.ports) for r in made}) == 10
