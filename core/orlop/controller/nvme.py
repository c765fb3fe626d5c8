"""Definitions with NVMe on top: which node is the target, what it is allotted, when initiators may connect. Pure.

A volume on an initiator is the same incarnation as on the target, seen from elsewhere: both bear the same uuid.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from orlop.codes import Fail
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.errors import Refused
from orlop.model import Level, Node, NodeInfo, Resource, ResourceDefinition, Volume, key

LAYER = "NVME"
FLAGS = frozenset({"DISKLESS", "NVME_INITIATOR"})
POOL = "DfltDisklessStorPool"
PORT = "Internal/NVMe/Port"  # of the target's resource
ADMITTED = "Internal/NVMe/Admitted"  # of an initiator's resource
HOST = "Satellite/NVMe/HostNqn"  # of a node
HOST_NAME = re.compile(r"nqn\.[0-9]{4}-[0-9]{2}\.[A-Za-z0-9.:_-]{1,200}")  # it becomes part of paths on other nodes
FIRST_PORT, LAST_PORT = 4420, 5419
TRANSPORT = "tcp"

replace = msgspec.structs.replace


def on_top(layers: tuple[str, ...]) -> bool:
    return layers[:1] == (LAYER,)


def is_initiator(resource: Resource) -> bool:
    return "NVME_INITIATOR" in resource.flags


def target(definition: ResourceDefinition) -> Resource | None:
    return next((r for r in definition.resources if on_top(definition.layers) and not r.diskless), None)


def initiators(definition: ResourceDefinition) -> list[Resource]:
    return [r for r in definition.resources if is_initiator(r)]


# -- what is made -----------------------------------------------------------------------------------------------------


def refuse_second_target(definition: ResourceDefinition, more: int = 1) -> None:
    """Raises where a definition would get a second resource with storage: the two would be unrelated copies."""
    there = target(definition)
    if on_top(definition.layers) and (there is not None or more > 1):
        at = f" It is on node '{there.node}'." if there else ""
        raise Refused(
            f"'{definition.name}' has one NVMe target, the only resource with storage.{at}",
            cause=f"Its layer stack is {', '.join(definition.layers)}: it replicates nothing.",
            correction=f"Use it on other nodes without storage: orlop resource create NODE {definition.name} "
            "--nvme-initiator. To place it automatically, ask for one place.",
            code=Fail.EXISTS_NVME_TARGET_PER_RSC_DFN,
        )


def refuse_abandoned(definition: ResourceDefinition) -> None:
    """Raises where initiators are left of a target that is lost: what they were connected to is another volume."""
    left = [r.node for r in initiators(definition)]
    if left and target(definition) is None:
        raise Refused(
            f"'{definition.name}' still has NVMe initiators of a target that is gone, on {', '.join(left)}.",
            correction="Delete them first, then create the target and new initiators.",
            code=Fail.EXISTS_NVME_INITIATOR_PER_RSC_DFN,
        )


def require_target(definition: ResourceDefinition) -> Resource:
    """Raises where there is nothing that an initiator could connect to."""
    there = target(definition)
    if there is None or there.deleting:
        raise Refused(
            f"'{definition.name}' has no NVMe target that an initiator could connect to.",
            cause="The target is being deleted." if there else "It has no resource with storage yet.",
            correction=f"Create the target first: orlop resource create NODE {definition.name} --storage-pool POOL.",
            code=Fail.MISSING_NVME_TARGET,
        )
    return there


def refuse_left_alone(definition: ResourceDefinition, resource: Resource, what: str) -> None:
    """Raises where a target would leave initiators behind."""
    left = [r.node for r in initiators(definition) if not r.deleting]
    if left and not is_initiator(resource) and on_top(definition.layers):
        raise Refused(
            f"{what} is refused: NVMe initiators on {', '.join(left)} reach '{definition.name}' through node "
            f"'{resource.node}'.",
            correction="Delete the initiators first, or delete the resource definition with all of its resources.",
            code=Fail.EXISTS_NVME_INITIATOR_PER_RSC_DFN,
        )


def completed(definition: ResourceDefinition) -> ResourceDefinition:
    """With a volume on every initiator for each one of the target."""
    there = target(definition)
    if there is None or not initiators(definition):
        return definition
    wanted = [v for v in there.volumes if "DELETE" not in v.flags]
    resources = tuple(_with_volumes(r, wanted) if is_initiator(r) else r for r in definition.resources)
    return replace(definition, resources=resources)


def _with_volumes(resource: Resource, wanted: list[Volume]) -> Resource:
    there = {v.number for v in resource.volumes}
    more = [
        Volume(number=v.number, uuid=v.uuid, pool=POOL, levels=(Level(layer=LAYER, size=v.levels[0].size),))
        for v in wanted
        if v.number not in there
    ]
    if not more or resource.deleting:
        return resource
    return replace(resource, volumes=tuple(sorted((*resource.volumes, *more), key=lambda v: v.number)))


def with_port(picture: Picture, resource: Resource) -> Resource:
    """A new target with a TCP port that no other target of its node has."""
    at = key(resource.node)
    taken = {r.props.get(PORT) for d in picture.definitions_on(resource.node) for r in d.resources if key(r.node) == at}
    free = next((n for n in range(FIRST_PORT, LAST_PORT + 1) if str(n) not in taken), None)
    if free is None:
        raise Refused(
            f"Every port from {FIRST_PORT} to {LAST_PORT} of node '{resource.node}' serves an NVMe target already.",
            correction="Delete some there, or set NVMe/Port of the resource definition: targets can share a port.",
            code=Fail.INVLD_NET_PORT,
        )
    return replace(resource, props={**resource.props, PORT: str(free)})


# -- what nodes are told ----------------------------------------------------------------------------------------------


def data(picture: Picture, definition: ResourceDefinition, resource: Resource, volume: Volume) -> Mapping[str, str]:
    """What the level of one volume has to know."""
    there = target(definition)
    if there is None:
        return {}
    where = {
        "transport": _value(picture, definition, there, "NVMe/TRType") or TRANSPORT,
        "port": _value(picture, definition, there, "NVMe/Port") or there.props.get(PORT) or str(FIRST_PORT),
        "address": _address(picture, definition, there),
    }
    if is_initiator(resource):
        return {**where, "host": host(picture, resource.node)}
    nodes = [r.node for r in initiators(definition) if any(v.number == volume.number for v in r.volumes)]
    return {**where, "hosts": " ".join(sorted({name for node in nodes if (name := host(picture, node))}))}


def host(picture: Picture, node: str) -> str:
    """The name by which a node is known to targets; empty until it has told."""
    found = picture.node(node)
    return found.props.get(HOST, "") if found else ""


def _value(picture: Picture, definition: ResourceDefinition, there: Resource, name: str) -> str:
    found = effective(name, _objects(picture, definition, there))
    return found.value if found else ""


def _objects(picture: Picture, definition: ResourceDefinition, there: Resource) -> dict[Kind, Source]:
    group, node = picture.group(definition.group), picture.node(there.node)
    pool = picture.pool(there.node, there.volumes[0].pool) if there.volumes else None
    return {
        Kind.RESOURCE: Source(there.node, there.props),
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
        Kind.STORAGE_POOL: Source(pool.name if pool else "", pool.props if pool else {}),
        Kind.NODE: Source(there.node, node.props if node else {}),
        Kind.CONTROLLER: Source("", picture.controller.props),
    }


def _address(picture: Picture, definition: ResourceDefinition, there: Resource) -> str:
    """Of the preferred net interface; of `default`, or the first, where none is preferred or it is not there."""
    node = picture.node(there.node)
    if node is None or not node.interfaces:
        return ""
    preferred = _value(picture, definition, there, "NVMe/PrefNic") or _value(picture, definition, there, "PrefNic")
    by_name = {key(interface.name): interface for interface in node.interfaces}
    return (by_name.get(key(preferred)) or by_name.get("default") or node.interfaces[0]).address


def admitted(initiator: Resource) -> Resource:
    """After the target let it in for the first time: before that it would be turned away."""
    if ADMITTED in initiator.props or initiator.deleting:
        return initiator
    return replace(initiator, props={**initiator.props, ADMITTED: "yes"})


def kept(definition: ResourceDefinition, resource: Resource, volume: Volume) -> bool:
    """Whether a volume stays although it is to be removed: initiators leave first."""
    others = [r for r in initiators(definition) if any(v.number == volume.number for v in r.volumes)]
    return on_top(definition.layers) and not is_initiator(resource) and bool(others)


def may_connect(picture: Picture, definition: ResourceDefinition, resource: Resource, volume: Volume) -> bool:
    """Whether the target offers just this incarnation, to this node, and both know what they need of each other."""
    there = target(definition)
    if there is None or there.deleting or "INACTIVE" in there.flags or ADMITTED not in resource.props:
        return False
    offered = next((v for v in there.volumes if v.uuid == volume.uuid), None)
    if offered is None or offered.new or "DELETE" in offered.flags:
        return False
    found = data(picture, definition, resource, volume)
    return bool(found["address"] and found["host"])


# -- what follows from others -----------------------------------------------------------------------------------------


def noticed(node: Node, info: NodeInfo | None) -> Node:
    """The node as it is to be kept after it told about itself; the same object when that is nothing new."""
    if info is None or node.props.get(HOST) == info.host_nqn or not HOST_NAME.fullmatch(info.host_nqn):
        return node
    return replace(node, props={**node.props, HOST: info.host_nqn})


def concerned(picture: Picture, nodes: Iterable[str] | None) -> list[ResourceDefinition]:
    """Definitions with an initiator that a change of some nodes (None: of anything) may concern."""
    names = None if nodes is None else {key(node) for node in nodes}
    return [
        d
        for d in picture.definitions.values()
        if on_top(d.layers) and (names is None or any(key(r.node) in names for r in d.resources))
    ]
