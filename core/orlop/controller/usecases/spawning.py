"""Automatic placement: of what is missing of a definition, and of new ones from a resource group."""

from __future__ import annotations

from functools import partial

import msgspec

from orlop import codes
from orlop.codes import Fail, Info, Subject, Warn
from orlop.controller import drbd_versions, moving, nvme, replication, stacks, voting, wire
from orlop.controller.answers import Answers
from orlop.controller.core import Core
from orlop.controller.diskless import CLIENT, JOINING, is_diskless
from orlop.controller.picture import Draft, Picture, with_resource
from orlop.controller.placement import Attempt, Candidate, Cluster, Request, attempt, refusal, smallest
from orlop.controller.properties import Kind
from orlop.controller.replicas import SKIP_DISK
from orlop.controller.usecases import (
    all_or_nothing,
    choosing,
    definitions,
    deploying,
    filters,
    guards,
    initiators,
    lookup,
    metadata_pools,
    room,
    votes,
)
from orlop.controller.usecases.property_changes import checked
from orlop.errors import Refused
from orlop.model import (
    Node,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    SelectFilter,
    StoragePool,
    key,
)

replace = msgspec.structs.replace
TRIES = 5  # placement is computed outside the lock; a choice that was overtaken is made again


def wanted_count(rule: SelectFilter, definition: ResourceDefinition | None) -> int:
    """How many more replicas are wanted; existing ones that are on their way out do not count."""
    if rule.additional_place_count is not None:
        return rule.additional_place_count
    if rule.place_count is None:
        return 0
    existing = [
        r
        for r in (definition.resources if definition else ())
        if not r.diskless
        and (JOINING in r.flags or not is_diskless(r))
        and not r.flags & {"DELETE", "EVICTED", "EVACUATE"}
        if SKIP_DISK not in r.props
    ]
    return rule.place_count - len(existing)


def size_of(core: Core, definition: ResourceDefinition, granularity: int) -> int:
    """Bytes that one more replica of all volumes needs at the storage level."""
    found = []
    for of in definition.volume_definitions:
        if "DELETE" in of.flags:
            continue
        apart = metadata_pools.is_usual(core.picture, definition, of, definition.layers)
        sizing = replication.sizing(core.picture, definition, of, apart)
        existing = stacks.levels_beside(core.drivers, definition, of.number, definition.layers, sizing, apart)
        unit = granularity if existing else max(granularity, stacks.noted(of.props))
        levels = existing or stacks.levels(core.drivers, definition.layers, of.size, unit, sizing)
        found.append(stacks.aligned(levels, unit)[-1].size)
    return sum(found)


def autoplace(
    core: Core, answers: Answers, name: str, asked: SelectFilter, counted: bool = False
) -> tuple[ResourceDefinition, list[Resource]]:
    """Place what is missing of a definition and commit it; the entries about it go into `answers`.

    `counted`: the new replicas are filled from others, and count among those that are at the same time.
    """
    for _ in range(TRIES):
        picture = core.picture
        definition = lookup.definition(picture, name)
        _refuse_other_stack(core, definition, asked.layers)
        rule = filters.merged(asked, lookup.group(picture, definition.group).select_filter)
        count = wanted_count(rule, definition)
        initiators.refuse_automatic(definition, asked)
        if count <= 0 and not (rule.diskless_on_remaining and replication.replicated(definition)):
            _explain_nothing(answers, definition, rule, count)
            return definition, []
        nvme.refuse_second_target(definition, count)
        chosen = choose(core, picture, rule, definition, count) if count > 0 else []
        with core.change() as draft:
            current = lookup.definition(draft, name)
            guards.not_deleting(current)
            guards.no_operation(current)
            if current is not definition and current.resources != definition.resources:
                continue
            deployed, made = _deploy(core, draft, current, chosen, rule)
            if deployed is None:
                continue
            if counted:
                deployed = _noted(core, deployed, made)
            draft.put(deployed)
        if not made:
            answers.warning(
                f"Every node that can have one has a resource of '{name}' already.", Warn.RSC_ALREADY_DEPLOYED
            )
        votes.explain(core, answers, definition)
        _explain_left_out(core, answers, deployed, rule)
        for resource in made:
            pools = ", ".join(sorted({v.pool for v in resource.volumes}))
            answers.success(
                f"Resource '{name}' placed on node '{resource.node}'" + (f" in '{pools}'." if pools else "."),
                codes.CREATED,
                Node=resource.node,
            )
        return deployed, made
    raise Refused(
        f"Placing '{name}' was overtaken by other requests {TRIES} times; nothing was changed.",
        correction="Try again.",
        code=Fail.RSC_BUSY,
    )


def _refuse_other_stack(core: Core, definition: ResourceDefinition, asked: tuple[str, ...]) -> None:
    """A request for replication must not end in unrelated copies."""
    if asked and stacks.checked_stack(core.drivers, asked) != definition.layers:
        raise Refused(
            f"'{definition.name}' has the layer stack {', '.join(definition.layers)}, not {', '.join(asked)}.",
            correction="Leave the stack out, or make a definition with the wanted one.",
            code=Fail.INVLD_LAYER_STACK,
        )


def _explain_nothing(answers: Answers, definition: ResourceDefinition, rule: SelectFilter, count: int) -> None:
    if rule.place_count is None:
        raise Refused(
            f"Nobody says how many replicas '{definition.name}' should have.",
            correction="Give a place count, or set one in the resource group.",
            code=Fail.INVLD_PLACE_COUNT,
        )
    more = f"{-count} more than wanted; none is removed" if count < 0 else "as wanted"
    answers.warning(f"Resource '{definition.name}' is deployed already: {more}.", Warn.RSC_ALREADY_DEPLOYED)


def choose(
    core: Core, picture: Picture, rule: SelectFilter, definition: ResourceDefinition, count: int
) -> list[Candidate]:
    """Raises `NotEnoughNodes`, which tells what would help."""
    cluster, found = tried(core, picture, rule, definition, count, definition)
    if not found.succeeded:
        raise refusal(cluster, found, [change.text for change in smallest(cluster, found)])
    return found.chosen


def tried(
    core: Core,
    picture: Picture,
    rule: SelectFilter,
    definition: ResourceDefinition,
    count: int,
    existing: ResourceDefinition | None,
) -> tuple[Cluster, Attempt]:
    """The coarsest of the chosen pools decides how large the replicas are: where the chosen ones have not the room for
    them then, or a plugin may have something against it, the choice is made anew.

    `existing`: the definition where its replicas count, None to place them all anew.
    """
    cluster = choosing.cluster(core, picture, room.asked_of(picture, definition))
    unit = stacks.SMALLEST

    plugins = choosing.plugins(core)
    if metadata_pools.may_be_apart(core, picture, definition):
        plugins["vetoes"] = partial(_vetoes, core, picture, definition)
    while True:
        size = size_of(core, definition, unit)
        found = attempt(cluster, Request(count, size, rule, definition.layers, existing, **plugins))
        pools = [(c.node.name, c.pool.name) for c in found.chosen]
        numbers = [v.number for v in definition.volume_definitions]
        units = [stacks.granularity(core.drivers, picture, definition, number, pools) for number in numbers]
        coarsest = max(units, default=unit)
        if coarsest <= unit or not found.succeeded:
            return cluster, found
        rounded = size_of(core, definition, coarsest)
        if found.request.vetoes is None and all(c.free >= rounded for c in found.chosen):
            return cluster, found._replace(request=found.request._replace(size=rounded))
        unit = coarsest


def _vetoes(core: Core, picture: Picture, definition: ResourceDefinition, size: int, pool: StoragePool) -> list[str]:
    return [*core.hooks.vetoes(size, pool), *metadata_pools.objections(core, picture, definition, size, pool)]


def _deploy(
    core: Core, draft: Draft, definition: ResourceDefinition, chosen: list[Candidate], rule: SelectFilter
) -> tuple[ResourceDefinition | None, list[Resource]]:
    """Resources on the chosen pools; None when a pool vanished or filled up since it was chosen."""
    made: list[Resource] = []
    deployed = definition
    for candidate in chosen:
        pool = draft.pool(candidate.pool.node, candidate.pool.name)
        node = draft.node(candidate.node.name)
        if pool is not candidate.pool or node is None or node.flags != candidate.node.flags:
            return None, []
        made.append(placed(core, draft, definition, node, pool))
        deployed = with_resource(deployed, made[-1])
    if rule.diskless_on_remaining and replication.replicated(definition):
        clients = _clients(core, draft, deployed)
        made += clients
        deployed = replace(deployed, resources=(*deployed.resources, *clients))
    try:
        return deploying.complete(core, draft, deployed, deploying.volumes_of(made)), made
    except Refused as error:
        if error.code == Fail.NOT_ENOUGH_FREE_SPACE:
            return None, []
        raise


def _noted(core: Core, definition: ResourceDefinition, made: list[Resource]) -> ResourceDefinition:
    """With a row for each replica that is being filled."""
    for resource in made:
        if not is_diskless(resource):
            row = moving.filling(resource, core.new_uuid(), core.clock.milliseconds())
            definition = moving.begun(definition, row)
    return definition


def placed(core: Core, draft: Draft, definition: ResourceDefinition, node: Node, pool: StoragePool) -> Resource:
    """A new resource, or the tiebreaker that is there already with a disk."""
    props = {deploying.POOL: pool.name}
    present = next((r for r in definition.resources if key(r.node) == key(node.name)), None)
    if present is not None:
        return deploying.with_disk(core, draft, definition, present, props, pool)
    resource = Resource(node=node.name, uuid=core.new_uuid(), props=props, created=core.clock.milliseconds())
    volumes = tuple(
        deploying.new_volume(core, draft, definition, resource, v, pool)
        for v in definition.volume_definitions
        if "DELETE" not in v.flags
    )
    return deploying.allotted(draft, definition, replace(resource, volumes=volumes))


def _clients(core: Core, draft: Draft, definition: ResourceDefinition) -> list[Resource]:
    """Resources without disk and vote for all nodes that have none and can have one."""
    able = [node for node in _remaining(draft, definition) if drbd_versions.all_at_least(draft, [node.name])]
    return [deploying.without_disk(core, definition, node, {}, frozenset({CLIENT})) for node in able]


def _remaining(picture: Picture, definition: ResourceDefinition) -> list[Node]:
    taken = {key(r.node) for r in definition.resources}
    return [
        node
        for at, node in sorted(picture.nodes.items())
        if at not in taken and node.has_satellite and not node.flags & {"DELETE", "EVICTED", "EVACUATE", "MAINTENANCE"}
    ]


def _explain_left_out(core: Core, answers: Answers, definition: ResourceDefinition, rule: SelectFilter) -> None:
    """Nodes that should have got a resource without a disk, but their DRBD knows none."""
    if not rule.diskless_on_remaining or not replication.replicated(definition):
        return
    names = [node.name for node in _remaining(core.picture, definition)]
    unable = [name for name in names if not drbd_versions.all_at_least(core.picture, [name])]
    if unable:
        answers.warning(
            f"'{definition.name}' is not made diskless on {', '.join(unable)}.",
            cause="Their DRBD has no diskless clients, or they have not told which one they have.",
            correction="Install DRBD 9 there, then place it once more; 'orlop node info' shows what each one has.",
        )


# -- resource groups ------------------------------------------------------------------------------------------


def spawn(core: Core, group_name: str, request: wire.ResourceGroupSpawn) -> Answers:
    """Definition, volumes and resources in one transaction: when placement fails, nothing exists afterwards."""
    answers = Answers(codes.CREATE, Subject.RSC_DFN, RscGrp=group_name)
    for _ in range(TRIES):
        picture = core.picture
        group = lookup.group(picture, group_name)
        rule = filters.merged(filters.asked(request.select_filter), group.select_filter)
        definition = spawned(core, picture, group, rule, request)
        count = 0 if request.definitions_only else wanted_count(rule, None)
        nvme.refuse_second_target(definition, count)
        chosen = choose(core, picture, rule, definition, count) if count > 0 else []
        with core.change() as draft:
            if draft.group(group_name) is not group:
                continue
            definitions.refuse_taken(core, draft, definition.name)
            deployed, made = _deploy(core, draft, definition, chosen, rule)
            if deployed is None:
                continue
            deployed = replication.numbered(draft, deployed)
            draft.put(deployed)
        answers.refer(RscDfn=definition.name)
        _spawn_entries(core, answers, deployed, made, rule)
        return answers
    raise Refused(
        f"Spawning from '{group_name}' was overtaken by other requests {TRIES} times; nothing was changed.",
        correction="Try again.",
        code=Fail.RSC_BUSY,
    )


def _spawn_entries(
    core: Core, answers: Answers, definition: ResourceDefinition, made: list[Resource], rule: SelectFilter
) -> None:
    count = len(definition.volume_definitions)
    volumes = f"{count} volume" if count == 1 else f"{count} volumes"
    answers.success(
        f"New resource definition '{definition.name}' created with {volumes}.",
        codes.CREATED,
        details=f"UUID is: {definition.uuid}",
    )
    definitions.explain_stack(core, answers, definition, rule.layers)
    _explain_left_out(core, answers, definition, rule)
    if not made:
        answers.info(f"No resource of '{definition.name}' was placed on any node.", Info.NO_RSC_SPAWNED)
        return
    votes.explain(core, answers, replace(definition, resources=()))
    all_or_nothing.deployed(core, answers, definition, made, spawned=True)


def spawned(
    core: Core, picture: Picture, group: ResourceGroup, rule: SelectFilter, request: wire.ResourceGroupSpawn
) -> ResourceDefinition:
    name = definitions.new_name(
        core, picture, request.resource_definition_name, request.resource_definition_external_name
    )
    sizes = request.volume_sizes
    if group.volume_groups and not request.partial and len(sizes) != len(group.volume_groups):
        raise Refused(
            f"Resource group '{group.name}' has {len(group.volume_groups)} volume groups, but {len(sizes)} sizes were "
            "given.",
            correction="Give one size per volume group, or ask for a partial spawn.",
            code=Fail.INVLD_VLM_SIZES,
        )
    definition = ResourceDefinition(
        name=name,
        uuid=core.new_uuid(),
        external_name=request.resource_definition_external_name,
        group=group.name,
        layers=stacks.checked_stack(core.drivers, rule.layers or stacks.default_stack(core.drivers, core.reported)),
        props=voting.marked({}, checked(core.drivers, Kind.RESOURCE_DEFINITION, request.resource_definition_props)),
        peer_slots=request.peer_slots or group.peer_slots,
    )
    groups = sorted(group.volume_groups, key=lambda g: g.number)
    for index, size in enumerate(sizes):
        of = groups[index] if index < len(groups) else None
        body = wire.VolumeDefinition(
            size_kib=size, volume_number=of.number if of else None, flags=tuple(of.flags) if of else ()
        )
        passphrases = request.volume_passphrases
        passphrase = passphrases[index] if index < len(passphrases) else ""
        definition = definitions.with_volume(core, picture, definition, body, passphrase)
    return definition
