"""The process that watches over what is held back, as a real one."""

import json
import sys
import time

import pytest

from orlop.errors import CommandFailed
from orlop.host import LocalHost
from orlop.satellite import guard, holding


def note(path, hold="h1", later=60.0):
    text = {"resource": "web", "layer": "DRBD", "hold": hold, "until": time.monotonic() + later}
    path.write_text(json.dumps(text))


def runs(path):
    """Whether a process that was started with this path is there."""
    try:
        return bool(LocalHost().run(("pgrep", "--full", str(path))))
    except CommandFailed:
        return False


def test_it_watches_as_long_as_the_note_is_there(tmp_path):
    path = tmp_path / "held-web.json"
    note(path)
    LocalHost().detach(holding.guard(str(path), "h1"))
    assert runs(path)
    path.unlink()
    while runs(path):
        time.sleep(0.05)


def test_another_hold_is_not_its_concern(tmp_path):
    path = tmp_path / "held-web.json"
    note(path, "h2")
    assert guard.until(str(path), "h1") is None
    assert guard.until(str(path), "h2") is not None


def test_what_does_not_start_is_told():
    with pytest.raises(CommandFailed, match="did not start"):
        LocalHost().detach((sys.executable, "-c", "raise SystemExit(3)"))


def test_no_error_ends_it_while_something_is_noted(tmp_path):
    path = tmp_path / "held-web.json"
    path.write_text('{"hold": "h1"}')
    assert guard.watched(str(path), "h1")
    path.unlink()
    assert not guard.watched(str(path), "h1")


def test_a_note_with_more_time_by_now_is_left(tmp_path):
    path = tmp_path / "held-web.json"
    note(path)
    holding.let_go_of_expired(str(path), "h1")
    assert path.exists()
