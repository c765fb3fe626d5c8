"""When the controller may do what nobody asked for: never in haste, never against an administrator.

Only time counts in which this process has looked itself, and nothing is done while few nodes are known: what looks like
an emergency may be a controller that has just been started.
"""

from __future__ import annotations

from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.placement import MAINTENANCE
from orlop.model import ResourceDefinition

REST = 600.0  # seconds after its start in which the controller only watches


class Patience:
    """Begun with the process."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._started = core.clock.monotonic()

    def is_over(self) -> bool:
        """Whether ten minutes have passed, two thirds of the nodes are known, and orders may be given."""
        core = self._core
        nodes = [node.name for node in core.picture.nodes.values() if node.has_satellite]
        online = sum(core.reported.online(name) for name in nodes)
        waited = core.clock.monotonic() - self._started >= REST
        return waited and online * 3 >= len(nodes) * 2 and not core.suspended


def in_maintenance(picture: Picture, name: str) -> bool:
    node = picture.node(name)
    return node is not None and MAINTENANCE in node.flags


def resting(picture: Picture, definition: ResourceDefinition) -> list[str]:
    """Nodes of a definition that are in maintenance: as long as there are any, nothing is changed by itself."""
    return [r.node for r in definition.resources if in_maintenance(picture, r.node)]
