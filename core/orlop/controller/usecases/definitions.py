"""Resource definitions and volume definitions."""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from orlop import codes
from orlop.codes import Fail, Subject, Warn
from orlop.controller import nvme, replication, stacks, voting, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.growing import BELOW
from orlop.controller.picture import Draft, Picture
from orlop.controller.properties import Kind, normalised
from orlop.controller.usecases import (
    deploying,
    encryption,
    guards,
    initiators,
    lookup,
    protection,
    replicating,
    room,
    wait_presets,
    waiting,
)
from orlop.controller.usecases.property_changes import changed, checked
from orlop.controller.wait import presets
from orlop.errors import Refused
from orlop.model import KIB, Resource, ResourceDefinition, Volume, VolumeDefinition, key, names

replace = msgspec.structs.replace
DEFAULT_GROUP = "DfltRscGrp"
VOLUME_FLAGS = frozenset({"GROSS_SIZE", "ENCRYPTED"})


def create(core: Core, request: wire.ResourceDefinitionCreate) -> Answers:
    body = request.resource_definition
    answers = Answers(codes.CREATE, Subject.RSC_DFN)
    with core.change() as draft:
        name = new_name(core, draft, body.name, body.external_name)
        answers.refer(RscDfn=name)
        group = lookup.group(draft, body.resource_group_name or DEFAULT_GROUP)
        asked = tuple(layer.type for layer in body.layer_data if layer.type) or group.select_filter.layers
        definition = ResourceDefinition(
            name=name,
            uuid=core.new_uuid(),
            external_name=body.external_name,
            group=group.name,
            layers=stacks.checked_stack(core.drivers, asked or stacks.default_stack(core.drivers, core.reported)),
            props=voting.marked({}, checked(core.drivers, Kind.RESOURCE_DEFINITION, body.props)),
            peer_slots=request.drbd_peer_slots,
        )
        answers.success(
            f"New resource definition '{name}' created.", codes.CREATED, details=f"UUID is: {definition.uuid}"
        )
        for volume in body.volume_definitions:
            definition = with_volume(core, draft, definition, volume)
        definition = replication.numbered(draft, definition)
        draft.put(definition)
    explain_stack(core, answers, definition, asked)
    return answers


def explain_stack(core: Core, answers: Answers, definition: ResourceDefinition, asked: tuple[str, ...]) -> None:
    """Nobody should believe that data is replicated where it is not."""
    if not asked and not stacks.replicates(core.drivers, definition.layers):
        answers.info(
            f"The layer stack of '{definition.name}' is {', '.join(definition.layers)}: nothing is replicated.",
            cause="No stack was asked for, and no node can use a replicating layer.",
            details="Resources of this definition on several nodes are unrelated copies.",
        )


def new_name(core: Core, picture: Picture, name: str | None, external: str | None) -> str:
    """The internal name of a new definition; raises when it is taken or being freed."""
    if external and external in picture.external_names:
        raise Refused(
            f"A resource definition with the external name '{external}' exists already.",
            correction="Choose another name.",
            code=Fail.EXISTS_EXT_NAME,
        )
    if not name and not external:
        raise Refused("A resource definition needs a name or an external name.", code=Fail.INVLD_RSC_NAME)
    if name:
        names.resource(name)
        refuse_taken(core, picture, name)
        return name
    return _derived_name(core, picture, external or "")


def refuse_taken(core: Core, picture: Picture, name: str) -> None:
    existing = picture.definition(name)
    if existing is not None:
        guards.not_deleting(existing)
        raise Refused(
            f"A resource definition with the name '{name}' already exists.",
            correction="Choose another name, or use the existing definition.",
            code=Fail.EXISTS_RSC_DFN,
        )
    if key(name) in core.blocked:
        raise Refused(
            f"The name '{name}' belongs to a resource definition whose database rows make no sense.",
            correction="Run 'orlop-controller database check' and repair or remove those rows.",
            code=Fail.EXISTS_RSC_DFN,
        )


def _derived_name(core: Core, picture: Picture, external: str) -> str:
    """`semantics.md` section 2: valid names stay, unusable characters are replaced, a suffix makes it unique."""
    base = re.sub(r"[^A-Za-z0-9_-]", "_", external)[:40]
    if (
        not re.match(r"[A-Za-z_]", base)
        or not re.search(r"[A-Za-z]", base)
        or len(base) < 2
        or key(base) in names.RESERVED
    ):
        base = f"ext_{base}"[:40]
    name, number = base, 0
    while picture.definition(name) is not None or key(name) in core.blocked:
        number += 1
        name = f"{base}_{number}"
    return names.resource(name)


def modify(core: Core, name: str, request: wire.ResourceDefinitionModify) -> Answers:
    answers = Answers(codes.MODIFY, Subject.RSC_DFN, RscDfn=name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        guards.not_deleting(definition)
        props = changed(core.drivers, answers, Kind.RESOURCE_DEFINITION, definition.props, request)
        props = voting.marked(definition.props, props, map(normalised, request.override_props))
        definition = replace(definition, props=props)
        if request.resource_group:
            definition = replace(definition, group=lookup.group(draft, request.resource_group).name)
        if request.drbd_peer_slots is not None:
            definition = replace(definition, peer_slots=request.drbd_peer_slots)
        if request.layer_stack:
            stack = stacks.checked_stack(core.drivers, request.layer_stack)
            if stack != definition.layers and definition.resources:
                raise Refused(
                    f"The layer stack of '{definition.name}' cannot change while it has resources.",
                    correction="Restore a snapshot into a new definition with the wanted stack instead.",
                    code=Fail.INVLD_LAYER_STACK,
                )
            definition = replace(definition, layers=stack)
        draft.put(definition)
    answers.success(f"Resource definition '{definition.name}' modified.", codes.MODIFIED)
    return answers


def delete(core: Core, name: str) -> Answers:
    """Deletes all resources first. With a node away the answer is immediate; the rest follows when it is back."""
    answers = Answers(codes.DELETE, Subject.RSC_DFN, RscDfn=name)
    if core.picture.definition(name) is None:
        answers.warning(f"Resource definition '{name}' not found.", Warn.NOT_FOUND)
        return answers
    guards.look_again(core, name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        _deletable(core, definition)
        nodes = [r.node for r in definition.resources]
        resources = tuple(replace(r, flags=r.flags | {"DELETE"}) for r in definition.resources)
        marked = replace(definition, flags=definition.flags | {"DELETE"}, resources=resources)
        if nodes or marked.snapshots:
            draft.put(marked)
        else:
            draft.remove(marked)
    core.settle([key(name)])
    if nodes:
        answers.success(f"Resource definition '{definition.name}' marked for deletion.", codes.DELETED)
        nodes = initiators.leaving(core, answers, definition, nodes)
        waiting.gone(core, answers, definition.name, nodes, lambda node: _knows(core, definition, node))
    else:
        answers.success(f"Resource definition '{definition.name}' deleted.", codes.DELETED)
    return answers


def _knows(core: Core, definition: ResourceDefinition, node: str) -> bool:
    current = core.picture.definition(definition.name)
    return (
        current is not None
        and current.uuid == definition.uuid
        and any(key(r.node) == key(node) for r in current.resources)
    )


def _deletable(core: Core, definition: ResourceDefinition) -> None:
    protection.require_unlocked(definition, "Deleting")
    kept = [s.name for s in definition.snapshots if "DELETE" not in s.flags]
    if kept:
        raise Refused(
            f"Resource definition '{definition.name}' has snapshots: {', '.join(sorted(kept))}.",
            correction=f"Delete them first: orlop snapshot delete {definition.name} SNAPSHOT.",
            code=Fail.EXISTS_SNAPSHOT_DFN,
        )
    guards.unused(core, definition, definition.resources, "Deleting")


# -- volume definitions ---------------------------------------------------------------------------------------


def with_volume(
    core: Core, picture: Picture, definition: ResourceDefinition, body: wire.VolumeDefinition, passphrase: str = ""
) -> ResourceDefinition:
    """The definition with one more volume definition, not yet deployed anywhere."""
    taken = {v.number for v in definition.volume_definitions}
    lowest_free = next(n for n in range(65536) if n not in taken)
    number = names.volume_number(lowest_free if body.volume_number is None else body.volume_number)
    if number in taken:
        raise Refused(
            f"Volume definition {number} of '{definition.name}' exists already.",
            correction="Leave out the number to get the lowest free one.",
            code=Fail.EXISTS_VLM_DFN,
        )
    asked = ("ENCRYPTED",) if passphrase else body.flags
    definition = _with_encryption(core, definition, asked)
    refuse_encryption(definition, asked)
    volume = VolumeDefinition(
        number=number,
        uuid=core.new_uuid(),
        size=names.size(body.size_kib * KIB),
        props=checked(core.drivers, Kind.VOLUME_DEFINITION, body.props),
        flags=frozenset(flag.upper() for flag in body.flags) & VOLUME_FLAGS,
    )
    volume = encryption.with_passphrase(core, picture, volume, passphrase)
    volumes = sorted([*definition.volume_definitions, volume], key=lambda v: v.number)
    return replace(definition, volume_definitions=tuple(volumes))


def _with_encryption(core: Core, definition: ResourceDefinition, asked: Collection[str]) -> ResourceDefinition:
    """With the layer LUKS where encryption is asked for and nothing was deployed or defined without it."""
    if "ENCRYPTED" not in {flag.upper() for flag in asked} or "LUKS" in definition.layers:
        return definition
    if definition.resources or definition.volume_definitions or definition.snapshots:
        return definition
    stack = (*definition.layers[:-1], "LUKS", definition.layers[-1])
    return replace(definition, layers=stacks.checked_stack(core.drivers, stack))


def refuse_encryption(definition: ResourceDefinition, asked: Collection[str]) -> None:
    """Raises when encryption is asked for (by a flag, or by passphrases) that the stack does not give."""
    flags = {flag.upper() for flag in asked}
    if "ENCRYPTED" in flags and "LUKS" not in definition.layers:
        raise Refused(
            f"A volume of '{definition.name}' cannot be encrypted: the layer stack is {', '.join(definition.layers)}.",
            cause="Volumes are encrypted by the layer LUKS.",
            correction="Leave the encryption out, or use a definition with LUKS in its layer stack.",
            code=Fail.INVLD_LAYER_STACK,
        )


def create_volume(core: Core, name: str, request: wire.VolumeDefinitionCreate) -> Answers:
    answers = Answers(codes.CREATE, Subject.VLM_DFN, RscDfn=name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        guards.not_deleting(definition)
        guards.no_operation(definition)
        before = {v.number for v in definition.volume_definitions}
        stack = definition.layers
        definition = with_volume(core, draft, definition, request.volume_definition, request.passphrase or "")
        definition = replication.with_minor(draft, definition, request.drbd_minor_number)
        number = next(v.number for v in definition.volume_definitions if v.number not in before)
        answers.refer(VlmNr=str(number))
        definition = deploying.deploy_volume(core, draft, definition, number)
        draft.put(definition)
    answers.success(f"New volume definition {number} of '{definition.name}' created.", codes.CREATED)
    if definition.layers != stack:
        answers.info(f"The layer stack of '{definition.name}' is {', '.join(definition.layers)} from now on.")
    nodes = [r.node for r in definition.resources if not r.deleting and (not r.diskless or nvme.is_initiator(r))]
    deployed = [r for r in definition.resources if r.node in nodes]
    room.explain(core, answers, definition, deployed)
    done = f"created volume {number}"
    until = wait_presets.of(core, definition.name, presets.RESOURCE, number)
    problems = waiting.settled(core, answers, definition.name, nodes, done, "it will be created", until)
    if any(waiting.failure_code(problem) is Fail.NOT_ENOUGH_FREE_SPACE for problem in problems.values()):
        answers.info(f"Volume definition {number} of '{definition.name}' is taken back on every node.")
        try:
            answers.extend(delete_volume(core, name, number))
        except Refused as error:  # somebody uses it already
            answers.refused(error)
    return answers


def modify_volume(core: Core, name: str, number: int, request: wire.VolumeDefinitionModify) -> Answers:
    answers = Answers(codes.MODIFY, Subject.VLM_DFN, RscDfn=name, VlmNr=str(number))
    nodes: list[str] = []
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        guards.not_deleting(definition)
        volume = lookup.volume_definition(definition, number)
        refuse_encryption(definition, request.flags)
        props = changed(core.drivers, answers, Kind.VOLUME_DEFINITION, volume.props, request)
        volume = replace(volume, props=props, flags=_flags(volume.flags, request.flags))
        definition = _with_volume_definition(definition, volume)
        if request.size_kib is not None:
            definition, nodes = _resize(core, draft, answers, definition, volume, request.size_kib * KIB)
        draft.put(definition)
    answers.success(f"Volume definition {number} of '{definition.name}' modified.", codes.MODIFIED)
    if nodes:
        until = wait_presets.of(core, definition.name, presets.SIZE, number)
        done, later = f"resized volume {number}", "it will be resized"
        waiting.settled(core, answers, definition.name, nodes, done, later, until)
    return answers


def _flags(present: frozenset[str], request: tuple[str, ...]) -> frozenset[str]:
    """A `-` in front of a flag removes it."""
    added = {flag.upper() for flag in request if not flag.startswith("-")} & VOLUME_FLAGS
    removed = {flag[1:].upper() for flag in request if flag.startswith("-")} & VOLUME_FLAGS
    return (present | added) - removed


def _with_volume_definition(definition: ResourceDefinition, volume: VolumeDefinition) -> ResourceDefinition:
    return replace(
        definition,
        volume_definitions=tuple(volume if v.number == volume.number else v for v in definition.volume_definitions),
    )


def _resize(
    core: Core, draft: Draft, answers: Answers, definition: ResourceDefinition, volume: VolumeDefinition, size: int
) -> tuple[ResourceDefinition, list[str]]:
    """Grow everywhere. Shrinking is never derived from a smaller number."""
    names.size(size)
    guards.no_operation(definition)
    if size == volume.size:
        answers.warning(
            f"Volume {volume.number} of '{definition.name}' has this size already.", Warn.VLMDFN_RESIZE_SAME_SIZE
        )
        return definition, []
    if size < volume.size:
        raise Refused(
            f"Volume {volume.number} of '{definition.name}' has {volume.size // KIB} KiB and is not shrunk to "
            f"{size // KIB} KiB.",
            cause="No storage driver of this version can shrink a volume without risk to what is on it.",
            correction="Make a smaller volume and copy the data over.",
            code=Fail.INVLD_VLM_SIZE,
        )
    replicating.require_up_to_date(core, definition)
    definition, growing = deploying.grown(core, draft, definition, volume.number, size)
    if replication.replicated(definition) and growing:
        after = lookup.volume_definition(definition, volume.number)
        definition = _with_volume_definition(definition, replace(after, flags=after.flags | {BELOW}))
    later = [r for r in nvme.initiators(definition) if not r.deleting]
    return definition, [resource.node for resource in (*growing, *later)]


def delete_volume(core: Core, name: str, number: int) -> Answers:
    answers = Answers(codes.DELETE, Subject.VLM_DFN, RscDfn=name, VlmNr=str(number))
    found = lookup.definition(core.picture, name)
    if all(v.number != number for v in found.volume_definitions):
        answers.warning(f"Volume definition {number} of '{name}' not found.", Warn.NOT_FOUND)
        return answers
    guards.look_again(core, name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        volume = lookup.volume_definition(definition, number)
        guards.no_operation(definition)
        protection.require_unlocked(definition, "Deleting a volume")
        guards.unused(core, definition, definition.resources, "Deleting a volume")
        used = [r.node for r in definition.resources if any(v.number == number for v in r.volumes)]
        if used:
            marked = replace(volume, flags=volume.flags | {"DELETE"})
            definition = _with_volume_definition(definition, marked)
            definition = replace(definition, resources=tuple(_without_volume(r, number) for r in definition.resources))
        else:
            left = tuple(v for v in definition.volume_definitions if v.number != number)
            definition = replace(definition, volume_definitions=left)
        draft.put(definition)
    answers.success(f"Volume definition {number} of '{definition.name}' deleted.", codes.DELETED)
    what = f"volume {number} of '{definition.name}'"
    used = initiators.leaving(core, answers, definition, used)
    waiting.gone(core, answers, definition.name, used, lambda n: _has_volume(core, definition, n, number), what)
    return answers


def _without_volume(resource: Resource, number: int) -> Resource:
    def marked(volume: Volume) -> Volume:
        return replace(volume, flags=volume.flags | {"DELETE"}) if volume.number == number else volume

    return replace(resource, volumes=tuple(marked(v) for v in resource.volumes))


def _has_volume(core: Core, definition: ResourceDefinition, node: str, number: int) -> bool:
    current = core.picture.definition(definition.name)
    return current is not None and any(
        key(r.node) == key(node) and any(v.number == number and "DELETE" in v.flags for v in r.volumes)
        for r in current.resources
    )
