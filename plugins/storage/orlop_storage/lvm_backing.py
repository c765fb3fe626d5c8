"""Volume groups out of blank devices, and back.

The devices get uuids that follow from cluster and group, so that the remains of an attempt that was cut short, which
belong to no group, can be told from everybody else's.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import ClassVar

from orlop.errors import BadName, BadProperty, WouldDestroy
from orlop.model import NewBacking, WantedPool
from orlop.plugin import Probe, Step, run
from orlop_storage.lvm_places import PLACE, canonical, is_name
from orlop_storage.lvm_settings import settings
from orlop_storage.volume_groups import MADE, VolumeGroup, look

THIN_POOL = "thinpool"
METADATA = "16m"  # for the description of some ten thousand volumes; LVM's default, 1 MiB, suffices for some hundred
MOST_DEVICES = 256
LETTERS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
BLOCKS = (6, 4, 4, 4, 4, 4, 6)  # of a uuid as LVM writes it


class GroupBacking:
    """`DeviceStorage` for the kinds that live in a volume group."""

    __slots__ = ()
    thin_backing: ClassVar[bool] = False  # the pool is a thin pool in the group

    @classmethod
    def backing_props(cls, backing: NewBacking) -> Mapping[str, str]:
        group, thin = cls._names(backing.name)
        if backing.raid_level not in ("", "JBOD"):
            raise BadProperty(
                f"A volume group is not made with RAID level {backing.raid_level!r}.",
                correction="Leave it out (JBOD), and set StorDriver/LvcreateType for the volumes.",
            )
        if not 1 <= len(backing.devices) <= MOST_DEVICES:
            raise BadProperty(f"A volume group is made of 1 to {MOST_DEVICES} devices, not {len(backing.devices)}.")
        for program, arguments in backing.arguments.items():
            if any(word.startswith(("/", "@")) for word in arguments):
                raise BadProperty(f"Arguments of {program} must not name devices: {' '.join(arguments)}")
        return {PLACE: f"{group}/{thin}" if thin else group}

    @classmethod
    def make_backing(cls, probe: Probe, backing: NewBacking, cluster: str) -> list[Step]:
        name, thin = cls._names(backing.name)
        config = settings(probe)
        group = look(probe, config, [name])[0].get(name)
        steps: list[Step] = []
        if group is None:
            steps += _make_group(probe, config, backing, name, cluster)
        elif not _is_made_of(probe, config, group, backing, cluster):
            raise WouldDestroy(f"there is a volume group {name} already", correction="Choose another name.")
        if thin and (group is None or thin not in group.volumes):
            steps.append(_make_thin_pool(config, backing, name, thin, cluster))
        return steps

    @classmethod
    def begun(cls, probe: Probe, backing: NewBacking, cluster: str) -> Collection[str]:
        """Devices of LVM with an identity that only this backing has."""
        ours = _uuids(cluster, cls._names(backing.name)[0])
        return [device for device, (uuid, of) in _disks(probe, settings(probe)).items() if not of and uuid in ours]

    @classmethod
    def remove_backing(cls, probe: Probe, pool: WantedPool, cluster: str) -> list[Step]:
        name, thin = cls._names(canonical(pool.props, cls.thin_backing)[PLACE])
        config = settings(probe)
        group = look(probe, config, [name])[0].get(name)
        if group is None:
            left = [
                device
                for device, (uuid, of) in _disks(probe, config).items()
                if not of and uuid in _uuids(cluster, name)
            ]
            return _wipe(config, left)
        if group.tags.get(MADE) != cluster:
            raise WouldDestroy(f"volume group {name} was not made by this cluster; it is left as it is")
        steps: list[Step] = []
        pool_seen = group.volumes.get(thin)
        others = set(group.volumes) - {thin} if pool_seen is not None and MADE in pool_seen.tags else set(group.volumes)
        if others:
            raise WouldDestroy(f"volume group {name} is not empty: it holds {', '.join(sorted(others))}")
        if group.volumes:
            empty = f'lv_tags={{"{MADE}={cluster}"}} && thin_count=0'
            steps.append(run("lvremove", "--config", config, "--yes", "--select", empty, f"{name}/{thin}"))
        steps.append(run("vgremove", "--config", config, name))
        return [*steps, *_wipe(config, list(group.devices))]

    @classmethod
    def _names(cls, name: str) -> tuple[str, str]:
        """Of the volume group and the thin pool, if it is one."""
        group, _, thin = name.partition("/")
        thin = thin or (THIN_POOL if cls.thin_backing else "")
        if not is_name(group) or (thin and not (cls.thin_backing and is_name(thin))):
            raise BadName(f"{name!r} cannot be the name of a volume group", correction="For example vg0.")
        return group, thin


def _make_group(probe: Probe, config: str, backing: NewBacking, name: str, cluster: str) -> list[Step]:
    disks, steps = _disks(probe, config), list[Step]()
    more = backing.arguments
    for device, uuid in zip(backing.devices, _uuids(cluster, name), strict=False):
        if disks.get(device) == (uuid, ""):
            continue
        if device in disks:
            raise WouldDestroy(f"{device} belongs to volume group {disks[device][1] or 'of somebody else'} already")
        size = () if "--metadatasize" in more.get("pvcreate", ()) else ("--metadatasize", METADATA)
        identity = ("--uuid", uuid, "--norestorefile")
        steps.append(run("pvcreate", "--config", config, *identity, *size, *more.get("pvcreate", ()), device))
    made = ("--addtag", f"{MADE}={cluster}")
    return [*steps, run("vgcreate", "--config", config, *made, *more.get("vgcreate", ()), name, *backing.devices)]


def _make_thin_pool(config: str, backing: NewBacking, group: str, thin: str, cluster: str) -> Step:
    """A part stays free, to enlarge the metadata when it gets full."""
    return run(
        *("lvcreate", "--config", config, "--yes", "--type", "thin-pool", "--extents", "98%FREE"),
        *("--name", thin, "--addtag", f"{MADE}={cluster}"),
        *backing.arguments.get("lvcreate", ()),
        group,
    )


def _is_made_of(probe: Probe, config: str, group: VolumeGroup, backing: NewBacking, cluster: str) -> bool:
    uuids = _uuids(cluster, group.name)[: len(backing.devices)]
    own = [uuid for uuid, of in _disks(probe, config).values() if of == group.name]
    return group.tags.get(MADE) == cluster and sorted(own) == sorted(uuids)


def _wipe(config: str, devices: list[str]) -> list[Step]:
    if not devices:
        return []
    return [
        run("pvremove", "--config", config, *devices),
        *(run("wipefs", "--all", device) for device in devices),
    ]


def _disks(probe: Probe, config: str) -> dict[str, tuple[str, str]]:
    """Devices of LVM: uuid and volume group, empty for one that is in none."""
    columns = "pv_name,pv_uuid,vg_name"
    text = probe.run(("lvm", "pvs", "--config", config, "--reportformat", "json", "--nolocking", "--options", columns))
    return {row["pv_name"]: (row["pv_uuid"], row["vg_name"]) for row in json.loads(text)["report"][0]["pv"]}


def _uuids(cluster: str, group: str) -> list[str]:
    return [_uuid(f"{cluster}/{group}/{number}") for number in range(MOST_DEVICES)]


def _uuid(text: str) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode()).digest())
    parts = []
    for length in BLOCKS:
        part = ""
        for _ in range(length):
            number, at = divmod(number, len(LETTERS))
            part += LETTERS[at]
        parts.append(part)
    return "-".join(parts)
