"""What follows from reports about targets and initiators of NVMe."""

import msgspec
import pytest

from orlop.controller import nvme
from orlop.controller.progress import advance
from orlop.model import (
    Level,
    Presence,
    ReportedResource,
    ReportedVolume,
    Resource,
    ResourceDefinition,
    Volume,
    VolumeDefinition,
)

replace = msgspec.structs.replace
SIZE = 1 << 20
TARGET = Volume(
    number=0, uuid="v", pool="pool", levels=(Level(layer="NVME", size=SIZE), Level(layer="STORAGE", size=SIZE))
)
REACHED = Volume(number=0, uuid="v", pool=nvme.POOL, levels=(Level(layer="NVME", size=SIZE),))
GONE = frozenset({"DELETE"})


def definition(target: Volume, initiator: Volume | None) -> ResourceDefinition:
    found = [Resource(node="alpha", uuid="a", volumes=(target,))]
    if initiator is not None:
        found.append(Resource(node="bravo", uuid="b", flags=nvme.FLAGS, volumes=(initiator,)))
    return ResourceDefinition(
        name="web",
        uuid="d",
        group="g",
        layers=("NVME", "STORAGE"),
        volume_definitions=(VolumeDefinition(number=0, uuid="vd", size=SIZE, flags=target.flags),),
        resources=tuple(found),
    )


def report(presence: Presence, size: int | None = None) -> ReportedResource:
    seen = ReportedVolume(number=0, uuid="v", presence=presence, size=size)
    return ReportedResource(name="web", revision=1, settled=True, volumes=(seen,))


def test_a_target_that_initiators_still_use_is_not_forgotten_because_it_was_not_made_yet() -> None:
    """It was told to remove nothing: what it says is about the order to make it."""
    removing = definition(replace(TARGET, flags=GONE), replace(REACHED, flags=GONE))
    after = advance(removing, {"alpha": report(Presence.ABSENT)})
    assert after is not None
    assert after.resources[0].volumes == removing.resources[0].volumes
    alone = definition(replace(TARGET, flags=GONE), None)
    after = advance(alone, {"alpha": report(Presence.ABSENT)})
    assert after is not None
    assert after.resources[0].volumes == ()


@pytest.mark.parametrize(
    ("presence", "size", "admitted"),
    [(Presence.HIDDEN, SIZE, False), (Presence.READY, SIZE, True), (Presence.ABSENT, None, False)],
)
def test_an_initiator_may_connect_once_the_target_offers_the_volume(
    presence: Presence, size: int | None, admitted: bool
) -> None:
    after = advance(definition(TARGET, REACHED), {"alpha": report(presence, size)})
    assert after is not None
    assert (nvme.ADMITTED in after.resources[1].props) == admitted


def test_an_initiator_is_told_of_a_larger_size_once_the_target_has_it() -> None:
    bigger = replace(TARGET, levels=tuple(replace(level, size=2 * SIZE) for level in TARGET.levels))
    for size, expected in ((SIZE, SIZE), (2 * SIZE, 2 * SIZE)):
        after = advance(definition(bigger, REACHED), {"alpha": report(Presence.READY, size)})
        assert after is not None
        assert after.resources[1].volumes[0].levels[0].size == expected
