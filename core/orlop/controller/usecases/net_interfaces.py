"""Net interfaces of nodes. The active one carries the connection to the satellite."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.usecases import lookup
from orlop.errors import NotFound, Refused
from orlop.model import NetInterface, Node, key, names

SATELLITE_PORTS = {"PLAIN": 3366, "SSL": 3367}
CONTROLLER_PORTS = {"PLAIN": 3370, "SSL": 3371}


def interfaces_of(core: Core, kind: str, bodies: Sequence[wire.NetInterface]) -> tuple[NetInterface, ...]:
    """The interfaces a new node begins with; the one marked active, else the first, carries the connection."""
    if not bodies and kind in ("SATELLITE", "COMBINED"):
        raise Refused(
            "A node with a satellite needs a net interface.",
            correction="Give the address under which its satellite can be reached.",
            code=Fail.MISSING_NETCOM,
        )
    active = next((place for place, body in enumerate(bodies) if body.is_active), 0)
    made: list[NetInterface] = []
    for place, body in enumerate(bodies):
        if any(key(other.name) == key(body.name) for other in made):
            raise _exists(body.name)
        made.append(_made(core, kind, body, active=place == active))
    return tuple(made)


def switched(node: Node, kind: str) -> tuple[NetInterface, ...]:
    """The interfaces after the node became of another kind: usual ports of the old kind become those of the new."""
    old, new = _ports(node.kind), _ports(kind)
    swap = {old[e]: new[e] for e in old}
    return tuple(replace(i, port=swap.get(i.port, i.port)) if i.active and i.port else i for i in node.interfaces)


def find(node: Node, name: str) -> NetInterface:
    for found in node.interfaces:
        if key(found.name) == key(name):
            return found
    raise NotFound(
        f"Net interface '{name}' of node '{node.name}' not found.",
        correction="See 'orlop node info' for the interfaces.",
        code=Fail.NOT_FOUND_NET_IF,
    )


def create(core: Core, node_name: str, body: wire.NetInterface) -> Answers:
    with core.change() as draft:
        node = lookup.node(draft, node_name)
        answers = Answers(codes.CREATE, Subject.NET_IF, Node=node.name, NetIf=body.name)
        if any(key(i.name) == key(body.name) for i in node.interfaces):
            raise _exists(body.name)
        made = _made(core, node.kind, body, active=not node.interfaces)
        interfaces = (*node.interfaces, made)
        if body.is_active:
            interfaces = _activated(node, interfaces, made.name)
        draft.put(replace(node, interfaces=interfaces))
    answers.success(
        f"Net interface '{made.name}' of node '{node.name}' is created.",
        codes.CREATED,
        details=f"Its UUID is {made.uuid}.",
    )
    return answers


def modify(core: Core, node_name: str, name: str, body: wire.NetInterfaceModify) -> Answers:
    """Only what is given. `is_active: false` changes nothing: clients always send it."""
    with core.change() as draft:
        node = lookup.node(draft, node_name)
        before = find(node, name)
        port = names.port(body.satellite_port) if body.satellite_port is not None else before.port
        encryption = _encryption(body.satellite_encryption_type) if body.satellite_encryption_type else None
        after = replace(
            before,
            address=names.address(body.address) if body.address else before.address,
            port=port,
            # Without a port the interface is for data only, whatever encryption comes along.
            encryption=None if port is None else encryption or before.encryption or "PLAIN",
        )
        interfaces = tuple(after if i is before else i for i in node.interfaces)
        if body.is_active:
            interfaces = _activated(node, interfaces, before.name)
        draft.put(replace(node, interfaces=interfaces))
    answers = Answers(codes.MODIFY, Subject.NET_IF, Node=node.name, NetIf=before.name)
    answers.success(f"Net interface '{before.name}' of node '{node.name}' is modified.", codes.MODIFIED)
    return answers


def delete(core: Core, node_name: str, name: str) -> Answers:
    """The connection moves to another interface if one can carry it; the last of those stays."""
    with core.change() as draft:
        node = lookup.node(draft, node_name)
        gone = find(node, name)
        interfaces = tuple(i for i in node.interfaces if i is not gone)
        if gone.active and node.has_satellite:
            other = next((i for i in interfaces if i.port is not None), None)
            if other is None:
                raise Refused(
                    f"'{gone.name}' is the only interface that carries the connection to node '{node.name}'.",
                    correction="Create another one with a satellite port first.",
                    code=Fail.MISSING_STLT_CONN,
                )
            interfaces = _activated(node, interfaces, other.name)
        draft.put(replace(node, interfaces=interfaces))
    answers = Answers(codes.DELETE, Subject.NET_IF, Node=node.name, NetIf=gone.name)
    answers.success(f"Net interface '{gone.name}' of node '{node.name}' is deleted.", codes.DELETED)
    return answers


def _made(core: Core, kind: str, body: wire.NetInterface, active: bool) -> NetInterface:
    encryption = _encryption(body.satellite_encryption_type or "PLAIN")
    port = body.satellite_port
    if port is None and active:
        port = _ports(kind)[encryption]
    return NetInterface(
        name=names.net_interface(body.name),
        uuid=core.new_uuid(),
        address=names.address(body.address),
        port=names.port(port) if port is not None else None,
        encryption=encryption if port is not None else None,
        active=active,
    )


def _activated(node: Node, interfaces: tuple[NetInterface, ...], name: str) -> tuple[NetInterface, ...]:
    chosen = next(i for i in interfaces if i.name == name)
    if chosen.port is None:
        raise Refused(
            f"Net interface '{name}' of node '{node.name}' cannot carry the connection: it has no satellite port.",
            correction="Give it a satellite port.",
            code=Fail.INVLD_NET_PORT,
        )
    return tuple(replace(i, active=i is chosen) for i in interfaces)


def _ports(kind: str) -> dict[str, int]:
    return CONTROLLER_PORTS if kind == "CONTROLLER" else SATELLITE_PORTS


def _encryption(text: str) -> str:
    if text.upper() in SATELLITE_PORTS:
        return text.upper()
    raise Refused(
        f"'{text}' is not an encryption of the satellite connection.",
        correction="Use PLAIN or SSL.",
        code=Fail.INVLD_ENCRYPT_TYPE,
    )


def _exists(name: str) -> Refused:
    return Refused(f"Net interface '{name}' exists already.", code=Fail.EXISTS_NET_IF)
