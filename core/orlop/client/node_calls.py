"""Nodes, their interfaces and connections."""

from collections.abc import Iterator, Sequence
from typing import Any

from orlop.client.answer import Answer
from orlop.client.bodies import NO_CHANGES, Changes, given
from orlop.client.caller import Caller
from orlop.client.controller_values import Count, Event, JoinCommand, PropertyInfo
from orlop.client.values import NetInterface, Node, NodeConnection
from orlop.client.wire import path, query


class NodeCalls(Caller):
    def nodes(
        self,
        names: Sequence[str] = (),
        props: Sequence[str] = (),
        offset: int | None = None,
        limit: int | None = None,
    ) -> list[Node]:
        """`props` are keys or key=value pairs that must all match."""
        wanted = query(nodes=list(names), props=list(props), offset=offset, limit=limit)
        return self.read(list[Node], path("nodes"), wanted)

    def node(self, name: str) -> Node:
        return self.read(Node, path("nodes", name))

    def create_node(
        self,
        name: str,
        kind: str = "SATELLITE",
        interfaces: Sequence[NetInterface] = (),
        props: dict[str, str] | None = None,
    ) -> Answer:
        body = given(name=name, type=kind, net_interfaces=[_interface(each) for each in interfaces], props=props)
        return self.command("POST", path("nodes"), body)

    def modify_node(self, name: str, changes: Changes = NO_CHANGES, kind: str | None = None) -> Answer:
        return self.command("PUT", path("nodes", name), changes.body(node_type=kind))

    def delete_node(self, name: str) -> Answer:
        return self.command("DELETE", path("nodes", name))

    def lose_node(self, name: str) -> Answer:
        """Forget a node that will not come back, with all that was on it."""
        return self.command("DELETE", path("nodes", name, "lost"))

    def reconnect_node(self, name: str) -> Answer:
        return self.command("PUT", path("nodes", name, "reconnect"))

    def restore_node(
        self, name: str, delete_resources: bool | None = None, delete_snapshots: bool | None = None
    ) -> Answer:
        body = given(delete_resources=delete_resources, delete_snapshots=delete_snapshots)
        return self.command("PUT", path("nodes", name, "restore"), body)

    def evacuate_node(self, name: str, target: Sequence[str] = (), do_not_target: Sequence[str] = ()) -> Answer:
        body = given(target=list(target) or None, do_not_target=list(do_not_target) or None)
        return self.command("PUT", path("nodes", name, "evacuate"), body)

    def evict_node(self, name: str) -> Answer:
        return self.command("PUT", path("nodes", name, "evict"))

    def configure_node(self, name: str, config: dict[str, Any]) -> Answer:
        """Set the satellite's configuration; only the log levels can be written."""
        return self.command("PUT", path("nodes", name, "config"), config)

    def net_interfaces(self, node: str) -> list[NetInterface]:
        return self.read(list[NetInterface], path("nodes", node, "net-interfaces"))

    def net_interface(self, node: str, name: str) -> NetInterface:
        return self.read(NetInterface, path("nodes", node, "net-interfaces", name))

    def create_net_interface(self, node: str, interface: NetInterface) -> Answer:
        return self.command("POST", path("nodes", node, "net-interfaces"), _interface(interface))

    def modify_net_interface(
        self,
        node: str,
        name: str,
        address: str | None = None,
        port: int | None = None,
        encryption: str | None = None,
        active: bool | None = None,
    ) -> Answer:
        body = given(
            name=name, address=address, satellite_port=port, satellite_encryption_type=encryption, is_active=active
        )
        return self.command("PUT", path("nodes", node, "net-interfaces", name), body)

    def delete_net_interface(self, node: str, name: str) -> Answer:
        return self.command("DELETE", path("nodes", node, "net-interfaces", name))

    def node_connections(self, node_a: str | None = None, node_b: str | None = None) -> list[NodeConnection]:
        return self.read(list[NodeConnection], path("node-connections"), query(node_a=node_a, node_b=node_b))

    def modify_node_connection(self, node_a: str, node_b: str, changes: Changes) -> Answer:
        return self.command("PUT", path("node-connections", node_a, node_b), changes.body())

    def node_properties_info(self) -> dict[str, PropertyInfo]:
        return self.read(dict[str, PropertyInfo], path("nodes", "properties", "info"))

    def node_count(self) -> int:
        return self.read(Count, path("stats", "nodes")).count

    def node_events(self) -> Iterator[Event]:
        return self.events(path("events", "nodes"))

    def join_command(self, node: str) -> JoinCommand:
        """What to run on a new node so that its satellite becomes part of the cluster."""
        return self.read(JoinCommand, path("orlop", "nodes", node, "join-command"), method="POST", changes=True)


def _interface(interface: NetInterface) -> dict[str, Any]:
    return given(
        name=interface.name,
        address=interface.address,
        satellite_port=interface.satellite_port,
        satellite_encryption_type=interface.satellite_encryption_type,
        is_active=interface.is_active,
    )
