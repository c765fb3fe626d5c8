"""Moves of replicas over REST: plans, maintenance, balancing, rebalancing, and how jobs show them."""

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from orlop.codes import Fail, Info
from orlop.controller.moving import EVACUATE, REBALANCE
from orlop.controller.reported import Status
from orlop.model import Operation
from tests.api.cluster import Cluster
from tests.api.test_conventions import code, entries
from tests.api.test_views import deployed, put, with_node


@pytest.fixture
def db1(api: FlaskClient, cluster: Cluster) -> str:
    """Unreplicated, on alpha; bravo is empty."""
    with_node(cluster, "bravo")
    deployed(cluster, "db1", "alpha")
    return "db1"


def job(cluster: Cluster, kind: str, state: str = "waiting") -> None:
    arguments = {"source": "alpha", "target": "bravo"}
    operation = Operation(uuid="one", kind=kind, state=state, created=1, arguments=arguments)
    put(cluster, replace(cluster.core.picture.definitions["db1"], operations=(operation,)))


def test_the_plan_of_an_evacuation_changes_nothing(api: FlaskClient, cluster: Cluster, db1: str) -> None:
    before = cluster.core.picture
    (stays,) = api.get("/v1/orlop/nodes/alpha/evacuation?target=bravo").get_json()["staying"]
    assert (stays["resource_name"], stays["node_name"]) == ("db1", "alpha")
    assert "only copy" in stays["cause"]
    assert cluster.core.picture is before
    assert api.get("/v1/orlop/nodes/nobody/evacuation").status_code == 404
    assert api.get("/v1/orlop/nodes/alpha/evacuation?do_not_target=nobody").status_code == 404


def test_maintenance_is_shown_as_a_flag_of_the_node(api: FlaskClient, cluster: Cluster, db1: str) -> None:
    path = "/v1/orlop/nodes/alpha/maintenance"
    entries(api.put(path, json={"enabled": True}))
    assert api.get("/v1/nodes/alpha").get_json()["flags"] == ["MAINTENANCE"]
    assert code(entries(api.put(path, json={"enabled": True}))[0]) == Info.NOOP
    entries(api.put(path, json={"enabled": False}))
    assert "flags" not in api.get("/v1/nodes/alpha").get_json()
    assert api.put(path, json={}).status_code == 400
    assert api.put("/v1/orlop/nodes/nobody/maintenance", json={"enabled": True}).status_code == 404


def test_a_rebalancing_has_a_plan_a_beginning_and_an_end(api: FlaskClient, cluster: Cluster, db1: str) -> None:
    assert api.get("/v1/orlop/rebalance?threshold=1").get_json().keys() <= {"spreads"}
    assert code(entries(api.post("/v1/orlop/rebalance", json={"threshold": 1}))[0]) == Info.NOOP
    assert code(entries(api.delete("/v1/orlop/rebalance"))[0]) == Info.NOOP
    job(cluster, REBALANCE)
    assert "still moving" in entries(api.post("/v1/orlop/rebalance"))[0]["message"]
    assert "ended with 1 moves" in entries(api.delete("/v1/orlop/rebalance"))[0]["message"]
    (shown,) = api.get("/v1/orlop/jobs").get_json()
    assert (shown["state"], shown["problem"]) == ("failed", "it was cancelled")


BAD = [
    ("GET", "/v1/orlop/rebalance?threshold=much", None, 500),
    ("GET", "/v1/orlop/rebalance?threshold=101", None, 500),
    ("GET", "/v1/orlop/rebalance?storage_pools=nowhere", None, 404),
    ("POST", "/v1/orlop/rebalance", {"concurrent": 0}, 500),
    ("POST", "/v1/orlop/rebalance", {"threshold": -1}, 500),
    ("GET", "/v1/orlop/balance?resource_group=nobody", None, 404),
    ("POST", "/v1/orlop/balance", {"resource_group": "nobody"}, 404),
    ("DELETE", "/v1/orlop/jobs/nobody", None, 404),
]


@pytest.mark.parametrize(("method", "path", "body", "status"), BAD)
def test_what_cannot_be_meant_changes_nothing(
    api: FlaskClient, cluster: Cluster, db1: str, method: str, path: str, body: object, status: int
) -> None:
    before = cluster.core.picture
    assert api.open(path, method=method, json=body).status_code == status
    assert cluster.core.picture is before


def test_balancing_is_planned_and_done_on_demand(api: FlaskClient, cluster: Cluster, db1: str) -> None:
    assert api.get("/v1/orlop/balance").get_json() == {}
    assert code(entries(api.post("/v1/orlop/balance"))[0]) == Info.NOOP


def test_a_job_shows_where_a_replica_goes_and_is_cancelled(api: FlaskClient, cluster: Cluster, db1: str) -> None:
    job(cluster, REBALANCE)
    (shown,) = api.get("/v1/orlop/jobs").get_json()
    assert (shown["source"], shown["target"], shown["kind"]) == ("alpha", "bravo", "rebalance")
    assert "is cancelled: nothing had begun" in entries(api.delete("/v1/orlop/jobs/one"))[0]["message"]
    assert code(entries(api.delete("/v1/orlop/jobs/one"))[0]) == Fail.INVLD_REQUEST


@pytest.mark.parametrize(("kind", "words"), [(EVACUATE, "orlop node restore alpha"), ("rollback", "")])
def test_a_job_that_is_ended_otherwise_says_so(
    api: FlaskClient, cluster: Cluster, db1: str, kind: str, words: str
) -> None:
    job(cluster, kind)
    (entry,) = entries(api.delete("/v1/orlop/jobs/one"))
    assert code(entry) == Fail.INVLD_REQUEST
    assert words in entry.get("correction", "")
    assert cluster.core.picture.definitions["db1"].operations[0].state == "waiting"


def test_moves_stand_in_nobodys_way(api: FlaskClient, cluster: Cluster, db1: str) -> None:
    job(cluster, REBALANCE)
    cluster.core.on_status("alpha", Status.OFFLINE)  # it is not waited for
    assert api.delete("/v1/resource-definitions/db1/resources/alpha").status_code == 200
