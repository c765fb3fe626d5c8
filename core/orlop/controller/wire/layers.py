"""What each layer says about a resource and its volumes."""

from __future__ import annotations

from typing import Any

from orlop.controller.wire.base import Body
from orlop.controller.wire.definitions import DrbdResourceDefinitionLayer, DrbdVolumeDefinition


class ResourceLayer(Body, frozen=True, kw_only=True):
    type: str
    resource_name_suffix: str | None = None
    drbd: DrbdResource | None = None
    luks: LUKSResource | None = None
    storage: StorageResource | None = None
    nvme: NVMEResource | None = None
    children: tuple[ResourceLayer, ...] = ()


class DrbdResource(Body, frozen=True, kw_only=True):
    drbd_resource_definition: DrbdResourceDefinitionLayer | None = None
    node_id: int | None = None
    tcp_ports: tuple[int, ...] = ()
    peer_slots: int | None = None
    al_stripes: int | None = None
    al_size: int | None = None
    flags: tuple[str, ...] = ()
    drbd_volumes: tuple[DrbdVolume, ...] = ()
    connections: dict[str, DrbdConnection] = {}
    promotion_score: int | None = None
    may_promote: bool | None = None


class StorageResource(Body, frozen=True, kw_only=True):
    storage_volumes: tuple[StorageVolume, ...] = ()


class LUKSResource(Body, frozen=True, kw_only=True):
    luks_volumes: tuple[LUKSVolume, ...] = ()


class NVMEResource(Body, frozen=True, kw_only=True):
    nvme_volumes: tuple[NVMEVolume, ...] = ()


class DrbdConnection(Body, frozen=True, kw_only=True):
    connected: bool | None = None
    message: str | None = None


class DrbdVolume(Body, frozen=True, kw_only=True):
    drbd_volume_definition: DrbdVolumeDefinition | None = None
    device_path: str | None = None
    backing_device: str | None = None
    meta_disk: str | None = None
    allocated_size_kib: int | None = None
    usable_size_kib: int | None = None
    disk_state: str | None = None
    ext_meta_stor_pool: str | None = None


class LUKSVolume(Body, frozen=True, kw_only=True):
    volume_number: int | None = None
    device_path: str | None = None
    backing_device: str | None = None
    allocated_size_kib: int | None = None
    usable_size_kib: int | None = None
    disk_state: str | None = None
    opened: bool | None = None
    corrupted_key: bool | None = None


class StorageVolume(Body, frozen=True, kw_only=True):
    volume_number: int | None = None
    device_path: str | None = None
    allocated_size_kib: int | None = None
    usable_size_kib: int | None = None
    disk_state: str | None = None


class NVMEVolume(Body, frozen=True, kw_only=True):
    volume_number: int | None = None
    device_path: str | None = None
    backing_device: str | None = None
    allocated_size_kib: int | None = None
    usable_size_kib: int | None = None
    disk_state: str | None = None


class VolumeLayer(Body, frozen=True, kw_only=True):
    type: str
    data: Any = None
