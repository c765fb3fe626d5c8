"""Let connections of a replicated resource run through DRBD Proxy, which is installed on the nodes by others."""

from __future__ import annotations

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Info, Subject
from orlop.controller import drbd_versions, replication, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.drbd_proxy import COMPRESSION, COMPRESSION_OPTIONS, OPTIONS, PORT, connection_of, port, without
from orlop.controller.picture import Draft
from orlop.controller.properties import Kind, apply
from orlop.controller.usecases import lookup
from orlop.errors import BadProperty, Refused
from orlop.model import ResourceConnection, ResourceDefinition, key

KINDS = {"zlib": Kind.PROXY_ZLIB, "lzma": Kind.PROXY_LZMA, "zstd": Kind.PROXY_ZSTD}  # those that have options
NAMES = ("none", "lz4", *KINDS)


def enable(core: Core, name: str, node_a: str, node_b: str, request: wire.DrbdProxyEnable) -> Answers:
    answers = Answers(codes.MODIFY, Subject.RSC_CONN, RscDfn=name, FirstNode=node_a, SecondNode=node_b)
    with core.change() as draft:
        definition, first, second = _pair(draft, name, node_a, node_b)
        if not drbd_versions.all_at_least(draft, (first, second)):
            raise Refused(
                f"'{definition.name}' cannot use DRBD Proxy between '{first}' and '{second}': both need DRBD 9.",
                code=Fail.STLT_DOES_NOT_SUPPORT_LAYER,
            )
        present = connection_of(definition, first, second)
        one, other = sorted((first, second), key=key)
        connection = present or ResourceConnection(node_a=one, node_b=other, uuid=core.new_uuid())
        asked = {first: request.port_src or request.port, second: request.port_target or request.port}
        kept = replace(connection, props=without(connection.props))
        ports = {node: _port(draft, _with(definition, present, kept), node, number) for node, number in asked.items()}
        props = {**kept.props, **{f"{PORT}{node}": str(number) for node, number in ports.items()}}
        draft.put(_with(definition, present, replace(kept, props=props)))
    where = ", ".join(f"port {number} on '{node}'" for node, number in ports.items())
    answers.success(f"'{definition.name}' runs through DRBD Proxy between '{first}' and '{second}': {where}.")
    answers.info(
        "DRBD Proxy has to be installed and licensed on both nodes, and protocol A is what it is made for.",
        correction=f"orlop resource-definition drbd-options {definition.name} --protocol A",
    )
    return answers


def disable(core: Core, name: str, node_a: str, node_b: str) -> Answers:
    answers = Answers(codes.MODIFY, Subject.RSC_CONN, RscDfn=name, FirstNode=node_a, SecondNode=node_b)
    with core.change() as draft:
        definition, first, second = _pair(draft, name, node_a, node_b)
        present = connection_of(definition, first, second)
        if present is None or port(present, first) is None:
            answers.info(f"'{definition.name}' is connected directly between '{first}' and '{second}'.", Info.NOOP)
            return answers
        draft.put(_with(definition, present, replace(present, props=without(present.props))))
    answers.success(f"'{definition.name}' is connected directly again between '{first}' and '{second}'.")
    return answers


def modify(core: Core, name: str, request: wire.DrbdProxyModify) -> Answers:
    """Options of the proxies, and how they compress; a kind of compression brings its own options."""
    answers = Answers(codes.MODIFY, Subject.RSC_DFN, RscDfn=name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        _require_replication(definition)
        own = {n: v for n, v in definition.props.items() if n.startswith(OPTIONS)}
        change = apply(Kind.DRBD_PROXY, own, request.override_props, request.delete_props, request.delete_namespaces)
        props = {n: v for n, v in definition.props.items() if n not in own} | dict(change.props)
        if request.compression_type or request.compression_props:
            props = _compressed(props, request)
        draft.put(replace(definition, props=props))
    answers.success(f"DRBD Proxy of '{definition.name}' is modified.", codes.MODIFIED)
    return answers


def _compressed(props: dict[str, str], request: wire.DrbdProxyModify) -> dict[str, str]:
    kind = (request.compression_type or props.get(COMPRESSION, "none")).lower()
    if kind not in NAMES:
        raise BadProperty(f"DRBD Proxy does not compress by {kind!r}", details=f"It knows {', '.join(NAMES)}.")
    if kind not in KINDS and request.compression_props:
        raise BadProperty(f"The compression {kind!r} of DRBD Proxy has no options")
    chosen = apply(KINDS[kind], {}, request.compression_props).props if kind in KINDS else {}
    others = {n: v for n, v in props.items() if not n.startswith(COMPRESSION_OPTIONS) and n != COMPRESSION}
    return others if kind == "none" else {**others, **chosen, COMPRESSION: kind}


def _pair(draft: Draft, name: str, node_a: str, node_b: str) -> tuple[ResourceDefinition, str, str]:
    definition = lookup.definition(draft, name)
    _require_replication(definition)
    first, second = lookup.resource(definition, node_a).node, lookup.resource(definition, node_b).node
    if first == second:
        raise Refused("A connection is between two different nodes.", code=Fail.INVLD_NODE_NAME)
    return definition, first, second


def _require_replication(definition: ResourceDefinition) -> None:
    if not replication.replicated(definition):
        raise Refused(
            f"'{definition.name}' has no connections that DRBD Proxy could carry: its layer stack is "
            f"{', '.join(definition.layers)}.",
            code=Fail.INVLD_LAYER_STACK,
        )


def _port(draft: Draft, definition: ResourceDefinition, node: str, asked: int | None) -> int:
    if asked is None:
        return replication.free_port(draft, definition, node)
    if asked in replication.taken_ports(draft, definition, node) or not 0 < asked < 1 << 16:
        raise Refused(
            f"The TCP port {asked} cannot be used by DRBD Proxy on node '{node}'.",
            cause="It is taken or blocked there, or none.",
            correction="Leave it out to get one that is free.",
            code=Fail.INVLD_RSC_PORT,
        )
    return asked


def _with(
    definition: ResourceDefinition, before: ResourceConnection | None, after: ResourceConnection
) -> ResourceDefinition:
    """A connection without properties is none."""
    others = tuple(c for c in definition.connections if c is not before)
    return replace(definition, connections=(*others, after) if after.props else others)
