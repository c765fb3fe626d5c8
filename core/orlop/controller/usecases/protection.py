"""The lock against deletion: what an administrator has locked goes only after it was unlocked by name.

It guards against people and programs that delete, not against DRBD or a disk: replicas still come and go as long as one
with data is left.
"""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Info, Subject
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import is_diskless
from orlop.controller.usecases import guards, lookup
from orlop.errors import Refused
from orlop.model import Resource, ResourceDefinition, Snapshot

LOCKED = "LOCKED"


# -- locking --------------------------------------------------------------------------------------------------


def lock(core: Core, name: str, locked: bool) -> Answers:
    """Lock a definition with all its data against deletion, or unlock it."""
    answers = Answers(codes.MODIFY, Subject.RSC_DFN, RscDfn=name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        guards.not_deleting(definition)
        flags = _flags(definition.flags, locked)
        _explain(answers, f"Resource definition '{definition.name}'", definition.flags != flags, locked)
        if flags != definition.flags:
            draft.put(replace(definition, flags=flags))
    return answers


def lock_snapshot(core: Core, name: str, snapshot_name: str, locked: bool) -> Answers:
    answers = Answers(codes.MODIFY, Subject.SNAPSHOT, RscDfn=name, Snapshot=snapshot_name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        snapshot = lookup.snapshot(definition, snapshot_name)
        if "DELETE" in snapshot.flags:
            raise Refused(
                f"Snapshot '{snapshot.name}' of '{definition.name}' is being deleted.", code=Fail.NOT_FOUND_SNAPSHOT
            )
        flags = _flags(snapshot.flags, locked)
        _explain(answers, f"Snapshot '{snapshot.name}' of '{definition.name}'", snapshot.flags != flags, locked)
        if flags != snapshot.flags:
            after = replace(snapshot, flags=flags)
            snapshots = tuple(after if s.uuid == snapshot.uuid else s for s in definition.snapshots)
            draft.put(replace(definition, snapshots=snapshots))
    return answers


def _flags(present: frozenset[str], locked: bool) -> frozenset[str]:
    return present | {LOCKED} if locked else present - {LOCKED}


def _explain(answers: Answers, what: str, changes: bool, locked: bool) -> None:
    word = "locked against deletion" if locked else "unlocked"
    if changes:
        answers.success(f"{what} is {word}.", codes.MODIFIED)
    else:
        answers.info(f"{what} is {word} already; nothing was done.", Info.NOOP)


# -- refusing -------------------------------------------------------------------------------------------------


def require_unlocked(definition: ResourceDefinition, what: str) -> None:
    """Raises for a locked definition. `what` begins the sentence: "Deleting"."""
    if LOCKED in definition.flags:
        raise Refused(
            f"{what} is refused: resource definition '{definition.name}' is locked against deletion.",
            correction=f"If it shall really go: orlop resource-definition unlock {definition.name}.",
            code=Fail.ACC_DENIED_RSC_DFN,
        )


def require_unlocked_snapshot(definition: ResourceDefinition, snapshot: Snapshot, what: str) -> None:
    if LOCKED in snapshot.flags:
        raise Refused(
            f"{what} is refused: snapshot '{snapshot.name}' of '{definition.name}' is locked against deletion.",
            correction=f"If it shall really go: orlop snapshot unlock {definition.name} {snapshot.name}.",
            code=Fail.ACC_DENIED_SNAPSHOT,
        )


def require_data_left(definition: ResourceDefinition, leaving: Collection[Resource], what: str) -> None:
    """Raises if a locked definition would be left without any data of it."""
    holding = [r for r in definition.resources if not (r.deleting or r.diskless or is_diskless(r))]
    gone = {r.uuid for r in leaving}
    if any(r.uuid in gone for r in holding) and all(r.uuid in gone for r in holding):
        require_unlocked(definition, what)


def require_loss_allowed(
    definition: ResourceDefinition, resources: Collection[Resource], parts: Collection[str], what: str
) -> None:
    """Raises where resources and parts of snapshots (uuids) are forgotten, and with them the last of what is locked."""
    require_data_left(definition, resources, what)
    for snapshot in definition.snapshots:
        if snapshot.nodes and all(part.uuid in parts for part in snapshot.nodes):
            require_unlocked_snapshot(definition, snapshot, what)
