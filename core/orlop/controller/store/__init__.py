"""The controller's persistence: what is wanted, as rows. SQLite by default, PostgreSQL and MariaDB by URL."""

from orlop.controller.store.defaults import DISKLESS_POOL, GROUP, LOCAL_ID, POOL
from orlop.controller.store.errors import (
    DatabaseInUse,
    NotActive,
    NotEmpty,
    OutcomeUnknown,
    StoreError,
    UnknownRevision,
)
from orlop.controller.store.lease import Lease
from orlop.controller.store.load import Loaded, RowProblem
from orlop.controller.store.restore import restore
from orlop.controller.store.store import Activation, Store

__all__ = [
    "DISKLESS_POOL",
    "GROUP",
    "LOCAL_ID",
    "POOL",
    "Activation",
    "DatabaseInUse",
    "Lease",
    "Loaded",
    "NotActive",
    "NotEmpty",
    "OutcomeUnknown",
    "RowProblem",
    "Store",
    "StoreError",
    "UnknownRevision",
    "restore",
]
