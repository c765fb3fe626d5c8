"""Resources, their volumes and their connections."""

from collections.abc import Iterator, Sequence

from orlop.client.answer import Answer, ApiError
from orlop.client.bodies import NO_CHANGES, Changes, NewResource, given
from orlop.client.caller import Caller
from orlop.client.controller_values import Count, Event
from orlop.client.values import Resource, ResourceConnection, Volume
from orlop.client.wire import path, query

_ROOT = "resource-definitions"


class ResourceCalls(Caller):
    def resources(
        self,
        names: Sequence[str] = (),
        nodes: Sequence[str] = (),
        storage_pools: Sequence[str] = (),
        props: Sequence[str] = (),
    ) -> list[Resource]:
        """Everything about resources and their volumes, of the whole cluster."""
        wanted = query(nodes=list(nodes), storage_pools=list(storage_pools), resources=list(names), props=list(props))
        return self.read(list[Resource], path("view", "resources"), wanted)

    def resources_of(self, name: str) -> list[Resource]:
        return self.read(list[Resource], path(_ROOT, name, "resources"))

    def resource(self, name: str, node: str) -> Resource:
        return self.read(Resource, path(_ROOT, name, "resources", node))

    def create_resources(self, name: str, resources: Sequence[NewResource]) -> Answer:
        """All of them or none."""
        return self.command("POST", path(_ROOT, name, "resources"), [each.body() for each in resources])

    def create_resource(self, name: str, resource: NewResource) -> Answer:
        return self.command("POST", path(_ROOT, name, "resources", resource.node), resource.body())

    def modify_resource(
        self, name: str, node: str, changes: Changes = NO_CHANGES, tiebreaker: bool | None = None
    ) -> Answer:
        return self.command("PUT", path(_ROOT, name, "resources", node), changes.body(drbd_tiebreaker=tiebreaker))

    def delete_resource(self, name: str, node: str, keep_tiebreaker: bool | None = None) -> Answer:
        where = path(_ROOT, name, "resources", node)
        return self.command("DELETE", where, query=query(keep_tiebreaker=keep_tiebreaker))

    def make_available(
        self,
        name: str,
        node: str,
        diskful: bool = False,
        layers: Sequence[str] | None = None,
        ports: Sequence[int] | None = None,
    ) -> Answer:
        body = given(diskful=diskful, layer_list=layers, drbd_tcp_ports=ports)
        return self.command("POST", path(_ROOT, name, "resources", node, "make-available"), body)

    def unmake_available(self, name: str, node: str) -> Answer:
        return self.command("POST", path(_ROOT, name, "resources", node, "unmake-available"))

    def activate_resource(self, name: str, node: str) -> Answer:
        return self.command("POST", path(_ROOT, name, "resources", node, "activate"))

    def deactivate_resource(self, name: str, node: str) -> Answer:
        return self.command("POST", path(_ROOT, name, "resources", node, "deactivate"))

    def toggle_disk(
        self,
        name: str,
        node: str,
        diskful: bool,
        storage_pool: str | None = None,
        migrate_from: str | None = None,
        layers: Sequence[str] | None = None,
    ) -> Answer:
        """Give a diskless resource a disk, or take it away."""
        body = given(
            operation="INTO_DRBD_DISKFUL" if diskful else "INTO_DRBD_DISKLESS",
            storage_pool=storage_pool,
            migrate_from=migrate_from,
            layer_list=layers,
        )
        return self.command("PUT", path(_ROOT, name, "resources", node, "toggle-disk"), body)

    def volumes(self, name: str, node: str) -> list[Volume]:
        return self.read(list[Volume], path(_ROOT, name, "resources", node, "volumes"))

    def volume(self, name: str, node: str, number: int) -> Volume:
        return self.read(Volume, path(_ROOT, name, "resources", node, "volumes", number))

    def modify_volume(self, name: str, node: str, number: int, changes: Changes) -> Answer:
        return self.command("PUT", path(_ROOT, name, "resources", node, "volumes", number), changes.body())

    def resource_connections(self, name: str) -> list[ResourceConnection]:
        return self.read(list[ResourceConnection], path(_ROOT, name, "resource-connections"))

    def resource_connection(self, name: str, node_a: str, node_b: str) -> ResourceConnection:
        where = path(_ROOT, name, "resource-connections", node_a, node_b)
        found = self.read(ResourceConnection | list[ResourceConnection], where)  # type: ignore[arg-type]
        if not isinstance(found, list):
            return found
        if not found:  # servers differ: some answer a list of one
            raise ApiError([], 404)
        connection: ResourceConnection = found[0]
        return connection

    def modify_resource_connection(self, name: str, node_a: str, node_b: str, changes: Changes) -> Answer:
        return self.command("PUT", path(_ROOT, name, "resource-connections", node_a, node_b), changes.body())

    def resource_count(self) -> int:
        return self.read(Count, path("stats", "resources")).count

    def promotion_events(self) -> Iterator[Event]:
        """Who may promote a resource: first the present state of each, then every change."""
        return self.events(path("events", "drbd", "promotion"))
