"""What DRBD's metadata takes: numbers that the tools themselves compute."""

import pytest

from orlop.model import KIB
from orlop_layers.drbd_sizes import gross

MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.parametrize(
    ("net", "kib"),
    [(10 * MIB, 10280), (GIB, 1048840), (5 * GIB, 5244040), (100 * GIB, 104880044), (500 * GIB, 524400060)],
    ids=["10 MiB", "1 GiB", "5 GiB", "100 GiB", "500 GiB"],
)
def test_a_device_with_room_for_seven_peers(net: int, kib: int) -> None:
    assert gross(net) == kib * KIB


def test_more_peers_and_a_larger_log_take_more() -> None:
    assert gross(2048 * KIB, peers=15, activity_log=2 * 64 * KIB) == 2184 * KIB


def test_the_smallest_volume_has_a_smallest_device() -> None:
    assert gross(4 * KIB, peers=1) == 68 * KIB


def test_a_size_between_two_pages_is_rounded_up() -> None:
    assert gross(10 * MIB - 1) == gross(10 * MIB)
