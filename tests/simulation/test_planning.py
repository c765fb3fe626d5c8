"""A dry run changes nothing, whatever it is asked about, and says what would be done."""

import re
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient

from orlop.controller import wire
from orlop.controller.api import create_application
from orlop.controller.api.routes import READS, Route
from orlop.controller.api.table import every_route
from orlop.controller.error_reports import ErrorReports
from orlop.controller.usecases import snapshots, spawning
from orlop.model import KIB
from orlop.testing.cluster import SimulatedCluster
from orlop.testing.host import SimulatedHost

PLAN = "/v1/orlop/plan"
NAMES = {
    "node": "alpha",
    "resource": "web",
    "volume_number": "0",
    "storagepool": "pool1",
    "resource_group": "DfltRscGrp",
    "snapshot": "first",
    "netinterface": "default",
    "node_a": "alpha",
    "node_b": "bravo",
    "instance": "store",
    "key": "Aux/site",
    "site": "berlin",
    "site_a": "berlin",
    "site_b": "vienna",
    "from_node": "bravo",
    "disklesspool": "DfltDisklessStorPool",
}
# What makes a request one that would do something, by the route; the others are sent without a body.
BODIES: Mapping[str, Any] = {
    "POST /v1/nodes": {
        "name": "delta",
        "type": "SATELLITE",
        "net_interfaces": [{"name": "default", "address": "10.0.0.9"}],
    },
    "PUT /v1/nodes/{node}": {"override_props": {"Aux/site": "b"}},
    "POST /v1/nodes/{node}/net-interfaces": {"name": "second", "address": "10.1.0.1"},
    "PUT /v1/nodes/{node}/net-interfaces/{netinterface}": {"name": "default", "address": "10.1.0.2"},
    "PUT /v1/node-connections/{node_a}/{node_b}": {"override_props": {"DrbdOptions/Net/ping-int": "20"}},
    "POST /v1/nodes/{node}/storage-pools": {
        "storage_pool_name": "second",
        "provider_kind": "FILE_THIN",
        "props": {"StorDriver/StorPoolName": "/srv/second"},
    },
    "PUT /v1/nodes/{node}/storage-pools/{storagepool}": {"override_props": {"Aux/fast": "yes"}},
    "POST /v1/storage-pool-definitions": {"storage_pool_name": "third"},
    "PUT /v1/storage-pool-definitions/{storagepool}": {"override_props": {"Aux/fast": "yes"}},
    "POST /v1/resource-definitions": {"resource_definition": {"name": "new"}},
    "PUT /v1/resource-definitions/{resource}": {"override_props": {"DrbdOptions/Net/ping-int": "20"}},
    "POST /v1/resource-definitions/{resource}/volume-definitions": {"volume_definition": {"size_kib": 64}},
    "PUT /v1/resource-definitions/{resource}/volume-definitions/{volume_number}": {"size_kib": 1024},
    "POST /v1/resource-definitions/{resource}/resources": [{"resource": {"node_name": "charlie"}}],
    "POST /v1/resource-definitions/{resource}/autoplace": {"select_filter": {"place_count": 3}},
    "POST /v1/resource-definitions/{resource}/snapshots": {"name": "second"},
    "POST /v1/actions/snapshot/multi": {"snapshots": [{"name": "second", "resource_name": "web"}]},
    "PUT /v1/resource-definitions/{resource}/snapshots/{snapshot}": {"override_props": {"Aux/keep": "yes"}},
    "POST /v1/resource-definitions/{resource}/snapshot-restore-volume-definition/{snapshot}": {"to_resource": "empty"},
    "POST /v1/resource-definitions/{resource}/snapshot-restore-resource/{snapshot}": {"to_resource": "web2"},
    "POST /v1/resource-groups": {"name": "fast"},
    "PUT /v1/resource-groups/{resource_group}": {"override_props": {"Aux/fast": "yes"}},
    "POST /v1/resource-groups/{resource_group}/volume-groups": {},
    "POST /v1/resource-groups/{resource_group}/spawn": {
        "resource_definition_name": "new",
        "volume_sizes": [64],
        "select_filter": {"place_count": 2},
    },
    "PUT /v1/orlop/sites/{site}": {"add_nodes": ["alpha"], "override_props": {"DrbdOptions/Net/protocol": "C"}},
    "PUT /v1/orlop/site-connections/{site_a}/{site_b}": {"override_props": {"DrbdOptions/Net/protocol": "A"}},
    "POST /v1/controller/properties": {"override_props": {"Aux/site": "a"}},
    "PUT /v1/key-value-store/{instance}": {"override_props": {"a": "b"}},
    "PUT /v1/resource-definitions/{resource}/resources/{node}": {"override_props": {"Aux/here": "yes"}},
    "PUT /v1/resource-definitions/{resource}/resources/{node}/volumes/{volume_number}": {
        "override_props": {"Aux/here": "yes"}
    },
    "PUT /v1/resource-definitions/{resource}/resource-connections/{node_a}/{node_b}": {
        "override_props": {"DrbdOptions/Net/ping-int": "20"}
    },
}
CHANGING = [route for route in every_route() if route.method not in READS]
BUSY = 25  # so many of them at least would change something here


@pytest.fixture
def cluster() -> SimulatedCluster:
    """A replicated resource on alpha and bravo of four nodes, with a snapshot; everything at rest."""
    made = SimulatedCluster(("alpha", "bravo", "charlie", "delta"), seed=3, drbd="9")
    made.register()
    body = wire.ResourceGroupSpawn(
        resource_definition_name="web",
        volume_sizes=(64,),
        select_filter=wire.AutoSelectFilter(
            place_count=2, layer_stack=("DRBD", "STORAGE"), node_name_list=("alpha", "bravo")
        ),
    )
    spawning.spawn(made.core, "DfltRscGrp", body)
    made.settle()
    snapshots.create(made.core, "web", wire.Snapshot(name="first"))
    made.settle()
    return made


@pytest.fixture
def api(cluster: SimulatedCluster, tmp_path: Any) -> Iterator[FlaskClient]:
    reports = ErrorReports(tmp_path / "reports", cluster.clock, "controller")
    with create_application(cluster.core, reports).test_client() as client:
        yield client


def planned(api: FlaskClient, method: str, path: str, body: Any = None) -> Any:
    return api.post(PLAN, json={"method": method, "path": path, "body": body})


def everything(cluster: SimulatedCluster) -> str:
    """The database, what is known of the nodes, what they were told, and every byte of their hosts."""
    core = cluster.core
    nodes = {name: (on_host(node.host), node.host.faults.actions) for name, node in cluster.nodes.items()}
    tasks = {n: sorted(node.satellite._tasks) for n, node in cluster.nodes.items() if node.satellite}
    known = {name: [getattr(node, slot) for slot in node.__slots__] for name, node in core.reported.nodes.items()}
    stored = cluster.store.committed
    rows = [getattr(stored, name) for name in stored.__slots__]
    sealed = (core.key_ring.locked, core.suspended, core.highest_term)
    return dump((rows, stored is core.picture, core.picture.sequence, sealed, known, tasks, len(cluster.sent), nodes))


def on_host(host: SimulatedHost) -> Any:
    return (host.disk, host.lvm.groups, host.zfs.datasets, host.detached, host.drbd)


def dump(value: Any, seen: tuple[int, ...] = ()) -> str:
    """Text of all that a value is made of."""
    if value is None or isinstance(value, str | int | float | bytes | bool):
        return repr(value)
    if id(value) in seen or callable(value):
        return "..."
    inner = (*seen, id(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{dump(k, inner)}:{dump(v, inner)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple | set | frozenset):
        parts = [dump(each, inner) for each in value]
        return "[" + ",".join(sorted(parts) if isinstance(value, set | frozenset) else parts) + "]"
    slots = getattr(value, "__struct_fields__", None) or getattr(value, "__dict__", {})
    return type(value).__name__ + dump({name: getattr(value, name) for name in slots}, inner)


def path_of(route: Route) -> str:
    return re.sub(r"{(\w+)}", lambda name: NAMES.get(name[1], "none"), route.path)


def test_no_dry_run_of_any_request_changes_anything(cluster: SimulatedCluster, api: FlaskClient) -> None:
    before = everything(cluster)
    busy = 0
    for route in CHANGING:
        answer = planned(api, route.method, path_of(route), BODIES.get(f"{route.method} {route.path}"))
        assert answer.status_code < 500 or answer.get_json()[0]["ret_code"] & 0x7FFF != 999, (route.path, answer.text)
        busy += bool(answer.status_code == 200 and answer.get_json().get("changes"))
        assert everything(cluster) == before, f"{route.method} {route.path}"
    assert busy >= BUSY
    cluster.settle()
    assert everything(cluster) == before


def test_what_cannot_be_planned_says_so(api: FlaskClient) -> None:
    refused = [route for route in CHANGING if route.unplanned]
    assert len(refused) > 15
    for route in refused:
        answer = planned(api, route.method, path_of(route))
        assert answer.status_code == 500, route.path
        assert "cannot be told before it is done" in answer.get_json()[0]["message"]
        assert answer.get_json()[0]["cause"] == f"Why: {route.unplanned}."


def test_a_plan_is_what_is_then_done(cluster: SimulatedCluster, api: FlaskClient) -> None:
    used = {r.node for r in cluster.core.picture.definitions["web"].resources}
    free = next(name for name in cluster.nodes if name not in used)
    path, body = f"/v1/resource-definitions/web/resources/{free}", {"resource": {"node_name": free}}
    plan = planned(api, "POST", path, body).get_json()
    made = {(each["kind"], each["name"], each["change"]) for each in plan["changes"]}
    assert {("resource", f"web/{free}", "create"), ("volume", f"web/{free}/0", "create")} <= made
    nodes = {each["node_name"]: each for each in plan["nodes"]}
    [work] = nodes[free]["objects"]
    assert work["commands"][0].startswith("create sparse file /srv/pool/web_00000")
    assert work["later"] == ["set up DRBD of web_00000"]
    assert any("drbd" in command for command in nodes["alpha"]["objects"][0]["commands"])
    host = cluster.nodes[free].host
    ran = len(host.ran)
    assert api.post(path, json=body).status_code == 201
    assert work["commands"][1] in map(shlex.join, host.ran[ran:])


def test_a_node_that_is_away_is_named_with_the_reason(cluster: SimulatedCluster, api: FlaskClient) -> None:
    cluster.nodes["bravo"].stop()
    cluster.settle()
    plan = planned(api, "DELETE", "/v1/resource-definitions/web/snapshots/first").get_json()
    away = next(each for each in plan["nodes"] if each["node_name"] == "bravo")
    assert (away["connected"], away["objects"]) == (False, [{"name": "web"}])
    assert "cannot be reached" in away["problem"]
    there = next(each for each in plan["nodes"] if each["node_name"] == "alpha")
    assert there["connected"]
    assert there["objects"][0]["commands"] == ["remove /srv/pool/web_00000.first"]


def test_what_would_be_refused_is_refused(api: FlaskClient) -> None:
    answer = planned(api, "DELETE", "/v1/resource-definitions/web")
    assert answer.status_code == 500
    assert "has snapshots: first" in answer.get_json()[0]["message"]
    assert planned(api, "PUT", "/v1/nodes/none", {}).status_code == 404
    assert planned(api, "POST", "/v1/none").status_code == 400
    assert planned(api, "POST", "/v1/nodes", {"name": 7}).status_code in (400, 500)
    assert "it changes nothing" in planned(api, "GET", "/v1/nodes").get_json()[0]["cause"]


def test_a_plan_names_no_secret(cluster: SimulatedCluster, api: FlaskClient) -> None:
    assert api.post("/v1/encryption/passphrase", json={"new_passphrase": "open sesame"}).status_code == 201
    body = {
        "resource_definition_name": "vault",
        "volume_sizes": [64 * KIB],
        "select_filter": {"place_count": 1, "layer_stack": ["LUKS", "STORAGE"]},
    }
    answer = planned(api, "POST", "/v1/resource-groups/DfltRscGrp/spawn", body)
    assert answer.status_code == 200
    plan = answer.get_json()
    assert plan["nodes"][0]["objects"][0]["later"] == ["set up LUKS of vault_00000"]
    assert not {"volume key", "master key"} & {each["kind"] for each in plan["changes"]}
    assert "sealed" not in answer.text
    assert "open sesame" not in answer.text


def test_properties_are_told_one_by_one(api: FlaskClient) -> None:
    plan = planned(api, "PUT", "/v1/resource-definitions/web", {"override_props": {"Aux/site": "a"}}).get_json()
    [change] = plan["changes"]
    assert (change["kind"], change["name"], change["change"]) == ("resource definition", "web", "modify")
    assert change["fields"] == [{"name": "props/Aux/site", "after": "a"}]
    assert "nodes" not in plan


def test_a_new_pool_is_planned_with_its_mark(api: FlaskClient) -> None:
    pool = BODIES["POST /v1/nodes/{node}/storage-pools"]
    plan = planned(api, "POST", "/v1/nodes/alpha/storage-pools", pool).get_json()
    [work] = plan["nodes"][0]["objects"]
    assert work["name"] == "storage pool second"
    assert work["commands"][0] == "mkdir --parents /srv/second"
    assert work["commands"][1].startswith("write /srv/second/.orlop-pool")
