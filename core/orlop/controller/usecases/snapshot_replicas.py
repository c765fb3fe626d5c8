"""Which replicas a snapshot is taken of, and which nodes have to stand still for it."""

from __future__ import annotations

from orlop.codes import Fail, Warn
from orlop.controller import drbd_versions, replicas, snapshotting
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import is_diskless
from orlop.controller.growing import BELOW, DEVICE, facts
from orlop.controller.picture import Picture
from orlop.controller.replication import replicated
from orlop.controller.usecases import guards, lookup, replicating
from orlop.errors import Refused
from orlop.model import Operation, Resource, ResourceDefinition, Snapshot, key

PROTOCOL, SYNCHRONOUS = "Net/protocol", "C"


def chosen(core: Core, answers: Answers, definition: ResourceDefinition, asked: tuple[str, ...]) -> list[Resource]:
    """Those asked for, else every replica that is up to date; raises where there is none, or one asked for is not."""
    _refuse_changing(definition)
    if asked:
        found = [lookup.resource(definition, node) for node in dict.fromkeys(asked)]
        for resource in found:
            if problem := _unfit(core, definition, resource):
                raise Refused(
                    f"No snapshot of '{definition.name}' can be taken on node '{resource.node}': {problem}.",
                    correction="A snapshot is taken of replicas that are up to date; see 'orlop resource list'.",
                    code=Fail.SNAPSHOT_NOT_UPTODATE,
                )
        return found
    found = []
    for resource in definition.resources:
        problem = _unfit(core, definition, resource)
        if not problem:
            found.append(resource)
        elif not (resource.deleting or _has_no_disk(resource)):
            answers.warning(
                f"The snapshot leaves node '{resource.node}' out: {problem}.", Warn.NOT_CONNECTED, Node=resource.node
            )
    if not found:
        raise Refused(
            f"There is nothing to take a snapshot of: '{definition.name}' has no replica known to be up to date.",
            correction="See 'orlop resource list'; start satellites, activate it, or wait until it is synchronized.",
            code=Fail.SNAPSHOT_NOT_UPTODATE,
        )
    return found


def look_again(core: Core, name: str) -> None:
    """Where use makes a snapshot impossible: what was just closed may still be reported as used."""
    definition = core.picture.definition(name)
    if definition is None or not replicated(definition):
        return
    if not drbd_versions.all_at_least(core.picture, [r.node for r in definition.resources]):
        guards.look_again(core, name)


def operation(
    core: Core,
    picture: Picture,
    definition: ResourceDefinition,
    snapshot: Snapshot,
    parts: list[Resource],
    together: set[str],
) -> Operation:
    """What is to be done for it. Raises where a node that may be writing cannot be reached."""
    nodes = [r.node for r in definition.resources if not r.deleting and _is_there(core, r)]
    _refuse_in_use(core, picture, definition)
    away = [r for r in definition.resources if key(r.node) not in map(key, nodes) and not r.deleting]
    for resource in away:
        seeing = [p.node for p in parts if _may_hear(core, definition, p, resource)]
        if seeing:
            raise Refused(
                f"No snapshot of '{definition.name}' can be taken: node '{resource.node}' cannot be told to hold its "
                f"writes back, and may be writing to {', '.join(seeing)}.",
                cause="Its satellite is not connected to the controller.",
                correction=f"Start the satellite of '{resource.node}', or disconnect the replicas from it.",
                code=Fail.NOT_CONNECTED,
            )
    return snapshotting.operation(
        core.new_uuid(), core.clock.milliseconds(), snapshot, nodes, together, _is_synchronous(picture, definition)
    )


def _refuse_in_use(core: Core, picture: Picture, definition: ResourceDefinition) -> None:
    """DRBD 8.4 never answers what was under way when it was suspended.

    What is primary counts as in use; use is told by every look, the role only while no work is left.
    """
    for node in guards.users(core, definition, definition.resources):
        if not drbd_versions.all_at_least(picture, [node]):
            raise Refused(
                f"No snapshot of '{definition.name}' can be taken while it is used on node '{node}'.",
                cause="DRBD 8.4 cannot hold the I/O of a resource back that is primary.",
                correction=f"Close it there, 'drbdadm secondary {definition.name}', and try again; or use DRBD 9.",
                code=Fail.IN_USE,
            )


def _refuse_changing(definition: ResourceDefinition) -> None:
    """Raises while replicas come or go, or change their size."""
    growing = [v.number for v in definition.volume_definitions if v.flags & {BELOW, DEVICE}]
    if growing:
        raise Refused(
            f"Volume {growing[0]} of '{definition.name}' is growing.",
            correction="Take the snapshot when that is done; see 'orlop volume-definition list'.",
            code=Fail.RSC_BUSY,
        )
    leaving = [r.node for r in definition.resources if r.deleting]
    if leaving:
        raise Refused(
            f"A replica of '{definition.name}' is being deleted on {', '.join(leaving)}.",
            correction="Take the snapshot when that is done.",
            code=Fail.RSC_BUSY,
        )
    for resource in definition.resources:
        if any(v.new for v in resource.volumes):
            raise Refused(
                f"'{definition.name}' on node '{resource.node}' is not complete yet.",
                correction="Wait until its volumes are created.",
                code=Fail.SNAPSHOT_NOT_UPTODATE,
            )


def _unfit(core: Core, definition: ResourceDefinition, resource: Resource) -> str:
    """Why no snapshot is taken of a replica; empty where it can be."""
    if resource.deleting:
        return "it is being deleted there"
    if _has_no_disk(resource):
        return "it has no disk there"
    if "INACTIVE" in resource.flags:
        return "it is inactive there"
    if not core.reported.online(resource.node):
        return "the node is away"
    return "" if replicating.is_up_to_date(core, definition, resource) else "it is not known to be up to date"


def _has_no_disk(resource: Resource) -> bool:
    return resource.diskless or is_diskless(resource)


def _is_there(core: Core, resource: Resource) -> bool:
    """Whether the resource is up on a node that obeys."""
    return core.reported.online(resource.node) and "INACTIVE" not in resource.flags and bool(resource.volumes)


def _may_hear(core: Core, definition: ResourceDefinition, part: Resource, other: Resource) -> bool:
    """Whether what is written on the other one may arrive at this replica."""
    if "INACTIVE" in other.flags and core.reported.online(other.node):
        return False
    report = core.reported.resource(part.node, definition.name)
    states = {facts(report, volume).get(f"peer/{other.node}/connection") for volume in part.volumes}
    return not states <= {"Connecting", "StandAlone", "Unconnected", "Disconnecting"}


def _is_synchronous(picture: Picture, definition: ResourceDefinition) -> bool:
    """Whether a write that was answered is on the disks of all replicas that are connected."""
    options = (
        peer.options.get(PROTOCOL, SYNCHRONOUS)
        for resource in definition.resources
        if resource.node_id is not None and resource.volumes
        for peer in replicas.replica(picture, definition, resource).peers
    )
    return all(value == SYNCHRONOUS for value in options)
