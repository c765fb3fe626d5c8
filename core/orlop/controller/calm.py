"""When it can be told that a change of the votes stops nobody: all replicas are there and see each other. Pure."""

from __future__ import annotations

from orlop.controller.diskless import diskful, has_disk
from orlop.controller.growing import UP_TO_DATE, facts
from orlop.controller.reported import Reported
from orlop.model import Resource, ResourceDefinition


def is_calm(reported: Reported, definition: ResourceDefinition) -> bool:
    """Whether every replica with a disk is reported to be up to date and connected to all others.

    What a node said before it carried out its last order does not count.
    """
    staying = [r for r in definition.resources if r.node_id is not None and not r.deleting]
    return all(_sees(reported, definition, resource, staying) for resource in diskful(definition))


def _sees(reported: Reported, definition: ResourceDefinition, resource: Resource, staying: list[Resource]) -> bool:
    report = reported.current(resource.node, definition.name)
    connections = [f"peer/{other.node}/connection" for other in staying if other.uuid != resource.uuid]
    said = [facts(report, volume) for volume in resource.volumes]
    return bool(said) and all(
        each.get("disk") == UP_TO_DATE and all(each.get(name) == "Connected" for name in connections) for each in said
    )


def is_fresh(definition: ResourceDefinition) -> bool:
    """Whether no replica with a disk was ever there, so that nobody can have begun to use one."""
    return all(v.new for r in definition.resources for v in r.volumes if has_disk(v))
