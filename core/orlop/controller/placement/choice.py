"""The best choice of a number of places under rules of spreading: exact, deterministic, bounded. Pure.

A *place* has a score, *tokens* that no two of a choice may share (its node, its shared space, its value of each
property that replicas differ in), a *side* that all of a choice have in common (values of properties that replicas
agree in), and a *cell* (values of properties that x-replicas rules group by).

Why nothing is missed although little is tried: of the places that are left, take the best one, `b`. A choice that has
neither `b` nor a place sharing a token with `b` is no better than the same choice with any one of its places exchanged
for `b`. So only `b` and those that share a token with it need to be tried first. And of places that share tokens only
so many can matter as the other places of a choice can rule out (`_kernel`). The work therefore depends on the number
of replicas and rules, not on the number of nodes; `STEPS` bounds it where both are large.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

from orlop.controller.placement.cells import Cell, Grouping, demands

STEPS = 50_000  # places tried at most in one search; each takes some microseconds
STEPS_OF_A_GROUP = 200  # where only a bound for one group is wanted
ALIKE = 1e-9  # scores that differ by less are equal: sums of floats are


class Place(NamedTuple):
    score: float
    tokens: tuple[Hashable, ...] = ()  # in the same order for all places
    side: Hashable = ()
    cell: Cell = ()


class Choice(NamedTuple):
    """`places` are indexes of what was given, best first; None where no choice was found."""

    places: tuple[int, ...] | None
    score: float = 0.0
    steps: int = 0
    complete: bool = True  # False: `STEPS` ran out, a better choice (or one at all) may exist


def choose(places: Sequence[Place], count: int, grouping: Grouping = (), steps: int = STEPS) -> Choice:
    """The choice of `count` places with the highest sum of scores; `places` are sorted, best first.

    Among equal sums the places that come first are preferred, as far as the search meets both.
    """
    search = _Search(places, steps)
    sides: dict[Hashable, list[int]] = {}
    for index, place in enumerate(places):
        sides.setdefault(place.side, []).append(index)
    likely = sorted(sides.values(), key=lambda side: (-sum(places[i].score for i in side[:count]), side[0]))
    complete = True
    try:
        for side in likely:
            if len(side) >= count:
                search.within(side, count, grouping)
    except _Exhausted:
        complete = False
    found = tuple(sorted(search.best)) if search.best is not None else None
    return Choice(found, search.score, search.used, complete)


class _Exhausted(Exception):
    """No step is left."""


class _Search:
    """The best choice so far, and what the search has cost."""

    def __init__(self, places: Sequence[Place], steps: int) -> None:
        self.places = places
        self.left = steps
        self.used = 0
        self.best: tuple[int, ...] | None = None
        self.score = float("-inf")

    def within(self, side: list[int], count: int, grouping: Grouping) -> None:
        """Tries what the places of one side allow; `side` holds indexes, best first."""
        cells: dict[Cell, list[int]] = {}
        for index in side:
            cells.setdefault(self.places[index].cell, []).append(index)
        kept = {cell: _kernel(self.places, indexes, count) for cell, indexes in cells.items()}
        free = not any(self.places[i].tokens for i in side)

        def most(of: Sequence[Cell], number: int) -> float | None:
            indexes = sorted(i for cell in of for i in kept[cell])
            if len(indexes) < number:
                return None
            bound = sum(self.places[i].score for i in indexes[:number])
            if free or not grouping or number < 2:
                return bound
            alone = choose([self.places[i]._replace(cell=()) for i in indexes], number, steps=STEPS_OF_A_GROUP)
            return alone.score if alone.places is not None else None if alone.complete else bound

        for demand in demands(list(kept), count, grouping, most, self.worth, self.step):
            self._among(kept, demand)

    def worth(self, bound: float) -> bool:
        return bound > self.score + ALIKE

    def step(self) -> None:
        if self.used >= self.left:
            raise _Exhausted
        self.used += 1

    def _among(self, kept: Mapping[Cell, list[int]], demand: Mapping[Cell, int]) -> None:
        """The best choice of so many places from each cell."""
        order = sorted(i for cell in demand for i in kept[cell])
        field = _Field(self.places, order, demand)
        self._extend(field, field.everything, dict(demand), (), 0.0)

    def _extend(self, field: _Field, left: int, need: dict[Cell, int], chosen: tuple[int, ...], score: float) -> None:
        self.step()
        if not any(need.values()):
            if self.worth(score):
                self.best, self.score = tuple(field.order[i] for i in chosen), score
            return
        bound = field.bound(left, need)
        if bound is None or not self.worth(score + bound):
            return
        cell = next(cell for cell, count in need.items() if count)
        best = _lowest(left & field.members[cell])
        rivals = left & field.conflicts[best] & field.wanted(need)
        for index in (best, *_bits(rivals & ~(1 << best))):
            at = field.cells[index]
            rest = {**need, at: need[at] - 1}
            left &= ~(1 << index)
            self._extend(field, left & ~field.conflicts[index], rest, (*chosen, index), score + field.scores[index])


class _Field:
    """The places of one search as bits of whole numbers, the best one lowest."""

    def __init__(self, places: Sequence[Place], order: list[int], cells: Iterable[Cell]) -> None:
        self.order = order
        self.scores = [places[i].score for i in order]
        self.cells = [places[i].cell for i in order]
        self.members: dict[Cell, int] = dict.fromkeys(cells, 0)
        self.everything = (1 << len(order)) - 1
        sharing: dict[Hashable, int] = {}
        for bit, index in enumerate(order):
            self.members[places[index].cell] |= 1 << bit
            for token in places[index].tokens:
                sharing[token] = sharing.get(token, 0) | 1 << bit
        self.conflicts = [self._union(sharing, places[index].tokens, bit) for bit, index in enumerate(order)]

    @staticmethod
    def _union(sharing: Mapping[Hashable, int], tokens: Iterable[Hashable], bit: int) -> int:
        found = 1 << bit
        for token in tokens:
            found |= sharing[token]
        return found

    def wanted(self, need: Mapping[Cell, int]) -> int:
        """Places of cells that still need some."""
        found = 0
        for cell, count in need.items():
            if count:
                found |= self.members[cell]
        return found

    def bound(self, left: int, need: Mapping[Cell, int]) -> float | None:
        """The most that could still be added, were there no conflicts; None where too few are left."""
        found = 0.0
        for cell, count in need.items():
            rest = left & self.members[cell]
            for _ in range(count):
                if not rest:
                    return None
                lowest = rest & -rest
                found += self.scores[lowest.bit_length() - 1]
                rest ^= lowest
        return found


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1


def _bits(bits: int) -> Iterator[int]:
    while bits:
        yield _lowest(bits)
        bits &= bits - 1


def _kernel(places: Sequence[Place], indexes: list[int], count: int) -> list[int]:
    """Those of a cell's places, best first, that can be part of a best choice of `count` places.

    The others of a choice rule out at most `room` of the places with the same tokens in common: one that comes after
    more than so many of them is never needed. Of places without tokens, `count` will do.
    """
    most = max((len(places[i].tokens) for i in indexes), default=0)
    rooms = [1]  # by number of tokens that are free to differ
    for free in range(1, most + 1):
        rooms.append((count - 1) * free * rooms[-1] + 1)
    if most == 0:
        return indexes[:count]
    taken: Counter[tuple[Hashable, ...]] = Counter()
    kept: list[int] = []
    for index in indexes:
        tokens = places[index].tokens
        parts = [(part, most - size) for size in range(1, len(tokens) + 1) for part in combinations(tokens, size)]
        if any(taken[part] >= rooms[free] for part, free in parts):
            continue
        kept.append(index)
        if len(kept) >= rooms[most]:
            break
        taken.update(part for part, _ in parts)
    return kept
