"""Programs that are listened to: they run as long as they are needed, and no longer."""

import os
import threading
from collections.abc import Iterator

import pytest

from orlop.host.announcements import Announcements
from orlop.satellite.node import Node
from orlop.testing.bench import Bench
from orlop.testing.drbd8_model import Resource
from orlop.testing.drbd_network import SimulatedNetwork

TALKING, SILENT, SHORT = ("yes",), ("sleep", "1000"), ("echo", "once")


@pytest.fixture
def announcements() -> Iterator[Announcements]:
    found = Announcements()
    yield found
    found.close()


def test_a_program_that_says_something_is_heard(announcements: Announcements) -> None:
    assert announcements.heard(TALKING, 60)
    assert announcements.heard(TALKING, 60)


def test_a_program_that_is_silent_is_not(announcements: Announcements) -> None:
    assert not announcements.heard(SILENT, 0.1)


def test_one_that_ended_is_started_anew(announcements: Announcements) -> None:
    assert announcements.heard(SHORT, 60)
    assert not announcements.heard(SHORT, 0.1)
    assert announcements.heard(SHORT, 60)


def test_one_that_is_not_installed_is_no_reason_to_fail(announcements: Announcements) -> None:
    assert not announcements.heard(("no-such-program-here",), 0.01)


def test_nothing_runs_afterwards(announcements: Announcements) -> None:
    announcements.heard(TALKING, 60)
    before = children()
    announcements.close()
    assert len(children()) == len(before) - 1
    assert not announcements.heard(TALKING, 0.01)


def children() -> list[str]:
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return file.read().split()


def test_what_a_layer_tells_has_everything_looked_at_at_once() -> None:
    bench = Bench()
    bench.host.join(SimulatedNetwork())
    bench.sync()
    assert bench.node.listened_to() == [("drbdsetup", "events2")]
    assert bench.node.due() > bench.now
    listen(bench.node)
    assert bench.node.due() > bench.now, "nothing was told"
    drbd = bench.host.drbd
    assert drbd is not None
    drbd.resources["web"] = Resource("web", bench.host.disk)
    listen(bench.node)
    assert bench.node.due() <= bench.now


def listen(node: Node) -> None:
    """In another thread, as in life."""
    thread = threading.Thread(target=node.listen, args=(("drbdsetup", "events2"), 0.0))
    thread.start()
    thread.join()
