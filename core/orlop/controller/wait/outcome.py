"""Ask the policies of an expression, and say how far it is: what is satisfied, who is missing, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.wait.expressions import AllOf, Expression, Policy, policies
from orlop.drivers import WAIT_FOR, Drivers
from orlop.errors import OrlopError, Refused
from orlop.model.cluster import Value
from orlop.plugin import Awaited, Copy, Verdict

MOST = 1000  # copies that can be asked for


class Missing(Value, frozen=True, kw_only=True):
    """A copy that does not count yet. `reason` is a few words."""

    node: str
    volume: int
    reason: str
    stalled: bool = False


class Condition(Value, frozen=True, kw_only=True):
    """One policy over all volumes; `said` and `never` are about the volume that is furthest behind."""

    policy: Policy
    satisfied: bool
    said: str
    never: str
    counted: tuple[frozenset[str], ...]  # by volume: nodes whose copies count
    votes: bool  # replicas without a disk count as well


class Outcome(Value, frozen=True, kw_only=True):
    satisfied: bool
    conditions: tuple[Condition, ...]  # in the order of the expression
    missing: tuple[Missing, ...] = ()  # by node and volume
    never: str = ""  # why waiting is of no use, a clause

    @property
    def decided_by(self) -> Policy:
        """The first policy that is satisfied; while none is, the last one that was asked."""
        return next((c.policy for c in self.conditions if c.satisfied), self.conditions[-1].policy)

    @property
    def said(self) -> str:
        return "; ".join(f"{c.policy}: {c.said}" for c in self.conditions)


def judge(drivers: Drivers, expression: Expression, awaited: Sequence[Awaited]) -> Outcome:
    """`awaited` has an entry for each volume that counts. Raises `Refused` where a policy's own code fails."""
    conditions = {policy: _condition(drivers, policy, awaited) for policy in policies(expression)}
    satisfied = _satisfied(expression, conditions)
    return Outcome(
        satisfied=satisfied,
        conditions=tuple(conditions.values()),
        missing=() if satisfied else _missing(conditions, awaited),
        never="" if satisfied else _never(expression, {policy: c.never for policy, c in conditions.items()}),
    )


def hopeless(drivers: Drivers, expression: Expression, awaited: Sequence[Awaited]) -> bool:
    """Whether it would stay unsatisfied if every node that is at work came to a good end."""
    hoped = [
        replace(volume, copies=tuple(map(_hoped, volume.copies)), voters=tuple(map(_hoped, volume.voters)))
        for volume in awaited
    ]
    return not judge(drivers, expression, hoped).satisfied


def beyond(drivers: Drivers, expression: Expression, copies: int, replicated: bool) -> str:
    """Why so many planned copies can never satisfy it, whichever they are, a clause; empty where they might.

    Counts only what more copies, or copies of the same data, would change: a policy may look at more than numbers, at
    sites for example, and of that nothing is known before there are copies.
    """
    few, many = _imagined(copies, replicated), _imagined(MOST, True)
    return _never(expression, {policy: _beyond(drivers, policy, few, many) for policy in policies(expression)})


def _imagined(copies: int, replicated: bool) -> Awaited:
    """Voters are never what is missing: they come by themselves."""
    blank = tuple(Copy(node=f"node {number}") for number in range(MOST))
    return Awaited(volume=0, copies=blank[:copies], voters=blank, replicated=replicated)


def _beyond(drivers: Drivers, policy: Policy, few: Awaited, many: Awaited) -> str:
    try:
        never = _verdict(drivers, policy, few).never
        return "" if never and _verdict(drivers, policy, many).never else never
    except OrlopError:  # it needs to know more of the copies
        return ""


def _hoped(copy: Copy) -> Copy:
    return copy if copy.stalled else replace(copy, done=True, up_to_date=True, quorum=None)


def _condition(drivers: Drivers, policy: Policy, awaited: Sequence[Awaited]) -> Condition:
    verdicts = [_verdict(drivers, policy, volume) for volume in awaited]
    behind = min(verdicts, key=lambda v: (v.satisfied, not v.never, len(v.counted)))
    return Condition(
        policy=policy,
        satisfied=all(v.satisfied for v in verdicts),
        said=behind.said or ("satisfied" if behind.satisfied else "not satisfied"),
        never=behind.never,
        counted=tuple(frozenset(v.counted) for v in verdicts),
        votes=any(v.votes for v in verdicts),
    )


def _verdict(drivers: Drivers, policy: Policy, awaited: Awaited) -> Verdict:
    try:
        verdict: Verdict = drivers.load(WAIT_FOR, policy.name).judge(policy.argument, awaited)
    except OrlopError:
        raise
    except Exception as error:  # noqa: BLE001 - somebody else's code; whoever waits is told
        raise Refused(
            f"The wait policy '{policy}' failed: {type(error).__name__}: {error}",
            correction="Use another policy, and tell the author of the plugin.",
            code=Fail.UNKNOWN_ERROR,
        ) from error
    return verdict


def _satisfied(expression: Expression, conditions: dict[Policy, Condition]) -> bool:
    if isinstance(expression, Policy):
        return conditions[expression].satisfied
    parts = (_satisfied(part, conditions) for part in expression.parts)
    return all(parts) if isinstance(expression, AllOf) else any(parts)


def _never(expression: Expression, never: Mapping[Policy, str]) -> str:
    if isinstance(expression, Policy):
        why = never[expression]
        return f"{expression}: {why}" if why else ""
    reasons = [_never(part, never) for part in expression.parts]
    if isinstance(expression, AllOf):
        return next(filter(None, reasons), "")
    return "; ".join(reasons) if all(reasons) else ""


def _missing(conditions: dict[Policy, Condition], awaited: Sequence[Awaited]) -> tuple[Missing, ...]:
    """What does not count for every policy that is not satisfied."""
    open_ones = [c for c in conditions.values() if not c.satisfied]
    found = []
    for index, volume in enumerate(awaited):
        wanted = [(copy, open_ones) for copy in volume.copies]
        wanted += [(voter, [c for c in open_ones if c.votes]) for voter in volume.voters]
        for copy, asked in wanted:
            if any(copy.node not in c.counted[index] for c in asked):
                reason = copy.problem or "it does not count for the policy"
                found.append(Missing(node=copy.node, volume=volume.volume, reason=reason, stalled=copy.stalled))
    return tuple(sorted(found, key=lambda m: (m.node.lower(), m.volume)))
