"""What the controller tells, as typed values. Absent members are empty; unknown ones are ignored.

Sizes are KiB and times milliseconds since 1970, as on the wire, unless a comment says otherwise.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from orlop.client.answer import Entry
from orlop.client.bodies import SelectFilter

Properties = Mapping[str, str]
Names = tuple[str, ...]


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Something the controller told."""


class NetInterface(Seen, frozen=True, kw_only=True):
    name: str
    address: str = ""
    satellite_port: int | None = None
    satellite_encryption_type: str | None = None
    is_active: bool = False
    uuid: str = ""


class Node(Seen, frozen=True, kw_only=True):
    name: str
    type: str = "SATELLITE"
    flags: Names = ()
    props: Properties = {}
    net_interfaces: tuple[NetInterface, ...] = ()
    connection_status: str = "UNKNOWN"
    uuid: str = ""
    storage_providers: Names = ()
    resource_layers: Names = ()
    unsupported_providers: Mapping[str, Names] = {}
    unsupported_layers: Mapping[str, Names] = {}
    eviction_timestamp: int | None = None
    os_variant: str = ""

    @property
    def promotes_by_itself(self) -> bool:
        """Whether opening a replicated device makes it primary: DRBD does so since version 9."""
        return not self.props.get("Satellite/Drbd/Version", "9").startswith("8.")


class NodeConnection(Seen, frozen=True, kw_only=True):
    node_a: str
    node_b: str
    props: Properties = {}


class StoragePoolDefinition(Seen, frozen=True, kw_only=True):
    storage_pool_name: str
    props: Properties = {}


class StoragePool(Seen, frozen=True, kw_only=True):
    storage_pool_name: str
    node_name: str = ""
    provider_kind: str = ""
    props: Properties = {}
    static_traits: Properties = {}
    free_capacity: int | None = None
    total_capacity: int | None = None
    free_space_mgr_name: str = ""
    uuid: str = ""
    reports: tuple[Entry, ...] = ()
    supports_snapshots: bool = False
    shared_space: str = ""
    external_locking: bool = False

    @property
    def shared_name(self) -> str:
        """The shared space, or nothing: an unshared pool's name holds a separator that no name may hold."""
        name = self.shared_space or self.free_space_mgr_name
        return "" if ";" in name or ":" in name else name


class PhysicalDevice(Seen, frozen=True, kw_only=True):
    device: str
    model: str = ""
    serial: str = ""
    wwn: str = ""


class PhysicalStorage(Seen, frozen=True, kw_only=True):
    """Unused devices of one size (bytes) and kind."""

    size: int
    rotational: bool = False
    nodes: Mapping[str, tuple[PhysicalDevice, ...]] = {}


class PhysicalStorageNode(PhysicalDevice, frozen=True, kw_only=True):
    size: int = 0  # bytes
    rotational: bool = False


class Layer(Seen, frozen=True, kw_only=True):
    """A level of a definition's stack; `data` only for DRBD."""

    type: str
    data: Mapping[str, Any] = {}


class VolumeDefinition(Seen, frozen=True, kw_only=True):
    volume_number: int = 0
    size_kib: int = 0
    props: Properties = {}
    flags: Names = ()
    layer_data: tuple[Layer, ...] = ()
    uuid: str = ""

    @property
    def minor(self) -> int | None:
        return next((layer.data.get("minor_number") for layer in self.layer_data if layer.type == "DRBD"), None)


class ResourceDefinition(Seen, frozen=True, kw_only=True):
    name: str
    external_name: str = ""
    props: Properties = {}
    flags: Names = ()
    layer_data: tuple[Layer, ...] = ()
    uuid: str = ""
    resource_group_name: str = ""
    volume_definitions: tuple[VolumeDefinition, ...] = ()


class DrbdConnection(Seen, frozen=True, kw_only=True):
    connected: bool = False
    message: str = ""


class DrbdLayer(Seen, frozen=True, kw_only=True):
    tcp_ports: tuple[int, ...] = ()
    node_id: int | None = None
    connections: Mapping[str, DrbdConnection] = {}
    drbd_volumes: tuple[Mapping[str, Any], ...] = ()
    may_promote: bool = False


class LayerObject(Seen, frozen=True, kw_only=True):
    type: str = ""
    children: tuple["LayerObject", ...] = ()
    resource_name_suffix: str = ""
    drbd: DrbdLayer | None = None

    def kinds(self) -> Iterator[str]:
        """The types of the stack, top first, the data path only once."""
        yield self.type
        for child in self.children:
            yield from child.kinds()


class ResourceState(Seen, frozen=True, kw_only=True):
    in_use: bool | None = None


class ReplicationState(Seen, frozen=True, kw_only=True):
    replication_state: str = ""
    done_percentage: float | None = None
    out_of_sync_kib: int = 0


class VolumeState(Seen, frozen=True, kw_only=True):
    disk_state: str | None = None
    replication_states: Mapping[str, ReplicationState] = {}


class VolumeLayer(Seen, frozen=True, kw_only=True):
    type: str
    data: Mapping[str, Any] = {}


class Volume(Seen, frozen=True, kw_only=True):
    volume_number: int
    storage_pool_name: str = ""
    provider_kind: str = ""
    device_path: str = ""
    allocated_size_kib: int | None = None
    usable_size_kib: int | None = None
    props: Properties = {}
    flags: Names = ()
    state: VolumeState = VolumeState()
    layer_data_list: tuple[VolumeLayer, ...] = ()
    uuid: str = ""
    reports: tuple[Entry, ...] = ()

    def layer(self, kind: str) -> Mapping[str, Any] | None:
        return next((layer.data for layer in self.layer_data_list if layer.type == kind), None)


class Resource(Seen, frozen=True, kw_only=True):
    """A replica; `volumes` only from `Client.resources()`."""

    name: str
    node_name: str
    props: Properties = {}
    flags: Names = ()
    layer_object: LayerObject = LayerObject()
    state: ResourceState = ResourceState()
    uuid: str = ""
    create_timestamp: int | None = None
    volumes: tuple[Volume, ...] = ()
    shared_name: str = ""


class ResourceConnection(Seen, frozen=True, kw_only=True):
    node_a: str
    node_b: str
    props: Properties = {}
    flags: Names = ()
    port: int | None = None


class SnapshotVolumeDefinition(Seen, frozen=True, kw_only=True):
    volume_number: int
    size_kib: int = 0


class SnapshotVolume(Seen, frozen=True, kw_only=True):
    vlm_nr: int = 0
    uuid: str = ""
    state: str = ""


class NodeSnapshot(Seen, frozen=True, kw_only=True):
    snapshot_name: str = ""
    node_name: str = ""
    create_timestamp: int | None = None
    flags: Names = ()
    uuid: str = ""
    snapshot_volumes: tuple[SnapshotVolume, ...] = ()


class Snapshot(Seen, frozen=True, kw_only=True):
    name: str
    resource_name: str
    nodes: Names = ()
    props: Properties = {}
    snapshot_definition_props: Properties = {}
    flags: Names = ()
    volume_definitions: tuple[SnapshotVolumeDefinition, ...] = ()
    uuid: str = ""
    snapshots: tuple[NodeSnapshot, ...] = ()

    @property
    def created(self) -> int | None:
        return next((taken.create_timestamp for taken in self.snapshots if taken.create_timestamp), None)


class VolumeGroup(Seen, frozen=True, kw_only=True):
    volume_number: int = 0
    props: Properties = {}
    uuid: str = ""
    flags: Names = ()


class ResourceGroup(Seen, frozen=True, kw_only=True):
    name: str
    description: str = ""
    props: Properties = {}
    select_filter: SelectFilter = SelectFilter()
    uuid: str = ""
    peer_slots: int | None = None
    volume_groups: tuple[VolumeGroup, ...] = ()


class Candidate(Seen, frozen=True, kw_only=True):
    storage_pool: str
    max_volume_size_kib: int
    node_names: Names = ()
    all_thin: bool = False


class MaxVolumeSizes(Seen, frozen=True, kw_only=True):
    candidates: tuple[Candidate, ...] = ()
    default_max_oversubscription_ratio: float | None = None


class SpawnResult(Seen, frozen=True, kw_only=True):
    node_name: str
    stor_pool_name: str
    stor_pool_oversubscription_ratio: float | None = None
    stor_pool_free_capacity_oversubscription_ratio: float | None = None
    stor_pool_total_capacity_oversubscription_ratio: float | None = None


class SpaceInfo(Seen, frozen=True, kw_only=True):
    max_vlm_size_in_kib: int = 0
    available_size_in_kib: int | None = None
    capacity_in_kib: int | None = None
    default_max_oversubscription_ratio: float | None = None
    next_spawn_result: tuple[SpawnResult, ...] = ()


class SizeInfo(Seen, frozen=True, kw_only=True):
    space_info: SpaceInfo = SpaceInfo()
    reports: tuple[Entry, ...] = ()


class AllSizeInfo(Seen, frozen=True, kw_only=True):
    result: Mapping[str, SizeInfo] = {}
    reports: tuple[Entry, ...] = ()


class CloneStarted(Seen, frozen=True, kw_only=True):
    location: str = ""
    source_name: str = ""
    clone_name: str = ""
    messages: tuple[Entry, ...] = ()


class Status(Seen, frozen=True, kw_only=True):
    """A state by name: of a clone (CLONING, COMPLETE, FAILED) or the passphrase (unset, locked, unlocked)."""

    status: str


class SyncStatus(Seen, frozen=True, kw_only=True):
    synced_on_all: bool = False
