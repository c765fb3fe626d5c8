"""A replica that is added while another one is missed: it meets the others before it gets its disk and counts. Pure.

DRBD counts the disk of a peer from the moment it is told of it, reached or not. Who has just the majority that is
needed would be one short until the two have met. A peer without a disk is not counted: so it comes up without, and gets
its disk when all that are there see it.
"""

from __future__ import annotations

from msgspec.structs import replace

from orlop.controller.calm import is_fresh
from orlop.controller.diskless import (
    ADDING,
    JOINING,
    diskful,
    has_disk,
    is_client,
    is_diskless,
    joins,
    without_disk,
)
from orlop.controller.growing import facts
from orlop.controller.replicas import is_connected
from orlop.controller.reported import Reported
from orlop.model import Resource, ResourceDefinition


def begun(reported: Reported, before: ResourceDefinition, after: ResourceDefinition, quorum: str) -> ResourceDefinition:
    """The definition with the replicas that were just added as ones that meet the others first; the same object where
    nobody is short of votes by them. `quorum` is the one in force: majority, all, or a number.

    A disk that comes to a device that is up already gets everything, see `initial_sync`.
    """
    known = {r.uuid for r in before.resources}
    added = [r for r in diskful(after) if r.uuid not in known and "INACTIVE" not in r.flags and r.volumes]
    if not added or is_fresh(before) or _is_kept(reported, before, len(added), quorum):
        return after
    uuids = {r.uuid for r in added}
    return replace(after, resources=tuple(_joining(r) if r.uuid in uuids else r for r in after.resources))


def _is_kept(reported: Reported, definition: ResourceDefinition, added: int, quorum: str) -> bool:
    """Whether each replica that is up has quorum with those that it is known to reach, and without those added.

    Where it comes to a tie, others without a disk have to be there, and all of them reached.
    """
    voters = diskful(definition)
    count = len(voters) + added
    needed = {"majority": count // 2 + 1, "all": count}.get(quorum) or int(quorum)
    breakers = [r for r in definition.resources if is_diskless(r) and not is_client(r) and not r.deleting]
    views = [view for voter in voters if (view := _reached(reported, definition, voter)) is not None]

    def is_enough(view: set[str]) -> bool:
        reached = 1 + sum(voter.node in view for voter in voters)
        tie = quorum == "majority" and reached * 2 == count and bool(breakers)
        return reached >= needed or (tie and all(r.node in view for r in breakers))

    return bool(views) and all(map(is_enough, views))


def _reached(reported: Reported, definition: ResourceDefinition, voter: Resource) -> set[str] | None:
    """The peers that a replica was last seen to be connected to with all of its volumes; None where it is not up."""
    report = reported.resource(voter.node, definition.name)
    said = [found for volume in voter.volumes if "disk" in (found := facts(report, volume))]
    if not said:
        return None
    peers = (r.node for r in definition.resources if r.uuid != voter.uuid)
    return {node for node in peers if all(each.get(f"peer/{node}/connection") == "Connected" for each in said)}


def _joining(resource: Resource) -> Resource:
    volumes = tuple(replace(volume, equal=False) for volume in resource.volumes)
    return replace(resource, flags=resource.flags | {JOINING}, volumes=volumes)


def advanced(reported: Reported, definition: ResourceDefinition) -> ResourceDefinition:
    """Those that have met the others get their disks; the same object when nothing changes."""
    met = {r.uuid for r in definition.resources if is_joining(r) and not missed(reported, definition, r)}
    if not met:
        return definition
    resources = tuple(
        replace(r, flags=r.flags - {JOINING} | {ADDING}) if r.uuid in met else r for r in definition.resources
    )
    return replace(definition, resources=resources)


def is_joining(resource: Resource) -> bool:
    return JOINING in resource.flags and not resource.deleting


def missed(reported: Reported, definition: ResourceDefinition, resource: Resource) -> list[str]:
    """Nodes that have to be connected to a replica before it gets its disk; its own where it has not come up yet.

    Those that are known to be away are not waited for, nor where an administrator wants no connection.
    """
    own = reported.current(resource.node, definition.name)
    if own is None or not own.settled:
        return [resource.node]
    said = [facts(own, without_disk(volume)) for volume in resource.volumes if joins(resource, volume)]
    return [
        peer.node
        for peer in diskful(definition)
        if _is_there(reported, definition, peer) and is_connected(definition, resource.node, peer.node)
        if any(each.get(f"peer/{peer.node}/connection") != "Connected" for each in said)
    ]


def _is_there(reported: Reported, definition: ResourceDefinition, peer: Resource) -> bool:
    """Whether it is up, or may be: what it was told last it may not have carried out yet."""
    report = reported.resource(peer.node, definition.name)
    if report is None:
        return not reported.away(peer.node)
    at_work = reported.current(peer.node, definition.name) is None
    return at_work or any("disk" in facts(report, volume) for volume in peer.volumes if has_disk(volume))
