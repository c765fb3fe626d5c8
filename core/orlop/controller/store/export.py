"""Every table as JSON, whatever the revision of the schema, and back into an empty database of any engine."""

import datetime
import os
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import URL, Connection, MetaData, Table, insert, inspect, select, text

from orlop.controller.store import database
from orlop.controller.store.errors import NotEmpty, StoreError
from orlop.model.decoding import decoded

FORMAT = 1
NOT_EXPORTED = frozenset({"alembic_version", "lease"})  # the revision is told apart; a lease is about this moment


class ExportedTable(msgspec.Struct, frozen=True):
    columns: list[str]
    rows: list[list[Any]]


class Export(msgspec.Struct, frozen=True):
    orlop_database: int
    revision: str
    exported: str
    tables: dict[str, ExportedTable]


def export_data(url: URL) -> dict[str, Any]:
    """The whole database as plain values, from one consistent read."""
    engine = database.connect(url, read_only=True)
    try:
        with engine.begin() as connection:
            return msgspec.to_builtins(_read(connection))  # type: ignore[no-any-return]
    finally:
        engine.dispose()


def _read(connection: Connection) -> Export:
    if "alembic_version" not in inspect(connection).get_table_names():
        raise StoreError(
            "there is no Orlop database at this address", correction="Check the URL; nothing was exported."
        )
    found = MetaData()
    found.reflect(connection)
    revision = str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    tables = {
        str(table.name): _exported(connection, table) for table in found.sorted_tables if table.name not in NOT_EXPORTED
    }
    return Export(FORMAT, revision, datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), tables)


def _exported(connection: Connection, table: Table) -> ExportedTable:
    rows = connection.execute(select(table).order_by(*table.primary_key.columns))
    return ExportedTable([str(name) for name in table.columns.keys()], [list(row) for row in rows])  # noqa: SIM118


def write_export(url: URL, path: Path) -> None:
    """The export as a file that only its owner can read; it appears whole or not at all."""
    content = msgspec.json.format(msgspec.json.encode(export_data(url)), indent=1)
    temporary = path.with_name(path.name + ".part")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content + b"\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


def read_export(path: Path) -> Export:
    try:
        found = decoded(path.read_bytes(), Export)
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(f"{path} is not an export of the database: {error}") from error
    if found.orlop_database != FORMAT:
        raise StoreError(f"{path} has format {found.orlop_database}; this release reads format {FORMAT}")
    return found


def require_empty(connection: Connection) -> None:
    if inspect(connection).get_table_names():
        raise NotEmpty(
            "the database is not empty",
            cause="A restore writes into an empty database only. Nothing was changed.",
            correction="Name a new SQLite file, or drop the tables of the old database after making a copy.",
        )


def insert_rows(connection: Connection, export: Export) -> None:
    """Into tables that were just made at the export's revision."""
    found = MetaData()
    found.reflect(connection)
    for table in found.sorted_tables:
        exported = export.tables.get(table.name)
        if exported is not None and exported.rows:
            connection.execute(insert(table), [dict(zip(exported.columns, row, strict=True)) for row in exported.rows])
