"""How many replicas each site gets, where there are bounds to that: at least so many, at most so many. Pure.

Unlike a group of an x-replicas rule a site needs not be filled: any number between the bounds will do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

Most = Callable[[str, int], float | None]  # the most that so many places of a site can score, None: too few


class Bounds(NamedTuple):
    """`needed` are the sites that have to have `least`; none are named: every one that has any replica."""

    most: int
    least: int = 0
    needed: frozenset[str] = frozenset()
    seen: Mapping[str, int] = {}  # replicas that exist, by site

    def fits(self, added: Mapping[str, int]) -> bool:
        after = {site: self.seen.get(site, 0) + added.get(site, 0) for site in {*self.seen, *added, *self.needed}}
        if any(count > 0 and after[site] > self.most for site, count in added.items()):
            return False
        return all(count >= self.least for site, count in after.items() if count > 0 or site in self.needed)

    @property
    def lacking(self) -> dict[str, int]:
        """What has to be added in any case."""
        begun = self.needed or {site for site, count in self.seen.items() if count > 0}
        missing = {site: self.least - self.seen.get(site, 0) for site in begun}
        return {site: count for site, count in missing.items() if count > 0}


def divisions(
    bounds: Bounds,
    sites: Sequence[str],
    count: int,
    most: Most,
    worth: Callable[[float], bool],
    step: Callable[[], None],
) -> Iterator[dict[str, int]]:
    """Every division of `count` among the sites that the bounds allow and that is worth a look, likely ones first."""
    begun = bounds.lacking
    left = count - sum(begun.values())
    scores = {site: most(site, number) if site in sites else None for site, number in begun.items()}
    if left < 0 or None in scores.values():
        return
    ranked = sorted(((score, site) for site in sites if (score := most(site, 1)) is not None), key=_best_first)
    for extra in _shared_out(bounds, ranked, left, begun, most, worth, step, _sum(scores)):
        sizes = {site: begun.get(site, 0) + extra.get(site, 0) for site in {**begun, **extra}}
        if bounds.fits(sizes):
            yield sizes


def _best_first(one: tuple[float, str]) -> tuple[float, str]:
    return -one[0], one[1]


def _sum(scores: Mapping[str, float | None]) -> float:
    return sum(score for score in scores.values() if score is not None)


def _shared_out(
    bounds: Bounds,
    ranked: Sequence[tuple[float, str]],
    left: int,
    begun: Mapping[str, int],
    most: Most,
    worth: Callable[[float], bool],
    step: Callable[[], None],
    base: float,
) -> Iterator[dict[str, int]]:
    """What is over when everything that is lacking is there; a site that is new gets as many as it has to have."""
    step()
    if left == 0:
        if worth(base):
            yield {}
        return
    for start, (single, site) in enumerate(ranked):
        if not worth(base + left * single):
            return  # those further down score less
        there = begun.get(site, 0)
        before = most(site, there) if there else 0.0
        least = 1 if there or bounds.seen.get(site, 0) else max(1, bounds.least)
        room = bounds.most - bounds.seen.get(site, 0) - there
        for extra in range(min(left, room), least - 1, -1):
            score = most(site, there + extra)
            if score is None or before is None:
                continue
            rest = ranked[start + 1 :]
            for others in _shared_out(bounds, rest, left - extra, begun, most, worth, step, base + score - before):
                yield {site: extra, **others}
