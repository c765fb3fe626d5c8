"""The controller itself: properties, passphrase, reports, key-value stores, and what Orlop has of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

from orlop.client.answer import Answer
from orlop.client.bodies import Changes, given
from orlop.client.caller import Caller
from orlop.client.controller_values import (
    Count,
    Difference,
    ErrorReport,
    Job,
    KeyValueStore,
    Orphan,
    PropertyInfo,
    Site,
    SiteConnection,
    SpaceReport,
    Version,
)
from orlop.client.values import Status
from orlop.client.wire import Request, path, query


class ControllerCalls(Caller):
    def version(self) -> Version:
        return self.read(Version, path("controller", "version"))

    def healthy(self) -> bool:
        return self.transport.send(Request(method="GET", path="/health")).status == 200

    def metrics(self) -> str:
        return self.transport.send(Request(method="GET", path="/metrics")).body.decode("utf-8", "replace")

    def controller_properties(self) -> dict[str, str]:
        return self.read(dict[str, str], path("controller", "properties"))

    def modify_controller(self, changes: Changes) -> Answer:
        return self.command("POST", path("controller", "properties"), changes.body())

    def delete_controller_property(self, key: str) -> Answer:
        return self.command("DELETE", path("controller", "properties", key))

    def controller_properties_info(self) -> dict[str, PropertyInfo]:
        return self.read(dict[str, PropertyInfo], path("controller", "properties", "info"))

    def configure_controller(self, config: dict[str, Any]) -> Answer:
        """Set the configuration; only the log levels can be written."""
        return self.command("PUT", path("controller", "config"), config)

    def backup_database(self, name: str) -> Answer:
        return self.command("POST", path("controller", "backup", "db"), {"backup_name": name})

    def passphrase_status(self) -> str:
        """unset, locked or unlocked."""
        found = self.read(Status | list[Status], path("encryption", "passphrase"))  # type: ignore[arg-type]
        return str(found[0].status if isinstance(found, list) else found.status)

    def create_passphrase(self, new: str) -> Answer:
        return self.command("POST", path("encryption", "passphrase"), {"new_passphrase": new})

    def modify_passphrase(self, old: str, new: str) -> Answer:
        body = {"old_passphrase": old, "new_passphrase": new}
        return self.command("PUT", path("encryption", "passphrase"), body)

    def enter_passphrase(self, passphrase: str) -> Answer:
        return self.command("PATCH", path("encryption", "passphrase"), passphrase)

    def error_reports(
        self,
        node: str | None = None,
        since: int | None = None,
        to: int | None = None,
        with_content: bool = False,
        limit: int | None = None,
    ) -> list[ErrorReport]:
        """`since` and `to` are milliseconds since 1970."""
        wanted = query(node=node, since=since, to=to, withContent=with_content, limit=limit)
        return self.read(list[ErrorReport], path("error-reports"), wanted)

    def error_report(self, report: str, with_content: bool = True) -> list[ErrorReport]:
        return self.read(list[ErrorReport], path("error-reports", report), query(withContent=with_content))

    def delete_error_reports(
        self,
        ids: Sequence[str] = (),
        nodes: Sequence[str] = (),
        since: int | None = None,
        to: int | None = None,
        exception: str | None = None,
    ) -> Answer:
        body = given(ids=list(ids) or None, nodes=list(nodes) or None, since=since, to=to, exception=exception)
        return self.command("PATCH", path("error-reports"), body)

    def delete_error_report(self, report: str) -> Answer:
        return self.command("DELETE", path("error-reports", report))

    def error_report_count(self) -> int:
        return self.read(Count, path("stats", "error-reports")).count

    def key_value_stores(self) -> list[KeyValueStore]:
        return self.read(list[KeyValueStore], path("key-value-store"))

    def key_value_store(self, name: str) -> dict[str, str]:
        """The pairs of a store; one that does not exist is empty."""
        stores = self.read(list[KeyValueStore], path("key-value-store", name))
        return dict(stores[0].props) if stores else {}

    def modify_key_value_store(self, name: str, changes: Changes) -> Answer:
        return self.command("PUT", path("key-value-store", name), changes.body())

    def delete_key_value_store(self, name: str) -> Answer:
        return self.command("DELETE", path("key-value-store", name))

    def space_report(self) -> str:
        return self.read(SpaceReport, path("space-report")).report_text

    def orphans(self, nodes: Sequence[str] = ()) -> list[Orphan]:
        return self.read(list[Orphan], path("orlop", "orphans"), query(nodes=list(nodes)))

    def adopt_orphan(
        self,
        node: str,
        pool: str,
        name: str,
        uuid: str | None = None,
        resource: str | None = None,
        volume_number: int | None = None,
        group: str | None = None,
    ) -> Answer:
        """`uuid` is the mark it bears; the resource is the one that its name tells unless another one is named."""
        body = given(
            node_name=node,
            storage_pool_name=pool,
            name=name,
            uuid=uuid,
            resource_name=resource,
            volume_number=volume_number,
            resource_group_name=group,
        )
        return self.command("POST", path("orlop", "orphans", "adopt"), body)

    def remove_orphan(self, node: str, pool: str, name: str, uuid: str | None = None) -> Answer:
        """With all its data. `uuid` is the mark it bears."""
        body = given(node_name=node, storage_pool_name=pool, name=name, uuid=uuid)
        return self.command("POST", path("orlop", "orphans", "remove"), body)

    def import_volume(
        self,
        resource: str,
        node: str,
        pool: str,
        name: str,
        volume_number: int | None = None,
        group: str | None = None,
    ) -> Answer:
        """Make an object of a pool that was not made by Orlop a volume, with its data."""
        body = given(
            node_name=node,
            storage_pool_name=pool,
            name=name,
            volume_number=volume_number,
            resource_group_name=group,
        )
        return self.command("POST", path("orlop", "resource-definitions", resource, "import"), body)

    def import_replicated(
        self,
        resource: str,
        replicas: Sequence[Mapping[str, Any]],
        minor: int | None = None,
        port: int | None = None,
        group: str | None = None,
    ) -> Answer:
        """`replicas` have node_name, storage_pool_name, name and, if needed, volume_number and uuid."""
        body = given(
            replicas=[dict(each) for each in replicas],
            drbd_minor_number=minor,
            drbd_tcp_port=port,
            resource_group_name=group,
        )
        return self.command("POST", path("orlop", "resource-definitions", resource, "import-drbd"), body)

    def sites(self) -> list[Site]:
        return self.read(list[Site], path("orlop", "sites"))

    def modify_site(
        self, name: str, changes: Changes | None = None, add_nodes: Sequence[str] = (), remove_nodes: Sequence[str] = ()
    ) -> Answer:
        """Nodes come into it or leave it; `changes` holds what is set for it."""
        body = given(add_nodes=list(add_nodes) or None, remove_nodes=list(remove_nodes) or None)
        return self.command("PUT", path("orlop", "sites", name), {**(changes.body() if changes else {}), **body})

    def site_connections(self) -> list[SiteConnection]:
        return self.read(list[SiteConnection], path("orlop", "site-connections"))

    def modify_site_connection(self, site_a: str, site_b: str, changes: Changes) -> Answer:
        return self.command("PUT", path("orlop", "site-connections", site_a, site_b), changes.body())

    def jobs(self, resources: Sequence[str] = ()) -> list[Job]:
        return self.read(list[Job], path("orlop", "jobs"), query(resources=list(resources)))

    def accept_restore(self) -> Answer:
        """Say that the restored database is right and the satellites are to follow it again."""
        return self.command("POST", path("orlop", "accept-restore"))

    def differences(self, nodes: Sequence[str] = ()) -> list[Difference]:
        return self.read(list[Difference], path("orlop", "differences"), query(nodes=list(nodes)))
