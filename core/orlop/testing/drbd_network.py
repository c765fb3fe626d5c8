"""What is between simulated nodes that replicate, whichever DRBD they have."""

from __future__ import annotations

import itertools
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Protocol


class Replicating(Protocol):
    name: str

    def meet(self) -> None:
        """See who is reached now."""

    def judge(self) -> None:
        """Draw conclusions from that."""

    def progress(self) -> None:
        """Go on with what is going on."""


class SimulatedNetwork:
    """The nodes' DRBDs by name; `cut` are pairs of nodes that do not reach each other."""

    def __init__(self) -> None:
        self.nodes: dict[str, Replicating] = {}
        self.cut: set[frozenset[str]] = set()
        self._generations = itertools.count(0x1000000000000000, 2)

    def reaches(self, one: str, other: str) -> bool:
        return one != other and frozenset((one, other)) not in self.cut

    def new_generation(self) -> str:
        return f"{next(self._generations):016X}"

    def look(self) -> None:
        for node in self.nodes.values():
            node.meet()
        for _ in range(ROUNDS):
            for node in self.nodes.values():
                node.judge()

    def settle(self) -> None:
        self.look()
        for node in self.nodes.values():
            node.progress()
        self.look()


class Listened(ABC):
    """A node's DRBD as `drbdsetup events2` tells of it."""

    network: SimulatedNetwork
    _told: tuple[str, ...] = ()

    @abstractmethod
    def _events(self) -> Iterable[str]: ...

    def changed(self, wait: float) -> bool:
        """Whether something would have been told since the last call; it is not waited for."""
        self.network.settle()
        before, self._told = self._told, tuple(self._events())
        return before != self._told


def capacity(size: int, peers: int = 1) -> int:
    """Bytes that are left for data of a device of `size` bytes: a bitmap for every peer, and 36 KiB, at its end."""
    one = -(-size // (BITMAP * 64)) * 8
    bitmap = -(-one * peers // BITMAP) * BITMAP
    return size - bitmap - LOG


def apart(size: int, room: int, peers: int = 1) -> int:
    """The same where the metadata has a device of `room` bytes for itself: no more than its bitmaps cover."""
    one = (room - LOG) // peers // 8 * 8
    return min(size, one * 8 * BITMAP)


ROUNDS = 3  # what one node concludes is news for others
BITMAP = 4096  # bytes that one bit stands for, and a page
LOG = 36 << 10  # bytes of metadata beside the bitmap
