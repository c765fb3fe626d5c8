"""Routes of the lock against deletion; all below /v1/orlop/."""

from __future__ import annotations

from collections.abc import Callable

from orlop.codes import Subject
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes
from orlop.controller.usecases import protection

route = Routes("protection", Subject.RSC_DFN)
DEFINITION = "/v1/orlop/resource-definitions/{resource}"
SNAPSHOT = f"{DEFINITION}/snapshots/{{snapshot}}"


def _of_definition(locked: bool) -> Callable[..., Answers]:
    def handle(call: Call, resource: str) -> Answers:
        return protection.lock(call.core, resource, locked)

    handle.__name__ = "lock" if locked else "unlock"
    return handle


def _of_snapshot(locked: bool) -> Callable[..., Answers]:
    def handle(call: Call, resource: str, snapshot: str) -> Answers:
        return protection.lock_snapshot(call.core, resource, snapshot, locked)

    handle.__name__ = "lock_snapshot" if locked else "unlock_snapshot"
    return handle


for word, locked in (("lock", True), ("unlock", False)):
    route("POST", f"{DEFINITION}/{word}")(_of_definition(locked))
    route("POST", f"{SNAPSHOT}/{word}", about=Subject.SNAPSHOT)(_of_snapshot(locked))
