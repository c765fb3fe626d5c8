"""A replica that takes the place of another one, or only goes, or only comes: one row each, led from report to report.

The row is written with the request. It waits until few enough others are being filled, then the new replica is made
(`filling`); when that one and all others have everything, the old one goes (`leaving`). Until then the old one is as
good as it was, so that there are never fewer good copies than before. Pure, and safe to repeat.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from msgspec.structs import replace

from orlop.controller import migrating
from orlop.controller.diskless import JOINING, diskful, is_diskless
from orlop.controller.growing import Reports
from orlop.controller.picture import with_resource
from orlop.controller.replicas import SKIP_DISK
from orlop.model import Operation, Resource, ResourceDefinition, key

EVACUATE, REBALANCE, REPLACE, REDUCE = "evacuate", "rebalance", "replace", "reduce"
KINDS = (EVACUATE, REBALANCE, REPLACE, REDUCE)
WAITING, FILLING, LEAVING = "waiting", "filling", "leaving"
DONE, FAILED = "done", "failed"
ENDED = (DONE, FAILED)
LEFT_OUT = frozenset({"EVICTED", "EVACUATE"})  # flags of replicas that are wanted no longer where they are


class Move(NamedTuple):
    """One replica's way. Without `target` it only goes, without `source` it only comes; names of nodes, bytes."""

    definition: str
    kind: str
    source: str | None = None
    target: str | None = None
    pool: str | None = None  # on the target
    size: int = 0  # that has to be copied

    def arguments(self) -> dict[str, Any]:
        return {"source": self.source, "target": self.target, "pool": self.pool}


class Staying(NamedTuple):
    """What a plan leaves where it is, and why."""

    definition: str
    node: str
    cause: str
    correction: str = ""


class Plan(NamedTuple):
    moves: tuple[Move, ...]
    staying: tuple[Staying, ...] = ()


def plan(found: Iterable[Move | Staying]) -> Plan:
    found = list(found)
    return Plan(
        tuple(each for each in found if isinstance(each, Move)),
        tuple(each for each in found if isinstance(each, Staying)),
    )


def of(definition: ResourceDefinition) -> list[Operation]:
    """Moves of a definition that have not ended."""
    return [o for o in definition.operations if o.kind in KINDS and o.state not in ENDED]


def counted(definition: ResourceDefinition) -> list[Resource]:
    """Replicas that count towards those that are wanted: with a disk that works, on a node that was not given up."""
    return [r for r in diskful(definition) if not r.flags & LEFT_OUT and not disk_failed(r)]


def disk_failed(resource: Resource) -> bool:
    return resource.props.get(SKIP_DISK, "").lower() == "true"


def under_way(definition: ResourceDefinition) -> bool:
    """Whether a replica is just being put in the place of another: how many there are says nothing then."""
    return any(o.state != WAITING for o in of(definition)) or any(
        migrating.SOURCE in r.props and not r.deleting for r in definition.resources
    )


def is_busy(definition: ResourceDefinition) -> bool:
    """Whether something else is done on several nodes: a snapshot, a rollback."""
    return any(o.kind not in KINDS and o.state not in ENDED for o in definition.operations)


def filling(made: Resource, uuid: str, created: int) -> Operation:
    """A row for a replica that only comes, and was made at once."""
    arguments = {"source": None, "target": made.node, "pool": made.volumes[0].pool, "made": made.uuid}
    return Operation(uuid=uuid, kind=REPLACE, state=FILLING, created=created, arguments=arguments)


def begun(definition: ResourceDefinition, operation: Operation) -> ResourceDefinition:
    """With another operation: what has ended makes room for it."""
    return replace(definition, operations=(*(o for o in definition.operations if o.state not in ENDED), operation))


def changed(definition: ResourceDefinition, operation: Operation) -> ResourceDefinition:
    """With an operation in place of the one with its uuid."""
    operations = tuple(operation if o.uuid == operation.uuid else o for o in definition.operations)
    return replace(definition, operations=operations)


def arguments(operation: Operation, **more: Any) -> Mapping[str, Any]:
    return {**operation.arguments, **more}


def named(definition: ResourceDefinition, uuid: object) -> Resource | None:
    return next((r for r in definition.resources if r.uuid == uuid), None)


def source_of(definition: ResourceDefinition, operation: Operation) -> Resource | None:
    """The replica that is to go, as long as it is there."""
    node = operation.arguments.get("source")
    return next((r for r in definition.resources if node and key(r.node) == key(node)), None)


def advanced(definition: ResourceDefinition, reports: Reports) -> ResourceDefinition:
    """The same object when nothing changes."""
    for operation in of(definition):
        if definition.deleting:
            definition = changed(definition, _failed(operation, "the resource is being deleted"))
        elif operation.state == FILLING:
            definition = _filling(definition, operation, reports)
        elif operation.state == LEAVING and _is_gone(definition, operation):
            definition = changed(definition, replace(operation, state=DONE, problem=""))
    return definition


def _filling(definition: ResourceDefinition, operation: Operation, reports: Reports) -> ResourceDefinition:
    target = named(definition, operation.arguments.get("made"))
    if target is None or target.deleting or (is_diskless(target) and JOINING not in target.flags):
        where = operation.arguments.get("target")
        return changed(definition, _failed(operation, f"the new replica on {where} was taken away"))
    source = named(definition, operation.arguments.get("leaving"))
    if source is None or source.deleting or is_diskless(source):
        if not migrating.has_everything(target, reports):
            return definition
        return changed(definition, replace(operation, state=DONE, problem=""))
    staying = [r for r in diskful(definition) if r.uuid != source.uuid]
    if is_busy(definition):
        return definition  # whatever else is done with all replicas counts on this one
    if len(staying) < operation.arguments.get("replicas", 0) or not migrating.may_leave(definition, source, reports):
        return definition
    gone = with_resource(definition, replace(source, flags=source.flags | {"DELETE"}))
    return changed(gone, replace(operation, state=LEAVING, problem=""))


def _is_gone(definition: ResourceDefinition, operation: Operation) -> bool:
    return named(definition, operation.arguments.get("leaving")) is None


def _failed(operation: Operation, why: str) -> Operation:
    return replace(operation, state=FAILED, problem=why)
