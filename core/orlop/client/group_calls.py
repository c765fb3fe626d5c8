"""Resource groups and volume groups."""

from collections.abc import Sequence
from typing import Any

from orlop.client.answer import Answer
from orlop.client.bodies import NO_CHANGES, NO_FILTER, Changes, SelectFilter, given
from orlop.client.caller import Caller
from orlop.client.controller_values import Count, PlacementExplanation
from orlop.client.values import AllSizeInfo, MaxVolumeSizes, ResourceGroup, SizeInfo, VolumeGroup
from orlop.client.wire import path, query

_ROOT = "resource-groups"


class GroupCalls(Caller):
    def resource_groups(self, names: Sequence[str] = (), props: Sequence[str] = ()) -> list[ResourceGroup]:
        wanted = query(resource_groups=list(names), props=list(props))
        return self.read(list[ResourceGroup], path(_ROOT), wanted)

    def resource_group(self, name: str) -> ResourceGroup:
        return self.read(ResourceGroup, path(_ROOT, name))

    def create_resource_group(
        self,
        name: str,
        description: str | None = None,
        select: SelectFilter = NO_FILTER,
        peer_slots: int | None = None,
        props: dict[str, str] | None = None,
    ) -> Answer:
        body = given(name=name, description=description, select_filter=select, peer_slots=peer_slots, props=props)
        return self.command("POST", path(_ROOT), body)

    def modify_resource_group(
        self,
        name: str,
        changes: Changes = NO_CHANGES,
        description: str | None = None,
        select: SelectFilter | None = None,
        peer_slots: int | None = None,
    ) -> Answer:
        body = changes.body(description=description, select_filter=select, peer_slots=peer_slots)
        return self.command("PUT", path(_ROOT, name), body)

    def delete_resource_group(self, name: str) -> Answer:
        return self.command("DELETE", path(_ROOT, name))

    def spawn(
        self,
        group: str,
        name: str | None,
        sizes_kib: Sequence[int],
        external_name: str | None = None,
        select: SelectFilter = NO_FILTER,
        partial: bool = False,
        definitions_only: bool = False,
        peer_slots: int | None = None,
        passphrases: Sequence[str] | None = None,
        props: dict[str, str] | None = None,
    ) -> Answer:
        body = given(
            resource_definition_name=name,
            resource_definition_external_name=external_name,
            volume_sizes=list(sizes_kib),
            partial=partial,
            definitions_only=definitions_only,
            select_filter=select,
            peer_slots=peer_slots,
            volume_passphrases=passphrases,
            resource_definition_props=props,
        )
        return self.command("POST", path(_ROOT, group, "spawn"), body)

    def group_max_volume_sizes(self, group: str) -> MaxVolumeSizes:
        return self.read(MaxVolumeSizes, path(_ROOT, group, "query-max-volume-size"))

    def size_info(self, group: str, select: SelectFilter = NO_FILTER) -> SizeInfo:
        where = path(_ROOT, group, "query-size-info")
        return self.read(SizeInfo, where, method="POST", body={"select_filter": select})

    def all_size_info(self, select: SelectFilter = NO_FILTER) -> AllSizeInfo:
        where = path("queries", _ROOT, "query-all-size-info")
        return self.read(AllSizeInfo, where, method="POST", body={"select_filter": select})

    def explain_spawn(
        self, group: str, sizes_kib: Sequence[int] = (), select: SelectFilter = NO_FILTER
    ) -> PlacementExplanation:
        """Where a resource with volumes of these sizes would go."""
        where = path("orlop", _ROOT, group, "explain-placement")
        body = {"select_filter": select, "volume_sizes": list(sizes_kib)}
        return self.read(PlacementExplanation, where, method="POST", body=body)

    def adjust_resource_group(self, name: str | None = None, select: SelectFilter | None = None) -> Answer:
        """Without a name every group."""
        body: Any = given(select_filter=select) or None
        return self.command("POST", path(_ROOT, name, "adjust") if name else path(_ROOT, "adjustall"), body)

    def resource_group_count(self) -> int:
        return self.read(Count, path("stats", _ROOT)).count

    def volume_groups(self, group: str) -> list[VolumeGroup]:
        return self.read(list[VolumeGroup], path(_ROOT, group, "volume-groups"))

    def volume_group(self, group: str, number: int) -> VolumeGroup:
        return self.read(VolumeGroup, path(_ROOT, group, "volume-groups", number))

    def create_volume_group(self, group: str, number: int | None = None, flags: Sequence[str] = ()) -> Answer:
        body = given(volume_number=number, flags=list(flags) or None)
        return self.command("POST", path(_ROOT, group, "volume-groups"), body)

    def modify_volume_group(
        self, group: str, number: int, changes: Changes = NO_CHANGES, flags: Sequence[str] | None = None
    ) -> Answer:
        return self.command("PUT", path(_ROOT, group, "volume-groups", number), changes.body(flags=flags))

    def delete_volume_group(self, group: str, number: int) -> Answer:
        return self.command("DELETE", path(_ROOT, group, "volume-groups", number))
