"""Take a whole resource back to a snapshot."""

from __future__ import annotations

import msgspec

from orlop import codes
from orlop.codes import Fail, Subject, Warn
from orlop.controller import moving, nvme, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.usecases import guards, lookup, protection, waiting
from orlop.controller.usecases.snapshots import usable
from orlop.errors import Refused
from orlop.model import Operation, ResourceDefinition, Snapshot, key
from orlop.model.node import snapshot_name

replace = msgspec.structs.replace


def rollback(core: Core, name: str, snapshot_name_: str, request: wire.SnapshotRollback) -> Answers:
    """Every replica goes back to the snapshot: closed and proven unused first, then replaced."""
    answers = Answers(codes.MODIFY, Subject.SNAPSHOT, RscDfn=name, Snapshot=snapshot_name_)
    guards.look_again(core, name)
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        snapshot = usable(definition, snapshot_name_)
        _can_roll_back(core, definition, snapshot)
        operation = Operation(
            uuid=core.new_uuid(),
            kind="rollback",
            state="disconnecting" if nvme.initiators(definition) else "closing",
            created=core.clock.milliseconds(),
            arguments={
                "snapshot": snapshot.uuid,
                "incarnations": {v.uuid: core.new_uuid() for r in definition.resources for v in r.volumes},
                "names": {
                    str(v.number): snapshot_name(definition.name, v.number, snapshot.name)
                    for v in snapshot.volume_definitions
                },
            },
        )
        draft.put(moving.begun(definition, operation))

    def ended() -> Operation | bool | None:
        current = core.picture.definition(name)
        found = next((o for o in current.operations if o.uuid == operation.uuid), None) if current else None
        if found is None:
            return False
        return found if found.state in ("done", "failed") else None

    outcome = core.wait(ended)
    if isinstance(outcome, Operation) and outcome.state == "done":
        answers.success(f"'{definition.name}' is rolled back to snapshot '{snapshot.name}'.", codes.MODIFIED)
        for resource in definition.resources:
            done = "rolled back" if not resource.diskless else f"connects to what '{definition.name}' is now"
            answers.success(f"Node '{resource.node}' {done}.", Node=resource.node)
    elif outcome is None:
        answers.warning(
            f"Rolling '{definition.name}' back is not done yet; the work goes on.",
            Warn.STLT_NOT_UPDATED,
            correction="See 'orlop job list'.",
        )
    else:
        problem = outcome.problem if isinstance(outcome, Operation) else "the resource definition vanished"
        answers.error(
            f"'{definition.name}' was not rolled back: {problem}",
            waiting.failure_code(problem),
            details="Nothing was changed on any node.",
        )
    return answers


def _can_roll_back(core: Core, definition: ResourceDefinition, snapshot: Snapshot) -> None:
    guards.not_deleting(definition)
    guards.no_operation(definition)
    protection.require_unlocked(definition, "Rolling back, which loses what was written since the snapshot,")
    guards.connected(core, [r.node for r in definition.resources], "A rollback")
    guards.unused(core, definition, definition.resources, "Rolling back")
    there = {(key(p.node), v.number) for p in snapshot.nodes if "DELETE" not in p.flags for v in p.volumes}
    holding = [r for r in definition.resources if not r.diskless]
    lacking = sorted({r.node for r in holding for v in r.volumes if (key(r.node), v.number) not in there})
    if lacking:
        raise Refused(
            f"Snapshot '{snapshot.name}' does not hold every volume of '{definition.name}' on {', '.join(lacking)}.",
            cause="A resource or volume was added after the snapshot was taken.",
            correction="Delete the resource there first, or restore the snapshot into a new definition.",
            code=Fail.NOT_FOUND_SNAPSHOT,
        )
    for resource in definition.resources:
        unfit = {"DELETE"} if nvme.is_initiator(resource) else {"DELETE", "INACTIVE"}
        complete = nvme.is_initiator(resource) or not any(v.new for v in resource.volumes)
        if resource.flags & unfit or not complete or any("DELETE" in v.flags for v in resource.volumes):
            raise Refused(
                f"'{definition.name}' on node '{resource.node}' is being created, removed or inactive.",
                correction="Wait, or activate it, then try again.",
                code=Fail.INVLD_RSC_STATE,
            )
