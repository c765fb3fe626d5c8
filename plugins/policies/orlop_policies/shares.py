"""Figures of all candidates as shares of the largest one, so that bytes and counts can be added up."""

from collections.abc import Sequence


def of_largest(values: Sequence[float], weight: float = 1.0) -> list[float]:
    """Each value divided by the largest, times `weight`; all 0 where none is above 0."""
    largest = max(values, default=0)
    if largest <= 0:
        return [0.0] * len(values)
    factor = weight / largest
    return [value * factor for value in values]
