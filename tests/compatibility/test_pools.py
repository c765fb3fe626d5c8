"""Storage pools of every kind as LINSTOR's client sees and makes them."""

from __future__ import annotations

from typing import Any

import pytest
from linstor import Linstor, ResourceData
from linstor.responses import StoragePool, StoragePoolDriver

from orlop.model import GIB, KIB
from tests.compatibility.controller import Controller

DISKS = ("/dev/vdb", "/dev/vdc")


@pytest.fixture
def disks(controller: Controller) -> None:
    """Two unused disks in every node."""
    for node in controller.cluster.nodes.values():
        for path in DISKS:
            node.host.disk.add_disk(path, 2 * GIB)


def succeeded(answers: list[Any]) -> list[str]:
    assert not [str(a) for a in answers if a.is_error()]
    return [str(a) for a in answers]


def pool(linstor: Linstor, node: str, name: str) -> StoragePool:
    (found,) = linstor.storage_pool_list_raise([node], [name]).storage_pools
    return found


def unused(linstor: Linstor, node: str) -> list[str]:
    found = linstor.physical_storage_list().physical_devices
    return sorted(d.device for group in found for d in group.nodes.get(node, []))


KINDS = {
    StoragePoolDriver.LVM: ("vg0", "vg0", "Fat"),
    StoragePoolDriver.LVMThin: ("vg0", "vg0/thinpool", "Thin"),
    "LVM_THIN_POOL": ("vg0", "vg0", "Fat"),
    StoragePoolDriver.ZFS: ("tank", "tank", "Fat"),
    StoragePoolDriver.ZFSThin: ("tank", "tank", "Thin"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("disks")
def test_a_pool_is_made_of_devices_used_and_taken_apart(controller: Controller, linstor: Linstor, kind: str) -> None:
    name, backing, provisioning = KINDS[kind]
    assert unused(linstor, "alpha") == list(DISKS)
    succeeded(linstor.physical_storage_create_device_pool("alpha", kind, list(DISKS), name, storage_pool_name="fast"))
    assert unused(linstor, "alpha") == []
    assert unused(linstor, "bravo") == list(DISKS)
    made = pool(linstor, "alpha", "fast")
    assert made.provider_kind == kind
    place = made.properties["StorDriver/StorPoolName"]
    assert place == backing
    assert made.supports_snapshots() is True
    assert made.data_v1["static_traits"]["Provisioning"] == provisioning
    assert 0 < made.free_space.free_capacity <= made.free_space.total_capacity <= 2 * 2 * GIB // KIB
    succeeded(linstor.resource_dfn_create("web"))
    succeeded(linstor.volume_dfn_create("web", 64 * 1024))
    succeeded(linstor.resource_auto_place("web", 1, storage_pool=["fast"]))
    succeeded(linstor.snapshot_create([], "web", "monday", False))
    controller.pass_time(5)
    succeeded(linstor.snapshot_delete("web", "monday"))
    succeeded(linstor.resource_dfn_delete("web"))
    controller.pass_time(5)
    answer = controller.request("DELETE", "/v1/orlop/physical-storage/alpha/fast")
    assert answer.status == 200, answer.text
    assert unused(linstor, "alpha") == list(DISKS)


@pytest.mark.usefixtures("disks")
def test_devices_in_use_are_refused_by_name(controller: Controller, linstor: Linstor) -> None:
    controller.cluster.nodes["alpha"].host.disk.use("/dev/vdb", "swap")
    answers = linstor.physical_storage_create_device_pool("alpha", StoragePoolDriver.ZFS, ["/dev/vdb"], "tank")
    assert any(a.is_error() and "/dev/vdb" in str(a) for a in answers)


@pytest.mark.usefixtures("disks")
def test_replicas_in_zvols_and_in_files_are_equally_large(controller: Controller, linstor: Linstor) -> None:
    succeeded(
        linstor.physical_storage_create_device_pool(
            "alpha", StoragePoolDriver.ZFSThin, list(DISKS), "tank", storage_pool_name="fast"
        )
    )
    noted = pool(linstor, "alpha", "fast").properties["StorDriver/internal/AllocationGranularity"]
    assert int(noted) > 4
    succeeded(linstor.resource_dfn_create("web"))
    succeeded(linstor.volume_dfn_create("web", 65))
    wanted = [
        ResourceData(node_name=node, rsc_name="web", storage_pool=name)
        for node, name in (("bravo", "pool1"), ("alpha", "fast"))
    ]
    succeeded(linstor.resource_create(wanted))
    volumes = [v for r in linstor.resource_list_raise(filter_by_resources=["web"]).resources for v in r.volumes]
    assert {v.data_v1["provider_kind"] for v in volumes} == {"FILE_THIN", "ZFS_THIN"}
    assert {v.data_v1["usable_size_kib"] for v in volumes} == {-(-65 // int(noted)) * int(noted)}


def test_a_pool_whose_backing_is_not_there_is_listed_as_broken(linstor: Linstor) -> None:
    answers = linstor.storage_pool_create("alpha", "gone", StoragePoolDriver.ZFS, "tank/nowhere")
    assert any(a.is_error() and "tank" in str(a) for a in answers)
    shown = pool(linstor, "alpha", "gone")
    assert any("tank" in r.message and "storage-pool lost" in r.correction for r in shown.reports)
    answers = linstor._rest_request("x", "DELETE", "/v1/nodes/alpha/storage-pools/gone/lost")
    succeeded(answers)
    assert linstor.storage_pool_list_raise(["alpha"], ["gone"]).storage_pools == []


def test_properties_no_driver_could_obey_are_refused(linstor: Linstor) -> None:
    answers = linstor.controller_set_prop("StorDriver/ZfscreateOptions", "-s -V 5G")
    assert any(a.is_error() for a in answers)
    succeeded(linstor.controller_set_prop("StorDriver/ZfscreateOptions", "-o compression=lz4"))
