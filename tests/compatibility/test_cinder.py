"""What the LINSTOR driver of OpenStack Cinder does through python-linstor, without a replicating layer."""

from __future__ import annotations

from typing import Any

import linstor
import pytest
from linstor import Linstor, Resource, ResourceData

from tests.compatibility.controller import Controller

VOLUME = "CV_8f5b9c1e-6a43-4f57-9d52-0e2f5f3b1c11"
RESTORED = "CV_1a7d0c52-93f0-4a1e-8b1b-6c0a7f9e4d22"
SNAPSHOT = "SN_c0ffee00-1111-4222-8333-444455556666"
SIZE = 1024 * 1024 - 4096  # KiB: one GiB less what the driver leaves for metadata


@pytest.fixture
def volume(linstor: Linstor) -> str:
    """As with `linstor_autoplace_count = 0`: on every node of the pool."""
    fine(
        linstor.resource_dfn_create(VOLUME),
        linstor.volume_dfn_create(rsc_name=VOLUME, storage_pool="pool1", size=SIZE),
    )
    for node in ("alpha", "bravo", "charlie"):
        data = ResourceData(rsc_name=VOLUME, node_name=node, storage_pool="pool1", diskless=False)
        fine(linstor.resource_create([data], async_msg=False))
    return VOLUME


@pytest.fixture
def uri(controller: Controller) -> str:
    return controller.uri


def fine(*answers: list[Any]) -> None:
    for answer in answers:
        assert Linstor.all_api_responses_no_error(answer), [str(entry) for entry in answer]


def raw(answers: list[Any]) -> list[dict[str, Any]]:
    """The driver reads the JSON below the classes."""
    found: list[dict[str, Any]] = answers[0].__dict__["_rest_data"]
    return found


def nodes_of(client: Linstor, name: str) -> set[str]:
    return {r["node_name"] for r in raw(client.resource_list()) if r["name"] == name}


def delete(client: Linstor, name: str) -> list[Any]:
    for node in sorted(nodes_of(client, name)):
        fine(client.resource_delete(node_name=node, rsc_name=name))
    fine(client.volume_dfn_delete(rsc_name=name, volume_nr=0))
    answer: list[Any] = client.resource_dfn_delete(name)
    return answer


def test_the_driver_finds_its_pools_and_nodes(linstor: Linstor) -> None:
    pools = [p for p in raw(linstor.storage_pool_list()) if p["storage_pool_name"] == "pool1"]
    assert {(p["node_name"], p["provider_kind"]) for p in pools} == {
        (n, "FILE_THIN") for n in ("alpha", "bravo", "charlie")
    }
    assert all(p["uuid"] and float(p["free_capacity"]) <= float(p["total_capacity"]) for p in pools)
    assert "pool1" in {d["storage_pool_name"] for d in raw(linstor.storage_pool_dfn_list())}
    assert all(n["net_interfaces"][0]["address"] for n in raw(linstor.node_list()))


def test_a_volume_is_made_on_every_node_and_has_a_path(linstor: Linstor, volume: str) -> None:
    assert nodes_of(linstor, volume) == {"alpha", "bravo", "charlie"}
    for resource in raw(linstor.resource_list()):
        assert resource["volumes"][0]["volume_number"] == 0
        assert resource["volumes"][0]["device_path"].startswith("/dev/")
        assert "DISKLESS" not in resource.get("flags", [])
    (definition,) = raw(linstor.resource_dfn_list())
    assert definition["name"] == volume
    assert definition["uuid"]


def test_a_volume_is_placed_automatically(linstor: Linstor, uri: str) -> None:
    fine(
        linstor.resource_dfn_create(VOLUME),
        linstor.volume_dfn_create(rsc_name=VOLUME, storage_pool="pool1", size=SIZE),
    )
    resource = Resource(name=VOLUME, uri=uri)
    resource.placement.redundancy = 2
    resource.placement.storage_pool = "pool1"
    assert resource.autoplace()
    assert len(nodes_of(linstor, VOLUME)) == 2
    assert Resource(VOLUME, uri).delete()
    assert raw(linstor.resource_dfn_list()) == []


def test_a_volume_is_deleted_piece_by_piece(linstor: Linstor, volume: str) -> None:
    fine(delete(linstor, volume))
    assert raw(linstor.resource_dfn_list()) == []


def test_a_volume_grows(linstor: Linstor, volume: str) -> None:
    fine(linstor.volume_dfn_modify(rsc_name=volume, volume_nr=0, size=2 * SIZE))
    (definition,) = linstor.resource_dfn_list_raise(query_volume_definitions=True).resource_definitions
    assert definition.volume_definitions[0].size == 2 * SIZE


def test_a_volume_is_made_from_a_snapshot_that_is_deleted_right_after(linstor: Linstor, volume: str, uri: str) -> None:
    """This is how the driver clones."""
    assert Resource(volume, uri=uri).snapshot_create(SNAPSHOT)
    restored = Resource(volume, uri=uri).restore_from_snapshot(SNAPSHOT, RESTORED)
    assert restored.name == RESTORED
    fine(linstor.volume_dfn_modify(rsc_name=RESTORED, volume_nr=0, set_properties={"Aux/restore": "done"}))
    fine(linstor.volume_dfn_modify(rsc_name=RESTORED, volume_nr=0, size=2 * SIZE))
    assert Resource(volume, uri=uri).snapshot_delete(SNAPSHOT)
    assert nodes_of(linstor, RESTORED) == nodes_of(linstor, volume)
    fine(delete(linstor, RESTORED), delete(linstor, volume))


def test_a_snapshot_outlives_its_volume(linstor: Linstor, volume: str, uri: str) -> None:
    assert Resource(volume, uri=uri).snapshot_create(SNAPSHOT)
    (refused,) = Linstor.filter_api_call_response_errors(delete(linstor, volume))
    assert refused.ret_code & 0x7FFF == 514
    assert Resource(volume, uri=uri).snapshot_delete(SNAPSHOT)
    fine(linstor.resource_dfn_delete(volume))
    assert raw(linstor.resource_dfn_list()) == []


def test_a_diskless_resource_is_refused_with_the_reason(linstor: Linstor, controller: Controller) -> None:
    fine(
        linstor.resource_dfn_create(VOLUME),
        linstor.volume_dfn_create(rsc_name=VOLUME, storage_pool="pool1", size=SIZE),
        linstor.resource_create([ResourceData(rsc_name=VOLUME, node_name="alpha", storage_pool="pool1")]),
    )
    answer = linstor.resource_create([ResourceData(rsc_name=VOLUME, node_name="bravo", diskless=True)])
    (refused,) = Linstor.filter_api_call_response_errors(answer)
    assert "STORAGE" in refused.message
    assert nodes_of(linstor, VOLUME) == {"alpha"}


def test_a_class_raises_when_there_is_no_controller() -> None:
    with pytest.raises(linstor.LinstorNetworkError), Linstor("linstor://127.0.0.1:1"):
        pass
