"""Explained placements over REST, and policies as they are chosen there."""

from __future__ import annotations

from typing import Any

import pytest
from flask.testing import FlaskClient

from orlop.codes import Fail, Warn
from tests.api.cluster import Cluster
from tests.api.test_conventions import code, entries
from tests.api.test_views import with_node

WEB = "/v1/orlop/resource-definitions/web/explain-placement"
FAST = "/v1/orlop/resource-groups/fast/explain-placement"


@pytest.fixture(autouse=True)
def nodes(api: FlaskClient, cluster: Cluster) -> None:
    """Three nodes with 60 GiB free each, a group of two replicas, and a definition without any."""
    for name in ("alpha", "bravo", "charlie"):
        with_node(cluster, name)
    filter_ = {"place_count": 2, "layer_stack": ["storage"]}
    api.post("/v1/resource-groups", json={"name": "fast", "select_filter": filter_})
    api.post("/v1/resource-groups/fast/volume-groups", json={})
    body = {"name": "web", "resource_group_name": "fast", "layer_data": [{"type": "STORAGE"}]}
    api.post("/v1/resource-definitions", json={"resource_definition": body})
    api.post("/v1/resource-definitions/web/volume-definitions", json={"volume_definition": {"size_kib": 1024 * 1024}})


def explained(api: FlaskClient, path: str, **body: Any) -> dict[str, Any]:
    answer = api.post(path, json=body)
    assert answer.status_code == 200, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def test_missing_replicas_are_explained_and_nothing_is_made(api: FlaskClient, cluster: Cluster) -> None:
    before = cluster.core.picture
    found = explained(api, WEB)
    assert found["possible"]
    assert found["summary"] == "2 replicas of 1048576 KiB would go to alpha (pool), bravo (pool)."
    assert (found["policy"], found["wanted"], found["size_kib"]) == ("balanced", 2, 1048576)
    (pool,) = found["nodes"][0]["pools"]
    assert (pool["storage_pool_name"], pool["chosen"], pool["rank"]) == ("pool", True, 1)
    assert sum(pool["points"].values()) == pytest.approx(pool["score"])
    assert found["nodes"][2]["pools"][0]["note"] == "scores less than those that were chosen"
    assert cluster.core.picture is before


def test_a_placement_that_fails_is_explained_with_what_would_help(api: FlaskClient, cluster: Cluster) -> None:
    cluster.satellites.away.add("charlie")
    cluster.satellites.drop(cluster.core.picture.nodes["charlie"])
    found = explained(api, WEB, select_filter={"place_count": 3})
    assert not found["possible"]
    assert found["nodes"][2]["reasons"] == ["it is offline"]
    assert found["changes"][0] == {"steps": ["bring node charlie online"]}
    refused = api.post("/v1/resource-definitions/web/autoplace", json={"select_filter": {"place_count": 3}})
    (entry,) = entries(refused)
    assert code(entry) == Fail.NOT_ENOUGH_NODES
    assert entry["correction"].startswith("The smallest change: bring node charlie online. Or: add 1 node")


def test_replicas_that_are_there_are_explained_as_if_placed_now(api: FlaskClient) -> None:
    api.post("/v1/resource-definitions/web/autoplace", json={})
    found = explained(api, WEB)
    assert found["summary"].startswith("There are replicas on alpha, bravo. Placed now, they would go to ")
    assert [node.get("replica", False) for node in found["nodes"]] == [True, True, False]


def test_what_a_group_would_spawn_is_explained(api: FlaskClient, cluster: Cluster) -> None:
    found = explained(api, FAST, volume_sizes=[2048])
    assert (found["possible"], found["size_kib"], found["wanted"]) == (True, 2048, 2)
    found = explained(api, FAST, volume_sizes=[2 * 1024**3])
    assert found["nodes"][0]["pools"][0]["reasons"] == ["1258291200 KiB free, 2147483648 KiB needed"]
    assert {"steps": ["ask for 1258291200 KiB per replica at most"], "request": True} in found["changes"]
    assert set(cluster.core.picture.definitions) == {"web"}


@pytest.mark.parametrize("path", [WEB, FAST])
def test_a_policy_can_be_named_and_one_that_is_not_installed_is_refused(api: FlaskClient, path: str) -> None:
    assert explained(api, path, select_filter={"placement_policy": "pack"})["policy"] == "pack"
    answer = api.post(path, json={"select_filter": {"placement_policy": "none"}})
    assert "There is no placement policy 'none'." in entries(answer)[0]["message"]


def test_a_group_keeps_its_policy_until_it_is_cleared(api: FlaskClient) -> None:
    group = "/v1/resource-groups/fast"
    assert api.put(group, json={"select_filter": {"placement_policy": "round-robin"}}).status_code == 200
    assert api.get(group).get_json()["select_filter"]["placement_policy"] == "round-robin"
    assert explained(api, FAST)["policy"] == "round-robin"
    assert api.put(group, json={"select_filter": {"placement_policy": "none"}}).status_code == 500
    api.put(group, json={"select_filter": {"placement_policy": ""}})
    assert explained(api, FAST)["policy"] == "balanced"


def test_the_property_names_a_policy_that_is_installed(api: FlaskClient) -> None:
    answer = api.post("/v1/controller/properties", json={"override_props": {"Autoplacer/Policy": "none"}})
    assert code(entries(answer)[0]) == Fail.INVLD_PROP
    api.post("/v1/controller/properties", json={"override_props": {"Autoplacer/Policy": "pack"}})
    assert explained(api, FAST)["policy"] == "pack"
    api.put("/v1/resource-groups/fast", json={"override_props": {"Autoplacer/Policy": "round-robin"}})
    assert explained(api, FAST)["policy"] == "round-robin"


def test_a_script_is_not_run_and_that_is_said(api: FlaskClient) -> None:
    script = {"Autoplacer/PreSelectScript": "/usr/local/bin/choose"}
    answer = api.post("/v1/controller/properties", json={"override_props": script})
    assert [entry["message"] for entry in entries(answer) if code(entry) == Warn.UNEFFECTIVE_PROP] == [
        "Property 'Autoplacer/PreSelectScript' has no effect: the controller runs no scripts."
    ]


def test_who_sets_weights_gets_the_policy_that_heeds_them(api: FlaskClient) -> None:
    api.post("/v1/controller/properties", json={"override_props": {"Autoplacer/Weights/MinRscCount": "1"}})
    assert explained(api, FAST)["policy"] == "most-free-space"
    assert set(explained(api, FAST)["nodes"][0]["pools"][0]["points"]) == {"MaxFreeSpace", "MinRscCount"}


def free_space(api: FlaskClient, **query: Any) -> Any:
    return api.get("/v1/orlop/free-space", query_string=query)


def test_the_free_space_for_a_redundancy(api: FlaskClient, cluster: Cluster) -> None:
    found = free_space(api, redundancy=3, resource_group="fast").get_json()
    assert found["node_names"] == ["alpha", "bravo", "charlie"]
    assert found["free_kib"] == 1200 * 1024**2 == found["max_volume_size_kib"], "nothing is above the pools"
    assert found["total_kib"] == 3 * 2000 * 1024**2
    for name in ("alpha", "bravo"):
        cluster.satellites.drbd[name] = "9.2.13"
        cluster.satellites.watch(cluster.core.picture.nodes[name])
    api.put("/v1/resource-groups/fast", json={"select_filter": {"layer_stack": ["drbd", "storage"]}})
    replicated = free_space(api, redundancy=2, nodes=["alpha", "bravo"], resource_group="fast").get_json()
    assert replicated["layer_stack"] == ["DRBD", "STORAGE"]
    assert 0 < replicated["free_kib"] - replicated["max_volume_size_kib"] < 1024**2, "metadata takes its share"


def test_a_redundancy_that_cannot_be_is_refused(api: FlaskClient) -> None:
    for redundancy in ("0", "-1"):
        assert code(entries(free_space(api, redundancy=redundancy))[0]) == Fail.INVLD_PLACE_COUNT
    (entry,) = entries(free_space(api, redundancy=2, nodes=["alpha"]))
    assert code(entry) == Fail.NOT_ENOUGH_NODES
    assert "node bravo: not one of the wanted nodes" in entry["details"]


def test_the_ratio_of_the_filter_stands_in_for_those_of_the_pools(api: FlaskClient) -> None:
    path = "/v1/resource-groups/fast/query-size-info"
    told = [
        api.post(path, json={"select_filter": rule}).get_json()["space_info"]["max_vlm_size_in_kib"]
        for rule in ({}, {"overprovision": 1.0})
    ]
    assert told == [1200 * 1024**2, 60 * 1024**2]
