"""Things that go wrong, at a chosen action."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal

from orlop.errors import NodeError

Moment = Literal["before", "during", "after"]


class Crash(BaseException):
    """The satellite, or its whole machine, stopped here. Nothing may catch this as if it were an error."""


class Faults:
    """Counts what changes the node. Looking is not counted."""

    def __init__(self) -> None:
        self.actions = 0
        self._failing: dict[int, str] = {}
        self._crash: tuple[int, Moment] | None = None

    def fail(self, nth: int, reason: str = "made to fail") -> None:
        """The `nth` action from now on fails without an effect; 1 is the next one."""
        self._failing[self.actions + nth] = reason

    def crash(self, nth: int, moment: Moment) -> None:
        """`during` leaves half-made what the action was making."""
        self._crash = (self.actions + nth, moment)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """What is done meanwhile is neither counted nor hit."""
        kept = self.actions, self._failing, self._crash
        self._failing, self._crash = {}, None
        try:
            yield
        finally:
            self.actions, self._failing, self._crash = kept

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._failing.clear()
        self._crash = None

    def around(self, what: str, act: Callable[[], str], half: Callable[[], None]) -> str:
        self.actions += 1
        if reason := self._failing.pop(self.actions, ""):
            raise NodeError(f"could not {what}: {reason}")
        moment = self._crash[1] if self._crash and self._crash[0] == self.actions else ""
        if moment == "before":
            self._stop(what, moment)
        if moment == "during":
            half()
            self._stop(what, moment)
        output = act()
        if moment == "after":
            self._stop(what, moment)
        return output

    def _stop(self, what: str, moment: str) -> None:
        self._crash = None
        raise Crash(f"{moment}: {what}")
