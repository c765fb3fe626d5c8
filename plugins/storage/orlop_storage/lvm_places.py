"""Where the pools of LVM are, and whether they are ours."""

from collections.abc import Iterable, Mapping

from orlop.errors import BadProperty, OrlopError
from orlop.model import WantedPool
from orlop.model.cluster import Value
from orlop.plugin import CLUSTER, UUID, Probe
from orlop_storage.lvm_settings import settings
from orlop_storage.volume_groups import KIND, POOL, Groups, LogicalVolume, VolumeGroup, look

PLACE = "StorDriver/StorPoolName"
OLD_GROUP = "StorDriver/LvmVg"
OLD_THIN = "StorDriver/ThinPool"

# Shares of a thin pool, or of the metadata of a volume group, from which on nothing new is placed.
DATA_FULL = 0.9
METADATA_FULL = 0.8

LOOKS = 3  # LVM shuts a thin pool for a moment while the first volume is made in it


class Place(Value, frozen=True, kw_only=True):
    """A volume group, or a thin pool in one. With a `problem` nothing else counts."""

    name: str
    group: VolumeGroup = VolumeGroup(name="")
    thin: str = ""  # name of the thin pool
    problem: str = ""
    props: Mapping[str, str] = {}  # of the pool
    tags: Mapping[str, str] = {}
    marked: bool = False

    @property
    def pool(self) -> LogicalVolume:
        return self.group.volumes[self.thin]


def canonical(props: Mapping[str, str], thin: bool) -> Mapping[str, str]:
    """`group` or `group/thinpool`; LINSTOR's older keys are understood."""
    name = props.get(PLACE) or props.get(OLD_GROUP) or ""
    if thin and "/" not in name and props.get(OLD_THIN):
        name = f"{name}/{props[OLD_THIN]}"
    parts = name.removeprefix("/dev/").split("/")
    if len(parts) != 1 + thin or not all(map(is_name, parts)):
        what = "a volume group and a thin pool in it, group/thinpool" if thin else "a volume group"
        raise BadProperty(
            f"{PLACE} must name {what}, not {name!r}",
            correction=f"For example {'vg0/thin' if thin else 'vg0'}; 'vgs' lists what a node has.",
        )
    rest = {key: value for key, value in props.items() if key not in (OLD_GROUP, OLD_THIN)}
    return {**rest, PLACE: "/".join(parts)}


def is_name(name: str) -> bool:
    """lvm(8)"""
    letters = name.isascii() and all(letter.isalnum() or letter in "+_.-" for letter in name)
    return bool(name) and letters and not name.startswith("-") and name not in (".", "..") and len(name) <= 127


def places(probe: Probe, pools: tuple[WantedPool, ...], cluster: str, kind: str) -> tuple[Mapping[str, Place], str]:
    """By name of the pool; and the settings that every command is to be given."""
    try:
        config = settings(probe)
        named = [pool for pool in pools if _group_of(pool)]
        for _ in range(LOOKS):
            groups, problems = look(probe, config, map(_group_of, named))
            if not _is_shut(groups, named):
                break
    except OrlopError as error:
        return {pool.name: Place(name=pool.props.get(PLACE, ""), problem=str(error)) for pool in pools}, ""
    living = frozenset((cluster, pool.uuid) for pool in pools)
    found = {}
    for pool in pools:
        problem = problems.get(_group_of(pool), "")
        found[pool.name] = (
            Place(name=pool.props.get(PLACE, ""), problem=problem)
            if problem
            else _place(pool, groups, cluster, kind, living)
        )
    return found, config


def _is_shut(groups: Groups, pools: Iterable[WantedPool]) -> bool:
    """Whether the thin pool of one of them is not open."""
    for pool in pools:
        name, _, thin = pool.props.get(PLACE, "").partition("/")
        seen = groups[name].volumes.get(thin) if thin and name in groups else None
        if seen is not None and seen.is_thin_pool and seen.data is None:
            return True
    return False


def _group_of(pool: WantedPool) -> str:
    return pool.props.get(PLACE, "").split("/")[0]


def _place(pool: WantedPool, groups: Groups, cluster: str, kind: str, living: frozenset[tuple[str, str]]) -> Place:
    name = pool.props.get(PLACE, "")
    wanted, _, thin = name.partition("/")
    group = groups.get(wanted)
    if group is None or (thin and thin not in group.volumes):
        return Place(name=name, problem=_absent(pool, groups, name, cluster, group))
    if problem := _unusable(group, thin):
        return Place(name=name, problem=problem)
    tags = group.volumes[thin].tags if thin else group.tags
    mark = (tags[CLUSTER], tags[POOL]) if CLUSTER in tags and POOL in tags else None
    if pool.new and mark and _left_over(mark, tags, group, thin, kind, cluster, living):
        mark = None
    problem = _strange(pool, name, mark, cluster)
    return Place(
        name=name, group=group, thin=thin, problem=problem, props=pool.props, tags=tags, marked=mark is not None
    )


def _absent(pool: WantedPool, groups: Groups, name: str, cluster: str, group: VolumeGroup | None) -> str:
    what = f"thin pool {name}" if group else f"volume group {name.split('/')[0]}"
    if not name:
        return f"pool {pool.name} has no property {PLACE}"
    if pool.new:
        return f"there is no {what} on this node"
    now = [at for at, tags in _all_tags(groups) if (tags.get(CLUSTER), tags.get(POOL)) == (cluster, pool.uuid)]
    if now:
        return f"{what}, the place of pool {pool.name}, is now called {now[0]}: rename it back"
    return f"{what}, the place of pool {pool.name}, is not there: are its disks connected?"


def _all_tags(groups: Groups) -> Iterable[tuple[str, Mapping[str, str]]]:
    for group in groups.values():
        yield group.name, group.tags
        for volume in group.volumes.values():
            if volume.is_thin_pool:
                yield f"{group.name}/{volume.name}", volume.tags


def _unusable(group: VolumeGroup, thin: str) -> str:
    if group.exported:
        return f"volume group {group.name} is exported: vgimport {group.name} brings it back"
    if group.missing:
        return f"{group.missing} of the disks of volume group {group.name} are missing: nothing in it can be changed"
    if thin and not group.volumes[thin].is_thin_pool:
        return f"{group.name}/{thin} is not a thin pool"
    if thin and group.volumes[thin].health == "failed":
        return (
            f"thin pool {group.name}/{thin} has failed: see the kernel's log; lvconvert --repair may help, lvmthin(7)"
        )
    return ""


def _left_over(
    mark: tuple[str, str],
    tags: Mapping[str, str],
    group: VolumeGroup,
    thin: str,
    kind: str,
    cluster: str,
    living: frozenset[tuple[str, str]],
) -> bool:
    """Whether a mark is of an earlier pool of this kind and cluster that left nothing: a new one may take over."""
    return (
        mark[0] == cluster
        and tags.get(KIND) == kind
        and mark not in living
        and not any(UUID in volume.tags for volume in (group.inside(thin) if thin else group.volumes.values()))
    )


def _strange(pool: WantedPool, name: str, mark: tuple[str, str] | None, cluster: str) -> str:
    if mark == (cluster, pool.uuid) or (mark is None and pool.new):
        return ""
    if mark is None:
        return f"{name} does not carry the mark of pool {pool.name}: was it made anew?"
    return f"{name} belongs to another pool or cluster: see its tags"


def warning(place: Place) -> str:
    """Why nothing new should be placed there."""
    group = place.group
    if group.metadata_size and 1 - group.metadata_free / group.metadata_size >= DATA_FULL:
        return f"the metadata area of volume group {group.name} is nearly full: remove volumes or snapshots"
    if not place.thin:
        return ""
    pool, name = place.pool, f"thin pool {place.name}"
    extend = f"lvextend --poolmetadatasize +SIZE {place.name}"
    if pool.data is None or pool.metadata is None:
        return f"{name} is not open, its free space is not known: lvchange --activate y {place.name}"
    if pool.check_needed:
        return f"{name} needs a check: close it and run lvconvert --repair {place.name}, lvmthin(7)"
    if pool.health:
        return f"{name} has the state '{pool.health}': add space with lvextend, then see lvmthin(7)"
    if pool.metadata >= METADATA_FULL:
        return f"the metadata of {name} is {pool.metadata:.0%} full: {extend}"
    if pool.data >= DATA_FULL:
        return f"{name} is {pool.data:.0%} full: lvextend --size +SIZE {place.name}, or remove snapshots"
    return ""
