"""Routes of resource groups, volume groups, and questions about space."""

from __future__ import annotations

from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import PAGED, Routes
from orlop.controller.api.views import groups as view
from orlop.controller.usecases import adjusting, free_space, groups, lookup, spawning

route = Routes("resource groups", Subject.RSC_GRP)
LIST = "/v1/resource-groups"
ONE = f"{LIST}/{{resource_group}}"
VOLUMES = f"{ONE}/volume-groups"
VOLUME = f"{VOLUMES}/{{volume_number}}"
MISSING = frozenset({Fail.NOT_FOUND_RSC_GRP})


@route("GET", LIST, answer=tuple[wire.ResourceGroup, ...], query={"resource_groups": list, "props": list, **PAGED})
def listed(call: Call) -> list[wire.ResourceGroup]:
    wanted = call.query.keys("resource_groups")
    found = [
        group
        for name, group in sorted(call.core.picture.groups.items())
        if (not wanted or name in wanted) and call.query.matches(group.props.items())
    ]
    return [view.group(group) for group in call.query.page(found)]


@route("POST", LIST, body=wire.ResourceGroup, status=201)
def create(call: Call) -> Answers:
    return groups.create(call.core, call.body)


@route("GET", ONE, answer=wire.ResourceGroup)
def shown(call: Call, resource_group: str) -> wire.ResourceGroup:
    return view.group(lookup.group(call.core.picture, resource_group))


@route("PUT", ONE, body=wire.ResourceGroupModify)
def modify(call: Call, resource_group: str) -> Answers:
    return groups.modify(call.core, resource_group, call.body)


@route("DELETE", ONE, absent=MISSING)
def delete(call: Call, resource_group: str) -> Answers:
    return groups.delete(call.core, resource_group)


@route("GET", VOLUMES, answer=tuple[wire.VolumeGroup, ...], query=PAGED, about=Subject.VLM_GRP)
def volumes(call: Call, resource_group: str) -> list[wire.VolumeGroup]:
    return call.query.page(view.volume_groups(lookup.group(call.core.picture, resource_group)))


@route("POST", VOLUMES, body=wire.VolumeGroup, status=201, about=Subject.VLM_GRP)
def create_volume(call: Call, resource_group: str) -> Answers:
    return groups.create_volume(call.core, resource_group, call.body)


@route("GET", VOLUME, answer=wire.VolumeGroup, about=Subject.VLM_GRP)
def volume(call: Call, resource_group: str, volume_number: int) -> wire.VolumeGroup:
    return view.volume_group(lookup.volume_group(lookup.group(call.core.picture, resource_group), volume_number))


@route("PUT", VOLUME, body=wire.VolumeGroupModify, about=Subject.VLM_GRP)
def modify_volume(call: Call, resource_group: str, volume_number: int) -> Answers:
    return groups.modify_volume(call.core, resource_group, volume_number, call.body)


@route("DELETE", VOLUME, about=Subject.VLM_GRP, absent=MISSING | {Fail.NOT_FOUND_VLM_GRP})
def delete_volume(call: Call, resource_group: str, volume_number: int) -> Answers:
    return groups.delete_volume(call.core, resource_group, volume_number)


@route("POST", f"{ONE}/spawn", body=wire.ResourceGroupSpawn, status=201)
def spawn(call: Call, resource_group: str) -> Answers:
    return spawning.spawn(call.core, resource_group, call.body)


@route("POST", f"{ONE}/adjust", body=wire.ResourceGroupAdjust)
def adjust(call: Call, resource_group: str) -> Answers:
    return adjusting.adjust(call.core, resource_group, call.body)


@route("POST", f"{LIST}/adjustall", body=wire.ResourceGroupAdjust)
def adjust_all(call: Call) -> Answers:
    return adjusting.adjust(call.core, None, call.body)


@route("GET", f"{ONE}/query-max-volume-size", answer=wire.MaxVolumeSizes)
def max_volume_sizes_of(call: Call, resource_group: str) -> wire.MaxVolumeSizes:
    return free_space.max_volume_sizes(call.core, None, resource_group)


@route("OPTIONS", "/v1/query-max-volume-size", body=wire.AutoSelectFilter, answer=wire.MaxVolumeSizes)
def max_volume_sizes(call: Call) -> wire.MaxVolumeSizes:
    """The verb is OPTIONS, with a body."""
    return free_space.max_volume_sizes(call.core, call.body, None)


@route(
    "POST",
    f"{ONE}/query-size-info",
    body=wire.QuerySizeInfoRequest,
    answer=wire.QuerySizeInfoResponse,
    waits=False,
)
def size_info(call: Call, resource_group: str) -> wire.QuerySizeInfoResponse:
    return free_space.query_size_info(call.core, resource_group, call.body)


@route(
    "POST",
    "/v1/queries/resource-groups/query-all-size-info",
    body=wire.QueryAllSizeInfoRequest,
    answer=wire.QueryAllSizeInfoResponse,
    waits=False,
)
def all_size_info(call: Call) -> wire.QueryAllSizeInfoResponse:
    return free_space.query_all_size_info(call.core, call.body)
