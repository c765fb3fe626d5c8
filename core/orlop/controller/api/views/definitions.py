"""Resource definitions, volume definitions, and the connections between their resources."""

from __future__ import annotations

from itertools import combinations

from orlop import model
from orlop.controller import cloning, drbd_proxy, wire
from orlop.controller.diskless import is_diskless
from orlop.controller.growing import UP_TO_DATE, facts
from orlop.controller.picture import Picture
from orlop.controller.progress import reported_volume
from orlop.controller.replication import LAYER
from orlop.controller.reported import Reported
from orlop.model import KIB, Presence, key


def definition(wanted: model.ResourceDefinition, volumes: bool) -> wire.ResourceDefinition:
    return wire.ResourceDefinition(
        name=wanted.name,
        external_name=wanted.external_name,
        props=wanted.props,
        flags=tuple(sorted(wanted.flags | cloning.flags(wanted))),
        layer_data=tuple(
            wire.ResourceDefinitionLayer(type=layer, data=_data(layer, wanted)) for layer in wanted.layers
        ),
        uuid=wanted.uuid,
        resource_group_name=wanted.group,
        volume_definitions=tuple(volume_definitions(wanted)) if volumes else (),
    )


def _data(layer: str, of: model.ResourceDefinition) -> wire.DrbdResourceDefinitionLayer | None:
    if layer != LAYER:
        return None
    slots = of.peer_slots or next((r.peer_slots for r in of.resources if r.peer_slots), None)
    return wire.DrbdResourceDefinitionLayer(
        resource_name_suffix="", peer_slots=slots, al_stripes=1, al_stripe_size_kib=32, transport_type="IP", down=False
    )


def _volume_data(layer: str, of: model.VolumeDefinition) -> wire.DrbdVolumeDefinition | None:
    if layer != LAYER:
        return None
    return wire.DrbdVolumeDefinition(resource_name_suffix="", volume_number=of.number, minor_number=of.minor)


def definitions(picture: Picture) -> list[model.ResourceDefinition]:
    return [picture.definitions[name] for name in sorted(picture.definitions)]


def volume_definition(of: model.ResourceDefinition, wanted: model.VolumeDefinition) -> wire.VolumeDefinition:
    return wire.VolumeDefinition(
        volume_number=wanted.number,
        size_kib=wanted.size // KIB,
        props=wanted.props,
        flags=tuple(sorted(wanted.flags)),
        layer_data=tuple(
            wire.VolumeDefinitionLayer(type=layer, data=_volume_data(layer, wanted)) for layer in of.layers
        ),
        uuid=wanted.uuid,
    )


def volume_definitions(of: model.ResourceDefinition) -> list[wire.VolumeDefinition]:
    return [volume_definition(of, v) for v in sorted(of.volume_definitions, key=lambda v: v.number)]


def connection(of: model.ResourceDefinition, node_a: str, node_b: str) -> wire.ResourceConnection:
    wanted = {key(node_a), key(node_b)}
    found = next((c for c in of.connections if {key(c.node_a), key(c.node_b)} == wanted), None)
    ports = drbd_proxy.port(found, node_a), drbd_proxy.port(found, node_b)
    return wire.ResourceConnection(
        node_a=node_a,
        node_b=node_b,
        props=found.props if found else {},
        flags=(drbd_proxy.FLAG,) if None not in ports else (),
        drbd_proxy_port_a=ports[0],
        drbd_proxy_port_b=ports[1],
    )


def connections(of: model.ResourceDefinition) -> list[wire.ResourceConnection]:
    """Every pair of nodes that has the resource."""
    nodes = sorted((r.node for r in of.resources), key=key)
    return [connection(of, a, b) for a, b in combinations(nodes, 2)]


def synced(reported: Reported, of: model.ResourceDefinition) -> bool:
    """Whether every replica was last seen complete, and up to date where it is replicated, by a report about its newest
    order."""
    for resource in of.resources:
        report = reported.current(resource.node, of.name)
        for volume in resource.volumes:
            seen = reported_volume(report, volume.uuid)
            if seen is None or seen.presence is not Presence.READY or seen.problem:
                return False
            if not is_diskless(resource) and facts(report, volume).get("disk", UP_TO_DATE) != UP_TO_DATE:
                return False
    return True
