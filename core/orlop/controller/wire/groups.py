"""Resource groups, placement and questions about space."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from orlop.controller.answers import Entry
from orlop.controller.wire.base import Body, Properties, PropertiesModify


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
    placement_policy: str | None = None  # Orlop's own, as all that follows
    site_list: tuple[str, ...] = ()
    most_per_site: int | None = None
    least_per_site: int | None = None
    preferred_node_list: tuple[str, ...] = ()


class AutoSelectFilterModify(Body, frozen=True, kw_only=True):
    """An absent member changes nothing, an empty list or map clears."""

    place_count: int | UnsetType = UNSET
    additional_place_count: int | UnsetType = UNSET
    node_name_list: tuple[str, ...] | UnsetType = UNSET
    storage_pool: str | UnsetType = UNSET
    storage_pool_list: tuple[str, ...] | UnsetType = UNSET
    storage_pool_diskless_list: tuple[str, ...] | UnsetType = UNSET
    not_place_with_rsc: tuple[str, ...] | UnsetType = UNSET
    not_place_with_rsc_regex: str | UnsetType = UNSET
    replicas_on_same: tuple[str, ...] | UnsetType = UNSET
    replicas_on_different: tuple[str, ...] | UnsetType = UNSET
    x_replicas_on_different_map: dict[str, int] | UnsetType = UNSET
    layer_stack: tuple[str, ...] | UnsetType = UNSET
    provider_list: tuple[str, ...] | UnsetType = UNSET
    diskless_on_remaining: bool | UnsetType = UNSET
    diskless_type: str | UnsetType = UNSET
    overprovision: float | UnsetType = UNSET
    port_count: int | UnsetType = UNSET
    placement_policy: str | UnsetType = UNSET
    site_list: tuple[str, ...] | UnsetType = UNSET
    most_per_site: int | UnsetType = UNSET
    least_per_site: int | UnsetType = UNSET
    preferred_node_list: tuple[str, ...] | UnsetType = UNSET


class ResourceGroup(Body, frozen=True, kw_only=True):
    name: str | None = None
    description: str | None = None
    props: Properties = {}
    select_filter: AutoSelectFilter | None = None
    uuid: str | None = None
    peer_slots: int | None = None


class ResourceGroupModify(PropertiesModify, frozen=True, kw_only=True):
    description: str | None = None
    select_filter: AutoSelectFilterModify | None = None
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

    def __repr__(self) -> str:
        return f"ResourceGroupSpawn(resource_definition_name={self.resource_definition_name!r})"


class VolumeGroup(Body, frozen=True, kw_only=True):
    volume_number: int | None = None
    props: Properties = {}
    uuid: str | None = None
    flags: tuple[str, ...] = ()


class VolumeGroupModify(PropertiesModify, frozen=True, kw_only=True):
    flags: tuple[str, ...] = ()


class ResourceGroupAdjust(Body, frozen=True, kw_only=True):
    select_filter: AutoSelectFilter | None = None
    snap_names: tuple[str, ...] = ()
    copy_all_snaps: bool | None = None


class AutoPlaceRequest(Body, frozen=True, kw_only=True):
    """Everything may be absent: the resource group decides then."""

    diskless_on_remaining: bool = False
    select_filter: AutoSelectFilter = AutoSelectFilter()
    layer_list: tuple[str, ...] = ()
    snap_names: tuple[str, ...] = ()
    copy_all_snaps: bool | None = None


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
