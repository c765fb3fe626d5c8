"""What the kernel's DRBD says of itself."""

import re
from collections.abc import Mapping

from msgspec.structs import replace

from orlop.errors import CannotRead
from orlop.model import KIB
from orlop.model.cluster import Value

CLOSED = ("Diskless", "Failed", "Detaching")  # states of a disk that DRBD does not use
BACKING = re.compile(r'device\s+minor (\d+);\s+disk\s+"([^"]+)";(?:\s+(?:flexible-)?meta-disk\s+"([^"]+)")?')


class PeerDevice(Value, frozen=True, kw_only=True):
    """A peer's part of one volume, as it is known here."""

    replication: str
    disk: str
    done: str = ""  # per cent of a synchronization that is going on
    out_of_sync: int = 0  # KiB that differ as far as is known here
    paused: bool = False  # an administrator stopped the synchronization here


class Connection(Value, frozen=True, kw_only=True):
    state: str
    role: str
    name: str = ""  # of the peer's node; 8.4 does not know it
    node_id: int = 0  # of the peer; 8.4 does not know it and has one peer at most
    volumes: Mapping[int, PeerDevice] = {}


class Device(Value, frozen=True, kw_only=True):
    minor: int
    disk: str
    size: int | None = None  # bytes
    quorum: str = ""  # yes or no; 8.4 has none
    client: str = ""  # yes or no: whether it is meant to have no disk
    written: int = 0  # KiB since it was brought up


class Resource(Value, frozen=True, kw_only=True):
    name: str
    role: str
    suspended: bool
    may_promote: str = ""  # yes or no; 8.4 does not tell
    promotion_score: str = ""
    devices: Mapping[int, Device] = {}  # by number of the volume
    connections: tuple[Connection, ...] = ()


Fields = Mapping[str, str]


def resources(events: str) -> dict[str, Resource]:
    """All that `drbdsetup events2 --now` tells, by name."""
    found: dict[str, Resource] = {}
    devices: dict[str, dict[int, Device]] = {}
    connections: dict[str, dict[str, Fields]] = {}
    volumes: dict[tuple[str, str], dict[int, PeerDevice]] = {}
    for kind, fields in map(_parsed, filter(str.strip, events.splitlines())):
        name, peer = fields.get("name", ""), fields.get("peer-node-id", "")
        match kind:
            case "resource":
                found[name] = _resource(name, fields)
            case "device":
                devices.setdefault(name, {})[int(fields["volume"])] = _device(fields)
            case "connection":
                connections.setdefault(name, {})[peer] = fields
            case "peer-device":
                volumes.setdefault((name, peer), {})[int(fields["volume"])] = _peer_device(fields)
    return {
        name: replace(
            resource,
            devices=devices.get(name, {}),
            connections=tuple(
                Connection(
                    state=fields.get("connection", "Unknown"),
                    role=fields.get("role", "Unknown"),
                    name=fields.get("conn-name", ""),
                    node_id=int(peer or 0),
                    volumes=volumes.get((name, peer), {}),
                )
                for peer, fields in connections.get(name, {}).items()
            ),
        )
        for name, resource in found.items()
    }


def _parsed(line: str) -> tuple[str, Fields]:
    words = line.split()
    if len(words) < 2 or words[0] != "exists":
        raise CannotRead(f"drbdsetup said something that is not known: {line[:200]!r}")
    pairs = (word.partition(":") for word in words[2:])
    return words[1], {name: value for name, _, value in pairs}


def _resource(name: str, fields: Fields) -> Resource:
    return Resource(
        name=name,
        role=fields.get("role", "Unknown"),
        suspended=fields.get("suspended", "no") != "no",
        may_promote=fields.get("may_promote", ""),
        promotion_score=fields.get("promotion_score", ""),
    )


def _device(fields: Fields) -> Device:
    return Device(
        minor=int(fields["minor"]),
        disk=fields.get("disk", "Unknown"),
        quorum=fields.get("quorum", ""),
        client=fields.get("client", ""),
        size=int(fields["size"]) * KIB if "size" in fields else None,
        written=int(fields.get("written", 0)),
    )


def _peer_device(fields: Fields) -> PeerDevice:
    return PeerDevice(
        replication=fields.get("replication", "Off"),
        disk=fields.get("peer-disk", "DUnknown"),
        done=fields.get("done", ""),
        out_of_sync=int(fields.get("out-of-sync", 0)),
        paused="user" in fields.get("resync-suspended", "no").split(","),
    )


def backings(shown: str) -> tuple[dict[int, str], dict[int, str]]:
    """By minor: the device below, and the one that metadata is on where that is another, of `drbdsetup show`."""
    found = BACKING.findall(shown)
    return {int(minor): path for minor, path, _ in found}, {int(minor): apart for minor, _, apart in found if apart}
