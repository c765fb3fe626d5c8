"""What holds for every placement: rules are kept, nothing better exists, work is bounded, nothing is left to chance.

The rules are written down here a second time, as plainly as possible, and every choice of small clusters is tried.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from orlop.controller.placement import NotEnoughNodes, Request, Undecidable, attempt, place
from orlop.controller.placement.cells import Group
from orlop.controller.placement.choice import STEPS, Place, choose
from orlop.model import GIB, SelectFilter
from tests.controller.clusters import N, P, made, resource

KEYS = ("zone", "rack")
LAYERS = ("DRBD", "STORAGE")
LETTERS = "abcdefg"
SHORT = settings(max_examples=150, deadline=None)

values = some.sampled_from(["1", "2", "3"])
aux = some.dictionaries(some.sampled_from(KEYS), values)


@some.composite
def pool(draw: Any) -> P:
    provider = draw(some.sampled_from(["FILE", "FILE", "FILE", "FILE_THIN", "ZFS"]))
    return P(draw(some.integers(0, 6)), 10, provider, {}, draw(some.sampled_from(["", "", "", "san"])))


@some.composite
def node(draw: Any) -> N:
    return N(
        aux=draw(aux),
        pools=draw(some.dictionaries(some.sampled_from(["p", "q"]), pool(), min_size=1)),
        offline=draw(some.sampled_from([False, False, False, True])),
        drbd=draw(some.sampled_from(["9.2.13", "9.2.13", "8.4.11"])),
    )


clusters = some.lists(node(), min_size=1, max_size=len(LETTERS)).map(
    lambda made: dict(zip(LETTERS, made, strict=False))
)
keys = some.sampled_from(KEYS).map("Aux/{}".format)
keys_or_pairs = some.one_of(keys, some.builds("{}={}".format, keys, values))
rules = some.fixed_dictionaries(
    {},
    optional={
        "replicas_on_same": some.lists(keys_or_pairs, max_size=1).map(tuple),
        "replicas_on_different": some.lists(keys_or_pairs, max_size=2).map(tuple),
        "x_replicas_on_different": some.dictionaries(keys, some.integers(1, 2), max_size=2),
        "storage_pools": some.sampled_from([("p",), ("p", "q")]),
        "preferred_nodes": some.lists(some.sampled_from(LETTERS), max_size=2, unique=True).map(tuple),
        "placement_policy": some.sampled_from(["balanced", "most-free-space", "pack", "round-robin"]),
    },
)


def allowed(of: dict[str, N], chosen: list[tuple[str, str]], there: list[str], rule: dict[str, Any]) -> bool:
    """Whether pools, as (node, pool), may be chosen together, beside replicas that are there."""
    names = [node for node, _ in chosen]
    picked = [of[node].pools[pool] for node, pool in chosen]
    if len(set(names)) < len(names) or any(of[n].offline or n in there for n in names):
        return False
    if any(p.free * (20 if p.provider == "FILE_THIN" else 1) < 1 for p in picked):
        return False
    if any(p.provider == "FILE_THIN" and p.free < 1 for p in picked):
        return False
    if "storage_pools" in rule and any(pool not in rule["storage_pools"] for _, pool in chosen):
        return False
    every = [*picked, *(of[n].pools["p"] for n in there)]
    spaces = [p.shared for p in every if p.shared]
    if len(set(spaces)) < len(spaces) or len({p.provider for p in every}) > 1:
        return False
    if len({of[n].drbd for n in [*names, *there]}) > 1:
        return False
    return spread(of, names, there, rule)


def spread(of: dict[str, N], names: list[str], there: list[str], rule: dict[str, Any]) -> bool:
    def value(node: str, key: str) -> str | None:
        return of[node].aux.get(key.removeprefix("Aux/"))

    for key, _, wanted in (text.partition("=") for text in rule.get("replicas_on_same", ())):
        found = {value(n, key) for n in names}
        if None in found or len(found | ({value(n, key) for n in there} - {None}) | ({wanted} - {""})) > 1:
            return False
    for key, _, forbidden in (text.partition("=") for text in rule.get("replicas_on_different", ())):
        new = [v for n in names if (v := value(n, key)) is not None]
        old = {value(n, key) for n in there}
        if len(set(new)) < len(new) or old & set(new) or (forbidden and forbidden in new):
            return False
    for key, limit in rule.get("x_replicas_on_different", {}).items():
        new, old = Counter(value(n, key) or "" for n in names), Counter(value(n, key) or "" for n in there)
        if any((new + old)[v] > limit for v in new) or sum(count < limit for count in (new + old).values()) > 1:
            return False
    return True


@SHORT
@given(clusters, rules, some.integers(1, 4), some.data())
def test_the_answer_keeps_all_rules_and_no_better_one_exists(
    of: dict[str, N], rule: dict[str, Any], wanted: int, data: Any
) -> None:
    there = data.draw(some.lists(some.sampled_from([n for n in of if "p" in of[n].pools] or ["-"]), max_size=1))
    assume(there != ["-"])
    existing = resource("web", *there, pool="p") if there else None
    cluster = made(of, (existing,) if existing else ())
    request = Request(wanted, GIB, SelectFilter(**rule), LAYERS, existing)
    try:
        tried = attempt(cluster, request)
    except Undecidable:
        assert existing is not None
        return
    total = dict(zip([(c.node.name, c.pool.name) for c in tried.candidates], tried.scores.totals, strict=True))
    every = [(name, pool) for name, node in of.items() for pool in node.pools]
    choices = [list(choice) for choice in combinations(every, wanted) if allowed(of, list(choice), there, rule)]
    best = max([sum(total[one] for one in choice) for choice in choices], default=None)
    assert tried.choice.complete
    if best is None:
        assert not tried.succeeded
        return
    chosen = [(c.node.name, c.pool.name) for c in tried.chosen]
    assert allowed(of, chosen, there, rule)
    preferred = rule.get("preferred_nodes", ())
    assert len({n for n, _ in chosen} & {*preferred}) == max(len({n for n, _ in c} & {*preferred}) for c in choices)
    assert sum(total[one] for one in chosen) == pytest.approx(best)


@SHORT
@given(clusters, rules, some.integers(1, 3), some.randoms())
def test_the_order_in_which_nodes_are_known_does_not_matter(
    of: dict[str, N], rule: dict[str, Any], wanted: int, chance: Any
) -> None:
    mixed = list(of.items())
    chance.shuffle(mixed)
    request = (wanted, GIB, SelectFilter(**rule), LAYERS)

    def answer(nodes: dict[str, N]) -> list[tuple[str, str]] | list[str]:
        try:
            return [(c.node.name, c.pool.name) for c in place(made(nodes), *request)]
        except NotEnoughNodes as refused:
            return list(refused.reasons)

    assert answer(of) == answer(dict(mixed))


@SHORT
@given(clusters, some.integers(1, 3))
def test_a_node_that_is_turned_down_matters_as_soon_as_its_reasons_are_gone(of: dict[str, N], wanted: int) -> None:
    """With all that is said against nodes out of the way, who lacked a place finds one, or too few are left at all."""
    of = {
        name: node._replace(pools={n: p._replace(shared="") for n, p in node.pools.items()})
        for name, node in of.items()
    }
    try:
        place(made(of), wanted, GIB, SelectFilter(), ("STORAGE",))
    except NotEnoughNodes as refused:
        told = refused.reasons
    else:
        return
    mended = {
        name: node._replace(offline=False, pools={n: p._replace(free=6) for n, p in node.pools.items()})
        for name, node in of.items()
    }
    against = [line for line in told if "would do" not in line]
    assume(against)
    if len(of) < wanted:
        with pytest.raises(NotEnoughNodes) as still:
            place(made(mended), wanted, GIB, SelectFilter(), ("STORAGE",))
        assert all("would do" in line for line in still.value.reasons)
        return
    found = place(made(mended), wanted, GIB, SelectFilter(), ("STORAGE",))
    assert any(f"node {c.node.name}: " in line for c in found for line in against)


# -- adversarial inputs -----------------------------------------------------------------------------------------------


def hubs(count: int, rules: int, places: int) -> list[Place]:
    """Every place shares a value with one of `count` - 1 hubs: `count` of them never fit, and little says so."""
    found = []
    for number in range(places):
        hub = number % (count - 1)
        at = hub % rules
        found.append(Place(-number, tuple((rule, f"hub{hub}" if rule == at else f"{number}") for rule in range(rules))))
    return found


def pairs(places: int) -> list[Place]:
    """Groups of two with the same rack: none can be filled under both rules."""
    return [Place(-number, (("rack", number // 2),), (), (f"site{number // 2}",)) for number in range(places)]


ADVERSARIAL = [
    pytest.param(hubs(3, 1, 4000), 3, (), 60, id="one-rule"),
    pytest.param(hubs(3, 2, 4000), 3, (), 100, id="two-rules"),
    pytest.param(hubs(3, 3, 4000), 3, (), 500, id="three-rules"),
    pytest.param(hubs(4, 3, 4000), 4, (), 20_000, id="three-rules-four-replicas"),
    pytest.param(hubs(5, 2, 4000), 5, (), 5_000, id="two-rules-five-replicas"),
    pytest.param(pairs(4000), 4, (Group(2),), 100, id="groups-that-cannot-be-filled"),
]


@pytest.mark.parametrize(("places", "count", "grouping", "steps"), ADVERSARIAL)
def test_the_work_depends_on_replicas_and_rules_not_on_the_number_of_nodes(
    places: list[Place], count: int, grouping: tuple[Group, ...], steps: int
) -> None:
    found = choose(places, count, grouping)
    assert (found.places, found.complete) == (None, True)
    assert found.steps <= steps
    assert choose(places[: len(places) // 4], count, grouping).steps <= steps


def test_where_even_that_is_too_much_the_search_ends_and_says_so() -> None:
    found = choose(hubs(12, 4, 2000), 12)
    assert (found.places, found.complete, found.steps) == (None, False, STEPS)


def test_a_search_that_ends_early_still_gives_the_best_that_it_found() -> None:
    places = [Place(10 - i / 100, tuple((rule, i * (7 + rule) % 40) for rule in range(3))) for i in range(400)]
    short, whole = choose(places, 4, steps=6), choose(places, 4)
    assert short.places is not None
    assert not short.complete
    assert whole.complete
    assert short.score <= whole.score
