"""`--output-version v0`: the first form of machine-readable lists, which old scripts still read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]

# The order is that of the numbers which v0 has in place of the names.
_CONNECTION = (
    *("OFFLINE", "CONNECTED", "ONLINE", "VERSION_MISMATCH", "FULL_SYNC_FAILED", "AUTHENTICATION_ERROR", "UNKNOWN"),
    *("HOSTNAME_MISMATCH", "OTHER_CONTROLLER", "AUTHENTICATED", "NO_STLT_CONN", "MISSING_EXT_TOOLS"),
)


def older(kind: str, rows: Any) -> Any:
    """The list as v0 has it; kinds that v0 did not have stay as they are."""
    convert = _KINDS.get(kind)
    if convert is None or not isinstance(rows, list):
        return rows
    if kind == "resources":
        return {"resource_states": [_resource_state(row) for row in rows], "resources": [convert(row) for row in rows]}
    return {kind: [convert(row) for row in rows]}


def _pairs(props: Row | None) -> list[Row]:
    return [{"key": key, "value": value} for key, value in (props or {}).items()]


def _node(row: Row) -> Row:
    status = row.get("connection_status", "UNKNOWN")
    return {
        **row,
        "props": _pairs(row.get("props")),
        "connection_status": _CONNECTION.index(status if status in _CONNECTION else "UNKNOWN"),
        "net_interfaces": [
            {
                "address": face.get("address"),
                "name": face.get("name"),
                "stlt_port": face.get("satellite_port"),
                "stlt_encryption_type": face.get("satellite_encryption_type"),
            }
            for face in row.get("net_interfaces", [])
        ],
    }


def _pool(row: Row) -> Row:
    found = {
        "stor_pool_uuid": row.get("uuid"),
        "stor_pool_name": row["storage_pool_name"],
        "node_name": row.get("node_name"),
        "free_space_mgr_name": row.get("free_space_mgr_name"),
        "driver": _DRIVERS.get(row.get("provider_kind", ""), ""),
        "static_traits": _pairs(row.get("static_traits")),
        "props": _pairs(row.get("props")),
    }
    if "free_capacity" in row:
        found["free_space"] = {
            "stor_pool_name": row["storage_pool_name"],
            "free_capacity": row["free_capacity"],
            "total_capacity": row.get("total_capacity"),
        }
    return found


_DRIVERS = {
    "LVM": "LvmDriver",
    "LVM_THIN": "LvmThinDriver",
    "ZFS": "ZfsDriver",
    "ZFS_THIN": "ZfsThinDriver",
    "DISKLESS": "DisklessDriver",
    "FILE": "FileDriver",
    "FILE_THIN": "FileThinDriver",
}


def _pool_definition(row: Row) -> Row:
    return {"stor_pool_name": row["storage_pool_name"], "props": _pairs(row.get("props"))}


def _drbd(row: Row) -> Row:
    return next((layer.get("data") or {} for layer in row.get("layer_data", []) if layer.get("type") == "DRBD"), {})


def _definition(row: Row) -> Row:
    return {
        "rsc_name": row["name"],
        "rsc_dfn_uuid": row.get("uuid"),
        "rsc_dfn_flags": row.get("flags", []),
        "rsc_dfn_props": _pairs(row.get("props")),
        "rsc_dfn_port": _drbd(row).get("port"),
        "vlm_dfns": [
            {
                "vlm_nr": volume.get("volume_number"),
                "vlm_size": volume.get("size_kib"),
                "vlm_dfn_uuid": volume.get("uuid"),
                "vlm_flags": volume.get("flags", []),
                "vlm_props": _pairs(volume.get("props")),
                "vlm_minor": _drbd(volume).get("minor_number"),
            }
            for volume in row.get("volume_definitions", [])
        ],
    }


def _resource(row: Row) -> Row:
    return {
        "name": row["name"],
        "uuid": row.get("uuid"),
        "node_name": row["node_name"],
        "rsc_flags": row.get("flags", []),
        "props": _pairs(row.get("props")),
        "vlms": [_volume(volume) for volume in row.get("volumes", [])],
    }


def _volume(row: Row) -> Row:
    found = {
        "stor_pool_name": row.get("storage_pool_name"),
        "vlm_nr": row["volume_number"],
        "vlm_uuid": row.get("uuid"),
        "device_path": row.get("device_path"),
    }
    drbd = next((each.get("data") or {} for each in row.get("layer_data_list", []) if each.get("type") == "DRBD"), None)
    if drbd:
        found["vlm_minor_nr"] = drbd.get("drbd_volume_definition", {}).get("minor_number")
        found |= {key: drbd[name] for key, name in _DISKS.items() if drbd.get(name)}
    return found


_DISKS = {"backing_disk": "backing_device", "meta_disk": "meta_disk"}


def _resource_state(row: Row) -> Row:
    return {
        "rsc_name": row["name"],
        "node_name": row["node_name"],
        "in_use": (row.get("state") or {}).get("in_use"),
        "vlm_states": [
            {"vlm_nr": volume["volume_number"], "disk_state": (volume.get("state") or {}).get("disk_state")}
            for volume in row.get("volumes", [])
        ],
    }


def _connection(row: Row) -> Row:
    return {"node_name_1": row["node_a"], "node_name_2": row["node_b"], "props": _pairs(row.get("props"))}


def _snapshot(row: Row) -> Row:
    return {
        "rsc_name": row["resource_name"],
        "snapshot_name": row["name"],
        "uuid": row.get("uuid"),
        "snapshot_dfn_flags": row.get("flags", []),
        "snapshots": [{"node_name": node} for node in row.get("nodes", [])],
        "snapshot_vlm_dfns": [
            {"vlm_nr": volume.get("volume_number"), "vlm_size": volume.get("size_kib")}
            for volume in row.get("volume_definitions", [])
        ],
    }


_KINDS: dict[str, Callable[[Row], Row]] = {
    "nodes": _node,
    "stor_pools": _pool,
    "stor_pool_dfns": _pool_definition,
    "rsc_dfns": _definition,
    "resources": _resource,
    "node_connections": _connection,
    "rsc_connections": _connection,
    "snapshot_dfns": _snapshot,
}
