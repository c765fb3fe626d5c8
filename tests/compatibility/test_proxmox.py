"""The requests of the Proxmox VE plugin for LINSTOR, in its order, with its bodies and the statuses that it demands."""

from __future__ import annotations

import pytest

from tests.compatibility.controller import Answer, Controller

RD = "/v1/resource-definitions"
DISK = "pm-100-disk-1"


@pytest.fixture(autouse=True)
def group(controller: Controller) -> None:
    controller.add_group("pve")


def spawn(controller: Controller, name: str, definitions_only: bool) -> Answer:
    body = {
        "resource_definition_name": name,
        "definitions_only": definitions_only,
        "volume_sizes": [65536],
        "resource_definition_props": {
            "DrbdOptions/ExactSize": "False",
            "DrbdOptions/Net/allow-two-primaries": "yes",
        },
    }
    return controller.request("POST", "/v1/resource-groups/pve/spawn", body)


def nodes_of(controller: Controller, name: str) -> set[str]:
    found = controller.request("GET", f"/v1/view/resources?resources={name}").body
    return {resource["node_name"] for resource in found}


def test_a_disk_is_spawned(controller: Controller) -> None:
    assert spawn(controller, DISK, definitions_only=False).status == 201
    assert len(nodes_of(controller, DISK)) == 2


@pytest.mark.parametrize("local", ["alpha", "bravo", "charlie"])
def test_a_disk_prefers_the_node_of_its_machine(controller: Controller, local: str) -> None:
    """First the local node, then whatever the group still wants; the pool is the one that the group names."""
    assert spawn(controller, DISK, definitions_only=True).status == 201
    here = controller.request("POST", f"{RD}/{DISK}/resources/{local}/make-available", {"diskful": True})
    assert here.status == 200
    assert nodes_of(controller, DISK) == {local}
    assert controller.request("POST", f"{RD}/{DISK}/autoplace", {}).status == 201
    assert local in nodes_of(controller, DISK)
    assert len(nodes_of(controller, DISK)) == 2


def test_the_owner_of_a_disk_may_be_a_number(controller: Controller) -> None:
    spawn(controller, DISK, definitions_only=False)
    assert controller.request("PUT", f"{RD}/{DISK}", {"override_props": {"Aux/pm/vmid": 100}}).status == 200
    (listed,) = controller.request("GET", RD).body
    assert listed["props"]["Aux/pm/vmid"] == "100"
    assert listed["resource_group_name"] == "pve"


def test_a_disk_is_activated_where_its_data_is_and_nowhere_else(controller: Controller) -> None:
    spawn(controller, DISK, definitions_only=False)
    with_data = nodes_of(controller, DISK)
    for node in ("alpha", "bravo", "charlie"):
        answer = controller.request("POST", f"{RD}/{DISK}/resources/{node}/make-available", {"diskful": False})
        assert answer.status == (200 if node in with_data else 500)
    assert nodes_of(controller, DISK) == with_data


def test_the_view_says_where_a_disk_is_and_in_which_state(controller: Controller) -> None:
    spawn(controller, DISK, definitions_only=False)
    for resource in controller.request("GET", "/v1/view/resources").body:
        (volume,) = resource["volumes"]
        assert volume["provider_kind"] == "FILE_THIN"
        assert volume["storage_pool_name"] == "pool1"
        assert volume["state"]["disk_state"] == "Created"
        assert volume["device_path"].startswith("/dev/")
        assert resource["state"]["in_use"] is False


def test_a_disk_is_resized_snapshotted_rolled_back_and_cloned(controller: Controller) -> None:
    spawn(controller, DISK, definitions_only=False)
    snapshot = f"snap_{DISK}_before"
    assert controller.request("PUT", f"{RD}/{DISK}/volume-definitions/0", {"size_kib": 131072}).status == 200
    assert controller.request("POST", f"{RD}/{DISK}/snapshots", {"name": snapshot}).status == 201
    assert controller.request("POST", f"{RD}/{DISK}/snapshot-rollback/{snapshot}").status == 200
    assert controller.request("POST", RD, {"resource_definition": {"name": "pm-101-disk-1"}}).status == 201
    for what in ("volume-definition", "resource"):
        path = f"{RD}/{DISK}/snapshot-restore-{what}/{snapshot}"
        assert controller.request("POST", path, {"to_resource": "pm-101-disk-1"}).status == 200
    assert nodes_of(controller, "pm-101-disk-1") == nodes_of(controller, DISK)
    (copied,) = controller.request("GET", f"{RD}/pm-101-disk-1/volume-definitions").body
    assert copied["size_kib"] == 131072
    assert controller.request("DELETE", f"{RD}/{DISK}/snapshots/{snapshot}").status == 200
    for name in ("pm-101-disk-1", DISK):
        assert controller.request("DELETE", f"{RD}/{name}").status == 200
    assert controller.request("GET", RD).body == []


def test_the_space_of_groups_is_told(controller: Controller) -> None:
    one = controller.request("POST", "/v1/resource-groups/pve/query-size-info", {})
    every = controller.request(
        "POST", "/v1/queries/resource-groups/query-all-size-info", {"ignore_cache_older_than_sec": -1}
    )
    assert (one.status, every.status) == (200, 200)
    assert every.body["result"]["pve"]["space_info"] == one.body["space_info"]
    assert one.body["space_info"]["max_vlm_size_in_kib"] > 0
    assert one.body["space_info"]["available_size_in_kib"] <= one.body["space_info"]["capacity_in_kib"]


def test_a_taken_name_is_refused(controller: Controller) -> None:
    spawn(controller, DISK, definitions_only=False)
    answer = spawn(controller, DISK, definitions_only=False)
    assert (answer.status, answer.codes) == (500, [501])
