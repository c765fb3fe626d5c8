"""Who is asking. The one place where a way to sign in belongs."""

from __future__ import annotations

from typing import NamedTuple

from flask import Request


class Identity(NamedTuple):
    name: str
    administrator: bool


ANONYMOUS = Identity("anonymous", administrator=True)


def authenticate(request: Request) -> Identity:
    """Whoever reaches the port is administrator: there is no other protection than the address it listens on.

    A failure to sign in is `Refused` with `Fail.SIGN_IN_MISSING_CREDENTIALS` (401) or `Fail.SIGN_IN` (403).
    """
    return ANONYMOUS
