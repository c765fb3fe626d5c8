"""The core under threads: turns, waiting, and what happens when the database is in doubt."""

import threading

import pytest

from orlop.controller.clock import SystemClock
from orlop.controller.condition_waiter import ConditionWaiter
from orlop.controller.core import Core
from orlop.controller.picture import Draft
from orlop.controller.store import NotActive, StoreError
from orlop.controller.turns import TURNS
from orlop.drivers import Drivers
from orlop.errors import Refused
from orlop.hooks import Hooks
from orlop.transport.messages import Fence
from tests.controller.conftest import definition

FENCE = Fence(cluster="c", term=3, nonce="n")


class Commits:
    """Keeps commits, or refuses the next one with `error`."""

    def __init__(self):
        self.kept = []
        self.error = None

    def commit(self, changes, sequence):
        if self.error:
            raise self.error
        self.kept.append((sequence, changes))


@pytest.fixture
def commits():
    return Commits()


@pytest.fixture
def ended():
    return []


@pytest.fixture
def core(picture, commits, ended):
    clock = SystemClock()
    drivers = Drivers.installed()
    return Core(commits, picture, FENCE, drivers, Hooks(), clock, ConditionWaiter(clock), fail=ended.append)


def test_commands_that_wait_let_others_work(core):
    """As many as there are turns wait for a satellite; another command is done meanwhile."""
    go_on, waiting = threading.Event(), threading.Barrier(TURNS + 1)

    def command():
        with core.turn():
            waiting.wait(10)
            core.wait(lambda: go_on.is_set() or None, 30)

    threads = [threading.Thread(target=command) for _ in range(TURNS)]
    for thread in threads:
        thread.start()
    waiting.wait(10)
    done = threading.Event()

    def another():
        with core.turn(), core.change() as draft:
            draft.put(definition())
        done.set()

    threads.append(threading.Thread(target=another))
    threads[-1].start()
    assert done.wait(10), "a command that waits keeps its turn"
    go_on.set()
    core.suspend("to wake everybody")
    for thread in threads:
        thread.join(10)


def test_a_refused_change_leaves_nothing(core, commits):
    def change():
        with core.change() as draft:
            draft.put(definition())
            raise Refused("no")

    with pytest.raises(Refused):
        change()
    assert core.picture.definition("web") is None
    assert commits.kept == []


def test_a_change_the_database_refuses_is_not_published(core, commits, ended):
    commits.error = StoreError("the disk is full")
    with pytest.raises(StoreError), core.change() as draft:
        draft.put(definition())
    assert core.picture.definition("web") is None
    assert not core.suspended
    assert ended == []
    commits.error = None
    with core.change() as draft:
        draft.put(definition())
    assert core.picture.definition("web") is not None


def test_who_is_not_active_any_more_stops_at_once(core, commits, ended):
    commits.error = NotActive("another controller has become active")
    with pytest.raises(NotActive), core.change() as draft:
        draft.put(definition())
    assert ended == ["another controller has become active"]
    with pytest.raises(Refused, match="only observes"), core.change():
        pass


def test_every_message_carries_the_last_commit(core, picture):
    assert (core.fence.term, core.fence.sequence) == (3, picture.sequence)
    with core.change() as draft:
        draft.put(definition())
    assert core.fence.sequence == picture.sequence + 1


def test_a_read_keeps_its_picture_while_others_write(core):
    before = core.picture
    with core.change() as draft:
        assert isinstance(draft, Draft)
        draft.put(definition())
    assert before.definition("web") is None
    assert core.picture is not before
