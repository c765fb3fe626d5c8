"""Files of a folder that an administrator has made volumes of ours, or removed, by naming them."""

from orlop.errors import Refused, WouldDestroy
from orlop.model import BackingObject, WantedVolume
from orlop.plugin import (
    CLUSTER,
    NEW_FILE,
    UUID,
    FileFacts,
    RemoveFile,
    RenameFile,
    RequireUnused,
    SetAttributes,
    Step,
)
from orlop_storage.folders import MARKER, Folder


def found(folder: Folder, pool: str, name: str) -> BackingObject | None:
    seen = folder.files.get(name)
    return described(pool, name, seen) if seen is not None and name != MARKER else None


def described(pool: str, name: str, seen: FileFacts) -> BackingObject:
    """As it is listed: size in bytes, and whose mark it bears."""
    uuid, cluster = seen.attributes.get(UUID, ""), seen.attributes.get(CLUSTER, "")
    return BackingObject(pool=pool, name=name, uuid=uuid, cluster=cluster, size=seen.size)


def adopt(folder: Folder, cluster: str, thing: BackingObject, volume: WantedVolume) -> list[Step]:
    """The mark comes first: cut in between, it is an orphan that says what it was to become."""
    path, target = folder.at(thing.name), folder.at(volume.name)
    if thing.name.startswith(NEW_FILE):
        raise Refused(f"{path} was never finished: it holds no whole volume")
    if volume.name in folder.files and thing.name != volume.name:
        raise WouldDestroy(f"{target} exists already; it was left as it is")
    marks = {CLUSTER: cluster, UUID: volume.uuid}
    if (thing.cluster, thing.uuid) != (cluster, volume.uuid):
        return [*_unused(folder, thing.name), SetAttributes(path=path, attributes=marks)]
    return [RenameFile(path=path, target=target)] if thing.name != volume.name else []


def discard(folder: Folder, thing: BackingObject) -> list[Step]:
    path = folder.at(thing.name)
    return [RequireUnused(device=path), *(folder.detach(thing.name) or [RemoveFile(path=path)])]


def _unused(folder: Folder, name: str) -> list[Step]:
    """A file is used through a loop device, or opened as it is by whoever knows its path."""
    loops = [RequireUnused(device=loop.device) for loop in folder.loops_of(name)]
    return [*loops, RequireUnused(device=folder.at(name))]
