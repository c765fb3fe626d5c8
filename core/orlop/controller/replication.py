"""What replicated resources are numbered by: minors, node ids, TCP ports; and who has the first data. Pure.

A number is taken as long as any object has it. What is on its way out keeps its numbers until every node has
confirmed, so nothing is given away that a node might still use.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller import diskless, initial_sync, occupied
from orlop.controller.diskless import completed, is_diskless
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.errors import Refused
from orlop.model import Resource, ResourceDefinition, VolumeDefinition, key

LAYER = diskless.LAYER
MINORS, PORTS = "MinorNrAutoRange", "TcpPortAutoRange"
BLOCKED_PORTS = "TcpPortsBlocked"
PEER_SLOTS = "PeerSlotsNewResource"
METADATA_POOL = "StorPoolNameDrbdMeta"  # for layers only that there is one, where it is in force for a volume
DEFAULTS: Mapping[str, str] = {MINORS: "1000-49999", PORTS: "7000-7999", PEER_SLOTS: "7"}
DEFAULT_SLOTS = int(DEFAULTS[PEER_SLOTS])
NODE_IDS = 32
HIGHEST_MINOR = 1 << 20


def replicated(definition: ResourceDefinition) -> bool:
    return LAYER in definition.layers


def stack_of(definition: ResourceDefinition, resource: Resource) -> tuple[str, ...]:
    return resource.layers or definition.layers


def sizing(
    picture: Picture, definition: ResourceDefinition, of: VolumeDefinition, apart: bool = False
) -> Mapping[str, str]:
    """What decides how large the levels of a volume are. `apart`: its metadata is not at the end of the data."""
    kept = "apart" if apart else ".internal"
    return {**of.props, PEER_SLOTS: str(peer_slots(picture, definition)), METADATA_POOL: kept}


def peer_slots(picture: Picture, definition: ResourceDefinition) -> int:
    """Of a new replica: as many as the others have, for they are to be equally large."""
    present = [r.peer_slots for r in definition.resources if r.peer_slots and not r.deleting]
    if present:
        return present[0]
    group = picture.group(definition.group)
    if definition.peer_slots is not None:
        return definition.peer_slots
    if group is not None and group.peer_slots is not None and PEER_SLOTS not in definition.props:
        return group.peer_slots
    return int(_setting(picture, PEER_SLOTS, definition, None))


def numbered(picture: Picture, definition: ResourceDefinition) -> ResourceDefinition:
    """The definition with numbers for everything in it that needs one and has none; raises `Refused`."""
    if not replicated(definition):
        return definition
    definition = completed(definition)
    volumes = _with_minors(picture, definition)
    slots = peer_slots(picture, definition)
    resources: list[Resource] = []
    for resource in definition.resources:
        if resource.node_id is None and LAYER in stack_of(definition, resource):
            node_id = _node_id([*resources, *definition.resources])
            ports = resource.ports or (free_port(picture, definition, resource.node),)
            resource = replace(resource, node_id=node_id, ports=ports)
        if resource.node_id is not None and resource.peer_slots is None and not is_diskless(resource):
            resource = replace(resource, peer_slots=slots)
        resources.append(resource)
    after = replace(definition, volume_definitions=volumes, resources=tuple(resources))
    refuse_crowd(after)
    return replace(after, volume_definitions=tuple(_with_first(after, v) for v in after.volume_definitions))


def _with_minors(picture: Picture, definition: ResourceDefinition) -> tuple[VolumeDefinition, ...]:
    if all(v.minor is not None for v in definition.volume_definitions):
        return definition.volume_definitions
    taken = minors(picture) | {v.minor for v in definition.volume_definitions if v.minor is not None}
    found = []
    for of in definition.volume_definitions:
        if of.minor is None:
            minor = _lowest_free(_span(_setting(picture, MINORS, definition, None)), taken)
            if minor is None:
                raise Refused(
                    "No device minor is left for a replicated volume.",
                    correction=f"Widen the property {MINORS} of the controller.",
                    code=Fail.POOL_EXHAUSTED_MINOR_NR,
                )
            taken.add(minor)
            of = replace(of, minor=minor)
        found.append(of)
    return tuple(found)


def with_minor(picture: Picture, definition: ResourceDefinition, minor: int | None) -> ResourceDefinition:
    """The definition with the minor that was asked for its newest volume; raises where somebody has it."""
    if minor is None or not replicated(definition):
        return definition
    if minor in minors(picture) or not 0 <= minor < HIGHEST_MINOR:
        raise Refused(
            f"The device minor {minor} cannot be used: it is taken, or none.",
            correction="Leave it out to get one that is free.",
            code=Fail.INVLD_MINOR_NR,
        )
    return replace(
        definition,
        volume_definitions=tuple(
            replace(v, minor=minor) if v.minor is None else v for v in definition.volume_definitions
        ),
    )


def minors(picture: Picture) -> set[int]:
    """All that are taken in the cluster."""
    return {v.minor for d in picture.definitions.values() for v in d.volume_definitions if v.minor is not None}


def _node_id(resources: Iterable[Resource]) -> int:
    found = _lowest_free(range(NODE_IDS), {r.node_id for r in resources})
    if found is None:
        raise Refused(
            f"A resource has at most {NODE_IDS} replicas.",
            correction="Delete one first.",
            code=Fail.POOL_EXHAUSTED_NODE_ID,
        )
    return found


def with_numbers(
    picture: Picture, definition: ResourceDefinition, resource: Resource, node_id: int | None, ports: tuple[int, ...]
) -> Resource:
    """A new resource with the numbers that were asked for; raises where somebody has them."""
    if node_id is not None and (not 0 <= node_id < NODE_IDS or any(r.node_id == node_id for r in definition.resources)):
        raise Refused(
            f"The node id {node_id} cannot be used for '{definition.name}': it is taken, or none.",
            correction=f"Ids go from 0 to {NODE_IDS - 1}; leave it out to get the lowest one that is free.",
            code=Fail.INVLD_NODE_ID,
        )
    taken = taken_ports(picture, definition, resource.node)
    if len(ports) > 1 or any(port in taken or not 0 < port < 1 << 16 for port in ports):
        raise Refused(
            f"The TCP port {', '.join(map(str, ports))} cannot be used on node '{resource.node}'.",
            cause="It is taken or blocked there, it is none, or more than one was named.",
            correction="Leave it out to get one that is free.",
            code=Fail.INVLD_RSC_PORT,
        )
    if node_id is not None and not ports:
        ports = (free_port(picture, definition, resource.node),)
    return replace(resource, node_id=node_id, ports=ports)


def with_port(picture: Picture, definition: ResourceDefinition, resource: Resource) -> Resource:
    """With another port than the one it has; raises `Refused` where none is left."""
    return replace(resource, ports=(free_port(picture, definition, resource.node),))


def free_port(picture: Picture, definition: ResourceDefinition, node: str) -> int:
    """The lowest one in the node's range that is neither taken there nor blocked, by the node or by the controller."""
    taken = taken_ports(picture, definition, node)
    found = _lowest_free(_span(_setting(picture, PORTS, definition, node)), taken)
    if found is None:
        raise Refused(
            f"No TCP port is left on node '{node}' for the replication of '{definition.name}'.",
            correction=f"Widen the property {PORTS} of the node or of the controller, or unblock ports in "
            f"{BLOCKED_PORTS}.",
            code=Fail.POOL_EXHAUSTED_TCP_PORT,
        )
    return found


def taken_ports(picture: Picture, definition: ResourceDefinition, node: str) -> set[int]:
    """On which replicas or proxies wait, or that are blocked."""
    before, now = occupied.by(picture.definition(definition.name), node), occupied.by(definition, node)
    known = picture.occupied.get(key(node), occupied.NOTHING).ports
    taken = {port for port, count in known.items() if count > before.ports.get(port, 0)} | now.ports.keys()
    here = picture.node(node)
    for props in (picture.controller.props, here.props if here else {}):
        for part in filter(str.strip, props.get(BLOCKED_PORTS, "").split(",")):
            taken.update(_span(part.strip()))
    return taken


def _lowest_free(span: Iterable[int], taken: Container[int | None]) -> int | None:
    return next((number for number in span if number not in taken), None)


def _span(text: str) -> range:
    """
    >>> _span("7000-7002"), _span("7000")
    (range(7000, 7003), range(7000, 7001))
    """
    lowest, _, highest = text.partition("-")
    return range(int(lowest), int(highest or lowest) + 1)


def _setting(picture: Picture, name: str, definition: ResourceDefinition, at: str | None) -> str:
    node, group = picture.node(at) if at else None, picture.group(definition.group)
    objects = {
        Kind.NODE: Source(at or "", node.props if node else {}),
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
        Kind.CONTROLLER: Source("", picture.controller.props),
    }
    found = effective(name, objects)
    return found.value if found else DEFAULTS.get(name, "")


def refuse_crowd(definition: ResourceDefinition) -> None:
    """Every replica needs a slot for every other one."""
    count = sum(r.node_id is not None for r in definition.resources)
    full = [r.node for r in definition.resources if r.peer_slots is not None and r.peer_slots < count - 1]
    if full:
        raise Refused(
            f"'{definition.name}' cannot have {count} replicas: the metadata on {', '.join(full)} has no room for "
            "another peer.",
            cause="The room is fixed when a replica is made.",
            correction=f"Raise {PEER_SLOTS} before a resource is created.",
            code=Fail.INSUFFICIENT_PEER_SLOTS,
        )


def _with_first(definition: ResourceDefinition, of: VolumeDefinition) -> VolumeDefinition:
    """While no replica is there that has data, one of those to be made is the first; nothing ever changes that.

    A disk that is only on its way out has data until it is gone.
    """
    disks = [
        (r, v)
        for r in definition.resources
        for v in r.volumes
        if v.number == of.number and LAYER in stack_of(definition, r) and diskless.has_disk(v)
    ]
    living = [v for r, v in disks if not r.deleting and "DELETE" not in v.flags]
    if not living or not all(v.new for v in living) or any(v.uuid == of.first for v in living):
        return of
    _refuse_leaving(definition, {r.node for r, v in disks if v not in living and not v.new})
    return replace(of, first=living[0].uuid, day0=initial_sync.day0(living[0]))


def _refuse_leaving(definition: ResourceDefinition, nodes: set[str]) -> None:
    """What is on its way out there is known as the last one: its node could not end that beside a new first one."""
    if nodes:
        raise Refused(
            f"'{definition.name}' is still being deleted on {', '.join(sorted(nodes))}.",
            correction="Wait until these nodes have confirmed, or 'orlop node lost NODE'.",
            code=Fail.RSC_BUSY,
        )
