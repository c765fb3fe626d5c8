"""Schemas of other releases: older ones are migrated after a backup, newer and foreign ones are left alone."""

import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from orlop.controller.picture import Aggregate, Picture
from orlop.controller.store import Store, StoreError, UnknownRevision, restore
from orlop.controller.store.database import connect, parse
from orlop.controller.store.export import export_data
from orlop.controller.store.migration import REVISIONS, bring_up_to_date, head
from orlop.controller.store.tables import metadata

Put = Callable[..., Picture]
Cluster = tuple[Aggregate, ...]

NEXT = f"""
import sqlalchemy as sa
from alembic import op

revision = "next"
down_revision = "{head()}"


def upgrade():
    op.execute("CREATE TABLE colours (name VARCHAR(8))")
    with op.batch_alter_table("node") as node:
        node.add_column(sa.Column("colour", sa.String(8), nullable=False, server_default="grey"))
"""
BROKEN = NEXT + '    op.execute("INSERT INTO no_such_table VALUES (1)")\n'


@pytest.fixture
def revisions(tmp_path: Path) -> Callable[[str], Path]:
    """The revisions of this release and one more."""

    def make(source: str) -> Path:
        directory = tmp_path / "revisions"
        shutil.copytree(REVISIONS, directory)
        (directory / "versions" / "next.py").write_text(source)
        return directory

    return make


@pytest.fixture
def filled(url: str, put: Put, small_cluster: Cluster) -> str:
    with Store.open(url) as store:
        store.activate()
        put(store, *small_cluster)
    return url


def colours(url: str) -> list[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT colour FROM node")).scalars().all()
    engine.dispose()
    return list(found)


def contents(url: str) -> dict[str, object]:
    """Everything but the moment of the export."""
    return {key: value for key, value in export_data(parse(url)).items() if key != "exported"}


def test_the_revisions_make_the_tables_of_the_code(url: str) -> None:
    Store.open(url).close()
    engine = connect(parse(url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        for table in metadata.sorted_tables:
            assert inspect(connection).get_pk_constraint(table.name)["constrained_columns"] == [
                column.name for column in table.primary_key.columns
            ]
    engine.dispose()


def test_an_older_database_is_migrated_after_a_backup(
    filled: str, revisions: Callable[[str], Path], tmp_path: Path, new_database: Callable[[str], str]
) -> None:
    before = contents(filled)
    backup = bring_up_to_date(parse(filled), tmp_path / "backups", revisions(NEXT))
    assert backup is not None
    assert colours(filled) == ["grey"] * 3
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert head() in backup.name
    copy = f"sqlite:///{backup}"
    if backup.suffix == ".json":
        copy = new_database("sqlite")
        restore(copy, backup)
    assert contents(copy) == before


def test_a_backup_of_a_sqlite_file_lies_beside_it(tmp_path: Path, revisions: Callable[[str], Path]) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    Store.open(url).close()
    backup = bring_up_to_date(parse(url), None, revisions(NEXT))
    assert backup is not None
    assert backup.parent == tmp_path
    assert backup.name.startswith("c.db-2")


def test_a_database_of_a_newer_release_is_refused_unchanged(
    filled: str, revisions: Callable[[str], Path], tmp_path: Path
) -> None:
    bring_up_to_date(parse(filled), tmp_path / "backups", revisions(NEXT))
    before = contents(filled)
    backups = sorted((tmp_path / "backups").iterdir())
    for check_writer in (True, False):
        with pytest.raises(UnknownRevision, match="next"):
            Store.open(filled, backup_directory=tmp_path / "backups", check_writer=check_writer)
    assert contents(filled) == before
    assert sorted((tmp_path / "backups").iterdir()) == backups


def test_a_migration_that_fails_names_the_backup(filled: str, revisions: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="A copy from before is in"):
        bring_up_to_date(parse(filled), tmp_path / "backups", revisions(BROKEN))
    assert len(list((tmp_path / "backups").iterdir())) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_migration_that_fails_leaves_nothing_where_tables_change_in_transactions(
    kind: str, new_database: Callable[[str], str], revisions: Callable[[str], Path], tmp_path: Path
) -> None:
    url = new_database(kind)
    with Store.open(url) as store:
        store.activate()
    before = contents(url)
    with pytest.raises(StoreError):
        bring_up_to_date(parse(url), tmp_path / "backups", revisions(BROKEN))
    assert contents(url) == before
    Store.open(url).close()


def test_tables_of_somebody_else_are_refused_unchanged(url: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE customers (id INTEGER)"))
    with pytest.raises(UnknownRevision, match="not Orlop's"):
        Store.open(url)
    assert inspect(engine).get_table_names() == ["customers"]
    engine.dispose()


def test_a_database_that_is_up_to_date_is_not_copied(filled: str, tmp_path: Path) -> None:
    Store.open(filled, backup_directory=tmp_path / "backups").close()
    assert not (tmp_path / "backups").exists()
