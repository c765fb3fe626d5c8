"""`balanced`, the default: most free space, and no pool much fuller than the others."""

from collections.abc import Sequence
from typing import ClassVar

from orlop.plugin import API_VERSION, Candidate, Columns, Placement
from orlop_policies.shares import of_largest

EVEN, FEW = 0.5, 0.01  # what an empty pool, and the fewest volumes, count beside most free space, which counts 1


class Balanced:
    """Where all pools are of one size the parts agree; among different ones the large do not fill up first alone."""

    api_version: ClassVar[int] = API_VERSION

    @classmethod
    def score(cls, placement: Placement, candidates: Sequence[Candidate]) -> Columns:
        size = placement.size
        return {
            "free space": of_largest([c.free for c in candidates]),
            "even fill": [EVEN * (c.free - size) / c.total if c.total > 0 else 0.0 for c in candidates],
            "few volumes": of_largest([c.volumes_on_node for c in candidates], -FEW),
        }
