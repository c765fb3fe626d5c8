"""A third of the nodes is off: whatever does not need them works, everything else says at once what is missing."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from orlop.controller import wire
from orlop.controller.api import create_application
from orlop.controller.error_reports import ErrorReports
from orlop.controller.usecases import definitions, resources, snapshots
from orlop.testing.cluster import SimulatedCluster

OFF = ("echo", "foxtrot")
DEFINITION = "/v1/resource-definitions"
AT_ONCE = 3.0  # simulated seconds, well below the time that a lost node would be waited for
WORK = 30.0
DONE, WARNING, ERROR = "done", "warning", "error"


class Case(NamedTuple):
    """One request. `told` are words that the answer holds when it is no plain success."""

    method: str
    path: str
    body: Any
    outcome: str
    told: tuple[str, ...] = ()


CASES = (
    # -- what the absent nodes have no part in ------------------------------------------------------------------------
    Case("POST", DEFINITION, {"resource_definition": {"name": "new"}}, DONE),
    Case("POST", f"{DEFINITION}/new/volume-definitions", {"volume_definition": {"size_kib": 64}}, DONE),
    Case("POST", f"{DEFINITION}/new/autoplace", {"select_filter": {"place_count": 3}}, DONE),
    Case("PUT", f"{DEFINITION}/web/volume-definitions/0", {"size_kib": 1024}, DONE),
    Case("POST", f"{DEFINITION}/web/volume-definitions", {"volume_definition": {"size_kib": 64}}, DONE),
    Case("POST", f"{DEFINITION}/web/snapshots", {"name": "second"}, DONE),
    Case("DELETE", f"{DEFINITION}/web/snapshots/second", None, DONE),
    Case("PUT", f"{DEFINITION}/web", {"override_props": {"DrbdOptions/Net/ping-int": "20"}}, DONE),
    Case("POST", f"{DEFINITION}/web/resources", [{"resource": {"node_name": "delta"}}], DONE),
    Case("DELETE", f"{DEFINITION}/web/resources/delta", None, DONE),
    Case("PUT", f"{DEFINITION}/web/resources/delta/toggle-disk/diskful/pool1", {}, DONE),
    Case("POST", f"{DEFINITION}/web/resources/alpha/deactivate", None, DONE),
    Case("POST", f"{DEFINITION}/web/resources/alpha/activate", None, DONE),
    Case("POST", f"/v1/orlop{DEFINITION[3:]}/web/resources/alpha/disconnect", {"peer": "bravo"}, DONE),
    Case("POST", f"/v1/orlop{DEFINITION[3:]}/web/resources/alpha/connect", {"peer": "bravo"}, DONE),
    Case("POST", f"/v1/orlop{DEFINITION[3:]}/web/lock", None, DONE),
    Case("POST", f"/v1/orlop{DEFINITION[3:]}/web/unlock", None, DONE),
    Case("POST", "/v1/resource-groups", {"name": "fast", "select_filter": {"place_count": 2}}, DONE),
    Case("POST", "/v1/resource-groups/fast/volume-groups", {}, DONE),
    Case(
        "POST",
        "/v1/resource-groups/fast/spawn",
        {"resource_definition_name": "db", "volume_sizes": [64]},
        DONE,
    ),
    Case("POST", "/v1/controller/properties", {"override_props": {"Aux/a": "b"}}, DONE),
    Case("PUT", "/v1/key-value-store/store", {"override_props": {"a": "b"}}, DONE),
    Case("PUT", "/v1/nodes/alpha", {"override_props": {"Aux/a": "b"}}, DONE),
    Case(
        "POST",
        "/v1/nodes/alpha/storage-pools",
        {"storage_pool_name": "more", "provider_kind": "FILE_THIN", "props": {"StorDriver/StorPoolName": "/srv/more"}},
        DONE,
    ),
    Case("POST", "/v1/orlop/plan", {"method": "DELETE", "path": f"{DEFINITION}/web"}, DONE),
    Case("DELETE", f"{DEFINITION}/web", None, DONE),
    # -- what they have a part in: begun, and finished when they are back --------------------------------------------
    Case("PUT", "/v1/nodes/echo", {"override_props": {"Aux/a": "b"}}, DONE),
    Case("PUT", f"{DEFINITION}/far", {"override_props": {"DrbdOptions/Net/ping-int": "20"}}, DONE),
    Case(
        "POST",
        f"{DEFINITION}/wide/volume-definitions",
        {"volume_definition": {"size_kib": 64}},
        WARNING,
        ("'foxtrot'",),
    ),
    Case("POST", f"{DEFINITION}/new/resources", [{"resource": {"node_name": "foxtrot"}}], WARNING, ("'foxtrot'",)),
    Case("DELETE", f"{DEFINITION}/far/snapshots/first", None, WARNING, ("'echo'",)),
    Case("POST", f"{DEFINITION}/both/snapshots", {"name": "second"}, WARNING, ("'foxtrot'", "leaves")),
    Case("POST", f"{DEFINITION}/lone/resources/echo/deactivate", None, WARNING, ("'echo'",)),
    Case("DELETE", f"{DEFINITION}/far/resources/echo", None, WARNING, ("'echo'",)),
    Case(
        "POST",
        "/v1/nodes/echo/storage-pools",
        {"storage_pool_name": "more", "provider_kind": "FILE_THIN", "props": {"StorDriver/StorPoolName": "/srv/more"}},
        WARNING,
        ("'echo'",),
    ),
    Case("PUT", "/v1/nodes/echo/reconnect", None, WARNING, ("'echo'", "not online")),
    Case("DELETE", f"{DEFINITION}/lone", None, WARNING, ("'echo'",)),
    # -- what cannot be done without them -----------------------------------------------------------------------------
    Case("PUT", f"{DEFINITION}/both/volume-definitions/0", {"size_kib": 1024}, ERROR, ("foxtrot",)),
    Case("POST", f"{DEFINITION}/both/snapshot-rollback/first", {}, ERROR, ("not connected", "foxtrot")),
    Case("DELETE", f"{DEFINITION}/both/resources/bravo", None, ERROR, ("only good copy", "foxtrot")),
    Case("POST", f"/v1/orlop{DEFINITION[3:]}/both/resources/foxtrot/verify", {}, ERROR, ("foxtrot",)),
    Case("POST", f"{DEFINITION}/new/autoplace", {"select_filter": {"place_count": 6}}, ERROR, ("echo", "foxtrot")),
    Case(
        "POST",
        "/v1/physical-storage/echo",
        {"provider_kind": "LVM", "device_paths": ["/dev/vdb"], "pool_name": "vg0"},
        ERROR,
        ("'echo'",),
    ),
    Case(
        "POST",
        f"/v1/orlop{DEFINITION[3:]}/other/import",
        {"node_name": "echo", "storage_pool_name": "pool1", "name": "old"},
        ERROR,
        ("echo",),
    ),
    # -- and they can be given up -------------------------------------------------------------------------------------
    Case("PUT", "/v1/orlop/nodes/echo/maintenance", {"enabled": True}, DONE),
    Case("PUT", "/v1/orlop/nodes/echo/maintenance", {"enabled": False}, DONE),
    Case("GET", "/v1/orlop/rebalance", None, DONE),
    Case("DELETE", "/v1/nodes/foxtrot/lost", None, WARNING, ("No replica of 'wide' is known to be up to date",)),
    Case("PUT", f"{DEFINITION}/both/volume-definitions/0", {"size_kib": 1024}, DONE),
)


@pytest.fixture
def cluster() -> SimulatedCluster:
    """`web` on nodes that stay, `far`, `both` and `wide` on one of either kind, `lone` on one that goes."""
    made = SimulatedCluster(("alpha", "bravo", "charlie", "delta", *OFF), seed=11, drbd="9")
    made.register()
    for name, stack, nodes in (
        ("web", ("DRBD", "STORAGE"), ("alpha", "bravo")),
        ("far", ("DRBD", "STORAGE"), ("alpha", "echo")),
        ("both", ("DRBD", "STORAGE"), ("bravo", "foxtrot")),
        ("wide", ("DRBD", "STORAGE"), ("charlie", "foxtrot")),
        ("lone", ("STORAGE",), ("echo",)),
    ):
        layers = tuple(wire.ResourceDefinitionLayer(type=layer) for layer in stack)
        volumes = (wire.VolumeDefinition(size_kib=64),)
        body = wire.ResourceDefinition(name=name, layer_data=layers, volume_definitions=volumes)
        definitions.create(made.core, wire.ResourceDefinitionCreate(resource_definition=body))
        wanted = [wire.Resource(node_name=node, props={"StorPoolName": "pool1"}) for node in nodes]
        resources.create(made.core, name, tuple(wire.ResourceCreate(resource=each) for each in wanted))
    made.settle()
    for name in ("far", "both"):
        snapshots.create(made.core, name, wire.Snapshot(name="first"))
    made.settle()
    for name in OFF:
        made.nodes[name].power_loss()
    made.settle()
    return made


@pytest.fixture
def api(cluster: SimulatedCluster, tmp_path: Any) -> Iterator[FlaskClient]:
    reports = ErrorReports(tmp_path / "reports", cluster.clock, "controller")
    with create_application(cluster.core, reports).test_client() as client:
        yield client


def test_each_request_works_or_says_at_once_what_it_lacks(cluster: SimulatedCluster, api: FlaskClient) -> None:
    wrong = []
    for case in CASES:
        before = cluster.clock.now
        answer = api.open(case.path, method=case.method, json=case.body)
        took = cluster.clock.now - before
        entries = answer.get_json() if isinstance(answer.get_json(), list) else []
        text = " ".join(str(value) for entry in entries for value in entry.values())
        severities = [entry["ret_code"] >> 62 & 3 for entry in entries]
        outcome = ERROR if answer.status_code >= 400 else WARNING if 2 in severities else DONE
        late = took > (AT_ONCE if outcome == ERROR else WORK)
        if outcome != case.outcome or late or not all(word in text for word in case.told):
            wrong.append((case.method, case.path, outcome, took, text[:600]))
        cluster.settle(20.0)
    assert not wrong, "\n".join(map(str, wrong))


def test_what_was_begun_is_finished_when_they_are_back(cluster: SimulatedCluster, api: FlaskClient) -> None:
    for case in CASES:
        if case.outcome == WARNING and not case.path.endswith("/lost"):
            api.open(case.path, method=case.method, json=case.body)
    cluster.heal()
    cluster.settle()
    picture = cluster.core.picture
    assert picture.definition("lone") is None
    assert [r.node for r in picture.definitions["far"].resources if not r.diskless] == ["alpha"]
    assert [v.new for r in picture.definitions["wide"].resources for v in r.volumes] == [False] * 6
    assert picture.definitions["far"].snapshots == ()
    pool = cluster.core.reported.pool("echo", "more")
    assert pool is not None
    assert pool.problem == ""
