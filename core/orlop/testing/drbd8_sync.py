"""What two ends of a resource with simulated DRBD 8.4 do when they meet and while they are connected."""

from __future__ import annotations

from orlop.testing import drbd_handlers
from orlop.testing.disk import BLOCK
from orlop.testing.drbd8_model import Resource, Volume, copy, different, is_newer, split


def handshake(one: Resource, other: Resource) -> None:
    pairs = [(n, v, other.volumes[n]) for n, v in one.volumes.items() if n in other.volumes]
    diverged = any(split(a.metadata, b.metadata) for _, a, b in pairs)
    if diverged and one.discards == other.discards:
        one.state = other.state = "StandAlone"
        return
    one.state = other.state = "Connected"
    for number, a, b in pairs:
        size = min(x for x in (a.metadata.size, b.metadata.size, a.capacity, b.capacity) if x)
        a.metadata.size = b.metadata.size = size
        if a.metadata.generation == b.metadata.generation:
            a.replication = b.replication = "Established"
            continue
        newer = other.discards if diverged else is_newer(a.metadata, b.metadata)
        source, target = (a, b) if newer else (b, a)
        if not drbd_handlers.called((other if newer else one).disk, one.name, number, drbd_handlers.BEFORE):
            _refused(one, other, one if newer else other)
            return
        source.replication, target.replication = "SyncSource", "SyncTarget"
        target.disk, target.metadata.good = "Inconsistent", False
        source.looks = target.looks = 2
    one.discards = other.discards = False


def _refused(one: Resource, other: Resource, source: Resource) -> None:
    for end in (one, other):
        end.state = "Connecting" if end is source else "StandAlone"
        for volume in end.volumes.values():
            volume.replication = "Off"


def replicate(one: Resource, other: Resource) -> None:
    for number, volume in one.volumes.items():
        there = other.volumes.get(number)
        if there is not None and volume.replication == "SyncSource":
            _synchronize(volume, there)
            if there.replication == "Established":
                drbd_handlers.called(other.disk, other.name, number, drbd_handlers.AFTER)
        elif there is not None and volume.replication == "VerifyS":
            _verify(volume, there)
        elif there is not None and one.role == "Primary" and volume.replication == "Established":
            copy(volume.file, there.file)


def _verify(source: Volume, target: Volume) -> None:
    source.looks -= 1
    if source.looks <= 0:
        source.replication = target.replication = "Established"
        source.differs = target.differs = BLOCK * len(different(source.file.blocks, target.file.blocks))


def _synchronize(source: Volume, target: Volume) -> None:
    if source.paused or target.paused:
        return
    source.looks -= 1
    if source.looks > 0:
        return
    copy(source.file, target.file)
    target.written += 1
    target.metadata.generation = source.metadata.generation
    target.metadata.history = list(source.metadata.history)
    source.metadata.base = target.metadata.base = None
    source.differs = target.differs = 0
    target.metadata.good, target.disk = True, "UpToDate"
    source.replication = target.replication = "Established"
