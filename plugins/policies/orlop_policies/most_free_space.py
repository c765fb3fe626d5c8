"""`most-free-space`: the sum of weighted shares that LINSTOR uses (`semantics.md` section 7.3)."""

from collections.abc import Sequence
from typing import ClassVar

from orlop.plugin import API_VERSION, Candidate, Columns, Placement
from orlop_policies.shares import of_largest

DEFAULTS = {"MaxFreeSpace": 1.0, "MinReservedSpace": 0.0, "MinRscCount": 1e-5, "MaxThroughput": 0.0}


class MostFreeSpace:
    """`Autoplacer/Weights/*` of the controller say how much each strategy counts; what is to be small is negative."""

    api_version: ClassVar[int] = API_VERSION

    @classmethod
    def score(cls, placement: Placement, candidates: Sequence[Candidate]) -> Columns:
        weights = {**DEFAULTS, **placement.weights}
        figures = {
            "MaxFreeSpace": ([c.free for c in candidates], 1),
            "MinReservedSpace": ([c.reserved for c in candidates], -1),
            "MinRscCount": ([c.volumes for c in candidates], -1),
            "MaxThroughput": (placement.throughput or [0.0] * len(candidates), 1),
        }
        return {
            name: of_largest(values, sign * weights[name]) for name, (values, sign) in figures.items() if weights[name]
        }
