"""Resource definitions and volume definitions."""

from collections.abc import Mapping, Sequence
from typing import Any

from orlop.client.answer import Answer
from orlop.client.bodies import NO_CHANGES, NO_FILTER, Changes, SelectFilter, given
from orlop.client.caller import Caller
from orlop.client.controller_values import Count, PlacementExplanation
from orlop.client.values import CloneStarted, ResourceDefinition, Status, SyncStatus, VolumeDefinition
from orlop.client.wire import path, query

_ROOT = "resource-definitions"


class DefinitionCalls(Caller):
    def resource_definitions(
        self, names: Sequence[str] = (), props: Sequence[str] = (), with_volumes: bool | None = None
    ) -> list[ResourceDefinition]:
        wanted = query(resource_definitions=list(names), with_volume_definitions=with_volumes, props=list(props))
        return self.read(list[ResourceDefinition], path(_ROOT), wanted)

    def resource_definition(self, name: str) -> ResourceDefinition:
        return self.read(ResourceDefinition, path(_ROOT, name))

    def create_resource_definition(
        self,
        name: str | None = None,
        external_name: str | None = None,
        layers: Sequence[str] = (),
        group: str | None = None,
        props: Mapping[str, str] | None = None,
        peer_slots: int | None = None,
        port: int | None = None,
    ) -> Answer:
        """With an external name alone, the answer's reference `RscDfn` is the name that was made up."""
        definition = given(
            name=name,
            external_name=external_name,
            layer_data=[{"type": layer} for layer in layers] or None,
            resource_group_name=group,
            props=dict(props) if props else None,
        )
        body = given(resource_definition=definition, drbd_peer_slots=peer_slots, drbd_port=port)
        return self.command("POST", path(_ROOT), body)

    def modify_resource_definition(
        self,
        name: str,
        changes: Changes = NO_CHANGES,
        peer_slots: int | None = None,
        port: int | None = None,
        group: str | None = None,
        layers: Sequence[str] | None = None,
    ) -> Answer:
        body = changes.body(drbd_peer_slots=peer_slots, drbd_port=port, resource_group=group, layer_stack=layers)
        return self.command("PUT", path(_ROOT, name), body)

    def lock_resource_definition(self, name: str, locked: bool = True) -> Answer:
        """Locked, it is not deleted until it is unlocked, and neither is the last of its data."""
        return self.command("POST", path("orlop", _ROOT, name, "lock" if locked else "unlock"))

    def delete_resource_definition(self, name: str) -> Answer:
        return self.command("DELETE", path(_ROOT, name))

    def clone_resource_definition(
        self,
        source: str,
        name: str | None = None,
        external_name: str | None = None,
        use_zfs_clone: bool | None = None,
        layers: Sequence[str] | None = None,
        passphrases: Sequence[str] | None = None,
        group: str | None = None,
        sizes: Sequence[int] | None = None,
    ) -> CloneStarted:
        body = given(
            name=name,
            external_name=external_name,
            use_zfs_clone=use_zfs_clone,
            layer_list=layers,
            volume_passphrases=passphrases,
            resource_group=group,
            volume_sizes=sizes,
        )
        return self.read(CloneStarted, path(_ROOT, source, "clone"), method="POST", body=body, changes=True)

    def clone_status(self, source: str, name: str) -> str:
        """CLONING, COMPLETE or FAILED."""
        return self.read(Status, path(_ROOT, source, "clone", name)).status

    def is_synced(self, name: str) -> bool:
        return self.read(SyncStatus, path(_ROOT, name, "sync-status")).synced_on_all

    def autoplace(
        self,
        name: str,
        select: SelectFilter = NO_FILTER,
        diskless_on_remaining: bool | None = None,
        layers: Sequence[str] | None = None,
    ) -> Answer:
        body = given(select_filter=select, diskless_on_remaining=diskless_on_remaining, layer_list=layers)
        return self.command("POST", path(_ROOT, name, "autoplace"), body)

    def explain_placement(self, name: str, select: SelectFilter = NO_FILTER) -> PlacementExplanation:
        where = path("orlop", _ROOT, name, "explain-placement")
        return self.read(PlacementExplanation, where, method="POST", body={"select_filter": select})

    def truncate_resource_definition(self, name: str, delete_empty: bool | None = None) -> Answer:
        """Delete every resource and keep the definition."""
        wanted = query(delete_empty_resource_definition=delete_empty)
        return self.command("DELETE", path(_ROOT, name, "resources"), query=wanted)

    def resource_definition_count(self) -> int:
        return self.read(Count, path("stats", _ROOT)).count

    def volume_definitions(self, resource: str) -> list[VolumeDefinition]:
        return self.read(list[VolumeDefinition], path(_ROOT, resource, "volume-definitions"))

    def volume_definition(self, resource: str, number: int) -> VolumeDefinition:
        return self.read(VolumeDefinition, path(_ROOT, resource, "volume-definitions", number))

    def create_volume_definition(
        self,
        resource: str,
        size_kib: int,
        number: int | None = None,
        props: Mapping[str, str] | None = None,
        flags: Sequence[str] = (),
        minor: int | None = None,
        passphrase: str | None = None,
    ) -> Answer:
        """`flags`: GROSS_SIZE, ENCRYPTED."""
        definition = given(
            size_kib=size_kib,
            volume_number=number,
            props=dict(props) if props else None,
            flags=list(flags) or None,
        )
        body = given(volume_definition=definition, drbd_minor_number=minor, passphrase=passphrase)
        return self.command("POST", path(_ROOT, resource, "volume-definitions"), body)

    def modify_volume_definition(
        self,
        resource: str,
        number: int,
        changes: Changes = NO_CHANGES,
        size_kib: int | None = None,
        flags: Sequence[str] | None = None,
    ) -> Answer:
        """A flag with `-` before it is taken away."""
        body = changes.body(size_kib=size_kib, flags=flags)
        return self.command("PUT", path(_ROOT, resource, "volume-definitions", number), body)

    def change_volume_passphrase(self, resource: str, number: int, passphrase: str) -> Answer:
        where = path(_ROOT, resource, "volume-definitions", number, "encryption-passphrase")
        return self.command("PUT", where, {"new_passphrase": passphrase})

    def delete_volume_definition(self, resource: str, number: int) -> Answer:
        return self.command("DELETE", path(_ROOT, resource, "volume-definitions", number))

    def modify_drbd_proxy(
        self,
        resource: str,
        changes: Changes = NO_CHANGES,
        compression: str | None = None,
        compression_props: Mapping[str, str] | None = None,
    ) -> Answer:
        more: dict[str, Any] = {"compression_type": compression, "compression_props": compression_props or None}
        return self.command("PUT", path(_ROOT, resource, "drbd-proxy"), changes.body(**more))

    def enable_drbd_proxy(self, resource: str, node_a: str, node_b: str, port: int | None = None) -> Answer:
        return self.command("POST", path(_ROOT, resource, "drbd-proxy", "enable", node_a, node_b), given(port=port))

    def disable_drbd_proxy(self, resource: str, node_a: str, node_b: str) -> Answer:
        return self.command("POST", path(_ROOT, resource, "drbd-proxy", "disable", node_a, node_b))
