"""LVM on a simulated node: metadata that outlives a power loss, on the disks of the node; what is open does not.

As far as our drivers use it, it does what version 2.03.16 was seen to do, its refusals included.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from orlop.errors import CommandFailed, NodeError
from orlop.testing.disk import Disk, SimulatedFile
from orlop.testing.lvm_arguments import Arguments

Program = Callable[[Disk, tuple[str, ...]], str]
EXTENT = 4 << 20
_CONDITION = re.compile(r'(\w+)(!?=)(?:\{"([^"]*)"\}|"([^"]*)"|(\w+))')


@dataclass
class SimulatedVolume:
    """`data` and `metadata` are shares of a thin pool that are used by something else than our volumes."""

    name: str
    number: int
    size: int
    extents: int
    content: SimulatedFile
    tags: list[str]
    created: int
    layout: str = "linear"
    origin: str = ""
    pool: str = ""
    skip: bool = False
    data: float = 0.0
    metadata: float = 0.1
    health: str = ""
    check_needed: bool = False
    invalid: bool = False

    @property
    def is_thin_pool(self) -> bool:
        return self.layout == "thin,pool"


@dataclass
class SimulatedGroup:
    name: str
    devices: list[str]
    extents: int
    tags: list[str] = field(default_factory=list)
    volumes: dict[str, SimulatedVolume] = field(default_factory=dict)
    exported: bool = False
    missing: int = 0
    metadata_full: float = 0.0

    @property
    def free(self) -> int:
        """Extents."""
        spare = 1 if any(volume.is_thin_pool for volume in self.volumes.values()) else 0
        return self.extents - spare - sum(volume.extents for volume in self.volumes.values())

    def snapshots_of(self, name: str) -> list[SimulatedVolume]:
        return [volume for volume in self.volumes.values() if volume.origin == name and not volume.pool]

    def inside(self, pool: str) -> list[SimulatedVolume]:
        return [volume for volume in self.volumes.values() if volume.pool == pool]


def fails(message: str) -> NodeError:
    return CommandFailed(("lvm",), 5, message)


def wrong(message: str) -> NodeError:
    return CommandFailed(("lvm",), 3, message)


class SimulatedLvm:
    """All volume groups of a node."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.groups: dict[str, SimulatedGroup] = {}
        self.disks: dict[str, str] = {}  # device -> uuid of a physical volume
        self.numbers = 0
        self.clock = clock
        self.lock = threading.RLock()

    def tools(self) -> Mapping[str, Program]:
        named = {
            "lvcreate": self.lvcreate,
            "lvremove": self.lvremove,
            "lvextend": self.lvextend,
            "lvrename": self.lvrename,
            "lvchange": self.lvchange,
            "vgchange": self.vgchange,
            "vgcreate": self.vgcreate,
            "vgremove": self.vgremove,
            "vgrename": self.vgrename,
            "pvcreate": self.pvcreate,
            "pvremove": self.pvremove,
        }
        return {name: self._locked(act) for name, act in named.items()}

    def _locked(self, act: Callable[[Disk, Arguments], None]) -> Program:
        def program(disk: Disk, arguments: tuple[str, ...]) -> str:
            with self.lock:
                act(disk, Arguments(arguments))
            return ""

        return program

    # -- finding ----------------------------------------------------------------------------------

    def group(self, name: str) -> SimulatedGroup:
        if name not in self.groups:
            raise fails(f'Volume group "{name}" not found\n  Cannot process volume group {name}')
        group = self.groups[name]
        if group.exported:
            raise fails(f"Volume group {name} is exported")
        if group.missing:
            raise fails(f"Cannot change VG {name} while PVs are missing.")
        return group

    def find(
        self, at: str, otherwise: str = 'Failed to find logical volume "{0}/{1}"'
    ) -> tuple[SimulatedGroup, SimulatedVolume]:
        name, _, volume = at.partition("/")
        group = self.group(name)
        if volume not in group.volumes:
            raise fails(otherwise.format(name, volume))
        return group, group.volumes[volume]

    def group_of(self, device: str) -> str:
        return next((group.name for group in self.groups.values() if device in group.devices), "")

    def is_open(self, disk: Disk, group: SimulatedGroup, volume: SimulatedVolume) -> bool:
        return self.path(group, volume) in disk.opened

    @staticmethod
    def path(group: SimulatedGroup, volume: SimulatedVolume) -> str:
        if volume.is_thin_pool:
            return f"/dev/mapper/{group.name}-{volume.name}-tpool"
        return f"/dev/{group.name}/{volume.name}"

    # -- volumes ----------------------------------------------------------------------------------

    def lvcreate(self, disk: Disk, given: Arguments) -> None:
        given.only(
            *("--addtag", "--extents", "--name", "--setactivationskip", "--snapshot", "--thinpool", "--type"),
            *("--virtualsize", "--wipesignatures", "--zero", "--stripes", "--stripesize", "--chunksize"),
        )
        if given.get("--type") == "thin":
            group, pool = self.find(given.get("--thinpool"), "Pool {1} not found in Volume group {0}.")
            size = int(given.get("--virtualsize").removesuffix("b"))
            size = -(-size // EXTENT) * EXTENT
            self._add(disk, group, given, size, 0, layout="thin,sparse", pool=pool.name)
        elif "--snapshot" in given:
            self._add_snapshot(disk, given)
        else:
            group = self.group(given.rest[0])
            extents = self._extents(group, given)
            thin = given.get("--type") == "thin-pool"
            layout = "thin,pool" if thin else "linear"
            self._add(disk, group, given, extents * EXTENT, extents + thin, layout=layout)

    def _extents(self, group: SimulatedGroup, given: Arguments) -> int:
        text = given.get("--extents")
        if text.endswith("%FREE"):
            return group.free * int(text.removesuffix("%FREE")) // 100 - 2
        stripes = int(given.get("--stripes", "1"))
        return -(-int(text) // stripes) * stripes

    def _add_snapshot(self, disk: Disk, given: Arguments) -> None:
        group, origin = self.find(given.rest[0])
        if origin.pool:
            size, extents, more = origin.size, 0, {"layout": "thin,sparse", "pool": origin.pool}
        else:
            most = -(-(origin.size + origin.size // 256 + 16384) // EXTENT)
            size, extents, more = origin.size, min(int(given.get("--extents")), most), {}
        made = self._add(disk, group, given, size, extents, origin=origin.name, **more)
        made.content.blocks = dict(origin.content.blocks)
        made.content.signatures = list(origin.content.signatures)
        if origin.pool:
            made.skip = given.get("--setactivationskip", "y") == "y"
            if made.skip:
                self._close(disk, group, made)
        elif not self.is_open(disk, group, origin):
            self._close(disk, group, made)

    def _add(
        self, disk: Disk, group: SimulatedGroup, given: Arguments, size: int, extents: int, **more: str
    ) -> SimulatedVolume:
        name = given.get("--name")
        if name in group.volumes:
            raise fails(f'Logical Volume "{name}" already exists in volume group "{group.name}"')
        if reserved := re.match("snapshot|pvmove", name):
            raise wrong(f'Names starting "{reserved[0]}" are reserved. Please choose a different LV name.')
        if reserved := re.search("_(tdata|tmeta|mlog|pmspare)", name):
            raise wrong(f'Names including "{reserved[0]}" are reserved. Please choose a different LV name.')
        if extents > group.free:
            text = (
                f'Volume group "{group.name}" has insufficient free space ({group.free} extents): {extents} required.'
            )
            raise CommandFailed(("lvcreate",), 5, text)
        self.numbers += 1
        made = SimulatedVolume(
            name=name,
            number=self.numbers,
            size=size,
            extents=extents,
            content=replace(disk.new_file(size, 0), allocated=size),
            tags=given.all("--addtag"),
            created=int(self.clock()),
            **more,  # type: ignore[arg-type]
        )
        group.volumes[name] = made
        self._open(disk, group, made)
        return made

    def lvremove(self, disk: Disk, given: Arguments) -> None:
        given.only("--select")
        targets = [self.find(at) for at in given.rest if "/" in at]
        for group in [self.group(at) for at in given.rest if "/" not in at]:
            targets += [(group, volume) for volume in group.volumes.values()]
        for group, volume in targets:
            if not selected(given.get("--select"), group, volume):
                continue
            dependants = group.inside(volume.name) if volume.is_thin_pool else group.snapshots_of(volume.name)
            for gone in (*dependants, volume):
                self._close(disk, group, gone)
                del group.volumes[gone.name]

    def lvextend(self, disk: Disk, given: Arguments) -> None:
        given.only("--extents")
        group, volume = self.find(given.rest[0], "Logical volume {1} not found in volume group {0}.")
        extents, path = int(given.get("--extents")), self.path(group, volume)
        if group.snapshots_of(volume.name) and path in disk.opened:
            raise fails("Snapshot origin volumes can be resized only while inactive: try lvchange -an.")
        old = volume.size // EXTENT
        if extents == old:
            raise fails(f"New size ({extents} extents) matches existing size ({old} extents).")
        if extents < old:
            raise fails(f"New size given ({extents} extents) not larger than existing size ({old} extents)")
        if not volume.pool:
            if extents - old > group.free:
                raise fails(f"Insufficient free space: {extents - old} extents needed, but only {group.free} available")
            volume.extents += extents - old
        volume.size = volume.content.size = volume.content.allocated = extents * EXTENT

    def lvrename(self, disk: Disk, given: Arguments) -> None:
        given.only()
        group, volume = self.find(given.rest[0])
        name = given.rest[1].rpartition("/")[2]
        if name in group.volumes:
            raise fails(f'Logical Volume "{name}" already exists in volume group "{group.name}"')
        old = self.path(group, volume)
        for other in group.volumes.values():
            other.origin = name if other.origin == volume.name else other.origin
        del group.volumes[volume.name]
        volume.name = name
        group.volumes[name] = volume
        new = self.path(group, volume)
        if old in disk.opened:
            disk.opened[new] = disk.opened.pop(old)
        if old in disk.used:
            disk.used[new] = disk.used.pop(old)

    def lvchange(self, disk: Disk, given: Arguments) -> None:
        given.only("--activate", "--ignoreactivationskip", "--addtag", "--deltag")
        for at in given.rest:
            group, volume = self.find(at)
            volume.tags[:] = _retagged(volume.tags, given)
            if volume.origin and not volume.pool and "--activate" in given:
                also = f"will also change its origin {group.name}/{volume.origin}"
                raise fails(f"Change of snapshot {at} {also}. Proceed? [y/n]: [n]")
            if given.get("--activate") == "n":
                for each in (*group.snapshots_of(volume.name), volume):
                    self._close(disk, group, each)
            if given.get("--activate") == "y" and (not volume.skip or "--ignoreactivationskip" in given):
                for each in (volume, *group.snapshots_of(volume.name)):
                    self._open(disk, group, each)

    def _open(self, disk: Disk, group: SimulatedGroup, volume: SimulatedVolume) -> None:
        disk.opened[self.path(group, volume)] = volume.content

    def _close(self, disk: Disk, group: SimulatedGroup, volume: SimulatedVolume) -> None:
        path = self.path(group, volume)
        if disk.used.get(path):
            raise fails(f"Logical volume {group.name}/{volume.name} in use.")
        disk.opened.pop(path, None)

    # -- groups -----------------------------------------------------------------------------------

    def vgcreate(self, disk: Disk, given: Arguments) -> None:
        given.only("--addtag")
        name, *devices = given.rest
        if name in self.groups:
            raise wrong(f"/dev/{name}: already exists in filesystem")
        for device in devices:
            if of := self.group_of(device):
                raise fails(f"Physical volume '{device}' is already in volume group '{of}'")
            if device not in self.disks:
                self._label(disk, device, f"uuid-of-{device}")
        extents = sum(disk.content(device).size // EXTENT - 1 for device in devices)
        self.groups[name] = SimulatedGroup(name, devices, extents, given.all("--addtag"))

    def vgremove(self, disk: Disk, given: Arguments) -> None:
        given.only()
        group = self.group(given.rest[0])
        if group.volumes:
            holding = f"containing {len(group.volumes)} logical volumes"
            raise fails(f'Do you really want to remove volume group "{group.name}" {holding}? [y/n]: [n]')
        del self.groups[group.name]

    def vgrename(self, disk: Disk, given: Arguments) -> None:
        given.only()
        old, new = given.rest
        group = self.groups.pop(old)
        group.name = new
        self.groups[new] = group

    def vgchange(self, disk: Disk, given: Arguments) -> None:
        given.only("--addtag", "--deltag")
        group = self.group(given.rest[0])
        group.tags[:] = _retagged(group.tags, given)

    def pvcreate(self, disk: Disk, given: Arguments) -> None:
        given.only("--uuid", "--norestorefile", "--metadatasize")
        for device in given.rest:
            self._label(disk, device, given.get("--uuid", f"uuid-of-{device}"))

    def _label(self, disk: Disk, device: str, uuid: str) -> None:
        if device in self.disks:
            of = f' of volume group "{self.group_of(device)}"' if self.group_of(device) else ""
            raise fails(f'Can\'t initialize physical volume "{device}"{of} without -ff')
        if disk.content(device).signatures:
            raise fails(f"Cannot use {device}: device has a signature")
        disk.content(device).signatures.append("LVM2_member")
        self.disks[device] = uuid

    def pvremove(self, disk: Disk, given: Arguments) -> None:
        given.only()
        for device in given.rest:
            if of := self.group_of(device):
                raise fails(f"PV {device} is used by VG {of} so please use vgreduce first.")
            if self.disks.pop(device, None) is None:
                raise fails(f"No PV found on device {device}.")
            disk.content(device).signatures.remove("LVM2_member")


def _retagged(tags: list[str], given: Arguments) -> list[str]:
    gone = given.all("--deltag")
    return list(dict.fromkeys([*(tag for tag in tags if tag not in gone), *given.all("--addtag")]))


def selected(text: str, group: SimulatedGroup, volume: SimulatedVolume) -> bool:
    """`lv_tags={"a"} && lv_role!=thickorigin`, lvmreport(7)."""
    for condition in filter(None, text.split(" && ")):
        match = _CONDITION.fullmatch(condition)
        if match is None:
            raise fails(f"Selection syntax error at '{condition}'.")
        name, operator, *values = match.groups()
        if _holds(name, next(filter(None, values)), group, volume) != (operator == "="):
            return False
    return True


def _holds(name: str, value: str, group: SimulatedGroup, volume: SimulatedVolume) -> bool:
    if name == "lv_name":
        return volume.name == value
    if name == "lv_tags":
        return value in volume.tags
    if name == "lv_role" and value == "thickorigin":
        return bool(group.snapshots_of(volume.name))
    if name == "thin_count":
        return volume.is_thin_pool and len(group.inside(volume.name)) == int(value)
    raise fails(f"Unrecognised selection field: {name}")
