"""Which keys open which volume, and where a change of key stands. Pure.

A volume definition's keys are those that some replica may still have; the last one is in force. Another key is added
to every replica first; when all have it, the old ones are retired, and forgotten when no replica has them any more. A
replica that is away keeps the old keys on record. Snapshots keep the keys that their copies of the header have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from orlop.controller.picture import Picture
from orlop.model import (
    ReportedLevel,
    ReportedResource,
    Resource,
    ResourceDefinition,
    Snapshot,
    Volume,
    VolumeDefinition,
    VolumeKey,
    key,
)

replace = msgspec.structs.replace
LUKS = "LUKS"
ENDED = {"SUCCESSFUL", "FAILED_DEPLOYMENT", "FAILED_DISCONNECT", "DELETE"}


def secret_name(of: VolumeKey) -> str:
    return f"luks/{of.uuid}"


def encrypted(volume: Volume) -> bool:
    return any(level.layer == LUKS for level in volume.levels)


def level_data(picture: Picture, definition: ResourceDefinition, volume: Volume) -> Mapping[str, str]:
    """What a node is told of the keys, as the layer LUKS reads it."""
    of = next((v for v in definition.volume_definitions if v.number == volume.number), None)
    if of is None or not of.keys:
        return {}
    data = {"slot": str(of.keys[-1].slot), **{f"key.{k.slot}": secret_name(k) for k in of.keys}}
    if retired := sorted(k.slot for k in of.keys if k.retired):
        data["retired"] = " ".join(map(str, retired))
    if volume.source is not None and (source := _taken_of(picture, volume.source)):
        data["source"] = source
    return data


def _taken_of(picture: Picture, source: str) -> str:
    """The uuid of the volume that a snapshot volume was taken of."""
    taken = (v for d in picture.definitions.values() for s in d.snapshots for part in s.nodes for v in part.volumes)
    return next((v.volume for v in taken if v.uuid == source), "")


def on_node(picture: Picture, node: str) -> dict[str, VolumeKey]:
    """By secret name: the keys of the volumes that a node has an encrypted replica of; one may have it decrypted."""
    return {
        secret_name(k): k
        for definition in picture.definitions_on(node)
        for resource in definition.resources
        if key(resource.node) == key(node)
        for volume in resource.volumes
        if encrypted(volume)
        for of in definition.volume_definitions
        if of.number == volume.number
        for k in of.keys
    }


def all_known(definition: ResourceDefinition, number: int) -> list[VolumeKey]:
    """Those of a volume and of its snapshots."""
    found = [k for v in definition.volume_definitions if v.number == number for k in v.keys]
    return found + [k for s in definition.snapshots for v in s.volume_definitions if v.number == number for k in v.keys]


def with_keys_of(snapshot: Snapshot, volumes: Iterable[VolumeDefinition]) -> tuple[VolumeDefinition, ...]:
    """Volume definitions whose replicas are about to be filled from a snapshot; the key in force stays in force."""
    taken = {v.number: v.keys for v in snapshot.volume_definitions}
    return tuple(_merged(of, taken.get(of.number, ())) for of in volumes)


def _merged(of: VolumeDefinition, taken: tuple[VolumeKey, ...]) -> VolumeDefinition:
    if not taken:
        return of
    own = {k.uuid: replace(k, retired=False) for k in of.keys}
    found = {k.uuid: replace(k, retired=False) for k in taken} | own
    last = of.keys[-1].uuid if of.keys else taken[-1].uuid
    newest = found.pop(last)
    used = {k.slot for k in found.values()}
    if newest.slot in used:  # a key that was made for the target before it was known what would fill it
        newest = replace(newest, slot=next(slot for slot in range(32) if slot not in used))
    return replace(of, keys=(*found.values(), newest))


def advanced(definition: ResourceDefinition, reports: Mapping[str, ReportedResource]) -> ResourceDefinition:
    """The definition with changes of keys as far as the current reports allow; the same object if they do not."""
    if all(len(v.keys) < 2 for v in definition.volume_definitions):
        return definition
    if any(not s.flags & ENDED for s in definition.snapshots):  # it is to hold a key that its definition knows
        return definition
    volumes = tuple(_advanced(definition, of, reports) for of in definition.volume_definitions)
    if all(after is before for after, before in zip(volumes, definition.volume_definitions, strict=True)):
        return definition
    return replace(definition, volume_definitions=volumes)


def _advanced(
    definition: ResourceDefinition, of: VolumeDefinition, reports: Mapping[str, ReportedResource]
) -> VolumeDefinition:
    if len(of.keys) < 2:
        return of
    held = [
        slots for r in definition.resources for v in r.volumes if _counts(r, v, of) for slots in _held(r, v, reports)
    ]
    if not all(slots is not None and of.keys[-1].slot in slots for slots in held):
        return of
    slots = frozenset[int]().union(*(found for found in held if found is not None))
    left = [k for k in of.keys[:-1] if not k.retired or k.slot in slots]
    if len(left) == len(of.keys) - 1 and all(k.retired for k in left):
        return of
    return replace(of, keys=(*(replace(k, retired=True) for k in left), of.keys[-1]))


def _counts(resource: Resource, volume: Volume, of: VolumeDefinition) -> bool:
    removing = resource.deleting or "DELETE" in volume.flags
    return volume.number == of.number and encrypted(volume) and not removing


def _held(
    resource: Resource, volume: Volume, reports: Mapping[str, ReportedResource]
) -> tuple[frozenset[int] | None, ...]:
    """The slots that a replica's header was seen to have, and the one of its metadata; None while that is not known."""
    report = reports.get(key(resource.node))
    seen = next((v for v in report.volumes if v.uuid == volume.uuid), None) if report else None
    if seen is None or seen.problem or volume.new:
        return (None,)
    return (_slots(seen.levels),) if volume.metadata is None else (_slots(seen.levels), _slots(seen.metadata))


def _slots(seen: tuple[ReportedLevel, ...]) -> frozenset[int] | None:
    facts = next((level.facts for level in seen if level.layer == LUKS), {})
    return frozenset(map(int, facts["slots"].split())) if "slots" in facts else None
