"""A row that makes no sense is reported and costs as little as it safely can."""

from collections.abc import Callable
from typing import Any

import pytest

from orlop.controller.picture import Aggregate, Draft, Picture
from orlop.controller.store import Store, StoreError
from orlop.model import NetInterface, Node

Put = Callable[..., Picture]
Cluster = tuple[Aggregate, ...]
Spoil = Callable[[Store, str, dict[str, Any], dict[str, Any] | None], None]

ONE = {"key": "one"}
VOLUME = {"definition_key": "one", "node_key": "beta", "number": 1}
RESOURCE = {"definition_key": "one", "node_key": "beta"}
DEFINITION = "resource_definition"

# What is done to which row, the table that is reported and what the reason says. All of it concerns "one" only.
DAMAGE = [
    pytest.param(DEFINITION, ONE, {"props": "{"}, DEFINITION, "props", id="json"),
    pytest.param(DEFINITION, ONE, {"props": "[1]"}, DEFINITION, "props", id="json-of-another-form"),
    pytest.param(DEFINITION, ONE, {"layers": "[]"}, DEFINITION, "layers is empty", id="no-layers"),
    pytest.param(DEFINITION, ONE, {"name": "o n e"}, DEFINITION, "another name", id="name-of-another-key"),
    pytest.param(DEFINITION, ONE, {"name": "All", "key": "all"}, "volume_definition", "no such", id="key"),
    pytest.param(DEFINITION, ONE, {"group_key": "slow"}, DEFINITION, "another name", id="group-key"),
    pytest.param(
        DEFINITION, ONE, {"group_key": "no", "group": "No"}, DEFINITION, "resource_group no does not exist", id="group"
    ),
    pytest.param(DEFINITION, ONE, None, "volume_definition", "no such resource_definition", id="definition-is-gone"),
    pytest.param("volume_definition", {"uuid": "one-1"}, {"size": 1}, "volume_definition", "1 bytes", id="size"),
    pytest.param("volume_definition", {"uuid": "one-1"}, {"flags": "x"}, "volume_definition", "flags", id="flags"),
    pytest.param(
        "volume_definition", {"uuid": "one-1"}, {"number": 70000}, "volume_definition", "70000", id="volume-number"
    ),
    pytest.param("resource", RESOURCE, {"flags": "null"}, "resource", "flags", id="resource-flags"),
    pytest.param("resource", RESOURCE, {"node": "alpha"}, "resource", "another name", id="resource-node"),
    pytest.param("resource", RESOURCE, None, "volume", "no such resource", id="resource-is-gone"),
    pytest.param("volume", VOLUME, {"levels": "[]"}, "volume", "STORAGE", id="no-levels"),
    pytest.param("volume", VOLUME, {"levels": "[{}]"}, "volume", "levels", id="level-without-size"),
    pytest.param("volume", VOLUME, {"new": 7}, "volume", "neither 0 nor 1", id="new-is-neither"),
    pytest.param("volume", VOLUME, {"pool_key": "other"}, "volume", "pool_key", id="pool-key"),
    pytest.param(
        "volume",
        VOLUME,
        {"pool_key": "other", "pool": "other"},
        DEFINITION,
        "storage_pool beta/other does not exist",
        id="pool",
    ),
    pytest.param(
        "volume",
        VOLUME,
        {"metadata": '{"uuid":"m","pool":"other","levels":[{"layer":"STORAGE","size":4096}]}'},
        DEFINITION,
        "storage_pool beta/other does not exist",
        id="pool-of-metadata",
    ),
    pytest.param(
        "volume",
        VOLUME,
        {"metadata": '{"uuid":"m","pool":"fast","levels":[]}'},
        "volume",
        "STORAGE",
        id="no-metadata-levels",
    ),
    pytest.param("volume", VOLUME, {"metadata": "{}"}, "volume", "metadata", id="metadata"),
    pytest.param("snapshot", {"uuid": "one-before"}, {"layers": ""}, "snapshot", "layers", id="snapshot"),
    pytest.param(
        "snapshot", {"uuid": "one-before"}, None, "snapshot_volume_definition", "no such", id="snapshot-is-gone"
    ),
    pytest.param("snapshot_volume", {"uuid": "one-s"}, {"new": 2}, "snapshot_volume", "neither", id="snapshot-volume"),
    pytest.param("operation", {"uuid": "one-op"}, {"arguments": "{"}, "operation", "arguments", id="operation"),
    pytest.param(
        "resource_connection", {"definition_key": "one"}, {"props": ""}, "resource_connection", "props", id="connection"
    ),
]


@pytest.mark.parametrize(("name", "where", "values", "table", "reason"), DAMAGE)
def test_a_damaged_definition_is_isolated_and_keeps_its_name(
    open_store: Store,
    put: Put,
    spoil: Spoil,
    small_cluster: Cluster,
    name: str,
    where: dict[str, Any],
    values: dict[str, Any] | None,
    table: str,
    reason: str,
) -> None:
    before = put(open_store, *small_cluster)
    spoil(open_store, name, where, values)
    loaded = open_store.load()
    assert [p for p in loaded.problems if p.table == table and reason in p.reason], loaded.problems
    assert "one" in loaded.blocked
    assert loaded.picture.definitions == {key: before.definitions[key] for key in ("two", "three")}
    assert loaded.picture.nodes == before.nodes
    assert loaded.picture.pools == before.pools
    assert not (loaded.blocked_nodes | loaded.blocked_pools | loaded.blocked_groups)


def test_an_external_name_belongs_to_one_definition(
    open_store: Store, put: Put, spoil: Spoil, small_cluster: Cluster
) -> None:
    put(open_store, *small_cluster)
    spoil(open_store, DEFINITION, {"key": "two"}, {"external_name": "one of a user"})
    loaded = open_store.load()
    assert loaded.blocked == {"two"}
    assert loaded.picture.external_names == {"one of a user": "one", "three of a user": "three"}


def test_a_damaged_pool_isolates_what_is_kept_in_it(
    open_store: Store, put: Put, spoil: Spoil, small_cluster: Cluster
) -> None:
    before = put(open_store, *small_cluster)
    spoil(open_store, "storage_pool", {"node_key": "gamma", "key": "pool"}, {"props": "?"})
    loaded = open_store.load()
    assert loaded.blocked_pools == {("gamma", "pool")}
    assert loaded.blocked == {"three"}
    assert loaded.picture.nodes == before.nodes
    assert sorted(loaded.picture.definitions) == ["one", "two"]


def test_a_damaged_node_isolates_what_is_on_it(
    open_store: Store, put: Put, spoil: Spoil, small_cluster: Cluster
) -> None:
    put(open_store, *small_cluster)
    spoil(open_store, "node", {"key": "gamma"}, {"kind": "TOASTER"})
    loaded = open_store.load()
    assert loaded.blocked_nodes == {"gamma"}
    assert loaded.blocked_pools == {("gamma", "pool")}
    assert loaded.blocked == {"three"}
    assert "'TOASTER' is not one of" in str(loaded.problems[0])


def test_a_damaged_group_isolates_its_definitions(
    open_store: Store, put: Put, spoil: Spoil, small_cluster: Cluster
) -> None:
    put(open_store, *small_cluster)
    spoil(open_store, "resource_group", {"key": "fast"}, {"select_filter": '{"place_count": "two"}'})
    loaded = open_store.load()
    assert loaded.blocked_groups == {"fast"}
    assert loaded.blocked == {"one", "two", "three"}
    assert "slow" in loaded.picture.groups


def test_a_damaged_net_interface_costs_only_itself_and_can_be_made_again(
    open_store: Store, put: Put, spoil: Spoil, small_cluster: Cluster
) -> None:
    put(open_store, *small_cluster)
    spoil(open_store, "net_interface", {"node_key": "alpha", "key": "default"}, {"address": "somewhere"})
    loaded = open_store.load()
    assert [p.table for p in loaded.problems] == ["net_interface"]
    assert sorted(loaded.picture.definitions) == ["one", "three", "two"]
    assert loaded.picture.nodes["alpha"].interfaces == ()
    new = NetInterface(name="Default", uuid="new", address="fd00::1")
    draft = Draft(loaded.picture)
    draft.put(Node(name="alpha", uuid="alpha", interfaces=(new,)))
    open_store.commit(draft.changes, 9)
    again = open_store.load()
    assert again.problems == ()
    assert again.picture.nodes["alpha"].interfaces == (new,)


def test_a_controller_without_readable_properties_does_not_start(open_store: Store, spoil: Spoil) -> None:
    spoil(open_store, "controller", {"id": 1}, {"props": "{"})
    with pytest.raises(StoreError, match="row of the controller"):
        open_store.load()
