"""Replicated resources that were made by hand and go on under Orlop: with their data, their metadata and node ids.

The resource is down on all nodes. Each node looks what DRBD left on its devices; only if all replicas are of one
generation of the data, good and of one size, the objects are marked and named, and the definition is committed. Nothing
writes to a device or its metadata: DRBD finds on all of them what it left there, and has nothing to synchronize.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import drbd_versions, replication, stacks, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.usecases import definitions, deploying, guards, lookup, room, taking, waiting
from orlop.errors import Refused
from orlop.model import (
    BackingObject,
    Level,
    Resource,
    ResourceDefinition,
    StoragePool,
    Volume,
    VolumeDefinition,
    WantedLevel,
    WantedVolume,
    key,
    names,
)
from orlop.model.node import volume_name
from orlop.transport.messages import ObjectTaken, TakeObject

LAYERS = (replication.LAYER, "STORAGE")


class _Part(NamedTuple):
    """One volume of one replica, as its node found it."""

    pool: StoragePool
    number: int
    uuid: str
    thing: BackingObject
    facts: Mapping[str, str] = {}

    @property
    def where(self) -> str:
        return f"volume {self.number} on {self.pool.node}"


def import_(core: Core, name: str, body: wire.ReplicatedImport) -> Answers:
    names.resource(name)
    answers = Answers(codes.CREATE, Subject.RSC_DFN, RscDfn=name)
    definitions.refuse_taken(core, core.picture, name)
    parts = [_named(core, each) for each in body.replicas]
    _require_complete(parts)
    guards.connected(core, [part.pool.node for part in parts], "Importing")
    parts = [_looked_at(core, name, part) for part in parts]
    _require_alike(parts)
    _definition(core, core.picture, name, body, parts)  # what does not fit is told before anything is touched
    done = [taking.asked(core, part.pool, _order(core, name, part), "imported") for part in parts]
    with core.change() as draft:
        definitions.refuse_taken(core, draft, name)
        definition = _definition(core, draft, name, body, parts)
        draft.put(definition)
    where = ", ".join(r.node for r in definition.resources)
    answers.success(
        f"'{name}' is imported with its replicas on {where}. Neither data nor metadata was touched.",
        codes.CREATED,
        details="\n".join(step for outcome in done for step in outcome.done),
    )
    nodes = [r.node for r in definition.resources]
    waiting.settled(core, answers, name, nodes, f"brought '{name}' up", "it will be brought up")
    return answers


def _named(core: Core, body: wire.ImportedReplica) -> _Part:
    pool = lookup.pool(core.picture, body.node_name, body.storage_pool_name)
    room.refuse_unusable(core, pool)
    thing = BackingObject(pool=pool.name, name=body.name, uuid=body.uuid or "")
    return _Part(pool, names.volume_number(body.volume_number), core.new_uuid(), thing)


def _require_complete(parts: list[_Part]) -> None:
    """Raises unless every node has every volume, once."""
    numbers = {part.number for part in parts}
    nodes = {key(part.pool.node): part.pool.node for part in parts}
    named = [(key(part.pool.node), part.number) for part in parts]
    lacking = [f"volume {n} on {name}" for at, name in nodes.items() for n in numbers if (at, n) not in named]
    if not parts or lacking or len(set(named)) != len(named):
        raise Refused(
            "Each volume of each replica has to be named once.",
            cause=f"Not named: {', '.join(sorted(lacking))}." if lacking else "",
            code=Fail.INVLD_REQUEST,
        )


def _looked_at(core: Core, name: str, part: _Part) -> _Part:
    order = replace(_order(core, name, part), only_look=True)
    outcome: ObjectTaken = taking.asked(core, part.pool, order, "imported")
    taking.size_of(outcome, part.thing)
    assert outcome.found is not None
    return part._replace(thing=outcome.found, facts=outcome.facts)


def _order(core: Core, name: str, part: _Part) -> TakeObject:
    levels = tuple(WantedLevel(layer=layer, size=part.thing.size) for layer in LAYERS)
    volume = WantedVolume(resource=name, number=part.number, uuid=part.uuid, pool=part.pool.name, levels=levels)
    return TakeObject(fence=core.fence, object=part.thing, volume=volume)


def _require_alike(parts: list[_Part]) -> None:
    """Raises unless the replicas hold the same data by their own word, and belong to one resource."""
    for number in sorted({part.number for part in parts}):
        replicas = [part for part in parts if part.number == number]
        for fact, words, advice in (
            (
                "generation",
                "data of different generations",
                "Bring the resource up by hand, wait until they are in step,",
            ),
            ("size", "devices of different sizes", "Bring the resource up by hand once with all replicas,"),
            ("format", "metadata of different versions of DRBD", "Use one version on all nodes,"),
        ):
            said = {part.facts.get(fact, "") for part in replicas}
            if len(said) > 1 or "" in said:
                told = "; ".join(f"{part.where}: {part.facts.get(fact) or 'not told'}" for part in replicas)
                raise Refused(
                    f"The replicas of volume {number} have {words}.",
                    cause=f"{told}.",
                    correction=f"{advice} then take it down on every node and ask again.",
                    code=Fail.NOT_ALL_UPTODATE,
                )


# -- the definition -------------------------------------------------------------------------------------------


def _definition(
    core: Core, picture: Picture, name: str, body: wire.ReplicatedImport, parts: Sequence[_Part]
) -> ResourceDefinition:
    """Raises what does not fit."""
    group = lookup.group(picture, body.resource_group_name or definitions.DEFAULT_GROUP)
    first = {part.number: part for part in reversed(parts)}
    volumes = tuple(_volume_definition(core, first[number]) for number in sorted(first))
    stack = stacks.checked_stack(core.drivers, LAYERS)
    definition = ResourceDefinition(
        name=name, uuid=core.new_uuid(), group=group.name, layers=stack, volume_definitions=volumes
    )
    definition = _with_minor(picture, definition, body.drbd_minor_number)
    for node in dict.fromkeys(part.pool.node for part in parts):
        made = _resource(core, picture, definition, [p for p in parts if p.pool.node == node], body)
        definition = replace(definition, resources=(*definition.resources, made))
    definition = replication.numbered(picture, definition)
    drbd_versions.refuse_impossible(picture, definition)
    return definition


def _with_minor(picture: Picture, definition: ResourceDefinition, minor: int | None) -> ResourceDefinition:
    if minor is not None and len(definition.volume_definitions) > 1:
        raise Refused(
            "A minor can be named for a resource with one volume only.",
            correction="Leave it out; 'orlop volume list' shows those that are drawn.",
            code=Fail.INVLD_MINOR_NR,
        )
    return replication.with_minor(picture, definition, minor)


def _volume_definition(core: Core, part: _Part) -> VolumeDefinition:
    return VolumeDefinition(number=part.number, uuid=core.new_uuid(), size=names.size(int(part.facts["size"])))


def _resource(
    core: Core,
    picture: Picture,
    definition: ResourceDefinition,
    parts: list[_Part],
    body: wire.ReplicatedImport,
) -> Resource:
    node = lookup.node(picture, parts[0].pool.node)
    deploying.check_node(core, definition, node, definition.layers)
    for part in parts:
        backing = volume_name(definition.name, part.number)
        stacks.refuse_backing_name(core.drivers, picture, backing, node.name, part.pool.name)
    volumes = tuple(
        Volume(
            number=part.number,
            uuid=part.uuid,
            pool=part.pool.name,
            levels=(
                Level(layer=LAYERS[0], size=int(part.facts["size"])),
                Level(layer=LAYERS[1], size=part.thing.size),
            ),
            new=False,
        )
        for part in sorted(parts, key=lambda part: part.number)
    )
    made = Resource(node=node.name, uuid=core.new_uuid(), created=core.clock.milliseconds(), volumes=volumes)
    slots = _one(parts, "slots", int)
    made = replace(made, peer_slots=slots if slots is not None else None)
    ports = (body.drbd_tcp_port,) if body.drbd_tcp_port else ()
    node_id = _one(parts, "node_id", int)
    free = node_id if node_id is not None else len(definition.resources)
    return replication.with_numbers(picture, definition, made, free, ports)


def _one(parts: list[_Part], fact: str, kind: Callable[[str], int]) -> int | None:
    """What all volumes of a replica have in common; None where it is not told of this version."""
    said = {part.facts[fact] for part in parts if fact in part.facts}
    if len(said) > 1:
        raise Refused(
            f"The volumes on node '{parts[0].pool.node}' do not belong to one resource.",
            cause=f"{fact.replace('_', ' ').capitalize()}: "
            + "; ".join(f"{p.thing.name}: {p.facts.get(fact)}" for p in parts)
            + ".",
            code=Fail.INVLD_REQUEST,
        )
    return kind(said.pop()) if said else None
