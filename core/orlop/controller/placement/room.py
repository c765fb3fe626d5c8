"""How large a volume could be, and how much could be placed altogether. Pure; bytes."""

from __future__ import annotations

from collections.abc import Sequence

from orlop.controller.placement.cluster import Cluster
from orlop.controller.placement.placing import Attempt, Request, attempt
from orlop.model import key
from orlop.plugin import Candidate


def largest(cluster: Cluster, request: Request) -> tuple[int, Attempt]:
    """The largest size with which a placement succeeds, and what would be chosen then; 0 where none does.

    `request.size` is the smallest that is of interest. Whether there is a choice does not depend on who ranks it: the
    answer holds for every policy.
    """
    least = attempt(cluster, request)
    if not least.succeeded:
        return 0, least
    sizes = sorted({c.free for c in least.candidates if c.free > request.size})
    most = _upper(least.candidates, request.wanted)
    sizes = [size for size in sizes if size <= most]
    low, high, best = 0, len(sizes), least  # the first `low` sizes work
    middle = high  # without rules of spreading the largest one does
    while low < high:
        tried = attempt(cluster, request._replace(size=sizes[middle - 1]))
        if tried.succeeded:
            low, best = middle, tried
        else:
            high = middle - 1
        middle = (low + high + 1) // 2
    return (sizes[low - 1] if low else request.size), best


def _upper(candidates: Sequence[Candidate], count: int) -> int:
    """What so many nodes have at least, the roomiest ones."""
    return sorted(best_of_nodes(candidates), reverse=True)[count - 1]


def best_of_nodes(candidates: Sequence[Candidate]) -> list[int]:
    """Of each node the free bytes of its roomiest pool."""
    found: dict[str, int] = {}
    for candidate in candidates:
        at = key(candidate.node.name)
        found[at] = max(found.get(at, 0), candidate.free)
    return list(found.values())


def in_turns(spaces: Sequence[int], count: int) -> int:
    """Bytes that volumes of `count` replicas could hold altogether, each on the roomiest nodes (`semantics.md` 5):
    repeatedly take the `count` roomiest and subtract what the smallest of them has."""
    left = sorted((space for space in spaces if space > 0), reverse=True)
    total = 0
    while count > 0 and len(left) >= count:
        step = left[count - 1]
        total += step
        left = sorted([space - step for space in left[:count] if space > step] + left[count:], reverse=True)
    return total
