"""What replicated resources may and may not, by what is reported of them."""

from __future__ import annotations

from orlop.codes import Fail
from orlop.controller import replication
from orlop.controller.core import Core
from orlop.controller.diskless import diskful, is_diskless, is_tiebreaker
from orlop.controller.growing import UP_TO_DATE, facts
from orlop.errors import Refused
from orlop.model import Resource, ResourceDefinition


def require_other_copy(core: Core, definition: ResourceDefinition, leaving: Resource) -> None:
    """Raises unless another replica is known to have all of the data, or there is no other one at all."""
    others = [r for r in definition.resources if r is not leaving and not r.deleting and not is_tiebreaker(r)]
    if others and replication.replicated(definition) and leaving.node_id is not None and not is_diskless(leaving):
        require_copy_elsewhere(core, definition, leaving)


def require_copy_elsewhere(core: Core, definition: ResourceDefinition, leaving: Resource) -> None:
    """Raises unless another replica is known to have all of the data."""
    others = [r for r in definition.resources if r is not leaving and not r.deleting and not is_diskless(r)]
    if not any(is_up_to_date(core, definition, other) for other in others):
        names = ", ".join(r.node for r in others)
        raise Refused(
            f"Resource '{definition.name}' on node '{leaving.node}' may hold the only good copy of the data.",
            cause=f"No other replica is known to be up to date: {names}." if others else "No other one has a disk.",
            correction="Wait until another one is synchronized, or delete the whole definition.",
            code=Fail.INSUFFICIENT_REPLICA_COUNT,
        )


def require_up_to_date(core: Core, definition: ResourceDefinition) -> None:
    """Raises unless every replica is known to have all of the data."""
    if not replication.replicated(definition):
        return
    behind = [r.node for r in diskful(definition) if not is_up_to_date(core, definition, r)]
    if behind:
        raise Refused(
            f"A replicated volume grows only while all replicas are up to date; not known to be: {', '.join(behind)}.",
            correction="See 'orlop resource list', and try again when they are synchronized.",
            code=Fail.NOT_ALL_UPTODATE,
        )


def is_up_to_date(core: Core, definition: ResourceDefinition, resource: Resource) -> bool:
    """Whether a replica is known to have all of the data."""
    if not core.reported.online(resource.node) or "INACTIVE" in resource.flags:
        return False
    report = core.reported.resource(resource.node, definition.name)
    return bool(resource.volumes) and all(
        facts(report, volume).get("disk") == UP_TO_DATE for volume in resource.volumes
    )
