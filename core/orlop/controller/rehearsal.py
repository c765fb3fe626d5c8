"""A core on which a use case can be tried: it has the picture and the reports of the real one, and nothing leaves it.

No database, no satellite, no subscriber and no hook but those that are asked about placements hears of what happens in
it; it is thrown away afterwards. Whoever waits is answered at once with what is so already.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from typing import TypeVar

from orlop.controller.core import Core
from orlop.controller.picture import Change, differing
from orlop.controller.reported import Reported

Result = TypeVar("Result")


class Rehearsal(Core):
    """`changes` is what became of the picture."""

    def __init__(self, core: Core) -> None:
        super().__init__(
            _Nowhere(), core.picture, core.fence, core.drivers, core.hooks.silent(), core.clock, _AtOnce(), core.blocked
        )
        self.before = core.picture
        self.key_ring = copy(core.key_ring)
        self.splits = copy(core.splits)
        self.suspended = core.suspended
        self.reported = _copied(core.reported)

    @property
    def changes(self) -> list[Change]:
        return differing(self.before, self.picture)


class _Nowhere:
    def commit(self, changes: list[Change], sequence: int) -> None:
        return


class _AtOnce:
    def wait(self, done: Callable[[], Result | None], seconds: float) -> Result | None:
        return done()

    def notify(self) -> None:
        return


def _copied(reported: Reported) -> Reported:
    """Reports themselves are never changed; what is noted beside them is."""
    found = Reported()
    for name, node in list(reported.nodes.items()):
        mine = copy(node)
        mine.required, mine.resources, mine.pools = dict(node.required), dict(node.resources), dict(node.pools)
        found.nodes[name] = mine
    return found
