"""Jobs as people see them: the rows of work that outlives a request."""

from __future__ import annotations

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import moving
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.moving import EVACUATE
from orlop.controller.usecases import moves
from orlop.errors import NotFound, Refused
from orlop.model import Operation, ResourceDefinition


def cancel(core: Core, uuid: str) -> Answers:
    """Only moves of replicas can be ended from outside."""
    definition, operation = _found(core, uuid)
    if operation.kind not in moving.KINDS or operation.state in moving.ENDED:
        raise Refused(
            f"The job {uuid} of '{definition.name}' cannot be cancelled: {operation.kind}, {operation.state}.",
            cause="Only moves of replicas that have not ended can be.",
            code=Fail.INVLD_REQUEST,
        )
    if operation.kind == EVACUATE:
        node = operation.arguments.get("source")
        raise Refused(
            f"'{definition.name}' leaves node '{node}' because that is being evacuated.",
            correction=f"End the evacuation: orlop node restore {node}.",
            code=Fail.INVLD_REQUEST,
        )
    said = moves.cancel(core, definition.name, uuid)
    answers = Answers(codes.MODIFY, Subject.RSC, RscDfn=definition.name)
    answers.success(f"The job {uuid} of '{definition.name}' is cancelled: {said}.", codes.MODIFIED)
    return answers


def _found(core: Core, uuid: str) -> tuple[ResourceDefinition, Operation]:
    for definition in core.picture.definitions.values():
        for operation in definition.operations:
            if operation.uuid == uuid:
                return definition, operation
    raise NotFound(f"Job '{uuid}' not found.", correction="See 'orlop job list'.", code=Fail.NOT_FOUND_RSC)
