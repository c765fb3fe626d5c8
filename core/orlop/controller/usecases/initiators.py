"""Resources that reach their data on another node over NVMe: what is asked of them and what is refused."""

from __future__ import annotations

from collections.abc import Iterable

from orlop.codes import Fail, Info, Warn
from orlop.controller import nvme
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.errors import Refused
from orlop.model import Presence, Resource, ResourceDefinition, SelectFilter

OF_DRBD = frozenset({"DRBD_DISKLESS", "EBS_INITIATOR"})


def refuse_other_stack(definition: ResourceDefinition, layers: tuple[str, ...]) -> None:
    """Raises where a resource would be reached over NVMe and its definition not, or the other way round."""
    if layers and layers != definition.layers and (nvme.on_top(layers) or nvme.on_top(definition.layers)):
        raise Refused(
            f"'{definition.name}' has the layer stack {', '.join(definition.layers)}; a resource of it cannot have "
            f"{', '.join(layers)}.",
            cause="All nodes have to agree on what is reached over NVMe.",
            correction="Leave the layer list out.",
            code=Fail.INVLD_LAYER_STACK,
        )


def refuse_unfit(definition: ResourceDefinition, flags: Iterable[str], drbd_client: bool) -> None:
    """Raises where a resource without storage was asked for that the definition's stack cannot give."""
    stack = ", ".join(definition.layers)
    if not nvme.on_top(definition.layers):
        raise Refused(
            f"'{definition.name}' cannot be diskless on a node: its layer stack {stack} has no layer that "
            "reaches data on another node.",
            correction="Create it with a storage pool, or use a definition with a DRBD or NVMe layer.",
            code=Fail.INVLD_LAYER_STACK,
        )
    if drbd_client or not OF_DRBD.isdisjoint(flags):
        raise Refused(
            f"'{definition.name}' without storage is an NVMe initiator: its layer stack is {stack}.",
            correction="Ask for it with --nvme-initiator or --diskless.",
            code=Fail.INVLD_LAYER_STACK,
        )


def refuse_automatic(definition: ResourceDefinition, asked: SelectFilter) -> None:
    """Raises where resources without storage are to be placed: it is the user who knows where a volume is used."""
    if (asked.diskless_type or "").upper() == "DRBD_DISKLESS":
        raise Refused(
            f"Resources of '{definition.name}' without a disk are not placed automatically.",
            correction=f"Name their nodes: orlop resource create NODE {definition.name} --drbd-diskless. For all nodes "
            "that are left there is --diskless-on-remaining.",
            code=Fail.INVLD_REQUEST,
        )
    if (asked.diskless_type or "").upper() == "NVME_INITIATOR":
        raise Refused(
            f"NVMe initiators of '{definition.name}' are not placed automatically.",
            correction=f"Name their nodes: orlop resource create NODE {definition.name} --nvme-initiator.",
            code=Fail.INVLD_REQUEST,
        )


def check_switch(core: Core, definition: ResourceDefinition, resource: Resource, active: bool) -> None:
    """Raises where a target would be cut off from an initiator that may use it, or an initiator would find nothing."""
    if not nvme.on_top(definition.layers):
        return
    if nvme.is_initiator(resource):
        target = nvme.target(definition)
        if active and (target is None or "INACTIVE" in target.flags):
            raise Refused(
                f"The NVMe target of '{definition.name}' is not active.",
                correction=f"Activate it first: orlop resource activate {target.node} {definition.name}."
                if target
                else "Create a target first.",
                code=Fail.MISSING_NVME_TARGET,
            )
        return
    connected = [r.node for r in nvme.initiators(definition) if not _known_closed(core, definition, r)]
    if not active and connected:
        raise Refused(
            f"Deactivating is refused: NVMe initiators on {', '.join(connected)} may be connected to node "
            f"'{resource.node}'.",
            correction="Deactivate or delete them first; one whose node is away counts as connected.",
            code=Fail.IN_USE,
        )


def _known_closed(core: Core, definition: ResourceDefinition, initiator: Resource) -> bool:
    report = core.reported.current(initiator.node, definition.name)
    if report is None or not report.settled or "INACTIVE" not in initiator.flags:
        return False
    return all(v.presence in (Presence.HIDDEN, Presence.ABSENT) for v in report.volumes)


def await_target(core: Core, name: str, made: list[Resource]) -> None:
    """Until new initiators may connect, or it is known that nothing comes of it soon."""
    fresh = {r.uuid for r in made}

    def over() -> bool | None:
        definition = core.picture.definition(name)
        target = nvme.target(definition) if definition else None
        new = [r for r in nvme.initiators(definition) if r.uuid in fresh] if definition else []
        if definition is None or target is None or not new or "INACTIVE" in target.flags:
            return True
        if not core.reported.online(target.node):
            return True
        report = core.reported.current(target.node, name)
        failed = report is not None and bool(report.problem)
        return failed or all(_may_connect(core, definition, r) for r in new) or None

    core.wait(over)


def _may_connect(core: Core, definition: ResourceDefinition, initiator: Resource) -> bool:
    away = not core.reported.online(initiator.node)
    return away or all(nvme.may_connect(core.picture, definition, initiator, v) for v in initiator.volumes)


def leaving(core: Core, answers: Answers, definition: ResourceDefinition, nodes: list[str]) -> list[str]:
    """The nodes that can remove their part soon: the target waits for initiators, and some may be away."""
    target = nvme.target(definition)
    away = [r.node for r in nvme.initiators(definition) if not core.reported.online(r.node)]
    if target is None or not away or target.node not in nodes or not core.reported.online(target.node):
        return nodes
    answers.warning(
        f"Node '{target.node}' keeps its part until the NVMe initiators on {', '.join(away)} are gone.",
        Warn.NOT_CONNECTED,
        correction=f"Start the satellite there, or forget the node with 'orlop node lost {away[0]}'.",
        Node=target.node,
    )
    return [node for node in nodes if node != target.node]


def explain(core: Core, answers: Answers, name: str, made: list[Resource]) -> None:
    """What a new initiator still waits for, and what nobody prevents."""
    definition = core.picture.definition(name)
    fresh = {r.uuid for r in made}
    if definition is None or not (new := [r for r in nvme.initiators(definition) if r.uuid in fresh]):
        return
    for resource in new:
        target = nvme.target(definition)
        if target is not None and not _may_connect(core, definition, resource):
            answers.warning(
                f"Node '{resource.node}' connects when the NVMe target on '{target.node}' is ready.",
                Warn.STLT_NOT_UPDATED,
                Node=resource.node,
            )
    if len(nvme.initiators(definition)) > 1:
        answers.info(
            f"Several nodes reach '{name}' now, and nothing keeps two of them from writing at the same time.",
            Info.NOOP,
            correction="Mount it on one node at a time, or use a file system that is made for it.",
        )
