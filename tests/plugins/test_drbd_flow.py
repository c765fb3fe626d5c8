"""What goes through a resource, as the real DRBD tells it, and who holds it back."""

from pathlib import Path

import pytest

from orlop.plugin import ASKED, Flow
from orlop_layers.drbd_flow import HoldsDrbd

RECORDED = Path(__file__).parent.parent / "recorded"
CONNECTED = (RECORDED / "drbdsetup-events-connected-8.4.11.txt").read_text()
NAME = CONNECTED.split("name:")[1].split()[0]


class Told:
    def __init__(self, text):
        self.text = text

    def run(self, argv, stdin=b""):
        return self.text


def flow(text=CONNECTED, name=NAME):
    return HoldsDrbd.flow(Told(text), name)


@pytest.mark.parametrize("version", ["8.4.11", "9.3.3"])
def test_nothing_goes_through_a_resource_that_nobody_uses(version):
    text = (RECORDED / f"drbdsetup-events-connected-{version}.txt").read_text()
    seen = flow(text, text.split("name:")[1].split()[0])
    assert seen.devices
    assert not seen.held
    assert not seen.under_way


def test_what_is_not_up_has_no_device():
    assert flow(name="other") == Flow()


@pytest.mark.parametrize(
    ("word", "reasons"),
    [("user", {ASKED}), ("user,quorum", {ASKED, "quorum"}), ("no-data", {"no-data"}), ("no", set())],
)
def test_what_administrators_hold_back_is_told_from_what_drbd_does(word, reasons):
    assert flow(CONNECTED.replace("suspended:no", f"suspended:{word}", 1)).held == reasons


@pytest.mark.parametrize("count", ["lower-pending", "pending", "unacked"])
def test_a_request_without_an_answer_is_under_way(count):
    assert f" {count}:0" in CONNECTED
    assert flow(CONNECTED.replace(f" {count}:0", f" {count}:1", 1)).under_way


@pytest.mark.parametrize("fact", ["written", "sent", "received", "replication", "disk", "connection"])
def test_whatever_came_or_went_leaves_a_trace(fact):
    changed = " ".join(f"{w}9" if w.startswith(f"{fact}:") else w for w in CONNECTED.split(" "))
    assert changed != CONNECTED
    assert flow(changed).trace != flow().trace


def test_being_read_leaves_none():
    changed = " ".join(f"{w}9" if w.startswith("read:") else w for w in CONNECTED.split(" "))
    assert changed != CONNECTED
    assert flow(changed).trace == flow().trace


def test_every_volume_is_resumed():
    seen = Flow(devices=("1000", "1001"))
    assert [step.argv for step in HoldsDrbd.resume(seen)] == [
        ("drbdsetup", "resume-io", "1000"),
        ("drbdsetup", "resume-io", "1001"),
    ]
