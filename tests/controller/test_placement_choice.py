"""The search for the best choice, against trying every one."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest

from orlop.controller.placement.cells import Group
from orlop.controller.placement.choice import Place, choose

Case = tuple[list[Place], int, tuple[Group, ...]]


def case(seed: int) -> Case:
    """Some places under up to three rules about tokens and two about groups; scores are often equal."""
    chance = random.Random(seed)
    rules, groups, count = chance.randint(0, 3), chance.randint(0, 2), chance.randint(1, 5)
    places = [
        Place(
            chance.choice([chance.random(), chance.randint(-2, 3)]),
            tuple((rule, value) for rule in range(rules) if (value := chance.randint(0, 4))),
            chance.randrange(2),
            tuple(str(chance.randint(0, 3)) for _ in range(groups)),
        )
        for _ in range(chance.randint(1, 11))
    ]
    seen = [{str(value): chance.randint(1, 3) for value in range(4) if chance.random() < 0.2} for _ in range(groups)]
    grouping = tuple(Group(chance.randint(1, 3), there) for there in seen)
    return sorted(places, key=lambda place: -place.score), count, grouping


def allowed(chosen: tuple[Place, ...], grouping: tuple[Group, ...]) -> bool:
    tokens = [token for place in chosen for token in place.tokens]
    if len({place.side for place in chosen}) > 1 or len(tokens) > len(set(tokens)):
        return False
    for at, (limit, seen) in enumerate(grouping):
        added = Counter(place.cell[at] for place in chosen)
        after = Counter(seen) + added
        if any(after[value] > limit for value in added) or sum(size < limit for size in after.values()) > 1:
            return False
    return True


@pytest.mark.parametrize("seed", range(40))
def test_no_choice_is_better_than_the_one_that_is_found(seed: int) -> None:
    for number in range(25):
        places, count, grouping = case(1000 * seed + number)
        sums = [sum(p.score for p in c) for c in combinations(places, count) if allowed(c, grouping)]
        found = choose(places, count, grouping)
        assert found.complete
        assert (found.places is None) == (not sums)
        if found.places is not None:
            chosen = tuple(places[index] for index in found.places)
            assert allowed(chosen, grouping)
            assert found.score == pytest.approx(sum(p.score for p in chosen)) == pytest.approx(max(sums))


def test_the_best_ones_are_taken_in_their_order() -> None:
    assert choose([Place(3), Place(2), Place(1)], 2).places == (0, 1)


def test_among_equals_the_first_ones_are_taken() -> None:
    assert choose([Place(1, (("rack", i // 2),)) for i in range(6)], 3).places == (0, 2, 4)


def test_nothing_is_found_among_nothing() -> None:
    assert choose([], 1).places is None
