"""What an administrator wants to know beyond the lists: orphans, jobs, and what is not as wanted."""

from __future__ import annotations

from collections.abc import Iterator

from orlop.controller import moving, orders, wire
from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.progress import reported_volume
from orlop.controller.reported import NodeReport
from orlop.controller.snapshotting import reported_snapshot
from orlop.model import (
    KIB,
    Node,
    Presence,
    ReportedSnapshot,
    ReportedVolume,
    ResourceDefinition,
    WantedSnapshot,
    WantedVolume,
    key,
)
from orlop.model.keeping import KEPT
from orlop.model.keeping import SNAPSHOT as BEFORE_RESYNC


def orphans(core: Core, nodes: frozenset[str]) -> list[wire.Orphan]:
    """By node, pool and name; of nodes that are not connected nothing is known."""
    found = [
        wire.Orphan(
            node_name=node.name,
            storage_pool_name=orphan.pool,
            name=orphan.name,
            uuid=orphan.uuid or None,
            cluster=orphan.cluster or None,
            size_kib=orphan.size // KIB or None,
            purpose=orphan.purpose or None,
        )
        for node, report in _nodes(core, nodes)
        for orphan in report.orphans
    ]
    return sorted(found, key=lambda o: (key(o.node_name), key(o.storage_pool_name), o.name))


def jobs(picture: Picture, resources: frozenset[str]) -> list[wire.Job]:
    """Oldest first."""
    found = [
        wire.Job(
            resource_name=definition.name,
            uuid=operation.uuid,
            kind=operation.kind,
            state=operation.state,
            created=operation.created,
            source=operation.arguments.get("source") if operation.kind in moving.KINDS else None,
            target=operation.arguments.get("target") if operation.kind in moving.KINDS else None,
            problem=operation.problem or None,
        )
        for name, definition in picture.definitions.items()
        if not resources or name in resources
        for operation in definition.operations
    ]
    return sorted(found, key=lambda job: (job.created, key(job.resource_name)))


def differences(core: Core, nodes: frozenset[str]) -> list[wire.Difference]:
    """By node and resource; only what was reported counts: the unknown differs from nothing."""
    picture = core.picture
    return [
        difference
        for node, report in _nodes(core, nodes)
        for definition in sorted(picture.definitions_on(node.name), key=lambda d: key(d.name))
        for difference in _of_definition(core, picture, definition, node, report)
    ]


def _nodes(core: Core, names: frozenset[str]) -> list[tuple[Node, NodeReport]]:
    found = sorted(core.picture.nodes.items())
    return [(node, core.reported.node(node.name)) for name, node in found if not names or name in names]


def _of_definition(
    core: Core, picture: Picture, definition: ResourceDefinition, node: Node, report: NodeReport
) -> Iterator[wire.Difference]:
    order = orders.wanted_resource(core.drivers, picture, definition, node.name)
    seen = report.resources.get(key(definition.name))
    if order is None or seen is None:
        return
    for volume in order.volumes:
        found = reported_volume(seen, volume.uuid)
        if found is not None and (found.problem or found.presence not in _fitting(volume)):
            yield _difference(node, definition, volume, found)
        if problem := _not_kept(found):
            yield wire.Difference(
                node_name=node.name,
                resource_name=definition.name,
                volume_number=volume.number,
                snapshot_name=BEFORE_RESYNC,
                wanted=Presence.READY,
                found=Presence.ABSENT,
                problem=problem,
            )
    for snapshot in order.snapshots:
        part = reported_snapshot(seen, snapshot.uuid)
        if part is not None and (part.problem or part.presence not in _fitting(snapshot)):
            yield _difference(node, definition, snapshot, part)


def _not_kept(found: ReportedVolume | None) -> str:
    """Why there is no snapshot from before a synchronization, where there was to be one."""
    told = [level.facts.get("before_resync", KEPT) for level in found.levels] if found else []
    return next((text for text in told if text != KEPT), "")


def _fitting(wanted: WantedVolume | WantedSnapshot) -> tuple[Presence, ...]:
    if not wanted.wanted:
        return (Presence.ABSENT,)
    if isinstance(wanted, WantedVolume) and not wanted.active:
        return (Presence.HIDDEN,)
    return (Presence.READY,)


def _difference(
    node: Node,
    definition: ResourceDefinition,
    wanted: WantedVolume | WantedSnapshot,
    found: ReportedVolume | ReportedSnapshot,
) -> wire.Difference:
    return wire.Difference(
        node_name=node.name,
        resource_name=definition.name,
        volume_number=wanted.number,
        snapshot_name=wanted.snapshot if isinstance(wanted, WantedSnapshot) else None,
        wanted=_fitting(wanted)[0],
        found=found.presence,
        problem=found.problem or None,
    )
