"""`orlop resource wait` and its like: what is asked, what is said, and how the program ends."""

import json
import signal
import subprocess
import sys
import time

import pytest

from tests.client.test_waiting import Controller

WAIT = r"/v1/orlop/wait$"
MISSING = {"node_name": "bravo", "volume_number": 0, "reason": "the node is away", "stalled": True}


def progress(satisfied=False, timed_out=False, **more):
    said = {"policy": "count=2", "satisfied": satisfied, "said": "1 of 2 copies deployed"}
    found = {"resource_name": "web", "policy": "count=2", "satisfied": satisfied, "timed_out": timed_out}
    return {**found, "conditions": [said], "missing": [] if satisfied else [MISSING], **more}


ASKED = [
    ("resource wait web", {"resource": "web"}),
    ("resource wait web count=2 or quorum", {"resource": "web", "policy": "count=2 or quorum"}),
    ("r wait web 'count=2 and (all or quorum)'", {"resource": "web", "policy": "count=2 and (all or quorum)"}),
    ("resource wait web all --volume 1", {"resource": "web", "policy": "all", "volume_number": 1}),
    ("volume-definition wait web 0", {"resource": "web", "volume_number": 0, "size_kib": 0}),
    ("vd wait web 0 --size 2M all", {"resource": "web", "volume_number": 0, "size_kib": 2048, "policy": "all"}),
    ("snapshot wait web daily", {"resource": "web", "snapshot": "daily"}),
    ("s wait web daily count=2", {"resource": "web", "snapshot": "daily", "policy": "count=2"}),
]


@pytest.mark.parametrize(("line", "body"), ASKED)
def test_what_is_asked(orlop, line, body):
    orlop.answers[WAIT] = (200, progress(satisfied=True))
    done = orlop(line)
    assert done.code == 0, done.err
    (request,) = done.requests
    method, path, sent = request.split(" ", 2)
    assert (method, path, json.loads(sent)) == ("POST", "/v1/orlop/wait", {**body, "hold": 0.0})


def test_what_is_satisfied_is_said(orlop):
    orlop.answers[WAIT] = (200, progress(satisfied=True, snapshot_name="daily"))
    done = orlop("snapshot wait web daily")
    assert (done.code, done.out) == (0, "web, snapshot daily: count=2 is satisfied.\n")


def test_a_timeout_has_an_exit_code_of_its_own_and_says_who_is_missing(orlop):
    orlop.answers[WAIT] = (200, progress(timed_out=True))
    done = orlop("resource wait web count=2 --wait-timeout 0")
    assert (done.code, done.out) == (21, "")
    assert "count=2: 1 of 2 copies deployed. Missing: bravo (the node is away)" in done.err
    assert "the work goes on" in done.err


def test_a_refusal_ends_with_the_reason(orlop):
    entry = {"ret_code": -4611686018427387670, "message": "It can never be satisfied.", "cause": "count=3: only 2"}
    orlop.answers[WAIT] = (500, [entry])
    done = orlop("resource wait web count=3")
    assert done.code == 10
    assert "count=3: only 2" in done.out


def test_programs_get_the_last_progress(orlop):
    orlop.answers[WAIT] = (200, progress(timed_out=True))
    done = orlop("-m resource wait web count=2 --wait-timeout 0")
    assert done.code == 21
    assert done.json[0]["missing"][0]["node_name"] == "bravo"


# -- as a program of its own --------------------------------------------------------------------------------------


@pytest.fixture
def controller(tmp_path):
    made = Controller(tmp_path)
    yield made
    made.kill()


def started(controller, *words):
    heeded = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # whatever these tests ignore
    code = f"{heeded}; import sys; from orlop.cli import main; sys.exit(main(sys.argv[1:]))"
    argv = [sys.executable, "-c", code, "--disable-config", "--controllers", controller.address, *words]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_every_change_is_told_until_it_is_satisfied(controller):
    with started(controller, "resource", "wait", "web", "count=2") as program:
        assert program.stderr.readline() == ("web: count=2: 1 of 2 copies deployed. Missing: bravo (being created)\n")
        controller.cluster.disconnect("bravo")
        assert "bravo (the node is away: it does not answer)" in program.stderr.readline()
        controller.cluster.satellites.watch(controller.cluster.core.picture.nodes["bravo"])
        controller.finish()
        assert program.stdout.read() == "web: count=2 is satisfied.\n"
    assert program.returncode == 0


def test_interrupting_ends_the_waiting_and_not_the_work(controller):
    before = controller.cluster.core.picture
    with started(controller, "resource", "wait", "web", "count=2") as program:
        program.stderr.readline()
        program.send_signal(signal.SIGINT)
        assert "interrupted" in program.stderr.read()
    assert program.returncode == 130
    assert controller.cluster.core.picture is before


def test_a_timeout_ends_it(controller):
    began = time.monotonic()
    with started(controller, "resource", "wait", "web", "count=2", "--wait-timeout", "1.2") as program:
        assert "Missing: bravo" in program.stderr.read()
    assert program.returncode == 21
    assert time.monotonic() - began >= 1.2
