"""Give me this volume here, in the cheapest way; and take it back."""

from __future__ import annotations

from orlop import codes
from orlop.codes import Fail, Info, Subject
from orlop.controller import drbd_versions, nvme, replication, stacks, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import diskful, is_diskless, is_tiebreaker
from orlop.controller.usecases import all_or_nothing, deploying, guards, lookup, resources, spawning, toggling
from orlop.errors import Refused
from orlop.model import Node, Resource, ResourceDefinition, SelectFilter, key


def make_available(core: Core, name: str, node: str, request: wire.ResourceMakeAvailable) -> Answers:
    """Does nothing when the volume is here; never makes a blank copy beside existing data."""
    found = lookup.definition(core.picture, name)
    target = lookup.node(core.picture, node)
    guards.not_deleting(found)
    present = next((r for r in found.resources if key(r.node) == key(node)), None)
    if present is not None:
        return _present(core, found, present, request)
    if nvme.on_top(found.layers) and nvme.target(found) is not None and not request.diskful:
        return _created(core, found, target, "NVME_INITIATOR")
    others = [r.node for r in found.resources if not r.deleting]
    if others and not stacks.replicates(core.drivers, found.layers):
        raise Refused(
            f"The data of '{found.name}' is on {', '.join(others)} and cannot be reached from '{target.name}'.",
            cause=f"Its layer stack is {', '.join(found.layers)}: a new resource would be a blank, unrelated copy.",
            correction=f"Use it on {others[0]}, or create an unrelated copy with 'orlop resource create'.",
            code=Fail.INVLD_LAYER_STACK,
        )
    nodes = [target.name, *(r.node for r in found.resources)]
    reachable = replication.replicated(found) and diskful(found) and drbd_versions.all_at_least(core.picture, nodes)
    if reachable and not request.diskful:
        return _created(core, found, target, "DRBD_DISKLESS")
    if replication.replicated(found) and drbd_versions.is_full_of_8(core.picture, others, target.name):
        raise Refused(
            f"The data of '{found.name}' is on {' and '.join(others)} and cannot be reached from '{target.name}'.",
            cause="DRBD 8.4 knows two replicas, and none without a disk.",
            correction=f"Use it on {' or '.join(others)}. For one here: delete one of these first. With DRBD 9 on all "
            "nodes it is reached from everywhere.",
            code=Fail.STLT_DOES_NOT_SUPPORT_LAYER,
        )
    return _with_disk(core, found, target, request)


def _present(core: Core, found: ResourceDefinition, present: Resource, request: wire.ResourceMakeAvailable) -> Answers:
    answers = Answers(codes.MODIFY, Subject.RSC, RscDfn=found.name, Node=present.node)
    if present.deleting:
        raise Refused(
            f"Resource '{found.name}' on node '{present.node}' is being deleted and cannot be brought back.",
            correction="Wait until it is gone.",
            code=Fail.INVLD_RSC_STATE,
        )
    if "INACTIVE" in present.flags:
        return resources.activate(core, found.name, present.node)
    if request.diskful and is_diskless(present):
        return toggling.toggle_disk(core, found.name, present.node, wire.ToggleDiskRequest(operation=toggling.DISKFUL))
    if is_tiebreaker(present):
        return toggling.toggle_disk(core, found.name, present.node, wire.ToggleDiskRequest(operation=toggling.DISKLESS))
    answers.info(f"Resource '{found.name}' is available on node '{present.node}' already.", Info.RSC_ALREADY_EXISTS)
    return answers


def _created(core: Core, found: ResourceDefinition, target: Node, flag: str) -> Answers:
    wanted = wire.Resource(node_name=target.name, flags=(flag,))
    return resources.create(core, found.name, (wire.ResourceCreate(resource=wanted),))


def _with_disk(core: Core, found: ResourceDefinition, target: Node, request: wire.ResourceMakeAvailable) -> Answers:
    if deploying.has_configured_pool(core.picture, found, target):
        body = wire.ResourceCreate(resource=wire.Resource(node_name=target.name), layer_list=tuple(request.layer_list))
        return resources.create(core, found.name, (body,))
    answers = Answers(codes.MODIFY, Subject.RSC, RscDfn=found.name, Node=target.name)
    here = SelectFilter(
        node_names=(target.name,), additional_place_count=1, layers=tuple(layer.upper() for layer in request.layer_list)
    )
    definition, made = spawning.autoplace(core, answers, found.name, here)
    all_or_nothing.deployed(core, answers, definition, made)
    return answers


def unmake_available(core: Core, name: str, node: str) -> Answers:
    answers = Answers(codes.MODIFY, Subject.RSC, RscDfn=name, Node=node)
    definition = lookup.definition(core.picture, name)
    lookup.node(core.picture, node)
    here = next((r for r in definition.resources if key(r.node) == key(node)), None)
    if here is not None and (nvme.is_initiator(here) or (is_diskless(here) and not is_tiebreaker(here))):
        return resources.delete(core, name, node)
    answers.info(f"Nothing to undo: resource '{definition.name}' has no diskless resource on node '{node}'.", Info.NOOP)
    return answers
