"""What is sent: the parts of request bodies that several calls share. Sizes are KiB."""

from collections.abc import Mapping
from typing import Any

import msgspec


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Changes of an object's properties."""

    override: Mapping[str, str] = {}
    delete: tuple[str, ...] = ()
    delete_namespaces: tuple[str, ...] = ()

    def body(self, **more: object) -> dict[str, Any]:
        """The body of a modify call, together with the members that are not None."""
        named = {
            "override_props": dict(self.override),
            "delete_props": list(self.delete),
            "delete_namespaces": list(self.delete_namespaces),
        }
        return given(**more) | {name: value for name, value in named.items() if value}


NO_CHANGES = Changes()


class SelectFilter(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How to choose nodes and pools. None leaves the resource group's value, an empty list clears it."""

    place_count: int | None = None
    additional_place_count: int | None = None
    node_name_list: list[str] | None = None
    storage_pool: str | None = None
    storage_pool_list: list[str] | None = None
    storage_pool_diskless_list: list[str] | None = None
    not_place_with_rsc: list[str] | None = None
    not_place_with_rsc_regex: str | None = None
    replicas_on_same: list[str] | None = None
    replicas_on_different: list[str] | None = None
    x_replicas_on_different_map: dict[str, int] | None = None
    layer_stack: list[str] | None = None
    provider_list: list[str] | None = None
    diskless_on_remaining: bool | None = None
    diskless_type: str | None = None
    overprovision: float | None = None
    port_count: int | None = None
    placement_policy: str | None = None  # Orlop's own, as all that follows
    site_list: list[str] | None = None
    most_per_site: int | None = None
    least_per_site: int | None = None
    preferred_node_list: list[str] | None = None


NO_FILTER = SelectFilter()


class NewResource(msgspec.Struct, frozen=True, kw_only=True):
    """A replica to be made on one node."""

    node: str
    storage_pool: str | None = None
    flags: tuple[str, ...] = ()  # DISKLESS, DRBD_DISKLESS, NVME_INITIATOR, INACTIVE...
    props: Mapping[str, str] = {}
    layers: tuple[str, ...] | None = None
    drbd_node_id: int | None = None
    drbd_tcp_ports: tuple[int, ...] | None = None
    copy_all_snaps: bool | None = None
    snapshots: tuple[str, ...] | None = None

    def body(self) -> dict[str, Any]:
        pool = {"StorPoolName": self.storage_pool} if self.storage_pool else {}
        resource = given(node_name=self.node, flags=self.flags or None, props={**self.props, **pool} or None)
        return given(
            resource=resource,
            layer_list=self.layers,
            drbd_node_id=self.drbd_node_id,
            drbd_tcp_ports=self.drbd_tcp_ports,
            copy_all_snaps=self.copy_all_snaps,
            snap_names=self.snapshots,
        )


def given(**members: object) -> dict[str, Any]:
    """The members that are not None."""
    return {name: value for name, value in members.items() if value is not None}
