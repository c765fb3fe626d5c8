"""How a move goes on from report to report: the old replica goes last, and only while nothing else is at stake."""

import pytest
from msgspec.structs import replace

from orlop.controller.moving import DONE, FAILED, FILLING, LEAVING, REBALANCE, WAITING, advanced, begun, of
from orlop.model import Operation
from tests.controller.drbd9 import replica, replicated, reports, without_disk

WHOLE = dict.fromkeys(("alpha", "bravo", "charlie"), "UpToDate")


def move(state=FILLING, **more):
    arguments = {"source": "alpha", "target": "charlie", "made": "r-charlie", "leaving": "r-alpha", "replicas": 2}
    return Operation(uuid="o", kind=REBALANCE, state=state, created=1, arguments={**arguments, **more})


def moving(*operations, more=(), flags=frozenset()):
    """alpha gives its replica to charlie; bravo has the other one."""
    three = (replica("alpha"), replica("bravo"), replica("charlie"))
    return replicated(*three, *more, operations=operations or (move(),), flags=flags)


def after(definition, disks=None, in_use=False):
    found = advanced(definition, reports(definition, WHOLE if disks is None else disks, in_use))
    gone = {r.node for r in found.resources if r.deleting}
    return gone, [operation.state for operation in found.operations]


def test_the_old_replica_goes_when_all_others_are_whole():
    assert after(moving()) == ({"alpha"}, [LEAVING])


@pytest.mark.parametrize("node", ["bravo", "charlie"])
@pytest.mark.parametrize("disk", ["Inconsistent", "Outdated", None])
def test_it_stays_while_another_one_is_not(node, disk):
    disks = {**WHOLE, node: disk}
    known = {name: state for name, state in disks.items() if state is not None}
    assert after(moving(), known) == (set(), [FILLING])


def test_it_stays_while_it_may_be_in_use():
    assert after(moving(), in_use=True) == (set(), [FILLING])
    assert after(moving(), {"bravo": "UpToDate", "charlie": "UpToDate"}) == (set(), [FILLING])


def test_it_stays_where_somebody_took_another_one_away_meanwhile():
    two = replicated(replica("alpha"), replica("charlie"), operations=(move(),))
    assert after(two) == (set(), [FILLING])


def test_it_stays_while_something_else_is_done_with_all_of_them():
    snapshot = Operation(uuid="s", kind="snapshot", state="holding", created=1)
    assert after(moving(move(), snapshot)) == (set(), [FILLING, "holding"])
    assert after(moving(move(), replace(snapshot, state="failed")))[0] == {"alpha"}


def test_it_is_over_when_the_old_one_is_gone():
    left = replicated(replica("bravo"), replica("charlie"), operations=(move(LEAVING),))
    assert after(left) == (set(), [DONE])
    assert after(moving(move(LEAVING))) == (set(), [LEAVING])


def test_it_is_over_where_somebody_else_removed_the_old_one():
    left = replicated(replica("bravo"), replica("charlie"), operations=(move(),))
    assert after(left) == (set(), [DONE])
    assert after(left, {"bravo": "UpToDate", "charlie": "Inconsistent"}) == (set(), [FILLING])


GONE = [
    ("removed", (replica("alpha"), replica("bravo"))),
    ("being removed", (replica("alpha"), replica("bravo"), replica("charlie", flags=("DELETE",)))),
    ("without a disk", (replica("alpha"), replica("bravo"), without_disk("charlie"))),
]


@pytest.mark.parametrize(("why", "resources"), GONE, ids=[why for why, _ in GONE])
def test_it_fails_where_the_new_one_was_taken_away(why, resources):
    gone, states = after(replicated(*resources, operations=(move(),)))
    assert "alpha" not in gone
    assert states == [FAILED]


def test_it_fails_with_its_definition():
    assert after(moving(flags=frozenset({"DELETE"}))) == (set(), [FAILED])


def test_nothing_changes_before_it_has_begun():
    waiting = moving(move(WAITING))
    assert advanced(waiting, reports(waiting, WHOLE)) is waiting


def test_another_operation_takes_the_place_of_what_has_ended_only():
    ended, waiting = replace(move(DONE), uuid="e"), move(WAITING)
    other = Operation(uuid="x", kind="rollback", state="closing", created=2)
    found = begun(moving(ended, waiting), other)
    assert found.operations == (waiting, other)
    assert of(found) == [waiting]
