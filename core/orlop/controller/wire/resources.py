"""Resources, volumes and connections between resources."""

from __future__ import annotations

from orlop.controller.answers import Entry
from orlop.controller.wire.base import Body, EffectiveProperty, Properties, PropertiesModify
from orlop.controller.wire.layers import ResourceLayer, VolumeLayer


class ResourceState(Body, frozen=True, kw_only=True):
    in_use: bool | None = None


class Resource(Body, frozen=True, kw_only=True):
    """Effective_props only in the view."""

    name: str | None = None
    node_name: str | None = None
    props: Properties = {}
    effective_props: dict[str, EffectiveProperty] = {}
    flags: tuple[str, ...] = ()
    layer_object: ResourceLayer | None = None
    state: ResourceState | None = None
    uuid: str | None = None
    create_timestamp: int | None = None


class ResourceWithVolumes(Resource, frozen=True, kw_only=True):
    volumes: tuple[Volume, ...] = ()
    shared_name: str | None = None


class ResourceCreate(Body, frozen=True, kw_only=True):
    resource: Resource | None = None
    layer_list: tuple[str, ...] = ()
    drbd_node_id: int | None = None
    drbd_tcp_port_count: int | None = None
    drbd_tcp_ports: tuple[int, ...] = ()
    snap_names: tuple[str, ...] = ()
    copy_all_snaps: bool | None = None
    drbd_client: bool | None = None


class ResourceMakeAvailable(Body, frozen=True, kw_only=True):
    layer_list: tuple[str, ...] = ()
    diskful: bool = False
    drbd_tcp_ports: tuple[int, ...] = ()
    snap_names: tuple[str, ...] = ()
    copy_all_snaps: bool | None = None
    auto_manage_dual_primary: bool | None = None


class ResourceModify(PropertiesModify, frozen=True, kw_only=True):
    drbd_tiebreaker: bool | None = None
    drbd_client: bool | None = None


class VolumeModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class Volume(Body, frozen=True, kw_only=True):
    volume_number: int | None = None
    storage_pool_name: str | None = None
    provider_kind: str | None = None
    device_path: str | None = None
    allocated_size_kib: int | None = None
    usable_size_kib: int | None = None
    props: Properties = {}
    flags: tuple[str, ...] = ()
    state: VolumeState | None = None
    layer_data_list: tuple[VolumeLayer, ...] = ()
    uuid: str | None = None
    reports: tuple[Entry, ...] = ()


class VolumeState(Body, frozen=True, kw_only=True):
    disk_state: str | None = None
    replication_states: dict[str, ReplicationState] = {}


class ReplicationState(Body, frozen=True, kw_only=True):
    replication_state: str | None = None
    done_percentage: float | None = None
    out_of_sync_kib: int | None = None  # beyond the common API; absent where nothing is known to differ


class ToggleDiskRequest(Body, frozen=True, kw_only=True):
    operation: str | None = None
    storage_pool: str | None = None
    migrate_from: str | None = None
    layer_list: tuple[str, ...] = ()


class ToggleDiskDiskful(Body, frozen=True, kw_only=True):
    layer_list: tuple[str, ...] = ()


class ResourceConnection(Body, frozen=True, kw_only=True):
    node_a: str | None = None
    node_b: str | None = None
    props: Properties = {}
    flags: tuple[str, ...] = ()
    port: int | None = None
    drbd_proxy_port_a: int | None = None
    drbd_proxy_port_b: int | None = None


class DrbdProxyEnable(Body, frozen=True, kw_only=True):
    port: int | None = None
    port_src: int | None = None
    port_target: int | None = None


class DrbdProxyModify(PropertiesModify, frozen=True, kw_only=True):
    compression_type: str | None = None
    compression_props: Properties = {}


class ResourceConnectionModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class EventMayPromoteChange(Body, frozen=True, kw_only=True):
    resource_name: str | None = None
    node_name: str | None = None
    may_promote: bool | None = None
