"""What can go wrong with the database, said so that an administrator can act on it."""

from orlop.codes import Fail
from orlop.errors import OrlopError


class StoreError(OrlopError):
    """The database could not do what was asked; nothing was changed."""

    code = Fail.SQL


class DatabaseInUse(StoreError):
    """Another controller holds the SQLite file."""


class UnknownRevision(StoreError):
    """The tables were made by a newer release, or are not ours at all."""


class NotEmpty(StoreError):
    """A restore was asked for a database that holds something."""


class NotActive(StoreError):
    """Another controller has taken the cluster over, or this one was never activated."""


class OutcomeUnknown(StoreError):
    """The connection was lost while a transaction was being committed: it may or may not have taken effect."""
