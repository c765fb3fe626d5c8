"""Figures, what is wanted of them, and the table that tells."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class Figure(NamedTuple):
    """`wanted` is a bound in the same unit as `measured`; None where the figure is for information only.

    `least`: it is the least possible, which nobody can go below; there is no verdict then.
    """

    name: str
    measured: float
    unit: str
    wanted: float | None = None
    at_least: bool = False
    least: bool = False

    @property
    def ratio(self) -> float | None:
        """How much of what is allowed was taken: 1 or less is as wanted."""
        if self.wanted is None:
            return None
        part, whole = (self.wanted, self.measured) if self.at_least else (self.measured, self.wanted)
        return part / whole if whole else math.inf

    @property
    def missed(self) -> bool:
        return not self.least and self.ratio is not None and self.ratio > 1

    def __str__(self) -> str:
        sign = "least" if self.least else ">=" if self.at_least else "<="
        wanted = "" if self.wanted is None else f"{sign} {_short(self.wanted)} {self.unit}"
        measured = f"{_short(self.measured)} {self.unit}"
        ratio = "" if self.ratio is None else f"{self.ratio:.2f}"
        verdict = "" if self.ratio is None or self.least else "missed" if self.missed else "ok"
        return f"{self.name:<66}{wanted:>16}{measured:>14}{ratio:>8}  {verdict}".rstrip()


HEADER = f"{'figure':<66}{'wanted':>16}{'measured':>14}{'ratio':>8}"


def late(times: Sequence[float], share: float = 0.99) -> float:
    """The time that this share of all does not exceed."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, math.ceil(len(ordered) * share) - 1)]


def timing(name: str, times: Sequence[float], wanted: float | None = None) -> Figure:
    """Median of `times` (seconds), in milliseconds; `wanted` in milliseconds."""
    return Figure(name, statistics.median(times) * 1000, "ms", wanted)


def p99(name: str, times: Sequence[float], wanted: float | None = None) -> Figure:
    """`times` in seconds, `wanted` in milliseconds."""
    return Figure(name, late(times) * 1000, "ms", wanted)


def show(figures: Iterable[Figure]) -> None:
    """Print figures as they come."""
    print(HEADER, flush=True)
    for figure in figures:
        print(figure, flush=True)


def _short(number: float) -> str:
    return f"{number:.0f}" if abs(number) >= 100 else f"{number:.3g}"
