"""The client waits over a change of the controller. Real servers on loopback ports, over cores in memory."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path

import pytest

from orlop.client import ApiError, Client, ConnectionBroken, Unreachable, Wait, wait_from
from orlop.codes import Fail
from orlop.controller.api import create_application
from orlop.controller.error_reports import ErrorReports
from orlop.errors import Refused
from orlop.model import Presence
from tests.api.cluster import Cluster
from tests.api.test_views import deployed, seen
from tests.serving import Serving


class Controller:
    """One process of a controller: a core that begins with knowing no reports, and a server."""

    def __init__(self, reports: Path, threads: int = 16) -> None:
        self.cluster = Cluster()
        deployed(self.cluster, "web", "alpha", "bravo")
        seen(self.cluster, "web", "bravo", presence=Presence.ABSENT)
        application = create_application(self.cluster.core, ErrorReports(reports, self.cluster.clock), threads=threads)
        self._serving = Serving(application, threads)
        self.address = f"http://127.0.0.1:{self._serving.port}"

    def kill(self) -> None:
        """As when its machine goes away: nobody is told anything any more."""
        self._serving.close()
        self.cluster.disconnect("bravo")  # what still waits sees that nobody listens
        self._serving.end_requests()

    def finish(self) -> None:
        """The second copy is there."""
        seen(self.cluster, "web", "bravo")


@pytest.fixture
def first(tmp_path):
    made = Controller(tmp_path / "first")
    yield made
    made.kill()


@pytest.fixture
def second(tmp_path):
    made = Controller(tmp_path / "second")
    yield made
    made.kill()


WAIT = Wait(resource="web", policy="count=2", timeout=30)


def in_background(act):
    """What `act` returns, once it has."""
    found = []
    thread = threading.Thread(target=lambda: found.append(act()))
    thread.start()

    def joined():
        thread.join(30)
        return found[0]

    return joined


def test_a_wait_ends_when_it_is_satisfied(first):
    with Client([first.address]) as client:
        waiting = in_background(lambda: client.wait_for(WAIT))
        first.finish()
        found = waiting()
    assert (found.satisfied, found.timed_out, found.policy) == (True, False, "count=2")


def test_a_wait_ends_with_the_timeout_and_says_who_is_missing(first):
    with Client([first.address]) as client:
        found = client.wait_for(Wait(resource="web", policy="count=2", timeout=0.2))
    assert (found.satisfied, found.timed_out) == (False, True)
    assert [(m.node_name, m.reason, m.stalled) for m in found.missing] == [("bravo", "being created", False)]


@pytest.mark.parametrize("wait", [lambda c, w: c.wait_for(w), lambda c, w: list(c.watch(w))], ids=["poll", "stream"])
def test_what_is_of_no_use_is_an_error(first, wait):
    with Client([first.address]) as client, pytest.raises(ApiError) as caught:
        wait(client, Wait(resource="web", policy="count=3"))
    assert caught.value.has(Fail.INVLD_REQUEST)
    assert "only 2" in caught.value.cause


def test_every_change_is_told_once(first):
    with Client([first.address]) as client:
        told = client.watch(WAIT)
        assert not next(told).satisfied
        first.cluster.disconnect("bravo")
        assert "away" in next(told).missing[0].reason
        first.cluster.satellites.watch(first.cluster.core.picture.nodes["bravo"])
        first.finish()
        said = list(told)
    assert said[-1].satisfied
    assert len(said) == len({str(each) for each in said})


def test_a_stream_goes_on_with_the_next_controller(first, second):
    with Client([first.address, second.address]) as client:
        told = client.watch(WAIT)
        next(told)
        first.cluster.core.events.resource_changed("web")
        waiting = in_background(lambda: list(told))
        first.kill()
        second.finish()
        assert waiting()[-1].satisfied


def test_a_poll_goes_on_with_the_next_controller(first, second):
    with Client([first.address, second.address]) as client:
        waiting = in_background(lambda: client.wait_for(WAIT))
        first.kill()
        second.finish()
        assert waiting().satisfied


def test_a_controller_that_never_answered_is_not_waited_for(first):
    first.kill()
    began = time.monotonic()
    with Client([first.address]) as client:
        with pytest.raises(Unreachable):
            client.wait_for(WAIT)
        with pytest.raises(Unreachable):
            next(client.watch(WAIT))
    assert time.monotonic() - began < 5


def test_a_controller_that_went_away_is_waited_for_until_the_timeout(first):
    with Client([first.address]) as client:
        told = client.watch(Wait(resource="web", policy="count=2", timeout=2))
        next(told)
        first.kill()
        with pytest.raises(Unreachable):
            list(told)


def test_a_busy_controller_is_asked_again(tmp_path):
    """It has one place for those who wait, and one for streams."""
    small = Controller(tmp_path, threads=8)
    try:
        with Client([small.address]) as client:
            waiting = [in_background(lambda: client.wait_for(WAIT)) for _ in range(3)]
            waiting += [in_background(lambda: list(client.watch(WAIT))[-1]) for _ in range(3)]
            threading.Event().wait(0.5)
            small.finish()
            assert all(each().satisfied for each in waiting)
    finally:
        small.kill()


def test_a_stream_that_is_cut_is_told_from_one_that_ends():
    """The machine of the controller is gone: nobody says how the answer would have gone on."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"event: progress\ndata: {}\n\n"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            connection, _ = listening.accept()
            connection.recv(4096)
            connection.sendall(head + b"%x\r\n%s\r\n" % (len(body), body))
            connection.close()

        serving = in_background(serve)
        with Client([f"http://127.0.0.1:{listening.getsockname()[1]}"]) as client:
            events = client.events("/v1/orlop/wait")
            assert next(events).name == "progress"
            with pytest.raises(ConnectionBroken):
                next(events)
        serving()


CONFIGURED = [
    ("redundancy=2", "redundancy=2", None),
    ("  ", None, None),
    ('{"count": "1", "timeout": "60"}', "count=1", 60),
    ("{'count': '1', 'timeout': '60'}", "count=1", 60),
    ("{'count': 2, 'ratio': 0.75}", "ratio=0.75 or count=2", None),
    ("{'redundancy': '2', 'count': ''}", "redundancy=2", None),
    ("{'policy': 'count=1 and quorum', 'timeout': 0}", "count=1 and quorum", 0),
    ("{'timeout': '5'}", None, 5),
]


@pytest.mark.parametrize(("text", "policy", "timeout"), CONFIGURED)
def test_a_configuration_says_what_to_wait_for(text, policy, timeout):
    assert wait_from(text, "web") == Wait(resource="web", policy=policy, timeout=timeout)


@pytest.mark.parametrize(
    "text",
    ["{", "{'count': ['1']}", "{1, 2}", "{'count': '1', 'color': 'x'}", "{'timeout': 'nan'}", "{'timeout': '-1'}"],
)
def test_a_configuration_that_makes_no_sense_is_refused(text):
    with pytest.raises(Refused) as caught:
        wait_from(text, "web")
    assert "redundancy=2" in caught.value.correction
