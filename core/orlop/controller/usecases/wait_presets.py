"""Requests whose resource group says when they are done: wait for that, and say what became of it."""

from __future__ import annotations

from typing import NamedTuple

from orlop.codes import Info, Warn
from orlop.controller.answers import Answers
from orlop.controller.core import WAIT, Core
from orlop.controller.usecases import wait_for
from orlop.controller.wait import Outcome, hopeless, judge, parse, presets
from orlop.errors import OrlopError


class Waited(NamedTuple):
    """`seconds` that the request waits at most."""

    asked: wait_for.Question
    origin: str
    seconds: float

    def __str__(self) -> str:
        return f"'{self.asked.expression}' ({self.origin})"


def of(core: Core, name: str, kind: str, number: int | None = None, snapshot: str | None = None) -> Waited | None:
    """What holds for a definition; None where it, its group and the controller say nothing. `kind`: a policy's key."""
    definition = core.picture.definition(name)
    found = presets.preset(core.picture, definition, kind) if definition else None
    if definition is None or found is None:
        return None
    size = 0 if kind == presets.SIZE else None
    asked = wait_for.Question(definition.name, parse(found.policy), number, size, snapshot)
    return Waited(asked, found.origin, WAIT if found.seconds is None else min(found.seconds, WAIT))


def is_satisfied(core: Core, waited: Waited) -> bool:
    outcome = _outcome(core, waited)
    return isinstance(outcome, Outcome) and outcome.satisfied


def is_over(core: Core, waited: Waited, at_rest: bool) -> bool:
    """Whether the policy is satisfied, or nothing is left that could still satisfy it.

    `at_rest`: every node has done, or failed to do, what it was told.
    """
    outcome = _outcome(core, waited)
    if isinstance(outcome, Outcome) and outcome.satisfied:
        return True
    if not at_rest:
        return False
    if not isinstance(outcome, Outcome) or outcome.never:
        return True
    return hopeless(core.drivers, waited.asked.expression, wait_for.awaited(core, waited.asked))


def explain(core: Core, answers: Answers, waited: Waited) -> None:
    outcome = _outcome(core, waited)
    if not isinstance(outcome, Outcome):
        answers.warning(f"The wait policy {waited} does not apply: {outcome}", Warn.NO_EFFECT)
    elif outcome.satisfied:
        answers.info(f"The wait policy {waited} is satisfied: {outcome.said}.", Info.NOOP)
    elif outcome.never:
        answers.warning(
            f"The wait policy {waited} cannot be satisfied and was not waited for.",
            Warn.NO_EFFECT,
            cause=f"{outcome.never}.",
            correction="Place more copies, or change the policy.",
        )
    else:
        answers.warning(
            f"The wait policy {waited} is not satisfied yet: {outcome.said}.",
            Warn.STLT_NOT_UPDATED,
            details="\n".join(f"Node '{m.node}', volume {m.volume}: {m.reason}" for m in outcome.missing),
            correction=f"The work goes on; see 'orlop resource wait {waited.asked.resource}'.",
        )


def _outcome(core: Core, waited: Waited) -> Outcome | OrlopError:
    """An error where there is nothing to wait for, or a policy is gone: the work was done all the same."""
    try:
        return judge(core.drivers, waited.asked.expression, wait_for.awaited(core, waited.asked))
    except OrlopError as error:
        return error
