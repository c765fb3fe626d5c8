"""Routes of what is done with replicated resources, and of split brains; all below /v1/orlop/."""

from __future__ import annotations

from collections.abc import Callable

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import AT_ONCE, PAGED, Routes
from orlop.controller.usecases import operating, split_brains
from orlop.model import ReplicaVerb

route = Routes("replication", Subject.RSC)
ROOT = "/v1/orlop/resource-definitions/{resource}"
ONE = f"{ROOT}/resources/{{node}}"


def _once(verb: ReplicaVerb) -> Callable[..., Answers]:
    def handle(call: Call, resource: str, node: str) -> Answers:
        return operating.once(call.core, resource, node, verb, call.body)

    handle.__name__ = verb.name.lower()
    return handle


for each in operating.SAID:
    route("POST", f"{ONE}/{each.value}", body=wire.ReplicaOperation, unplanned=AT_ONCE)(_once(each))


@route("POST", f"{ONE}/connect", body=wire.ReplicaOperation, unplanned=AT_ONCE)
def connect(call: Call, resource: str, node: str) -> Answers:
    """Take a disconnection back; begin anew a connection that DRBD gave up."""
    return operating.connect(call.core, resource, node, call.body)


@route("POST", f"{ONE}/disconnect", body=wire.ReplicaOperation)
def disconnect(call: Call, resource: str, node: str) -> Answers:
    """Keep two replicas apart until they are connected again by the same road."""
    return operating.disconnect(call.core, resource, node, call.body)


@route("GET", "/v1/orlop/split-brains", answer=tuple[wire.SplitBrain, ...], query={"resources": list, **PAGED})
def listed(call: Call) -> list[wire.SplitBrain]:
    """Connections that DRBD gave up, with what is known of both sides."""
    return call.query.page(split_brains.explained(call.core, call.query.keys("resources")))


@route("POST", f"{ROOT}/resolve-split-brain", body=wire.ResolveSplitBrain, unplanned=AT_ONCE)
def resolve(call: Call, resource: str) -> Answers:
    """The victim gives up what it has written and the others lack."""
    return split_brains.resolve(call.core, resource, call.body)
