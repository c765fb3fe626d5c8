"""What goes through a resource, as the real DRBD tells it, and who holds it back."""

from pathlib import Path

import pytest

from orlop.plugin import ASKED, Flow
from orlop_layers.drbd_files import parted_of
from orlop_layers.drbd_flow import HoldsDrbd

RECORDED = Path(__file__).parent.parent / "recorded"
CONNECTED = (RECORDED / "drbdsetup-events-connected-8.4.11.txt").read_text()
NAME = CONNECTED.split("name:")[1].split()[0]


class Told:
    def __init__(self, text, parted=False):
        self.text, self.parted = text, parted

    def run(self, argv, stdin=b""):
        return self.text

    def read(self, path):
        return "" if self.parted and path == parted_of(NAME) else None


def flow(text=CONNECTED, name=NAME, parted=False):
    return HoldsDrbd.flow(Told(text, parted), name)


@pytest.mark.parametrize("version", ["8.4.11", "9.3.3"])
def test_nothing_goes_through_a_resource_that_nobody_uses(version):
    text = (RECORDED / f"drbdsetup-events-connected-{version}.txt").read_text()
    seen = flow(text, text.split("name:")[1].split()[0])
    assert seen.devices
    assert not seen.held
    assert not seen.under_way


def test_what_is_not_up_has_no_device():
    assert flow(name="other") == Flow(resource="other")


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


def waiting(text=CONNECTED, role="Primary", peer="Secondary"):
    """A resource in use whose users wait for answers; as a real node with 8.4 was seen to tell it."""
    roles = iter((role, peer))
    words = [f"role:{next(roles)}" if w.startswith("role:") else w for w in text.split(" ")[:20]]
    return " ".join(words + text.split(" ")[20:]).replace("upper-pending:0", "upper-pending:2", 1)


def steps(found):
    return [getattr(step, "argv", None) or (type(step).__name__, step.path) for step in found]


MARK = parted_of(NAME)


def test_before_84_goes_on_with_requests_that_wait_its_connection_goes():
    seen = flow(waiting())
    assert steps(HoldsDrbd.part(seen)) == [("WriteFile", MARK), ("drbdadm", "disconnect", NAME)]
    assert not HoldsDrbd.part(flow(waiting(role="Secondary")))
    assert not HoldsDrbd.part(flow(CONNECTED))


def test_two_that_are_in_use_are_never_parted():
    seen = flow(waiting(peer="Primary"))
    assert seen.unanswered
    assert "primary on both" in seen.obstacle
    assert not HoldsDrbd.part(seen)


def test_drbd_9_answers_what_was_under_way():
    text = (RECORDED / "drbdsetup-events-connected-9.3.3.txt").read_text()
    seen = HoldsDrbd.flow(Told(waiting(text)), text.split("name:")[1].split()[0])
    assert not seen.unanswered
    assert not HoldsDrbd.part(seen)


def test_the_connection_is_made_again_after_each_volume_has_its_new_generation():
    alone = waiting().replace("connection:Connected", "connection:StandAlone")
    last = [("drbdadm", "adjust", NAME), ("RemoveFile", MARK)]
    resumed = steps(HoldsDrbd.resume(flow(alone, parted=True)))
    assert {argv[1] for argv in resumed[:-2]} == {"resume-io"}
    assert resumed[-2:] == last


def test_what_stood_alone_before_stays_so():
    alone = waiting().replace("connection:Connected", "connection:StandAlone")
    assert not HoldsDrbd.part(flow(alone))
    assert {argv[1] for argv in steps(HoldsDrbd.resume(flow(alone)))} == {"resume-io"}


def test_a_mark_that_is_left_over_goes():
    assert steps(HoldsDrbd.resume(flow(parted=True)))[-1] == ("RemoveFile", MARK)
    assert steps(HoldsDrbd.resume(Flow(resource=NAME, parted=True))) == [("RemoveFile", MARK)]
