"""Activation, fencing and the transaction."""

import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import Connection, create_engine, event, text

from orlop.controller.picture import Aggregate, Change, Draft, Picture, key_of
from orlop.controller.store import DatabaseInUse, NotActive, Store, StoreError
from orlop.model import Node, ResourceDefinition, StoragePool

Put = Callable[..., Picture]
Cluster = tuple[Aggregate, ...]


def test_the_first_activation_makes_what_is_built_in(open_store: Store) -> None:
    loaded = open_store.load()
    assert loaded.problems == ()
    assert loaded.picture.groups["dfltrscgrp"].select_filter.place_count == 2
    assert sorted(loaded.picture.pool_definitions) == ["dfltdisklessstorpool", "dfltstorpool"]
    assert len(loaded.picture.controller.props["Cluster/LocalID"]) == 36
    assert loaded.picture.controller.cluster


def test_each_activation_has_a_higher_term_another_nonce_and_the_same_cluster(url: str, put: Put) -> None:
    with Store.open(url) as store:
        first = store.activate()
        put(store, Node(name="alpha", uuid="1"))
    with Store.open(url) as store:
        second = store.activate()
    assert (first.term, second.term) == (1, 2)
    assert (first.sequence, second.sequence) == (0, 1)
    assert first.cluster == second.cluster
    assert first.nonce != second.nonce


def test_built_in_objects_are_made_once(url: str) -> None:
    with Store.open(url) as store:
        store.activate()
        first = store.load().picture
    with Store.open(url) as store:
        store.activate()
        assert store.load().picture.groups == first.groups


def test_a_higher_term_can_be_accepted_and_a_lower_one_cannot(open_store: Store, put: Put) -> None:
    assert open_store.accept_term(40).term == 40
    put(open_store, Node(name="alpha", uuid="1"))
    with pytest.raises(StoreError, match="not higher"):
        open_store.accept_term(40)
    assert open_store.activate().term == 41


def test_nothing_is_committed_before_activation(url: str) -> None:
    with Store.open(url) as store, pytest.raises(NotActive):
        store.commit([], 1)


def test_a_controller_that_was_replaced_writes_nothing_more(server_url: str, put: Put) -> None:
    with Store.open(server_url) as old, Store.open(server_url) as new:
        old.activate()
        put(old, Node(name="alpha", uuid="1"))
        new.activate()
        with pytest.raises(NotActive, match="another controller"):
            put(old, Node(name="beta", uuid="2"))
        with pytest.raises(NotActive, match="another controller"):
            old.accept_term(99)
        put(new, Node(name="gamma", uuid="3"))
        assert sorted(new.load().picture.nodes) == ["alpha", "gamma"]


def test_a_second_controller_on_the_same_file_is_refused_by_pid(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'c.db'}"
    open_and_wait = "import sys; from orlop.controller.store import Store; Store.open(sys.argv[1]); print(); input()"
    argv = [sys.executable, "-c", open_and_wait, url]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout is not None
        first.stdout.readline()
        with pytest.raises(DatabaseInUse, match=f"pid {first.pid}$"):
            Store.open(url)
        first.kill()
    Store.open(url).close()


def test_the_lock_is_free_again_when_opening_failed(tmp_path: Path) -> None:
    path = tmp_path / "c.db"
    path.write_text("this is no database at all" * 100)
    for _ in range(2):
        with pytest.raises(StoreError, match="cannot be opened"):
            Store.open(f"sqlite:///{path}")


def test_a_sqlite_file_is_readable_for_its_owner_only(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'new' / 'c.db'}"):
        assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()} == {0o600}


@pytest.mark.parametrize("given", ["sqlite://", "sqlite:///c.db", "oracle://db/x", "nonsense"])
def test_a_url_that_cannot_serve_is_refused(given: str) -> None:
    with pytest.raises(StoreError) as refused:
        Store.open(given)
    assert refused.value.correction


def test_a_server_that_is_away_is_named_without_the_password() -> None:
    with pytest.raises(StoreError, match="cannot be opened") as refused:
        Store.open("postgresql+psycopg://orlop:hunter2@127.0.0.1:1/orlop")
    assert "hunter2" not in str(refused.value)


def test_a_commit_that_fails_leaves_nothing(open_store: Store, put: Put, small_cluster: Cluster) -> None:
    before = put(open_store, *small_cluster)
    draft = Draft(before)
    draft.put(Node(name="delta", uuid="4"))
    draft.put(StoragePool(node="nowhere", name="pool", uuid="5", provider="FILE"))
    with pytest.raises(StoreError, match="refused"):
        open_store.commit(draft.changes, 2)
    loaded = open_store.load()
    assert loaded.picture.nodes == before.nodes
    assert loaded.picture.sequence == 1
    put(open_store, Node(name="delta", uuid="4"))


KILL = {
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_terminate_backend({})"),
    "mysql": ("SELECT connection_id()", "KILL {}"),
}


def test_a_connection_lost_at_the_commit_is_told_from_a_change_that_was_written(
    server_url: str, put: Put, small_cluster: Cluster
) -> None:
    with Store.open(server_url) as store:
        store.activate()
        before = put(store, *small_cluster)
        own, kill = KILL[store.engine.dialect.name]
        other = create_engine(store.engine.url)

        @event.listens_for(store.engine, "commit", once=True)
        def lose(connection: Connection) -> None:
            number = connection.execute(text(own)).scalar_one()
            with other.connect() as killer:
                killer.execute(text(kill.format(number)))

        with pytest.raises(StoreError, match="lost the change"):
            put(store, Node(name="delta", uuid="4"))
        other.dispose()
        assert store.load().picture.nodes == before.nodes
        put(store, Node(name="delta", uuid="4"))
        assert "delta" in store.load().picture.nodes


def test_a_pool_that_holds_a_volume_cannot_go(open_store: Store, put: Put, small_cluster: Cluster) -> None:
    draft = Draft(put(open_store, *small_cluster))
    draft.remove(draft.pools["gamma", "pool"])
    with pytest.raises(StoreError, match="refused"):
        open_store.commit(draft.changes, 2)


def test_two_parts_with_one_key_are_refused(open_store: Store, put: Put, small_cluster: Cluster) -> None:
    one = put(open_store, *small_cluster).definitions["one"]
    doubled = msgspec.structs.replace(one, resources=one.resources * 2)
    with pytest.raises(StoreError, match="twice"):
        open_store.commit([Change(ResourceDefinition, key_of(one), one, doubled)], 2)


def test_names_in_errors_are_not_followed_by_values(open_store: Store) -> None:
    secret = StoragePool(node="nowhere", name="pool", uuid="5", provider="FILE", props={"Aux/token": "hunter2"})
    with pytest.raises(StoreError) as refused:
        open_store.commit([Change(StoragePool, key_of(secret), None, secret)], 1)
    assert "hunter2" not in str(refused.value)


def test_keys_are_compared_byte_for_byte(open_store: Store, put: Put) -> None:
    put(open_store, Node(name="ALPHA", uuid="1"))
    with open_store.engine.connect() as connection:
        count = text("SELECT count(*) FROM node WHERE name = 'alpha'")
        assert connection.execute(count).scalar() == 0
    assert open_store.load().picture.nodes["alpha"].name == "ALPHA"


def test_only_what_differs_is_written(open_store: Store, put: Put, small_cluster: Cluster) -> None:
    """A row of another resource that was changed behind the store's back stays as it is."""
    picture = put(open_store, *small_cluster)
    engine = create_engine(open_store.engine.url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE volume SET source = 'mark' WHERE definition_key = 'one'"))
    engine.dispose()
    one = picture.definitions["one"]
    draft = Draft(picture)
    draft.put(msgspec.structs.replace(one, props={"Aux/owner": "somebody else"}))
    open_store.commit(draft.changes, 2)
    loaded = open_store.load().picture.definitions["one"]
    assert loaded.props == {"Aux/owner": "somebody else"}
    assert loaded.revision == one.revision + 1
    assert {volume.source for resource in loaded.resources for volume in resource.volumes} == {"mark"}


def test_parts_keep_the_order_they_were_given(open_store: Store, put: Put, small_cluster: Cluster) -> None:
    one = put(open_store, *small_cluster).definitions["one"]
    turned = msgspec.structs.replace(
        one,
        resources=one.resources[::-1],
        volume_definitions=one.volume_definitions[::-1],
        operations=(msgspec.structs.replace(one.operations[0], uuid="zzz"), one.operations[0]),
    )
    expected = put(open_store, turned).definitions["one"]
    assert open_store.load().picture.definitions["one"] == expected


def test_a_database_without_its_tables_is_an_error_in_words(open_store: Store) -> None:
    with open_store.engine.begin() as connection:
        connection.execute(text("DROP TABLE operation"))
    with pytest.raises(StoreError, match="the database failed"):
        open_store.load()
