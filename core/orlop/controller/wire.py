"""The JSON bodies of the REST API: what requests may hold and what answers look like. KiB and milliseconds.

Field names and shapes are those of the LINSTOR REST API v1. Empty and absent members are left out of answers;
requests may spell numbers as strings and absent members as null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from orlop.controller.answers import Entry

Properties = Mapping[str, str]


class Body(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A JSON object."""


class PropertiesModify(Body, frozen=True, kw_only=True):
    """Applied in this order: override, then delete, then whole namespaces."""

    override_props: Properties = {}
    delete_props: tuple[str, ...] = ()
    delete_namespaces: tuple[str, ...] = ()


class EffectiveProperty(Body, frozen=True, kw_only=True):
    type: str
    value: str
    descr: str | None = None
    other: tuple[PropertyWithDescription, ...] = ()


class ResourceLayer(Body, frozen=True, kw_only=True):
    type: str
    resource_name_suffix: str | None = None
    drbd: DrbdResource | None = None
    luks: LUKSResource | None = None
    storage: StorageResource | None = None
    nvme: NVMEResource | None = None
    children: tuple[ResourceLayer, ...] = ()


class VolumeLayer(Body, frozen=True, kw_only=True):
    type: str
    data: Any = None


class Node(Body, frozen=True, kw_only=True):
    name: str
    type: str
    flags: tuple[str, ...] = ()
    props: Properties = {}
    net_interfaces: tuple[NetInterface, ...] = ()
    connection_status: str | None = None
    uuid: str | None = None
    storage_providers: tuple[str, ...] = ()
    resource_layers: tuple[str, ...] = ()
    unsupported_providers: dict[str, tuple[str, ...]] = {}
    unsupported_layers: dict[str, tuple[str, ...]] = {}
    eviction_timestamp: int | None = None
    platform: str | None = None
    os_variant: str | None = None


class NodeModify(PropertiesModify, frozen=True, kw_only=True):
    node_type: str | None = None


class NodeRestore(Body, frozen=True, kw_only=True):
    delete_resources: bool | None = None
    delete_snapshots: bool | None = None


class NodeEvacuate(Body, frozen=True, kw_only=True):
    target: tuple[str, ...] = ()
    do_not_target: tuple[str, ...] = ()


class NetInterface(Body, frozen=True, kw_only=True):
    name: str
    address: str
    satellite_port: int | None = None
    satellite_encryption_type: str | None = None
    is_active: bool | None = None
    uuid: str | None = None


class PropertyWithDescription(Body, frozen=True, kw_only=True):
    type: str
    value: str
    descr: str | None = None


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


class DrbdResourceDefinitionLayer(Body, frozen=True, kw_only=True):
    resource_name_suffix: str | None = None
    peer_slots: int | None = None
    al_stripes: int | None = None
    al_stripe_size_kib: int | None = None
    port: int | None = None
    transport_type: str | None = None
    secret: str | None = None
    down: bool | None = None


class ResourceDefinitionLayer(Body, frozen=True, kw_only=True):
    type: str | None = None
    data: Any | None = None


class ResourceDefinition(Body, frozen=True, kw_only=True):
    name: str | None = None
    external_name: str | None = None
    props: Properties = {}
    flags: tuple[str, ...] = ()
    layer_data: tuple[ResourceDefinitionLayer, ...] = ()
    uuid: str | None = None
    resource_group_name: str | None = None
    volume_definitions: tuple[VolumeDefinition, ...] = ()


class ResourceDefinitionCreate(Body, frozen=True, kw_only=True):
    """Note the wrapper object."""

    drbd_port: int | None = None
    drbd_secret: str | None = None
    drbd_peer_slots: int | None = None
    drbd_transport_type: str | None = None
    resource_definition: ResourceDefinition


class ResourceDefinitionModify(PropertiesModify, frozen=True, kw_only=True):
    drbd_port: int | None = None
    drbd_peer_slots: int | None = None
    layer_stack: tuple[str, ...] = ()
    resource_group: str | None = None


class DrbdVolumeDefinition(Body, frozen=True, kw_only=True):
    resource_name_suffix: str | None = None
    volume_number: int | None = None
    minor_number: int | None = None


class VolumeDefinitionLayer(Body, frozen=True, kw_only=True):
    type: str
    data: Any | None = None


class VolumeDefinition(Body, frozen=True, kw_only=True):
    volume_number: int | None = None
    size_kib: int
    props: Properties = {}
    flags: tuple[str, ...] = ()
    layer_data: tuple[VolumeDefinitionLayer, ...] = ()
    uuid: str | None = None


class VolumeDefinitionCreate(Body, frozen=True, kw_only=True):
    volume_definition: VolumeDefinition
    drbd_minor_number: int | None = None
    passphrase: str | None = None


class VolumeDefinitionModify(PropertiesModify, frozen=True, kw_only=True):
    size_kib: int | None = None
    flags: tuple[str, ...] = ()


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


class ResourceState(Body, frozen=True, kw_only=True):
    in_use: bool | None = None


class DrbdConnection(Body, frozen=True, kw_only=True):
    connected: bool | None = None
    message: str | None = None


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


class ResourceModify(PropertiesModify, frozen=True, kw_only=True):
    drbd_tiebreaker: bool | None = None
    drbd_client: bool | None = None


class VolumeModify(PropertiesModify, frozen=True, kw_only=True):
    pass


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


class ResourceGroup(Body, frozen=True, kw_only=True):
    name: str | None = None
    description: str | None = None
    props: Properties = {}
    select_filter: AutoSelectFilter | None = None
    uuid: str | None = None
    peer_slots: int | None = None


class ResourceGroupModify(PropertiesModify, frozen=True, kw_only=True):
    description: str | None = None
    select_filter: AutoSelectFilter | None = None
    peer_slots: int | None = None
    snap_names: tuple[str, ...] = ()
    copy_all_snaps: bool | None = None


class ResourceGroupSpawn(Body, frozen=True, kw_only=True):
    resource_definition_name: str | None = None
    resource_definition_external_name: str | None = None
    volume_sizes: tuple[int, ...] = ()
    select_filter: AutoSelectFilter | None = None
    partial: bool = False
    definitions_only: bool = False
    peer_slots: int | None = None
    volume_passphrases: tuple[str, ...] = ()
    resource_definition_props: Properties = {}


class VolumeGroup(Body, frozen=True, kw_only=True):
    volume_number: int | None = None
    props: Properties = {}
    uuid: str | None = None
    flags: tuple[str, ...] = ()


class VolumeGroupModify(Body, frozen=True, kw_only=True):
    override_props: Properties = {}
    flags: tuple[str, ...] = ()
    delete_props: tuple[str, ...] = ()
    delete_namespaces: tuple[str, ...] = ()


class ResourceGroupAdjust(Body, frozen=True, kw_only=True):
    select_filter: AutoSelectFilter | None = None
    snap_names: tuple[str, ...] = ()
    copy_all_snaps: bool | None = None


class AutoPlaceRequest(Body, frozen=True, kw_only=True):
    """See §6.9."""

    diskless_on_remaining: bool = False
    select_filter: AutoSelectFilter
    layer_list: tuple[str, ...] = ()
    snap_names: tuple[str, ...] = ()
    copy_all_snaps: bool | None = None


class AutoSelectFilter(Body, frozen=True, kw_only=True):
    place_count: int | None = None
    additional_place_count: int | None = None
    node_name_list: tuple[str, ...] = ()
    storage_pool: str | None = None
    storage_pool_list: tuple[str, ...] = ()
    storage_pool_diskless_list: tuple[str, ...] = ()
    not_place_with_rsc: tuple[str, ...] = ()
    not_place_with_rsc_regex: str | None = None
    replicas_on_same: tuple[str, ...] = ()
    replicas_on_different: tuple[str, ...] = ()
    x_replicas_on_different_map: dict[str, int] = {}
    layer_stack: tuple[str, ...] = ()
    provider_list: tuple[str, ...] = ()
    diskless_on_remaining: bool | None = None
    diskless_type: str | None = None
    overprovision: float | None = None
    port_count: int | None = None


class Candidate(Body, frozen=True, kw_only=True):
    storage_pool: str | None = None
    max_volume_size_kib: int | None = None
    node_names: tuple[str, ...] = ()
    all_thin: bool | None = None


class MaxVolumeSizes(Body, frozen=True, kw_only=True):
    candidates: tuple[Candidate, ...] = ()
    default_max_oversubscription_ratio: float | None = None


class QuerySizeInfoRequest(Body, frozen=True, kw_only=True):
    select_filter: AutoSelectFilter | None = None
    ignore_cache_older_than_sec: int = -1


class QuerySizeInfoResponse(Body, frozen=True, kw_only=True):
    space_info: QuerySizeInfoResponseSpaceInfo | None = None
    reports: tuple[Entry, ...] = ()


class QueryAllSizeInfoRequest(Body, frozen=True, kw_only=True):
    select_filter: AutoSelectFilter | None = None
    ignore_cache_older_than_sec: int = -1


class QueryAllSizeInfoResponse(Body, frozen=True, kw_only=True):
    result: dict[str, QuerySizeInfoResponse] = {}
    reports: tuple[Entry, ...] = ()


class QuerySizeInfoResponseSpaceInfo(Body, frozen=True, kw_only=True):
    max_vlm_size_in_kib: int
    available_size_in_kib: int | None = None
    capacity_in_kib: int | None = None
    default_max_oversubscription_ratio: float | None = None
    max_oversubscription_ratio: float | None = None
    max_free_capacity_oversubscription_ratio: float | None = None
    max_total_capacity_oversubscription_ratio: float | None = None
    next_spawn_result: tuple[QuerySizeInfoSpawnResult, ...] = ()


class QuerySizeInfoSpawnResult(Body, frozen=True, kw_only=True):
    node_name: str
    stor_pool_name: str
    stor_pool_oversubscription_ratio: float | None = None
    stor_pool_free_capacity_oversubscription_ratio: float | None = None
    stor_pool_total_capacity_oversubscription_ratio: float | None = None


class ControllerPropsModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class ControllerConfig(Body, frozen=True, kw_only=True):
    config: ControllerConfigConfig | None = None
    debug: ControllerConfigDebug | None = None
    log: ControllerConfigLog | None = None
    db: ControllerConfigDb | None = None
    http: ControllerConfigHttp | None = None
    https: ControllerConfigHttps | None = None


class ControllerConfigConfig(Body, frozen=True, kw_only=True):
    dir: str | None = None


class ControllerConfigDebug(Body, frozen=True, kw_only=True):
    console_enabled: bool | None = None


class ControllerConfigLog(Body, frozen=True, kw_only=True):
    print_stack_trace: bool | None = None
    directory: str | None = None
    level: str | None = None
    level_global: str | None = None
    level_linstor: str | None = None
    level_linstor_global: str | None = None
    rest_access_log_path: str | None = None
    rest_access_mode: str | None = None


class ControllerConfigDb(Body, frozen=True, kw_only=True):
    connection_url: str | None = None
    ca_certificate: str | None = None
    client_certificate: str | None = None
    in_memory: str | None = None
    version_check_disabled: bool | None = None


class ControllerConfigHttp(Body, frozen=True, kw_only=True):
    enabled: bool | None = None
    listen_address: str | None = None
    port: int | None = None


class ControllerConfigHttps(Body, frozen=True, kw_only=True):
    enabled: bool | None = None
    listen_address: str | None = None
    port: int | None = None


class ControllerVersion(Body, frozen=True, kw_only=True):
    version: str | None = None
    git_hash: str | None = None
    build_time: str | None = None
    rest_api_version: str | None = None


class SatelliteConfig(Body, frozen=True, kw_only=True):
    config: ControllerConfigConfig | None = None
    debug: ControllerConfigDebug | None = None
    log: SatelliteConfigLog | None = None
    stlt_override_node_name: str | None = None
    remote_spdk: bool | None = None
    ebs: bool | None = None
    special_satellite: bool | None = None
    drbd_keep_res_pattern: str | None = None
    net: SatelliteConfigNet | None = None


class SatelliteConfigLog(Body, frozen=True, kw_only=True):
    print_stack_trace: bool | None = None
    directory: str | None = None
    level: str | None = None
    level_linstor: str | None = None


class SatelliteConfigNet(Body, frozen=True, kw_only=True):
    bind_address: str | None = None
    port: int | None = None
    com_type: str | None = None


class PropsInfo(Body, frozen=True, kw_only=True):
    info: str | None = None
    prop_type: str | None = None
    value: str | None = None
    dflt: str | None = None
    unit: str | None = None


class ErrorReport(Body, frozen=True, kw_only=True):
    """Error_time ms; filename "ErrorReport-<id>.log"."""

    node_name: str | None = None
    error_time: int
    filename: str | None = None
    text: str | None = None
    module: str | None = None
    version: str | None = None
    peer: str | None = None
    exception: str | None = None
    exception_message: str | None = None
    origin_file: str | None = None
    origin_method: str | None = None
    origin_line: int | None = None


class ErrorReportDelete(Body, frozen=True, kw_only=True):
    since: int | None = None
    to: int | None = None
    nodes: tuple[str, ...] = ()
    exception: str | None = None
    version: str | None = None
    ids: tuple[str, ...] = ()


class KeyValueStore(Body, frozen=True, kw_only=True):
    name: str | None = None
    props: Properties = {}


class KeyValueStoreModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class NodeConnection(Body, frozen=True, kw_only=True):
    node_a: str | None = None
    node_b: str | None = None
    props: Properties = {}


class NodeConnectionModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class ResourceConnection(Body, frozen=True, kw_only=True):
    node_a: str | None = None
    node_b: str | None = None
    props: Properties = {}
    flags: tuple[str, ...] = ()
    port: int | None = None
    drbd_proxy_port_a: int | None = None
    drbd_proxy_port_b: int | None = None


class ResourceConnectionModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class CreateMultiSnapshotRequest(Body, frozen=True, kw_only=True):
    snapshots: tuple[Snapshot, ...] = ()


class Snapshot(Body, frozen=True, kw_only=True):
    name: str | None = None
    resource_name: str | None = None
    nodes: tuple[str, ...] = ()
    props: Properties = {}
    snapshot_definition_props: Properties = {}
    resource_definition_props: Properties = {}
    flags: tuple[str, ...] = ()
    volume_definitions: tuple[SnapshotVolumeDefinition, ...] = ()
    uuid: str | None = None
    snapshots: tuple[SnapshotNode, ...] = ()


class SnapshotModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class SnapshotNode(Body, frozen=True, kw_only=True):
    snapshot_name: str | None = None
    node_name: str | None = None
    create_timestamp: int | None = None
    flags: tuple[str, ...] = ()
    uuid: str | None = None
    snapshot_props: Properties = {}
    resource_props: Properties = {}
    snapshot_volumes: tuple[SnapshotVolumeNode, ...] = ()


class SnapshotVolumeNode(Body, frozen=True, kw_only=True):
    uuid: str | None = None
    vlm_nr: int | None = None
    props: Properties = {}
    snapshot_volume_props: Properties = {}
    volume_props: Properties = {}
    state: str | None = None


class SnapshotVolumeDefinition(Body, frozen=True, kw_only=True):
    volume_number: int | None = None
    size_kib: int | None = None
    snapshot_volume_definition_props: Properties = {}
    volume_definition_props: Properties = {}


class SnapshotRestore(Body, frozen=True, kw_only=True):
    to_resource: str
    nodes: tuple[str, ...] = ()
    stor_pool_rename: dict[str, str] = {}


class SnapshotRollback(Body, frozen=True, kw_only=True):
    zfs_rollback_strategy: str | None = None


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


class EventMayPromoteChange(Body, frozen=True, kw_only=True):
    resource_name: str | None = None
    node_name: str | None = None
    may_promote: bool | None = None


class EventNode(Body, frozen=True, kw_only=True):
    node: Node | None = None


class EventNodeModified(Body, frozen=True, kw_only=True):
    old_node: Node | None = None
    new_node: Node | None = None


class ToggleDiskRequest(Body, frozen=True, kw_only=True):
    operation: str | None = None
    storage_pool: str | None = None
    migrate_from: str | None = None
    layer_list: tuple[str, ...] = ()


class ToggleDiskDiskful(Body, frozen=True, kw_only=True):
    layer_list: tuple[str, ...] = ()


class ResourceDefinitionSyncStatus(Body, frozen=True, kw_only=True):
    synced_on_all: bool


class NodeStats(Body, frozen=True, kw_only=True):
    count: int


class StoragePoolStats(Body, frozen=True, kw_only=True):
    count: int


class ResourceGroupStats(Body, frozen=True, kw_only=True):
    count: int


class ResourceDefinitionStats(Body, frozen=True, kw_only=True):
    count: int


class ResourceStats(Body, frozen=True, kw_only=True):
    count: int


class ErrorReportStats(Body, frozen=True, kw_only=True):
    count: int
