"""Explain split brains, and end one whose victim an administrator named."""

from __future__ import annotations

from collections.abc import Collection

from orlop import codes
from orlop.codes import Fail, Info, Subject
from orlop.controller import replicas, split_brain, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.growing import UP_TO_DATE, facts
from orlop.controller.orders import nodes_of
from orlop.controller.snapshotting import SUCCESSFUL
from orlop.controller.split_brain import ALONE, CONNECTED, GivenUp, Side
from orlop.controller.usecases import guards, lookup, operating, snapshots
from orlop.errors import Refused
from orlop.model import ReplicaOrder, ReplicaVerb, Resource, ResourceDefinition, key

PATIENCE = 30.0  # seconds that the two get to meet


def explained(core: Core, names: Collection[str]) -> list[wire.SplitBrain]:
    """Connections that DRBD gave up, of all resources or of those named (keys)."""
    return [
        _shown(core, definition, found)
        for name, definition in sorted(core.picture.definitions.items())
        if not names or name in names
        for found in split_brain.given_up(definition, _reports(core, definition))
    ]


def _reports(core: Core, definition: ResourceDefinition) -> split_brain.Reports:
    return core.reported.currents(nodes_of(definition), definition.name)


def _shown(core: Core, definition: ResourceDefinition, found: GivenUp) -> wire.SplitBrain:
    one, other = found.nodes
    return wire.SplitBrain(
        resource_name=definition.name,
        node_a=one,
        node_b=other,
        certain=found.certain,
        since=core.splits.since(definition.name, found.nodes),
        volumes=tuple(
            wire.SplitBrainVolume(
                volume_number=sides[0].number, sides=tuple(_side(core, definition, side) for side in sides)
            )
            for sides in found.volumes
        ),
    )


def _side(core: Core, definition: ResourceDefinition, side: Side) -> wire.SplitBrainSide:
    report = core.reported.resource(side.node, definition.name)
    seen = next((v for v in report.volumes if v.number == side.number), None) if report else None
    return wire.SplitBrainSide(
        node_name=side.node,
        connection=side.connection or None,
        role=side.role or None,
        in_use=seen.in_use if seen else None,
        disk_state=side.disk or None,
        generations=side.generations,
        out_of_sync_kib=side.out_of_sync,
        written_kib=side.written,
    )


def resolve(core: Core, name: str, request: wire.ResolveSplitBrain) -> Answers:
    """The victim gives up what it has and the others lack. What was cut in between, the same request finishes."""
    definition = lookup.definition(core.picture, name)
    victim = lookup.resource(definition, request.victim)
    answers = Answers(codes.MODIFY, Subject.RSC, RscDfn=definition.name, Node=victim.node)
    guards.not_deleting(definition)
    survivors = _survivors(core, definition, victim)
    if not survivors:
        answers.info(
            f"'{definition.name}' on node '{victim.node}' has no connection that was given up; nothing was done.",
            Info.NOOP,
        )
        return answers
    guards.connected(core, [victim.node, *(s.node for s in survivors)], "Ending a split brain")
    guards.look_again(core, definition.name, victim.node)
    guards.unused(core, definition, [victim], f"Giving up what '{victim.node}' has written")
    for survivor in survivors:
        _require_whole(core, definition, victim, survivor)
    if request.snapshot:
        _preserve(core, definition, victim, request.snapshot)
    for survivor in survivors:
        operating.obeyed(core, definition, victim, ReplicaOrder(verb=ReplicaVerb.DISCARD, peer=survivor.node))
        operating.obeyed(core, definition, survivor, ReplicaOrder(verb=ReplicaVerb.CONNECT, peer=victim.node))
    names = ", ".join(s.node for s in survivors)
    answers.success(
        f"'{definition.name}': node '{victim.node}' gives up its data and gets that of {names}.", codes.MODIFIED
    )
    _tell_outcome(core, answers, definition, victim, survivors)
    return answers


def _survivors(core: Core, definition: ResourceDefinition, victim: Resource) -> list[Resource]:
    """Those whose connection to the victim was given up at either end and does not stand."""
    found = []
    for peer in replicas.peers(definition, victim):
        if not replicas.is_connected(definition, victim.node, peer.node):
            continue
        ends = {operating.state(core, definition, victim, peer), operating.state(core, definition, peer, victim)}
        if ALONE in ends and CONNECTED not in ends:
            found.append(peer)
    return found


def _require_whole(core: Core, definition: ResourceDefinition, victim: Resource, survivor: Resource) -> None:
    report = core.reported.resource(survivor.node, definition.name)
    behind = [v.number for v in survivor.volumes if facts(report, v).get("disk") != UP_TO_DATE]
    if behind or not survivor.volumes:
        raise Refused(
            f"'{victim.node}' keeps its data: '{definition.name}' on node '{survivor.node}', which is to survive, is "
            "not known to be up to date.",
            cause=f"Volumes: {', '.join(map(str, behind))}." if behind else "",
            correction=f"See 'orlop resource list --resources {definition.name}'.",
            code=Fail.NOT_ALL_UPTODATE,
        )


def _preserve(core: Core, definition: ResourceDefinition, victim: Resource, name: str) -> None:
    """A snapshot of the victim alone; one of that name that is there was taken by a request that was cut."""

    def taken() -> bool:
        found = core.picture.definition(definition.name)
        kept = next((s for s in found.snapshots if key(s.name) == key(name)), None) if found else None
        return (
            kept is not None and SUCCESSFUL in kept.flags and any(key(n.node) == key(victim.node) for n in kept.nodes)
        )

    if taken():
        return
    made = snapshots.create(core, definition.name, wire.Snapshot(name=name, nodes=(victim.node,)))
    if not taken():
        reasons = "; ".join(entry.message for entry in made if entry.is_error) or "it is not complete yet"
        raise Refused(
            f"'{victim.node}' keeps its data: snapshot '{name}' could not be taken of it: {reasons}",
            correction="Try again, or leave the snapshot out if that data is not needed.",
            code=Fail.INVLD_RSC_STATE,
        )


def _tell_outcome(
    core: Core, answers: Answers, definition: ResourceDefinition, victim: Resource, survivors: list[Resource]
) -> None:
    def met() -> bool | None:
        states = [operating.state(core, definition, victim, survivor) for survivor in survivors]
        return True if all(found == CONNECTED for found in states) else None

    if core.wait(met, PATIENCE):
        answers.success(f"'{definition.name}' is connected again; see 'orlop volume list' for how far it is.")
    else:
        answers.warning(
            f"'{definition.name}' is not connected yet.",
            cause=f"Node '{victim.node}' waits for {', '.join(s.node for s in survivors)}.",
            correction=f"If it stays so: orlop resource resolve-split-brain {definition.name} --victim {victim.node}",
        )
