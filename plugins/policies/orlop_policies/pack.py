"""`pack`: fill pools one after the other, so that others stay empty."""

from collections.abc import Sequence
from typing import ClassVar

from orlop.plugin import API_VERSION, Candidate, Columns, Placement


class Pack:
    """The pool that would be fullest with the replica in it comes first."""

    api_version: ClassVar[int] = API_VERSION

    @classmethod
    def score(cls, placement: Placement, candidates: Sequence[Candidate]) -> Columns:
        size = placement.size
        return {"full pool": [1 - (c.free - size) / c.total if c.total > 0 else 0.0 for c in candidates]}
