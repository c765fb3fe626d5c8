"""What is known of the copies of a volume, from what is wanted and what was reported. Unknown is never done."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.diskless import diskful, is_client, is_diskless
from orlop.controller.growing import UP_TO_DATE, facts
from orlop.controller.joining import is_joining
from orlop.controller.picture import Picture
from orlop.controller.progress import reported_volume
from orlop.controller.replication import replicated
from orlop.controller.reported import Reported
from orlop.controller.snapshotting import DISCONNECTED, FAILED, SUCCESSFUL, reported_snapshot
from orlop.errors import NotFound, Refused
from orlop.model import (
    KIB,
    NodeSnapshot,
    Presence,
    ReportedResource,
    ReportedVolume,
    Resource,
    ResourceDefinition,
    Snapshot,
    SnapshotVolume,
    Volume,
    VolumeDefinition,
    key,
)
from orlop.plugin import Awaited, Copy

DELETE, INACTIVE = "DELETE", "INACTIVE"
CONNECTED = "Connected"


def of_resource(
    picture: Picture, reported: Reported, definition: ResourceDefinition, number: int | None = None
) -> list[Awaited]:
    """All volumes or one; a copy is done once it is deployed. Raises `Refused` where there is nothing to wait for."""
    copies = _planned(definition)
    voters = [r for r in definition.resources if _votes(r)]
    return [
        Awaited(
            volume=of.number,
            copies=tuple(_copy(picture, reported, definition, r, of.number) for r in copies),
            voters=tuple(_voter(picture, reported, definition, r, of.number) for r in voters),
            replicated=replicated(definition),
        )
        for of in _volumes(definition, number)
    ]


def of_size(
    picture: Picture, reported: Reported, definition: ResourceDefinition, number: int, size: int | None = None
) -> list[Awaited]:
    """One volume; a copy is done once it is deployed and offers so many bytes (None: as many as it is to have)."""
    (of,) = _volumes(definition, number)
    wanted = of.size if size is None else size
    if wanted > of.size:
        raise Refused(
            f"Volume {number} of '{definition.name}' is to have {of.size // KIB} KiB, not {wanted // KIB}.",
            correction=f"Resize it first: orlop volume-definition set-size {definition.name} {number} SIZE.",
            code=Fail.INVLD_VLM_SIZE,
        )

    def grown(copy: Copy) -> Copy:
        report = reported.current(copy.node, definition.name)
        resource = next((r for r in definition.resources if r.node == copy.node), None)
        volume = next((v for v in resource.volumes if v.number == number), None) if resource else None
        seen = reported_volume(report, volume.uuid) if volume else None
        if not copy.done or seen is None or (seen.size is not None and seen.size >= wanted):
            return copy
        has = "an unknown size" if seen.size is None else f"{seen.size // KIB} KiB"
        return replace(copy, done=False, problem=f"it has {has} of {wanted // KIB} KiB")

    (found,) = of_resource(picture, reported, definition, number)
    return [replace(found, copies=tuple(map(grown, found.copies)))]


def of_snapshot(
    picture: Picture, reported: Reported, definition: ResourceDefinition, snapshot: Snapshot
) -> list[Awaited]:
    """All volumes of a snapshot; a part is done once the snapshot counts. Raises where it failed or is going."""
    if snapshot.flags & {FAILED, DISCONNECTED, DELETE}:
        raise _lost(definition, snapshot)
    parts = sorted((p for p in snapshot.nodes if DELETE not in p.flags), key=lambda p: key(p.node))
    numbers = sorted({v.number for part in parts for v in part.volumes})
    if not numbers:
        raise NotFound(
            f"Snapshot '{snapshot.name}' of '{definition.name}' has no part on any node.",
            code=Fail.NOT_FOUND_SNAPSHOT,
        )
    return [
        Awaited(
            volume=number,
            copies=tuple(
                _part(picture, reported, definition, snapshot, part, volume)
                for part in parts
                for volume in part.volumes
                if volume.number == number
            ),
            replicated=replicated(definition),
        )
        for number in numbers
    ]


def _lost(definition: ResourceDefinition, snapshot: Snapshot) -> Refused:
    said = (o.problem for o in definition.operations if o.arguments.get("snapshot") == snapshot.uuid)
    why = next(said, "") or ("a node went away" if DISCONNECTED in snapshot.flags else "")
    what = "is being deleted" if not snapshot.flags & {FAILED, DISCONNECTED} else "failed"
    return Refused(
        f"Snapshot '{snapshot.name}' of '{definition.name}' {what}{f': {why}' if why else ''}.",
        details="A snapshot counts on every node or on none.",
        correction=f"Delete it with 'orlop snapshot delete {definition.name} {snapshot.name}' and take it again.",
        code=Fail.INVLD_SNAPSHOT_NAME,
    )


def _planned(definition: ResourceDefinition) -> list[Resource]:
    if definition.deleting:
        raise Refused(f"Resource definition '{definition.name}' is being deleted.", code=Fail.INVLD_RSC_STATE)
    to_come = [r for r in definition.resources if is_joining(r)]
    found = [r for r in (*diskful(definition), *to_come) if INACTIVE not in r.flags]
    if not found:
        raise NotFound(
            f"'{definition.name}' has no active replica with a disk to wait for.",
            correction=f"Place it first: orlop resource-definition auto-place {definition.name}.",
            code=Fail.NOT_FOUND_RSC,
        )
    return sorted(found, key=lambda r: key(r.node))


def _votes(resource: Resource) -> bool:
    return (
        is_diskless(resource)
        and not (is_client(resource) or is_joining(resource))
        and not resource.flags & {DELETE, INACTIVE}
    )


def _volumes(definition: ResourceDefinition, number: int | None) -> list[VolumeDefinition]:
    found = [v for v in definition.volume_definitions if DELETE not in v.flags and number in (None, v.number)]
    if not found:
        raise NotFound(
            f"'{definition.name}' has no volume{'s' if number is None else f' {number}'} to wait for.",
            correction=f"See 'orlop volume-definition list -r {definition.name}'.",
            code=Fail.NOT_FOUND_VLM_DFN,
        )
    return found


def _copy(
    picture: Picture, reported: Reported, definition: ResourceDefinition, resource: Resource, number: int
) -> Copy:
    if is_joining(resource) and reported.online(resource.node):
        return replace(_blank(picture, resource.node), problem="it meets the others before it gets its disk")
    found, said = _deployed(picture, reported, definition, resource, number)
    if not found.done or not replicated(definition) or said.get("disk") == UP_TO_DATE:
        return replace(found, up_to_date=found.done)
    return replace(found, problem=_behind(said))


def _voter(
    picture: Picture, reported: Reported, definition: ResourceDefinition, resource: Resource, number: int
) -> Copy:
    found, said = _deployed(picture, reported, definition, resource, number)
    if not found.done or any(n.endswith("/connection") and state == CONNECTED for n, state in said.items()):
        return found
    return replace(found, done=False, problem="connected to no other replica")


def _deployed(
    picture: Picture, reported: Reported, definition: ResourceDefinition, resource: Resource, number: int
) -> tuple[Copy, Mapping[str, str]]:
    """A copy that is done once it is deployed, and what its layer said."""
    found = _blank(picture, resource.node)
    report = reported.current(resource.node, definition.name)
    volume = next((v for v in resource.volumes if v.number == number), None)
    problem, stalled = _obstacle(reported, resource.node, report, volume)
    if problem or volume is None:
        return replace(found, problem=problem, stalled=stalled), {}
    said = facts(report, volume)
    quorum = {"yes": True, "no": False}.get(said.get("quorum", ""))
    return replace(found, done=True, quorum=quorum, problem="no quorum" if quorum is False else ""), said


def _blank(picture: Picture, node: str) -> Copy:
    found = picture.node(node)
    return Copy(node=found.name if found else node, props=found.props if found else {})


def _obstacle(
    reported: Reported, node: str, report: ReportedResource | None, volume: Volume | None
) -> tuple[str, bool]:
    """Why a copy is not deployed, and whether nothing goes on there for now; empty once it is."""
    if not reported.online(node):
        why = reported.node(node).problem
        return f"the node is away{f': {why}' if why else ''}", True
    if report is None:
        return "the node is at work", False
    seen = reported_volume(report, volume.uuid) if volume is not None else None
    if problem := report.problem or (seen.problem if seen else ""):
        return f"failed: {problem}", True
    return _unmade(report, volume, seen), False


def _unmade(report: ReportedResource, volume: Volume | None, seen: ReportedVolume | None) -> str:
    if volume is None:
        return "this volume is not planned there"
    if seen is None or seen.presence is not Presence.READY or volume.new:
        left = f", next: {report.plan[0]}" if report.plan else ""
        return f"being created{left}"
    return ""


def _behind(said: Mapping[str, str]) -> str:
    """The state of a disk that is not up to date, and how far it is synchronized."""
    state = said.get("disk", "the state of its disk is not known")
    for name, value in sorted(said.items()):
        peer, _, what = name.removeprefix("peer/").rpartition("/")
        if what == "replication" and value.endswith("SyncTarget"):
            share = said.get(f"peer/{peer}/synced", "")
            return f"{state}, {f'{share}% ' if share else ''}synchronized from {peer}"
    return state


def _part(
    picture: Picture,
    reported: Reported,
    definition: ResourceDefinition,
    snapshot: Snapshot,
    part: NodeSnapshot,
    volume: SnapshotVolume,
) -> Copy:
    found = _blank(picture, part.node)
    if not reported.online(part.node):
        why = reported.node(part.node).problem
        return replace(found, problem=f"the node is away{f': {why}' if why else ''}", stalled=True)
    report = reported.current(part.node, definition.name)
    seen = reported_snapshot(report, volume.uuid)
    if seen is not None and seen.problem:
        return replace(found, problem=f"failed: {seen.problem}", stalled=True)
    if seen is None or seen.presence is not Presence.READY:
        return replace(found, problem="not taken yet")
    if SUCCESSFUL not in snapshot.flags:
        return replace(found, problem="taken, and waits for the other nodes")
    return replace(found, done=True, up_to_date=True)
