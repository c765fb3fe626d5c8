"""What an administrator has done with a replicated resource on one node: verify, invalidate, connect and their like.

A disconnection is a wish that lasts until it is taken back, so it is kept with the connection; everything else is done
once, by the satellite, before it is answered.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Info, Subject
from orlop.controller import replicas, split_brain, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.growing import UP_TO_DATE, facts
from orlop.controller.orders import nodes_of
from orlop.controller.replication import replicated
from orlop.controller.usecases import guards, lookup, waiting
from orlop.errors import Refused, TransportError
from orlop.model import ReplicaOrder, ReplicaVerb, Resource, ResourceConnection, ResourceDefinition, key

ALGORITHM = "Net/verify-alg"
ROLES = (ReplicaVerb.PRIMARY, ReplicaVerb.SECONDARY)
SAID = {
    ReplicaVerb.VERIFY: "being compared with its peers",
    ReplicaVerb.INVALIDATE: "being replaced by that of a peer",
    ReplicaVerb.PAUSE_SYNC: "not synchronized until that is resumed",
    ReplicaVerb.RESUME_SYNC: "synchronized again",
    ReplicaVerb.PRIMARY: "primary",
    ReplicaVerb.SECONDARY: "secondary",
}


def once(core: Core, name: str, node: str, verb: ReplicaVerb, request: wire.ReplicaOperation) -> Answers:
    """Everything but connecting and disconnecting."""
    definition, resource = _replica(core, name, node)
    alone = verb in ROLES and not request.peer  # a single replica has a role, too
    peers = [] if alone else _peers(definition, resource, request.peer)
    if verb is ReplicaVerb.VERIFY:
        _require_algorithm(core, definition, resource, peers)
    if verb is ReplicaVerb.INVALIDATE:
        _require_source(core, definition, resource, peers)
    answers = Answers(codes.MODIFY, Subject.RSC, RscDfn=definition.name, Node=resource.node)
    order = ReplicaOrder(verb=verb, peer=peers[0].node if request.peer else "")
    done = obeyed(core, definition, resource, order)
    what = f"'{definition.name}' on node '{resource.node}' is {SAID[verb]}"
    if done:
        answers.success(f"{what}.", codes.MODIFIED)
    else:
        answers.info(f"{what} already; nothing was done.", Info.NOOP)
    if verb is ReplicaVerb.VERIFY:
        answers.info("How far it is and what differs: 'orlop volume list', in KiB when it is over.")
    return answers


def disconnect(core: Core, name: str, node: str, request: wire.ReplicaOperation) -> Answers:
    """Both ends are told; it lasts until somebody connects them again, whatever restarts meanwhile."""
    answers = Answers(codes.MODIFY, Subject.RSC_CONN, RscDfn=name, Node=node)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        resource = _of_definition(definition, node)
        peers = _peers(definition, resource, request.peer)
        draft.put(_with_wishes(core, definition, resource, peers, disconnected=True))
        left = [p for p in replicas.peers(definition, resource) if p not in peers]
        left = [p for p in left if replicas.is_connected(definition, resource.node, p.node)]
    names = ", ".join(peer.node for peer in peers)
    answers.success(f"'{definition.name}': node '{resource.node}' is not to be connected to {names}.", codes.MODIFIED)
    if not left:
        _warn_of_the_last(core, answers, definition, resource, peers)
    nodes = [resource.node, *(peer.node for peer in peers)]
    waiting.settled(core, answers, definition.name, nodes, f"disconnected '{definition.name}'", "it will disconnect")
    return answers


def connect(core: Core, name: str, node: str, request: wire.ReplicaOperation) -> Answers:
    """Takes back a disconnection, and begins a connection anew that DRBD gave up."""
    answers = Answers(codes.MODIFY, Subject.RSC_CONN, RscDfn=name, Node=node)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        resource = _of_definition(definition, node)
        peers = _peers(definition, resource, request.peer)
        _refuse_split(core, definition, resource, peers)
        definition = _with_wishes(core, definition, resource, peers, disconnected=False)
        draft.put(definition)
    names = ", ".join(peer.node for peer in peers)
    answers.success(f"'{definition.name}': node '{resource.node}' is to be connected to {names}.", codes.MODIFIED)
    nodes = [resource.node, *(peer.node for peer in peers)]
    waiting.settled(core, answers, definition.name, nodes, f"connects '{definition.name}'", "it will connect")
    for one, other in [ends for peer in peers for ends in ((resource, peer), (peer, resource))]:
        if core.reported.online(one.node) and state(core, definition, one, other) == split_brain.ALONE:
            obeyed(core, definition, one, ReplicaOrder(verb=ReplicaVerb.CONNECT, peer=other.node))
    return answers


def obeyed(core: Core, definition: ResourceDefinition, resource: Resource, order: ReplicaOrder) -> tuple[str, ...]:
    """The steps that were carried out; raises what stood in the way."""
    try:
        outcome = core.asked(resource.node, lambda links: links.operate(resource.node, definition.name, order))
    except TransportError as error:
        raise Refused(
            f"Node '{resource.node}' is not connected: '{order.verb}' of '{definition.name}' may not have been done.",
            cause=error.message,
            correction="The same request can be repeated when the node is back.",
            code=Fail.NOT_CONNECTED,
        ) from error
    if outcome.problem:
        raise Refused(
            f"'{order.verb}' of '{definition.name}' failed on node '{resource.node}': {outcome.problem}",
            cause=f"The step that failed: {outcome.step}" if outcome.step else "",
            details="Done before: " + "; ".join(outcome.done) if outcome.done else "",
            code=waiting.failure_code(outcome.problem, outcome.code),
        )
    return outcome.done


def state(core: Core, definition: ResourceDefinition, one: Resource, other: Resource) -> str:
    """Of the connection, as the first node reports it; empty while nothing is known."""
    report = core.reported.resource(one.node, definition.name)
    said = (facts(report, volume) for volume in one.volumes)
    return next((found[name] for found in said if (name := f"peer/{other.node}/connection") in found), "")


def _replica(core: Core, name: str, node: str) -> tuple[ResourceDefinition, Resource]:
    definition = lookup.definition(core.picture, name)
    resource = _of_definition(definition, node)
    guards.connected(core, [resource.node], f"Doing this with '{definition.name}' on '{resource.node}'")
    guards.active(definition, resource)
    return definition, resource


def _of_definition(definition: ResourceDefinition, node: str) -> Resource:
    guards.not_deleting(definition)
    resource = lookup.resource(definition, node)
    if not replicated(definition) or resource.node_id is None:
        raise Refused(
            f"'{definition.name}' is not replicated: its layer stack is {', '.join(definition.layers)}.",
            code=Fail.INVLD_LAYER_KIND,
        )
    if resource.deleting:
        raise Refused(f"Resource '{definition.name}' on node '{node}' is being deleted.", code=Fail.INVLD_RSC_STATE)
    return resource


def _peers(definition: ResourceDefinition, resource: Resource, named: str) -> list[Resource]:
    peers = replicas.peers(definition, resource)
    if named:
        lookup.resource(definition, named)
        peers = [peer for peer in peers if key(peer.node) == key(named)]
    if not peers:
        raise Refused(
            f"Node '{resource.node}' has no peer '{named}' in '{definition.name}'."
            if named
            else f"'{definition.name}' has one replica only, on node '{resource.node}'.",
            code=Fail.NOT_FOUND_RSC,
        )
    return peers


def _require_algorithm(
    core: Core, definition: ResourceDefinition, resource: Resource, peers: Iterable[Resource]
) -> None:
    wanted = replicas.wanted(core.picture, definition, resource, resource.volumes[0]) if resource.volumes else None
    options = {peer.node: peer.options for peer in wanted.replica.peers} if wanted else {}
    lacking = [peer.node for peer in peers if ALGORITHM not in options.get(peer.node, {})]
    if lacking:
        raise Refused(
            f"'{definition.name}' cannot be verified: it is not set how blocks are compared with {', '.join(lacking)}.",
            cause="The DRBD option verify-alg has no value.",
            correction=f"orlop resource-definition drbd-options {definition.name} --verify-alg crc32c",
            code=Fail.INVLD_PROP,
        )


def _require_source(core: Core, definition: ResourceDefinition, resource: Resource, peers: list[Resource]) -> None:
    """Raises unless each volume has another replica that is connected and up to date by both nodes' word."""
    report = core.reported.resource(resource.node, definition.name)
    for volume in resource.volumes:
        said = facts(report, volume)
        sources = [
            peer
            for peer in peers
            if said.get(f"peer/{peer.node}/connection") == split_brain.CONNECTED
            and said.get(f"peer/{peer.node}/disk") == UP_TO_DATE
            and _is_whole(core, definition, peer, volume.number)
        ]
        if not sources:
            raise Refused(
                f"The data of '{definition.name}' on node '{resource.node}' is kept: volume {volume.number} has no "
                "other replica that is connected to it and up to date.",
                cause=f"Looked at: {', '.join(peer.node for peer in peers)}.",
                correction="Bring another replica up and wait until it is synchronized; see 'orlop resource list'.",
                code=Fail.INSUFFICIENT_REPLICA_COUNT,
            )


def _is_whole(core: Core, definition: ResourceDefinition, peer: Resource, number: int) -> bool:
    report = core.reported.resource(peer.node, definition.name)
    return any(facts(report, v).get("disk") == UP_TO_DATE for v in peer.volumes if v.number == number)


def _refuse_split(core: Core, definition: ResourceDefinition, resource: Resource, peers: list[Resource]) -> None:
    reports = core.reported.currents(nodes_of(definition), definition.name)
    for found in split_brain.given_up(definition, reports):
        others = set(found.nodes) - {resource.node}
        if found.certain and resource.node in found.nodes and others & {peer.node for peer in peers}:
            raise Refused(
                f"'{definition.name}' is not connected: {' and '.join(found.nodes)} both have data that the other "
                "lacks.",
                cause="DRBD gives such a connection up at once.",
                correction=f"See 'orlop resource split-brain {definition.name}'.",
                code=Fail.INVLD_RSC_STATE,
            )


def _with_wishes(
    core: Core, definition: ResourceDefinition, resource: Resource, peers: list[Resource], disconnected: bool
) -> ResourceDefinition:
    """A connection without properties is no object."""
    connections = definition.connections
    for peer in peers:
        first, second = sorted((resource.node, peer.node), key=key)
        present = replicas.connection_of(definition, first, second)
        before = present or ResourceConnection(node_a=first, node_b=second, uuid=core.new_uuid())
        props = {name: value for name, value in before.props.items() if name != replicas.DISCONNECTED}
        if disconnected:
            props[replicas.DISCONNECTED] = "true"
        kept = (replace(before, props=props),) if props else ()
        connections = (*(c for c in connections if c is not present), *kept)
    return replace(definition, connections=connections)


def _warn_of_the_last(
    core: Core, answers: Answers, definition: ResourceDefinition, resource: Resource, peers: list[Resource]
) -> None:
    """Whoever writes on one of the nodes now writes there only."""
    for user in guards.users(core, definition, [resource, *peers]):
        answers.warning(
            f"'{definition.name}' is in use on node '{user}': what is written there is on no other node until they are "
            "connected again.",
            correction=f"orlop resource connect {resource.node} {definition.name}",
            Node=user,
        )
