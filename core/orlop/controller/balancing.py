"""Which definitions have fewer replicas than their group asks for, or more (`semantics.md` section 7). Pure.

Missing ones are made as soon as one copy is known to be good. One that is too many goes only where all are up to date
and see each other, nobody uses it and it is not new: no copy is taken away while another one may be lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orlop.controller import evacuating, moving
from orlop.controller.calm import is_calm
from orlop.controller.capacity import about
from orlop.controller.diskless import diskful
from orlop.controller.evacuating import Choose
from orlop.controller.growing import is_whole
from orlop.controller.moving import REDUCE, REPLACE, Move, Plan, Staying
from orlop.controller.patience import resting
from orlop.controller.picture import NOTHING, Draft
from orlop.controller.placement import Cluster, fits
from orlop.controller.properties import Kind, Source, effective
from orlop.controller.replication import replicated
from orlop.errors import OrlopError
from orlop.model import Resource, ResourceDefinition, SelectFilter, key

ENABLED, GRACE, INTERVAL = "BalanceResourcesEnabled", "BalanceResourcesGracePeriod", "BalanceResourcesInterval"
FAILED_DISKS = "BalanceResourcesSkipDiskLimit"
LEAST_REPLICAS = "DrbdOptions/AutoEvictMinReplicaCount"
SECONDS = 3600  # of grace, and between two looks, where nobody says otherwise


def plan(
    cluster: Cluster, definitions: Iterable[ResourceDefinition], choose: Choose, now: int, grace: int = SECONDS
) -> Plan:
    """Moves that bring definitions to the number that their group asks for.

    `now` in milliseconds since 1970, `grace` in seconds: replicas that are younger stay.
    """
    draft = Draft(cluster.picture)
    found: list[Move | Staying] = []
    for definition in sorted(definitions, key=lambda d: key(d.name)):
        if replicated(definition) and is_enabled(cluster, definition) and _is_at_rest(cluster, definition):
            wanted = place_count(cluster, definition)
            present = moving.counted(definition)
            if 0 < len(present) < wanted:
                found += missing(cluster, draft, definition, wanted, choose)
            elif wanted and len(present) > wanted:
                found += _surplus(cluster, definition, present, wanted, now - grace * 1000)
    return moving.plan(found)


def missing(
    cluster: Cluster, draft: Draft, definition: ResourceDefinition, wanted: int, choose: Choose
) -> list[Move | Staying]:
    """A move for each replica that is missing; what is planned is put into the draft."""
    present = moving.counted(definition)
    good = [r for r in present if is_whole(r, cluster.reported.resource(r.node, definition.name))]
    if not good:
        return [
            Staying(
                definition.name, "", "No replica is known to be up to date, which another one could be filled from."
            )
        ]
    found: list[Move | Staying] = []
    for _ in range(wanted - len(present)):
        try:
            (chosen,) = choose(draft, evacuating.within(draft, definition, (), ()), definition, 1)
            added = evacuating.planned(definition, good[0], chosen.node.name, chosen.pool.name)
            evacuating.require_room_beside(draft, added)
        except OrlopError as error:
            cause = f"{error.message} {error.cause} {error.details}".strip()
            return [*found, Staying(definition.name, "", cause, error.correction)]
        draft.put(added)
        definition = added
        names = (None, chosen.node.name, chosen.pool.name)
        found.append(Move(definition.name, REPLACE, *names, evacuating.size(good[0])))
    return found


def place_count(cluster: Cluster, definition: ResourceDefinition) -> int:
    group = cluster.picture.group(definition.group)
    return (group.select_filter.place_count if group else None) or 0


def least_replicas(cluster: Cluster, definition: ResourceDefinition) -> int:
    """How many replicas there are to be when a node was given up."""
    return number(cluster, definition, LEAST_REPLICAS, place_count(cluster, definition))


def is_enabled(cluster: Cluster, definition: ResourceDefinition) -> bool:
    found = effective(ENABLED, around(cluster, definition))
    return found is None or found.value.lower() != "false"


def number(cluster: Cluster, definition: ResourceDefinition, name: str, otherwise: int) -> int:
    """A natural number that a definition, its group or the controller says."""
    found = effective(name, around(cluster, definition))
    return int(found.value) if found is not None and found.value.isdecimal() else otherwise


def around(cluster: Cluster, definition: ResourceDefinition) -> Mapping[Kind, Source]:
    group = cluster.picture.group(definition.group)
    return {
        Kind.RESOURCE_DEFINITION: Source(definition.name, definition.props),
        Kind.RESOURCE_GROUP: Source(definition.group, group.props if group else {}),
        Kind.CONTROLLER: Source("", cluster.picture.controller.props),
    }


def _is_at_rest(cluster: Cluster, definition: ResourceDefinition) -> bool:
    """Nothing else is under way, and not so many disks failed at once that somebody has to look first."""
    failed = sum(map(moving.disk_failed, definition.resources))
    return (
        not definition.deleting
        and not moving.of(definition)
        and not moving.under_way(definition)
        and not resting(cluster.picture, definition)
        and not any("AUTO_DISKFUL" in r.flags or r.deleting for r in definition.resources)
        and failed <= number(cluster, definition, FAILED_DISKS, 1)
    )


def _surplus(
    cluster: Cluster, definition: ResourceDefinition, present: list[Resource], wanted: int, before: int
) -> list[Move | Staying]:
    """Of those that are too many one at a time: the next one is judged when it is gone."""
    if len(present) != len(diskful(definition)) or not is_calm(cluster.reported, definition):
        return []
    removable = [r for r in present if (r.created or 0) <= before and _is_unused(cluster, definition, r)]
    if not removable:
        return []
    worst = max(removable, key=lambda r: _badness(cluster, definition, r))
    return [Move(definition.name, REDUCE, worst.node, size=0)]


def _is_unused(cluster: Cluster, definition: ResourceDefinition, resource: Resource) -> bool:
    report = cluster.reported.resource(resource.node, definition.name)
    return report is not None and all(v.in_use is False for v in report.volumes)


def _badness(cluster: Cluster, definition: ResourceDefinition, resource: Resource) -> tuple[bool, float, int, str]:
    """Whether the others are spread better without it, how full its pool is, how young it is."""
    group = cluster.picture.group(definition.group)
    rule = group.select_filter if group else SelectFilter()
    nodes = [cluster.picture.nodes[key(r.node)] for r in diskful(definition) if r.uuid != resource.uuid]
    fill = max((_fill(cluster, resource.node, v.pool) for v in resource.volumes), default=0.0)
    return fits(nodes, rule), fill, resource.created or 0, key(resource.node)


def _fill(cluster: Cluster, node: str, name: str) -> float:
    pool = cluster.picture.pool(node, name)
    seen = about(pool, cluster.reported.pool(node, name)) if pool else None
    if seen is None or seen.capacity is None or not seen.capacity.total:
        return 0.0
    return cluster.picture.usage.get((key(node), key(name)), NOTHING).reserved / seen.capacity.total
