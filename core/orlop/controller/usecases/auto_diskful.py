"""A replica without a disk that is in use for long enough gets one; a superfluous one goes when it has the data.

`semantics.md` section 9. Only time counts in which this process saw the replica in use, and nothing is done while few
nodes are known: what looks like an emergency may be a controller that has just been started.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec.structs import replace

from orlop.controller import moving
from orlop.controller.core import Core
from orlop.controller.diskless import ADDING, JOINING, diskful, is_diskless
from orlop.controller.growing import facts
from orlop.controller.patience import Patience, resting
from orlop.controller.picture import with_resource
from orlop.controller.properties import effective
from orlop.controller.replicas import around
from orlop.controller.replication import replicated
from orlop.controller.usecases import deploying, guards, lookup, replicating, spawning
from orlop.errors import OrlopError
from orlop.model import Resource, ResourceDefinition, SelectFilter, key

MINUTES, CLEANUP = "DrbdOptions/auto-diskful", "DrbdOptions/auto-diskful-allow-cleanup"
FLAG = "AUTO_DISKFUL"
log = logging.getLogger(__name__)
Act = Callable[[Core, str, str], None]  # what is done with a definition on a node


class AutoDiskful:
    """`look` is called again and again, by one thread; it remembers since when each replica is in use."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._patience = Patience(core)
        self._since: dict[tuple[str, str], float] = {}  # keys of definition and node

    def look(self) -> None:
        """Raises nothing: what cannot be done now is logged and tried at the next look."""
        core, now = self._core, self._core.clock.monotonic()
        used = {
            (key(d.name), key(r.node)): (d, r)
            for d in core.picture.definitions.values()
            if replicated(d) and not d.deleting
            for r in d.resources
            if _is_primary(core, d, r)
        }
        self._since = {at: self._since.get(at, now) for at in used}
        if not self._patience.is_over():
            return
        for at, (definition, resource) in sorted(used.items()):
            minutes = _minutes(core, definition, resource)
            if (
                is_diskless(resource)
                and JOINING not in resource.flags
                and minutes
                and now - self._since[at] >= minutes * 60
            ):
                self._try(_give_disk, definition, resource)
        for definition in list(core.picture.definitions.values()):
            for resource in definition.resources:
                if FLAG in resource.flags and not resource.deleting:
                    self._try(_clean_up, definition, resource)

    def _try(self, act: Act, definition: ResourceDefinition, resource: Resource) -> None:
        try:
            act(self._core, definition.name, resource.node)
        except OrlopError as error:
            log.warning("%s on %s keeps its disks as they are: %s", definition.name, resource.node, error)


def _is_primary(core: Core, definition: ResourceDefinition, resource: Resource) -> bool:
    report = core.reported.resource(resource.node, definition.name)
    return not resource.deleting and any(facts(report, volume).get("role") == "Primary" for volume in resource.volumes)


def _minutes(core: Core, definition: ResourceDefinition, resource: Resource) -> int:
    """0 where it is switched off."""
    found = effective(MINUTES, around(core.picture, definition, resource))
    return int(found.value) if found and found.value.isdecimal() else 0


def _give_disk(core: Core, name: str, node: str) -> None:
    picture = core.picture
    definition = lookup.definition(picture, name)
    guards.no_operation(definition)
    if resting(picture, definition):
        return
    group = lookup.group(picture, definition.group).select_filter
    rule = SelectFilter(node_names=(node,), storage_pools=group.storage_pools, providers=group.providers)
    others = replace(definition, resources=tuple(r for r in definition.resources if key(r.node) != key(node)))
    (chosen,) = spawning.choose(core, picture, rule, others, 1)
    with core.change() as draft:
        current = lookup.definition(draft, name)
        resource = lookup.resource(current, node)
        pool = lookup.pool(draft, node, chosen.pool.name)
        if current is not definition or not is_diskless(resource):
            return  # it is looked at again
        props = {deploying.POOL: pool.name}
        after = deploying.with_disk(core, draft, current, resource, props, pool)
        after = replace(after, flags=after.flags | {FLAG})
        draft.put(deploying.complete(core, draft, with_resource(current, after), deploying.volumes_of([after])))
    log.info("%s on %s is in use for long: it gets a disk in %s", name, node, pool.name)


def _clean_up(core: Core, name: str, node: str) -> None:
    """The replica that got its disk by itself is whole: one of those that are too many goes, the worst first."""
    with core.change() as draft:
        definition = lookup.definition(draft, name)
        guards.no_operation(definition)
        resource = lookup.resource(definition, node)
        if ADDING in resource.flags or not replicating.is_up_to_date(core, definition, resource):
            return
        if moving.under_way(definition) or resting(draft, definition):
            return
        allowed = effective(CLEANUP, around(draft, definition, resource))
        wanted = lookup.group(draft, definition.group).select_filter.place_count
        if allowed and allowed.value.lower() == "true" and wanted and len(diskful(definition)) > wanted:
            victim = _worst(core, definition, resource)
            if victim is None or not _are_whole(core, definition, victim):
                return  # all of them are in use, or their nodes away; or it may be one of the last good copies
            gone = replace(victim, flags=victim.flags | {"DELETE"})
            definition = with_resource(definition, gone)
            log.info("%s on %s is one replica too many and goes", name, victim.node)
        draft.put(with_resource(definition, replace(resource, flags=resource.flags - {FLAG})))


def _are_whole(core: Core, definition: ResourceDefinition, without: Resource) -> bool:
    others = [r for r in diskful(definition) if r.uuid != without.uuid]
    return all(replicating.is_up_to_date(core, definition, r) for r in others)


def _worst(core: Core, definition: ResourceDefinition, kept: Resource) -> Resource | None:
    candidates = [
        r
        for r in diskful(definition)
        if r.uuid != kept.uuid and core.reported.online(r.node) and not _may_be_in_use(core, definition, r)
    ]
    return min(
        candidates,
        key=lambda r: (replicating.is_up_to_date(core, definition, r), -(r.created or 0), r.node),
        default=None,
    )


def _may_be_in_use(core: Core, definition: ResourceDefinition, resource: Resource) -> bool:
    report = core.reported.resource(resource.node, definition.name)
    return report is None or not report.volumes or any(v.in_use is not False for v in report.volumes)
