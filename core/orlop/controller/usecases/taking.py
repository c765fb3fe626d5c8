"""Objects that are in pools already and become volumes with the data they hold, or go: each named by an administrator.

The node looks, then marks the object with the uuid of a new incarnation and gives it the volume's name, then the
volume is committed. Cut in between, the object is an orphan with that mark, and the same is asked for again. The volume
is never `new`: nothing makes, formats or fills it.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import stacks, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.picture import Draft, Picture, with_resource
from orlop.controller.usecases import definitions, deploying, guards, lookup, room, waiting
from orlop.errors import Refused, TransportError
from orlop.model import (
    KIB,
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

STORAGE = "STORAGE"
OURS = re.compile(r"(?P<resource>.+)_(?P<number>[0-9]{5})")


def adopt(core: Core, body: wire.OrphanAdopt) -> Answers:
    """Make an orphan the volume that its name tells, or another one that is named."""
    pool = lookup.pool(core.picture, body.node_name, body.storage_pool_name)
    thing = _orphan(core, pool, body.name, body.uuid or "")
    told = OURS.fullmatch(thing.name)
    name = body.resource_name or (told["resource"] if told else "")
    if not name:
        raise Refused(
            f"The name of '{thing.name}' does not tell of which resource it is a volume.",
            correction="Say which one it shall become a volume of: --resource NAME.",
            code=Fail.INVLD_RSC_NAME,
        )
    same = told is not None and key(told["resource"]) == key(name)
    number = int(told["number"]) if body.volume_number is None and told and same else body.volume_number
    answers = Answers(codes.CREATE, Subject.RSC, RscDfn=name, Node=pool.node, StorPool=pool.name)
    return _taken(core, answers, pool, thing, _Target(core, name, number, body.resource_group_name), "adopted")


def import_(core: Core, name: str, body: wire.VolumeImport) -> Answers:
    """Make an object that bears no mark of ours, whatever its name is, a volume of a definition."""
    pool = lookup.pool(core.picture, body.node_name, body.storage_pool_name)
    thing = BackingObject(pool=pool.name, name=body.name)
    answers = Answers(codes.CREATE, Subject.RSC, RscDfn=name, Node=pool.node, StorPool=pool.name)
    target = _Target(core, name, body.volume_number, body.resource_group_name)
    return _taken(core, answers, pool, thing, target, "imported")


def remove(core: Core, body: wire.OrphanRemove) -> Answers:
    """Remove an orphan with all its data, unless it is in use, needed by another object or known to the node."""
    pool = lookup.pool(core.picture, body.node_name, body.storage_pool_name)
    thing = _orphan(core, pool, body.name, body.uuid or "")
    answers = Answers(codes.DELETE, Subject.STOR_POOL, Node=pool.node, StorPool=pool.name)
    done = asked(core, pool, TakeObject(fence=core.fence, object=thing, mark=core.new_uuid()), "removed")
    answers.success(
        f"'{thing.name}' is removed from pool '{pool.name}' on node '{pool.node}'.",
        codes.DELETED,
        details="\n".join(done.done),
    )
    return answers


def _orphan(core: Core, pool: StoragePool, name: str, uuid: str) -> BackingObject:
    """The orphan as its node reported it; raises unless its identity was named."""
    guards.connected(core, [pool.node], f"Doing something with what is in pool '{pool.name}'")
    listed = core.reported.node(pool.node).orphans
    found = next((o for o in listed if key(o.pool) == key(pool.name) and o.name == name), None)
    if found is None:
        raise Refused(
            f"There is no orphan '{name}' in pool '{pool.name}' on node '{pool.node}'.",
            correction="See 'orlop orphan list'.",
            code=Fail.NOT_FOUND_VLM,
        )
    if found.uuid != uuid:
        bears = f"It bears the mark {found.uuid}." if found.uuid else "It bears no mark."
        raise Refused(
            f"'{name}' in pool '{pool.name}' on node '{pool.node}' is another object than the one that was named.",
            cause=f"{bears} {f'The mark {uuid} was named.' if uuid else 'No mark was named.'}",
            correction="Name it as 'orlop orphan list' shows it: --uuid UUID, or --unmarked where it bears none.",
            code=Fail.UUID_VLM,
        )
    return found


class _Target:
    """Which volume of which definition an object becomes."""

    def __init__(self, core: Core, name: str, number: int | None, group: str | None) -> None:
        self.core, self.name, self.group = core, name, group
        self.number = names.volume_number(number or 0) if number is not None else None
        self.uuid = core.new_uuid()

    def within(self, picture: Picture, pool: StoragePool, size: int) -> tuple[ResourceDefinition, Volume]:
        """The definition with the volume, for an object of `size` bytes; raises what does not fit."""
        node = lookup.node(picture, pool.node)
        definition = self.definition(picture)
        definition, of = self._volume_definition(definition, pool, size // KIB * KIB)
        existing = next((r for r in definition.resources if key(r.node) == key(node.name)), None)
        if existing is None:
            deploying.check_node(self.core, definition, node, definition.layers)
            made = self.core.clock.milliseconds()
            existing = Resource(node=node.name, uuid=self.core.new_uuid(), created=made)
        name = volume_name(definition.name, of.number)
        stacks.refuse_backing_name(self.core.drivers, picture, name, node.name, pool.name)
        levels = stacks.existing_levels(definition, of.number, definition.layers)
        levels = levels or (Level(layer=STORAGE, size=of.size),)
        if levels[-1].size > size:
            raise Refused(
                f"The object has {size} bytes; volume {of.number} of '{definition.name}' has {levels[-1].size}.",
                correction="Import it into a definition of its own.",
                code=Fail.INVLD_VLM_SIZE,
            )
        volume = Volume(number=of.number, uuid=self.uuid, pool=pool.name, levels=levels, new=False)
        volumes = tuple(sorted((*existing.volumes, volume), key=lambda v: v.number))
        return with_resource(definition, replace(existing, volumes=volumes)), volume

    def definition(self, picture: Picture) -> ResourceDefinition:
        found = picture.definition(self.name)
        if found is None:
            names.resource(self.name)
            definitions.refuse_taken(self.core, picture, self.name)
            group = lookup.group(picture, self.group or definitions.DEFAULT_GROUP)
            return ResourceDefinition(
                name=self.name, uuid=self.core.new_uuid(), group=group.name, layers=(STORAGE,), props={}
            )
        guards.not_deleting(found)
        guards.no_operation(found)
        if found.layers != (STORAGE,):
            raise Refused(
                f"An object cannot become a volume of '{found.name}': its layer stack is {', '.join(found.layers)}.",
                cause="What lies in the object is used as it is: by layer STORAGE alone.",
                correction="Use another name: a definition is made for it.",
                code=Fail.INVLD_LAYER_STACK,
            )
        return found

    def free_number(self, definition: ResourceDefinition) -> int:
        """The one that was named, else the lowest that is free."""
        taken = {v.number for v in definition.volume_definitions}
        return next(n for n in range(1 << 16) if n not in taken) if self.number is None else self.number

    def _volume_definition(
        self, definition: ResourceDefinition, pool: StoragePool, size: int
    ) -> tuple[ResourceDefinition, VolumeDefinition]:
        taken = {v.number: v for v in definition.volume_definitions}
        number = self.free_number(definition)
        here = next((r for r in definition.resources if key(r.node) == key(pool.node)), None)
        if here is not None and (here.deleting or any(v.number == number for v in here.volumes)):
            raise Refused(
                f"'{definition.name}' has a volume {number} on node '{pool.node}' already"
                + (", which is being deleted." if here.deleting else "."),
                correction="Take another number or another name.",
                code=Fail.EXISTS_VLM,
            )
        if number in taken:
            return definition, taken[number]
        if others := [r.node for r in definition.resources if r is not here]:
            raise Refused(
                f"Volume {number} of '{definition.name}' would be on node '{pool.node}' only: it has resources on "
                f"{', '.join(others)}, too.",
                correction="Take the number of a volume that there is, or another name.",
                code=Fail.INVLD_VLM_NR,
            )
        of = VolumeDefinition(number=number, uuid=self.core.new_uuid(), size=names.size(size))
        volumes = tuple(sorted((*definition.volume_definitions, of), key=lambda v: v.number))
        return replace(definition, volume_definitions=volumes), of


def _taken(
    core: Core, answers: Answers, pool: StoragePool, thing: BackingObject, target: _Target, word: str
) -> Answers:
    guards.connected(core, [pool.node], f"'{thing.name}' is {word} on its node, which")
    room.refuse_unusable(core, pool)
    # What does not fit is told before anything is touched; the size is known only to the node.
    definition = target.definition(core.picture)
    probing = _order(core, thing, target, definition.name, target.free_number(definition))
    size = size_of(asked(core, pool, replace(probing, only_look=True), word), thing)
    definition, volume = target.within(core.picture, pool, size)
    order = _order(core, thing, target, definition.name, volume.number)
    done = asked(core, pool, order, word)
    with core.change() as draft:
        definition, volume = _agreed(draft, target, pool, size_of(done, thing), volume)
        draft.put(definition)
    answers.success(
        f"'{thing.name}' in pool '{pool.name}' on node '{pool.node}' is {word}: it is volume {volume.number} of "
        f"'{definition.name}', {volume.levels[-1].size // KIB} KiB. Its data was not touched.",
        codes.CREATED,
        details="\n".join(done.done),
        VlmNr=str(volume.number),
    )
    done_there = f"opened volume {volume.number} of '{definition.name}'"
    waiting.settled(core, answers, definition.name, [pool.node], done_there, "it will be opened")
    waiting.explain_copies(core, answers, definition.name)
    return answers


def _agreed(
    draft: Draft, target: _Target, pool: StoragePool, size: int, volume: Volume
) -> tuple[ResourceDefinition, Volume]:
    """As it was decided before the node was asked; raises if somebody took the place meanwhile."""
    definition, now = target.within(draft, pool, size)
    if now.number != volume.number:
        raise Refused(
            f"'{definition.name}' got another volume {volume.number} meanwhile; the object is listed as an orphan.",
            correction="See 'orlop orphan list', and adopt it under another name or number.",
            code=Fail.EXISTS_VLM,
        )
    return definition, now


def _order(core: Core, thing: BackingObject, target: _Target, name: str, number: int) -> TakeObject:
    wanted = WantedVolume(
        resource=name,
        number=number,
        uuid=target.uuid,
        pool=thing.pool,
        levels=(WantedLevel(layer=STORAGE, size=thing.size),),
    )
    return TakeObject(fence=core.fence, object=thing, volume=wanted)


def size_of(outcome: ObjectTaken, thing: BackingObject) -> int:
    if outcome.found is None or outcome.found.size <= 0:
        raise Refused(f"It is not known how large '{thing.name}' is.", code=Fail.INVLD_VLM_SIZE)
    return outcome.found.size


def asked(core: Core, pool: StoragePool, order: TakeObject, word: str) -> ObjectTaken:
    """What the node did; raises what stood in the way."""
    try:
        outcome = core.asked(pool.node, lambda links: links.take_object(pool.node, order))
    except TransportError as error:
        raise Refused(
            f"Node '{pool.node}' is not connected: '{order.object.name}' may not be {word}.",
            cause=error.message,
            correction="Ask again when the node is back; what was begun shows in 'orlop orphan list'.",
            code=Fail.NOT_CONNECTED,
        ) from error
    if outcome.problem:
        raise Refused(
            f"'{order.object.name}' in pool '{pool.name}' on node '{pool.node}' is not {word}: {outcome.problem}",
            details="Done before: " + "; ".join(outcome.done) if outcome.done else "",
            code=waiting.failure_code(outcome.problem, outcome.code),
        )
    return outcome
