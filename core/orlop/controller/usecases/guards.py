"""Reasons to refuse: what must not happen while something is in use, away or being removed."""

from __future__ import annotations

from collections.abc import Iterable

from orlop.codes import Fail
from orlop.controller import moving
from orlop.controller.core import Core
from orlop.errors import Refused
from orlop.model import Resource, ResourceDefinition, key

LOOK = 20.0  # seconds a satellite gets to see that a device was closed


def users(core: Core, definition: ResourceDefinition, resources: Iterable[Resource]) -> list[str]:
    """Names of nodes on which one of the volumes is reported to be in use."""
    found = []
    for resource in resources:
        report = core.reported.resource(resource.node, definition.name)
        uuids = {v.uuid for v in resource.volumes}
        if report and any(v.in_use for v in report.volumes if v.uuid in uuids):
            found.append(resource.node)
    return found


def holders(core: Core, definition: ResourceDefinition, nodes: Iterable[str]) -> str:
    """What holds volumes open, a line per node that says it; empty where none does."""
    lines = []
    for node in nodes:
        report = core.reported.resource(node, definition.name)
        by = [f"volume {v.number}: {', '.join(v.users)}" for v in (report.volumes if report else ()) if v.users]
        if by:
            lines.append(f"On {node}: {'; '.join(by)}.")
    return "\n".join(lines)


def look_again(core: Core, name: str, node: str | None = None) -> None:
    """Before a refusal for use: a device that was just closed may still be reported as open.

    Waits, without a lock, until the satellites have seen it, which they do when they have nothing of it in hand.
    """

    def busy() -> list[str]:
        definition = core.picture.definition(name)
        resources = definition.resources if definition else ()
        chosen = [r for r in resources if node is None or key(r.node) == key(node)]
        return users(core, definition, chosen) if definition else []

    nodes = busy()
    if nodes and core.links is not None:
        asked = {one: core.links.look(key(one)) for one in nodes}

        def seen() -> bool:
            return all(core.reported.node(one).has_seen(name, number) for one, number in asked.items())

        core.wait(lambda: not busy() or seen() or None, LOOK)


def unused(core: Core, definition: ResourceDefinition, resources: Iterable[Resource], what: str) -> None:
    """Raises when a volume is in use somewhere."""
    busy = users(core, definition, resources)
    if busy:
        raise Refused(
            f"{what} is refused: resource '{definition.name}' is in use on {', '.join(busy)}.",
            cause=holders(core, definition, busy)
            or "Something holds its device open there: a mount, a virtual machine, another layer.",
            correction="Unmount or close it there, then try again.",
            code=Fail.IN_USE,
        )


def not_deleting(definition: ResourceDefinition) -> None:
    """Raises when a definition is on its way out; its name is free again when every node has confirmed."""
    if definition.deleting:
        left = sorted({r.node for r in definition.resources} | {n.node for s in definition.snapshots for n in s.nodes})
        raise Refused(
            f"Resource definition '{definition.name}' is being deleted.",
            cause=f"Not yet confirmed by: {', '.join(left)}." if left else "",
            correction="Wait until these nodes are back, or forget them with 'orlop node lost NODE'.",
            code=Fail.EXISTS_RSC_DFN,
        )


def no_operation(definition: ResourceDefinition) -> None:
    """One operation on several nodes at a time per definition. Replicas that move stand in nobody's way."""
    for operation in definition.operations:
        if operation.kind not in moving.KINDS and operation.state not in moving.ENDED:
            raise Refused(
                f"Resource '{definition.name}' is busy with another operation: {operation.kind}, {operation.state}.",
                correction="Wait for it to end; see 'orlop job list'.",
                code=Fail.RSC_BUSY,
            )


def connected(core: Core, nodes: Iterable[str], what: str) -> None:
    """Raises when a node that must take part is away."""
    away = sorted({node for node in nodes if not core.reported.online(node)})
    if away:
        raise Refused(
            f"{what} needs every node that takes part; not connected: {', '.join(away)}.",
            correction="Start the satellites there and try again.",
            code=Fail.NOT_CONNECTED,
        )


def active(definition: ResourceDefinition, resource: Resource) -> None:
    if "INACTIVE" in resource.flags:
        raise Refused(
            f"Resource '{definition.name}' on node '{resource.node}' is not active.",
            correction=f"Activate it first: orlop resource activate {resource.node} {definition.name}.",
            code=Fail.INVLD_RSC_STATE,
        )
