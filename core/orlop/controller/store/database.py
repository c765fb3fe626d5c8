"""Connections to the three engines, and the lock that keeps a second controller off a SQLite file."""

import fcntl
import os
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from orlop.controller.store.errors import DatabaseInUse, StoreError

ENGINES = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "mysql": "mysql+pymysql", "mariadb": "mysql+pymysql"}


def parse(text: str) -> URL:
    """A database URL with the driver that is supported; the password never shows in its printed form."""
    try:
        url = make_url(text)
    except ArgumentError:
        url = None
    driver = ENGINES.get(url.get_backend_name()) if url is not None else None
    if url is None or driver is None:
        raise StoreError(
            "the database URL is not understood",
            correction="Use sqlite:////var/lib/orlop/controller.db, postgresql+psycopg://user@host/name "
            "or mysql+pymysql://user@host/name.",
        )
    if driver == "sqlite" and not (url.database or "").startswith("/"):
        raise StoreError(
            "the SQLite file needs an absolute path", correction="Write four slashes: sqlite:////var/lib/orlop/..."
        )
    return url.set(drivername=driver)


def sqlite_path(url: URL) -> Path | None:
    """The database file, None for a server."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def connect(url: URL, *, foreign_keys: bool = True, read_only: bool = False) -> Engine:
    """A SQLite transaction takes the write lock at its start; one that only reads sees one moment on every engine."""
    if url.get_backend_name() != "sqlite":
        level = "REPEATABLE READ" if read_only else "READ COMMITTED"
        return create_engine(url, hide_parameters=True, pool_pre_ping=True, isolation_level=level)
    engine = create_engine(url, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # the transactions are SQLAlchemy's, data definition included
        connection.execute("PRAGMA busy_timeout=10000")
        if read_only:
            connection.execute("PRAGMA query_only=ON")
            return
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def create_file(path: Path) -> None:
    """Make the SQLite file readable for its owner only; an existing one is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


class FileLock:
    """Held from `acquire` until `release` or the end of the process, whatever ends it."""

    def __init__(self, database: Path) -> None:
        self._path = database.with_name(database.name + ".lock")
        self._descriptor: int | None = None

    def acquire(self) -> None:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 32).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise DatabaseInUse(
                f"the database is in use by the process with pid {holder}",
                cause=f"A controller holds {self._path} as long as it runs.",
                correction="Stop that controller first; one cluster has one active controller.",
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
