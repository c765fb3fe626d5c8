"""An export goes back into an empty database: tables at the export's revision, rows, then the newest revision."""

from pathlib import Path

from sqlalchemy import Engine, MetaData
from sqlalchemy.exc import SQLAlchemyError

from orlop.controller.store import database, migration
from orlop.controller.store.errors import StoreError
from orlop.controller.store.export import insert_rows, read_export, require_empty


def restore(url: str, path: Path) -> None:
    """Raises `NotEmpty` unless the database is empty; on failure it is empty again."""
    where = database.parse(url)
    export = read_export(path)
    migration.check_revision(export.revision)
    file = database.sqlite_path(where)
    lock = database.FileLock(file) if file else None
    if file is not None:
        database.create_file(file)
    if lock is not None:
        lock.acquire()
    engine = database.connect(where)
    try:
        with engine.begin() as connection:
            require_empty(connection)
        try:
            migration.upgrade(where, export.revision)
            with engine.begin() as connection:
                insert_rows(connection, export)
            migration.upgrade(where, "head")
        except (SQLAlchemyError, ValueError) as error:
            _empty(engine)
            raise StoreError(
                f"{path} cannot be restored: {error}", correction="The database is empty again."
            ) from error
    finally:
        engine.dispose()
        if lock is not None:
            lock.release()


def _empty(engine: Engine) -> None:
    with engine.begin() as connection:
        made = MetaData()
        made.reflect(connection)
        made.drop_all(connection)
