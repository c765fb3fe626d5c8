"""States of resources and volumes in the words that clients print. Derived, never stored."""

from __future__ import annotations

from orlop import model
from orlop.model import Presence, ReportedResource, ReportedVolume

DISKLESS = "Diskless"
CREATED = "Created"
FAILED = "Failed"

_WORDS = {Presence.READY: CREATED, Presence.FOREIGN: "Foreign", Presence.MISSING: "Missing", Presence.HIDDEN: "Closed"}


def disk_state(volume: model.Volume, seen: ReportedVolume | None) -> str | None:
    """None while nothing is known."""
    if seen is None or not_seen(seen):
        return None
    if replicated := _replicated_state(seen):
        return replicated
    if seen.presence is Presence.ABSENT:
        if "DELETE" in volume.flags or not volume.new:
            return "Removed"
        return FAILED if seen.problem else "Creating"
    return _WORDS[seen.presence]


def _replicated_state(seen: ReportedVolume) -> str | None:
    return next((level.facts["disk"] for level in seen.levels if "disk" in level.facts), None)


def not_seen(seen: ReportedVolume) -> bool:
    """Whether its node could not look at a volume, as when its pool is gone: it may be there or not."""
    return seen.presence is Presence.HIDDEN and bool(seen.problem) and seen.allocated is None and seen.device is None


def in_use(report: ReportedResource | None) -> bool | None:
    """Whether any volume of the resource is open on the node; None while that is not known."""
    uses = [v.in_use for v in report.volumes] if report else []
    if True in uses:
        return True
    return None if None in uses or not uses else False
