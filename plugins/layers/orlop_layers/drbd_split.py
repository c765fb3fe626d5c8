"""What both sides of a connection that DRBD gave up need to be told apart by: the generations of their data."""

import re
from collections.abc import Iterable, Iterator, Mapping

from orlop.errors import NodeError
from orlop.model import WantedReplica
from orlop.plugin import Probe
from orlop_layers.drbd_seen import Connection, Resource

GENERATIONS = re.compile(r"^([0-9A-F]{16}(?::[0-9A-F]{16})*)", re.MULTILINE | re.IGNORECASE)
ALONE = "StandAlone"
NAMELESS = ("", "peer")  # what 8.4 calls its connection
Generations = Mapping[tuple[str, int, str], str]  # by resource, volume and node of the peer


def between(replica: WantedReplica, resource: Resource) -> Mapping[str, Connection]:
    """The connections of a resource, by node of the peer. DRBD 8.4 has one, and does not know whose it is."""
    if all(connection.name in NAMELESS for connection in resource.connections):
        return {peer.node: connection for peer, connection in zip(replica.peers, resource.connections, strict=False)}
    found = {connection.node_id: connection for connection in resource.connections}
    return {peer.node: found[peer.node_id] for peer in replica.peers if peer.node_id in found}


def linked(replica: WantedReplica) -> Iterator[str]:
    """Nodes of the peers that nobody asked to be disconnected from."""
    return (peer.node for peer in replica.peers if peer.connected)


def generations(probe: Probe, seen: Iterable[tuple[Resource, WantedReplica]]) -> Generations:
    """Only of connections that were given up: no other resource costs a program. Left out where it is not told."""
    found = {}
    for resource, replica in seen:
        connections = between(replica, resource)
        for peer in linked(replica):
            if peer not in connections or connections[peer].state != ALONE:
                continue
            which = resource.name if len(connections) == 1 else f"{resource.name}:{peer}"
            for number in resource.devices:
                try:
                    told = GENERATIONS.search(probe.run(("drbdadm", "get-gi", f"{which}/{number}")))
                except NodeError:
                    continue
                if told:
                    found[resource.name, number, peer] = told[1].upper()
    return found
