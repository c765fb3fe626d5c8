"""When a request counts as done. Pure: what is wanted and reported goes in, how far it is comes out."""

from orlop.controller.wait.expressions import AllOf, AnyOf, Expression, Policy, check, parse
from orlop.controller.wait.known import of_resource, of_size, of_snapshot
from orlop.controller.wait.outcome import Condition, Missing, Outcome, beyond, hopeless, judge

__all__ = [
    "AllOf",
    "AnyOf",
    "Condition",
    "Expression",
    "Missing",
    "Outcome",
    "Policy",
    "beyond",
    "check",
    "hopeless",
    "judge",
    "of_resource",
    "of_size",
    "of_snapshot",
    "parse",
]
