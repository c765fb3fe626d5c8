"""The OpenAPI document, and random requests made from it."""

import gzip
import json
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings, strategies

from orlop.codes import Fail
from orlop.controller.api import create_application
from orlop.controller.api.table import every_route
from orlop.controller.error_reports import ErrorReports
from orlop.model import ResourceDefinition
from tests.api.cluster import Cluster
from tests.api.test_views import deployed, with_node

STREAMS = "text/event-stream"
NOTHING = ResourceDefinition(name="none", uuid="none", group="none", layers=())


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


KNOWN = {
    "node": "alpha",
    "fromnode": "bravo",
    "node_a": "alpha",
    "node_b": "bravo",
    "resource": "db1",
    "storagepool": "pool",
    "disklesspool": "DfltDisklessStorPool",
    "resource_group": "DfltRscGrp",
    "netinterface": "default",
    "snapshot": "snap",
    "instance": "store",
    "key": "Aux/x",
    "volume_number": 0,
}
ROUTES = [f"{route.method} {route.path}" for route in every_route() if route.answer != STREAMS]


@pytest.fixture(scope="module")
def random_cluster() -> Cluster:
    return Cluster()


@pytest.fixture(scope="module")
def schema(random_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Any:
    reports = ErrorReports(tmp_path_factory.mktemp("reports"), random_cluster.clock)
    return schemathesis.openapi.from_wsgi("/v1/orlop/openapi.json", create_application(random_cluster.core, reports))


def prepare(cluster: Cluster) -> None:
    """What earlier requests removed is there again, and the satellites work."""
    if len(cluster.core.picture.definitions.get("db1", NOTHING).resources) < 2 or len(cluster.core.picture.nodes) < 2:
        for name in ("alpha", "bravo"):
            with_node(cluster, name)
        deployed(cluster, "db1", "alpha", "bravo")
    cluster.satellites.idle.clear()


@pytest.mark.parametrize("route", ROUTES)
def test_random_requests_never_meet_a_fault(schema: Any, random_cluster: Cluster, route: str) -> None:
    method, path = route.split(" ")

    @settings(max_examples=6, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
    @given(schema[path][method].as_strategy(), strategies.booleans())
    def answered(case: schemathesis.Case, known: bool) -> None:
        prepare(random_cluster)
        if known:
            case.path_parameters = {name: KNOWN.get(name, "x") for name in case.path_parameters or {}}
        answer = case.call()
        content = gzip.decompress(answer.content) if answer.content[:2] == b"\x1f\x8b" else answer.content
        assert b"Traceback" not in content
        if answer.status_code >= 400:
            entries = json.loads(content)
            assert any(entry["ret_code"] < 0 for entry in entries)
            for entry in entries:
                assert isinstance(entry["message"], str)
                assert entry["ret_code"] & 0x7FFF != Fail.IMPL_ERROR, entry

    answered()
