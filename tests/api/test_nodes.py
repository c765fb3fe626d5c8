"""Nodes, their interfaces and connections."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from orlop import codes
from orlop.codes import Fail, Warn
from orlop.model import NodeSnapshot, Resource, ResourceDefinition, Snapshot, SnapshotVolume, SnapshotVolumeDefinition
from tests.api.cluster import Cluster
from tests.api.test_conventions import code, entries, node
from tests.api.test_views import deployed, put


def interfaces(api: FlaskClient, name: str = "alpha") -> dict[str, dict[str, Any]]:
    return {i["name"]: i for i in api.get(f"/v1/nodes/{name}/net-interfaces").get_json()}


def test_a_new_node_is_online_with_its_diskless_pool(api: FlaskClient) -> None:
    found = entries(api.post("/v1/nodes", json=node("alpha")))
    assert [entry["ret_code"] & codes.SEVERITY for entry in found] == [codes.SUCCESS, codes.INFO]
    shown = api.get("/v1/nodes/alpha").get_json()
    assert shown["connection_status"] == "ONLINE"
    assert shown["storage_providers"] == ["FILE", "FILE_THIN"]
    assert shown["unsupported_providers"] == {"LVM": ["no lvcreate"]}
    assert shown["net_interfaces"][0]["satellite_port"] == 3366
    assert shown["net_interfaces"][0]["satellite_encryption_type"] == "PLAIN"
    assert shown["net_interfaces"][0]["is_active"] is True
    pools = api.get("/v1/nodes/alpha/storage-pools").get_json()
    assert [(p["storage_pool_name"], p["provider_kind"]) for p in pools] == [("DfltDisklessStorPool", "DISKLESS")]
    assert pools[0]["free_capacity"] == 9223372036854775807


def test_a_node_that_cannot_be_reached_is_created_with_a_warning(api: FlaskClient, cluster: Cluster) -> None:
    cluster.satellites.away.add("alpha")
    answer = api.post("/v1/nodes", json=node("alpha"))
    assert answer.status_code == 201
    found = entries(answer)
    assert code(found[1]) == Warn.NOT_CONNECTED
    assert found[1]["cause"] == "connection refused"
    assert api.get("/v1/nodes/alpha").get_json()["connection_status"] == "OFFLINE"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (node("a b"), Fail.INVLD_NODE_NAME),
        (node("alpha") | {"type": "toaster"}, Fail.INVLD_NODE_TYPE),
        ({"name": "alpha", "type": "combined"}, Fail.MISSING_NETCOM),
        (node("alpha", address="somewhere"), Fail.INVLD_NET_ADDR),
        (node("alpha", satellite_port=70000), Fail.INVLD_NET_PORT),
        (node("alpha", satellite_encryption_type="rot13"), Fail.INVLD_ENCRYPT_TYPE),
    ],
)
def test_a_wrong_node_is_refused(api: FlaskClient, body: dict[str, Any], expected: Fail) -> None:
    answer = api.post("/v1/nodes", json=body)
    assert answer.status_code == 500
    assert code(entries(answer)[0]) == expected
    assert api.get("/v1/nodes").get_json() == []


def test_a_controller_node_needs_no_satellite(api: FlaskClient) -> None:
    body = node("alpha", satellite_port=3370) | {"type": "controller"}
    assert len(entries(api.post("/v1/nodes", json=body))) == 1
    assert api.get("/v1/nodes/alpha").get_json()["connection_status"] == "UNKNOWN"
    assert api.get("/v1/nodes/alpha/storage-pools").get_json() == []


def test_a_node_that_becomes_another_kind_gets_the_usual_port_of_it(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    assert api.put("/v1/nodes/alpha", json={"node_type": "controller"}).status_code == 200
    assert interfaces(api)["default"]["satellite_port"] == 3370
    assert api.get("/v1/nodes/alpha/storage-pools").get_json() == []
    assert api.put("/v1/nodes/alpha", json={"node_type": "Combined"}).status_code == 200
    assert interfaces(api)["default"]["satellite_port"] == 3366
    assert len(api.get("/v1/nodes/alpha/storage-pools").get_json()) == 1


def test_false_does_not_deactivate_the_only_connection(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    body = {"address": "127.0.0.2", "satellite_encryption_type": "plain", "is_active": False}
    assert api.put("/v1/nodes/alpha/net-interfaces/default", json=body).status_code == 200
    found = interfaces(api)["default"]
    assert (found["address"], found["is_active"], found["satellite_port"]) == ("127.0.0.2", True, 3366)


def test_an_interface_without_port_is_for_data_only(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    body = {"name": "data", "address": "10.0.0.1", "satellite_encryption_type": "plain"}
    assert api.post("/v1/nodes/alpha/net-interfaces", json=body).status_code == 201
    assert "satellite_port" not in interfaces(api)["data"]
    refused = api.put("/v1/nodes/alpha/net-interfaces/data", json={"is_active": True})
    assert code(entries(refused)[0]) == Fail.INVLD_NET_PORT
    assert interfaces(api)["default"]["is_active"] is True


def test_exactly_one_interface_is_active(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    refused = api.delete("/v1/nodes/alpha/net-interfaces/default")
    assert code(entries(refused)[0]) == Fail.MISSING_STLT_CONN
    body = {"name": "other", "address": "10.0.0.1", "satellite_port": "3366", "is_active": True}
    api.post("/v1/nodes/alpha/net-interfaces", json=body)
    api.put("/v1/nodes/alpha/net-interfaces/default", json={"is_active": False})
    assert {n: i.get("is_active", False) for n, i in interfaces(api).items()} == {"default": False, "other": True}
    assert api.delete("/v1/nodes/alpha/net-interfaces/other").status_code == 200
    assert interfaces(api)["default"]["is_active"] is True


def test_a_connection_of_nodes_exists_while_it_has_properties(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    api.post("/v1/nodes", json=node("bravo"))
    body = {"override_props": {"Paths/one/alpha": "default", "Aux/x": "1"}}
    assert api.put("/v1/node-connections/bravo/alpha", json=body).status_code == 200
    shown = {"node_a": "alpha", "node_b": "bravo", "props": {"Paths/one/alpha": "default", "Aux/x": "1"}}
    assert api.get("/v1/node-connections").get_json() == [shown]
    assert api.get("/v1/node-connections?node_a=BRAVO").get_json() == [shown]
    assert api.get("/v1/node-connections?node_a=charlie").get_json() == []
    api.put("/v1/node-connections/alpha/bravo", json={"delete_namespaces": ["Paths"], "delete_props": ["Aux/x"]})
    assert api.get("/v1/node-connections").get_json() == []


def test_an_empty_node_is_deleted_with_its_pools(api: FlaskClient, cluster: Cluster) -> None:
    api.post("/v1/nodes", json=node("alpha"))
    assert api.delete("/v1/nodes/alpha").status_code == 200
    assert cluster.core.picture.nodes == {}
    assert cluster.core.picture.pools == {}


def test_a_node_with_the_only_copy_of_data_is_not_deleted(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    refused = entries(api.delete("/v1/nodes/alpha"))
    assert code(refused[0]) == Fail.NODE_HAS_USED_RSC
    assert "db1" in refused[0]["details"]
    deployed(cluster, "db1", "alpha", in_use=True)
    assert code(entries(api.delete("/v1/nodes/alpha"))[0]) == Fail.IN_USE
    assert api.get("/v1/nodes/alpha").status_code == 200


def test_a_connected_node_is_not_lost(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    assert code(entries(api.delete("/v1/nodes/alpha/lost"))[0]) == Fail.EXISTS_NODE_CONN
    assert len(cluster.core.picture.definitions["db1"].resources) == 1


def test_a_lost_node_is_forgotten_with_everything_on_it(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha", "bravo")
    waiting = ResourceDefinition(
        name="gone",
        uuid="u",
        group="DfltRscGrp",
        layers=("STORAGE",),
        flags=frozenset({"DELETE"}),
        resources=(Resource(node="alpha", uuid="r", flags=frozenset({"DELETE"})),),
    )
    put(cluster, waiting)
    part = NodeSnapshot(
        node="alpha",
        uuid="p",
        volumes=(SnapshotVolume(number=0, uuid="v", volume="w", pool="DfltStorPool", size=4096),),
    )
    db1 = cluster.core.picture.definitions["db1"]
    snapshot = Snapshot(
        name="snap",
        uuid="s",
        volume_definitions=(SnapshotVolumeDefinition(number=0, size=4096),),
        nodes=(part,),
    )
    put(cluster, db1.__class__(**{f: getattr(db1, f) for f in db1.__struct_fields__} | {"snapshots": (snapshot,)}))
    cluster.disconnect("alpha")
    answer = api.delete("/v1/nodes/alpha/lost")
    assert answer.status_code == 200
    assert entries(answer)[0]["obj_refs"]["Node"] == "alpha"
    picture = cluster.core.picture
    assert "gone" not in picture.definitions
    assert [r.node for r in picture.definitions["db1"].resources] == ["bravo"]
    assert picture.definitions["db1"].snapshots == ()
    assert "alpha" not in picture.nodes
    assert {at[0] for at in picture.pools} == {"bravo"}


def test_evacuating_says_what_cannot_move_and_restoring_undoes_it(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    found = entries(api.put("/v1/nodes/alpha/evacuate"))
    assert [code(entry) for entry in found] == [codes.MODIFIED, Warn.NOT_EVACUATING]
    assert found[1]["obj_refs"]["RscDfn"] == "db1"
    assert api.get("/v1/nodes/alpha").get_json()["flags"] == ["EVACUATE"]
    assert api.get("/v1/view/resources").get_json()[0]["flags"] == ["EVACUATE"]
    assert api.put("/v1/nodes/alpha/restore").status_code == 200
    assert "flags" not in api.get("/v1/nodes/alpha").get_json()
    assert "flags" not in api.get("/v1/view/resources").get_json()[0]


def test_an_evicted_node_shows_since_when(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    assert api.put("/v1/nodes/alpha/evict").status_code == 200
    shown = api.get("/v1/nodes/alpha").get_json()
    assert shown["flags"] == ["EVICTED"]
    assert isinstance(shown["eviction_timestamp"], int)


def test_a_node_is_connected_anew(api: FlaskClient, cluster: Cluster) -> None:
    cluster.satellites.away.add("alpha")
    api.post("/v1/nodes", json=node("alpha"))
    cluster.satellites.away.clear()
    assert api.put("/v1/nodes/alpha/reconnect").status_code == 200
    assert api.get("/v1/nodes/alpha").get_json()["connection_status"] == "ONLINE"
