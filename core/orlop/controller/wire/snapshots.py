"""Snapshots."""

from __future__ import annotations

from orlop.controller.wire.base import Body, Properties, PropertiesModify


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
