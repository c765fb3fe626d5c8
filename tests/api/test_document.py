"""The OpenAPI document, and random requests made from it."""

import json
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from tests.api.cluster import Cluster
from tests.api.test_conventions import node
from tests.api.test_views import deployed

from orlop.codes import Fail
from orlop.controller.api import create_application
from orlop.controller.api.table import every_route
from orlop.controller.error_reports import ErrorReports

STREAMS = "text/event-stream"


def test_every_route_is_described(api: FlaskClient) -> None:
    found = api.get("/v1/orlop/openapi.json").get_json()
    assert found["openapi"] == "3.1.0"
    for route in every_route():
        operation = found["paths"][route.path][route.method.lower()]
        assert {p["name"] for p in operation["parameters"]} == {*route.parameters, *route.query}
        assert str(route.status) in operation["responses"]
        assert ("requestBody" in operation) == (route.body is not None)


def test_every_reference_of_the_document_leads_somewhere(api: FlaskClient) -> None:
    text = api.get("/v1/orlop/openapi.json").text
    schemas = json.loads(text)["components"]["schemas"]
    references = {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}
    assert references
    assert references <= schemas.keys()
    assert "ret_code" in schemas["Entry"]["properties"]


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Of the API of a small cluster."""
    cluster = Cluster()
    application = create_application(cluster.core, ErrorReports(tmp_path_factory.mktemp("reports"), cluster.clock))
    deployed(cluster, "db1", "alpha", "bravo")
    application.test_client().post("/v1/nodes", json=node("charlie"))
    return schemathesis.openapi.from_wsgi("/v1/orlop/openapi.json", application)


ROUTES = [f"{route.method} {route.path}" for route in every_route() if route.answer != STREAMS]


@pytest.mark.parametrize("route", ROUTES)
def test_random_requests_never_meet_a_fault(schema: Any, route: str) -> None:
    method, path = route.split(" ")

    @settings(max_examples=5, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(schema[path][method].as_strategy())
    def answered(case: schemathesis.Case) -> None:
        answer = case.call()
        assert b"Traceback" not in answer.content
        if answer.status_code >= 400:
            for entry in json.loads(answer.content):
                assert isinstance(entry["message"], str)
                assert entry["ret_code"] & 0x7FFF != Fail.IMPL_ERROR, entry
            assert json.loads(answer.content)[0]["ret_code"] < 0

    answered()
