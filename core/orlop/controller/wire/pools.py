"""Storage pools, their definitions and unused devices. Capacities in KiB, devices in bytes."""

from __future__ import annotations

from orlop.controller.answers import Entry
from orlop.controller.wire.base import Body, Properties, PropertiesModify


class StoragePool(Body, frozen=True, kw_only=True):
    """Free/total in KiB; reports = problems of this pool; free_space_mgr_name "node;pool" unless shared."""

    storage_pool_name: str
    node_name: str | None = None
    provider_kind: str
    props: Properties = {}
    static_traits: dict[str, str] = {}
    free_capacity: int | None = None
    total_capacity: int | None = None
    free_space_mgr_name: str | None = None
    uuid: str | None = None
    reports: tuple[Entry, ...] = ()
    supports_snapshots: bool | None = None
    shared_space: str | None = None
    external_locking: bool = False


class StoragePoolDefinition(Body, frozen=True, kw_only=True):
    storage_pool_name: str | None = None
    props: Properties = {}


class StoragePoolDefinitionModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class PhysicalStorageNode(Body, frozen=True, kw_only=True):
    size: int | None = None
    rotational: bool | None = None
    device: str | None = None
    model: str | None = None
    serial: str | None = None
    wwn: str | None = None


class PhysicalStorage(Body, frozen=True, kw_only=True):
    """Size in bytes."""

    size: int | None = None
    rotational: bool | None = None
    nodes: dict[str, tuple[PhysicalStorageDevice, ...]] = {}


class PhysicalStorageDevice(Body, frozen=True, kw_only=True):
    device: str | None = None
    model: str | None = None
    serial: str | None = None
    wwn: str | None = None


class PhysicalStorageStoragePoolCreate(Body, frozen=True, kw_only=True):
    name: str | None = None
    props: Properties = {}
    shared_space: str | None = None
    external_locking: bool = False


class PhysicalStorageCreate(Body, frozen=True, kw_only=True):
    provider_kind: str
    device_paths: tuple[str, ...]
    raid_level: str = "JBOD"
    pool_name: str | None = None
    vdo_enable: bool = False
    vdo_slab_size_kib: int = 0
    vdo_logical_size_kib: int = 0
    with_storage_pool: PhysicalStorageStoragePoolCreate | None = None
    sed: bool = False
    pv_create_arguments: tuple[str, ...] = ()
    vg_create_arguments: tuple[str, ...] = ()
    lv_create_arguments: tuple[str, ...] = ()
    zpool_create_arguments: tuple[str, ...] = ()
