"""Generation identifiers of DRBD 9, and what two replicas that meet conclude from them (user's guide, chapter 23.2)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from enum import Enum

NONE = "0" * 16
JUST_CREATED = "0" * 15 + "4"
HISTORY = 32  # identifiers that are kept
NODE_IDS = 32


class Strategy(Enum):
    """Of the node that compares; the other one concludes the mirrored one."""

    NO_SYNC = "no-sync"
    SOURCE = "source-use-bitmap"
    SOURCE_COPY = "source-copy-other-bitmap"
    SOURCE_FULL = "source-set-bitmap"
    TARGET = "target-use-bitmap"
    TARGET_CLEAR = "target-clear-bitmap"
    TARGET_FULL = "target-set-bitmap"
    SPLIT_BRAIN = "split-brain-auto-recover"
    SPLIT_BRAIN_UNRELATED = "split-brain-disconnect"
    UNRELATED = "unrelated-data"

    @property
    def is_source(self) -> bool:
        return self.value.startswith("source")

    @property
    def is_target(self) -> bool:
        return self.value.startswith("target")


@dataclass
class Generations:
    """`bitmap` by node id: the generation that what is out of sync with that node is counted from."""

    current: str = JUST_CREATED
    bitmap: dict[int, str] = field(default_factory=dict)
    history: list[str] = field(default_factory=list)

    def towards(self, node_id: int) -> str:
        return self.bitmap.get(node_id, NONE)

    def advance(self, new: str, behind: set[int]) -> None:
        """A new generation of data begins; nodes that are `behind` do not follow."""
        noted = False
        for node_id in behind:
            if self.towards(node_id) == NONE:
                self.bitmap[node_id] = self.current
                noted = True
        if not noted:
            self.remember(self.current)
        self.current = new

    def met(self, node_id: int) -> None:
        """Everything is in sync with that node."""
        self.remember(self.bitmap.pop(node_id, NONE))

    def adopt(self, source: Generations, own_id: int, source_id: int, known: Collection[int]) -> None:
        """What the target of a synchronization has when it is over: what its source knows of generations. Of the bases
        of its bitmaps only those towards nodes that are `known` to it change: they have a place in its metadata.
        """
        before, both = self.current, {own_id, source_id}
        self.current = source.current
        self.history = list(source.history)
        kept = {node_id: base for node_id, base in self.bitmap.items() if node_id not in {*known, *both}}
        taken = {node_id: base for node_id, base in source.bitmap.items() if node_id in {*known} - both}
        self.bitmap = kept | taken
        for base in source.bitmap.values():
            self.remember(base)
        if before != self.current:
            self.remember(before)

    def remember(self, generation: str) -> None:
        if generation not in (NONE, JUST_CREATED, *self.history):
            self.history.insert(0, generation)
            del self.history[HISTORY:]


@dataclass(frozen=True)
class Verdict:
    """`through`: the node id whose bitmap is taken instead of the one between the two."""

    strategy: Strategy
    through: int | None = None


def compare(own: Generations, own_id: int, peer: Generations, peer_id: int) -> Verdict:
    """The first rule that applies decides."""
    mine, theirs = same(own.current), same(peer.current)
    if mine == theirs:
        return Verdict(Strategy.NO_SYNC)
    if mine == JUST_CREATED:
        return Verdict(Strategy.TARGET_FULL)
    if theirs == JUST_CREATED:
        return Verdict(Strategy.SOURCE_FULL)
    return _by_bitmaps(own, own_id, peer, peer_id) or _by_history(own, own_id, peer, peer_id)


def same(generation: str) -> str:
    """Without the lowest bit, which says who was primary; an empty one counts as just created."""
    return JUST_CREATED if int(generation, 16) == 0 else f"{int(generation, 16) & ~1:016X}"


def _by_bitmaps(own: Generations, own_id: int, peer: Generations, peer_id: int) -> Verdict | None:
    if _is_base(peer, own_id, own.current):
        return Verdict(Strategy.TARGET)
    if (through := _base_of_another(peer, peer_id, own.current)) is not None:
        return Verdict(Strategy.TARGET_CLEAR, through)
    if _is_base(own, peer_id, peer.current):
        return Verdict(Strategy.SOURCE)
    if (through := _base_of_another(own, own_id, peer.current)) is not None:
        return Verdict(Strategy.SOURCE_COPY, through)
    return None


def _by_history(own: Generations, own_id: int, peer: Generations, peer_id: int) -> Verdict:
    mine_is_older, theirs_is_older = _in(peer.history, own.current), _in(own.history, peer.current)
    if mine_is_older != theirs_is_older:
        return Verdict(Strategy.TARGET_FULL if mine_is_older else Strategy.SOURCE_FULL)
    base = own.towards(peer_id)
    if base != NONE and same(base) == same(peer.towards(own_id)):
        return Verdict(Strategy.SPLIT_BRAIN)
    if any(_in(peer.history, generation) for generation in own.history):
        return Verdict(Strategy.SPLIT_BRAIN_UNRELATED)
    return Verdict(Strategy.UNRELATED)


def _is_base(one: Generations, node_id: int, generation: str) -> bool:
    base = one.towards(node_id)
    return base != NONE and same(base) == same(generation)


def _base_of_another(one: Generations, one_id: int, generation: str) -> int | None:
    found = (n for n in sorted(one.bitmap) if n != one_id and _is_base(one, n, generation))
    return next(found, None)


def _in(history: list[str], generation: str) -> bool:
    return same(generation) in {same(known) for known in history}
