"""The schema's revisions: a database is made, brought up to date after a backup, or refused unchanged."""

import datetime
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, inspect, text

from orlop.controller.store import database
from orlop.controller.store.errors import StoreError, UnknownRevision
from orlop.controller.store.export import write_export
from orlop.controller.store.tables import metadata

BACKUPS = Path("/var/lib/orlop/backups")
REVISIONS = Path(__file__).parent / "migrations"


def configuration(revisions: Path = REVISIONS) -> Config:
    config = Config()
    config.set_main_option("script_location", str(revisions).replace("%", "%%"))
    return config


def head(revisions: Path = REVISIONS) -> str:
    newest = ScriptDirectory.from_config(configuration(revisions)).get_current_head()
    assert newest is not None
    return newest


def revision_of(connection: Connection) -> str | None:
    """Revision of the schema, None for an empty database; raises for tables that are not ours."""
    found = inspect(connection).get_table_names()
    if "alembic_version" in found:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        if revision is not None:
            return str(revision)
    if found:
        raise UnknownRevision(
            "the database holds tables that are not Orlop's",
            details=f"Found {', '.join(sorted(found)[:5])}{'...' if len(found) > 5 else ''}.",
            correction="Give the controller an empty database of its own.",
        )
    return None


def check_revision(revision: str, revisions: Path = REVISIONS) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(configuration(revisions)).walk_revisions()}
    if revision not in known:
        raise UnknownRevision(
            f"the database has revision {revision!r}, which this release does not know",
            cause="It was used by a newer release. Nothing was changed.",
            correction="Install that release again, or restore the backup that was made before the upgrade.",
        )


def bring_up_to_date(url: URL, backup_directory: Path | None, revisions: Path = REVISIONS) -> Path | None:
    """Create or migrate the schema; returns the backup that was made before a migration."""
    engine = database.connect(url)
    try:
        with engine.begin() as connection:
            revision = revision_of(connection)
        if revision is not None:
            check_revision(revision, revisions)
        newest = head(revisions)
        if revision == newest:
            return None
        backup = back_up(url, revision, backup_directory) if revision is not None else None
    finally:
        engine.dispose()
    try:
        upgrade(url, newest, revisions)
    except Exception as error:
        kept = f" A copy from before is in {backup}." if backup else ""
        raise StoreError(f"the database could not be brought to revision {newest}: {error}.{kept}") from error
    return backup


def upgrade(url: URL, revision: str, revisions: Path = REVISIONS) -> None:
    """One transaction where the engine can change tables in one (MariaDB cannot)."""
    engine = database.connect(url, foreign_keys=False)
    try:
        with engine.begin() as connection:
            config = configuration(revisions)
            config.attributes["connection"] = connection
            config.attributes["metadata"] = metadata
            command.upgrade(config, revision)
            if url.get_backend_name() == "sqlite" and connection.execute(text("PRAGMA foreign_key_check")).first():
                raise StoreError("the migration left rows that refer to nothing")
    finally:
        engine.dispose()


def back_up(url: URL, revision: str, directory: Path | None) -> Path:
    """A copy of the database as it is, mode 0600: SQLite's own backup, JSON for the servers."""
    path = database.sqlite_path(url)
    directory = directory or (path.parent if path else BACKUPS)
    directory.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    name = path.name if path else str(url.database)
    target = directory / f"{name}-{now}-{revision}.{'db' if path else 'json'}"
    if path is None:
        write_export(url, target)
    else:
        copy_sqlite(path, target)
    return target


def copy_sqlite(path: Path, target: Path) -> None:
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    for place in (target, target.parent):
        descriptor = os.open(place, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
