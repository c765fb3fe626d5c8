"""Make zpools of whole devices, and take apart again those that were made here and are empty."""

import json
import re
from collections.abc import Iterable

from orlop.errors import BadName, BadProperty, WouldDestroy
from orlop.model import NewBacking, WantedPool
from orlop.plugin import Probe, RequireUnused, Step, run
from orlop_storage.datasets import DATASET, NONE, POOL, Owner, table

MADE = "orlop:made"  # on the topmost dataset: cluster and devices; nothing is above it that could hand it down
NAMES = ("zpool", "list", "-H", "-o", "name")
RESERVED = re.compile(r"(mirror|raidz|draid|spare|log|c[0-9]).*")
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,47}")
# What stands before the devices, and how many of them it takes.
LEVELS = {"JBOD": ((), 1), "MIRROR": (("mirror",), 2), "RAIDZ": (("raidz",), 2), "RAIDZ2": (("raidz2",), 3)}
ARGUMENT = re.compile(r"[a-z0-9@:._-]+=[^\s]+")
NOT_FOR_ALL = re.compile(
    r"(mountpoint|canmount|altroot|cachefile|readonly|keyformat|keylocation|encryption|orlop:.*)=.*"
)


def checked(backing: NewBacking) -> NewBacking:
    """Raises `BadName` or `BadProperty` for what could not be made."""
    if not NAME.fullmatch(backing.name) or RESERVED.fullmatch(backing.name):
        raise BadName(
            f"{backing.name!r} is not a name for a zpool",
            cause="It begins with a letter, has up to 48 letters, digits, '_', '-' and '.', and is no word of zpool's.",
            correction="Choose another name.",
        )
    level = backing.raid_level.upper()
    if level not in LEVELS:
        raise BadProperty(f"a zpool is made as one of {', '.join(LEVELS)}, not {backing.raid_level!r}")
    if len(backing.devices) < LEVELS[level][1]:
        raise BadProperty(f"{level} takes {LEVELS[level][1]} devices or more, not {len(backing.devices)}")
    _check_arguments(backing.arguments.get("zpool", ()))
    return backing


def make(probe: Probe, backing: NewBacking, cluster: str) -> list[Step]:
    checked(backing)
    made = f"{cluster}:{','.join(backing.devices)}"
    if backing.name in probe.run(NAMES).split():
        found = probe.run(("zfs", "list", "-H", "-o", MADE, backing.name)).strip()
        if found == made:
            return []
        raise WouldDestroy(f"there is a zpool {backing.name} already", correction="Choose another name.")
    before, _ = LEVELS[backing.raid_level.upper()]
    words = backing.arguments.get("zpool", ())
    marked = ("-m", "none", "-O", f"{MADE}={made}", backing.name)
    return [run("zpool", "create", *words, *marked, *before, *backing.devices)]


def remove(probe: Probe, pool: WantedPool, cluster: str) -> list[Step]:
    name = pool.props.get(DATASET, "")
    if name not in probe.run(NAMES).split():
        return []
    columns = f"name,guid,{MADE},{POOL}"
    rows = table(probe, ("zfs", "list", "-H", "-p", "-r", "-t", "all", "-o", columns, name), 4)
    _, guid, made, mark = rows[0]
    if made.partition(":")[0] != cluster:
        raise WouldDestroy(f"zpool {name} was not made by this cluster; it is left as it is")
    if mark not in (NONE, str(Owner(cluster, pool.uuid, guid))):
        raise WouldDestroy(f"zpool {name} belongs to another pool: its property {POOL} is {mark}")
    if len(rows) > 1:
        raise WouldDestroy(f"zpool {name} is not empty: {rows[1][0]} is in it", correction="Remove that first.")
    parts = _parts(probe, name)
    disks = _disks(probe, parts)
    clear = [run("zpool", "labelclear", "-f", part) for part in parts]
    return [run("zpool", "destroy", name), *clear, *_wipe([*parts, *disks])]


def _wipe(devices: Iterable[str]) -> list[Step]:
    steps: list[Step] = []
    for device in devices:
        steps += [RequireUnused(device=device), run("wipefs", "--all", device)]
    return steps


def _parts(probe: Probe, name: str) -> list[str]:
    """What the zpool really lies on: ZFS makes partitions of whole disks."""
    lines = probe.run(("zpool", "list", "-H", "-v", "-P", name)).splitlines()
    words = [line.split()[0] for line in lines if line.strip()]
    return [word for word in words if word.startswith("/dev/")]


def _disks(probe: Probe, parts: list[str]) -> list[str]:
    """The disks whose partitions those are, under names that hold until the next start."""
    text = probe.run(("lsblk", "--json", "--paths", "--nodeps", "--output", "PATH,PKNAME", *parts))
    found = [row["pkname"] for row in json.loads(text)["blockdevices"] if row["pkname"]]
    return list(dict.fromkeys(found))


def _check_arguments(words: tuple[str, ...]) -> None:
    left = list(words)
    while left:
        word = left.pop(0)
        flag, value = word[:2], word[2:] or (left.pop(0) if left else "")
        if flag not in ("-o", "-O") or not ARGUMENT.fullmatch(value) or NOT_FOR_ALL.fullmatch(value):
            raise BadProperty(
                f"zpool create takes further -o property=value and -O property=value, not {word!r}",
                correction="Name, devices, place of mounting and encryption are not up to them.",
            )
