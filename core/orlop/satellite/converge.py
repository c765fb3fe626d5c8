"""Plan and carry out, look again, until nothing is left or too much was tried."""

import logging
from collections.abc import Callable, Sequence

from orlop.errors import Cancelled, DidNotConverge, InUse, OrlopError
from orlop.model import ReportedResource, WantedResource
from orlop.plugin import LongCopy, Step
from orlop.satellite import report
from orlop.satellite.observe import Observation
from orlop.satellite.plan import Key, Part, key_of, plan, sentence

log = logging.getLogger(__name__)

ROUNDS = 6  # rolling back takes three (close, copy, look); the rest is for stacks


class Course:
    """One attempt to bring one revision of one resource about. Alternate `left` and `carry_out`, then `outcome`."""

    def __init__(self, wanted: WantedResource) -> None:
        self.wanted = wanted
        self._rounds = 0
        self._failed: dict[Key, str] = {}
        self._parts: tuple[Part, ...] = ()
        self._begun: set[Key] = set()
        self._before: frozenset[str] | None = None

    def left(self, seen: Observation) -> tuple[Part, ...]:
        """What to carry out next; nothing when the attempt is over. What failed is not tried twice."""
        if self._before is None:
            self._before = report.devices(self.wanted, seen)
        self._parts = plan(self.wanted, seen, self._begun)
        return self._open() if self._rounds < ROUNDS else ()

    def carry_out(self, parts: Sequence[Part], execute: Callable[[Sequence[Step]], None]) -> None:
        """Raises `Cancelled`; any other error belongs to its part."""
        self._rounds += 1
        for part in parts:
            try:
                execute(part.steps)
                self._begun.add(part.key)
            except Cancelled:
                raise
            except OrlopError as error:
                self.fail(part, self._sentence(part, error))
                log.warning("%s: %s", self.wanted.name, error)
            except Exception as error:
                self.fail(part, f"unexpected error: {error!r}")
                log.exception("%s failed unexpectedly", self.wanted.name)

    def outcome(self, seen: Observation, users: report.Users | None) -> ReportedResource:
        """In the middle of an attempt: not settled, no problem, and the plan that is being carried out."""
        problems = {part.key: part.problem for part in self._parts if part.problem} | self._failed
        for part in self._open() if self._rounds >= ROUNDS else ():
            left = "; ".join(map(str, part.steps))
            endless = DidNotConverge(f"after {ROUNDS} rounds there is still to do: {left}")
            problems[part.key] = f"{part.purpose}{endless}"
        plan_left = tuple(str(step) for part in self._parts for step in part.steps)
        unfinished = frozenset(part.key for part in self._parts if part.steps)
        return report.resource(self.wanted, seen, users, problems, plan_left, unfinished)

    @property
    def failed(self) -> bool:
        return bool(self._failed)

    @property
    def refused(self) -> frozenset[Key]:
        """What could not even be planned."""
        return frozenset(part.key for part in self._parts if part.problem)

    def fail(self, part: Part, reason: str) -> None:
        self._failed[part.key] = part.purpose + reason

    def opened(self, seen: Observation) -> frozenset[str]:
        """Devices that this attempt brought up: nobody can have used them before."""
        return report.devices(self.wanted, seen) - (self._before or frozenset())

    def _sentence(self, part: Part, error: OrlopError) -> str:
        if isinstance(error, InUse) and any(isinstance(step, LongCopy) for step in part.steps):
            return f"{error}; a copy of a volume in use would not be consistent"
        items = {key_of(item): item for item in self.wanted.volumes}
        snapshots = {key_of(item): item for item in self.wanted.snapshots}
        return sentence(items.get(part.key) or snapshots[part.key], error)

    def _open(self) -> tuple[Part, ...]:
        return tuple(part for part in self._parts if part.steps and part.key not in self._failed)


def converge(
    wanted: WantedResource, observe: Callable[[], Observation], execute: Callable[[Sequence[Step]], None]
) -> ReportedResource:
    """One attempt from beginning to end, for a caller that has nothing else to do meanwhile."""
    course = Course(wanted)
    seen = observe()
    while parts := course.left(seen):
        course.carry_out(parts, execute)
        seen = observe()
    return course.outcome(seen, None)
