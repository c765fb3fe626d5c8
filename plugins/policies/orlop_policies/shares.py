"""Figures of all candidates as shares of the largest one, so that bytes and counts can be added up."""

from collections.abc import Iterable


def of_largest(values: Iterable[float], weight: float = 1.0) -> list[float]:
    """Each value divided by the largest, times `weight`; all 0 where none is above 0."""
    found = list(values)
    largest = max(found, default=0)
    if largest <= 0:
        return [0.0] * len(found)
    factor = weight / largest
    return [value * factor for value in found]
