"""Wait until enough of something is there."""

import math
import time
from collections.abc import Callable, Iterator
from typing import Any

from orlop.client.answer import ApiError, ClientError, ConnectionBroken, Entry, TimedOut, UnexpectedReply, Unreachable
from orlop.client.bodies import given
from orlop.client.caller import Caller
from orlop.client.wait_values import Wait, WaitProgress
from orlop.client.wire import path, query
from orlop.model.decoding import converted

HOLD = 30.0  # seconds that a controller may hold one question
BRIEFLY = 5.0  # the same before a stream is tried again
PATIENCE = 120.0  # seconds without any controller after which even an endless wait is given up
PAUSE = 1.0  # seconds between attempts to reach one
SILENCE = 60.0  # seconds; controllers say four times in it that they live
BUSY = 503
TRANSIENT = (Unreachable, TimedOut, ConnectionBroken)
_PATH = path("orlop", "wait")


class WaitCalls(Caller):
    """Waiting outlives the controller that was asked first: the next one that can be reached is asked again.

    Each raises `ApiError` where waiting is of no use (the reason is in it), and `Unreachable` where no controller could
    be reached in the first place, or for two minutes.
    """

    def wait_for(self, wait: Wait) -> WaitProgress:
        """The last progress: satisfied, or timed out."""
        clock = _Clock(wait.timeout)
        while True:
            found = clock.repeated(lambda: self._ask(wait, clock, HOLD))
            if found.ended:
                return found

    def watch(self, wait: Wait) -> Iterator[WaitProgress]:
        """Every progress, as a stream of the controller tells it; the last one is satisfied or timed out."""
        clock = _Clock(wait.timeout)
        told: WaitProgress | None = None
        while told is None or not told.ended:
            for progress in self._progress(wait, clock):
                if progress != told:
                    told = progress
                    yield told

    def _progress(self, wait: Wait, clock: "_Clock") -> Iterator[WaitProgress]:
        """Until the end, or until the controller is gone."""
        found = clock.repeated(lambda: self._ask(wait, clock, 0.0))  # a refusal is told best by an ordinary call
        yield found
        if found.ended:
            return
        wanted = query(**wait.members(), timeout=None if clock.left is None else math.ceil(clock.left))
        try:
            for event in self.events(_PATH, wanted, SILENCE):
                if event.name == "refused":
                    raise ApiError(converted(event.data, list[Entry]), 500)
                found = converted(event.data, WaitProgress)
                yield found
        except (*TRANSIENT, UnexpectedReply):  # it went away, or has no place for a stream
            yield clock.repeated(lambda: self._ask(wait, clock, BRIEFLY))
        else:
            if not found.ended:
                clock.pause(ConnectionBroken("the stream of the controller ended"))

    def _ask(self, wait: Wait, clock: "_Clock", hold: float) -> WaitProgress:
        body: dict[str, Any] = wait.members() | given(
            timeout=None if clock.left is None else round(clock.left, 3), hold=hold
        )
        return self.read(WaitProgress, _PATH, method="POST", body=body)


class _Clock:
    """How long is left, and for how long no controller has answered."""

    def __init__(self, timeout: float | None) -> None:
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._answered = False
        self._alone: float | None = None  # since when nobody has answered

    @property
    def left(self) -> float | None:
        return None if self._deadline is None else max(self._deadline - time.monotonic(), 0.0)

    def repeated(self, ask: Callable[[], WaitProgress]) -> WaitProgress:
        """Asks until somebody answers; raises the error when that takes too long, or nobody ever did."""
        while True:
            try:
                found = ask()
            except ApiError as error:
                if error.status != BUSY:
                    raise
                self.pause(error)
            except TRANSIENT as error:
                if not self._answered:
                    raise
                self.pause(error)
            else:
                self._answered, self._alone = True, None
                return found

    def pause(self, error: ClientError) -> None:
        now = time.monotonic()
        self._alone = now if self._alone is None else self._alone
        if self.left == 0.0 or now - self._alone >= PATIENCE:
            raise error
        time.sleep(PAUSE)
