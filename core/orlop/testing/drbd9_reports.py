"""What `drbdsetup` and `drbdadm` of DRBD 9 tell of a simulated node, in their words (`tests/recorded`)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from orlop.testing.drbd9_io import suspended
from orlop.testing.drbd9_model import SYNC, Connection, Device, PeerDevice, Resource
from orlop.testing.drbd9_states import promotion


def events(resource: Resource, statistics: bool = True) -> Iterator[str]:
    """Of one resource, without the word in front that says what happened."""
    name = f"name:{resource.name}"
    waits = ",".join(suspended(resource)) or "no"
    may, points = promotion(resource)
    ordering = "flush" if any(device.metadata for device in resource.devices.values()) else "none"
    more = f" write-ordering:{ordering}" if statistics else ""
    yield (
        f"resource {name} role:{resource.role} suspended:{waits} force-io-failures:no{more} "
        f"may_promote:{_yes_or_no(may)} promotion_score:{points}"
    )
    for connection in resource.connections.values():
        role = connection.other.role if connection.other else "Unknown"
        more = " congested:no ap-in-flight:0 rs-in-flight:0" if statistics else ""
        yield f"connection {_peer(name, connection)} connection:{connection.state} role:{role}{more}"
    for device in resource.devices.values():
        yield _device(name, device, statistics)
    for connection in resource.connections.values():
        for number, part in connection.volumes.items():
            if number in resource.devices:
                yield _peer_device(name, resource, connection, number, part, statistics)
        for local, remote in connection.paths:
            there = _yes_or_no(connection.other is not None)
            yield f"path {_peer(name, connection)} local:{local} peer:{remote} established:{there}"


def _device(name: str, device: Device, statistics: bool) -> str:
    quorum = _yes_or_no(device.quorum)
    client = _yes_or_no(device.disk == "Diskless" and device.intended_diskless)
    backing = device.backing if device.has_data else "none"
    line = (
        f"device {name} volume:{device.number} minor:{device.minor} backing_dev:{backing} "
        f"disk:{device.disk} client:{client} quorum:{quorum}"
    )
    if not statistics:
        return line
    return (
        f"{line} size:{size(device) >> 10} read:0 written:{device.written >> 10} al-writes:0 bm-writes:0 "
        "upper-pending:0 lower-pending:0 al-suspended:no blocked:no"
    )


def _peer_device(
    name: str, resource: Resource, connection: Connection, number: int, part: PeerDevice, statistics: bool
) -> str:
    disk = peer_disk(resource, connection, number)
    client = _yes_or_no(disk in ("Diskless", "DUnknown") and not part.bitmap)
    line = (
        f"peer-device {_peer(name, connection)} volume:{number} replication:{part.replication} "
        f"peer-disk:{disk} peer-client:{client} resync-suspended:{waiting(part)}"
    )
    device = resource.devices[number]
    if part.replication in SYNC:
        line += f" done:{in_sync(device, connection):.2f}"
    if not statistics:
        return line
    behind = out_of_sync(device, connection) >> 10
    return f"{line} received:0 sent:0 out-of-sync:{behind} pending:0 unacked:0"


def _peer(name: str, connection: Connection) -> str:
    return f"{name} peer-node-id:{connection.node_id} conn-name:{connection.name}"


def size(device: Device) -> int:
    return device.metadata.size if device.metadata else device.file.size if device.file else 0


def peer_disk(resource: Resource, connection: Connection, number: int) -> str:
    there = connection.other.devices.get(number) if connection.other else None
    if there is not None:
        return there.disk
    metadata = resource.devices[number].metadata
    slot = metadata.slots.get(connection.node_id) if metadata else None
    return "Outdated" if slot is not None and slot.outdated else "DUnknown"


def waiting(part: PeerDevice) -> str:
    if part.replication in ("PausedSyncS", "PausedSyncT"):
        return "user,dependency" if part.paused else "dependency"
    return "user" if part.paused else "no"


def out_of_sync(device: Device, connection: Connection) -> int:
    """Bytes."""
    slot = device.metadata.slots.get(connection.node_id) if device.metadata else None
    return slot.bits.amount(size(device)) if slot else 0


def in_sync(device: Device, connection: Connection) -> float:
    """Per cent."""
    whole = size(device)
    return 100.0 * (1 - out_of_sync(device, connection) / whole) if whole else 100.0


def show(resource: Resource) -> str:
    """As a configuration file of what is in the kernel; secrets are part of it, as in the real one."""
    lines = [f'resource "{resource.name}" {{']
    lines += _section("options", resource.options, 4)
    lines += ["    _this_host {", f"        node-id\t\t\t{resource.node_id};"]
    for device in resource.devices.values():
        lines += [
            f"        volume {device.number} {{",
            f"            device\t\t\tminor {device.minor};",
            *(f"            {name}\t\t\t{value};" for name, value in _disks(device)),
            "        }",
        ]
    lines.append("    }")
    for connection in resource.connections.values():
        lines += ["    connection {", f"        _peer_node_id {connection.node_id};"]
        for local, remote in connection.paths:
            ends = [
                f"            _{who}_host {at.replace(':', ' ', 1)};"
                for who, at in (("this", local), ("remote", remote))
            ]
            lines += ["        path {", *ends, "        }"]
        lines += [*_section("net", {**connection.options, "_name": connection.name}, 8), "    }"]
    return "\n".join([*lines, "}", ""])


def _disks(device: Device) -> list[tuple[str, str]]:
    """Of a disk that is being attached the kernel tells nothing yet."""
    if not device.has_data:
        return [] if device.backing else [("disk", "none")]
    return [("disk", f'"{device.backing}"'), ("meta-disk", f'"{device.apart}"' if device.apart else "internal")]


def _section(name: str, options: Any, indent: int) -> list[str]:
    blank = " " * indent
    return [f"{blank}{name} {{", *(f"{blank}    {key}\t\t{value};" for key, value in options.items()), f"{blank}}}"]


def _shown_at(address: str) -> str:
    return address.replace(":", " ", 1)


def show_json(resources: list[Resource]) -> str:
    return _json([_shown(resource) for resource in resources])


def _shown(resource: Resource) -> dict[str, Any]:
    volumes = [
        {
            "volume_nr": d.number,
            "device_minor": d.minor,
            **({"backing-disk": d.backing, "meta-disk": d.apart or "internal"} if d.has_data else {}),
            **({} if d.backing else {"disk": "none"}),
        }
        for d in resource.devices.values()
    ]
    return {
        "resource": resource.name,
        "options": dict(resource.options),
        "_this_host": {"node-id": resource.node_id, "volumes": volumes},
        "connections": [_shown_connection(connection) for connection in resource.connections.values()],
    }


def _shown_connection(connection: Connection) -> dict[str, Any]:
    paths = [
        {"_this_host": a.replace(":", " ", 1), "_remote_host": b.replace(":", " ", 1)} for a, b in connection.paths
    ]
    without = [{"volume_nr": n, "disk": {"bitmap": False}} for n, part in connection.volumes.items() if not part.bitmap]
    return {
        **({"path": paths[0]} if len(paths) == 1 else {"paths": paths}),
        "net": {**connection.options, "_name": connection.name},
        **({"volumes": without} if without else {}),
        "_peer_node_id": connection.node_id,
    }


def status_json(resources: list[Resource]) -> str:
    return _json([_status(resource) for resource in resources])


def _status(resource: Resource) -> dict[str, Any]:
    waits = suspended(resource)
    return {
        "name": resource.name,
        "node-id": resource.node_id,
        "role": resource.role,
        "suspended": bool(waits),
        **{f"suspended-{reason}": reason in waits for reason in ("user", "no-data", "fencing", "quorum")},
        "force-io-failures": False,
        "write-ordering": "flush",
        "devices": [_device_status(device) for device in resource.devices.values()],
        "connections": [_connection_status(resource, connection) for connection in resource.connections.values()],
    }


def _device_status(device: Device) -> dict[str, Any]:
    counts = ("al-writes", "bm-writes", "upper-pending", "lower-pending")
    return {
        "volume": device.number,
        "minor": device.minor,
        "disk-state": device.disk,
        "client": device.disk == "Diskless" and device.intended_diskless,
        "quorum": device.quorum,
        "size": size(device) >> 10,
        "read": 0,
        "written": device.written >> 10,
        **dict.fromkeys(counts, 0),
    }


def _connection_status(resource: Resource, connection: Connection) -> dict[str, Any]:
    return {
        "peer-node-id": connection.node_id,
        "name": connection.name,
        "connection-state": connection.state,
        "congested": False,
        "peer-role": connection.other.role if connection.other else "Unknown",
        "ap-in-flight": 0,
        "rs-in-flight": 0,
        "peer_devices": [
            _peer_status(resource, connection, number, part)
            for number, part in connection.volumes.items()
            if number in resource.devices
        ],
    }


def _peer_status(resource: Resource, connection: Connection, number: int, part: PeerDevice) -> dict[str, Any]:
    disk, device = peer_disk(resource, connection, number), resource.devices[number]
    return {
        "volume": number,
        "replication-state": part.replication,
        "peer-disk-state": disk,
        "peer-client": disk == "Diskless" and not part.bitmap,
        "resync-suspended": waiting(part),
        "received": 0,
        "sent": 0,
        "out-of-sync": out_of_sync(device, connection) >> 10,
        "pending": 0,
        "unacked": 0,
        "has-sync-details": part.replication in SYNC,
        "has-online-verify-details": part.replication in ("VerifyS", "VerifyT"),
        "percent-in-sync": round(in_sync(device, connection), 2),
    }


def status(resource: Resource) -> str:
    """As `drbdadm status` tells people."""
    lines = [f"{resource.name} role:{resource.role}"]
    for device in resource.devices.values():
        volume = f"volume:{device.number} " if len(resource.devices) > 1 else ""
        client = " client:yes" if device.disk == "Diskless" and device.intended_diskless else ""
        quorum = "" if device.quorum else " quorum:no"
        lines.append(f"  {volume}disk:{device.disk}{client}{quorum}")
    for connection in resource.connections.values():
        if connection.other is None:
            lines.append(f"  {connection.name} connection:{connection.state}")
            continue
        lines.append(f"  {connection.name} role:{connection.other.role}")
        lines += [_line(resource, connection, number) for number in connection.volumes if number in resource.devices]
    return "\n".join([*lines, ""])


def _line(resource: Resource, connection: Connection, number: int) -> str:
    part, disk = connection.volumes[number], peer_disk(resource, connection, number)
    volume = f"volume:{number} " if len(resource.devices) > 1 else ""
    running = f"replication:{part.replication} " if part.replication != "Established" else ""
    client = " peer-client:yes" if disk == "Diskless" and not part.bitmap else ""
    done = f" done:{in_sync(resource.devices[number], connection):.2f}" if part.replication in SYNC else ""
    return f"    {volume}{running}peer-disk:{disk}{client}{done}"


def _json(rows: list[dict[str, Any]]) -> str:
    return msgspec.json.format(msgspec.json.encode(rows), indent=2).decode() + "\n"


def _yes_or_no(fact: bool) -> str:
    return "yes" if fact else "no"
