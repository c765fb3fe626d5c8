"""Work that outlives its request is done once."""

from __future__ import annotations

import threading

import pytest

from orlop.errors import Refused
from orlop_docker.unfinished import Background, Unfinished


def test_who_asks_again_waits_for_the_same_work() -> None:
    background, begun, go_on = Background(patience=0.01), [], threading.Event()

    def work() -> None:
        begun.append(1)
        go_on.wait()

    for _ in range(3):
        with pytest.raises(Unfinished, match="v1 is still being made"):
            background.do("v1", "", work)
    with pytest.raises(Unfinished):
        background.do("v1", "other options", work)
    go_on.set()
    assert len(begun) == 2
    Background().do("v1", "", work)


def test_an_error_is_told_once_and_the_next_request_tries_again() -> None:
    background = Background()

    def fail() -> None:
        raise Refused("no")

    for _ in range(2):
        with pytest.raises(Refused, match="no"):
            background.do("v1", "", fail)
    background.do("v1", "", lambda: None)
