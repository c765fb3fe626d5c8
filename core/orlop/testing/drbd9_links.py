"""Connections of simulated DRBD 9: who finds whom, what they conclude from their generations, and what a loss means."""

from __future__ import annotations

from collections.abc import Iterable

from orlop.testing.drbd9_generations import Strategy, Verdict, compare, same
from orlop.testing.drbd9_model import Connection, Device, Resource
from orlop.testing.drbd9_split import resolve
from orlop.testing.drbd9_states import GOOD
from orlop.testing.drbd9_sync import End, ends, synchronize

APART = (Strategy.SPLIT_BRAIN, Strategy.SPLIT_BRAIN_UNRELATED, Strategy.UNRELATED)


def meet(resource: Resource, others: Iterable[Resource]) -> None:
    """`others` are the same resource on nodes that are reached."""
    found = {other.node_id: other for other in others}
    for connection in resource.connections.values():
        other = found.get(connection.node_id)
        if connection.other is not None and (connection.other is not other or not _waits(other, resource, connection)):
            lose(resource, connection)
        if connection.other is None and connection.wanted:
            connection.state = "Connecting"
            if other is not None and _waits(other, resource, connection):
                _connect(resource, connection, other)


def _waits(other: Resource | None, resource: Resource, connection: Connection) -> bool:
    """Whether the far end expects this one: the same addresses the other way round, and the same secret."""
    back = other.connections.get(resource.node_id) if other else None
    if back is None or not back.wanted or not connection.wanted:
        return False
    paths = {(remote, local) for local, remote in back.paths}
    same_secret = back.options.get("shared-secret") == connection.options.get("shared-secret")
    return same_secret and bool(paths & set(connection.paths))


def lose(resource: Resource, connection: Connection, orderly: bool = False) -> None:
    """This end of it. `orderly`: the peer said that it goes, and counts as outdated from now on."""
    other, connection.other = connection.other, None
    connection.state = "Connecting" if connection.wanted else "StandAlone"
    for number, part in connection.volumes.items():
        device = resource.devices.get(number)
        if device is None:
            continue
        part.replication, part.looks = "Off", 0
        slot = device.metadata.slots.get(connection.node_id) if device.metadata else None
        if slot is not None and orderly:
            slot.outdated = True
        there = other.devices.get(number) if other else None
        had_data = part.bitmap and there is not None and there.metadata is not None
        if resource.role == "Primary" and had_data:
            device.due.add(connection.node_id)


def leave(resource: Resource, connection: Connection) -> None:
    """Disconnect on purpose: where somebody else goes on writing, these data are outdated, and both know it."""
    connection.wanted = connection.discard = False
    other = connection.other
    if other is not None:
        back = resource.back(connection)
        orderly = other.role == "Primary" and resource.role == "Secondary"
        lose(other, back, orderly)
        if orderly:
            _outdate(resource)
    lose(resource, connection)
    connection.state = "StandAlone"


def _outdate(resource: Resource) -> None:
    for device in resource.devices.values():
        if device.disk in GOOD:
            device.become("Outdated")


def _connect(resource: Resource, connection: Connection, other: Resource) -> None:
    back = other.connections[resource.node_id]
    if _two_would_write(resource, other) and not _both_allow(connection, back):
        return
    if _is_ahead_of_user(resource, other) or _is_ahead_of_user(other, resource):
        return
    connection.other, back.other = other, resource
    plans: list[tuple[End, End, Verdict]] = []
    for number in connection.volumes:
        both = ends(resource, connection, number)
        if both is not None:
            plans.append((*both, _verdict(connection, back, *both)))
    if any(_must_part(*plan) for plan in plans) or _is_between(resource, other) or _is_between(other, resource):
        for end, at in ((connection, resource), (back, other)):
            end.wanted = end.discard = False
            lose(at, end)
        return
    _established(resource, connection)
    _established(other, back)
    for plan in plans:
        follow(*plan)
    connection.discard = back.discard = False


def _is_ahead_of_user(user: Resource, other: Resource) -> bool:
    """A primary without a disk does not go on with other data than it has worked with."""
    for number, device in user.devices.items():
        there = other.devices.get(number)
        if device.exposed and there is not None and there.metadata is not None:
            past = {same(g) for g in (*there.metadata.generations.history, *there.metadata.generations.bitmap.values())}
            if same(device.exposed) in past and same(there.metadata.generations.current) != same(device.exposed):
                return True
    return False


def _is_between(user: Resource, other: Resource) -> bool:
    """A node without a disk is not connected with two that do not belong together."""
    for number, device in user.devices.items():
        there = other.devices.get(number)
        if device.metadata is not None or there is None or there.metadata is None:
            continue
        for _, _, third, has in user.far(number):
            if has.metadata is not None and third is not other:
                found = compare(
                    has.metadata.generations, third.node_id, there.metadata.generations, other.node_id
                ).strategy
                if found in APART:
                    return True
    return False


def _two_would_write(one: Resource, other: Resource) -> bool:
    """Whether both sides have a primary, be it behind others."""
    sides = [[member for member in side.reached() if member.role == "Primary"] for side in (one, other)]
    return all(sides) and any(member not in sides[1] for member in sides[0])


def _both_allow(*connections: Connection) -> bool:
    return all(c.options.get("allow-two-primaries") == "yes" for c in connections)


def _established(resource: Resource, connection: Connection) -> None:
    connection.state = "Connected"
    for number, part in connection.volumes.items():
        device = resource.devices.get(number)
        there = connection.other.devices.get(number) if connection.other else None
        if device is None or there is None:
            continue
        part.replication = "Established"
        if device.metadata is not None and not part.bitmap:
            device.metadata.seen.add(connection.node_id)
        _agree_on_size(device, there)


def _agree_on_size(one: Device, other: Device) -> None:
    found = [d.metadata for d in (one, other) if d.metadata is not None]
    sizes = [m.size for m in found if m.size]
    for metadata in found:
        metadata.size = min(sizes, default=metadata.size)
    for device in (one, other):
        if device.file is not None and sizes:
            device.file.size = min(sizes)


def _verdict(connection: Connection, back: Connection, one: End, other: End) -> Verdict:
    found = compare(one.metadata.generations, one.resource.node_id, other.metadata.generations, other.resource.node_id)
    if found.strategy is Strategy.NO_SYNC:
        return Verdict(_by_disks(one, other))
    if found.strategy in (Strategy.SPLIT_BRAIN, Strategy.SPLIT_BRAIN_UNRELATED) and connection.discard != back.discard:
        return Verdict(_discarding(found.strategy, connection.discard))
    if found.strategy is Strategy.SPLIT_BRAIN:
        return Verdict(resolve(connection, one, other))
    return found


def _discarding(strategy: Strategy, own: bool) -> Strategy:
    if strategy is Strategy.SPLIT_BRAIN:
        return Strategy.TARGET if own else Strategy.SOURCE
    return Strategy.TARGET_FULL if own else Strategy.SOURCE_FULL


def _by_disks(one: End, other: End) -> Strategy:
    """Of the same generation: who is not good gets it from who is; after a crash from who survived."""
    here, there = one.device.disk in GOOD, other.device.disk in GOOD
    if here != there:
        return Strategy.SOURCE if here else Strategy.TARGET
    if not here:
        return Strategy.NO_SYNC
    crashed, their_crashed = one.metadata.crashed, other.metadata.crashed
    if crashed == their_crashed:
        return _by_bitmaps(one, other)
    survived = other.device.disk if crashed else one.device.disk
    if survived == "Consistent":  # both were off: who was primary has what was written last
        return Strategy.SOURCE if crashed else Strategy.TARGET
    return Strategy.TARGET if crashed else Strategy.SOURCE


def _by_bitmaps(one: End, other: End) -> Strategy:
    """Who knows of blocks that the other one misses gives them; where both do, as after a comparison, who is primary or
    has the lower node id."""
    ours, theirs = bool(one.slot.bits), bool(other.slot.bits)
    if ours != theirs:
        return Strategy.SOURCE if ours else Strategy.TARGET
    if not ours:
        return Strategy.NO_SYNC
    primary = [end.resource.role == "Primary" for end in (one, other)]
    first = one.resource.node_id < other.resource.node_id
    return Strategy.SOURCE if primary[0] or (first and not primary[1]) else Strategy.TARGET


def _must_part(one: End, other: End, verdict: Verdict, joining: bool = False) -> bool:
    if verdict.strategy in APART:
        return True
    if verdict.strategy is Strategy.NO_SYNC:
        return False
    source, target = (one, other) if verdict.strategy.is_source else (other, one)
    behind = source.device.disk == "Inconsistent" and target.device.disk != "Inconsistent"
    return behind or (target.resource.role == "Primary" and not (joining and target is one))


def follow(one: End, other: End, verdict: Verdict) -> None:
    """What was concluded is done."""
    if verdict.strategy.is_source:
        synchronize(one, other, verdict)
    elif verdict.strategy.is_target:
        synchronize(other, one, verdict)
    elif one.device.disk in GOOD:
        for end in (one, other):
            end.slot.outdated = False
            end.metadata.crashed = False


def meet_again(resource: Resource, connection: Connection) -> None:
    """Connected nodes of which one has better data than the other now: it gives them."""
    for number, part in connection.volumes.items():
        both = ends(resource, connection, number)
        if both is None or part.replication != "Established":
            continue
        one, other = both
        if one.device.disk == "UpToDate" and _is_better(one, other) and not _stays_behind(other):
            found = compare(
                one.metadata.generations, one.resource.node_id, other.metadata.generations, other.resource.node_id
            )
            if found.strategy is Strategy.NO_SYNC:
                found = Verdict(Strategy.SOURCE)
            if found.strategy.is_source:
                synchronize(one, other, found)


def _is_better(one: End, other: End) -> bool:
    """`one` is up to date; of two that are, one may have got blocks from a third node that the other one misses."""
    if other.device.disk == "UpToDate":
        return bool(one.slot.bits) and not other.slot.bits and other.resource.role == "Secondary"
    return other.device.disk in ("Inconsistent", "Outdated")


def _stays_behind(end: End) -> bool:
    """Somebody writes whom this node does not reach itself."""
    direct = {c.node_id for c in end.resource.connections.values() if c.other is not None}
    writers = [r for r in end.resource.reached() if r.role == "Primary" and r is not end.resource]
    return any(writer.node_id not in direct for writer in writers)


def compare_again(resource: Resource, number: int) -> bool:
    """A disk has come: what it has is compared with what the nodes have that are connected already. A primary that had
    none goes on with the data of its peers meanwhile. False, and nothing is done, where they do not belong together."""
    plans = []
    for connection in resource.connections.values():
        both = ends(resource, connection, number)
        if both is not None:
            plans.append((*both, _verdict(connection, resource.back(connection), *both)))
    if any(_must_part(*plan, joining=True) for plan in plans):
        return False
    for one, other, verdict in plans:
        one.part.replication = other.part.replication = "Established"
        _agree_on_size(one.device, other.device)
        follow(one, other, verdict)
    return True
