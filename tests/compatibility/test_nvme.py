"""python-linstor makes and sees a volume that is reached over NVMe."""

from __future__ import annotations

from typing import Any

import pytest
from linstor import Linstor, ResourceData

from tests.compatibility.controller import Controller

NAME = "nvmedata"


def fine(*answers: list[Any]) -> None:
    for answer in answers:
        assert Linstor.all_api_responses_no_error(answer), [str(entry) for entry in answer]


def code(answer: list[Any]) -> int:
    (error,) = Linstor.filter_api_call_response_errors(answer)
    return int(error.ret_code & 0x7FFF)


@pytest.fixture
def target(linstor: Linstor) -> Linstor:
    """As in the users' guide: a definition, its volume, and the node that has the data."""
    fine(
        linstor.resource_dfn_create(NAME, layer_list=["nvme", "storage"]),
        linstor.volume_dfn_create(NAME, 8192),
        linstor.resource_create([ResourceData("alpha", NAME, storage_pool="pool1")]),
    )
    return linstor


@pytest.mark.parametrize("how", [{"diskless": True}, {"nvme_initiator": True}])
def test_an_initiator_is_made_listed_and_deleted(target: Linstor, how: dict[str, bool]) -> None:
    fine(target.resource_create([ResourceData("bravo", NAME, **how)]))
    alpha, bravo = target.resource_list_raise(filter_by_resources=[NAME]).resources
    assert (alpha.flags, set(bravo.flags)) == ([], {"DISKLESS", "NVME_INITIATOR"})
    for resource in (alpha, bravo):
        assert resource.layer_data.layer_stack == ["NVME", "STORAGE"]
        assert resource.volumes[0].state.disk_state == "Created"
        assert resource.volumes[0].data_v1["usable_size_kib"] == 8192
    assert alpha.volumes[0].storage_pool_name == "pool1"
    assert bravo.volumes[0].storage_pool_name == "DfltDisklessStorPool"
    assert bravo.volumes[0].data_v1["provider_kind"] == "DISKLESS"
    assert bravo.volumes[0].device_path == "/dev/nvme0n1"
    (shown,) = bravo.data_v1["layer_object"]["nvme"]["nvme_volumes"]
    assert (shown["device_path"], "backing_device" in shown) == ("/dev/nvme0n1", False)
    assert code(target.resource_delete("alpha", NAME)) == 519
    fine(target.resource_delete("bravo", NAME), target.resource_delete("alpha", NAME))
    assert target.resource_list_raise(filter_by_resources=[NAME]).resources == []


def test_what_makes_no_sense_is_refused_by_number(target: Linstor) -> None:
    fine(target.resource_dfn_create("alone", layer_list=["nvme", "storage"]))
    asked = {
        ResourceData("charlie", NAME, storage_pool="pool1"): 518,
        ResourceData("bravo", NAME, drbd_diskless=True): 225,
        ResourceData("bravo", "alone", nvme_initiator=True): 608,
    }
    for data, number in asked.items():
        assert code(target.resource_create([data])) == number
    assert code(target.resource_auto_place(NAME, 3)) == 518
    assert [r.node_name for r in target.resource_list_raise().resources] == ["alpha"]


def test_a_mounted_initiator_is_in_use_and_stays(controller: Controller, target: Linstor) -> None:
    fine(target.resource_create([ResourceData("bravo", NAME, nvme_initiator=True)]))
    controller.cluster.nodes["bravo"].host.disk.use("/dev/nvme0n1", "mounted at /mnt")
    controller.pass_time(20.0)
    states = {s.node_name: s.in_use for s in target.resource_list_raise().resource_states}
    assert states == {"alpha": False, "bravo": True}
    assert code(target.resource_delete("bravo", NAME)) == 997
    assert code(target.resource_dfn_delete(NAME)) == 997


def test_a_volume_is_made_available_on_another_node(target: Linstor) -> None:
    fine(target.resource_make_available("charlie", NAME))
    assert {r.node_name for r in target.resource_list_raise().resources} == {"alpha", "charlie"}
