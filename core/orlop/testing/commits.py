"""A database in memory that survives the controller, whenever that stops."""

from __future__ import annotations

import msgspec

from orlop.controller.picture import Change, Draft, Picture
from orlop.controller.store import Activation
from orlop.controller.store.defaults import first_changes


class ControllerCrash(BaseException):
    """The controller stopped here. Nothing may catch this as if it were an error."""


class MemoryStore:
    """Keeps what was committed, through crashes of the controller. `crash_at` stops it at the n-th commit from now."""

    def __init__(self) -> None:
        self.committed = Picture()
        self.term = 0
        self.cluster = "simulated"
        self._commits = 0
        self._crash: tuple[int, bool] | None = None
        draft = Draft(self.committed)
        for change in first_changes():
            if change.after is not None:
                draft.put(change.after)
        draft.put(msgspec.structs.replace(draft.controller, cluster=self.cluster))
        self.committed = draft.freeze()

    def activate(self) -> Activation:
        self.term += 1
        return Activation(self.cluster, self.term, f"nonce-{self.term}-{self._commits}", self.committed.sequence)

    def accept_term(self, term: int) -> Activation:
        self.term = term
        return Activation(self.cluster, term, f"accepted-{term}", self.committed.sequence)

    def crash_at(self, nth: int, written: bool) -> None:
        """The controller stops at the `nth` commit from now, with the change written or not."""
        self._crash = (self._commits + nth, written)

    def no_crash(self) -> None:
        self._crash = None

    def commit(self, changes: list[Change], sequence: int) -> None:
        self._commits += 1
        crash = self._crash is not None and self._crash[0] == self._commits
        if crash and self._crash and not self._crash[1]:
            self._crash = None
            raise ControllerCrash("before a commit")
        draft = Draft(self.committed)
        for change in changes:
            if change.after is None:
                assert change.before is not None
                draft.remove(change.before)
            else:
                draft.put(change.after)
        draft.sequence = sequence
        self.committed = draft.freeze()
        if crash:
            self._crash = None
            raise ControllerCrash("after a commit")

    def backup(self) -> Picture:
        return self.committed

    def restore(self, picture: Picture, term: int) -> None:
        """What an administrator does who puts an old database back."""
        self.committed, self.term = picture, term
