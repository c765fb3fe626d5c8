"""Quorum and tiebreakers of replicated resources, as they follow from the replicas. Pure, and safe to repeat.

`semantics.md` section 9. Whoever changes what is wanted has this done in the same transaction, for every definition
that the change concerns.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from uuid import NAMESPACE_OID, uuid5

from msgspec.structs import replace

from orlop.controller import drbd_versions, joining
from orlop.controller.calm import is_calm, is_fresh
from orlop.controller.diskless import CLIENT, FLAGS, TIE_BREAKER, diskful, is_diskless, is_tiebreaker
from orlop.controller.occupied import NOTHING
from orlop.controller.picture import Draft, Picture
from orlop.controller.placement import Cluster, fits, node_check
from orlop.controller.properties import Kind, Source, effective
from orlop.controller.replication import LAYER, numbered, replicated
from orlop.errors import Refused
from orlop.model import Controller, Node, Resource, ResourceDefinition, ResourceGroup, SelectFilter, key

QUORUM = "DrbdOptions/Resource/quorum"
SET_BY = "Internal/Drbd/QuorumSetBy"
USER = "user"
AUTO_ADD = "DrbdOptions/auto-add-quorum-tiebreaker"
MAJORITY, OFF = "majority", "off"
Props = Mapping[str, str]


def touch(cluster: Cluster, draft: Draft) -> None:
    """Completes the definitions that the changes of a draft concern."""
    for change in draft.changes:
        match change.before, change.after:
            case ResourceDefinition() as before, ResourceDefinition() as after if _are_counted(draft, after):
                joined = _joined(cluster._replace(picture=draft), before, after)
                if joined is not after:
                    draft.put(joined)
    for definition in _concerned(draft):
        after = completed(cluster._replace(picture=draft), definition, going=False)
        if after is not definition:
            draft.put(after)


def _concerned(draft: Draft) -> list[ResourceDefinition]:
    names: set[str] = set()
    for change in draft.changes:
        before, after = change.before, change.after
        match after:
            case ResourceDefinition():
                names.add(key(after.name))
            case Node() if isinstance(before, Node) and _differ(before.props, after.props, drbd_versions.VERSION):
                names.update(key(d.name) for d in draft.definitions_on(after.name))
            case ResourceGroup() if isinstance(before, ResourceGroup) and _differ(before.props, after.props):
                names.update(name for name, d in draft.definitions.items() if key(d.group) == key(after.name))
            case Controller() if isinstance(before, Controller) and _differ(before.props, after.props):
                names.update(draft.definitions)
    found = (draft.definitions.get(name) for name in sorted(names))
    return [d for d in found if d is not None and replicated(d) and not d.deleting]


def _differ(one: Props, other: Props, *names: str) -> bool:
    return any(one.get(name) != other.get(name) for name in names or (QUORUM, AUTO_ADD))


def completed(cluster: Cluster, definition: ResourceDefinition, *, going: bool = True) -> ResourceDefinition:
    """The definition with the tiebreaker and the quorum it is to have; the same object when it has them.

    `going`: whether a tiebreaker may go. It does not in a commit that changes anything else about the votes: nodes
    learn of that one after the other.
    """
    if not replicated(definition) or definition.deleting or not all_modern(cluster.picture, definition):
        return definition
    after = _with_tiebreaker(cluster, definition, going)
    props = _with_quorum(cluster, definition, after)
    if after is not definition and _goes_off(definition, props):
        after = definition
    return after if props == after.props else replace(after, props=props)


def _goes_off(definition: ResourceDefinition, props: Props) -> bool:
    return definition.props.get(QUORUM, OFF) != OFF == props.get(QUORUM)


def all_modern(picture: Picture, definition: ResourceDefinition) -> bool:
    """Whether votes are counted at all on the nodes that have the resource."""
    nodes = [r.node for r in definition.resources if r.node_id is not None]
    return bool(nodes) and drbd_versions.all_at_least(picture, nodes, drbd_versions.TIEBREAKERS)


# -- the tiebreaker ---------------------------------------------------------------------------------------------------


def needs_tiebreaker(picture: Picture, definition: ResourceDefinition) -> bool:
    """An even number of votes, and nobody without a disk who has one."""
    count = len(diskful(definition))
    others = [r for r in definition.resources if _votes(r) and TIE_BREAKER not in r.flags]
    return count >= 2 and count % 2 == 0 and not others and is_wanted(picture, definition)


def is_wanted(picture: Picture, definition: ResourceDefinition) -> bool:
    """Whether tiebreakers are added by themselves, and quorum is not switched off by somebody."""
    around = _around(picture, definition)
    auto = effective(AUTO_ADD, around)
    return (
        auto is not None
        and auto.value.lower() == "true"
        and _chosen_quorum(picture, definition) != OFF
        and all_modern(picture, definition)
    )


def _votes(resource: Resource) -> bool:
    return is_diskless(resource) and CLIENT not in resource.flags and not resource.deleting


def _with_tiebreaker(cluster: Cluster, definition: ResourceDefinition, going: bool) -> ResourceDefinition:
    present = any(is_tiebreaker(r) for r in definition.resources)
    if not present and needs_tiebreaker(cluster.picture, definition):
        return _added(cluster, definition)
    gone = {r.uuid for r in superfluous(cluster.picture, definition) if not _in_use(cluster, definition, r)}
    if not going or not gone or not is_calm(cluster.reported, definition):
        return definition
    resources = (replace(r, flags=r.flags | {"DELETE"}) if r.uuid in gone else r for r in definition.resources)
    return replace(definition, resources=tuple(resources))


def superfluous(picture: Picture, definition: ResourceDefinition) -> list[Resource]:
    """Tiebreakers that are to go as soon as that stops nobody."""
    present = [r for r in definition.resources if is_tiebreaker(r)]
    return present[1 if needs_tiebreaker(picture, definition) else 0 :]


def _in_use(cluster: Cluster, definition: ResourceDefinition, resource: Resource) -> bool:
    """Nobody asked for its removal: what may be in use stays."""
    report = cluster.reported.resource(resource.node, definition.name)
    return report is None or any(v.in_use is not False for v in report.volumes)


def _added(cluster: Cluster, definition: ResourceDefinition) -> ResourceDefinition:
    """The same object where no node will do; whoever asked is told."""
    node = _chosen_node(cluster, definition)
    if node is None:
        return definition
    made = Resource(node=node.name, uuid=_uuid(definition, node), flags=FLAGS | {TIE_BREAKER})
    try:
        return numbered(cluster.picture, replace(definition, resources=(*definition.resources, made)))
    except Refused:  # no port is left there, or no slot for another peer
        return definition


def _uuid(definition: ResourceDefinition, node: Node) -> str:
    return str(uuid5(NAMESPACE_OID, f"tiebreaker of {definition.uuid} on {node.uuid} since {definition.revision}"))


def _chosen_node(cluster: Cluster, definition: ResourceDefinition) -> Node | None:
    """One that the group's rules of spreading allow, if there is any; the one with the fewest resources."""
    group = cluster.picture.group(definition.group)
    rule = group.select_filter if group else SelectFilter()
    others = [node for r in diskful(definition) if (node := cluster.picture.node(r.node)) is not None]
    spread = replace(rule, x_replicas_on_different={name: 1 for name in rule.x_replicas_on_different})
    second_best = None
    for node in _able(cluster, definition):
        if fits([*others, node], spread):
            return node
        second_best = second_best or node
    return second_best


def _able(cluster: Cluster, definition: ResourceDefinition) -> Iterator[Node]:
    """Nodes that can break its ties, the one with the fewest resources first: most are never looked at."""
    taken, there = {key(r.node) for r in definition.resources}, cluster.picture.occupied
    nodes = cluster.picture.nodes
    problem = node_check(cluster, SelectFilter(), (LAYER,))
    for at in sorted(nodes, key=lambda at: (there.get(at, NOTHING).resources, at)):
        if at in taken or problem(nodes[at]) is not None:
            continue
        if drbd_versions.all_at_least(cluster.picture, [at], drbd_versions.TIEBREAKERS):
            yield nodes[at]


# -- quorum -----------------------------------------------------------------------------------------------------------


def marked(before: Props, after: Props, named: Iterable[str] = ()) -> Props:
    """Properties of a definition after a request: what the user sets, or takes back, is noted.

    `named`: those that the request sets; one may be what was computed.
    """
    if before.get(QUORUM) == after.get(QUORUM) and QUORUM not in named:
        return after
    kept = {name: value for name, value in after.items() if name != SET_BY}
    return {**kept, SET_BY: USER} if QUORUM in after else kept


def _with_quorum(cluster: Cluster, before: ResourceDefinition, after: ResourceDefinition) -> Props:
    """`after`: with the tiebreaker that it is to have. A majority is only asked for where it is known to be there."""
    if before.props.get(SET_BY) == USER:
        return before.props
    others = {name: value for name, value in before.props.items() if name != QUORUM}
    if _chosen_quorum(cluster.picture, after) is not None:
        return others  # whatever was computed would hide it
    quorum = _computed(after)
    rises = quorum == MAJORITY and before.props.get(QUORUM, OFF) == OFF
    if rises and not is_fresh(after) and not is_calm(cluster.reported, after):
        return {**others, QUORUM: OFF}
    return {**others, QUORUM: quorum}


def _computed(definition: ResourceDefinition) -> str:
    """Two with a disk cannot outvote each other; with somebody to break ties, or with three, a majority can be."""
    count = len(diskful(definition))
    return MAJORITY if count >= 3 or (count == 2 and any(map(_votes, definition.resources))) else OFF


def _chosen_quorum(picture: Picture, definition: ResourceDefinition) -> str | None:
    """What a user said about quorum, on whichever object."""
    if definition.props.get(SET_BY) == USER:
        return definition.props.get(QUORUM)
    group = picture.group(definition.group)
    nodes = [picture.node(r.node) for r in definition.resources]
    around: list[Props] = [
        *(r.props for r in definition.resources),
        group.props if group else {},
        *(node.props for node in nodes if node is not None),
        picture.controller.props,
    ]
    return next((props[QUORUM] for props in around if QUORUM in props), None)


def _joined(cluster: Cluster, before: ResourceDefinition, after: ResourceDefinition) -> ResourceDefinition:
    """With replicas that were added as ones that meet the others first, where votes are short."""
    in_force = _chosen_quorum(cluster.picture, before) or before.props.get(QUORUM, OFF)
    return after if in_force == OFF else joining.begun(cluster.reported, before, after, in_force)


def _are_counted(picture: Picture, definition: ResourceDefinition) -> bool:
    return replicated(definition) and all_modern(picture, definition)


def _around(picture: Picture, definition: ResourceDefinition) -> dict[Kind, Source]:
    group = picture.group(definition.group)
    return {
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
        Kind.CONTROLLER: Source("", picture.controller.props),
    }
