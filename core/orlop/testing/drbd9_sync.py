"""Synchronization between two simulated replicas: who copies what, and what both know when it is over."""

from __future__ import annotations

from dataclasses import dataclass

from orlop.testing import drbd_handlers
from orlop.testing.disk import BLOCK, Disk
from orlop.testing.drbd9_generations import JUST_CREATED, Strategy, Verdict
from orlop.testing.drbd9_model import Connection, Device, Metadata, OutOfSync, PeerDevice, Resource, Slot

LOOKS = 2  # one sees it going on


@dataclass
class End:
    """One node's side of a volume that two nodes share."""

    resource: Resource
    device: Device
    part: PeerDevice
    peer: int  # node id of the other side

    @property
    def metadata(self) -> Metadata:
        assert self.device.metadata is not None
        return self.device.metadata

    @property
    def slot(self) -> Slot:
        return self.metadata.slot(self.peer) or Slot()


def ends(resource: Resource, connection: Connection, number: int) -> tuple[End, End] | None:
    """Both sides; None unless both have a disk."""
    other, device = connection.other, resource.devices.get(number)
    there = other.devices.get(number) if other else None
    if other is None or device is None or there is None or not (device.has_data and there.has_data):
        return None
    back = resource.back(connection)
    return (
        End(resource, device, connection.volumes[number], connection.node_id),
        End(other, there, back.volumes[number], back.node_id),
    )


def synchronize(source: End, target: End, verdict: Verdict) -> None:
    """Begins; a node gets its data from one other at a time."""
    _agree(source, target, verdict)
    if not source.slot.bits and source.device.disk in ("UpToDate", "Consistent") and not _is_target(target):
        finish(source, target)
        return
    if not drbd_handlers.called(target.resource.disk, target.resource.name, target.device.number, drbd_handlers.BEFORE):
        target.resource.connections[target.peer].wanted = False
        return
    paused = _is_target(target)
    source.part.replication, target.part.replication = (
        ("PausedSyncS", "PausedSyncT") if paused else ("SyncSource", "SyncTarget")
    )
    _stop_giving(target)
    target.device.become("Inconsistent")
    source.part.looks = target.part.looks = LOOKS


def _stop_giving(end: End) -> None:
    """Whoever gets other data itself has none to give any more."""
    for connection in _with(end):
        part = connection.volumes[end.device.number]
        if part.replication in ("SyncSource", "PausedSyncS") and connection.other is not None:
            part.replication = "Established"
            end.resource.back(connection).volumes[end.device.number].replication = "Established"


def _agree(source: End, target: End, verdict: Verdict) -> None:
    """Both bitmaps become what will be copied."""
    ours, theirs = source.slot.bits, target.slot.bits
    if verdict.strategy in (Strategy.SOURCE_FULL, Strategy.TARGET_FULL):
        ours.fill()
        if JUST_CREATED not in (source.metadata.generations.current, target.metadata.generations.current):
            source.metadata.generations.bitmap[source.peer] = target.metadata.generations.current
    elif verdict.through is not None:
        ours.clear()
        other = source.metadata.slots.get(verdict.through)
        ours.take(_spare(source.metadata) if other is None else other.bits)
    else:
        ours.take(theirs)
    theirs.clear()
    theirs.take(ours)


def _spare(metadata: Metadata) -> OutOfSync:
    """What was written since day 0; nobody knows any more when every slot is taken."""
    return metadata.spare if len(metadata.slots) <= metadata.max_peers else OutOfSync(whole=True)


def _is_target(end: End) -> bool:
    return any(c.volumes[end.device.number].replication == "SyncTarget" for c in _with(end))


def _with(end: End) -> list[Connection]:
    return [c for c in end.resource.connections.values() if end.device.number in c.volumes]


def finish(source: End, target: End) -> None:
    """The target has the same data, and takes over what the source knows of generations and of other nodes."""
    bits = source.slot.bits
    _copy(source, target, bits)
    _tell_third(source, target, bits)
    target.metadata.generations.adopt(
        source.metadata.generations, target.resource.node_id, source.resource.node_id, target.metadata.slots
    )
    source.metadata.generations.met(source.peer)
    target.metadata.generations.met(target.peer)
    bits.clear()
    target.slot.bits.clear()
    source.slot.outdated = target.slot.outdated = False
    target.metadata.crashed = source.metadata.crashed = False
    target.device.become(source.device.disk)
    resynchronized = target.part.replication != "Established"
    source.part.replication = target.part.replication = "Established"
    if resynchronized:
        drbd_handlers.called(target.resource.disk, target.resource.name, target.device.number, drbd_handlers.AFTER)


def _tell_third(source: End, target: End, bits: OutOfSync) -> None:
    """What was copied, and what the source knows to be missing there, other nodes miss as well."""
    for node_id, slot in target.metadata.slots.items():
        known = source.metadata.slots.get(node_id)
        if node_id != source.resource.node_id:
            slot.bits.take(bits)
            slot.bits.take(known.bits if known else OutOfSync())
    target.metadata.spare.take(bits)


def _copy(source: End, target: End, bits: OutOfSync) -> None:
    """Block by block: what is below may encrypt them."""
    give, take = source.resource.disk, target.resource.disk
    below, above = give.content(source.device.backing), take.content(target.device.backing)
    size = min(source.metadata.size, target.metadata.size)
    known = {at for at in (*below.blocks, *above.blocks) if at < size}
    for at in sorted(known if bits.whole else known & bits.blocks):
        put(take, target.device.backing, at, below.blocks.get(at))
        target.device.written += BLOCK
    if bits.whole or 0 in bits.blocks:
        above.signatures[:] = below.signatures


def put(disk: Disk, backing: str, at: int, data: bytes | None) -> None:
    """None: the block reads as zeros again."""
    if data is None:
        disk.content(backing).blocks.pop(at, None)
    else:
        disk.write(backing, at, data.ljust(BLOCK, b"\0") if len(data) < BLOCK else data)


def progress(resource: Resource) -> None:
    """One look at everything that is copied from here."""
    for connection in resource.connections.values():
        for number, part in connection.volumes.items():
            both = ends(resource, connection, number)
            if both is None or part.replication not in ("SyncSource", "PausedSyncS", "VerifyS"):
                continue
            if part.replication == "SyncSource" and not (part.paused or both[1].part.paused):
                _advance(*both)
            elif part.replication == "PausedSyncS" and not _is_target(both[1]):
                _resume(*both)
            elif part.replication == "VerifyS":
                _verified(*both)


def _advance(source: End, target: End) -> None:
    source.part.looks -= 1
    if source.part.looks <= 0:
        finish(source, target)


def _resume(source: End, target: End) -> None:
    """The one before is over: if that brought the same data, nothing is left to be done."""
    if target.device.disk == "UpToDate" and target.metadata.generations.current == source.metadata.generations.current:
        source.slot.bits.clear()
        target.slot.bits.clear()
        source.metadata.generations.met(source.peer)
        target.metadata.generations.met(target.peer)
        source.part.replication = target.part.replication = "Established"
    else:
        source.part.replication, target.part.replication = "SyncSource", "SyncTarget"


def _verified(source: End, target: End) -> None:
    """Blocks that differ are noted, and copied when the two meet the next time."""
    source.part.looks -= 1
    if source.part.looks > 0:
        return
    here = source.resource.disk.content(source.device.backing).blocks
    there = target.resource.disk.content(target.device.backing).blocks
    size = min(source.metadata.size, target.metadata.size)
    for at in {at for at in (*here, *there) if at < size}:
        if here.get(at, bytes(BLOCK)) != there.get(at, bytes(BLOCK)):
            source.slot.bits.blocks.add(at)
            target.slot.bits.blocks.add(at)
    source.part.replication = target.part.replication = "Established"
