"""Connections that run through DRBD Proxy: which ones, by which ports, and how it is told to the nodes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from orlop.model import ResourceConnection, ResourceDefinition, WantedProxy, key

PORT = "Internal/DrbdProxy/Port/"  # of a resource connection, followed by a node: where the proxies meet
COMPRESSION = "DrbdProxy/CompressionType"  # of a resource definition
OPTIONS, COMPRESSION_OPTIONS = "DrbdOptions/Proxy/", "DrbdOptions/ProxyCompression/"
FLAG = "LOCAL_DRBD_PROXY"  # of a resource connection, as clients know it


def port(connection: ResourceConnection | None, node: str) -> int | None:
    """None where the connection is a direct one."""
    found = connection.props if connection else {}
    text = next((value for name, value in found.items() if key(name) == key(f"{PORT}{node}")), "")
    return int(text) if text.isdecimal() else None


def without(props: Mapping[str, str]) -> dict[str, str]:
    """Properties of a connection that is a direct one again."""
    return {name: value for name, value in props.items() if not name.startswith(PORT)}


def connection_of(definition: ResourceDefinition, here: str, there: str) -> ResourceConnection | None:
    pair = {key(here), key(there)}
    return next((c for c in definition.connections if {key(c.node_a), key(c.node_b)} == pair), None)


def between(definition: ResourceDefinition, here: str, there: str) -> WantedProxy | None:
    """As the node `here` sees it."""
    connection = connection_of(definition, here, there)
    own, other = port(connection, here), port(connection, there)
    return WantedProxy(here=own, there=other) if own is not None and other is not None else None


def options(definition: ResourceDefinition) -> Mapping[str, str]:
    """By `Proxy/<name>`, `ProxyCompression/<name>` and `ProxyCompression`, its kind."""
    prefixes = (OPTIONS, COMPRESSION_OPTIONS)
    found = {n.removeprefix("DrbdOptions/"): v for n, v in definition.props.items() if n.startswith(prefixes)}
    kind = definition.props.get(COMPRESSION, "")
    return {**found, "ProxyCompression": kind} if kind else found
