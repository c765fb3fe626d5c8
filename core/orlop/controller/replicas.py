"""What each node is told of a replicated resource: its peers, and the options in force. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orlop.controller import drbd_proxy, initial_sync, paths, sites, snapshot_copies
from orlop.controller.diskless import is_client, is_diskless
from orlop.controller.growing import DEVICE
from orlop.controller.picture import Picture
from orlop.controller.properties import Kind, Source, effective
from orlop.controller.replication import DEFAULT_SLOTS, LAYER, stack_of
from orlop.model import (
    Node,
    NodeConnection,
    Resource,
    ResourceConnection,
    ResourceDefinition,
    Volume,
    VolumeDefinition,
    WantedDrbd,
    WantedPeer,
    WantedReplica,
    key,
)
from orlop.model.keeping import REQUIRE, TRY

OPTIONS = "DrbdOptions/"
PREFERRED = "PrefNic"
DEFAULT = "default"
SKIP_DISK = "DrbdOptions/SkipDisk"  # of a resource: its disk failed
KEEPS = "DrbdOptions/Orlop/snapshot-before-resync"
DISCONNECTED = "Internal/Disconnected"  # on a connection: an administrator asked for it
Objects = dict[Kind, Source]


def wanted(picture: Picture, definition: ResourceDefinition, resource: Resource, volume: Volume) -> WantedDrbd | None:
    """None where the volume is not replicated."""
    of = next((v for v in definition.volume_definitions if v.number == volume.number), None)
    if of is None or of.minor is None or resource.node_id is None or LAYER not in stack_of(definition, resource):
        return None
    return WantedDrbd(
        replica=replica(picture, definition, resource),
        minor=of.minor,
        first=of.first == volume.uuid,
        last=all(r.deleting for r in definition.resources) or "DELETE" in of.flags,
        grow=DEVICE in of.flags,
        day0=of.day0,
        equal=initial_sync.is_equal(of, volume),
        origin=snapshot_copies.origin(of, volume),
        options=_options(("Disk",), _around_volume(picture, definition, resource, volume, of)),
    )


def peers(definition: ResourceDefinition, resource: Resource) -> list[Resource]:
    """A replica on its way out is a peer until its node has nothing of it any more."""
    return [
        r for r in definition.resources if r.node_id is not None and r is not resource and (r.volumes or not r.deleting)
    ]


def replica(picture: Picture, definition: ResourceDefinition, resource: Resource) -> WantedReplica:
    assert resource.node_id is not None
    return WantedReplica(
        definition=definition.uuid,
        incarnation=resource.uuid,
        node_id=resource.node_id,
        address=address(picture, definition, resource),
        port=_port(resource),
        diskless=is_diskless(resource),
        client=is_client(resource),
        skip_disk=_skips_disk(picture, definition, resource),
        slots=resource.peer_slots or DEFAULT_SLOTS,
        peers=tuple(_peer(picture, definition, resource, r) for r in peers(definition, resource)),
        options={
            **_options(("Resource", "Handlers"), around(picture, definition, resource)),
            **drbd_proxy.options(definition),
        },
        keeps=_keeps(picture, definition, resource),
    )


def _peer(picture: Picture, definition: ResourceDefinition, resource: Resource, peer: Resource) -> WantedPeer:
    assert peer.node_id is not None
    return WantedPeer(
        node=peer.node,
        incarnation=peer.uuid,
        node_id=peer.node_id,
        address=address(picture, definition, peer),
        port=_port(peer),
        diskless=is_diskless(peer),
        client=is_client(peer),
        paths=paths.between(picture, definition, resource.node, peer.node),
        proxy=drbd_proxy.between(definition, resource.node, peer.node),
        connected=is_connected(definition, resource.node, peer.node),
        options=_options(("Net", "PeerDevice"), _around_connection(picture, definition, resource, peer)),
    )


def is_connected(definition: ResourceDefinition, one: str, other: str) -> bool:
    """Whether nobody asked for the two nodes to be disconnected."""
    connection = connection_of(definition, one, other)
    return connection is None or DISCONNECTED not in connection.props


def connection_of(definition: ResourceDefinition, one: str, other: str) -> ResourceConnection | None:
    pair = {key(one), key(other)}
    return next((c for c in definition.connections if {key(c.node_a), key(c.node_b)} == pair), None)


def _skips_disk(picture: Picture, definition: ResourceDefinition, resource: Resource) -> bool:
    found = effective(SKIP_DISK, around(picture, definition, resource))
    return found is not None and found.value.lower() == "true"


def _keeps(picture: Picture, definition: ResourceDefinition, resource: Resource) -> str:
    found = effective(KEEPS, around(picture, definition, resource))
    return found.value if found is not None and found.value in (TRY, REQUIRE) else ""


def _port(resource: Resource) -> int:
    return resource.ports[0]


def address(picture: Picture, definition: ResourceDefinition, resource: Resource) -> str:
    """Of the net interface that `PrefNic` names, else of the one named `default`, else of the first."""
    node = picture.node(resource.node)
    interfaces = node.interfaces if node else ()
    pool = picture.pool(resource.node, resource.volumes[0].pool) if resource.volumes else None
    objects = around(picture, definition, resource)
    objects[Kind.STORAGE_POOL] = Source(pool.name if pool else "", pool.props if pool else {})
    found = effective(PREFERRED, objects)
    for name in (found.value if found else DEFAULT, DEFAULT):
        for interface in interfaces:
            if key(interface.name) == key(name):
                return interface.address
    return interfaces[0].address if interfaces else ""


def _options(sections: Iterable[str], objects: Objects) -> Mapping[str, str]:
    """Effective values of all options of some sections that any of the objects sets."""
    prefixes = tuple(f"{OPTIONS}{section}/" for section in sections)
    names = sorted({name for source in objects.values() for name in source.props if name.startswith(prefixes)})
    found = ((name, effective(name, objects)) for name in names)
    return {name.removeprefix(OPTIONS): value.value for name, value in found if value is not None}


def around(picture: Picture, definition: ResourceDefinition, resource: Resource) -> Objects:
    group, node = picture.group(definition.group), picture.node(resource.node)
    return {
        Kind.RESOURCE: Source(resource.node, resource.props),
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
        Kind.NODE: _source(node),
        Kind.CONTROLLER: Source("", sites.around(picture, resource.node)),
    }


def _source(node: Node | None) -> Source:
    return Source(node.name, node.props) if node else Source("", {})


def _around_volume(
    picture: Picture, definition: ResourceDefinition, resource: Resource, volume: Volume, of: VolumeDefinition
) -> Objects:
    group = picture.group(definition.group)
    volume_group = next((v for v in group.volume_groups if v.number == of.number), None) if group else None
    return around(picture, definition, resource) | {
        Kind.VOLUME: Source(str(volume.number), volume.props),
        Kind.VOLUME_DEFINITION: Source(str(of.number), of.props),
        Kind.VOLUME_GROUP: Source(str(of.number), volume_group.props if volume_group else {}),
    }


def _around_connection(picture: Picture, definition: ResourceDefinition, one: Resource, other: Resource) -> Objects:
    """The same whichever end is asked: what is set on one of the two nodes does not count."""
    first, second = sorted((key(one.node), key(other.node)))
    connection = connection_of(definition, first, second)
    between: NodeConnection | None = picture.node_connections.get((first, second))
    near = around(picture, definition, one)
    return {
        Kind.RESOURCE_CONNECTION: Source("", connection.props if connection else {}),
        Kind.RESOURCE_DEFINITION: near[Kind.RESOURCE_DEFINITION],
        Kind.NODE_CONNECTION: Source("", between.props if between else {}),
        Kind.RESOURCE_GROUP: near[Kind.RESOURCE_GROUP],
        Kind.CONTROLLER: Source("", sites.between(picture, one.node, other.node)),
    }
