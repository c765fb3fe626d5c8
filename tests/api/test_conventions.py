"""The conventions of requests and answers, one by one."""

import gzip
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from orlop import codes
from orlop.codes import Fail, Info, Subject, Warn
from orlop.controller.error_reports import ErrorReports
from tests.api.cluster import Cluster

PARSE_ERROR = -3458764513820540931


def node(name: str, address: str = "127.0.0.1", **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "type": "satellite",
        "net_interfaces": [{"name": "default", "address": address, **more}],
    }


def entries(answer: Any) -> list[dict[str, Any]]:
    """As golinstor decodes every answer to a command: an array, codes as signed 64-bit numbers."""
    found: list[dict[str, Any]] = answer.get_json()
    assert isinstance(found, list)
    assert found
    for entry in found:
        assert isinstance(entry["ret_code"], int)
        assert -(1 << 63) <= entry["ret_code"] < 1 << 63
        assert entry["message"]
    return found


def code(entry: dict[str, Any]) -> int:
    return int(entry["ret_code"]) & 0x7FFF


@pytest.mark.parametrize("content_type", [None, "application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_a_body_is_json_whatever_the_header_says(api: FlaskClient, content_type: str | None) -> None:
    body = b'{"name": "alpha", "type": "Satellite", "net_interfaces": [{"name": "default", "address": "127.0.0.1"}]}'
    answer = api.post("/v1/nodes", data=body, content_type=content_type)
    assert answer.status_code == 201
    assert api.get("/v1/nodes/alpha").get_json()["type"] == "SATELLITE"


def test_the_first_entry_is_about_the_new_object(api: FlaskClient) -> None:
    first = entries(api.post("/v1/nodes", json=node("alpha")))[0]
    assert first["ret_code"] == codes.CREATE | Subject.NODE | codes.CREATED
    assert first["obj_refs"] == {"Node": "alpha"}
    assert first["created_at"][-6] in "+-"


def test_errors_have_negative_codes_with_operation_and_object(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    answer = api.post("/v1/nodes", json=node("ALPHA"))
    assert answer.status_code == 500
    entry = entries(answer)[0]
    assert entry["ret_code"] == codes.signed(codes.ERROR | codes.CREATE | Subject.NODE | Fail.EXISTS_NODE)
    assert entry["ret_code"] < 0
    assert entry["correction"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'"x"', b"\xff", b'{"name": 3, "type": "satellite"}', b"{}"])
def test_what_cannot_be_parsed_is_a_bad_request(api: FlaskClient, body: bytes) -> None:
    answer = api.post("/v1/nodes", data=body)
    assert answer.status_code == 400
    entry = entries(answer)[0]
    assert entry["ret_code"] == PARSE_ERROR
    assert entry["message"] == "Unable to parse input json."


def test_numbers_may_be_strings_and_nulls_count_as_absent(api: FlaskClient) -> None:
    body = {
        "name": "fast",
        "description": None,
        "select_filter": {"place_count": "3", "diskless_on_remaining": None, "layer_stack": ["storage"]},
    }
    assert api.post("/v1/resource-groups", json=body).status_code == 201
    found = api.get("/v1/resource-groups/fast").get_json()
    assert found["select_filter"] == {"place_count": 3, "layer_stack": ["STORAGE"]}


def test_unknown_members_are_ignored(api: FlaskClient) -> None:
    assert api.post("/v1/nodes", json=node("alpha") | {"colour": "blue"}).status_code == 201


def test_empty_members_are_left_out(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    found = api.get("/v1/nodes/alpha").get_json()
    assert found.keys() & {"flags", "props", "eviction_timestamp"} == set()


def test_names_ignore_case_and_keep_their_first_spelling(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("Alpha"))
    assert api.get("/v1/nodes/aLPHA").get_json()["name"] == "Alpha"
    assert [n["name"] for n in api.get("/v1/nodes?nodes=ALPHA").get_json()] == ["Alpha"]


@pytest.mark.parametrize(
    "path", ["/v1/nodes/", "/v1/error-reports/?limit=0", "/v1/physical-storage/", "/v1/nodes/alpha/"]
)
def test_a_trailing_slash_is_optional(api: FlaskClient, path: str) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    assert api.get(path).status_code == 200


@pytest.mark.parametrize("key", ["Aux%2Fsite%2Frack", "Aux/site/rack"])
def test_encoded_slashes_belong_to_names(api: FlaskClient, key: str) -> None:
    api.post("/v1/controller/properties", json={"override_props": {"Aux/site/rack": "r1"}})
    assert api.get("/v1/controller/properties").get_json() == {"Aux/site/rack": "r1"}
    assert api.delete(f"/v1/controller/properties/{key}").status_code == 200
    assert api.get("/v1/controller/properties").get_json() == {}


def test_an_encoded_slash_does_not_separate_segments(api: FlaskClient) -> None:
    assert entries(api.get("/v1/nodes/a%2Fb"))[0]["message"] == "Node 'a/b' not found."


def test_an_unknown_path_is_not_found(api: FlaskClient) -> None:
    answer = api.get("/v1/nothing/here")
    assert answer.status_code == 404
    entry = entries(answer)[0]
    assert entry["message"] == "Path '/v1/nothing/here' not found on server."
    assert entry["ret_code"] == codes.signed(codes.ERROR | Fail.UNKNOWN_ERROR)


def test_a_wrong_method_is_not_allowed(api: FlaskClient) -> None:
    answer = api.patch("/v1/nodes")
    assert answer.status_code == 405
    assert "PATCH" in entries(answer)[0]["message"]
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v1/nodes/x", Fail.NOT_FOUND_NODE),
        ("/v1/nodes/alpha/net-interfaces/x", Fail.NOT_FOUND_NET_IF),
        ("/v1/nodes/alpha/storage-pools/x", Fail.NOT_FOUND_STOR_POOL),
        ("/v1/storage-pool-definitions/x", Fail.NOT_FOUND_STOR_POOL_DFN),
        ("/v1/resource-definitions/x", Fail.NOT_FOUND_RSC_DFN),
        ("/v1/resource-definitions/x/resources", Fail.NOT_FOUND_RSC_DFN),
        ("/v1/resource-definitions/x/snapshots/y", Fail.NOT_FOUND_RSC_DFN),
        ("/v1/resource-groups/x", Fail.NOT_FOUND_RSC_GRP),
        ("/v1/resource-groups/DfltRscGrp/volume-groups/7", Fail.NOT_FOUND_VLM_GRP),
        ("/v1/key-value-store/x", Fail.NOT_FOUND_KVS),
    ],
)
def test_a_missing_object_is_404_with_its_own_code(api: FlaskClient, path: str, expected: Fail) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    answer = api.get(path)
    assert answer.status_code == 404
    assert code(entries(answer)[0]) == expected


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nodes/x",
        "/v1/nodes/alpha/net-interfaces/x",
        "/v1/nodes/x/storage-pools/y",
        "/v1/nodes/alpha/storage-pools/y",
        "/v1/resource-definitions/x",
        "/v1/resource-definitions/x/resources/alpha",
        "/v1/resource-definitions/x/volume-definitions/0",
        "/v1/resource-definitions/x/snapshots/y",
        "/v1/resource-groups/x",
        "/v1/key-value-store/x",
    ],
)
def test_deleting_what_does_not_exist_is_a_warning(api: FlaskClient, path: str) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    answer = api.delete(path)
    assert answer.status_code == 200
    found = entries(answer)
    assert len(found) == 1
    assert code(found[0]) == Warn.NOT_FOUND
    assert found[0]["ret_code"] & codes.SEVERITY == codes.WARNING


def test_changing_what_does_not_exist_is_404(api: FlaskClient) -> None:
    assert api.put("/v1/nodes/x", json={}).status_code == 404
    assert api.put("/v1/nodes/x/evacuate").status_code == 404


def test_a_list_without_a_match_is_empty(api: FlaskClient) -> None:
    for path in ("/v1/view/resources?resources=x", "/v1/nodes?nodes=x", "/v1/view/storage-pools?nodes=x"):
        answer = api.get(path)
        assert (answer.status_code, answer.get_json()) == (200, [])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["a1", "b2", "c3"]),
        ("?limit=0&offset=0", ["a1", "b2", "c3"]),
        ("?offset=2", ["a1", "b2", "c3"]),
        ("?limit=2", ["a1", "b2"]),
        ("?limit=2&offset=1", ["b2", "c3"]),
        ("?limit=2&offset=9", []),
        ("?nodes=a1&nodes=c3&nodes=zz", ["a1", "c3"]),
        ("?props=Aux/zone", ["a1", "b2"]),
        ("?props=Aux/zone%3Dz1", ["a1"]),
        ("?props=Aux/zone&props=Aux/disk", ["b2"]),
    ],
)
def test_lists_are_sorted_paged_and_filtered(api: FlaskClient, query: str, expected: list[str]) -> None:
    api.post("/v1/nodes", json=node("c3"))
    api.post("/v1/nodes", json=node("a1") | {"props": {"Aux/zone": "z1"}})
    api.post("/v1/nodes", json=node("b2") | {"props": {"Aux/zone": "z2", "Aux/disk": "ssd"}})
    assert [n["name"] for n in api.get(f"/v1/nodes{query}").get_json()] == expected


def test_a_page_that_is_no_number_is_a_bad_request(api: FlaskClient) -> None:
    answer = api.get("/v1/nodes?limit=many")
    assert answer.status_code == 400
    entries(answer)


def test_long_answers_are_compressed_for_those_who_can_read_that(api: FlaskClient) -> None:
    for number in range(6):
        api.post("/v1/nodes", json=node(f"node{number}"))
    plain = api.get("/v1/nodes")
    assert "Content-Encoding" not in plain.headers
    packed = api.get("/v1/nodes", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert "Content-Encoding" not in api.get("/v1/nodes", headers={"Accept-Encoding": "gzip;q=0"}).headers
    short = api.get("/v1/nodes?nodes=x", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in short.headers


@pytest.mark.parametrize("path", ["/v1/nodes", "/v1/nothing", "/health", "/metrics"])
def test_other_sites_may_read_every_answer(api: FlaskClient, path: str) -> None:
    headers = api.get(path).headers
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "DELETE" in headers["Access-Control-Allow-Methods"]


def test_browsers_may_ask_before_they_send(api: FlaskClient) -> None:
    answer = api.options("/v1/nodes")
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_options_with_a_body_asks_for_sizes(api: FlaskClient) -> None:
    answer = api.options("/v1/query-max-volume-size", data=b'{"place_count": "1"}')
    assert answer.status_code == 200
    assert "default_max_oversubscription_ratio" in answer.get_json()


def test_a_body_beyond_the_limit_is_refused(api: FlaskClient) -> None:
    answer = api.post("/v1/nodes", data=b" " * (9 << 20))
    assert answer.status_code == 413
    entries(answer)


def test_properties_are_told_one_by_one(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    found = entries(api.put("/v1/nodes/alpha", json={"override_props": {"Aux/a": "1"}, "delete_props": ["Aux/b"]}))
    assert [code(entry) for entry in found] == [codes.MODIFIED, Info.PROP_SET, Warn.DEL_UNSET_PROP]


def test_a_bad_property_changes_nothing(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    answer = api.put("/v1/nodes/alpha", json={"override_props": {"Aux/a": "1", "NoSuchKey": "x"}})
    assert answer.status_code == 500
    assert code(entries(answer)[0]) == Fail.INVLD_PROP
    assert "props" not in api.get("/v1/nodes/alpha").get_json()


def test_a_refusal_of_access_is_403(api: FlaskClient) -> None:
    answer = api.put("/v1/controller/config", json={"http": {"port": 1}})
    assert answer.status_code == 403
    assert code(entries(answer)[0]) == Fail.ACC_DENIED_CTRL_CFG


def test_a_fault_of_the_controller_leaves_only_the_id_of_its_report(
    application: Flask, cluster: Cluster, reports: ErrorReports
) -> None:
    cluster.core.picture.nodes["broken"] = None  # type: ignore[assignment]
    with application.test_client() as api:
        answer = api.get("/v1/nodes/broken/net-interfaces/x")
        assert answer.status_code == 404  # a missing value is a missing node
        cluster.core.picture.nodes["broken"] = "no node"  # type: ignore[assignment]
        answer = api.get("/v1/nodes/broken")
        assert answer.status_code == 500
        entry = entries(answer)[0]
        assert code(entry) == Fail.IMPL_ERROR
        assert b"Traceback" not in answer.data
        identity = entry["error_report_ids"][0]
        shown = api.get(f"/v1/error-reports/{identity}").get_json()
        assert shown[0]["filename"] == f"ErrorReport-{identity}.log"
        assert "Traceback" in shown[0]["text"]
        assert len(reports) == 1


def test_who_only_observes_refuses_changes(api: FlaskClient, cluster: Cluster) -> None:
    cluster.core.suspend("the database was restored")
    answer = api.post("/v1/nodes", json=node("alpha"))
    assert answer.status_code == 500
    assert entries(answer)[0]["cause"] == "the database was restored"
    assert api.get("/v1/nodes").get_json() == []
    health = api.get("/health")
    assert health.status_code == 500
    assert "observes" in health.text
