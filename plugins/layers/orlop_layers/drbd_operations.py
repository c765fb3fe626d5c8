"""What an administrator has done once with a replica: the steps that are left, judged by what this node sees now.

A connection, or a volume of it, that is as it was asked for needs no step: whoever repeats an order loses nothing.
"""

from collections.abc import Iterator, Mapping

from orlop.codes import Fail
from orlop.errors import Refused
from orlop.model import ReplicaOrder, ReplicaVerb, WantedReplica
from orlop.plugin import RequireUnused, Step, run
from orlop_layers.drbd_seen import Connection, Resource

UP_TO_DATE = "UpToDate"
VERIFYING = ("VerifyS", "VerifyT")
Connections = Mapping[str, Connection]  # by node


def steps(resource: Resource, replica: WantedReplica, connections: Connections, order: ReplicaOrder) -> list[Step]:
    """`connections` are those of the resource; raises `Refused` for what might cost data or cannot be."""
    chosen = _chosen(connections, order.peer)
    match order.verb:
        case ReplicaVerb.VERIFY:
            return list(_verify(resource, chosen, len(connections)))
        case ReplicaVerb.INVALIDATE:
            return _invalidate(resource, chosen, len(connections))
        case ReplicaVerb.CONNECT:
            _require_wanted(replica, chosen)
            return [
                run("drbdadm", "connect", _with(resource, peer, connections))
                for peer, connection in chosen.items()
                if connection.state == "StandAlone"
            ]
        case ReplicaVerb.DISCARD:
            _require_wanted(replica, chosen)
            return list(_discard(resource, chosen, connections))
        case ReplicaVerb.PAUSE_SYNC | ReplicaVerb.RESUME_SYNC:
            return list(_pause(resource, chosen, connections, order.verb))
        case ReplicaVerb.PRIMARY:
            return [run("drbdadm", "primary", resource.name)] if resource.role != "Primary" else []
        case ReplicaVerb.SECONDARY:
            if resource.role != "Primary":
                return []
            unused = [RequireUnused(device=f"/dev/drbd{device.minor}") for device in resource.devices.values()]
            return [*unused, run("drbdadm", "secondary", resource.name)]


def _chosen(connections: Connections, peer: str) -> Connections:
    if not peer:
        return connections
    if peer not in connections:
        raise Refused(f"DRBD has no connection to node {peer} here")
    return {peer: connections[peer]}


def _with(resource: Resource, peer: str, connections: Connections, volume: int | None = None) -> str:
    """How `drbdadm` is told what is meant; only DRBD 9 knows a peer's name, where there are several."""
    which = resource.name if len(connections) == 1 else f"{resource.name}:{peer}"
    return which if volume is None else f"{which}/{volume}"


def _verify(resource: Resource, chosen: Connections, of: int) -> Iterator[Step]:
    """Of several peers one at a time, as DRBD does: the next order takes the next one."""
    for peer, connection in chosen.items():
        if connection.state != "Connected":
            raise Refused(
                f"{resource.name} cannot be verified: it is not connected to node {peer} ({connection.state})",
                code=Fail.NOT_CONNECTED,
            )
        for number, part in sorted(connection.volumes.items()):
            if part.replication in VERIFYING:
                continue
            if part.replication != "Established" or part.disk != UP_TO_DATE:
                raise Refused(
                    f"volume {number} of {resource.name} cannot be verified: the one on node {peer} is {part.disk}, "
                    f"{part.replication}",
                    correction="Wait until it is synchronized.",
                    code=Fail.NOT_ALL_UPTODATE,
                )
            which = f"{resource.name}/{number}" if of == 1 else f"{resource.name}:{peer}/{number}"
            yield run("drbdadm", "verify", which)


def _invalidate(resource: Resource, chosen: Connections, of: int) -> list[Step]:
    if resource.role == "Primary":
        raise Refused(
            f"{resource.name} is primary here; its data is in use and is kept",
            correction="Make it secondary first.",
            code=Fail.IN_USE,
        )
    found: list[Step] = []
    for number, device in sorted(resource.devices.items()):
        parts = {peer: c.volumes[number] for peer, c in chosen.items() if number in c.volumes}
        if any(part.replication == "SyncTarget" for part in parts.values()) and device.disk == "Inconsistent":
            continue
        whole = [peer for peer, part in parts.items() if chosen[peer].state == "Connected" and part.disk == UP_TO_DATE]
        if not whole:
            raise Refused(
                f"volume {number} of {resource.name} is kept: this node sees no other replica that is connected and "
                "up to date",
                correction="Bring another replica up and wait until it is synchronized.",
                code=Fail.INSUFFICIENT_REPLICA_COUNT,
            )
        which = resource.name if of == 1 else f"{resource.name}:{whole[0]}"
        found.append(run("drbdadm", "invalidate", f"{which}/{number}"))
    return found


def _require_wanted(replica: WantedReplica, chosen: Connections) -> None:
    kept = [peer.node for peer in replica.peers if peer.node in chosen and not peer.connected]
    if kept:
        raise Refused(f"it was asked for that there is no connection to node {', '.join(kept)}")


def _discard(resource: Resource, chosen: Connections, connections: Connections) -> Iterator[Step]:
    """A connection that only waits was begun without these words, or not: it begins anew."""
    if resource.role == "Primary":
        raise Refused(
            f"{resource.name} is primary here; nothing of its data is given up",
            correction="Close what uses it and make it secondary first.",
            code=Fail.IN_USE,
        )
    for peer, connection in chosen.items():
        if connection.state == "Connected":
            continue
        which = _with(resource, peer, connections)
        if connection.state != "StandAlone":
            yield run("drbdadm", "disconnect", which)
        yield run("drbdadm", "--", "--discard-my-data", "connect", which)


def _pause(resource: Resource, chosen: Connections, connections: Connections, verb: ReplicaVerb) -> Iterator[Step]:
    pausing = verb is ReplicaVerb.PAUSE_SYNC
    for peer, connection in chosen.items():
        for number, part in sorted(connection.volumes.items()):
            if part.paused != pausing:
                yield run("drbdadm", verb.value, _with(resource, peer, connections, number))
