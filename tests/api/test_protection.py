"""Locks against deletion, over HTTP."""

from flask.testing import FlaskClient

from orlop.codes import Fail
from orlop.controller.reported import Status
from tests.api.cluster import Cluster
from tests.api.test_conventions import entries
from tests.api.test_views import deployed

LOCK = "/v1/orlop/resource-definitions/db/lock"
UNLOCK = "/v1/orlop/resource-definitions/db/unlock"


def test_a_locked_definition_is_shown_as_such_and_not_deleted(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db", "alpha")
    assert api.post(LOCK).status_code == 200
    assert api.get("/v1/resource-definitions/db").get_json()["flags"] == ["LOCKED"]
    refused = api.delete("/v1/resource-definitions/db")
    assert refused.status_code == 403
    assert refused.get_json()[0]["ret_code"] & 0x7FFF == Fail.ACC_DENIED_RSC_DFN
    entries(api.post(UNLOCK))
    assert "flags" not in api.get("/v1/resource-definitions/db").get_json()
    cluster.core.on_status("alpha", Status.OFFLINE)  # it is not waited for
    assert api.delete("/v1/resource-definitions/db").status_code == 200


def test_what_does_not_exist_cannot_be_locked(api: FlaskClient, cluster: Cluster) -> None:
    assert api.post(LOCK).status_code == 404
    deployed(cluster, "db", "alpha")
    assert api.post("/v1/orlop/resource-definitions/db/snapshots/none/lock").status_code == 404
