"""Resource groups and their volume groups: what new definitions are made from."""

from __future__ import annotations

from msgspec import UNSET
from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.properties import Kind
from orlop.controller.usecases import adjusting, choosing, filters, lookup
from orlop.controller.usecases.property_changes import changed, checked
from orlop.controller.wait import presets
from orlop.errors import Refused
from orlop.model import ResourceGroup, VolumeGroup, key, names

DEFAULT = "DfltRscGrp"
VOLUME_FLAGS = frozenset({"GROSS_SIZE"})
LARGEST_NUMBER = 65534


def create(core: Core, body: wire.ResourceGroup) -> Answers:
    name = names.resource_group(body.name or "")
    rule = filters.asked(body.select_filter)
    choosing.refuse_unknown_policy(core.drivers, rule)
    group = ResourceGroup(
        name=name,
        uuid=core.new_uuid(),
        description=body.description or "",
        props=checked(core.drivers, Kind.RESOURCE_GROUP, body.props),
        select_filter=rule,
        peer_slots=_peer_slots(body.peer_slots),
    )
    presets.refuse_unsatisfiable(core.drivers, group)
    with core.change() as draft:
        if draft.group(name):
            raise Refused(
                f"Resource group '{name}' exists already.",
                correction="Choose another name, or modify that group.",
                code=Fail.EXISTS_RSC_GRP,
            )
        draft.put(group)
    answers = Answers(codes.CREATE, Subject.RSC_GRP, RscGrp=name)
    answers.success(f"Resource group '{name}' is created.", codes.CREATED, details=f"Its UUID is {group.uuid}.")
    return answers


def modify(core: Core, name: str, body: wire.ResourceGroupModify) -> Answers:
    """A given place count places missing replicas of the group's definitions; replicas are never removed."""
    with core.change() as draft:
        group = lookup.group(draft, name)
        answers = Answers(codes.MODIFY, Subject.RSC_GRP, RscGrp=group.name)
        answers.success(f"Resource group '{group.name}' is modified.", codes.MODIFIED)
        after = replace(
            group,
            description=group.description if body.description is None else body.description,
            props=changed(core.drivers, answers, Kind.RESOURCE_GROUP, group.props, body),
            select_filter=filters.changed(group.select_filter, body.select_filter)
            if body.select_filter
            else group.select_filter,
            peer_slots=group.peer_slots if body.peer_slots is None else _peer_slots(body.peer_slots),
        )
        choosing.refuse_unknown_policy(core.drivers, after.select_filter)
        presets.refuse_unsatisfiable(core.drivers, after, group)
        draft.put(after)
    if body.select_filter and body.select_filter.place_count is not UNSET and _used(core, group.name):
        answers.extend(adjusting.adjust(core, group.name, wire.ResourceGroupAdjust()))
    return answers


def delete(core: Core, name: str) -> Answers:
    with core.change() as draft:
        group = lookup.group(draft, name)
        if key(name) == key(DEFAULT):
            raise Refused(
                f"Resource group '{DEFAULT}' is built in and cannot be deleted.", code=Fail.INVLD_RSC_GRP_NAME
            )
        users = sorted(d.name for d in draft.definitions.values() if key(d.group) == key(name))
        if users:
            raise Refused(
                f"Resource group '{group.name}' has resource definitions.",
                details=f"They are: {', '.join(users)}.",
                correction="Delete them, or move them to another group.",
                code=Fail.EXISTS_RSC_DFN,
            )
        draft.remove(group)
    answers = Answers(codes.DELETE, Subject.RSC_GRP, RscGrp=group.name)
    answers.success(f"Resource group '{group.name}' is deleted.", codes.DELETED)
    return answers


def create_volume(core: Core, name: str, body: wire.VolumeGroup) -> Answers:
    """Without a number the lowest free one is taken."""
    with core.change() as draft:
        group = lookup.group(draft, name)
        taken = {v.number for v in group.volume_groups}
        number = _lowest_free(taken) if body.volume_number is None else names.volume_number(body.volume_number)
        answers = Answers(codes.CREATE, Subject.VLM_GRP, RscGrp=group.name, VlmNr=str(number))
        if number in taken:
            raise Refused(
                f"Volume group {number} of resource group '{group.name}' exists already.", code=Fail.EXISTS_VLM_GRP
            )
        made = VolumeGroup(
            number=number,
            uuid=core.new_uuid(),
            props=checked(core.drivers, Kind.VOLUME_GROUP, body.props),
            flags=_flags(frozenset(), body.flags),
        )
        ordered = sorted((*group.volume_groups, made), key=lambda v: v.number)
        draft.put(replace(group, volume_groups=tuple(ordered)))
    answers.success(f"Volume group {number} of resource group '{group.name}' is created.", codes.CREATED)
    return answers


def modify_volume(core: Core, name: str, number: int, body: wire.VolumeGroupModify) -> Answers:
    with core.change() as draft:
        group = lookup.group(draft, name)
        before = lookup.volume_group(group, number)
        answers = Answers(codes.MODIFY, Subject.VLM_GRP, RscGrp=group.name, VlmNr=str(number))
        answers.success(f"Volume group {number} of resource group '{group.name}' is modified.", codes.MODIFIED)
        after = replace(
            before,
            props=changed(core.drivers, answers, Kind.VOLUME_GROUP, before.props, body),
            flags=_flags(before.flags, body.flags),
        )
        volumes = tuple(after if v is before else v for v in group.volume_groups)
        draft.put(replace(group, volume_groups=volumes))
    return answers


def delete_volume(core: Core, name: str, number: int) -> Answers:
    with core.change() as draft:
        group = lookup.group(draft, name)
        gone = lookup.volume_group(group, number)
        draft.put(replace(group, volume_groups=tuple(v for v in group.volume_groups if v is not gone)))
    answers = Answers(codes.DELETE, Subject.VLM_GRP, RscGrp=group.name, VlmNr=str(number))
    answers.success(f"Volume group {number} of resource group '{group.name}' is deleted.", codes.DELETED)
    return answers


def _peer_slots(count: int | None) -> int | None:
    if count is None or 1 <= count <= 31:
        return count
    raise Refused(f"{count} peer slots are not possible: 1 to 31.", code=Fail.INVLD_CONF)


def _flags(before: frozenset[str], given: tuple[str, ...]) -> frozenset[str]:
    """`-FLAG` removes, `FLAG` adds."""
    flags = set(before)
    for text in given:
        name = text.upper().removeprefix("-")
        if name not in VOLUME_FLAGS:
            raise Refused(f"'{text}' is not a flag of volume groups: GROSS_SIZE is.", code=Fail.INVLD_REQUEST)
        (flags.discard if text.startswith("-") else flags.add)(name)
    return frozenset(flags)


def _lowest_free(taken: set[int]) -> int:
    for number in range(LARGEST_NUMBER + 1):
        if number not in taken:
            return number
    raise Refused("All volume numbers are taken.", code=Fail.POOL_EXHAUSTED_VLM_NR)


def _used(core: Core, group: str) -> bool:
    return any(key(d.group) == key(group) for d in core.picture.definitions.values())
