"""What the simulated LVM tells: `lvm fullreport` and `lvm pvs`, in the form that the real ones were recorded in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from orlop.errors import CommandFailed
from orlop.testing.disk import BLOCK, Disk
from orlop.testing.lvm import EXTENT, Program, SimulatedGroup, SimulatedLvm, SimulatedVolume, fails
from orlop.testing.lvm_arguments import Arguments

KNOWN = ("--reportformat", "--units", "--nosuffix", "--nolocking", "--configreport", "--options", "--select")
METADATA_AREA = 1044480


def programs(state: SimulatedLvm) -> Mapping[str, Program]:
    return {**state.tools(), "lvm": partial(lvm, state), "thin_check": lambda disk, arguments: "0.9.0\n"}


def lvm(state: SimulatedLvm, disk: Disk, arguments: tuple[str, ...]) -> str:
    if arguments == ("version",):
        return "  LVM version:     2.03.16(2) (2022-05-18)\n"
    given = Arguments(arguments[1:])
    given.only(*KNOWN)
    with state.lock:
        match arguments[0]:
            case "fullreport":
                groups = [_full(state, disk, group, _columns(given)) for group in _asked(state, given.rest)]
                return _print([*groups, *([] if given.rest else _groupless(state, _columns(given)))])
            case "pvs":
                return _print([{"pv": [_picked(row, given.get("--options")) for row in _disks(state)]}])
    raise fails(f"No such command '{arguments[0]}'.")


def _asked(state: SimulatedLvm, names: list[str]) -> list[SimulatedGroup]:
    """The real one prints what it found, too; the runner takes nothing of a command that failed."""
    missing = [name for name in names if name not in state.groups]
    if missing:
        raise CommandFailed(("lvm",), 5, f'Volume group "{missing[0]}" not found\n  Cannot process volume group')
    return [state.groups[name] for name in names or state.groups]


def _columns(given: Arguments) -> Mapping[str, str]:
    columns, report = {}, ""
    for option, value in given.options:
        if option == "--configreport":
            report = value
        elif option == "--options":
            columns[report] = value
    return columns


def _groupless(state: SimulatedLvm, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    rows = [_picked(row, columns["pv"]) for row in _disks(state) if not row["vg_name"]]
    return [{"pv": rows, "pvseg": [{"pvseg_start": "0"} for _ in rows]}] if rows else []


def _picked(row: Mapping[str, str], columns: str) -> dict[str, str]:
    return {name: row[name] for name in columns.split(",")}


def _full(state: SimulatedLvm, disk: Disk, group: SimulatedGroup, columns: Mapping[str, str]) -> dict[str, Any]:
    volumes = list(group.volumes.values())
    rows = {
        "vg": [_group(group)],
        "pv": [{"pv_name": device, "pv_uuid": state.disks[device]} for device in group.devices],
        "lv": [_volume(state, disk, group, volume) for volume in volumes],
        "pvseg": [],
        "seg": [_segment(volume) for volume in volumes],
    }
    return {report: [_picked(row, columns[report]) for row in found] for report, found in rows.items()}


def _group(group: SimulatedGroup) -> dict[str, str]:
    return {
        "vg_name": group.name,
        "vg_tags": ",".join(sorted(group.tags)),
        "vg_extent_size": str(EXTENT),
        "vg_extent_count": str(group.extents),
        "vg_free_count": str(group.free),
        "vg_missing_pv_count": str(group.missing),
        "vg_exported": "exported" if group.exported else "",
        "vg_mda_free": str(int(METADATA_AREA * (1 - group.metadata_full))),
        "vg_mda_size": str(METADATA_AREA),
    }


def _volume(state: SimulatedLvm, disk: Disk, group: SimulatedGroup, volume: SimulatedVolume) -> dict[str, str]:
    opened = state.is_open(disk, group, volume)
    snapshots = group.snapshots_of(volume.name)
    thick_snapshot = bool(volume.origin and not volume.pool)
    return {
        "lv_uuid": f"lv-{volume.number}",
        "lv_name": volume.name,
        "lv_tags": ",".join(sorted(volume.tags)),
        "lv_size": str(volume.extents * EXTENT if thick_snapshot else volume.size),
        "origin": volume.origin,
        "origin_size": str(volume.size) if thick_snapshot or snapshots else "",
        "pool_lv": volume.pool,
        "lv_layout": volume.layout,
        "lv_active": "active" if opened else "",
        "lv_time": str(volume.created),
        "data_percent": _percent(_data(state, disk, group, volume)),
        "metadata_percent": _percent(volume.metadata if volume.is_thin_pool and opened else None),
        "lv_metadata_size": str(EXTENT) if volume.is_thin_pool else "",
        "lv_health_status": volume.health,
        "lv_check_needed": ("check needed" if volume.check_needed else "") if volume.is_thin_pool else "unknown",
        "lv_snapshot_invalid": ("snapshot invalid" if volume.invalid else "") if thick_snapshot else "unknown",
    }


def _data(state: SimulatedLvm, disk: Disk, group: SimulatedGroup, volume: SimulatedVolume) -> float | None:
    """Share of a thin pool or volume that is used, as far as it is open."""
    if not state.is_open(disk, group, volume):
        return None
    if volume.is_thin_pool:
        used = {block for inside in group.inside(volume.name) for block in inside.content.blocks.items()}
        return min(1.0, volume.data + len(used) * BLOCK / volume.size)
    if volume.pool:
        return len(volume.content.blocks) * BLOCK / volume.size
    return 0.0 if volume.origin else None


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share * 100:.2f}"


def _segment(volume: SimulatedVolume) -> dict[str, str]:
    thin = bool(volume.pool) or volume.is_thin_pool
    chunk = 65536 if volume.is_thin_pool else 4096 if volume.origin and not thin else 0
    return {"lv_uuid": f"lv-{volume.number}", "chunk_size": str(chunk), "zero": "zero" if thin else "unknown"}


def _disks(state: SimulatedLvm) -> list[dict[str, str]]:
    of = {device: group.name for group in state.groups.values() for device in group.devices}
    return [{"pv_name": name, "pv_uuid": uuid, "vg_name": of.get(name, "")} for name, uuid in state.disks.items()]


def _print(reports: list[dict[str, Any]]) -> str:
    return json.dumps({"report": reports}, indent=4) + "\n"
