"""Nodes: how they come, change and go. Their net interfaces have a module of their own."""

from __future__ import annotations

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Info, Subject, Warn
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.picture import Draft, Picture
from orlop.controller.properties import Kind
from orlop.controller.reported import Status
from orlop.controller.usecases import forgetting, guards, lookup, snapshots
from orlop.controller.usecases.net_interfaces import interfaces_of, switched
from orlop.controller.usecases.property_changes import changed, checked
from orlop.errors import Refused
from orlop.model import Node, ResourceDefinition, StoragePool, StoragePoolDefinition, key, names

KINDS = ("SATELLITE", "COMBINED", "CONTROLLER", "AUXILIARY")
DISKLESS = "DISKLESS"
DISKLESS_POOL = "DfltDisklessStorPool"
CONNECT = 5.0  # seconds a request waits for the first connection to a satellite


def create(core: Core, body: wire.Node) -> Answers:
    """Makes the node with its diskless pool, then waits a moment for its satellite."""
    name = names.node(body.name)
    kind = _kind(body.type)
    answers = Answers(codes.CREATE, Subject.NODE, Node=name)
    node = Node(
        name=name,
        uuid=core.new_uuid(),
        kind=kind,
        props=checked(core.drivers, Kind.NODE, body.props),
        interfaces=interfaces_of(core, kind, body.net_interfaces),
    )
    with core.change() as draft:
        if existing := draft.node(name):
            raise Refused(
                f"Node '{existing.name}' exists already.",
                correction="Choose another name, or use the node as it is.",
                code=Fail.EXISTS_NODE,
            )
        draft.put(node)
        if node.has_satellite:
            _add_diskless_pool(core, draft, node)
    answers.success(f"New node '{name}' is registered.", codes.CREATED, details=f"Its UUID is {node.uuid}.")
    _await_connection(core, node, answers)
    return answers


def modify(core: Core, name: str, body: wire.NodeModify) -> Answers:
    with core.change() as draft:
        node = lookup.node(draft, name)
        answers = Answers(codes.MODIFY, Subject.NODE, Node=node.name)
        answers.success(f"Node '{node.name}' is modified.", codes.MODIFIED)
        node = replace(node, props=changed(core.drivers, answers, Kind.NODE, node.props, body))
        if body.node_type and _kind(body.node_type) != node.kind:
            node = _retyped(core, draft, node, _kind(body.node_type))
        draft.put(node)
    return answers


def delete(core: Core, name: str) -> Answers:
    """Only a node that holds nothing: without replication every replica is a last copy."""
    with core.change() as draft:
        node = lookup.node(draft, name)
        answers = Answers(codes.DELETE, Subject.NODE, Node=node.name)
        _require_empty(core, draft, node)
        _remove(draft, node)
    answers.success(f"Node '{node.name}' is deleted.", codes.DELETED, details=f"Its UUID was {node.uuid}.")
    return answers


def lost(core: Core, name: str) -> Answers:
    """Forget a node that will not come back, with everything on it."""
    with core.change() as draft:
        node = lookup.node(draft, name)
        if core.reported.node(name).status in forgetting.CONNECTED:
            raise Refused(
                f"Node '{node.name}' is connected: it is not lost.",
                correction="Delete it with 'orlop node delete', or stop its satellite first if it must be forgotten.",
                code=Fail.EXISTS_NODE_CONN,
            )
        answers = Answers(codes.DELETE, Subject.NODE, Node=node.name)
        answers.success(f"Node '{node.name}' is forgotten.", codes.DELETED, details=f"Its UUID was {node.uuid}.")
        for definition in draft.definitions_on(node.name):
            forgetting.forget_node(draft, definition, node.name)
            answers.info(f"Resource '{definition.name}' on node '{node.name}' is forgotten.", RscDfn=definition.name)
        _remove(draft, node)
    return answers


def reconnect(core: Core, name: str) -> Answers:
    node = lookup.node(core.picture, name)
    answers = Answers(codes.MODIFY, Subject.NODE, Node=node.name)
    if not node.has_satellite:
        raise Refused(f"Node '{node.name}' is of type {node.kind}: it has no satellite.", code=Fail.INVLD_NODE_TYPE)
    if core.links:
        core.links.reconnect(node)
    answers.success(f"The connection to node '{node.name}' is made anew.", codes.MODIFIED)
    _await_connection(core, node, answers)
    return answers


def evict(core: Core, name: str) -> Answers:
    """Mark the node and its resources; nothing is removed, and `restore` takes the marks away."""
    with core.change() as draft:
        node = lookup.node(draft, name)
        answers = Answers(codes.MODIFY, Subject.NODE, Node=node.name)
        answers.success(f"Node '{node.name}' is evicted.", codes.MODIFIED)
        draft.put(replace(node, flags=node.flags | {"EVICTED"}, evicted_at=core.clock.milliseconds()))
        _mark(draft, node.name, frozenset({"EVICTED"}), frozenset())
    return answers


def evacuate(core: Core, name: str, body: wire.NodeEvacuate) -> Answers:
    """Exclude the node from placement. What cannot be moved without replication is said for each resource."""
    with core.change() as draft:
        node = lookup.node(draft, name)
        for other in (*body.target, *body.do_not_target):
            lookup.node(draft, other)
        answers = Answers(codes.MODIFY, Subject.NODE, Node=node.name)
        answers.success(f"Node '{node.name}' is marked for evacuation.", codes.MODIFIED)
        draft.put(replace(node, flags=node.flags | {"EVACUATE"}))
        for definition in _mark(draft, node.name, frozenset({"EVACUATE"}), frozenset()):
            answers.warning(
                f"Resource '{definition.name}' stays on node '{node.name}'.",
                Warn.NOT_EVACUATING,
                RscDfn=definition.name,
                cause="Its replicas are independent of each other: the one on this node is the only copy of its data.",
                correction="Copy the data elsewhere, then delete the resource.",
            )
    return answers


def restore(core: Core, name: str, body: wire.NodeRestore) -> Answers:
    with core.change() as draft:
        node = lookup.node(draft, name)
        answers = Answers(codes.MODIFY, Subject.NODE, Node=node.name)
        answers.success(f"Node '{node.name}' is restored.", codes.MODIFIED)
        marks = frozenset({"EVICTED", "EVACUATE"})
        draft.put(replace(node, flags=node.flags - marks, evicted_at=None))
        for definition in _mark(draft, node.name, frozenset(), marks):
            if body.delete_resources:
                answers.warning(
                    f"Resource '{definition.name}' on node '{node.name}' is kept.",
                    RscDfn=definition.name,
                    cause="It is the only copy of its data.",
                    correction="Delete it with 'orlop resource delete' if the data is not needed.",
                )
        if body.delete_snapshots:
            _delete_snapshots(draft, node.name, answers)
    return answers


def _kind(text: str) -> str:
    kind = text.upper()
    if kind not in KINDS:
        raise Refused(
            f"'{text}' is not a type of node that this version knows.",
            correction=f"Use one of {', '.join(KINDS)}.",
            code=Fail.INVLD_NODE_TYPE,
        )
    return kind


def _retyped(core: Core, draft: Draft, node: Node, kind: str) -> Node:
    after = replace(node, kind=kind, interfaces=switched(node, kind))
    if after.has_satellite and not node.has_satellite:
        _add_diskless_pool(core, draft, after)
    if node.has_satellite and not after.has_satellite:
        pools = [p for (owner, _), p in draft.pools.items() if owner == key(node.name)]
        if draft.definitions_on(node.name) or any(p.provider != DISKLESS for p in pools):
            raise Refused(
                f"Node '{node.name}' has resources or storage pools: it cannot become of type {kind}.",
                correction="Delete them first.",
                code=Fail.INVLD_STOR_DRIVER,
            )
        for pool in pools:
            draft.remove(pool)
    return after


def _add_diskless_pool(core: Core, draft: Draft, node: Node) -> None:
    if key(DISKLESS_POOL) not in draft.pool_definitions:
        draft.put(StoragePoolDefinition(name=DISKLESS_POOL, uuid=core.new_uuid()))
    draft.put(StoragePool(node=node.name, name=DISKLESS_POOL, uuid=core.new_uuid(), provider=DISKLESS, new=False))


def _await_connection(core: Core, node: Node, answers: Answers) -> None:
    if not node.has_satellite:
        return

    def tried() -> Status | None:
        found = core.reported.node(node.name)
        return found.status if found.status is Status.ONLINE or found.problem else None

    status = core.wait(tried, CONNECT)
    found = core.reported.node(node.name)
    if status is Status.ONLINE:
        answers.info(f"Node '{node.name}' is online.")
    else:
        answers.warning(
            f"Node '{node.name}' is not online yet.",
            Warn.NOT_CONNECTED,
            cause=found.problem,
            correction="See that orlop-satellite runs there and can be reached; the controller goes on trying.",
        )
    if found.info and key(found.info.uname) != key(node.name):
        answers.info(
            f"Node '{node.name}' calls itself '{found.info.uname}'.",
            Info.NODE_NAME_MISMATCH,
            correction="Name nodes as 'uname -n' does: other software on the node may rely on it.",
        )


def _require_empty(core: Core, picture: Picture, node: Node) -> None:
    definitions = picture.definitions_on(node.name)
    for definition in definitions:
        report = core.reported.resource(node.name, definition.name)
        if report and any(v.in_use for v in report.volumes):
            raise Refused(
                f"Resource '{definition.name}' is in use on node '{node.name}'.",
                cause=guards.holders(core, definition, [node.name]),
                correction="Unmount or close it, then try again.",
                code=Fail.IN_USE,
            )
    if definitions:
        listed = ", ".join(sorted(d.name for d in definitions))
        raise Refused(
            f"Node '{node.name}' holds the only copy of some data.",
            details=f"Resources or snapshots of: {listed}.",
            correction="Delete the resources and snapshots on it first. If the node will never come back, "
            f"'orlop node lost {node.name}' forgets it with its data.",
            code=Fail.NODE_HAS_USED_RSC,
        )


def _remove(draft: Draft, node: Node) -> None:
    here = key(node.name)
    for (owner, _), pool in list(draft.pools.items()):
        if owner == here:
            draft.remove(pool)
    for pair, connection in list(draft.node_connections.items()):
        if here in pair:
            draft.remove(connection)
    draft.remove(node)


def _mark(draft: Draft, node: str, add: frozenset[str], remove: frozenset[str]) -> list[ResourceDefinition]:
    """Change flags of all resources on a node; the definitions that have one."""
    here = key(node)
    marked = []
    for definition in draft.definitions_on(node):
        resources = tuple(
            replace(r, flags=(r.flags | add) - remove) if key(r.node) == here else r for r in definition.resources
        )
        if any(key(r.node) == here for r in resources):
            marked.append(definition)
            draft.put(replace(definition, resources=resources))
    return sorted(marked, key=lambda d: key(d.name))


def _delete_snapshots(draft: Draft, node: str, answers: Answers) -> None:
    here = key(node)
    for definition in draft.definitions_on(node):
        for snapshot in definition.snapshots:
            if all(key(part.node) != here for part in snapshot.nodes):
                continue
            try:
                snapshots.mark_deleted(draft, definition.name, snapshot.name, {here})
            except Refused as error:
                answers.refused(error)
            else:
                answers.info(
                    f"Snapshot '{snapshot.name}' of '{definition.name}' on node '{node}' is removed.",
                    RscDfn=definition.name,
                    Snapshot=snapshot.name,
                )
