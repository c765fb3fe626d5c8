"""How many places each cell gives, where x-replicas rules want groups of equal values to be filled. Pure.

`semantics.md` section 7.4: every group that is used gets `limit` replicas, at most one group may have fewer; replicas
that exist count. A *cell* is a tuple of values, one for each rule; a group of a rule is all cells with one value there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from orlop.controller.placement.bounds import Bounds, divisions

Cell = tuple[str, ...]
Demand = dict[Cell, int]


class Group(NamedTuple):
    """One x-replicas rule: replicas wanted for each value that is used, and those that each value has already."""

    limit: int
    seen: Mapping[str, int] = {}


Grouping = tuple[Group | Bounds, ...]
Most = Callable[[Sequence[Cell], int], float | None]  # the most that so many of these cells can score, None: too few
Worth = Callable[[float], bool]  # whether a choice that scores so much at most is still of interest
Step = Callable[[], None]  # called for each try; raises when there were enough


def demands(
    cells: Sequence[Cell], count: int, grouping: Grouping, most: Most, worth: Worth, step: Step
) -> Iterator[Demand]:
    """Every division of `count` among the cells that all rules allow and that is `worth` a look, likely ones first."""
    if not grouping:
        if most(cells, count) is not None:
            yield {cell: count for cell in cells}
        return
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell[0], []).append(cell)
    for sizes in _sizes(grouping[0], groups, count, most, worth, step):
        for demand in _divided(list(sizes.items()), groups, most, step):
            if all(fits(rule, _counted(demand, at)) for at, rule in enumerate(grouping[1:], 1)):
                yield demand


def _sizes(
    rule: Group | Bounds, groups: Mapping[str, list[Cell]], count: int, most: Most, worth: Worth, step: Step
) -> Iterator[dict[str, int]]:
    if isinstance(rule, Group):
        return _Filling(rule, groups, most, worth, step).all(count)

    def of_site(site: str, number: int) -> float | None:
        return most(groups.get(site, ()), number)

    return divisions(rule, list(groups), count, of_site, worth, step)


def fits(rule: Group | Bounds, added: Mapping[str, int]) -> bool:
    """Whether so many more replicas for each value leave no group too large and at most one too small."""
    if isinstance(rule, Bounds):
        return rule.fits(added)
    after = {value: rule.seen.get(value, 0) + added.get(value, 0) for value in {*rule.seen, *added}}
    if any(count > 0 and after[value] > rule.limit for value, count in added.items()):
        return False
    return sum(0 < count < rule.limit for count in after.values()) <= 1


def _counted(demand: Demand, at: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for cell, count in demand.items():
        found[cell[at]] = found.get(cell[at], 0) + count
    return found


def _divided(
    sizes: Sequence[tuple[str, int]], groups: Mapping[str, list[Cell]], most: Most, step: Step
) -> Iterator[Demand]:
    """What every group gives, divided among its cells."""
    if not sizes:
        yield {}
        return
    (value, count), *rest = sizes
    for part in _parts(groups[value], count, most, step):
        for others in _divided(rest, groups, most, step):
            yield part | others


def _parts(cells: Sequence[Cell], count: int, most: Most, step: Step) -> Iterator[Demand]:
    step()
    if len(cells) == 1:
        if most(cells, count) is not None:
            yield {cells[0]: count} if count else {}
        return
    for first in range(count, -1, -1):
        if most(cells[:1], first) is None:
            continue
        for others in _parts(cells[1:], count - first, most, step):
            yield ({cells[0]: first} if first else {}) | others


class _Filling:
    """Ways to fill the groups of one rule."""

    def __init__(self, rule: Group, groups: Mapping[str, list[Cell]], most: Most, worth: Worth, step: Step) -> None:
        self.limit, self.seen = rule
        self.groups = groups
        self.worth = worth
        self.step = step
        self._most = most
        self._known: dict[tuple[str, int], float | None] = {}

    def most(self, value: str, count: int) -> float | None:
        at = (value, count)
        if at not in self._known:
            cells = self.groups.get(value, ())
            self._known[at] = self._most(cells, count) if cells or count == 0 else None
        return self._known[at]

    def all(self, count: int) -> Iterator[dict[str, int]]:
        """Groups that are begun have to be filled, but for one; then come full new ones, and what is left over."""
        begun = sorted(value for value, there in self.seen.items() if 0 < there < self.limit)
        for unfilled in (None, *begun):
            sizes = {value: self.limit - self.seen[value] for value in begun if value != unfilled}
            left = count - sum(sizes.values())
            if unfilled is None:
                yield from self._with_new(sizes, left, left % self.limit)
                continue
            for part in range(min(self.limit - self.seen[unfilled], left + 1)):
                if (left - part) % self.limit == 0:
                    yield from self._with_new({**sizes, unfilled: part}, left - part, 0)

    def _with_new(self, sizes: dict[str, int], left: int, over: int) -> Iterator[dict[str, int]]:
        known = [self.most(value, part) for value, part in sizes.items()]
        if left < 0 or None in known:
            return
        base = sum(score for score in known if score is not None)
        new = [value for value in self.groups if self.seen.get(value, 0) == 0]
        full = self._ranked(new, self.limit)
        number = left // self.limit
        for score, last in self._ranked(new, over) if over else [(0.0, None)]:
            others = [one for one in full if one[1] != last]
            last_size = {last: over} if last is not None else {}
            for values in self._chosen(others, number, base + score):
                yield (
                    {value: part for value, part in sizes.items() if part}
                    | dict.fromkeys(values, self.limit)
                    | last_size
                )

    def _ranked(self, values: Sequence[str], count: int) -> list[tuple[float, str]]:
        """Values that can give so many, best first."""
        found = [(score, value) for value in values if (score := self.most(value, count)) is not None]
        return sorted(found, key=lambda one: (-one[0], one[1]))

    def _chosen(self, ranked: Sequence[tuple[float, str]], number: int, base: float) -> Iterator[tuple[str, ...]]:
        """Combinations of `number` values, as long as they are of interest."""
        self.step()
        if number == 0:
            if self.worth(base):
                yield ()
            return
        for start in range(len(ranked) - number + 1):
            if not self.worth(base + sum(score for score, _ in ranked[start : start + number])):
                return  # those further down score less
            score, value = ranked[start]
            for rest in self._chosen(ranked[start + 1 :], number - 1, base + score):
                yield (value, *rest)
