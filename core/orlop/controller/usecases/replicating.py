"""What replicated resources may and may not, by what is reported of them."""

from __future__ import annotations

from collections.abc import Mapping

from orlop.codes import Fail
from orlop.controller import replication
from orlop.controller.core import Core
from orlop.controller.diskless import diskful, is_diskless, is_tiebreaker
from orlop.controller.growing import UP_TO_DATE, facts, is_whole
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


def require_copy_in_sight(core: Core, definition: ResourceDefinition, leaving: Resource) -> None:
    """Raises where a node says that its replica sees no other one that has all of the data.

    It would not give up its disk. A node that is away looks itself when it is back.
    """
    report = core.reported.resource(leaving.node, definition.name)
    others = [r.node for r in diskful(definition) if r.uuid != leaving.uuid]
    said = [facts(report, volume) for volume in leaving.volumes]
    if report is None or any(all(_sees_copy(each, other) for each in said) for other in others):
        return
    raise Refused(
        f"Resource '{definition.name}' on node '{leaving.node}' is not connected to any replica that is up to date.",
        cause=f"With a disk there are others on: {', '.join(others)}.",
        correction="Connect them first; see 'orlop resource list' and 'orlop resource split-brain'.",
        code=Fail.INSUFFICIENT_REPLICA_COUNT,
    )


def _sees_copy(said: Mapping[str, str], peer: str) -> bool:
    return said.get(f"peer/{peer}/connection") == "Connected" and said.get(f"peer/{peer}/disk") == UP_TO_DATE


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
    return is_whole(resource, core.reported.resource(resource.node, definition.name))
