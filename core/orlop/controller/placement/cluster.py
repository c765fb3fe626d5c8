"""What placement looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orlop.controller.picture import Picture
from orlop.controller.properties.effective import Objects
from orlop.controller.reported import Reported
from orlop.drivers import Drivers

if TYPE_CHECKING:
    from orlop.controller.placement.standing import Standings


class Cluster(NamedTuple):
    picture: Picture
    reported: Reported
    drivers: Drivers
    asked: Objects = {}  # the definition and the group that are placed: they decide some properties of placement
    standings: Standings | None = None  # what was found out about pools before; without it all are looked at anew
