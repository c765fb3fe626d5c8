"""PARTITION: each volume is one GPT partition; a pool is one disk, `StorDriver/StorPoolName` its device.

The disk needs a GPT (`sgdisk --clear DISK` makes one). Partitions of others may be on it; they are never touched.
What tells ours from theirs is in the table itself, so that one write of the table makes or changes a volume:

| | type | GUID | name |
|---|---|---|---|
| mark of the pool, 1 MiB | `MARK_TYPE` | uuid of the pool | uuid of the cluster |
| volume | `volume_type(cluster)` | uuid of the volume | backing name, 36 characters at most |

Attribute bits of a volume: `FORMATTED`, and `UNWIPED` until the signatures that its place bore before are wiped.

`sgdisk` writes, because it takes a whole change as arguments and writes the table once, or not at all. What a cut in
the middle of that leaves is one good copy of the table, which `sfdisk` reads and the next write restores. `partx` opens
and closes: the kernel shows a partition only while it is open. That works on real disks, on loop devices without
partition scanning, and in kernels that cannot read a GPT themselves. Where kernel or udev scan a disk, unused
partitions may come and go unasked with a change of the table: they are open then, or closed, and the next look makes
that what is wanted.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from orlop.errors import BadProperty, CannotRead, CommandFailed, NodeError, PoolUnavailable, Refused, WouldDestroy
from orlop.model import BackingObject, Capacity, Presence, WantedPool, WantedSnapshot, WantedVolume
from orlop.plugin import API_VERSION, Probe, RequireUnused, Step, run
from orlop_partitions.table import ALIGNMENT, MARK_TYPE, Partition, Table, aligned, read_table, volume_type

PLACE = "StorDriver/StorPoolName"
FORMATTED = 48
UNWIPED = 49
NAME_LIMIT = 36  # characters of a GPT partition's name
_DEVICE = re.compile(r"/dev(/[A-Za-z0-9_+:@][A-Za-z0-9_.+:@-]*)+")
_OUR_FORM = re.compile(r".+_\d{5}(\..+)?")


@dataclass(frozen=True, kw_only=True)
class Partitions:
    api_version: ClassVar[int] = API_VERSION
    kind: ClassVar[str] = "PARTITION"
    thin: ClassVar[bool] = False
    snapshots: ClassVar[bool] = False
    programs: ClassVar[tuple[str, ...]] = ("lsblk", "partx", "sfdisk", "sgdisk", "wipefs")
    options: ClassVar[frozenset[str]] = frozenset()

    cluster: str
    pools: Mapping[str, WantedPool]
    tables: Mapping[str, Table]
    unreadable: Mapping[str, str]  # why, by pool

    @classmethod
    def check_pool(cls, props: Mapping[str, str]) -> Mapping[str, str]:
        disk = props.get(PLACE, "").rstrip("/")
        if not _DEVICE.fullmatch(disk):
            raise BadProperty(
                f"{PLACE} must be the path of a disk, not {disk!r}",
                correction="Give a device, best by a lasting name such as /dev/disk/by-id/wwn-0x5000c500a0b1c2d3.",
            )
        return {**props, PLACE: disk}

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        """There are none."""

    @classmethod
    def granularity(cls, props: Mapping[str, str]) -> int:
        return ALIGNMENT

    @classmethod
    def refuse_name(cls, name: str) -> str | None:
        if len(name) > NAME_LIMIT:
            return f"{name} is longer than the {NAME_LIMIT} characters that the name of a partition may have"
        return None

    @classmethod
    def observe(cls, probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Self:
        tables: dict[str, Table] = {}
        unreadable: dict[str, str] = {}
        for pool in pools:
            try:
                tables[pool.name] = read_table(probe, cls.check_pool(pool.props)[PLACE])
            except (BadProperty, CannotRead, CommandFailed) as error:
                unreadable[pool.name] = str(error)
        return cls(cluster=cluster, pools={pool.name: pool for pool in pools}, tables=tables, unreadable=unreadable)

    def pool_problem(self, pool: str) -> str:
        if pool in self.unreadable:
            return self.unreadable[pool]
        disk, mark = self.pools[pool].props[PLACE], self.tables[pool].mark
        if mark is None:
            return f"{disk} does not bear the mark of an Orlop pool."
        if not self.pool_marked(pool):
            return f"{disk} bears the mark of pool {mark.uuid} of cluster {mark.name}."
        stale = [part.number for part in self.tables[pool].partitions if part.stale and part.is_volume]
        if stale:
            return (
                f"The kernel shows partition {stale[0]} of {disk} elsewhere than its table; run partx --update {disk}."
            )
        return ""

    def pool_warning(self, pool: str) -> str:
        if pool in self.tables and self.tables[pool].free_number is None:
            return f"The partition table of {self.pools[pool].props[PLACE]} has no free entry."
        return ""

    def pool_marked(self, pool: str) -> bool:
        mark = self.tables[pool].mark if pool in self.tables else None
        return mark is not None and (mark.uuid, mark.name) == (self.pools[pool].uuid.lower(), self.cluster)

    def mark_pool(self, pool: WantedPool) -> list[Step]:
        """Nothing removes a mark with its pool, so that of an earlier, empty pool of this cluster may be replaced."""
        if not pool.new or pool.name in self.unreadable or self.pool_marked(pool.name):
            return []
        table, disk = self.tables[pool.name], pool.props[PLACE]
        if any(partition.is_volume for partition in table.partitions):
            return []
        if table.mark is not None:
            living = {other.uuid.lower() for other in self.pools.values()}
            left_over = table.mark.name == self.cluster and table.mark.uuid not in living
            return [run("sgdisk", f"--partition-guid={table.mark.number}:{pool.uuid}", disk)] if left_over else []
        start = table.place(ALIGNMENT)
        if start is None:
            raise NodeError(f"{disk} has no room for the mark of a pool", correction="Free 1 MiB of the disk.")
        return [_make(disk, table, table.free_number or 0, start, ALIGNMENT, MARK_TYPE, pool.uuid, self.cluster)]

    def capacity(self, pool: str) -> Capacity:
        """Free is the largest piece: a volume has to be in one."""
        table = self._table(pool)
        return Capacity(total=table.total, free=table.largest_gap)

    def extent(self, pool: str) -> int:
        return ALIGNMENT

    def objects(self, pool: str) -> tuple[BackingObject, ...]:
        found = (p for p in self._table(pool).partitions if p.is_volume or _OUR_FORM.fullmatch(p.name))
        return tuple(
            BackingObject(
                pool=pool,
                name=part.name,
                uuid=part.uuid if part.is_volume else "",
                cluster=self.cluster if part.type == volume_type(self.cluster) else "",
                size=part.size,
            )
            for part in found
        )

    def presence(self, volume: WantedVolume) -> Presence:
        ours = self._ours(volume)
        if ours is not None:
            return Presence.READY if self._is_open(ours) else Presence.HIDDEN
        if self._stranger(volume):
            return Presence.FOREIGN
        return Presence.ABSENT if volume.new or not volume.wanted else Presence.MISSING

    def device(self, volume: WantedVolume) -> str | None:
        ours = self._ours(volume)
        return ours.device if ours is not None and self._is_open(ours) else None

    def size(self, volume: WantedVolume) -> int | None:
        ours = self._ours(volume)
        return ours.open_size if ours is not None and self._is_open(ours) else None

    def allocated(self, volume: WantedVolume) -> int | None:
        ours = self._ours(volume)
        return ours.size if ours is not None else None

    def formatted(self, volume: WantedVolume) -> bool:
        ours = self._ours(volume)
        return ours is not None and FORMATTED in ours.bits

    def record_formatted(self, volume: WantedVolume, kind: str) -> list[Step]:
        """One bit has no room for the kind; the file system itself tells it."""
        ours = self._ours(volume)
        if ours is None or FORMATTED in ours.bits:
            return []
        return [run("sgdisk", f"--attributes={ours.number}:set:{FORMATTED}", self._disk(volume))]

    def take_down(self, volume: WantedVolume) -> list[Step]:
        ours = self._ours(volume)
        if ours is None or (volume.wanted and volume.active):
            return []
        disk, number = self._disk(volume), str(ours.number)
        if ours.device is not None:
            return [RequireUnused(device=ours.device), run("partx", "--delete", "--nr", number, disk)]
        return [] if volume.wanted else [run("sgdisk", f"--delete={number}", disk)]

    def bring_up(self, volume: WantedVolume) -> list[Step]:
        ours = self._ours(volume)
        if not (volume.wanted and volume.active):
            return []
        if ours is None:
            return [self._create(volume)]
        disk, number = self._disk(volume), str(ours.number)
        show = run("partx", "--update", "--nr", number, disk)
        if ours.device is None:
            return [show]
        if UNWIPED in ours.bits:
            wiped = run("sgdisk", f"--attributes={number}:clear:{UNWIPED}", disk)
            return [run("wipefs", "--all", ours.device), wiped]
        if aligned(volume.size) > ours.size:
            return [self._grow(volume, ours), show]
        return [show] if ours.open_size < ours.size else []

    def _create(self, volume: WantedVolume) -> Step:
        presence, disk = self.presence(volume), self._disk(volume)
        if presence is Presence.FOREIGN:
            raise WouldDestroy(
                f"{disk} has a partition named {volume.name}, or with its GUID, that is not volume {volume.uuid}",
                correction="Rename or remove that partition.",
            )
        if not volume.new:
            raise NodeError(f"partition {volume.name} of {disk} is missing and is not made again by itself")
        if volume.source:
            raise Refused(f"{volume.name} cannot be filled from a snapshot: {self.kind} takes none")
        table, size = self.tables[volume.pool], aligned(volume.size)
        start = table.place(size)
        if start is None:
            raise NodeError(
                f"{volume.name} needs {size} bytes in one piece; the largest free one of {disk} has {table.largest_gap}"
            )
        kind = volume_type(self.cluster)
        return _make(disk, table, table.free_number or 0, start, size, kind, volume.uuid, volume.name, {UNWIPED})

    def _grow(self, volume: WantedVolume, ours: Partition) -> Step:
        disk, table, size = self._disk(volume), self.tables[volume.pool], aligned(volume.size)
        free = table.behind(ours)
        if size > ours.size + free:
            raise NodeError(
                f"{volume.name} cannot grow to {size} bytes: of what follows its {ours.size} only {free} are free",
                correction="Place it anew in a pool with room, or free what follows it.",
            )
        return _make(disk, table, ours.number, ours.start, size, ours.type, ours.uuid, ours.name, ours.bits, again=True)

    def snapshot_presence(self, snapshot: WantedSnapshot) -> Presence:
        self._marked_table(snapshot.pool)
        return Presence.ABSENT if snapshot.new or not snapshot.wanted else Presence.MISSING

    def snapshot_allocated(self, snapshot: WantedSnapshot) -> int | None:
        return None

    def snapshot_created(self, snapshot: WantedSnapshot) -> int | None:
        return None

    def take_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        raise Refused(f"{self.kind} pools take no snapshots")

    def remove_snapshot(self, snapshot: WantedSnapshot) -> list[Step]:
        return []

    def _disk(self, volume: WantedVolume) -> str:
        return self.pools[volume.pool].props[PLACE]

    def _table(self, pool: str) -> Table:
        if pool not in self.tables:
            raise PoolUnavailable(self.pool_problem(pool))
        return self.tables[pool]

    def _marked_table(self, pool: str) -> Table:
        if problem := self.pool_problem(pool):
            raise PoolUnavailable(problem)
        return self.tables[pool]

    def _ours(self, volume: WantedVolume) -> Partition | None:
        """The partition that is this incarnation of the volume: all three parts of its identity agree."""
        identity = (volume_type(self.cluster), volume.uuid.lower(), volume.name)
        partitions = self._marked_table(volume.pool).partitions
        return next((p for p in partitions if (p.type, p.uuid, p.name) == identity), None)

    def _stranger(self, volume: WantedVolume) -> bool:
        """Whether something else has the name, or the GUID, which a table may have only once."""
        partitions = self._marked_table(volume.pool).partitions
        return any(volume.name == part.name or volume.uuid.lower() == part.uuid for part in partitions)

    @staticmethod
    def _is_open(ours: Partition) -> bool:
        return ours.device is not None and UNWIPED not in ours.bits


def _make(
    disk: str,
    table: Table,
    number: int,
    start: int,
    size: int,
    kind: str,
    uuid: str,
    name: str,
    bits: frozenset[int] | set[int] = frozenset(),
    again: bool = False,
) -> Step:
    """One write of the table: the partition is there with all of its identity, or as it was before.

    `again` replaces the entry of that number.
    """
    return run(
        "sgdisk",
        *([f"--delete={number}"] if again else []),
        "--set-alignment=1",
        f"--new={number}:{start // table.sector}:{(start + size) // table.sector - 1}",
        f"--typecode={number}:{kind}",
        f"--partition-guid={number}:{uuid}",
        f"--change-name={number}:{name}",
        *(f"--attributes={number}:set:{bit}" for bit in sorted(bits)),
        disk,
    )
