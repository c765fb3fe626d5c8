"""The words of the domain: frozen values, no I/O. Sizes are bytes, times are milliseconds since 1970.

`orlop.model.cluster` is what the controller wants, `orlop.model.node` what one node is told and what it
reports, `orlop.model.names` the rules for names. Clients see KiB; that conversion happens in the API.
"""

from orlop.model.cluster import (
    Controller,
    KeyValueStore,
    Level,
    NetInterface,
    Node,
    NodeConnection,
    NodeSnapshot,
    Operation,
    Resource,
    ResourceConnection,
    ResourceDefinition,
    ResourceGroup,
    SelectFilter,
    Snapshot,
    SnapshotVolume,
    SnapshotVolumeDefinition,
    StoragePool,
    StoragePoolDefinition,
    Volume,
    VolumeDefinition,
    VolumeGroup,
)
from orlop.model.names import key
from orlop.model.node import (
    BackingObject,
    Capacity,
    FileSystem,
    NodeInfo,
    Presence,
    ReportedPool,
    ReportedResource,
    ReportedSnapshot,
    ReportedVolume,
    Support,
    WantedLevel,
    WantedPool,
    WantedResource,
    WantedSnapshot,
    WantedVolume,
)

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

__all__ = [
    "GIB",
    "KIB",
    "MIB",
    "BackingObject",
    "Capacity",
    "Controller",
    "FileSystem",
    "KeyValueStore",
    "Level",
    "NetInterface",
    "Node",
    "NodeConnection",
    "NodeInfo",
    "NodeSnapshot",
    "Operation",
    "Presence",
    "ReportedPool",
    "ReportedResource",
    "ReportedSnapshot",
    "ReportedVolume",
    "Resource",
    "ResourceConnection",
    "ResourceDefinition",
    "ResourceGroup",
    "SelectFilter",
    "Snapshot",
    "SnapshotVolume",
    "SnapshotVolumeDefinition",
    "StoragePool",
    "StoragePoolDefinition",
    "Support",
    "Volume",
    "VolumeDefinition",
    "VolumeGroup",
    "WantedLevel",
    "WantedPool",
    "WantedResource",
    "WantedSnapshot",
    "WantedVolume",
    "key",
]
