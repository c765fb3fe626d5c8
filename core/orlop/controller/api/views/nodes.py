"""Nodes, their net interfaces and connections."""

from __future__ import annotations

from orlop import model
from orlop.controller import wire
from orlop.controller.picture import Picture
from orlop.controller.reported import Reported, Status
from orlop.model import Support, key


def status(reported: Reported, node: model.Node) -> Status:
    """Nodes without a satellite have no connection that could have a state."""
    if not node.has_satellite:
        return Status.UNKNOWN
    found = reported.nodes.get(key(node.name))
    return found.status if found else Status.OFFLINE


def node(reported: Reported, wanted: model.Node) -> wire.Node:
    found = reported.nodes.get(key(wanted.name))
    info = found.info if found else None
    return wire.Node(
        name=wanted.name,
        type=wanted.kind,
        flags=tuple(sorted(wanted.flags)),
        props=wanted.props,
        net_interfaces=tuple(map(net_interface, wanted.interfaces)),
        connection_status=str(status(reported, wanted)),
        uuid=wanted.uuid,
        storage_providers=_usable(info.providers) if info else (),
        resource_layers=_usable(info.layers) if info else (),
        unsupported_providers=_unusable(info.providers) if info else {},
        unsupported_layers=_unusable(info.layers) if info else {},
        eviction_timestamp=wanted.evicted_at,
        platform="LINUX" if info else None,
        os_variant=(info.os_variant or None) if info else None,
    )


def nodes(picture: Picture, reported: Reported) -> list[wire.Node]:
    return [node(reported, picture.nodes[name]) for name in sorted(picture.nodes)]


def net_interface(interface: model.NetInterface) -> wire.NetInterface:
    return wire.NetInterface(
        name=interface.name,
        address=interface.address,
        satellite_port=interface.port,
        satellite_encryption_type=interface.encryption,
        is_active=interface.active,
        uuid=interface.uuid,
    )


def connection(wanted: model.NodeConnection) -> wire.NodeConnection:
    return wire.NodeConnection(node_a=wanted.node_a, node_b=wanted.node_b, props=wanted.props)


def _usable(found: tuple[Support, ...]) -> tuple[str, ...]:
    return tuple(sorted(support.name for support in found if support.usable))


def _unusable(found: tuple[Support, ...]) -> dict[str, tuple[str, ...]]:
    return {support.name: support.reasons for support in sorted(found, key=lambda s: s.name) if not support.usable}
