"""A database that was restored is noticed by satellites that know more; nothing moves until somebody accepts it."""

from __future__ import annotations

from typing import Protocol

from orlop.controller.core import Core
from orlop.controller.store import Activation
from orlop.errors import Refused
from orlop.transport.messages import Fence

JUMP = 1_000_000_000  # commits; more than a lost history can have had


class Terms(Protocol):
    """What is needed of the store."""

    def accept_term(self, term: int) -> Activation: ...


class Greeter(Protocol):
    """What is needed of the links."""

    def restart(self) -> None:
        """Greet every satellite again."""
        ...


def accept(core: Core, store: Terms, links: Greeter) -> None:
    """Go on with this database under a term above every other; satellites obey again. Raises `Refused`."""
    if not core.suspended:
        raise Refused(
            "There is nothing to accept: the controller is not suspended.",
            correction="'orlop controller differences' shows what a suspended controller sees.",
        )
    activation = store.accept_term(core.highest_term + 1)
    core.resume(
        Fence(cluster=activation.cluster, term=activation.term, nonce=activation.nonce),
        core.picture.sequence + JUMP,
    )
    links.restart()
