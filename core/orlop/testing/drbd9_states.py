"""Roles, disk states and quorum of simulated DRBD 9: what follows from who reaches whom."""

from __future__ import annotations

from collections.abc import Callable

from orlop.errors import NodeError
from orlop.testing.drbd9_generations import compare, same
from orlop.testing.drbd9_model import DISKS, SYNC, Connection, Device, PeerDevice, Resource
from orlop.testing.drbd9_quorum import Votes, has_quorum

GOOD = ("UpToDate", "Consistent")
TWO_PRIMARIES = (-1, "Multiple primaries not allowed by config")
NO_DATA = (-2, "Need access to UpToDate data")
NO_QUORUM = (-25, "No quorum")


class StateRefused(NodeError):
    """`number` as DRBD counts its reasons."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(f"State change failed: ({number}) {reason}")
        self.number, self.reason = number, reason


def judge(resource: Resource, new_generation: Callable[[], str]) -> None:
    """What one node concludes, now that it knows who is there."""
    for device in resource.devices.values():
        _outdate(resource, device)
        device.quorum = _quorum(resource, device)
        _trust(resource, device)
    for device in resource.devices.values():
        own = {resource.node_id} if device.metadata is None else set()
        device.due &= lacking(resource, device) | own
        if device.due and _may_begin(resource, device):
            begin_generation(resource, device, new_generation())
            device.due.clear()


def _may_begin(resource: Resource, device: Device) -> bool:
    """Not before those that came back are known to be good, so that they follow."""
    if resource.role != "Primary" or resource.lost_quorum or not accessible(resource, device):
        return False
    return all(there.disk != "Consistent" for _, _, _, there in resource.far(device.number))


# -- disks ----------------------------------------------------------------------------------------------------------


def _outdate(resource: Resource, device: Device) -> None:
    """Somebody writes, or has newer data, who is reached by way of others only: these data are left behind."""
    if resource.role == "Primary" or device.disk not in GOOD:
        return
    directly = {other.node_id: part for _, part, other, _ in resource.far(device.number)}
    for other in resource.reached():
        there = other.devices.get(device.number)
        if other is resource or there is None:
            continue
        apart = directly.get(other.node_id, PeerDevice()).replication == "Off"
        writes = other.role == "Primary" and not other.lost_quorum
        if (writes and (apart or _is_behind(device, there))) or (apart and _is_older(resource, device, other, there)):
            device.become("Outdated")


def _is_older(resource: Resource, device: Device, other: Resource, there: Device) -> bool:
    if device.metadata is None or there.metadata is None or not there.has_data:
        return False
    own, theirs = device.metadata.generations, there.metadata.generations
    return compare(own, resource.node_id, theirs, other.node_id).strategy.is_target


def _is_behind(device: Device, there: Device) -> bool:
    """A user without a disk knows which generation of the data it works with."""
    if there.metadata is not None or not there.exposed or device.metadata is None:
        return False
    return same(device.metadata.generations.current) != same(there.exposed)


def _trust(resource: Resource, device: Device) -> None:
    """After a start: nobody who is missing can have gone on without this node, or one that knows better agrees."""
    if device.disk != "Consistent" or device.metadata is None:
        return
    known = [there for _, part, _, there in resource.far(device.number) if part.replication == "Established"]
    agreed = any(there.disk == "UpToDate" and there.metadata is not None and _equal(device, there) for there in known)
    if agreed or _quorum(resource, device, GOOD):
        device.become("UpToDate")


def _equal(one: Device, other: Device) -> bool:
    assert one.metadata is not None
    assert other.metadata is not None
    return same(one.metadata.generations.current) == same(other.metadata.generations.current)


# -- quorum ---------------------------------------------------------------------------------------------------------


def _quorum(resource: Resource, device: Device, good: tuple[str, ...] = ("UpToDate",)) -> bool:
    votes = count(resource, device, good)
    redundancy = resource.option("quorum-minimum-redundancy")
    return has_quorum(votes, resource.option("quorum"), redundancy, device.quorum)


def count(resource: Resource, device: Device, good: tuple[str, ...] = ("UpToDate",)) -> Votes:
    """The nodes as this one sees them; `good` are the states that count as up to date."""
    votes = Votes()
    if device.has_data:
        _add_reached(votes, device.disk in good)
    elif device.intended_diskless and not device.client:
        votes.diskless += 1
    elif not device.intended_diskless:
        votes.unknown += 1
    for connection in resource.connections.values():
        part = connection.volumes.get(device.number)
        if part is not None and (part.bitmap or part.tiebreaker):
            _count_peer(votes, device, connection, part, good)
    for node_id, slot in device.metadata.slots.items() if device.metadata else ():
        if node_id not in resource.connections and node_id != resource.node_id:
            _add_missing(votes, slot.outdated)
    return votes


def _count_peer(votes: Votes, device: Device, connection: Connection, part: PeerDevice, good: tuple[str, ...]) -> None:
    there = connection.other.devices.get(device.number) if connection.other else None
    if there is None or part.replication == "Off":
        if part.bitmap:
            slot = device.metadata.slots.get(connection.node_id) if device.metadata else None
            _add_missing(votes, bool(slot and slot.outdated))
        elif device.metadata is None or connection.node_id in device.metadata.seen:
            votes.missing_diskless += 1
    elif there.disk == "Diskless" and not part.bitmap:
        votes.diskless += 1
    else:
        _add_reached(votes, there.disk in good)
        votes.reached_quorum += not device.has_data and there.disk == "UpToDate" and there.quorum


def _add_reached(votes: Votes, good: bool) -> None:
    if good:
        votes.up_to_date += 1
    else:
        votes.present += 1


def _add_missing(votes: Votes, outdated: bool) -> None:
    if outdated:
        votes.outdated += 1
    else:
        votes.unknown += 1


# -- roles ----------------------------------------------------------------------------------------------------------


def accessible(resource: Resource, device: Device) -> bool:
    """Whether good data is reached."""
    return device.disk == "UpToDate" or bool(_good_peers(resource, device))


def _good_peers(resource: Resource, device: Device) -> list[Device]:
    return [
        there
        for _, part, _, there in resource.far(device.number)
        if part.replication != "Off" and there.disk == "UpToDate"
    ]


def promotion(resource: Resource) -> tuple[bool, int]:
    """Whether it may be promoted, and how well that would suit: as `drbdsetup events2` reckons it, from what is next
    to this node. Higher is better; 0 where data or quorum is missing."""
    devices = list(resource.devices.values())
    replicas = [len(_good_peers(resource, d)) + (d.disk == "UpToDate") for d in devices]
    if not devices or resource.lost_quorum or not min(replicas):
        return False, 0
    next_to_it = [c.other.role for c in resource.connections.values() if c.other is not None]
    with_disk = all(device.disk in (*GOOD, "Inconsistent") for device in devices)
    up_to_date = sum(device.disk == "UpToDate" for device in devices)
    points = 10000 * with_disk + 100 * up_to_date + min(replicas)
    return "Primary" not in (resource.role, *next_to_it), points


def why_not(resource: Resource) -> StateRefused | None:
    """What stands in the way of the role primary."""
    both = all(c.options.get("allow-two-primaries") == "yes" for c in resource.connections.values() if c.other)
    if not both and any(other.role == "Primary" for other in resource.reached() if other is not resource):
        return StateRefused(*TWO_PRIMARIES)
    if not all(accessible(resource, device) for device in resource.devices.values()):
        return StateRefused(*NO_DATA)
    return StateRefused(*NO_QUORUM) if resource.lost_quorum else None


def may_open(resource: Resource) -> bool:
    """Whether a user who comes makes it primary."""
    return resource.option("auto-promote") == "yes" and why_not(resource) is None


def promote(resource: Resource, automatic: bool = False) -> None:
    """Alone, or without some of the others, it begins a new generation of the data."""
    if resource.role == "Primary":
        resource.automatic = resource.automatic and automatic
        return
    if (refusal := why_not(resource)) is not None:
        raise refusal
    resource.role, resource.automatic = "Primary", automatic
    for device in resource.devices.values():
        device.due = lacking(resource, device)
        device.exposed = "" if device.metadata else _shown(resource, device)


def force(resource: Resource, new_generation: Callable[[], str]) -> None:
    """The administrator answers for it that these data are the right ones."""
    for device in resource.devices.values():
        if device.metadata is None or DISKS.index(device.disk) < DISKS.index("Inconsistent"):
            if not accessible(resource, device):
                raise StateRefused(*NO_DATA)
            continue
        if device.disk != "UpToDate":
            device.become("UpToDate")
            begin_generation(resource, device, new_generation())
        if not device.quorum:
            _give_up(resource, device)
            device.quorum = _quorum(resource, device)
    promote(resource)


def _give_up(resource: Resource, device: Device) -> None:
    """Whoever is missing counts as outdated from now on."""
    reached = {other.node_id for _, _, other, _ in resource.far(device.number)}
    for node_id, slot in device.metadata.slots.items() if device.metadata else ():
        slot.outdated = slot.outdated or node_id not in reached


def demote(resource: Resource) -> None:
    resource.role, resource.automatic = "Secondary", False
    for device in resource.devices.values():
        device.due.clear()
        device.exposed = ""


def _shown(resource: Resource, device: Device) -> str:
    found = [there.metadata.generations.current for there in _good_peers(resource, device) if there.metadata]
    return found[0] if found else ""


# -- generations ----------------------------------------------------------------------------------------------------


def lacking(resource: Resource, device: Device) -> set[int]:
    """Nodes that should have the data and do not get what is written now."""
    reached = {other.node_id for _, part, other, there in resource.far(device.number) if follows(part, there)}
    expected = {c.node_id for c in resource.connections.values() if _expects_disk(c, device.number)}
    known = set(device.metadata.slots) if device.metadata else set()
    return (expected | known) - reached - {resource.node_id}


def _expects_disk(connection: Connection, number: int) -> bool:
    return number in connection.volumes and connection.volumes[number].bitmap


def follows(part: PeerDevice, there: Device) -> bool:
    """Whether a peer gets what is written."""
    return there.has_data and part.replication != "Off" and (there.disk in GOOD or part.replication in SYNC)


def begin_generation(resource: Resource, device: Device, new: str) -> None:
    """On every node that is reached and up to date; the others are left with the one before."""
    with_it = {other.node_id: there for _, part, other, there in resource.far(device.number) if _is_new(part, there)}
    if device.metadata is not None and device.disk == "UpToDate":
        with_it[resource.node_id] = device
    for node_id, member in with_it.items():
        assert member.metadata is not None
        behind = set(member.metadata.slots) - set(with_it) - {node_id}
        member.metadata.generations.advance(new, behind)
    if device.metadata is None:
        device.exposed = new


def _is_new(part: PeerDevice, there: Device) -> bool:
    return there.metadata is not None and there.disk == "UpToDate" and part.replication != "Off"
