"""Resource groups and volume groups."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from orlop.codes import Fail
from tests.api.cluster import Cluster
from tests.api.test_conventions import code, entries
from tests.api.test_views import deployed

GROUP = "/v1/resource-groups/fast"
FILTER = {
    "place_count": "2",
    "storage_pool_list": ["ssd", "nvme"],
    "replicas_on_different": ["Aux/rack"],
    "x_replicas_on_different_map": {"Aux/site": "2"},
    "provider_list": ["file_thin"],
    "layer_stack": ["storage"],
    "diskless_on_remaining": False,
}


def select_filter(api: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = api.get(GROUP).get_json()["select_filter"]
    return found


@pytest.fixture(autouse=True)
def fast(api: FlaskClient) -> None:
    answer = api.post("/v1/resource-groups", json={"name": "fast", "select_filter": FILTER})
    assert answer.status_code == 201
    assert entries(answer)[0]["obj_refs"] == {"RscGrp": "fast"}


def test_both_spellings_of_the_pool_are_answered(api: FlaskClient) -> None:
    assert select_filter(api) == {
        "place_count": 2,
        "storage_pool": "ssd",
        "storage_pool_list": ["ssd", "nvme"],
        "replicas_on_different": ["Aux/rack"],
        "x_replicas_on_different_map": {"Aux/site": 2},
        "provider_list": ["FILE_THIN"],
        "layer_stack": ["STORAGE"],
        "diskless_on_remaining": False,
    }


def test_the_older_spelling_of_the_pool_is_understood(api: FlaskClient) -> None:
    api.put(GROUP, json={"select_filter": {"storage_pool": "hdd"}})
    assert select_filter(api)["storage_pool_list"] == ["hdd"]


@pytest.mark.parametrize("given", [{}, {"place_count": None, "storage_pool_list": None}])
def test_what_is_absent_does_not_change(api: FlaskClient, given: dict[str, Any]) -> None:
    before = select_filter(api)
    assert api.put(GROUP, json={"select_filter": given, "description": "quick"}).status_code == 200
    assert select_filter(api) == before
    assert api.get(GROUP).get_json()["description"] == "quick"


def test_what_is_empty_is_cleared(api: FlaskClient) -> None:
    given = {"storage_pool_list": [], "x_replicas_on_different_map": {}, "diskless_on_remaining": "True"}
    api.put(GROUP, json={"select_filter": given})
    found = select_filter(api)
    assert found.keys() & {"storage_pool", "storage_pool_list", "x_replicas_on_different_map"} == set()
    assert found["place_count"] == 2
    assert found["diskless_on_remaining"] is True


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"place_count": -1}, Fail.INVLD_PLACE_COUNT),
        ({"x_replicas_on_different_map": {"Aux/a": 0}}, Fail.INVLD_PLACE_COUNT),
        ({"not_place_with_rsc_regex": "("}, Fail.INVLD_CONF),
    ],
)
def test_a_wrong_filter_is_refused(api: FlaskClient, given: dict[str, Any], expected: Fail) -> None:
    before = select_filter(api)
    answer = api.put(GROUP, json={"select_filter": given})
    assert answer.status_code == 500
    assert code(entries(answer)[0]) == expected
    assert select_filter(api) == before


RESOURCE, SNAPSHOT = "Orlop/WaitFor/Resource", "Orlop/WaitFor/Snapshot"


def modified(api: FlaskClient, policies: dict[str, str], rule: dict[str, Any]) -> Any:
    return api.put(GROUP, json={"override_props": policies, "select_filter": rule})


@pytest.mark.parametrize(
    ("policies", "rule", "refused"),
    [
        ({RESOURCE: "count=2"}, {}, None),
        ({RESOURCE: "count=3"}, {}, Fail.INVLD_PROP),
        ({SNAPSHOT: "count=3"}, {}, Fail.INVLD_PROP),
        ({RESOURCE: "count=3"}, {"place_count": 3}, None),
        ({RESOURCE: "count=3"}, {"place_count": 1}, Fail.INVLD_PLACE_COUNT),
        ({RESOURCE: "count=3"}, {"place_count": 0}, None),  # nobody says how many
        ({RESOURCE: "count=3"}, {"additional_place_count": 1}, None),  # one more each time
        ({RESOURCE: "count=2"}, {"place_count": 1}, Fail.INVLD_PLACE_COUNT),
        ({RESOURCE: "redundancy=2"}, {}, Fail.INVLD_PROP),  # of a stack that replicates nothing
        ({RESOURCE: "redundancy=2"}, {"layer_stack": []}, None),
    ],
)
def test_a_policy_that_the_place_count_can_never_satisfy_is_refused(
    api: FlaskClient, policies: dict[str, str], rule: dict[str, Any], refused: Fail | None
) -> None:
    answer = modified(api, policies, rule)
    assert (answer.status_code == 200) is (refused is None)
    if refused:
        assert code(entries(answer)[0]) == refused
        assert api.get(GROUP).get_json().get("props", {}) == {}
        assert select_filter(api)["place_count"] == 2


def test_a_place_count_that_can_never_satisfy_the_policy_is_refused(api: FlaskClient) -> None:
    assert modified(api, {RESOURCE: "count=3"}, {"place_count": 3}).status_code == 200
    (entry,) = entries(modified(api, {}, {"place_count": 2}))
    assert entry["message"] == (
        "The wait policy 'count=3' can never be satisfied by what resource group 'fast' asks for."
    )
    assert entry["cause"] == "count=3: 3 copies with a disk are asked for, and there are only 2."
    assert entry["details"] == f"The place count of the group is 2; the policy is its property '{RESOURCE}'."
    assert code(entry) == Fail.INVLD_PLACE_COUNT
    assert select_filter(api)["place_count"] == 3
    assert modified(api, {RESOURCE: "count=2"}, {"place_count": 2}).status_code == 200


def test_what_has_been_so_for_long_keeps_nobody_from_other_changes(api: FlaskClient, cluster: Cluster) -> None:
    """The policy may be older than the rule, or its plugin another one than it was."""
    with cluster.core.change() as draft:
        group = draft.group("fast")
        assert group is not None
        draft.put(replace(group, props={RESOURCE: "count=3"}))
    assert modified(api, {"Aux/a": "1"}, {"place_count": 2}).status_code == 200
    assert modified(api, {SNAPSHOT: "count=3"}, {}).status_code == 500


def test_a_group_is_not_made_with_such_a_policy(api: FlaskClient) -> None:
    body = {"name": "few", "props": {RESOURCE: "count=3"}, "select_filter": {"place_count": 2}}
    assert code(entries(api.post("/v1/resource-groups", json=body))[0]) == Fail.INVLD_PROP
    assert api.get("/v1/resource-groups/few").status_code == 404
    assert api.post("/v1/resource-groups", json={**body, "select_filter": {}}).status_code == 201


def test_a_group_exists_once(api: FlaskClient) -> None:
    answer = api.post("/v1/resource-groups", json={"name": "FAST"})
    assert code(entries(answer)[0]) == Fail.EXISTS_RSC_GRP
    assert [g["name"] for g in api.get("/v1/resource-groups").get_json()] == ["DfltRscGrp", "fast"]
    assert [g["name"] for g in api.get("/v1/resource-groups?resource_groups=Fast").get_json()] == ["fast"]


def test_a_group_in_use_and_the_default_one_are_not_deleted(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    refused = entries(api.delete("/v1/resource-groups/dfltrscgrp"))
    assert code(refused[0]) == Fail.INVLD_RSC_GRP_NAME
    assert api.delete(GROUP).status_code == 200
    assert api.get(GROUP).status_code == 404


def test_volume_groups_take_the_lowest_free_number(api: FlaskClient) -> None:
    path = f"{GROUP}/volume-groups"
    assert entries(api.post(path, json={"volume_number": "1"}))[0]["obj_refs"]["VlmNr"] == "1"
    assert api.post(path).status_code == 201
    assert entries(api.post(path, json={}))[0]["obj_refs"]["VlmNr"] == "2"
    assert code(entries(api.post(path, json={"volume_number": 2}))[0]) == Fail.EXISTS_VLM_GRP
    api.put(f"{path}/2", json={"flags": ["gross_size"], "override_props": {"Aux/a": "1"}})
    found = api.get(path).get_json()
    assert [v["volume_number"] for v in found] == [0, 1, 2]
    assert (found[2]["flags"], found[2]["props"]) == (["GROSS_SIZE"], {"Aux/a": "1"})
    api.put(f"{path}/2", json={"flags": ["-GROSS_SIZE"]})
    assert "flags" not in api.get(f"{path}/2").get_json()
    assert api.delete(f"{path}/1").status_code == 200
    assert [v["volume_number"] for v in api.get(path).get_json()] == [0, 2]
