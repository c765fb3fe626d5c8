"""Forget what was on a node or in a pool that will not come back. Nobody is asked and nothing is waited for."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.picture import Draft, with_resource
from orlop.controller.progress import advance
from orlop.controller.reported import Status
from orlop.controller.usecases import lookup, protection, room
from orlop.errors import Refused
from orlop.model import NodeSnapshot, Resource, ResourceDefinition, StoragePool, Volume, key

CONNECTED = (Status.CONNECTED, Status.AUTHENTICATED, Status.ONLINE)


def forget_node(draft: Draft, definition: ResourceDefinition, node: str) -> None:
    """Everything of the definition on the node; the definition itself where it only waited for that."""
    here = key(node)
    what = f"Forgetting node '{node}'"
    _forget(draft, definition, lambda r: key(r.node) == here, lambda part: key(part.node) == here, what)


def _forget(
    draft: Draft,
    definition: ResourceDefinition,
    is_lost: Callable[[Resource], bool],
    is_lost_part: Callable[[NodeSnapshot], bool],
    what: str,
) -> None:
    resources = [r for r in definition.resources if is_lost(r)]
    gone = {part.uuid for s in definition.snapshots for part in s.nodes if is_lost_part(part)}
    protection.require_loss_allowed(definition, resources, gone, what)
    lost = {key(r.node) for r in resources}
    parts = {s.uuid: tuple(p for p in s.nodes if not is_lost_part(p)) for s in definition.snapshots}
    after = replace(
        definition,
        resources=tuple(r for r in definition.resources if key(r.node) not in lost),
        connections=tuple(c for c in definition.connections if lost.isdisjoint((key(c.node_a), key(c.node_b)))),
        snapshots=tuple(replace(s, nodes=parts[s.uuid]) for s in definition.snapshots if parts[s.uuid] or not s.nodes),
    )
    remaining = advance(after, {})
    if remaining is None:
        draft.remove(definition)
    else:
        draft.put(remaining)


def pool_lost(core: Core, node_name: str, name: str) -> Answers:
    """Forget a pool whose backing will not come back, with every volume and snapshot in it.

    Only while it cannot be used anyway. What lies in another pool, too, has to be deleted first: its part there would
    be left behind. A replica that had only its metadata in it has none any more: it is not used, and can be deleted.
    """
    with core.change() as draft:
        pool = lookup.pool(draft, node_name, name)
        _require_unusable(core, pool)
        affected = [d for d in draft.definitions_on(pool.node) if any(_here(d, pool)) or _metadata_here(d, pool)]
        _require_nothing_elsewhere(affected, pool)
        answers = Answers(codes.DELETE, Subject.STOR_POOL, Node=pool.node, StorPool=pool.name, StorPoolDfn=pool.name)
        answers.success(
            f"Storage pool '{pool.name}' on node '{pool.node}' is forgotten.",
            codes.DELETED,
            details=f"Its UUID was {pool.uuid}. If its backing appears again, what is in it is listed as orphans.",
        )
        for definition in sorted(affected, key=lambda d: key(d.name)):
            _forget_in(draft, definition, pool, answers)
        draft.remove(pool)
    return answers


def _require_unusable(core: Core, pool: StoragePool) -> None:
    if pool.provider == "DISKLESS":
        raise Refused(f"'{pool.name}' has no backing that could be lost.", code=Fail.INVLD_STOR_POOL_NAME)
    if core.reported.node(pool.node).status not in CONNECTED:
        return
    report = room.seen(core, pool)
    if report is None or not report.problem:
        raise Refused(
            f"Storage pool '{pool.name}' on node '{pool.node}' is not lost: "
            + ("it works." if report else "its node is connected and looks at it just now."),
            correction=f"Delete what is in it and then the pool: orlop storage-pool delete {pool.node} {pool.name}.",
            code=Fail.LOST_STOR_POOL,
        )


def _here(definition: ResourceDefinition, pool: StoragePool) -> tuple[list[Resource], list[tuple[str, NodeSnapshot]]]:
    """The definition's resource and its snapshots (name, part) that have something in the pool."""
    at, name = key(pool.node), key(pool.name)

    def inside(of: Resource | NodeSnapshot) -> bool:
        return key(of.node) == at and any(key(v.pool) == name for v in of.volumes)

    resources = [r for r in definition.resources if inside(r)]
    return resources, [(s.name, part) for s in definition.snapshots for part in s.nodes if inside(part)]


def _metadata_here(definition: ResourceDefinition, pool: StoragePool) -> list[Resource]:
    """Those that have metadata in the pool, and their data elsewhere."""

    def is_in(volume: Volume) -> bool:
        own = volume.metadata
        return own is not None and key(own.pool) == key(pool.name) != key(volume.pool)

    return [r for r in definition.resources if key(r.node) == key(pool.node) and any(map(is_in, r.volumes))]


def _without_metadata(definition: ResourceDefinition, pool: StoragePool, answers: Answers) -> ResourceDefinition:
    """It is never made again by itself: what the data are worth, DRBD cannot tell without it."""
    for resource in _metadata_here(definition, pool):
        volumes = tuple(
            replace(v, metadata=None) if v.metadata is not None and key(v.metadata.pool) == key(pool.name) else v
            for v in resource.volumes
        )
        definition = with_resource(definition, replace(resource, volumes=volumes))
        answers.warning(
            f"The metadata of '{definition.name}' on node '{pool.node}' is forgotten: it was lost with the pool.",
            RscDfn=definition.name,
            cause=f"Its data there are in {', '.join(sorted({v.pool for v in volumes}))}, but DRBD does not use them.",
            correction=f"Where another node has all of the data: orlop resource delete {pool.node} {definition.name}, "
            "and make it again there.",
        )
    return definition


def _require_nothing_elsewhere(definitions: list[ResourceDefinition], pool: StoragePool) -> None:
    """Raises for a resource or a snapshot that is only in part in the pool."""
    mixed = []
    for definition in definitions:
        resources, parts = _here(definition, pool)
        for resource in resources:
            if others := sorted({v.pool for v in resource.volumes if key(v.pool) != key(pool.name)}):
                mixed.append(f"resource {definition.name}, also in {', '.join(others)}")
        for name, part in parts:
            if others := sorted({v.pool for v in part.volumes if key(v.pool) != key(pool.name)}):
                mixed.append(f"snapshot {name} of {definition.name}, also in {', '.join(others)}")
    if mixed:
        raise Refused(
            f"Storage pool '{pool.name}' on node '{pool.node}' is not forgotten yet: some of what is in it is in other "
            "pools, too.",
            details="\n".join(mixed),
            correction=f"Delete these on '{pool.node}' first ('orlop resource delete', 'orlop snapshot delete'); when "
            "nothing but their parts in the lost pool is left, repeat this command.",
            code=Fail.LOST_STOR_POOL,
        )


def _left(resources: list[Resource]) -> str:
    pools = {v.metadata.pool for r in resources for v in r.volumes if v.metadata is not None}
    return f" Its metadata in {', '.join(sorted(pools))} is listed as an orphan." if pools else ""


def _forget_in(draft: Draft, definition: ResourceDefinition, pool: StoragePool, answers: Answers) -> None:
    definition = _without_metadata(definition, pool, answers)
    resources, parts = _here(definition, pool)
    gone = [part for _, part in parts]
    what = f"Forgetting storage pool '{pool.name}' on node '{pool.node}'"
    _forget(draft, definition, lambda r: r in resources, lambda part: part in gone, what)
    others = sorted({r.node for r in definition.resources if r not in resources and not r.deleting}, key=key)
    if resources:
        answers.warning(
            f"Resource '{definition.name}' on node '{pool.node}' is forgotten.",
            RscDfn=definition.name,
            cause="Its data there was lost with the pool.",
            details=(f"It is left on: {', '.join(others)}." if others else "It is on no other node.")
            + _left(resources),
        )
    for name, _ in parts:
        answers.info(
            f"Snapshot '{name}' of '{definition.name}' on node '{pool.node}' is forgotten.",
            RscDfn=definition.name,
            Snapshot=name,
        )
