"""What a node may take by itself before a synchronization makes its data inconsistent for as long as it lasts."""

import uuid

from orlop.model.cluster import Value
from orlop.model.node import WantedPool, WantedSnapshot, WantedVolume

SNAPSHOT = "0-before-resync"  # no user's snapshot bears it: their names begin with a letter or '_'
KEPT = "kept"  # what is told while there is one; else why there is none
TRY, REQUIRE = "try", "require"  # what if there is no room: go on without it, or do not begin


class Keeping(Value, frozen=True, kw_only=True):
    """Leave to take one snapshot of one incarnation of a volume, and to remove it again. It lies on the node while the
    order that it follows from is in force: what takes it runs when nobody may be there to ask.
    """

    cluster: str
    pool: WantedPool
    snapshot: WantedSnapshot
    required: bool = False


class Kept(Value, frozen=True, kw_only=True):
    """Written before the snapshot is taken, and removed after the snapshot."""

    keeping: Keeping
    problem: str = ""  # why it was not taken


def snapshot_before_resync(volume: WantedVolume) -> WantedSnapshot:
    """Always the same one for an incarnation: whoever finds it knows what it is."""
    return WantedSnapshot(
        resource=volume.resource,
        snapshot=SNAPSHOT,
        number=volume.number,
        uuid=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{volume.uuid} before resync")),
        volume=volume.uuid,
        pool=volume.pool,
        size=volume.size,
        new=True,
        options=volume.levels[-1].options,
    )
