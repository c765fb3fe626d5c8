"""A definition that gets the data of another one: a snapshot is taken, filled from, and removed. Pure.

The row is with the clone. The snapshot exists only for it and bears its name; whatever becomes of the clone, a snapshot
that no clone is waiting for goes. Filling it is deployment, which `usecases/cloning.py` orders.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from orlop.controller.growing import Reports
from orlop.controller.moving import DONE, ENDED, FAILED, changed
from orlop.model import Operation, ResourceDefinition, Snapshot, key

KIND = "clone"
TAKING, FILLING = "snapshot", "filling"
CLONE = "Internal/Clone"  # of a snapshot: the name of the definition that it exists for
GONE = "the resources that were to get the data were removed"


def of(definition: ResourceDefinition, source: str) -> Operation | None:
    """What is known of it as a clone of `source`, also when it has ended a short while ago."""
    found = (o for o in definition.operations if o.kind == KIND)
    return next((o for o in found if key(o.arguments["source"]) == key(source)), None)


def current(definition: ResourceDefinition) -> Operation | None:
    """The one that is under way."""
    return next((o for o in definition.operations if o.kind == KIND and o.state not in ENDED), None)


def flags(definition: ResourceDefinition) -> frozenset[str]:
    """What a list shows of it beside its own flags."""
    found = next((o for o in definition.operations if o.kind == KIND and o.state != DONE), None)
    if found is None:
        return frozenset()
    return frozenset({"FAILED" if found.state == FAILED else "CLONING"})


def companions(definition: ResourceDefinition) -> list[str]:
    """Keys of the definitions that have a snapshot for this one."""
    return [key(o.arguments["source"]) for o in definition.operations if o.kind == KIND]


def advanced(definition: ResourceDefinition, reports: Reports) -> ResourceDefinition:
    """The same object when nothing changes."""
    found = current(definition)
    if found is None:
        return definition
    if definition.deleting:
        return changed(definition, replace(found, state=FAILED, problem="the clone is being deleted"))
    if found.state != FILLING:
        return definition
    kept = [r for r in definition.resources if not r.deleting]
    if not any(r.volumes for r in kept):
        return changed(definition, replace(found, state=FAILED, problem=found.problem or GONE))
    if not any(v.new for r in kept for v in r.volumes):
        return changed(definition, replace(found, state=DONE, problem=""))
    said = {r.node: report.problem for r in kept if (report := reports.get(key(r.node))) is not None and report.problem}
    problem = "; ".join(f"node {node}: {text}" for node, text in sorted(said.items()))
    return definition if problem == found.problem else changed(definition, replace(found, problem=problem))


def released(source: ResourceDefinition, others: Mapping[str, ResourceDefinition]) -> ResourceDefinition:
    """The source without the snapshots of clones that are complete, were given up, or are not there any more."""
    snapshots = tuple(replace(s, flags=s.flags | {"DELETE"}) if _is_over(s, others) else s for s in source.snapshots)
    same = all(a is b for a, b in zip(snapshots, source.snapshots, strict=True))
    return source if same else replace(source, snapshots=snapshots)


def _is_over(snapshot: Snapshot, others: Mapping[str, ResourceDefinition]) -> bool:
    if CLONE not in snapshot.props or "DELETE" in snapshot.flags:
        return False
    clone = others.get(key(snapshot.props[CLONE]))
    return clone is None or not needs(clone, snapshot)


def needs(definition: ResourceDefinition, snapshot: Snapshot) -> bool:
    """Whether a definition has still to get its data from a snapshot, as a clone or because it is restored into it."""
    found = current(definition)
    if found is not None and found.arguments["snapshot"] == snapshot.uuid:
        return True
    sources = {v.source for r in definition.resources if not r.deleting for v in r.volumes if v.source}
    return bool(sources) and any(v.uuid in sources for part in snapshot.nodes for v in part.volumes)
