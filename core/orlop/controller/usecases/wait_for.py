"""Wait until a policy is satisfied. Nothing is changed, no lock is held, and only the controller looks at a clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.core import Core
from orlop.controller.usecases import lookup
from orlop.controller.wait import Expression, Outcome, check, judge, known, parse, presets
from orlop.controller.wait.presets import RESOURCE, SIZE, SNAPSHOT
from orlop.errors import Refused
from orlop.model import KIB
from orlop.plugin import Awaited

KEEP_ALIVE = 15.0  # seconds after which a stream says that it lives
DEFAULTS = {RESOURCE: "all", SIZE: "ratio=1", SNAPSHOT: "all"}  # a volume that grew may be out of step for long


class Question(NamedTuple):
    """A request that was understood. Sizes in bytes; `size` 0 is the one that the volume is to have."""

    resource: str
    expression: Expression
    number: int | None = None
    size: int | None = None
    snapshot: str | None = None


def question(core: Core, request: wire.WaitRequest) -> Question:
    """Raises `Refused` for what cannot be understood."""
    definition = lookup.definition(core.picture, request.resource)
    if request.size_kib is not None and (request.volume_number is None or request.snapshot):
        raise Refused(
            "A size is waited for of one volume.",
            correction="Give a volume_number with size_kib, and no snapshot.",
            code=Fail.INVLD_REQUEST,
        )
    kind = SNAPSHOT if request.snapshot else RESOURCE if request.size_kib is None else SIZE
    preset = presets.preset(core.picture, definition, kind)
    expression = parse(request.policy or (preset.policy if preset else DEFAULTS[kind]))
    check(core.drivers, expression)
    return Question(
        resource=definition.name,
        expression=expression,
        number=request.volume_number,
        size=None if request.size_kib is None else request.size_kib * KIB,
        snapshot=request.snapshot or None,
    )


def awaited(core: Core, asked: Question) -> list[Awaited]:
    """What is known now. Raises where what is waited for does not exist, or failed."""
    picture, reported = core.picture, core.reported
    definition = lookup.definition(picture, asked.resource)
    if asked.snapshot:
        found = known.of_snapshot(picture, reported, definition, lookup.snapshot(definition, asked.snapshot))
        return [each for each in found if asked.number in (None, each.volume)]
    if asked.size is not None and asked.number is not None:
        return known.of_size(picture, reported, definition, asked.number, asked.size or None)
    return known.of_resource(picture, reported, definition, asked.number)


def look(core: Core, asked: Question) -> Outcome:
    """How far it is now. Raises `Refused` with the reason where waiting is of no use."""
    outcome = judge(core.drivers, asked.expression, awaited(core, asked))
    if outcome.never:
        raise Refused(
            f"The wait policy '{asked.expression}' can never be satisfied for '{asked.resource}'.",
            cause=f"{outcome.never}.",
            correction="Ask for less, or place more copies first.",
            code=Fail.INVLD_REQUEST,
        )
    return outcome


def wait(core: Core, asked: Question, timeout: float | None, hold: float) -> wire.WaitProgress:
    """Answers as soon as the policy is satisfied, the timeout is over, or `hold` seconds have passed."""
    ends = timeout is not None and timeout <= hold
    found = core.wait(lambda: _satisfied(core, asked), timeout if timeout is not None and ends else hold)
    return progress(asked, found or look(core, asked), ends)


def _satisfied(core: Core, asked: Question) -> Outcome | None:
    outcome = look(core, asked)
    return outcome if outcome.satisfied else None


def changes(core: Core, asked: Question, timeout: float | None) -> Iterator[wire.WaitProgress | None]:
    """How far it is, now and after every change, until it is satisfied or the time is over; None says nothing new.

    Raises like `look`, also when waiting comes to be of no use later.
    """
    deadline = None if timeout is None else core.clock.monotonic() + timeout
    told: Outcome | None = None
    while True:
        left = KEEP_ALIVE if deadline is None else min(KEEP_ALIVE, deadline - core.clock.monotonic())
        found = core.wait(lambda: _changed(core, asked, told), max(left, 0.0))  # noqa: B023 - called before `told` changes
        over = deadline is not None and core.clock.monotonic() >= deadline
        if found is None and not over:
            yield None
            continue
        told = found or look(core, asked)
        said = progress(asked, told, over)
        yield said
        if said.satisfied or said.timed_out:
            return


def _changed(core: Core, asked: Question, told: Outcome | None) -> Outcome | None:
    outcome = look(core, asked)
    return None if outcome == told else outcome


def progress(asked: Question, outcome: Outcome, over: bool) -> wire.WaitProgress:
    return wire.WaitProgress(
        resource_name=asked.resource,
        snapshot_name=asked.snapshot,
        volume_number=asked.number,
        policy=str(asked.expression),
        satisfied=outcome.satisfied,
        timed_out=over and not outcome.satisfied,
        conditions=tuple(
            wire.WaitCondition(policy=str(c.policy), satisfied=c.satisfied, said=c.said) for c in outcome.conditions
        ),
        missing=tuple(
            wire.WaitMissing(node_name=m.node, volume_number=m.volume, reason=m.reason, stalled=m.stalled)
            for m in outcome.missing
        ),
    )
