"""What both sides of a connection that DRBD gave up need to be told apart by: the generations of their data."""

import re
from collections.abc import Iterable, Mapping

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


def generations(probe: Probe, seen: Iterable[tuple[Resource, WantedReplica]], nine: bool) -> Generations:
    """Only of connections that were given up, and not asked to be: no other resource costs a program. Left out where
    it is not told."""
    found = {}
    for resource, replica in seen:
        connections = between(replica, resource)
        for peer in replica.peers:
            if not peer.connected or peer.node not in connections or connections[peer.node].state != ALONE:
                continue
            for number in resource.devices:
                where = ("drbdsetup", "get-gi", resource.name, str(peer.node_id), str(number))
                argv = where if nine else ("drbdadm", "get-gi", f"{resource.name}/{number}")
                try:
                    told = GENERATIONS.search(probe.run(argv))
                except NodeError:
                    continue
                if told:
                    found[resource.name, number, peer.node] = told[1].upper()
    return found
