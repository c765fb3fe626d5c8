"""Make a definition that has the data of another one, as it is at one moment, on the same nodes.

A snapshot is taken of the source, restored into the clone and removed. The request waits for the snapshot; the rest is
waited for by asking for the state. After a restart `look` goes on with what was begun.
"""

from __future__ import annotations

import logging

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject, Warn
from orlop.controller import cloning, moving, replication, stacks, voting, wire
from orlop.controller.answers import Answers
from orlop.controller.cloning import CLONE, FILLING, KIND, TAKING
from orlop.controller.core import WAIT, Core
from orlop.controller.picture import Draft
from orlop.controller.properties import Kind, normalised
from orlop.controller.replication import replicated
from orlop.controller.snapshotting import OVER, SUCCESSFUL
from orlop.controller.usecases import (
    definitions,
    lookup,
    restoring,
    snapshot_replicas,
    snapshots,
    spreading,
    waiting,
)
from orlop.controller.usecases.property_changes import changed
from orlop.errors import OrlopError, Refused
from orlop.model import KIB, Operation, ResourceDefinition, Snapshot, VolumeDefinition, key, names

log = logging.getLogger(__name__)
COMPLETE, CLONING, FAILED = "COMPLETE", "CLONING", "FAILED"


def start(core: Core, name: str, request: wire.ResourceDefinitionClone) -> wire.ResourceDefinitionCloneStarted:
    """Raises, and leaves nothing behind, where no snapshot can be taken or nothing can be filled from it."""
    source, snapshot, target, answers = _ordered(core, name, request)
    outcome, problems = snapshots.awaited(core, source, snapshot)
    if outcome is not None and not _is_taken(outcome):
        _forget(core, target)
        raise Refused(
            f"'{name}' was not cloned: {snapshots.reasons(outcome, problems)}",
            cause="No snapshot of it could be taken.",
            details="Nothing was left behind.",
            code=snapshots.failure(outcome, problems),
        )
    answers.success(
        f"'{target.name}' is being made as a clone of '{source.name}'.",
        codes.CREATED,
        details=f"UUID is: {target.uuid}",
    )
    try:
        go_on(core, target.name, answers)
    except Refused:
        _forget(core, target)
        raise
    if outcome is None:
        answers.warning(
            f"The snapshot of '{source.name}' for it is not complete yet; the work goes on.", Warn.STLT_NOT_UPDATED
        )
    return wire.ResourceDefinitionCloneStarted(
        location=f"/v1/resource-definitions/{source.name}/clone/{target.name}",
        source_name=source.name,
        clone_name=target.name,
        messages=tuple(answers),
    )


def status(core: Core, source: str, name: str) -> str:
    """COMPLETE, CLONING or FAILED; COMPLETE also of one whose source was removed since.

    FAILED where a pool ran full, too. Nothing is removed then: it may be in use on a node that is ready, and goes on by
    itself when there is room.
    """
    definition = lookup.definition(core.picture, name)
    operation = cloning.of(definition, source)
    if operation is None or operation.state == moving.DONE:
        return COMPLETE
    full = waiting.failure_code(operation.problem) is Fail.NOT_ENOUGH_FREE_SPACE
    return FAILED if full or operation.state == moving.FAILED else CLONING


def look(core: Core) -> None:
    """Goes on with clones that wait for nobody's request any more. Raises nothing."""
    for at, definition in list(core.picture.definitions.items()):
        if any(CLONE in snapshot.props for snapshot in definition.snapshots):
            core.settle([at])
        if definition.operations and cloning.current(definition) is not None:
            try:
                go_on(core, definition.name, Answers(codes.CREATE, Subject.RSC_DFN))
            except OrlopError as error:
                log.warning("the clone %s is given up: %s", definition.name, error)


def go_on(core: Core, name: str, answers: Answers) -> None:
    """Fills a clone whose snapshot was taken, gives one up that cannot be made; raises why, once."""
    definition = core.picture.definition(name)
    operation = cloning.current(definition) if definition else None
    if definition is None or operation is None or operation.state != TAKING:
        return
    source = core.picture.definition(operation.arguments["source"])
    known = source.snapshots if source else ()
    taken = next((s for s in known if s.uuid == operation.arguments["snapshot"]), None)
    if taken is not None and not taken.flags & OVER:
        return
    try:
        if taken is None or not _is_taken(taken):
            raise Refused(f"The snapshot of '{operation.arguments['source']}' for it could not be taken.")
        _fill(core, answers, definition, operation, taken)
    except OrlopError as error:
        _fail(core, definition, operation, f"{error} {error.cause}".strip())
        raise


def _is_taken(snapshot: object) -> bool:
    return isinstance(snapshot, Snapshot) and SUCCESSFUL in snapshot.flags and "DELETE" not in snapshot.flags


def _ordered(
    core: Core, name: str, request: wire.ResourceDefinitionClone
) -> tuple[ResourceDefinition, Snapshot, ResourceDefinition, Answers]:
    """Several clones of one image may be asked for at the same time; their snapshots are taken one after the other."""
    end = core.clock.monotonic() + WAIT
    while True:
        core.wait(lambda: not _is_busy(core, name) or None, WAIT)
        snapshot_replicas.look_again(core, name)
        tried = Answers(codes.CREATE, Subject.RSC_DFN)
        try:
            return *_try(core, tried, name, request), tried
        except Refused:
            if not _is_busy(core, name) or core.clock.monotonic() >= end:
                raise


def _is_busy(core: Core, name: str) -> bool:
    source = core.picture.definition(name)
    return source is not None and not source.deleting and moving.is_busy(source)


def _try(
    core: Core, answers: Answers, name: str, request: wire.ResourceDefinitionClone
) -> tuple[ResourceDefinition, Snapshot, ResourceDefinition]:
    with core.change() as draft:
        source = lookup.definition(draft, name)
        target = _definition(core, draft, answers, source, request)
        answers.refer(RscDfn=target.name)
        together = {key(source.name)} if replicated(source) else set()
        body = wire.Snapshot(name=f"{KIND}-{target.uuid[:8]}")
        source, snapshot = snapshots.ordered(core, draft, answers, source, body, together, {CLONE: target.name})
        operation = Operation(
            uuid=core.new_uuid(),
            kind=KIND,
            state=TAKING,
            created=core.clock.milliseconds(),
            arguments={"source": source.name, "snapshot": snapshot.uuid},
        )
        draft.put(replace(target, operations=(operation,)))
    return source, snapshot, target


# -- the definition ---------------------------------------------------------------------------------------------------


def _definition(
    core: Core, draft: Draft, answers: Answers, source: ResourceDefinition, request: wire.ResourceDefinitionClone
) -> ResourceDefinition:
    """As the source is, in all that the request does not want otherwise; it is not locked."""
    if request.volume_passphrases:
        raise Refused(
            "A clone has the keys of its source.",
            cause="Its volumes are copied as they are, encrypted.",
            correction="Leave the passphrases out; change them when the clone is complete.",
            code=Fail.INVLD_REQUEST,
        )
    group = lookup.group(draft, request.resource_group or source.group)
    props = changed(core.drivers, answers, Kind.RESOURCE_DEFINITION, source.props, request)
    props = voting.marked(source.props, props, map(normalised, request.override_props))
    layers = stacks.checked_stack(core.drivers, request.layer_list) if request.layer_list else source.layers
    definition = ResourceDefinition(
        name=definitions.new_name(core, draft, request.name, request.external_name),
        uuid=core.new_uuid(),
        external_name=request.external_name,
        group=group.name,
        layers=layers,
        props=props,
        peer_slots=source.peer_slots,
        volume_definitions=_volumes(core, source, request.volume_sizes),
    )
    return replication.numbered(draft, definition)


def _volumes(core: Core, source: ResourceDefinition, sizes: tuple[int, ...]) -> tuple[VolumeDefinition, ...]:
    volumes = [v for v in sorted(source.volume_definitions, key=lambda v: v.number) if "DELETE" not in v.flags]
    if len(sizes) > len(volumes):
        raise Refused(
            f"{len(sizes)} sizes were given, but '{source.name}' has {len(volumes)} volumes.",
            correction="Give at most one size per volume, in the order of their numbers.",
            code=Fail.INVLD_VLM_SIZES,
        )
    asked = [*sizes, *([0] * (len(volumes) - len(sizes)))]
    wanted = [names.size(size * KIB) if size else volume.size for size, volume in zip(asked, volumes, strict=True)]
    for volume, size in zip(volumes, wanted, strict=True):
        if size < volume.size:
            raise Refused(
                f"Volume {volume.number} of '{source.name}' has {volume.size // KIB} KiB; a clone cannot have "
                f"{size // KIB} KiB.",
                correction="Give a size that is not smaller.",
                code=Fail.INVLD_VLM_SIZE,
            )
    return tuple(
        VolumeDefinition(number=v.number, uuid=core.new_uuid(), size=size, flags=v.flags, props=v.props)
        for v, size in zip(volumes, wanted, strict=True)
    )


# -- the data ---------------------------------------------------------------------------------------------------------


def _fill(
    core: Core, answers: Answers, definition: ResourceDefinition, operation: Operation, snapshot: Snapshot
) -> None:
    source = operation.arguments["source"]
    with core.change() as draft:
        target = lookup.definition(draft, definition.name)
        if not _is_under_way(target, operation) or target.deleting:
            return
        request = wire.SnapshotRestore(to_resource=target.name)
        restored = restoring.filled(core, draft, lookup.definition(draft, source), snapshot, target, request)
        draft.put(moving.changed(restored, replace(operation, state=FILLING)))
    log.info("%s is filled from snapshot %s of %s", definition.name, snapshot.name, source)
    spreading.explained(core, answers, definition.name, spreading.AFTER_CLONE)


def _fail(core: Core, definition: ResourceDefinition, operation: Operation, problem: str) -> None:
    with core.change() as draft:
        current = draft.definition(definition.name)
        if current is None or not _is_under_way(current, operation):
            return
        draft.put(moving.changed(current, replace(operation, state=moving.FAILED, problem=problem)))
    core.settle([key(definition.name), key(operation.arguments["source"])])


def _is_under_way(definition: ResourceDefinition, operation: Operation) -> bool:
    """Whether it has not come further since."""
    found = cloning.current(definition)
    return found is not None and (found.uuid, found.state) == (operation.uuid, operation.state)


def _forget(core: Core, definition: ResourceDefinition) -> None:
    """The clone of a request that is refused; nothing was made of it anywhere."""
    with core.change() as draft:
        current = draft.definition(definition.name)
        if current is None or current.uuid != definition.uuid or current.resources:
            return
        draft.remove(current)
    core.settle(cloning.companions(current))
