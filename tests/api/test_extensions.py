"""What Orlop serves beyond the common API."""

from typing import NamedTuple

from flask.testing import FlaskClient
from msgspec.structs import replace

from orlop.model import Operation
from tests.api.cluster import Cluster
from tests.api.test_conventions import entries, node
from tests.api.test_views import deployed, put


class Ticket(NamedTuple):
    command: str
    token: str
    expires_at: int


class Tickets:
    """Enrolment without a port."""

    def join_command(self, node: str) -> Ticket:
        return Ticket(f"orlop-satellite join {node}", "secret", 1_800_000_000_000)


def test_a_known_node_gets_a_command_to_join(api: FlaskClient, cluster: Cluster) -> None:
    path = "/v1/orlop/nodes/alpha/join-command"
    assert api.post(path).status_code == 404
    api.post("/v1/nodes", json=node("alpha"))
    assert api.post(path).status_code == 500
    cluster.core.enrolment = Tickets()  # type: ignore[assignment]
    assert api.post(path).get_json() == {
        "command": "orlop-satellite join alpha",
        "token": "secret",
        "expires_at": 1_800_000_000_000,
    }


def test_a_restored_database_is_accepted_on_demand(api: FlaskClient, cluster: Cluster) -> None:
    assert api.post("/v1/orlop/accept-restore").status_code == 500
    accepted = []
    cluster.core.accept_restore = lambda: accepted.append(True)
    answer = api.post("/v1/orlop/accept-restore")
    assert answer.status_code == 200
    entries(answer)
    assert accepted == [True]


def test_jobs_are_the_operations_of_all_definitions_oldest_first(api: FlaskClient, cluster: Cluster) -> None:
    for name, created in (("db1", 2), ("db2", 1)):
        deployed(cluster, name, "alpha")
        operation = Operation(uuid=name, kind="rollback", state="failed", created=created, problem="no")
        put(cluster, replace(cluster.core.picture.definitions[name], operations=(operation,)))
    found = api.get("/v1/orlop/jobs").get_json()
    assert [(job["resource_name"], job["state"], job["problem"]) for job in found] == [
        ("db2", "failed", "no"),
        ("db1", "failed", "no"),
    ]
    assert len(api.get("/v1/orlop/jobs?resources=DB1").get_json()) == 1
