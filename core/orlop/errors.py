"""Errors for the person who reads them: what was asked, what stood in the way, what to do next."""

from __future__ import annotations

from collections.abc import Iterable

from orlop.codes import Fail


class OrlopError(Exception):
    """Root of every expected error. `str()` is one sentence; the parts go into the API's envelope."""

    code: Fail = Fail.UNKNOWN_ERROR

    def __init__(
        self, message: str, *, cause: str = "", details: str = "", correction: str = "", code: Fail | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.cause = cause
        self.details = details
        self.correction = correction
        if code is not None:
            self.code = code


class Refused(OrlopError):
    """A request that must not be carried out as asked; nothing was changed."""


class NotFound(Refused):
    """An object that a request names does not exist. `code` is one of Fail.NOT_FOUND_*."""


class BadName(Refused):
    """A name that breaks the rules for its kind of object."""


class BadProperty(Refused):
    """A property key that is not allowed on the object, or a value of the wrong form."""

    code = Fail.INVLD_PROP


class UnknownDriver(OrlopError):
    """Data names a driver that is not installed."""

    code = Fail.INVLD_PROVIDER

    def __init__(self, namespace: str, name: str, installed: Iterable[str]) -> None:
        self.namespace, self.name, self.installed = namespace, name, sorted(installed)
        super().__init__(
            f"no {namespace} driver named {name!r}; installed: {', '.join(self.installed) or 'none'}",
            correction="Use an installed driver, or install the distribution that brings this one.",
        )


class NodeError(OrlopError):
    """Root of what can go wrong on a node."""


class CommandFailed(NodeError):
    """A program ended with an error, could not be started or did not answer in time.

    `argv` is what was run; secrets are never part of it.
    """

    def __init__(self, argv: tuple[str, ...], status: int, stderr: str) -> None:
        self.argv, self.status, self.stderr = argv, status, stderr.strip()
        super().__init__(f"{' '.join(argv)} ended with {status}: {self.stderr or 'no message'}")


class CannotRead(NodeError):
    """The node could not be looked at. What cannot be read is never guessed."""


class PoolUnavailable(NodeError):
    """A pool's backing is missing, foreign or broken; other pools are not affected."""


class InUse(NodeError):
    """Something holds a device open. `users` says what, one entry per user."""

    def __init__(self, device: str, users: Iterable[str]) -> None:
        self.device, self.users = device, tuple(users)
        super().__init__(
            f"{device} is in use: {'; '.join(self.users)}", correction="Unmount or close it, then try again."
        )


class WouldDestroy(NodeError):
    """A step was refused because it could cost data that nobody asked to remove."""


class Cancelled(NodeError):
    """A newer order replaced the one being carried out."""


class DidNotConverge(NodeError):
    """After several rounds something is still left to do."""


class TransportError(OrlopError):
    """Controller and satellite could not talk."""


class Unauthenticated(TransportError):
    """The other side did not prove that it holds the cluster key."""


class Fenced(TransportError):
    """The satellite obeys a newer activation of the controller, or another one with the same term."""

    def __init__(self, term: int, nonce: str, message: str) -> None:
        self.term, self.nonce = term, nonce
        super().__init__(message)
