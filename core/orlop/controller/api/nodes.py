"""Routes of nodes, net interfaces and connections between nodes."""

from __future__ import annotations

from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import HERE, PAGED, Routes
from orlop.controller.api.views import nodes as view
from orlop.controller.usecases import evacuation, lookup, net_interfaces, node_connections, nodes
from orlop.model import key

route = Routes("nodes", Subject.NODE)
MISSING = frozenset({Fail.NOT_FOUND_NODE})
MISSING_INTERFACE = frozenset({Fail.NOT_FOUND_NODE, Fail.NOT_FOUND_NET_IF})


@route("GET", "/v1/nodes", answer=tuple[wire.Node, ...], query={"nodes": list, "props": list, **PAGED})
def listed(call: Call) -> list[wire.Node]:
    wanted = call.query.keys("nodes")
    picture = call.core.picture
    found = [
        node
        for name, node in sorted(picture.nodes.items())
        if (not wanted or name in wanted) and call.query.matches(node.props.items())
    ]
    return [view.node(call.core.reported, node) for node in call.query.page(found)]


@route("POST", "/v1/nodes", body=wire.Node, status=201)
def create(call: Call) -> Answers:
    return nodes.create(call.core, call.body)


@route("GET", "/v1/nodes/{node}", answer=wire.Node)
def shown(call: Call, node: str) -> wire.Node:
    return view.node(call.core.reported, lookup.node(call.core.picture, node))


@route("PUT", "/v1/nodes/{node}", body=wire.NodeModify)
def modify(call: Call, node: str) -> Answers:
    return nodes.modify(call.core, node, call.body)


@route("DELETE", "/v1/nodes/{node}", absent=MISSING)
def delete(call: Call, node: str) -> Answers:
    return nodes.delete(call.core, node)


@route("DELETE", "/v1/nodes/{node}/lost", absent=MISSING)
def lost(call: Call, node: str) -> Answers:
    return nodes.lost(call.core, node)


@route("PUT", "/v1/nodes/{node}/reconnect", unplanned=HERE)
def reconnect(call: Call, node: str) -> Answers:
    return nodes.reconnect(call.core, node)


@route("PUT", "/v1/nodes/{node}/evict")
def evict(call: Call, node: str) -> Answers:
    return evacuation.evict(call.core, node)


@route("PUT", "/v1/nodes/{node}/restore", body=wire.NodeRestore)
def restore(call: Call, node: str) -> Answers:
    return evacuation.restore(call.core, node, call.body)


@route("PUT", "/v1/nodes/{node}/evacuate", body=wire.NodeEvacuate)
def evacuate(call: Call, node: str) -> Answers:
    return evacuation.evacuate(call.core, node, call.body)


@route("GET", "/v1/nodes/{node}/net-interfaces", answer=tuple[wire.NetInterface, ...], query=PAGED)
def interfaces(call: Call, node: str) -> list[wire.NetInterface]:
    found = sorted(lookup.node(call.core.picture, node).interfaces, key=lambda i: key(i.name))
    return [view.net_interface(interface) for interface in call.query.page(found)]


@route("POST", "/v1/nodes/{node}/net-interfaces", body=wire.NetInterface, status=201, about=Subject.NET_IF)
def create_interface(call: Call, node: str) -> Answers:
    return net_interfaces.create(call.core, node, call.body)


@route("GET", "/v1/nodes/{node}/net-interfaces/{netinterface}", answer=wire.NetInterface, about=Subject.NET_IF)
def interface(call: Call, node: str, netinterface: str) -> wire.NetInterface:
    return view.net_interface(net_interfaces.find(lookup.node(call.core.picture, node), netinterface))


@route("PUT", "/v1/nodes/{node}/net-interfaces/{netinterface}", body=wire.NetInterfaceModify, about=Subject.NET_IF)
def modify_interface(call: Call, node: str, netinterface: str) -> Answers:
    return net_interfaces.modify(call.core, node, netinterface, call.body)


@route("DELETE", "/v1/nodes/{node}/net-interfaces/{netinterface}", about=Subject.NET_IF, absent=MISSING_INTERFACE)
def delete_interface(call: Call, node: str, netinterface: str) -> Answers:
    return net_interfaces.delete(call.core, node, netinterface)


@route("GET", "/v1/node-connections", answer=tuple[wire.NodeConnection, ...], query={"node_a": str, "node_b": str})
def connections(call: Call) -> list[wire.NodeConnection]:
    """Of two named nodes always one, python-linstor takes the first; else those that have properties."""
    names = [name for name in (call.query.text("node_a"), call.query.text("node_b")) if name]
    if len(names) == 2:
        return [view.connection(node_connections.find(call.core.picture, *names))]
    wanted = {key(name) for name in names}
    found = sorted(call.core.picture.node_connections.items())
    return [view.connection(connection) for pair, connection in found if wanted <= set(pair)]


@route("PUT", "/v1/node-connections/{node_a}/{node_b}", body=wire.NodeConnectionModify, about=Subject.NODE_CONN)
def modify_connection(call: Call, node_a: str, node_b: str) -> Answers:
    return node_connections.modify(call.core, node_a, node_b, call.body)
