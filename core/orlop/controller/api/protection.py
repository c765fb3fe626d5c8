"""Routes of the lock against deletion, and of objects that an administrator names; all below /v1/orlop/."""

from __future__ import annotations

from collections.abc import Callable

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import AT_ONCE, Routes
from orlop.controller.usecases import importing, protection, taking

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


@route("POST", "/v1/orlop/orphans/adopt", body=wire.OrphanAdopt, status=201, about=Subject.RSC, unplanned=AT_ONCE)
def adopt(call: Call) -> Answers:
    """Make an orphan a volume again: marked as such, with the data it holds."""
    return taking.adopt(call.core, call.body)


@route("POST", "/v1/orlop/orphans/remove", body=wire.OrphanRemove, about=Subject.STOR_POOL, unplanned=AT_ONCE)
def remove(call: Call) -> Answers:
    """Remove an orphan with the data it holds."""
    return taking.remove(call.core, call.body)


@route("POST", f"{DEFINITION}/import-drbd", body=wire.ReplicatedImport, status=201, unplanned=AT_ONCE)
def import_replicated(call: Call, resource: str) -> Answers:
    """Go on with a resource that DRBD replicated by hand, taken down on all nodes, with its metadata and its data."""
    return importing.import_(call.core, resource, call.body)


@route("POST", f"{DEFINITION}/import", body=wire.VolumeImport, status=201, about=Subject.RSC, unplanned=AT_ONCE)
def import_(call: Call, resource: str) -> Answers:
    """Make a logical volume, zvol or file of somebody else a volume, with the data it holds."""
    return taking.import_(call.core, resource, call.body)
