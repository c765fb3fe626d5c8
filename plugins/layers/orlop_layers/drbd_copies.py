"""Data that is about to go has to be elsewhere: judged by what this node sees itself."""

import re
from collections.abc import Collection

from orlop.codes import Fail
from orlop.errors import Refused
from orlop.model import WantedVolume
from orlop.plugin import RequireTold, Step, WriteFile
from orlop_layers.drbd_files import judged_of
from orlop_layers.drbd_seen import Resource

UP_TO_DATE = "UpToDate"
# The peer is away, or gets data from here: right after two have met it may still say that it is up to date.
LACKING = ("Off", "StartingSyncS", "WFBitMapS", "SyncSource", "PausedSyncS", "Ahead")


def require_other(resource: Resource | None, volume: WantedVolume) -> None:
    """Raises unless a peer is connected and has all of the data."""
    connections = resource.connections if resource else ()
    parts = [c.volumes.get(volume.number) for c in connections if c.state == "Connected"]
    if not any(part is not None and part.disk == UP_TO_DATE and part.replication not in LACKING for part in parts):
        raise Refused(_otherwise(volume), code=Fail.INSUFFICIENT_REPLICA_COUNT)


def judged(volumes: Collection[WantedVolume]) -> list[Step]:
    """All of them, before any is noted: what stays up with one that is kept was not judged for good."""
    noted = [WriteFile(path=judged_of(volume), content="") for volume in volumes]
    return [*map(still_another, volumes), *noted]


def still_another(volume: WantedVolume) -> RequireTold:
    """The same, at the moment before the data goes."""
    return RequireTold(
        argv=("drbdsetup", "events2", "--now", "--statistics"),
        pattern=(
            rf"^exists peer-device name:{re.escape(volume.resource)} (?=.*\bvolume:{volume.number} )"
            rf"(?!.*\breplication:(?:{'|'.join(LACKING)}) )(?=.*\bpeer-disk:{UP_TO_DATE}\b)"
        ),
        otherwise=_otherwise(volume),
    )


def _otherwise(volume: WantedVolume) -> str:
    return (
        f"{volume.name} is kept: this node sees no other replica that is connected and up to date; bring one up and "
        "wait until it is synchronized, or delete the definition"
    )
