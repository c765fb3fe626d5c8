"""What speaks against a node or a pool, and what would have to change."""

from __future__ import annotations

from typing import NamedTuple


class Objection(NamedTuple):
    """`rule` tells kinds of objections apart; those of a request bear the name of the field of the select filter."""

    rule: str
    text: str  # about the node or pool: "it is offline"
    change: str = ""  # what would remove it, in the imperative


class Against(NamedTuple):
    """All that speaks against one pool, or against a node with all its pools; `pool` is empty then."""

    node: str
    pool: str
    objections: tuple[Objection, ...]

    @property
    def text(self) -> str:
        why = "; ".join(objection.text for objection in self.objections)
        return f"pool {self.pool}: {why}" if self.pool else why
