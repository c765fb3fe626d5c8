"""Data that is about to go has to be elsewhere: judged by what this node sees itself."""

import re

from orlop.codes import Fail
from orlop.errors import Refused
from orlop.model import WantedVolume
from orlop.plugin import RequireTold, Step, WriteFile
from orlop_layers.drbd_files import judged_of
from orlop_layers.drbd_seen import Resource

UP_TO_DATE = "UpToDate"
CORRECTION = "Bring another replica up and wait until it is synchronized, or delete the definition."


def require_other(resource: Resource | None, volume: WantedVolume) -> None:
    """Raises unless a peer is connected and has all of the data."""
    connections = resource.connections if resource else ()
    parts = [c.volumes.get(volume.number) for c in connections if c.state == "Connected"]
    if not any(part is not None and part.disk == UP_TO_DATE for part in parts):
        raise Refused(_otherwise(volume), correction=CORRECTION, code=Fail.INSUFFICIENT_REPLICA_COUNT)


def judged(volume: WantedVolume) -> list[Step]:
    return [still_another(volume), WriteFile(path=judged_of(volume), content="")]


def still_another(volume: WantedVolume) -> RequireTold:
    """The same, at the moment before the data goes. A peer that is away is not told as replicating."""
    return RequireTold(
        argv=("drbdsetup", "events2", "--now", "--statistics"),
        pattern=(
            rf"^exists peer-device name:{re.escape(volume.resource)} (?=.*\bvolume:{volume.number} )"
            rf"(?!.*\breplication:Off )(?=.*\bpeer-disk:{UP_TO_DATE}\b)"
        ),
        otherwise=_otherwise(volume),
        correction=CORRECTION,
    )


def _otherwise(volume: WantedVolume) -> str:
    return f"{volume.name} is kept: this node sees no other replica that is connected and up to date."
