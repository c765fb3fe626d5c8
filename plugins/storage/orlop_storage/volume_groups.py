"""Look at LVM's volume groups: one command per round for all pools of a kind."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from orlop.errors import CannotRead, CommandFailed
from orlop.model.cluster import Value
from orlop.plugin import CLUSTER, UUID, Probe

FORMATTED = "orlop.formatted"
POOL = "orlop.pool"  # uuid of the pool that a volume group or thin pool is
KIND = "orlop.kind"  # of that pool
MADE = "orlop.made"  # uuid of the cluster that made a volume group or thin pool out of blank devices
FILLING = "orlop.filling"  # on an origin: uuid of the incarnation that a rollback is writing over it
OUR_FORM = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*_[0-9]{5}(\.[A-Za-z0-9_-]+)?")
LONGEST = 127  # characters of a device-mapper name, libdevmapper.h

_GROUP = "vg_name,vg_tags,vg_extent_size,vg_extent_count,vg_free_count,vg_missing_pv_count,vg_exported"
_METADATA = "vg_mda_free,vg_mda_size"
_VOLUME = "lv_uuid,lv_name,lv_tags,lv_size,origin,origin_size,pool_lv,lv_layout,lv_active,lv_time"
_THIN = "data_percent,metadata_percent,lv_metadata_size,lv_health_status,lv_check_needed,lv_snapshot_invalid"
# Without locks a look does not wait for a command that is at work, or hangs. What is read is one whole version of the
# metadata: it carries a checksum.
REPORT = (
    *("lvm", "fullreport", "--reportformat", "json", "--units", "b", "--nosuffix", "--nolocking"),
    *("--configreport", "vg", "--options", f"{_GROUP},{_METADATA}"),
    *("--configreport", "pv", "--options", "pv_name,pv_uuid"),
    *("--configreport", "lv", "--options", f"{_VOLUME},{_THIN}"),
    *("--configreport", "seg", "--options", "lv_uuid,chunk_size,zero"),
    *("--configreport", "pvseg", "--options", "pvseg_start", "--select", "pvseg_size=0"),
)


class LogicalVolume(Value, frozen=True, kw_only=True):
    """`size` is what it offers, `taken` what it takes from the volume group; both in bytes."""

    name: str
    tags: Mapping[str, str] = {}  # ours only, without which it is nobody's
    size: int = 0
    taken: int = 0
    active: bool = False
    origin: str = ""
    pool: str = ""  # name of the thin pool it lies in
    layout: frozenset[str] = frozenset()
    created: int | None = None  # milliseconds since 1970
    data: float | None = None  # share that is used, 0 to 1; None while it is not open
    metadata: float | None = None
    metadata_size: int = 0
    health: str = ""
    check_needed: bool = False
    invalid: bool = False  # a snapshot that ran over
    chunk: int = 0
    zeroes: bool = False  # whether a thin pool hands out zeroed blocks

    @property
    def is_thin_pool(self) -> bool:
        return {"thin", "pool"} <= self.layout


class VolumeGroup(Value, frozen=True, kw_only=True):
    name: str
    tags: Mapping[str, str] = {}
    extent: int = 0
    total: int = 0
    free: int = 0
    missing: int = 0  # devices that are not there
    exported: bool = False
    metadata_free: int = 0
    metadata_size: int = 0
    devices: tuple[str, ...] = ()
    volumes: Mapping[str, LogicalVolume] = {}

    def path(self, name: str) -> str:
        return f"/dev/{self.name}/{name}"

    def inside(self, pool: str) -> list[LogicalVolume]:
        """What lies in a thin pool."""
        return [volume for volume in self.volumes.values() if volume.pool == pool]

    def snapshots_of(self, name: str) -> list[LogicalVolume]:
        """Thick ones, which cannot be without their origin."""
        return [volume for volume in self.volumes.values() if volume.origin == name and not volume.pool]

    def extents(self, size: int) -> int:
        return -(-size // self.extent)


Groups = Mapping[str, VolumeGroup]


def look(probe: Probe, config: str, wanted: Iterable[str]) -> tuple[Groups, Mapping[str, str]]:
    """Volume groups by name, and what prevented a look by name of a wanted group.

    If one of the wanted is not there or broken, all of the node are listed, since its mark may be on another one;
    if even that fails, each is looked at by itself.
    """
    names = sorted(set(wanted))
    if not names:
        return {}, {}
    command = (*REPORT[:2], "--config", config, *REPORT[2:])
    try:
        return _groups(probe.run((*command, *names))), {}
    except CommandFailed:
        pass
    try:
        return _groups(probe.run(command)), {}
    except CommandFailed:
        return _one_by_one(probe, command, names)


def _one_by_one(probe: Probe, command: tuple[str, ...], names: list[str]) -> tuple[Groups, Mapping[str, str]]:
    groups: dict[str, VolumeGroup] = {}
    problems: dict[str, str] = {}
    for name in names:
        try:
            groups |= _groups(probe.run((*command, name)))
        except CommandFailed as error:
            problems[name] = f"volume group {name} cannot be read: {error.stderr or error}"
    return groups, problems


def _groups(text: str) -> Groups:
    found: dict[str, VolumeGroup] = {}
    for report in json.loads(text)["report"]:
        for row in report.get("vg", ()):  # disks of no group are a report of their own
            if row["vg_name"] in found:
                raise CannotRead(f"there are two volume groups named {row['vg_name']}: rename one, vgrename(8)")
            found[row["vg_name"]] = _group(row, report)
    return found


def _group(row: Mapping[str, Any], report: Mapping[str, Any]) -> VolumeGroup:
    extent = int(row["vg_extent_size"])
    segments = {segment["lv_uuid"]: segment for segment in report["seg"]}
    return VolumeGroup(
        name=row["vg_name"],
        tags=_tags(row["vg_tags"]),
        extent=extent,
        total=extent * int(row["vg_extent_count"]),
        free=extent * int(row["vg_free_count"]),
        missing=int(row["vg_missing_pv_count"]),
        exported=bool(row["vg_exported"]),
        metadata_free=int(row["vg_mda_free"]),
        metadata_size=int(row["vg_mda_size"]),
        devices=tuple(disk["pv_name"] for disk in report["pv"]),
        volumes={each["lv_name"]: _volume(each, segments.get(each["lv_uuid"], {})) for each in report["lv"]},
    )


def _volume(row: Mapping[str, str], segment: Mapping[str, str]) -> LogicalVolume:
    taken, origin_size = int(row["lv_size"]), int(row["origin_size"] or 0)
    return LogicalVolume(
        name=row["lv_name"],
        tags=_tags(row["lv_tags"]),
        size=origin_size or taken,  # the size of a thick snapshot is that of its store
        taken=taken,
        active=bool(row["lv_active"]),
        origin=row["origin"],
        pool=row["pool_lv"],
        layout=frozenset(row["lv_layout"].split(",")),
        created=int(row["lv_time"]) * 1000 if row["lv_time"].isdecimal() else None,
        data=_share(row["data_percent"]),
        metadata=_share(row["metadata_percent"]),
        metadata_size=int(row["lv_metadata_size"] or 0),
        health=row["lv_health_status"],
        check_needed=row["lv_check_needed"] not in ("", "unknown"),
        invalid=row["lv_snapshot_invalid"] not in ("", "unknown"),
        chunk=int(segment.get("chunk_size") or 0),
        zeroes=segment.get("zero") == "zero",
    )


def _share(percent: str) -> float | None:
    return float(percent) / 100 if percent else None


def _tags(text: str) -> dict[str, str]:
    """
    >>> _tags("backup,orlop.uuid=u-1")
    {'orlop.uuid': 'u-1'}
    """
    return dict(tag.split("=", 1) for tag in text.split(",") if tag.startswith("orlop.") and "=" in tag)


def refuse_name(name: str) -> str | None:
    """Why LVM keeps a name for itself, lvm(8); or None.

    >>> refuse_name("a_tdata_00000")
    "LVM keeps names with '_tdata' for itself"
    """
    for beginning in ("snapshot", "pvmove"):
        if name.startswith(beginning):
            return f"LVM keeps names that begin with '{beginning}' for itself"
    for part in RESERVED:
        if part in name:
            return f"LVM keeps names with '{part}' for itself"
    return None


RESERVED = (
    *("_cdata", "_cmeta", "_corig", "_cpool", "_cvol", "_imeta", "_iorig", "_mimage", "_mlog", "_pmspare"),
    *("_rimage", "_rmeta", "_tdata", "_tmeta", "_vdata", "_vorigin", "_wcorig"),
)


def too_long(group: str, name: str) -> str:
    """Why the kernel could not bear a name, or nothing: device-mapper writes each hyphen twice."""
    mapped = len(group.replace("-", "--")) + 1 + len(name.replace("-", "--"))
    if mapped <= LONGEST:
        return ""
    return (
        f"{group}/{name} would get a device name of {mapped} characters; {LONGEST} are possible (hyphens count twice)"
    )


def is_ours(seen: LogicalVolume, cluster: str, uuid: str) -> bool:
    return seen.tags.get(UUID) == uuid and seen.tags.get(CLUSTER) == cluster
