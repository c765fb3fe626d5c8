"""What every placement of this controller begins with: the cluster as it stands, and the plugins that have a say."""

from __future__ import annotations

from typing import TypedDict

from orlop.codes import Fail
from orlop.controller.core import Core
from orlop.controller.picture import Picture
from orlop.controller.placement import DEFAULT_POLICY, Cluster, Preselect, Vetoes, Weight
from orlop.controller.properties.effective import Objects
from orlop.drivers import PLACEMENT, Drivers
from orlop.errors import Refused
from orlop.model import SelectFilter


class Plugins(TypedDict):
    """Keyword arguments of `placement.place`."""

    vetoes: Vetoes | None
    weight: Weight | None
    preselect: Preselect | None


def cluster(core: Core, picture: Picture, asked: Objects) -> Cluster:
    """`asked`: the definition and the group that are placed."""
    return Cluster(picture, core.reported, core.drivers, asked, core.standings)


def plugins(core: Core) -> Plugins:
    """Only what some plugin implements: placement asks it about every pool of the cluster."""
    hooks, implemented = core.hooks, core.hooks.implemented
    return Plugins(
        vetoes=hooks.vetoes if "orlop_veto_placement" in implemented else None,
        weight=hooks.weight if "orlop_weigh_placement" in implemented else None,
        preselect=hooks.preselected if "orlop_preselect_placement" in implemented else None,
    )


def refuse_unknown_policy(drivers: Drivers, rule: SelectFilter) -> None:
    """Raises for a policy that no plugin brings."""
    name = rule.placement_policy
    installed = drivers.names(PLACEMENT)
    if name and name != DEFAULT_POLICY and name.lower() not in installed:
        raise Refused(
            f"There is no placement policy '{name}'.",
            details=f"Installed: {', '.join(installed) or 'none'}.",
            correction="Name one of these, or install the plugin that brings it where the controller runs.",
            code=Fail.INVLD_CONF,
        )
