"""From a configuration file to what the simulated kernel has: `drbdadm adjust`, and its parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from orlop.errors import CommandFailed
from orlop.testing.disk import Disk, SimulatedFile
from orlop.testing.drbd9_config import Configured, Peer, Tools, Volume, configured
from orlop.testing.drbd9_io import Access, DeviceFile, used
from orlop.testing.drbd9_links import compare_again, leave
from orlop.testing.drbd9_model import Connection, Device, Metadata, PeerDevice, Resource
from orlop.testing.drbd9_states import accessible
from orlop.testing.drbd_metadata import fits
from orlop.testing.drbd_network import apart, capacity

FOLDERS = ("/var/lib/orlop/drbd", "/etc/drbd.d")
FindMetadata = Callable[[SimulatedFile], Metadata | None]
Look = Callable[[], None]


def read(disk: Disk, name: str, here: str, tools: Tools) -> Configured:
    """The resource as its file says."""
    for folder in FOLDERS:
        path = f"{folder}/{name}.res"
        file = disk.find(path)
        if file is not None:
            found = next(each for each in configured(path, file.text, here, tools) if each.name == name)
            return replace(found, text=file.text)
    raise CommandFailed(("drbdadm",), 10, f"'{name}' not defined in your config (for this host).")


def fail(code: int, number: int, reason: str, about: str) -> CommandFailed:
    return CommandFailed(("drbdadm",), code, f"{about}: Failure: ({number}) {reason}")


def add_minor(resource: Resource, volume: Volume, taken: set[int], look: Look) -> Device:
    device = resource.devices.get(volume.number)
    if device is None:
        if volume.minor in taken:
            raise fail(10, 161, "Minor or volume exists already (delete it first)", resource.name)
        device = resource.devices[volume.number] = Device(volume.number, volume.minor)
        device.file = DeviceFile(Access(resource, device, look), 0)
        device.quorum = resource.option("quorum") == "off"
        resource.disk.opened[f"/dev/drbd{volume.minor}"] = device.file
        for connection in resource.connections.values():
            connection.volumes.setdefault(volume.number, PeerDevice())
    device.client = not volume.backing and not volume.tiebreaker
    device.options = volume.options
    device.intended_diskless = not volume.backing
    return device


def attach(resource: Resource, device: Device, volume: Volume, find: FindMetadata) -> None:
    """What the metadata says of the data is believed, until somebody knows better."""
    backing = volume.backing
    file = resource.disk.content(backing)
    metadata = find(resource.disk.content(volume.apart) if volume.apart else file)
    if metadata is None or not fits(metadata, file.size, bool(volume.apart)):
        raise fail(20, 119, "No valid meta data found", str(device.minor))
    if metadata.node_id not in (None, resource.node_id):
        raise fail(10, 119, "metadata was made for another node id", str(device.minor))
    metadata.node_id, metadata.unclean = resource.node_id, True
    device.backing, device.apart, device.metadata = backing, volume.apart, metadata
    metadata.size = metadata.size or room(resource, device)
    _give_slots(resource, device)
    if metadata.crashed:
        for slot in metadata.slots.values():
            slot.bits.blocks |= metadata.hot
    for held in filter(None, (backing, device.apart)):
        resource.disk.used[held] = (f"held by drbd{device.minor}",)
    if device.file is not None:
        device.file.size = device.file.size or metadata.size
    connected = any(connection.other is not None for connection in resource.connections.values())
    if connected and (resource.attaches_alone or resource.negotiates):
        device.disk, device.negotiating = "Negotiating", resource.negotiates
    elif not negotiated(resource, device):
        raise fail(17, 119, "State change was refused by peer node", str(device.minor))


def negotiated(resource: Resource, device: Device) -> bool:
    """Whether what a disk has goes with what the nodes have that are connected; otherwise it is let go again."""
    metadata = device.metadata
    assert metadata is not None
    device.disk = "Inconsistent" if not metadata.consistent else "Consistent" if metadata.up_to_date else "Outdated"
    if compare_again(resource, device.number):
        device.exposed = ""
        return True
    release(resource, device)
    device.disk, device.metadata = "Diskless", None
    return False


def room(resource: Resource, device: Device) -> int:
    """Bytes that the devices below leave for data."""
    assert device.metadata is not None
    size, peers = resource.disk.content(device.backing).size, device.metadata.max_peers
    return apart(size, resource.disk.content(device.apart).size, peers) if device.apart else capacity(size, peers)


def release(resource: Resource, device: Device) -> None:
    for held in (device.backing, device.apart):
        resource.disk.used.pop(held, None)
    device.backing = device.apart = ""


def _give_slots(resource: Resource, device: Device) -> None:
    wanting = [c.node_id for c in resource.connections.values() if _wants_slot(c, device.number)]
    for node_id in wanting:
        if device.metadata is not None and device.metadata.slot(node_id) is None:
            there, asked = device.metadata.max_peers, len(wanting)
            reason = f"Not enough free bitmap slots (available slots: {there}, requested slots: {asked})"
            raise fail(10, 162, reason, str(device.minor))


def _wants_slot(connection: Connection, number: int) -> bool:
    return number in connection.volumes and connection.volumes[number].bitmap


def detach(resource: Resource, device: Device, diskless: bool = False) -> None:
    """Those that go on without these data begin a new generation."""
    if device.metadata is None:
        device.intended_diskless = device.intended_diskless or diskless
        return
    disk, metadata = device.disk, device.metadata
    device.disk, device.metadata = "Diskless", None
    if resource.role == "Primary" and not accessible(resource, device):
        device.disk, device.metadata = disk, metadata
        raise CommandFailed(
            ("drbdsetup",), 17, f"{device.minor}: State change failed: (-2) Need access to UpToDate data"
        )
    release(resource, device)
    device.intended_diskless = diskless
    for _, part, other, there in resource.far(device.number):
        part.replication = other.connections[resource.node_id].volumes[device.number].replication = "Established"
        if other.role == "Primary":
            there.due.add(resource.node_id)
    if resource.role == "Primary":
        device.exposed = metadata.generations.current
        device.due.add(resource.node_id)


def remove_minor(resource: Resource, device: Device) -> None:
    if device.metadata is not None:
        raise fail(10, 168, "Device is configured (detach it first)", str(device.minor))
    resource.disk.opened.pop(f"/dev/drbd{device.minor}", None)
    del resource.devices[device.number]
    for connection in resource.connections.values():
        connection.volumes.pop(device.number, None)


def remove_peer(resource: Resource, node_id: int) -> None:
    connection = resource.connections.get(node_id)
    if connection is None:
        raise fail(10, 162, "no such peer", resource.name)
    leave(resource, connection)
    del resource.connections[node_id]


def adjust(resource: Resource, wanted: Configured, taken: set[int], find: FindMetadata, look: Look, skip: bool) -> None:
    """`taken`: minors of other resources; `skip`: disks stay as they are."""
    if resource.node_id != wanted.here.node_id:
        raise fail(10, 162, "the node id of a resource cannot be changed", resource.name)
    resource.options = dict(wanted.options)
    for node_id in [n for n in resource.connections if n not in {peer.host.node_id for peer in wanted.peers}]:
        remove_peer(resource, node_id)
    for device in [d for n, d in resource.devices.items() if n not in wanted.here.volumes]:
        detach(resource, device)
        remove_minor(resource, device)
    for volume in wanted.here.volumes.values():
        add_minor(resource, volume, taken, look)
    for peer in wanted.peers:
        _peer(resource, peer)
    for volume in wanted.here.volumes.values():
        _disk(resource, volume, find, skip)
    for connection in resource.connections.values():
        connection.wanted = True


def _disk(resource: Resource, volume: Volume, find: FindMetadata, skip: bool) -> None:
    device = resource.devices[volume.number]
    if not skip and volume.backing and device.metadata is None:
        attach(resource, device, volume, find)
    elif not volume.backing and device.metadata is not None:
        detach(resource, device, diskless=True)
    elif device.metadata is not None:
        _give_slots(resource, device)


def _peer(resource: Resource, peer: Peer) -> None:
    host = peer.host
    connection = resource.connections.setdefault(host.node_id, Connection(host.node_id, host.name))
    connection.paths, connection.options = peer.paths, peer.options
    for number in resource.devices:
        part = connection.volumes.setdefault(number, PeerDevice())
        volume = host.volumes.get(number)
        part.bitmap = bool(volume and volume.backing) and peer.disk.get(number, {}).get("bitmap", "yes") != "no"
        part.tiebreaker = volume is None or volume.tiebreaker


def down(resource: Resource) -> None:
    """In order: peers are told."""
    if used(resource):
        reason = "Device is held open by someone"
        raise CommandFailed(("drbdsetup",), 11, f"{resource.name}: State change failed: (-12) {reason}")
    resource.role = "Secondary"
    for connection in resource.connections.values():
        leave(resource, connection)
    for device in list(resource.devices.values()):
        if device.metadata is not None:
            device.metadata.hot.clear()
        detach(resource, device)
        remove_minor(resource, device)
