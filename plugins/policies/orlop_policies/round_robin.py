"""`round-robin`: nodes take turns, whatever the size of their pools."""

from collections.abc import Sequence
from typing import ClassVar

from orlop.plugin import API_VERSION, Candidate, Columns, Placement
from orlop_policies.shares import of_largest


class RoundRobin:
    """The turn of a node comes with its number of volumes: it needs no memory, and who was away catches up."""

    api_version: ClassVar[int] = API_VERSION

    @classmethod
    def score(cls, placement: Placement, candidates: Sequence[Candidate]) -> Columns:
        return {
            "turn of the node": of_largest([c.volumes_on_node for c in candidates], -1.0),
            "turn of the pool": of_largest([c.volumes for c in candidates], -1e-6),
        }
