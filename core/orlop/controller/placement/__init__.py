"""Where replicas go. `place` is what the rest of the controller uses."""

from orlop.controller.placement.changes import Change, smallest
from orlop.controller.placement.cluster import Cluster
from orlop.controller.placement.explaining import Explanation, explained
from orlop.controller.placement.filters import MAINTENANCE, NodeRule
from orlop.controller.placement.placing import (
    Attempt,
    NotEnoughNodes,
    Preselect,
    Request,
    Vetoes,
    attempt,
    candidates,
    node_check,
    node_problem,
    place,
    refusal,
)
from orlop.controller.placement.room import in_turns, largest
from orlop.controller.placement.scoring import DEFAULT as DEFAULT_POLICY
from orlop.controller.placement.scoring import POLICY, Weight
from orlop.controller.placement.spread import Undecidable, fits
from orlop.controller.placement.standing import Standings
from orlop.plugin import Candidate

__all__ = [
    "DEFAULT_POLICY",
    "MAINTENANCE",
    "POLICY",
    "Attempt",
    "Candidate",
    "Change",
    "Cluster",
    "Explanation",
    "NodeRule",
    "NotEnoughNodes",
    "Preselect",
    "Request",
    "Standings",
    "Undecidable",
    "Vetoes",
    "Weight",
    "attempt",
    "candidates",
    "explained",
    "fits",
    "in_turns",
    "largest",
    "node_check",
    "node_problem",
    "place",
    "refusal",
    "smallest",
]
