"""The database of the controller: load once at activation, then one transaction per change."""

import secrets
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orlop.controller.picture import Change
from orlop.controller.store import database, migration
from orlop.controller.store.defaults import first_changes
from orlop.controller.store.errors import NotActive, OutcomeUnknown, StoreError, UnknownRevision
from orlop.controller.store.export import export_data, write_export
from orlop.controller.store.lease import Lease
from orlop.controller.store.load import EXPENDABLE, Loaded, read_picture
from orlop.controller.store.shapes import SHAPES, Difference, Identity, Shape, differences, encode
from orlop.controller.store.tables import controller
from orlop.model import Controller

# Sets the columns it is given parameters for. Built once, so that SQLAlchemy finds its compiled forms again.
MINE = update(controller).where(controller.c.term == bindparam("my_term"), controller.c.nonce == bindparam("my_nonce"))


@contextmanager
def _told() -> Iterator[None]:
    """Errors of the database as sentences."""
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the database failed: {error}", correction="Nothing was changed; try again.") from error


class Activation(NamedTuple):
    """Who this controller is from now on; every message to a satellite carries it."""

    cluster: str
    term: int
    nonce: str
    sequence: int


class Store:
    """Thread-safe. Opened with the SQLite file's lock held; servers are fenced by the term in every commit."""

    def __init__(self, engine: Engine, lock: database.FileLock | None) -> None:
        self.engine = engine
        self._lock = lock
        self._writing = threading.Lock()
        self._activation: Activation | None = None
        self._damaged: dict[str, set[Identity]] = {}  # unreadable rows that may be replaced
        self._statements = {shape.name: _Statements(shape) for shape in SHAPES}

    @classmethod
    def open(cls, url: str, *, backup_directory: Path | None = None, check_writer: bool = True) -> Self:
        """Create or migrate the schema, after a backup. `check_writer=False`: only read, beside a running controller.

        Raises `DatabaseInUse`, `UnknownRevision` or another `StoreError`; nothing was changed then.
        """
        where = database.parse(url)
        path = database.sqlite_path(where)
        try:
            if not check_writer:
                return cls(_reading_engine(where), None)
            lock = database.FileLock(path) if path else None
            if path is not None and lock is not None:
                database.create_file(path)
                lock.acquire()
            try:
                migration.bring_up_to_date(where, backup_directory)
                return cls(database.connect(where), lock)
            except BaseException:
                if lock is not None:
                    lock.release()
                raise
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(
                f"the database {where.render_as_string(hide_password=True)} cannot be opened: {error}",
                correction="Check that the address is right, that the server runs and that its user may log in.",
            ) from error

    def close(self) -> None:
        self.engine.dispose()
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def activate(self) -> Activation:
        """Become the active controller: a higher term, durably. The first time, the built-in objects are made."""
        with self._writing, _told(), self.engine.begin() as connection:
            row = connection.execute(select(controller).with_for_update()).first()
            nonce = secrets.token_hex(16)
            if row is None:
                cluster = str(uuid.uuid4())
                connection.execute(insert(controller).values(_first_row(cluster, nonce)))
                for shape, difference in self._sorted(first_changes()):
                    self._statements[shape.name].insert_and_update(connection, difference)
                activation = Activation(cluster, 1, nonce, 0)
            else:
                activation = Activation(row.cluster, row.term + 1, nonce, row.sequence)
                connection.execute(update(controller).values(term=activation.term, nonce=nonce))
        self._activation = activation
        return activation

    def accept_term(self, term: int) -> Activation:
        """Go on under a higher term, because satellites know one (their database was restored under them)."""
        with self._writing:
            now = self._active()
            if term <= now.term:
                raise StoreError(f"term {term} is not higher than the present one, {now.term}")
            with _told(), self.engine.begin() as connection:
                self._fenced(connection, {"term": term})
            self._activation = now._replace(term=term)
            return self._activation

    def load(self) -> Loaded:
        """Everything that is wanted, and what could not be read of it."""
        with _told(), self.engine.connect() as connection:
            loaded = read_picture(connection)
        self._damaged = {name: {p.key for p in loaded.problems if p.table == name} for name in EXPENDABLE}
        return loaded

    def commit(self, changes: list[Change], sequence: int) -> None:
        """Write the differences in one transaction. Any error but `OutcomeUnknown` means: nothing was written."""
        values: dict[str, Any] = {"sequence": sequence}
        for change in changes:
            if isinstance(change.after, Controller):
                values["props"] = encode(change.after.props)
        try:
            work = self._sorted(changes)
        except (ValueError, TypeError) as error:
            raise StoreError(f"the change cannot be written: {error}") from error
        with self._writing:
            self._active()
            self._write(work, values)

    def _write(self, work: list[tuple[Shape, Difference]], values: dict[str, Any]) -> None:
        with self.engine.connect() as connection:
            try:
                self._fenced(connection, values)
                for shape, difference in work:
                    self._replace_damaged(connection, shape, difference)
                    self._statements[shape.name].insert_and_update(connection, difference)
                for shape, difference in reversed(work):
                    self._statements[shape.name].delete(connection, difference)
            except SQLAlchemyError as error:
                raise StoreError(
                    f"the database refused the change: {error}", correction="Nothing was changed."
                ) from error
            try:
                connection.commit()
                return
            except SQLAlchemyError as error:
                failure = error
        self._ask_again(values["sequence"], failure)

    def _ask_again(self, sequence: int, failure: SQLAlchemyError) -> None:
        """After a failed COMMIT only the database knows whether it took effect."""
        if isinstance(failure, DBAPIError) and not failure.connection_invalidated:
            raise StoreError(f"the database refused the change: {failure}") from failure
        now = self._active()
        try:
            with self.engine.connect() as connection:
                row = connection.execute(select(controller)).one()
        except SQLAlchemyError as error:
            raise OutcomeUnknown(
                f"the connection to the database was lost during a commit: {failure}",
                cause="Whether the change was written cannot be told until the database answers again.",
                correction="The controller has to load the database again before it goes on.",
            ) from error
        if (row.term, row.nonce) != (now.term, now.nonce):
            raise _taken_over(now)
        if row.sequence != sequence:
            raise StoreError(f"the database lost the change: {failure}") from failure

    def _replace_damaged(self, connection: Connection, shape: Shape, difference: Difference) -> None:
        """An object that could not be read may be made anew; its damaged row gives way."""
        damaged = self._damaged.get(shape.name)
        if not damaged:
            return
        gone = [{name: row[name] for name in shape.primary} for row in difference.insert]
        self._statements[shape.name].delete(
            connection, Difference([], [], [row for row in gone if tuple(row.values()) in damaged])
        )

    def _fenced(self, connection: Connection, values: dict[str, Any]) -> None:
        """Locks the controller's row for the transaction, or raises because another controller changed it."""
        now = self._active()
        mine = {"my_term": now.term, "my_nonce": now.nonce}
        if connection.execute(MINE, values | mine).rowcount != 1:
            raise _taken_over(now)

    def _active(self) -> Activation:
        if self._activation is None:
            raise NotActive("this controller is not active", correction="Activate it before it changes anything.")
        return self._activation

    def _sorted(self, changes: list[Change]) -> list[tuple[Shape, Difference]]:
        found = differences(changes)
        return [(shape, found[shape.name]) for shape in SHAPES if shape.name in found]

    def lease(self) -> Lease:
        return Lease(self.engine)

    def export_data(self) -> dict[str, Any]:
        return export_data(self.engine.url)

    def export(self, path: Path) -> None:
        write_export(self.engine.url, path)


class _Statements:
    """Built once per table, so that SQLAlchemy finds their compiled form again."""

    def __init__(self, shape: Shape) -> None:
        table = shape.table
        one = [table.columns[name] == bindparam(f"key_{name}") for name in shape.primary]
        self._primary = shape.primary
        self._insert = insert(table)
        rest: dict[str, Any] = {
            column.name: bindparam(column.name) for column in table.columns if column.name not in shape.primary
        }
        self._update = update(table).where(*one).values(rest)
        self._delete = delete(table).where(*one)

    def insert_and_update(self, connection: Connection, difference: Difference) -> None:
        if difference.insert:
            connection.execute(self._insert, difference.insert)
        if difference.update:
            connection.execute(self._update, [self._keyed(row, row) for row in difference.update])

    def delete(self, connection: Connection, difference: Difference) -> None:
        if difference.delete:
            connection.execute(self._delete, [self._keyed(row, {}) for row in difference.delete])

    def _keyed(self, row: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in values.items() if name not in self._primary}
        return rest | {f"key_{name}": row[name] for name in self._primary}


def _first_row(cluster: str, nonce: str) -> dict[str, Any]:
    (change,) = (change for change in first_changes() if change.kind is Controller)
    assert isinstance(change.after, Controller)
    props = encode(change.after.props)
    return {"id": 1, "cluster": cluster, "term": 1, "nonce": nonce, "sequence": 0, "props": props}


def _taken_over(activation: Activation) -> NotActive:
    return NotActive(
        "another controller has become active",
        cause=f"Term {activation.term} in the database is not this controller's any more. Nothing was changed.",
        correction="Talk to the controller that is active now; this one has to stop.",
    )


def _reading_engine(where: Any) -> Engine:
    path = database.sqlite_path(where)
    if path is not None and not path.exists():
        raise StoreError(f"there is no database {path}")
    engine = database.connect(where, read_only=True)
    try:
        with engine.begin() as connection:
            revision = migration.revision_of(connection)
        if revision == migration.head():
            return engine
        raise UnknownRevision(
            f"the database has revision {revision}, this release works with {migration.head()}",
            correction="Start the controller of this release once: it makes a backup and migrates the database.",
        )
    except BaseException:
        engine.dispose()
        raise
