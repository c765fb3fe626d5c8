"""What a disk's GPT and the kernel say of its partitions. All places and sizes are bytes."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from orlop.errors import CannotRead
from orlop.plugin import Probe

ALIGNMENT = 1 << 20  # where partitions start and end; also a multiple of every sector size
ENTRIES = 128  # partitions in a table as every tool makes it
KERNEL_SECTOR = 512  # the unit of `lsblk` START, whatever the disk's own sectors are

MARK_TYPE = "6f726c6f-706d-8000-8000-000000000000"  # "orlopm": this partition is the mark of a pool
_VOLUME_TYPE = "6f726c6f-7076-8"  # "orlopv", completed by what tells the clusters apart


def volume_type(cluster: str) -> str:
    """Partition type of a cluster's volumes: a UUID of version 8, which leaves its content to us."""
    digest = hashlib.sha256(cluster.encode()).hexdigest()
    return f"{_VOLUME_TYPE}{digest[:3]}-8{digest[3:6]}-{digest[6:18]}"


@dataclass(frozen=True, kw_only=True)
class Partition:
    number: int
    start: int
    size: int
    type: str
    uuid: str
    name: str
    bits: frozenset[int]  # of its attributes
    device: str | None = None
    open_size: int = 0  # what the kernel offers under `device`
    stale: bool = False  # the kernel shows something else under this number

    @property
    def end(self) -> int:
        return self.start + self.size

    @property
    def is_volume(self) -> bool:
        """A volume of any cluster."""
        return self.type.startswith(_VOLUME_TYPE)


@dataclass(frozen=True, kw_only=True)
class Table:
    first: int
    last: int  # the first byte that no partition may use
    sector: int
    partitions: tuple[Partition, ...]

    @property
    def mark(self) -> Partition | None:
        return next((p for p in self.partitions if p.type == MARK_TYPE), None)

    @cached_property
    def gaps(self) -> tuple[tuple[int, int], ...]:
        """Start and size of each aligned piece that no partition uses."""
        return tuple(self._gaps())

    def _gaps(self) -> Iterator[tuple[int, int]]:
        place = _up(self.first)
        for partition in sorted(self.partitions, key=lambda one: one.start):
            if _down(partition.start) > place:
                yield place, _down(partition.start) - place
            place = max(place, _up(partition.end))
        if _down(self.last) > place:
            yield place, _down(self.last) - place

    @property
    def total(self) -> int:
        return max(0, _down(self.last) - _up(self.first))

    @property
    def largest_gap(self) -> int:
        return max((size for _, size in self.gaps), default=0) if self.free_number else 0

    @property
    def free_number(self) -> int | None:
        taken = {partition.number for partition in self.partitions}
        return next((number for number in range(1, ENTRIES + 1) if number not in taken), None)

    def place(self, size: int) -> int | None:
        """Start of the smallest gap that holds `size`; large gaps are kept for large volumes."""
        fitting = [(free, start) for start, free in self.gaps if free >= size]
        return min(fitting)[1] if fitting and self.free_number else None

    def behind(self, partition: Partition) -> int:
        """Free bytes that follow a partition."""
        return next((size for start, size in self.gaps if start == _up(partition.end)), 0)


def aligned(size: int) -> int:
    return _up(size)


def _up(place: int) -> int:
    return -(-place // ALIGNMENT) * ALIGNMENT


def _down(place: int) -> int:
    return place // ALIGNMENT * ALIGNMENT


def read_table(probe: Probe, disk: str) -> Table:
    """Raises `CommandFailed` where there is no partition table, `CannotRead` where it is not a GPT."""
    table = json.loads(probe.run(("sfdisk", "--json", disk)))["partitiontable"]
    if table["label"] != "gpt":
        raise CannotRead(f"{disk} has a partition table of type {table['label']}, not a GPT.")
    sector = int(table.get("sectorsize", 512))
    kernel = _kernel_partitions(probe, disk)
    rows = table.get("partitions", ())
    return Table(
        first=table["firstlba"] * sector,
        last=(table["lastlba"] + 1) * sector,
        sector=sector,
        partitions=tuple(_partition(row, sector, kernel) for row in rows),
    )


def _kernel_partitions(probe: Probe, disk: str) -> Mapping[int, tuple[str, int, int]]:
    """Device, start and size of the partitions that are open, by number."""
    argv = ("lsblk", "--json", "--bytes", "--list", "--output", "PATH,START,SIZE,TYPE", disk)
    rows = json.loads(probe.run(argv))["blockdevices"]
    return {
        _number(row["path"]): (row["path"], int(row["start"]) * KERNEL_SECTOR, int(row["size"]))
        for row in rows
        if row["type"] == "part"
    }


def _partition(row: Mapping[str, Any], sector: int, kernel: Mapping[int, tuple[str, int, int]]) -> Partition:
    number, start, size = _number(row["node"]), row["start"] * sector, row["size"] * sector
    device, seen_start, seen_size = kernel.get(number, (None, start, 0))
    stale = seen_start != start or seen_size > size
    return Partition(
        number=number,
        start=start,
        size=size,
        type=row["type"].lower(),
        uuid=row["uuid"].lower(),
        name=row.get("name", ""),
        bits=_bits(row.get("attrs", "")),
        device=None if stale else device,
        open_size=seen_size,
        stale=stale,
    )


def _number(node: str) -> int:
    """A partition's device is the disk's followed by its number, with a `p` or `-part` where digits would meet."""
    found = re.search(r"\d+$", node)
    if found is None:
        raise CannotRead(f"{node} has no partition number.")
    return int(found.group())


def _bits(attributes: str) -> frozenset[int]:
    """`RequiredPartition LegacyBIOSBootable GUID:48,63` -> {48, 63}; those below 48 are not ours to use."""
    found = re.search(r"GUID:([\d,]+)", attributes)
    return frozenset(int(bit) for bit in found.group(1).split(",")) if found else frozenset()
