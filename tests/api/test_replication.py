"""Operations on replicated resources over HTTP: the routes, and what is refused before any node is asked."""

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.usecases.operating import SAID
from orlop.model import ReplicaVerb
from tests.api.cluster import Cluster
from tests.api.test_conventions import entries
from tests.api.test_views import deployed, put

ROOT = "/v1/orlop/resource-definitions"
VERBS = [*(verb.value for verb in SAID), "connect", "disconnect"]


def replicated(cluster: Cluster) -> None:
    deployed(cluster, "web", "alpha", "bravo")
    definition = cluster.core.picture.definitions["web"]
    numbers = {"alpha": 0, "bravo": 1}
    resources = tuple(replace(r, node_id=numbers[r.node], ports=(7000,), peer_slots=7) for r in definition.resources)
    put(cluster, replace(definition, layers=("DRBD", "STORAGE"), resources=resources))


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_not_there_or_not_replicated_is_refused(api: FlaskClient, cluster: Cluster, verb: str) -> None:
    assert api.post(f"{ROOT}/none/resources/alpha/{verb}", json={}).status_code == 404
    deployed(cluster, "plain", "alpha", "bravo")
    assert api.post(f"{ROOT}/plain/resources/charlie/{verb}", json={}).status_code == 404
    answer = api.post(f"{ROOT}/plain/resources/alpha/{verb}", json={})
    assert answer.status_code == 500
    assert entries(answer)[0]["ret_code"] & 0x7FFF == Fail.INVLD_LAYER_KIND
    assert not cluster.satellites.operated


@pytest.mark.parametrize("verb", VERBS)
def test_a_peer_that_is_none_is_refused(api: FlaskClient, cluster: Cluster, verb: str) -> None:
    replicated(cluster)
    for peer in ("charlie", "alpha"):
        answer = api.post(f"{ROOT}/web/resources/alpha/{verb}", json={"peer": peer})
        assert answer.status_code in (404, 500)
        assert entries(answer)[0]["ret_code"] & 0x7FFF == Fail.NOT_FOUND_RSC
    assert not cluster.satellites.operated


@pytest.mark.parametrize("verb", ["pause-sync", "resume-sync", "primary", "secondary"])
def test_an_order_goes_to_the_node_and_its_failure_is_told(api: FlaskClient, cluster: Cluster, verb: str) -> None:
    replicated(cluster)
    answer = api.post(f"{ROOT}/WEB/resources/ALPHA/{verb}", json={"peer": "BRAVO"})
    assert answer.status_code == 200, answer.text
    ((node, resource, order),) = cluster.satellites.operated
    assert (node, resource, order.verb, order.peer) == ("alpha", "web", ReplicaVerb(verb), "bravo")
    cluster.satellites.problems["web"] = "DRBD did not like it"
    answer = api.post(f"{ROOT}/web/resources/alpha/{verb}", json={})
    assert answer.status_code == 500
    assert "DRBD did not like it" in entries(answer)[0]["message"]


def test_nothing_is_invalidated_or_resolved_on_what_is_not_known(api: FlaskClient, cluster: Cluster) -> None:
    replicated(cluster)
    answer = api.post(f"{ROOT}/web/resources/alpha/invalidate", json={})
    assert entries(answer)[0]["ret_code"] & 0x7FFF == Fail.INSUFFICIENT_REPLICA_COUNT
    assert api.get("/v1/orlop/split-brains?resources=web").get_json() == []
    answer = api.post(f"{ROOT}/web/resolve-split-brain", json={"victim": "alpha"})
    assert "nothing was done" in entries(answer)[0]["message"]
    assert api.post(f"{ROOT}/web/resolve-split-brain", json={"victim": "charlie"}).status_code == 404
    assert api.post(f"{ROOT}/web/resolve-split-brain", json={}).status_code == 400
    assert not cluster.satellites.operated
