"""Replicas by site: in these sites only, so many in each at most, so many at least."""

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from orlop.controller import wire
from orlop.controller.placement import NotEnoughNodes, place
from orlop.controller.placement.bounds import Bounds
from orlop.controller.placement.choice import Place, choose
from orlop.controller.usecases import filters
from orlop.errors import Refused
from orlop.model import GIB, SelectFilter
from tests.controller.clusters import N, made, resource

LAYERS = ("DRBD", "STORAGE")
SHORT = settings(max_examples=300, deadline=None)


def cluster(*at, existing=(), **more):
    """Nodes a, b, c... in these sites, each with a little more room than the next one."""
    nodes = {chr(97 + i): N(50 + len(at) - i, props={"Site": site} if site else {}) for i, site in enumerate(at)}
    return made(nodes, **more)


def chosen(of, count, existing=None, **rule):
    found = place(of, count, GIB, SelectFilter(**rule), LAYERS, existing)
    return "".join(sorted(candidate.node.name for candidate in found))


CASES = {
    "only in one site": (("x", "y", "x", "y"), 2, {"sites": ("y",)}, "bd"),
    "in either of two": (("x", "y", "z", "y"), 2, {"sites": ("y", "z")}, "bc"),
    "the case of names does not matter": (("Xa", "y", "xA"), 2, {"sites": ("XA",)}, "ac"),
    "one in each": (("x", "x", "x", "y"), 2, {"most_per_site": 1}, "ad"),
    "two in each at most, the third elsewhere": (("x", "x", "x", "y"), 3, {"most_per_site": 2}, "abd"),
    "one each of three is fine where two would be allowed": (("x", "y", "z", "x"), 3, {"most_per_site": 2}, "abc"),
    "two in each that is used": (("x", "y", "x", "z"), 2, {"least_per_site": 2}, "ac"),
    "two and two": (("x", "y", "y", "x", "x"), 4, {"least_per_site": 2}, "abcd"),
    "three leave no site with one": (("x", "y", "y", "x", "x"), 3, {"least_per_site": 2}, "ade"),
    "one at least in each that is named": (("x", "x", "x", "y"), 3, {"sites": ("x", "y"), "least_per_site": 1}, "abd"),
    "both bounds": (
        ("x", "x", "x", "y", "y", "z"),
        4,
        {"sites": ("x", "y"), "least_per_site": 2, "most_per_site": 2},
        "abde",
    ),
    "nodes without a site do not count": (("", "x", "y"), 2, {"most_per_site": 1}, "bc"),
    "beside another rule of spreading": (
        ("x", "x", "y", "y"),
        2,
        {"most_per_site": 1, "x_replicas_on_different": {"Site": 1}},
        "ac",
    ),
}


@pytest.mark.parametrize(("at", "count", "rule", "expected"), CASES.values(), ids=CASES)
def test_the_best_places_that_the_sites_allow(at, count, rule, expected):
    assert chosen(cluster(*at), count, **rule) == expected


REFUSED = {
    "too few sites": (("x", "x", "y"), 3, {"most_per_site": 1}, "node b: pool pool would do"),
    "a site that is named has no room": (("x", "x", ""), 2, {"sites": ("x", "y"), "least_per_site": 1}, "node a: pool"),
    "another site": (("x", "y"), 2, {"sites": ("y",)}, "node a: it is in site x, not in y"),
    "no site": (("", "y"), 2, {"sites": ("y",)}, "node a: it is in no site"),
}


@pytest.mark.parametrize(("at", "count", "rule", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_the_sites_do_not_allow_is_refused_with_the_reason(at, count, rule, reason):
    with pytest.raises(NotEnoughNodes) as refused:
        chosen(cluster(*at), count, **rule)
    assert any(line.startswith(reason) for line in refused.value.reasons), refused.value.reasons


def test_replicas_that_exist_count():
    there = resource("web", "a")
    of = cluster("x", "x", "y", "y", resources=(there,))
    assert chosen(of, 1, there, most_per_site=1) == "c"
    assert chosen(of, 1, there, least_per_site=2) == "b"
    with pytest.raises(NotEnoughNodes) as refused:
        chosen(of, 3, there, most_per_site=1)
    assert "node b: 1 of the replicas are in site x already" in refused.value.reasons


def test_nodes_without_a_site_of_their_own_are_in_that_of_the_cluster():
    of = cluster("", "y", "", controller={"Site": "home"})
    assert chosen(of, 2, sites=("home",)) == "ac"
    assert chosen(of, 2, most_per_site=1) == "ab"


@pytest.mark.parametrize(
    "body",
    [
        wire.AutoSelectFilter(most_per_site=1, least_per_site=2),
        wire.AutoSelectFilter(most_per_site=-1),
        wire.AutoSelectFilter(least_per_site=1001),
    ],
)
def test_bounds_that_make_no_sense_are_refused(body):
    with pytest.raises(Refused):
        filters.asked(body)


def test_a_bound_is_taken_back_by_nought():
    before = filters.asked(wire.AutoSelectFilter(most_per_site=1, site_list=("x",)))
    body = wire.AutoSelectFilterModify(most_per_site=0, site_list=())
    assert filters.changed(before, body) == SelectFilter(sites=())


def _place(score, at):
    return Place(float(score), cell=(at,))


places = some.lists(some.builds(_place, some.integers(0, 9), some.sampled_from("uvwxyz")), max_size=9).map(
    lambda found: sorted(found, key=lambda one: -one.score)
)
bounds = some.builds(
    Bounds,
    some.integers(1, 3),
    some.integers(0, 3),
    some.frozensets(some.sampled_from("uvw"), max_size=2),
    some.dictionaries(some.sampled_from("uvwxyz"), some.integers(0, 2), max_size=2),
)


@SHORT
@given(places, some.integers(1, 5), bounds)
def test_no_better_choice_within_the_bounds_exists_and_none_is_overlooked(found, count, rule):
    def allowed(picked):
        after = Counter(rule.seen) + Counter(found[i].cell[0] for i in picked)
        grown = {found[i].cell[0] for i in picked}
        if any(after[site] > rule.most for site in grown):
            return False
        used = {site for site, number in after.items() if number} | rule.needed
        return all(after[site] >= rule.least for site in used)

    scores = [sum(found[i].score for i in c) for c in combinations(range(len(found)), count) if allowed(c)]
    choice = choose(found, count, (rule,))
    assert choice.complete
    assert (choice.places is None) == (not scores)
    if choice.places is not None:
        assert allowed(choice.places)
        assert choice.score == pytest.approx(max(scores))


def test_the_choice_among_many_sites_is_bounded():
    many = sorted((Place(float(i % 7), cell=(f"s{i % 60}",)) for i in range(600)), key=lambda one: -one.score)
    choice = choose(many, 5, (Bounds(2, 1),))
    assert choice.complete
    assert choice.score == 30.0
    assert choice.steps < 5_000
