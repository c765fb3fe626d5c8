"""The requests of the Kubernetes CSI driver, which it makes through golinstor, and the codes that it tests for."""

from __future__ import annotations

import pytest

from tests.compatibility.controller import Controller

RD = "/v1/resource-definitions"
RG = "/v1/resource-groups"
VOLUME = "pvc-4f2c0a1e-6f3c-4f8e-9d0b-0c8f1f0f7a11"
SNAPSHOT = "snapshot-2b1d"
GO = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "golinstor/0"}


@pytest.fixture(autouse=True)
def group(controller: Controller) -> None:
    """As the driver makes it: first empty, then with what the storage class says."""
    assert controller.request("GET", f"{RG}/sc-1", **GO).status == 404
    assert controller.request("POST", RG, {"name": "sc-1", "select_filter": {}}, **GO).status == 201
    body = {
        "override_props": {"Aux/csi-created": "yes"},
        "select_filter": {"place_count": 2, "storage_pool_list": ["pool1"], "layer_stack": ["STORAGE"]},
    }
    assert controller.request("PUT", f"{RG}/sc-1", body, **GO).status == 200


def create(controller: Controller, name: str) -> None:
    assert controller.request("GET", f"{RD}/{name}", **GO).status == 404
    body = {"resource_definition": {"name": name, "resource_group_name": "sc-1"}}
    assert controller.request("POST", RD, body, **GO).status == 201
    assert controller.request("GET", f"{RD}/{name}/volume-definitions/0", **GO).status == 404
    volume = {"volume_number": 0, "size_kib": 65536, "props": {"FileSystem/Type": "ext4"}}
    made = controller.request("POST", f"{RD}/{name}/volume-definitions", {"volume_definition": volume}, **GO)
    assert made.status == 201


def place(controller: Controller, name: str) -> None:
    """One where the pod is wanted, then the rest."""
    body = {"select_filter": {"place_count": 1, "additional_place_count": 1, "node_name_list": ["charlie"]}}
    assert controller.request("POST", f"{RD}/{name}/autoplace", body, **GO).status == 201
    assert controller.request("POST", f"{RD}/{name}/autoplace", {"select_filter": {}}, **GO).status == 201


def nodes_of(controller: Controller, name: str) -> list[str]:
    return [r["node_name"] for r in controller.request("GET", f"{RD}/{name}/resources", **GO).body]


def test_a_volume_is_created_where_it_is_wanted(controller: Controller) -> None:
    create(controller, VOLUME)
    place(controller, VOLUME)
    assert len(nodes_of(controller, VOLUME)) == 2
    assert "charlie" in nodes_of(controller, VOLUME)


def test_creating_again_tells_by_code_that_it_exists(controller: Controller) -> None:
    create(controller, VOLUME)
    again = controller.request("POST", RD, {"resource_definition": {"name": VOLUME}}, **GO)
    volume = {"volume_definition": {"volume_number": 0, "size_kib": 65536}}
    assert again.codes == [501]
    assert controller.request("POST", f"{RD}/{VOLUME}/volume-definitions", volume, **GO).codes == [503]
    assert controller.request("POST", RG, {"name": "sc-1", "select_filter": {}}, **GO).codes == [522]


def test_too_few_nodes_are_told_by_code(controller: Controller) -> None:
    create(controller, VOLUME)
    body = {"select_filter": {"place_count": 2, "node_name_list": ["alpha"]}}
    answer = controller.request("POST", f"{RD}/{VOLUME}/autoplace", body, **GO)
    assert (answer.status, answer.codes) == (500, [996])
    assert nodes_of(controller, VOLUME) == []


def test_placing_again_is_a_warning(controller: Controller) -> None:
    create(controller, VOLUME)
    place(controller, VOLUME)
    answer = controller.request("POST", f"{RD}/{VOLUME}/autoplace", {}, **GO)
    assert (answer.status, answer.codes) == (201, [1006])


def test_a_volume_is_attached_where_its_data_is(controller: Controller) -> None:
    create(controller, VOLUME)
    place(controller, VOLUME)
    assert controller.request("POST", f"{RD}/{VOLUME}/resources/charlie/make-available", {}, **GO).status == 200
    volume = controller.request("GET", f"{RD}/{VOLUME}/resources/charlie/volumes/0", **GO).body
    assert volume["device_path"] in controller.cluster.nodes["charlie"].host.disk.loops
    assert volume["provider_kind"] != "DISKLESS"


def test_a_volume_in_use_is_not_deleted(controller: Controller) -> None:
    create(controller, VOLUME)
    place(controller, VOLUME)
    volume = controller.request("GET", f"{RD}/{VOLUME}/resources/charlie/volumes/0", **GO).body
    controller.cluster.nodes["charlie"].host.disk.used[volume["device_path"]] = ("mounted on /mnt",)
    controller.pass_time(60)
    (resource,) = [
        r
        for r in controller.request("GET", f"/v1/view/resources?resources={VOLUME}", **GO).body
        if r["node_name"] == "charlie"
    ]
    assert resource["state"]["in_use"] is True
    answer = controller.request("DELETE", f"{RD}/{VOLUME}/resources/charlie", **GO)
    assert (answer.status, answer.codes[0]) == (500, 997)
    assert "charlie" in nodes_of(controller, VOLUME)


def test_a_snapshot_outlives_its_volume_and_becomes_another_one(controller: Controller) -> None:
    create(controller, VOLUME)
    place(controller, VOLUME)
    body = {"snapshots": [{"name": SNAPSHOT, "resource_name": VOLUME}]}
    assert controller.request("POST", "/v1/actions/snapshot/multi", body, **GO).status == 201
    delete(controller, VOLUME)
    assert nodes_of(controller, VOLUME) == []
    (snapshot,) = controller.request("GET", "/v1/view/snapshots?offset=0&limit=0", **GO).body
    assert snapshot["flags"] == ["SUCCESSFUL"]
    assert [v["size_kib"] for v in snapshot["volume_definitions"]] == [65536]
    restore(controller, snapshot["nodes"][0])
    assert nodes_of(controller, "pvc-restored") == snapshot["nodes"][:1]
    assert controller.request("DELETE", f"{RD}/{VOLUME}/snapshots/{SNAPSHOT}", **GO).status == 200
    assert controller.request("GET", f"{RD}/{VOLUME}/snapshots", **GO).body == []
    assert controller.request("DELETE", f"{RD}/{VOLUME}", **GO).status == 200
    assert controller.request("DELETE", f"{RG}/sc-1", **GO).codes == [501]


def delete(controller: Controller, name: str) -> None:
    """Resources and volume definitions go; the definition stays as long as it has snapshots."""
    path = f"{RD}/{name}"
    override = {"override_props": {"BalanceResourcesEnabled": "false"}}
    assert controller.request("PUT", path, override, **GO).status == 200
    for node in nodes_of(controller, name):
        assert controller.request("DELETE", f"{path}/resources/{node}?keep_tiebreaker=false", **GO).status == 200
    assert controller.request("DELETE", f"{path}/volume-definitions/0", **GO).status == 200
    undo = {"delete_props": ["BalanceResourcesEnabled"]}
    assert controller.request("PUT", path, undo, **GO).status == 200


def restore(controller: Controller, node: str) -> None:
    body = {"resource_definition": {"name": "pvc-restored", "resource_group_name": "sc-1"}}
    assert controller.request("POST", RD, body, **GO).status == 201
    source = f"{RD}/{VOLUME}"
    target = {"to_resource": "pvc-restored"}
    volumes = f"{source}/snapshot-restore-volume-definition/{SNAPSHOT}"
    resources = f"{source}/snapshot-restore-resource/{SNAPSHOT}"
    assert controller.request("POST", volumes, target, **GO).status == 200
    assert controller.request("POST", volumes, target, **GO).codes == [503]
    assert controller.request("POST", resources, target | {"nodes": [node]}, **GO).status == 200
    assert controller.request("POST", resources, target | {"nodes": [node]}, **GO).codes == [502]


def test_a_volume_is_deleted_with_its_definition_and_group(controller: Controller) -> None:
    create(controller, VOLUME)
    place(controller, VOLUME)
    delete(controller, VOLUME)
    assert controller.request("GET", f"{RD}/{VOLUME}/snapshots", **GO).body == []
    assert controller.request("DELETE", f"{RD}/{VOLUME}", **GO).status == 200
    assert controller.request("DELETE", f"{RG}/sc-1", **GO).status == 200
    assert controller.request("PUT", f"{RD}/{VOLUME}", {}, **GO).status == 404


def test_a_volume_grows(controller: Controller) -> None:
    create(controller, VOLUME)
    place(controller, VOLUME)
    path = f"{RD}/{VOLUME}/volume-definitions/0"
    assert controller.request("PUT", path, {"size_kib": 131072}, **GO).status == 200
    assert controller.request("GET", path, **GO).body["size_kib"] == 131072


def test_annotations_are_kept_and_found(controller: Controller) -> None:
    create(controller, VOLUME)
    override = {"override_props": {"Aux/csi-volume-annotations": '{"id": "x=y"}'}}
    assert controller.request("PUT", f"{RD}/{VOLUME}", override, **GO).status == 200
    query = "with_volume_definitions=true&props=Aux/csi-volume-annotations&offset=0&limit=0"
    (found,) = controller.request("GET", f"{RD}?{query}", **GO).body
    assert found["name"] == VOLUME
    assert found["volume_definitions"][0]["props"]["FileSystem/Type"] == "ext4"


def test_the_capacity_is_that_of_the_pools(controller: Controller) -> None:
    pools = controller.request("GET", "/v1/view/storage-pools?cached=true&offset=0&limit=0", **GO).body
    diskful = [p for p in pools if p["provider_kind"] != "DISKLESS"]
    assert {p["node_name"] for p in diskful} == {"alpha", "bravo", "charlie"}
    assert all(0 < p["free_capacity"] <= p["total_capacity"] for p in diskful)


def test_a_store_of_keys_comes_and_goes(controller: Controller) -> None:
    path = "/v1/key-value-store/csi-volumes"
    assert controller.request("GET", path, **GO).status == 404
    assert controller.request("PUT", path, {"override_props": {"a/b": "c"}}, **GO).status == 200
    assert controller.request("GET", path, **GO).body == [{"name": "csi-volumes", "props": {"a/b": "c"}}]
    assert controller.request("DELETE", path, **GO).status == 200
