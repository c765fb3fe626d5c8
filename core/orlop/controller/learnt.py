"""What nodes say that has to be kept. Pure.

Ports that are taken and disks that fail change what is wanted of replicas. Marks and extents of pools, names and
versions of nodes have to be known while the node is away.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from orlop.controller import drbd_versions, nvme, stacks
from orlop.controller.diskless import LAYER
from orlop.controller.picture import Aggregate, Draft, Picture, with_resource
from orlop.controller.replicas import SKIP_DISK
from orlop.controller.replication import BLOCKED_PORTS, replicated, with_port
from orlop.controller.reported import Reported
from orlop.errors import Refused
from orlop.model import (
    Node,
    NodeInfo,
    ReportedPool,
    ReportedResource,
    Resource,
    ResourceDefinition,
    StoragePool,
    key,
)

PORT_TAKEN, DISK_FAILED = "port_taken", "skip_disk"  # facts: the number of the port; yes
log = logging.getLogger(__name__)


def of_pools(picture: Picture, node: str, reports: Iterable[ReportedPool]) -> list[StoragePool]:
    """Pools that bear our mark now, or have another extent."""
    found = [(picture.pool(node, seen.name), seen) for seen in reports]
    pairs = [(pool, stacks.noticed(pool, seen)) for pool, seen in found if pool and seen.uuid == pool.uuid]
    return [after for before, after in pairs if after is not before]


def of_node(picture: Picture, node: str, info: NodeInfo | None) -> list[Node]:
    """The node, if NVMe targets let it in by another name now, or it has another DRBD."""
    before = picture.node(node)
    after = drbd_versions.noticed(nvme.noticed(before, info), info) if before is not None else None
    return [after] if after is not None and after is not before else []


def of_replicas(picture: Picture, reported: Reported, node: str, names: Iterable[str]) -> list[Aggregate]:
    """Ports that turned out to be taken, and disks that DRBD goes on without, of some definitions (keys)."""
    current = {name: reported.current(node, name) for name in names}
    return noticed(picture, node, {name: report for name, report in current.items() if report})


def noticed(picture: Picture, node: str, reports: Mapping[str, ReportedResource]) -> list[Aggregate]:
    """What is to be put into the picture after a node's reports, by key of the definition."""
    draft = Draft(picture)
    for name, report in reports.items():
        definition = draft.definitions.get(name)
        if definition is None or not replicated(definition):
            continue
        resource = next((r for r in definition.resources if key(r.node) == key(node)), None)
        if resource is not None and not resource.deleting:
            _take(draft, definition, resource, report)
    return [change.after for change in draft.changes if change.after is not None]


def _take(draft: Draft, definition: ResourceDefinition, resource: Resource, report: ReportedResource) -> None:
    for facts in _facts(report):
        if facts.get(DISK_FAILED) == "yes" and SKIP_DISK not in resource.props:
            resource = replace(resource, props={**resource.props, SKIP_DISK: "True"})
            definition = with_resource(definition, resource)
            draft.put(definition)
        if facts.get(PORT_TAKEN, "") in {str(port) for port in resource.ports}:
            _block(draft, definition, resource, facts[PORT_TAKEN])
            return


def _facts(report: ReportedResource) -> Iterator[Mapping[str, str]]:
    for volume in report.volumes:
        yield from (level.facts for level in volume.levels if level.layer == LAYER)


def _block(draft: Draft, definition: ResourceDefinition, resource: Resource, port: str) -> None:
    """Somebody else listens on the port: nothing of ours gets it on that node again, and the resource another one."""
    node = draft.node(resource.node)
    if node is None:
        return
    draft.put(_without(node, port))
    try:
        draft.put(with_resource(definition, with_port(draft, definition, resource)))
    except Refused as error:
        log.error("%s %s", error, error.correction)


def _without(node: Node, port: str) -> Node:
    blocked = [part for part in node.props.get(BLOCKED_PORTS, "").split(",") if part.strip()]
    if port in blocked:
        return node
    return replace(node, props={**node.props, BLOCKED_PORTS: ",".join([*blocked, port])})
