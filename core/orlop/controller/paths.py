"""Several ways between two nodes: properties `Paths/<name>/<node>` = a net interface, of their connections. Pure.

Those of a resource connection take the place of those of the node connection; a path that lacks an end, or whose
interface is gone, is left out. Without any, `PrefNic` decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orlop.codes import Fail
from orlop.controller.picture import Picture
from orlop.errors import Refused
from orlop.model import Node, ResourceDefinition, WantedPath, key

PREFIX = "Paths/"


def between(picture: Picture, definition: ResourceDefinition, here: str, there: str) -> tuple[WantedPath, ...]:
    """The paths of a resource as the node `here` sees them, by name; empty where none is whole."""
    first, second = sorted((key(here), key(there)))
    own = next((c for c in definition.connections if {key(c.node_a), key(c.node_b)} == {first, second}), None)
    general = picture.node_connections.get((first, second))
    for connection in (own, general):
        found = _ends(connection.props) if connection else {}
        if found:
            pairs = (
                (_address(picture, here, ends), _address(picture, there, ends)) for _, ends in sorted(found.items())
            )
            return tuple(WantedPath(here=one, there=other) for one, other in pairs if one and other)
    return ()


def _ends(props: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """By name of the path: by key of the node, the interface."""
    found: dict[str, dict[str, str]] = {}
    for name, interface in props.items():
        if name.startswith(PREFIX) and name.count("/") == 2:
            _, path, node = name.split("/")
            found.setdefault(path, {})[key(node)] = interface
    return found


def _address(picture: Picture, node: str, ends: Mapping[str, str]) -> str:
    found = picture.node(node)
    return _of_interface(found, ends.get(key(node), "")) if found else ""


def _of_interface(node: Node, name: str) -> str:
    return next((i.address for i in node.interfaces if key(i.name) == key(name)), "")


def refuse_unknown(picture: Picture, props: Mapping[str, str], asked: Iterable[str], nodes: tuple[str, str]) -> None:
    """Raises where one of the properties that are asked for names another node, or an interface that is not there."""
    for name in asked:
        if not name.startswith(PREFIX) or name not in props:
            continue
        at = name.split("/")[-1]
        node = picture.node(at)
        if key(at) not in {key(one) for one in nodes} or node is None:
            raise Refused(
                f"'{at}' is not one of the two nodes that the path connects: {' and '.join(nodes)}.",
                code=Fail.INVLD_PROP,
            )
        if not _of_interface(node, props[name]):
            raise Refused(
                f"Node '{node.name}' has no net interface '{props[name]}'.",
                details=f"It has: {', '.join(i.name for i in node.interfaces)}.",
                correction=f"Create it first: orlop node interface create {node.name} {props[name]} ADDRESS.",
                code=Fail.NOT_FOUND_NET_IF,
            )
