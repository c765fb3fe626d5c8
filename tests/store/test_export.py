"""Exports go back into an empty database of any engine, and the commands do what they say."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import inspect

from orlop.controller.picture import Aggregate, Picture
from orlop.controller.store import DatabaseInUse, NotEmpty, Store, StoreError, UnknownRevision, restore
from orlop.controller.store.command import database
from orlop.controller.store.database import connect, parse

Put = Callable[..., Picture]
Cluster = tuple[Aggregate, ...]
Spoil = Callable[[Store, str, dict[str, Any], dict[str, Any] | None], None]
ENGINES = ("sqlite", "postgresql", "mariadb")


@pytest.mark.parametrize("target", ENGINES)
def test_an_export_is_restored_on_every_engine(
    open_store: Store,
    put: Put,
    small_cluster: Cluster,
    target: str,
    tmp_path: Path,
    new_database: Callable[[str], str],
) -> None:
    put(open_store, *small_cluster)
    before = open_store.load()
    open_store.export(tmp_path / "export.json")
    assert stat.S_IMODE((tmp_path / "export.json").stat().st_mode) == 0o600
    url = new_database(target)
    restore(url, tmp_path / "export.json")
    with Store.open(url) as store:
        assert store.activate().term == 2
        after = store.load()
        assert after.problems == ()
        for name in Picture.__slots__:
            assert getattr(after.picture, name) == getattr(before.picture, name), name
        put(store, *after.picture.nodes.values())
        assert store.lease().acquire("me", 10)


def test_a_database_that_holds_something_is_not_restored_into(open_store: Store, tmp_path: Path, url: str) -> None:
    open_store.export(tmp_path / "export.json")
    open_store.close()
    with Store.open(url, check_writer=False) as store:
        before = store.export_data()["tables"]
        with pytest.raises(NotEmpty):
            restore(url, tmp_path / "export.json")
        assert store.export_data()["tables"] == before


def test_a_database_in_use_is_not_restored_into(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    with Store.open(url) as store:
        store.activate()
        store.export(tmp_path / "export.json")
        with pytest.raises(DatabaseInUse):
            restore(url, tmp_path / "export.json")


def test_a_restore_that_fails_leaves_the_database_empty(
    open_store: Store, put: Put, small_cluster: Cluster, tmp_path: Path, url: str, new_database: Callable[[str], str]
) -> None:
    put(open_store, *small_cluster)
    export = open_store.export_data()
    export["tables"]["node"]["rows"] = export["tables"]["node"]["rows"][:1] * 2
    path = tmp_path / "export.json"
    path.write_text(json.dumps(export))
    kind = "mariadb" if open_store.engine.dialect.name == "mysql" else open_store.engine.dialect.name
    target = new_database(kind)
    with pytest.raises(StoreError, match="cannot be restored"):
        restore(target, path)
    engine = connect(parse(target))
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    open_store.export(path)
    restore(target, path)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        pytest.param("{", StoreError, id="no-json"),
        pytest.param('{"tables": {}}', StoreError, id="no-export"),
        pytest.param(
            '{"orlop_database": 2, "revision": "0001", "exported": "", "tables": {}}', StoreError, id="format"
        ),
        pytest.param(
            '{"orlop_database": 1, "revision": "zzz", "exported": "", "tables": {}}', UnknownRevision, id="newer"
        ),
    ],
)
def test_what_is_no_export_of_ours_is_refused(tmp_path: Path, content: str, error: type[StoreError]) -> None:
    path = tmp_path / "export.json"
    path.write_text(content)
    with pytest.raises(error):
        restore(f"sqlite:///{tmp_path / 'c.db'}", path)
    assert not (tmp_path / "c.db").exists()


def test_commands_export_restore_and_check(
    open_store: Store, put: Put, spoil: Spoil, small_cluster: Cluster, tmp_path: Path, url: str
) -> None:
    put(open_store, *small_cluster)
    run = CliRunner(env={"ORLOP_DATABASE_URL": url}).invoke
    file = str(tmp_path / "export.json")
    exported = run(database, ["export", file])
    assert exported.exit_code == 0, exported.output
    restored = run(database, ["restore", "--url", f"sqlite:///{tmp_path / 'copy.db'}", file])
    assert restored.exit_code == 0, restored.output
    well = run(database, ["check", "--url", f"sqlite:///{tmp_path / 'copy.db'}"])
    assert (well.exit_code, well.output) == (
        0,
        "3 nodes, 3 storage pools, 3 resource groups, 3 resource definitions, 0 problems\n",
    )
    spoil(open_store, "resource", {"definition_key": "one", "node_key": "beta"}, {"flags": "!"})
    ill = run(database, ["check"])
    assert ill.exit_code == 1
    assert "resource one/beta: flags" in ill.output
    assert "2 resource definitions, 1 problems" in ill.output


def test_a_command_answers_an_error_with_a_sentence(tmp_path: Path) -> None:
    missing = CliRunner().invoke(database, ["check", "--url", f"sqlite:///{tmp_path / 'none.db'}"])
    assert missing.exit_code == 1
    assert missing.output.startswith("Error: there is no database")
    assert not list(tmp_path.iterdir())


def test_a_password_on_the_command_line_is_refused() -> None:
    refused = CliRunner().invoke(database, ["check", "--url", "postgresql://orlop:hunter2@127.0.0.1/orlop"])
    assert refused.exit_code == 2
    assert "ORLOP_DATABASE_URL" in refused.output
    assert "hunter2" not in refused.output
