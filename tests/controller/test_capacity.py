"""What a pool can still take."""

import pytest

from orlop.controller.capacity import usable_free
from orlop.controller.picture import Draft
from orlop.model import GIB, Capacity, Controller, ReportedPool, StoragePoolDefinition
from tests.controller.conftest import definition, pool, resource, volume

SEEN = ReportedPool(name="pool", uuid="p-alpha-pool", capacity=Capacity(total=100 * GIB, free=50 * GIB))
GENERAL, FREE, TOTAL = (
    "MaxOversubscriptionRatio",
    "MaxFreeCapacityOversubscriptionRatio",
    "MaxTotalCapacityOversubscriptionRatio",
)


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({}, 1000),
        ({GENERAL: "2"}, 100),
        ({FREE: "1"}, 50),
        ({TOTAL: "0.5"}, 40),
        ({GENERAL: "3", TOTAL: "1"}, 90),
    ],
    ids=["default 20", "general", "free only", "total only", "total falls below"],
)
def test_a_thin_pool_promises_more_than_it_has(picture, props, expected):
    """10 GiB are promised already, so the limit by total is total x ratio - 10 GiB."""
    draft = Draft(picture)
    draft.put(definition(resource("alpha", volume(size=10 * GIB))))
    assert usable_free(draft, pool("alpha", provider="FILE_THIN", **props), SEEN, thin=True) == expected * GIB


def test_ratios_are_looked_up_from_the_pool_outwards(picture):
    draft = Draft(picture)
    thin = pool("alpha", provider="FILE_THIN")
    draft.put(Controller(props={GENERAL: "2"}))
    assert usable_free(draft, thin, SEEN, thin=True) == 100 * GIB
    draft.put(StoragePoolDefinition(name="Pool", uuid="x", props={GENERAL: "1"}))
    assert usable_free(draft, thin, SEEN, thin=True) == 50 * GIB


def test_a_thick_pool_has_what_is_free_and_not_promised(picture):
    draft = Draft(picture)
    draft.put(definition(resource("alpha", volume(size=10 * GIB), volume("v-2", number=1, new=True, size=20 * GIB))))
    assert usable_free(draft, pool("alpha"), SEEN, thin=False) == 30 * GIB


@pytest.mark.parametrize(
    "seen",
    [
        None,
        ReportedPool(name="pool", uuid="p-alpha-pool"),
        ReportedPool(name="pool", uuid="p-alpha-pool", capacity=SEEN.capacity, problem="not mounted"),
        ReportedPool(name="pool", uuid="another", capacity=SEEN.capacity),
    ],
    ids=["never reported", "no capacity", "broken", "another pool"],
)
def test_unknown_is_not_zero_and_not_plenty(picture, seen):
    assert usable_free(picture, pool("alpha"), seen, thin=False) is None
