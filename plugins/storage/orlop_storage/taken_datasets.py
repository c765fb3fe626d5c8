"""zvols that an administrator has made volumes of ours, or removed, by naming them."""

from collections.abc import Iterable

from orlop.errors import Refused, WouldDestroy
from orlop.model import BackingObject, WantedVolume
from orlop.plugin import NEW_FILE, RequireUnused, Step, run
from orlop_storage.datasets import VOLUME, Dataset, Owner, Parent


def named(parent: Parent, name: str) -> Dataset | None:
    """By the name it is listed under; what only waits to go has none."""
    everything: Iterable[Dataset] = (*parent.children.values(), *parent.snapshots)
    return next((seen for seen in everything if name and seen.shown == name), None)


def found(parent: Parent, pool: str, name: str) -> BackingObject | None:
    seen = named(parent, name)
    return described(pool, name, seen) if seen is not None else None


def described(pool: str, name: str, seen: Dataset) -> BackingObject:
    return BackingObject(pool=pool, name=name, uuid=seen.owner.uuid, cluster=seen.owner.cluster, size=seen.size)


def adopt(parent: Parent, cluster: str, thing: BackingObject, volume: WantedVolume) -> list[Step]:
    """The mark comes first: cut in between, it is an orphan that says what it was to become."""
    seen = named(parent, thing.name)
    assert seen is not None
    if seen.kind != "volume" or thing.name.startswith(NEW_FILE):
        raise Refused(f"{seen.path} can be no volume: it is {_kind(seen)}")
    if seen.locked:
        raise Refused(f"the encryption key of {seen.path} is not loaded: zfs load-key {seen.path}")
    if thing.name != volume.name and volume.name in parent.children:
        raise WouldDestroy(f"{parent.at(volume.name)} exists already; it was left as it is")
    if (thing.cluster, thing.uuid) != (cluster, volume.uuid):
        mark = f"{VOLUME}={Owner(cluster, volume.uuid)}"
        return [*_unused(parent, seen), run("zfs", "set", mark, seen.path)]
    if thing.name != volume.name:
        return [*_unused(parent, seen), run("zfs", "rename", seen.path, parent.at(volume.name))]
    return []


def discard(parent: Parent, thing: BackingObject) -> list[Step]:
    seen = named(parent, thing.name)
    assert seen is not None
    if seen.kind == "filesystem":
        raise Refused(f"{seen.path} is a file system", correction="Remove it with zfs destroy if it is not needed.")
    if dependants := [s.path for s in parent.snapshots_of(seen)] or list(seen.clones):
        raise Refused(f"{seen.path} is needed by {', '.join(dependants)}", correction="Remove these first.")
    return [*_unused(parent, seen), run("zfs", "destroy", seen.path)]


def _kind(seen: Dataset) -> str:
    return "half-made" if seen.kind == "volume" else f"a {seen.kind}"


def _unused(parent: Parent, seen: Dataset) -> list[Step]:
    link = parent.link(seen)
    return [RequireUnused(device=link)] if link else []
