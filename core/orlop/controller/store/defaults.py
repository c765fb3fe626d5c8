"""What a new database holds (semantics sections 1 and 3): built-in objects and the controller's properties."""

import uuid

from orlop.controller.picture import Aggregate, Change, key_of
from orlop.model import Controller, ResourceGroup, SelectFilter, StoragePoolDefinition

GROUP = "DfltRscGrp"
POOL = "DfltStorPool"
DISKLESS_POOL = "DfltDisklessStorPool"
LOCAL_ID = "Cluster/LocalID"


def first_changes() -> list[Change]:
    """Objects that nobody can delete."""
    made: list[Aggregate] = [
        ResourceGroup(name=GROUP, uuid=str(uuid.uuid4()), select_filter=SelectFilter(place_count=2)),
        StoragePoolDefinition(name=POOL, uuid=str(uuid.uuid4())),
        StoragePoolDefinition(name=DISKLESS_POOL, uuid=str(uuid.uuid4())),
        Controller(props=first_properties()),
    ]
    return [Change(type(value), key_of(value), None, value) for value in made]


def first_properties() -> dict[str, str]:
    """Automatisms that are on by default say so where an administrator looks for them."""
    return {
        LOCAL_ID: str(uuid.uuid4()),
        "DrbdOptions/AutoEvictAllowEviction": "True",
        "DrbdOptions/Resource/on-no-quorum": "io-error",
        "DrbdOptions/auto-add-quorum-tiebreaker": "True",
        "DrbdOptions/auto-diskful-allow-cleanup": "True",
    }
