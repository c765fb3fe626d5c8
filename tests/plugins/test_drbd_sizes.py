"""What DRBD's metadata takes: numbers that the tools themselves compute."""

import pytest

from orlop.model import KIB
from orlop_layers.drbd_sizes import apart, gross

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


@pytest.mark.parametrize(
    ("net", "peers", "kib"),
    [
        (4 * KIB, 1, 1024),  # LINSTOR's smallest
        (10 * MIB, 7, 1024),
        (GIB, 7, 1024),
        (5 * GIB, 7, 1156),
        (100 * GIB, 7, 22436),
        (100 * GIB, 1, 3236),
        (100 * GIB, 31, 99236),
        (500 * GIB, 7, 112036),
    ],
)
def test_a_device_with_nothing_but_metadata(net: int, peers: int, kib: int) -> None:
    """A bit for each 4 KiB and peer, 32 KiB of activity log, a superblock of 4 KiB."""
    assert apart(net, peers) == kib * KIB


def test_a_larger_log_takes_more_there_too() -> None:
    assert apart(100 * GIB, activity_log=2 * 64 * KIB) == apart(100 * GIB) + 96 * KIB
