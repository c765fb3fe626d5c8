"""Look at zpools and at what lies in the datasets that are our pools.

Identity is in user properties, and ZFS hands those down: a snapshot shows the ones of its volume, a volume those of
the dataset above. So each kind of object has a property of its own, and a value that the object above shows as well
does not count. The mark of a pool ends with the guid of its dataset, which a child or a received copy does not have.
"""

import re
from collections.abc import Iterable, Mapping

from orlop.errors import CannotRead, CommandFailed, OrlopError
from orlop.model import Capacity, WantedPool
from orlop.model.cluster import Value
from orlop.plugin import NEW_FILE, Probe
from orlop_storage.zfs_options import block_size

DATASET = "StorDriver/StorPoolName"
POOL = "orlop:pool"
VOLUME = "orlop:volume"
SNAPSHOT = "orlop:snapshot"
FORMATTED = "orlop:formatted"
NONE = "-"  # what an unset property shows; set, it stops what would be handed down

DELETED = ".deleted."  # goes between the name of a volume and its uuid while something still depends on it
DRAFT = ".new."
DELETED_SNAPSHOT = "deleted."

ZPOOLS = ("zpool", "list", "-H", "-p", "-o", "name,health,size,allocated")
NATIVE = "name type guid creation createtxg used available usedbysnapshots volsize volblocksize refreservation volmode"
COLUMNS = (*NATIVE.split(), "written", "clones", "defer_destroy", "keystatus", POOL, VOLUME, SNAPSHOT, FORMATTED)
DATASETS = ("zfs", "list", "-H", "-p", "-d", "2", "-t", "filesystem,volume,snapshot", "-o", ",".join(COLUMNS))
MARKS = ("zfs", "list", "-H", "-p", "-t", "filesystem", "-o", f"name,guid,{POOL}")
LINKS = ("find", "/dev", "-path", "/dev/zvol/*", "-type", "l", "-printf", "%p\\t%l\\n")
VERSION = "/sys/module/zfs/version"
WORKING = ("ONLINE", "DEGRADED")
NEARLY_FULL = 90  # percent; above it ZFS searches long for free blocks, and little later writing fails


class Owner(Value, frozen=True):
    """What a mark says: cluster, uuid and a third part (the name of a snapshot, the guid of a pool's dataset)."""

    cluster: str = ""
    uuid: str = ""
    more: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.cluster, self.uuid, self.more) if part)


NOBODY = Owner()


class Dataset(Value, frozen=True, kw_only=True):
    """A volume, a snapshot or a file system. Sizes in bytes."""

    path: str
    kind: str
    guid: str = ""
    owner: Owner = NOBODY
    created: int = 0  # milliseconds since 1970
    txg: int = 0
    used: int = 0
    available: int = 0
    of_snapshots: int = 0  # part of `used`
    size: int = 0
    block: int = 0
    reservation: int = 0
    hidden: bool = False  # without a device, by its own property
    written: int = 0  # since the newest snapshot
    clones: tuple[str, ...] = ()
    deferred: bool = False  # the kernel removes it with its last clone
    locked: bool = False
    formatted: str = ""

    @property
    def name(self) -> str:
        """Of a snapshot: what follows the `@`."""
        return re.split("[/@]", self.path)[-1]

    @property
    def of(self) -> str:
        """Path of the volume a snapshot was taken of."""
        return self.path.partition("@")[0]

    @property
    def deleted(self) -> bool:
        """Removed, as far as anybody asked; it only waits for what depends on it."""
        start = DELETED_SNAPSHOT if self.kind == "snapshot" else DELETED
        return bool(self.owner.uuid) and self.name.endswith(start + self.owner.uuid)

    @property
    def shown(self) -> str:
        """Its backing name; empty for what is only waiting to go."""
        if self.deleted:
            return ""
        if self.kind == "snapshot":
            return self.owner.more or f"{self.of.rpartition('/')[2].partition(DELETED)[0]}.{self.name}"
        draft = bool(self.owner.uuid) and self.name.endswith(DRAFT + self.owner.uuid)
        return NEW_FILE + self.owner.uuid if draft else self.name


class Parent(Value, frozen=True, kw_only=True):
    """The dataset that is a pool. With a `problem` nothing else in it counts."""

    path: str
    problem: str = ""
    warning: str = ""
    guid: str = ""
    marked: bool = False
    capacity: Capacity = Capacity(total=0, free=0)
    extent: int = 0
    children: Mapping[str, Dataset] = {}  # by the last part of their names
    snapshots: tuple[Dataset, ...] = ()  # of the children, oldest first
    devices: Mapping[str, int] = {}  # links of the children's devices, and bytes the kernel offers there

    def at(self, name: str) -> str:
        return f"{self.path}/{name}"

    def link(self, seen: Dataset) -> str | None:
        """The device of a volume, also one that stayed open after it was to be closed."""
        link = f"/dev/zvol/{seen.path}"
        return link if link in self.devices else None

    def device(self, seen: Dataset) -> str | None:
        """The device, if it is certain that it is the volume's: udev may be late with links of earlier ones."""
        link = self.link(seen)
        return link if link and self.devices[link] == seen.size else None

    def snapshots_of(self, seen: Dataset) -> list[Dataset]:
        return [snapshot for snapshot in self.snapshots if snapshot.of == seen.path]


def look(probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Mapping[str, Parent]:
    if not pools:
        return {}
    try:
        zpools = {row[0]: row[1:] for row in table(probe, ZPOOLS, 4)}
        working = [p for pool in pools if zpools.get(_zpool(p := _path(pool)), ("",))[0] in WORKING]
        datasets, problems = _datasets(probe, working)
        devices = _devices(probe) if any(seen.kind == "volume" for seen in datasets.values()) else {}
    except (CommandFailed, CannotRead) as error:
        return {pool.name: Parent(path=_path(pool), problem=str(error)) for pool in pools}
    living = frozenset((cluster, pool.uuid) for pool in pools)
    found = {}
    for pool in pools:
        path = _path(pool)
        try:
            problem = _zpool_problem(path, zpools.get(_zpool(path), ())) or problems.get(path, "")
            parent = datasets.get(path)
            problem = problem or _problem(probe, pool, cluster, parent, living, datasets.values())
            if problem or parent is None:
                found[pool.name] = Parent(path=path, problem=problem)
            else:
                found[pool.name] = _parent(probe, pool, parent, datasets, devices, zpools[_zpool(path)])
        except OrlopError as error:
            found[pool.name] = Parent(path=path, problem=str(error))
    return found


def _parent(
    probe: Probe,
    pool: WantedPool,
    parent: Dataset,
    datasets: Mapping[str, Dataset],
    devices: Mapping[str, str],
    zpool: tuple[str, ...],
) -> Parent:
    below = f"{parent.path}/"
    own = [s for s in datasets.values() if s.path.startswith(below) and "/" not in s.path.removeprefix(below)]
    links = [f"/dev/zvol/{seen.path}" for seen in own if f"/dev/zvol/{seen.path}" in devices]
    sizes = {link: _size(probe, devices[link]) for link in links}
    return Parent(
        path=parent.path,
        guid=parent.guid,
        marked=parent.owner.uuid == pool.uuid,
        warning=_warning(parent, *zpool),
        capacity=Capacity(total=parent.used + parent.available, free=parent.available),
        extent=block_size(pool.props) or _default_block(probe),
        children={seen.name: seen for seen in own if seen.kind != "snapshot"},
        snapshots=tuple(sorted((s for s in own if s.kind == "snapshot"), key=lambda s: s.txg)),
        devices={link: size for link, size in sizes.items() if size is not None},
    )


# -- what stands in the way -----------------------------------------------------------------------


def _zpool_problem(path: str, zpool: tuple[str, ...]) -> str:
    name = _zpool(path)
    if not path:
        return f"the pool has no property {DATASET}"
    if not zpool or zpool[0] in WORKING:
        return ""
    if zpool[0] == "SUSPENDED":
        return f"zpool {name} is suspended, its disks do not answer; when they are back: zpool clear {name}"
    return f"zpool {name} is {zpool[0].lower()}; 'zpool status {name}' tells which of its disks fail"


def _problem(
    probe: Probe,
    pool: WantedPool,
    cluster: str,
    parent: Dataset | None,
    living: frozenset[tuple[str, str]],
    datasets: Iterable[Dataset],
) -> str:
    path = _path(pool)
    if parent is None:
        return _missing(probe, pool, cluster)
    if parent.kind != "filesystem":
        return f"{path} is a {parent.kind}; a pool is a zpool or a file system dataset in one"
    if parent.locked:
        return f"the encryption key of {path} is not loaded: zfs load-key {path}"
    mark, owner = parent.owner, (parent.owner.cluster, parent.owner.uuid)
    if mark == NOBODY or (mark.cluster == cluster and mark.uuid == pool.uuid):
        return "" if pool.new or mark != NOBODY else f"{path} does not carry the mark of pool {pool.name}"
    in_it = any(s.owner.uuid for s in datasets if s.path.startswith(f"{path}/"))
    if pool.new and mark.cluster == cluster and owner not in living and not in_it:
        return ""  # an earlier pool that left nothing
    return f"{path} belongs to another pool or cluster: its property {POOL} is {mark}"


def _missing(probe: Probe, pool: WantedPool, cluster: str) -> str:
    """Perhaps it only has another name now: then the mark is found elsewhere."""
    path = _path(pool)
    for name, guid, mark in table(probe, MARKS, 3):
        if mark == str(Owner(cluster, pool.uuid, guid)):
            return f"{path} is not there; its mark is on {name}: was it renamed? Give it back its name"
    if pool.new:
        return f"{path} does not exist; make it first, a dataset with: zfs create -o mountpoint=none {path}"
    return (
        f"{path}, the place of pool {pool.name}, is not there; if its zpool was exported: zpool import {_zpool(path)}"
    )


def _warning(parent: Dataset, health: str, size: str, allocated: str) -> str:
    zpool = _zpool(parent.path)
    if health != "ONLINE":
        return f"zpool {zpool} is {health.lower()}: a disk of it fails, see 'zpool status {zpool}'"
    percent = _number(allocated) * 100 // max(_number(size), 1)
    return f"zpool {zpool} is {percent} % full" if percent >= NEARLY_FULL else ""


# -- reading --------------------------------------------------------------------------------------


def _datasets(probe: Probe, paths: list[str]) -> tuple[dict[str, Dataset], dict[str, str]]:
    """All datasets of all pools in one go, by path; and why one of the pools could not be listed."""
    if not paths:
        return {}, {}
    try:
        return read(probe, paths), {}
    except CommandFailed:
        found: dict[str, Dataset] = {}
        problems: dict[str, str] = {}
    for path in paths:
        try:
            found |= read(probe, [path])
        except CommandFailed as error:
            if "does not exist" not in error.stderr:
                problems[path] = str(error)
    return found, problems


def read(probe: Probe, paths: list[str]) -> dict[str, Dataset]:
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in table(probe, (*DATASETS, *paths), len(COLUMNS))]
    by_path = {row["name"]: row for row in rows}
    return {path: _dataset(row, by_path.get(re.split("[/@](?=[^/@]*$)", path)[0], {})) for path, row in by_path.items()}


def _dataset(row: Mapping[str, str], above: Mapping[str, str]) -> Dataset:
    kind = row["type"]
    mark = VOLUME if kind == "volume" else SNAPSHOT
    return Dataset(
        path=row["name"],
        kind=kind,
        guid=row["guid"],
        owner=_pool_owner(row) if kind == "filesystem" else _owner(row, above, mark),
        created=_number(row["creation"]) * 1000,
        txg=_number(row["createtxg"]),
        used=_number(row["used"]),
        available=_number(row["available"]),
        of_snapshots=_number(row["usedbysnapshots"]),
        size=_number(row["volsize"]),
        block=_number(row["volblocksize"]),
        reservation=_number(row["refreservation"]),
        hidden=row["volmode"] == "none",
        written=_number(row["written"]),
        clones=tuple(row["clones"].split(",")) if row["clones"] not in ("", NONE) else (),
        deferred=row["defer_destroy"] == "on",
        locked=row["keystatus"] == "unavailable",
        formatted="" if row[FORMATTED] == NONE else row[FORMATTED],
    )


def _owner(row: Mapping[str, str], above: Mapping[str, str], mark: str) -> Owner:
    if row[mark] in (NONE, above.get(mark)):
        return NOBODY
    return Owner(*row[mark].split("/", 2))


def _pool_owner(row: Mapping[str, str]) -> Owner:
    """A mark with another guid was handed down, or came along with a copy."""
    owner = Owner(*row[POOL].split("/", 2))
    return owner if owner.more == row["guid"] else NOBODY


def _devices(probe: Probe) -> dict[str, str]:
    """Link -> name of the kernel's device. Of two links to one device neither is certain."""
    rows = [(link, target.rpartition("/")[2]) for link, target in table(probe, LINKS, 2)]
    targets = [target for _, target in rows]
    return {link: target for link, target in rows if targets.count(target) == 1}


def table(probe: Probe, argv: tuple[str, ...], width: int) -> list[tuple[str, ...]]:
    rows = [tuple(line.split("\t")) for line in probe.run(argv).splitlines()]
    for row in rows:
        if len(row) != width:
            raise CannotRead(f"{argv[0]} answered with a line that makes no sense: {row}")
    return rows


def _size(probe: Probe, device: str) -> int | None:
    sectors = probe.read(f"/sys/block/{device}/size")
    return int(sectors) * 512 if sectors else None


def _default_block(probe: Probe) -> int:
    """Bytes of a volume's blocks where nothing else was asked for: since version 2.2 twice as much."""
    version = [int(part) for part in re.findall(r"\d+", probe.read(VERSION) or "")[:2]]
    return 16384 if version >= [2, 2] else 8192


def _path(pool: WantedPool) -> str:
    return pool.props.get(DATASET, "")


def _zpool(path: str) -> str:
    return path.partition("/")[0]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0
