"""Which replicas leave a node, and what takes their place (`semantics.md` section 4). Pure.

A replica only goes where enough others are wanted to stay; else another node gets one first. What is not replicated
stays: it is the only copy of its data, and nothing here takes a copy away before another one is known to be whole.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from orlop.controller import drbd_versions, moving, replication
from orlop.controller.diskless import diskful, is_diskless
from orlop.controller.moving import EVACUATE, Move, Plan, Staying
from orlop.controller.picture import Draft, Picture, with_resource
from orlop.controller.placement import Candidate
from orlop.errors import OrlopError, Refused
from orlop.model import Resource, ResourceDefinition, SelectFilter, Volume, key

Choose = Callable[[Picture, SelectFilter, ResourceDefinition, int], list[Candidate]]


def plan(
    picture: Picture, node: str, choose: Choose, targets: tuple[str, ...] = (), avoided: tuple[str, ...] = ()
) -> Plan:
    """Moves that empty a node, and what stays with the reason.

    `choose` finds candidates for so many further replicas of a definition, or raises with the reasons.
    """
    draft = marked(picture, node)
    found: list[Move | Staying] = []
    for definition in sorted(draft.definitions_on(node), key=lambda d: key(d.name)):
        found += _of_definition(draft, definition, node, choose, targets, avoided)
    return moving.plan(found)


def marked(picture: Picture, node: str) -> Draft:
    """As if the node were being evacuated already: nothing is placed there. For computing only."""
    draft = Draft(picture)
    if (here := draft.node(node)) is not None:
        draft.put(replace(here, flags=here.flags | {"EVACUATE"}))
    return draft


def _of_definition(
    draft: Draft,
    definition: ResourceDefinition,
    node: str,
    choose: Choose,
    targets: tuple[str, ...],
    avoided: tuple[str, ...],
) -> list[Move | Staying]:
    found: list[Move | Staying] = []
    resource = next((r for r in definition.resources if key(r.node) == key(node)), None)
    if resource is not None and not resource.deleting and not definition.deleting and not _goes(definition, resource):
        found.append(_of_resource(draft, definition, resource, choose, targets, avoided))
    names = [s.name for s in definition.snapshots if any(key(part.node) == key(node) for part in s.nodes)]
    if names:
        found.append(
            Staying(
                definition.name,
                node,
                f"What snapshots hold is not copied to other nodes: {', '.join(names)}.",
                "Delete them there when they are not needed any more: orlop snapshot delete.",
            )
        )
    return found


def _goes(definition: ResourceDefinition, resource: Resource) -> bool:
    sources = [operation.arguments.get("source") for operation in moving.of(definition)]
    return any(source and key(source) == key(resource.node) for source in sources)


def _of_resource(
    draft: Draft,
    definition: ResourceDefinition,
    resource: Resource,
    choose: Choose,
    targets: tuple[str, ...],
    avoided: tuple[str, ...],
) -> Move | Staying:
    if not replication.replicated(definition):
        return Staying(
            definition.name,
            resource.node,
            f"Its layer stack is {', '.join(definition.layers)}: nothing replicates the data, and this node has the "
            "only copy.",
            "Copy the data elsewhere, then delete the resource.",
        )
    if is_diskless(resource) or missing(draft, definition, resource) <= 0:
        return Move(definition.name, EVACUATE, resource.node)
    others = without(definition, resource)
    try:
        (chosen,) = choose(draft, within(draft, definition, targets, avoided), others, 1)
    except OrlopError as error:
        cause = f"{error.cause} {error.details}".strip() or error.message
        return Staying(definition.name, resource.node, cause, error.correction)
    added = planned(definition, resource, chosen.node.name, chosen.pool.name)
    try:
        require_room_beside(draft, added)
    except Refused as error:
        cause = f"{error.message} {error.details}".strip()
        return Staying(definition.name, resource.node, cause, _by_hand(definition, resource, chosen))
    draft.put(added)
    return Move(definition.name, EVACUATE, resource.node, chosen.node.name, chosen.pool.name, size(resource))


def _by_hand(definition: ResourceDefinition, resource: Resource, chosen: Candidate) -> str:
    return (
        "A replacement cannot be filled before this one goes. With DRBD 9 on all nodes it could. By hand there is one "
        f"copy less until the new one is synchronized: orlop resource delete {resource.node} {definition.name}, then "
        f"orlop resource create {chosen.node.name} {definition.name} --storage-pool {chosen.pool.name}."
    )


def missing(picture: Picture, definition: ResourceDefinition, leaving: Resource) -> int:
    """How many replicas would be too few without this one. Where nobody says how many are wanted: as many as now."""
    staying = [r for r in moving.counted(definition) if r.uuid != leaving.uuid]
    group = picture.group(definition.group)
    wanted = (group.select_filter.place_count if group else None) or len(diskful(definition))
    return max(wanted, 1) - len(staying)


def within(
    picture: Picture, definition: ResourceDefinition, targets: tuple[str, ...], avoided: tuple[str, ...]
) -> SelectFilter:
    """The group's filter, on some nodes only."""
    group = picture.group(definition.group)
    rule = group.select_filter if group else SelectFilter()
    if not targets and not avoided:
        return rule
    names = targets or rule.node_names or tuple(node.name for node in picture.nodes.values())
    not_these = {key(name) for name in avoided}
    return replace(rule, node_names=tuple(name for name in names if key(name) not in not_these))


def without(definition: ResourceDefinition, leaving: Resource) -> ResourceDefinition:
    """As if it were gone, so that rules of spreading do not count it."""
    return replace(definition, resources=tuple(r for r in definition.resources if r.uuid != leaving.uuid))


def planned(definition: ResourceDefinition, like: Resource, node: str, pool: str) -> ResourceDefinition:
    """With a replica as one that is there, on another node; for computing only."""
    volumes: tuple[Volume, ...] = tuple(replace(v, pool=pool, new=True) for v in like.volumes)
    made = replace(like, node=node, uuid=f"{like.uuid} on {node}", volumes=volumes, props={})
    return with_resource(definition, replace(made, flags=frozenset()))


def require_room_beside(picture: Picture, added: ResourceDefinition) -> None:
    """Raises where DRBD cannot have all replicas at the same time."""
    drbd_versions.refuse_impossible(picture, added)
    replication.refuse_crowd(added)


def size(resource: Resource) -> int:
    """Bytes."""
    return sum(volume.levels[-1].size for volume in resource.volumes)
