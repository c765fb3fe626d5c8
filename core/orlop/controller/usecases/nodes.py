"""Nodes: how they come, change and go. Their net interfaces have a module of their own."""

from __future__ import annotations

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Info, Subject, Warn
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import diskful
from orlop.controller.picture import Draft, Picture
from orlop.controller.properties import Kind
from orlop.controller.replication import replicated
from orlop.controller.reported import Status
from orlop.controller.usecases import evacuation, forgetting, guards, lookup, replicating
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
    """Only a node that holds nothing: it is emptied before."""
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
        affected = draft.definitions_on(node.name)
        for definition in affected:
            forgetting.forget_node(draft, definition, node.name)
            _explain_lost(core, answers, definition, node.name)
        _remove(draft, node)
    evacuation.explain_missing(answers, evacuation.replace_missing(core, [d.name for d in affected]))
    return answers


def _explain_lost(core: Core, answers: Answers, definition: ResourceDefinition, node: str) -> None:
    """A replica that no good one is left of is told as what it is."""
    answers.info(f"Resource '{definition.name}' on node '{node}' is forgotten.", RscDfn=definition.name)
    others = [r for r in diskful(definition) if key(r.node) != key(node)]
    had_disk = len(others) < len(diskful(definition))
    if not replicated(definition) or not had_disk or not others:
        return
    if not any(replicating.is_up_to_date(core, definition, r) for r in others):
        answers.warning(
            f"No replica of '{definition.name}' is known to be up to date.",
            cause=f"It is left on: {', '.join(r.node for r in others)}.",
            correction=f"See 'orlop resource list --resources {definition.name}' before it is used.",
            RscDfn=definition.name,
        )


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
    definitions, here = picture.definitions_on(node.name), key(node.name)
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
        copies = sorted(
            d.name for d in definitions if not replicated(d) and any(key(r.node) == here for r in d.resources)
        )
        raise Refused(
            f"Node '{node.name}' still has resources or snapshots.",
            cause=f"It holds the only copy of some data: {', '.join(copies)}." if copies else "",
            details=f"Resources or snapshots of: {listed}.",
            correction=f"'orlop node evacuate {node.name}' moves what is replicated; delete the rest on it first. If "
            f"the node will never come back, 'orlop node lost {node.name}' forgets it with its data.",
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
