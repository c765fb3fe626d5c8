"""A kind of pool made of whole disks: a folder of files that shows what a backend on devices has to be asked."""

from collections.abc import Collection, Mapping
from typing import ClassVar, Self

from orlop.drivers import STORAGE, Drivers
from orlop.errors import BadName, BadProperty, CommandFailed, WouldDestroy
from orlop.model import NewBacking, WantedPool
from orlop.plugin import Probe, Step, run
from orlop.testing.disk import Disk
from orlop_storage.file import File
from orlop_storage.folders import FOLDER

WOOD = "StorDriver/CrateWood"
LVCREATE = "StorDriver/LvcreateOptions"
SIGNATURE = "crate"


class Crate(File, frozen=True, kw_only=True):
    """Extent and warning are what files beside the pool's folder say."""

    kind: ClassVar[str] = "CRATE"
    programs: ClassVar[tuple[str, ...]] = ("losetup", "mkcrate")
    options: ClassVar[frozenset[str]] = frozenset({WOOD, LVCREATE})

    said: Mapping[str, tuple[str, str]] = {}  # extent and warning by pool

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        if options.get(WOOD, "oak") not in ("oak", "pine"):
            raise BadProperty(f"{WOOD} is oak or pine, not {options[WOOD]!r}")
        if "--bad" in options.get(LVCREATE, ""):
            raise BadProperty(f"{LVCREATE} must not contain '--bad'")

    @classmethod
    def observe(cls, probe: Probe, pools: tuple[WantedPool, ...], cluster: str) -> Self:
        seen = super().observe(probe, pools, cluster)
        said = {
            p.name: tuple(probe.read(p.props[FOLDER] + end) or "" for end in (".extent", ".warning")) for p in pools
        }
        return cls(cluster=seen.cluster, folders=seen.folders, said=said)

    @classmethod
    def granularity(cls, props: Mapping[str, str]) -> int:
        """Pine is sawn in larger pieces."""
        return 16384 if props.get(WOOD) == "pine" else 4096

    def extent(self, pool: str) -> int:
        return int(self.said[pool][0] or "4096")

    def pool_warning(self, pool: str) -> str:
        return self.said[pool][1]

    @classmethod
    def snapshot_room(cls, size: int, options: Mapping[str, str]) -> int:
        return size // 2 if options.get(WOOD) == "pine" else 0

    # -- devices ----------------------------------------------------------------------------------

    @classmethod
    def backing_props(cls, backing: NewBacking) -> Mapping[str, str]:
        if not backing.name.isidentifier():
            raise BadName(f"{backing.name!r} is not a name for a crate")
        return {FOLDER: f"/crates/{backing.name}"}

    @classmethod
    def make_backing(cls, probe: Probe, backing: NewBacking, cluster: str) -> list[Step]:
        path = cls.backing_props(backing)[FOLDER]
        made = probe.read(path + ".made")
        if made is None:
            return [run("mkcrate", "sign", path, cluster, *backing.devices)]
        if made != f"{cluster} {' '.join(backing.devices)}":
            raise WouldDestroy(f"there is a crate {backing.name} already")
        return [] if probe.files(path) is not None else [run("mkcrate", "open", path)]

    @classmethod
    def begun(cls, probe: Probe, backing: NewBacking, cluster: str) -> Collection[str]:
        return ()

    @classmethod
    def remove_backing(cls, probe: Probe, pool: WantedPool, cluster: str) -> list[Step]:
        path = pool.props[FOLDER]
        made = probe.read(path + ".made")
        if made is None:
            return []
        if made.split()[0] != cluster:
            raise WouldDestroy(f"{path} was not made by this cluster")
        if left := [name for name in probe.files(path) or {} if not name.startswith(".")]:
            raise WouldDestroy(f"{path} is not empty: {left[0]} is in it")
        return [run("mkcrate", "burn", path)]


class ThinCrate(Crate, frozen=True, kw_only=True):
    kind: ClassVar[str] = "THIN_CRATE"
    thin: ClassVar[bool] = True
    options: ClassVar[frozenset[str]] = frozenset({LVCREATE})

    @classmethod
    def check_options(cls, options: Mapping[str, str]) -> None:
        if "--thick" in options.get(LVCREATE, "") or "--bad" in options.get(LVCREATE, ""):
            raise BadProperty(f"{LVCREATE} is not for thin crates: {options[LVCREATE]!r}")


def mkcrate(disk: Disk, arguments: tuple[str, ...]) -> str:
    match arguments:
        case ("sign", path, cluster, *devices):
            for device in devices:
                disk.content(device).signatures[:] = [SIGNATURE]  # it asks no questions
            say(disk, path + ".made", f"{cluster} {' '.join(devices)}")
        case ("open", path):
            disk.make_folder(path)
        case ("burn", path):
            for device in disk.get(path + ".made").text.split()[1:]:
                disk.content(device).signatures.clear()
            disk.drop(path + ".made")
            disk.folders.pop(path, None)
        case _:
            raise CommandFailed(("mkcrate", *arguments), 1, "what?")
    return ""


def say(disk: Disk, path: str, text: str) -> None:
    """Write what a look finds beside a pool's folder; nothing where `text` is empty."""
    disk.make_folder(path.rpartition("/")[0])
    disk.drop(path)
    if text:
        file = disk.new_file(len(text), 4096)
        file.text = text
        disk.put(path, file)


def with_crates() -> Drivers:
    """What is installed, and both kinds of crates."""
    installed = Drivers.installed()
    found = {namespace: installed.all(namespace) for namespace in (STORAGE, "orlop.layer")}
    found[STORAGE] |= {"crate": Crate, "thin_crate": ThinCrate}
    return Drivers(found)
