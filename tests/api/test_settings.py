"""The controller itself: version, properties, log level, key-value stores, error reports, counts."""

import logging
import re

import pytest
from flask.testing import FlaskClient

from orlop.codes import Fail, Warn
from orlop.controller.error_reports import ErrorReports
from tests.api.cluster import Cluster
from tests.api.test_conventions import code, entries
from tests.api.test_views import deployed


def test_the_version_has_what_clients_read_blindly(api: FlaskClient) -> None:
    found = api.get("/v1/controller/version").get_json()
    assert set(found) == {"version", "git_hash", "build_time", "rest_api_version"}
    assert re.fullmatch(r"1\.\d+\.\d+", found["rest_api_version"])
    assert re.fullmatch("[0-9a-f]{40}", found["git_hash"])


def test_settings_that_need_a_restart_are_named(api: FlaskClient) -> None:
    answer = api.post("/v1/controller/properties", json={"override_props": {"REST/AutoHTTPS": "true", "Aux/a": "1"}})
    assert answer.status_code == 201
    last = entries(answer)[-1]
    assert code(last) == Warn.UNEFFECTIVE_PROP
    assert last["details"] == "REST/AutoHTTPS"


def test_properties_are_described(api: FlaskClient) -> None:
    found = api.get("/v1/controller/properties/info").get_json()
    assert found["BalanceResourcesEnabled"]["prop_type"]
    assert api.get("/v1/nodes/x/storage-pools/properties/info").status_code == 200
    assert {"C", "N", "RD"} <= api.get("/v1/controller/properties/info/all").get_json().keys()


def test_the_log_level_can_be_changed(api: FlaskClient) -> None:
    logger = logging.getLogger("orlop")
    before = logger.level
    try:
        assert api.put("/v1/controller/config", json={"log": {"level": "debug"}}).status_code == 200
        assert api.get("/v1/controller/config").get_json()["log"]["level"] == "DEBUG"
        assert logger.level == logging.DEBUG
        refused = api.put("/v1/controller/config", json={"log": {"level": "loud"}})
        assert code(entries(refused)[0]) == Fail.INVLD_CONF
    finally:
        logger.setLevel(before)


@pytest.mark.parametrize("body", [{}, {"log": {"level": "INFO", "directory": "/tmp"}}, {"db": {"in_memory": "x"}}])
def test_nothing_else_of_the_configuration_can_be_changed(api: FlaskClient, body: object) -> None:
    assert api.put("/v1/controller/config", json=body).status_code == 403


def test_a_key_value_store_exists_while_it_has_keys(api: FlaskClient) -> None:
    path = "/v1/key-value-store/csi"
    assert api.put(path, json={"override_props": {"/a/b": "1", "any key at all": ""}}).status_code == 200
    assert api.get("/v1/key-value-store/CSI").get_json() == [
        {"name": "csi", "props": {"a/b": "1", "any key at all": ""}}
    ]
    assert len(api.get("/v1/key-value-store").get_json()) == 1
    api.put(path, json={"delete_namespaces": ["a"], "delete_props": ["any key at all"]})
    assert api.get(path).status_code == 404
    assert api.get("/v1/key-value-store").get_json() == []
    api.put(path, json={"override_props": {"x": "1"}})
    assert api.delete(path).status_code == 200
    assert api.get(path).status_code == 404


def test_error_reports_are_listed_shown_and_deleted(api: FlaskClient, reports: ErrorReports) -> None:
    ids = []
    for number in range(3):
        try:
            raise ValueError(f"problem {number}")
        except ValueError as error:
            ids.append(reports.write(error, "GET /v1/x"))
    assert all(re.fullmatch(r"[0-9A-F]{8}-[0-9A-F]{5}-\d{6}", i) for i in ids)
    listed = api.get("/v1/error-reports/").get_json()
    assert [r["filename"] for r in listed] == [f"ErrorReport-{i}.log" for i in ids]
    assert listed[0]["exception_message"] == "problem 0"
    assert isinstance(listed[0]["error_time"], int)
    assert "text" not in listed[0]
    assert "problem 0" in api.get("/v1/error-reports?withContent=True&limit=1").get_json()[0]["text"]
    assert api.get(f"/v1/error-reports?since={listed[2]['error_time'] + 1}").get_json() == []
    assert api.get("/v1/error-reports?node=other").get_json() == []
    assert api.get("/v1/stats/error-reports").get_json() == {"count": 3}
    assert api.delete(f"/v1/error-reports/{ids[0]}").status_code == 200
    assert api.get(f"/v1/error-reports/{ids[0]}").status_code == 404
    assert api.patch("/v1/error-reports", json={"ids": [ids[1]]}).status_code == 200
    assert [r["filename"] for r in api.get("/v1/error-reports").get_json()] == [f"ErrorReport-{ids[2]}.log"]


def test_reports_of_an_earlier_run_are_found_again(reports: ErrorReports, cluster: Cluster) -> None:
    identity = reports.write(ValueError("before"), "GET /v1/x")
    later = ErrorReports(reports._directory, cluster.clock, "controller")
    assert later.get(identity).exception_message == "before"


@pytest.mark.parametrize("identity", ["..%2F..%2Fetc%2Fpasswd", "../x", "*"])
def test_a_report_is_never_looked_for_elsewhere(api: FlaskClient, identity: str) -> None:
    assert api.get(f"/v1/error-reports/{identity}").status_code == 404


def test_objects_are_counted(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha", "bravo")
    counts = {
        what: api.get(f"/v1/stats/{what}").get_json()["count"]
        for what in ("nodes", "storage-pools", "resource-groups", "resource-definitions", "resources")
    }
    assert counts == {
        "nodes": 2,
        "storage-pools": 4,
        "resource-groups": 1,
        "resource-definitions": 1,
        "resources": 2,
    }
