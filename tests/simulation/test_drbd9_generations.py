"""Generation identifiers as the user's guide describes them (chapter 23.2): when they change, and what they decide."""

import pytest

from orlop.errors import NodeError
from orlop.testing.disk import BLOCK
from orlop.testing.drbd9_generations import JUST_CREATED, NONE, Generations, Strategy, compare
from tests.simulation.drbd9_nodes import BACKING, MINOR, Nodes

ONE, TWO, THREE, FOUR = (f"{number:016X}" for number in (0x1000, 0x2000, 0x3000, 0x4000))
PRIMARY_ONE = f"{0x1001:016X}"
OPPOSITE = {
    Strategy.SOURCE: Strategy.TARGET,
    Strategy.SOURCE_COPY: Strategy.TARGET_CLEAR,
    Strategy.SOURCE_FULL: Strategy.TARGET_FULL,
}


def gi(current, bitmap=NONE, *history, other=NONE):
    """As node 0 has it of node 1, and node 1 of node 0; `other`: the bitmap towards node 2."""
    return current, bitmap, history, other


def tuples(mine, theirs):
    made = []
    for (current, bitmap, history, other), peer in ((mine, 1), (theirs, 0)):
        known = {peer: bitmap, 2: other}
        made.append(Generations(current, {n: g for n, g in known.items() if g != NONE}, list(history)))
    return made


# -- what two replicas conclude ---------------------------------------------------------------------------------------

OUTCOMES = [
    pytest.param(gi(JUST_CREATED), gi(JUST_CREATED), Strategy.NO_SYNC, id="both-just-created"),
    pytest.param(gi(NONE), gi(JUST_CREATED), Strategy.NO_SYNC, id="empty-is-just-created"),
    pytest.param(gi(ONE), gi(JUST_CREATED), Strategy.SOURCE_FULL, id="peer-just-created"),
    pytest.param(gi(ONE), gi(ONE), Strategy.NO_SYNC, id="equal"),
    pytest.param(gi(ONE), gi(PRIMARY_ONE), Strategy.NO_SYNC, id="equal-but-for-the-role"),
    pytest.param(gi(ONE, TWO), gi(ONE, THREE), Strategy.NO_SYNC, id="equal-whatever-the-bitmaps"),
    pytest.param(gi(TWO, ONE), gi(ONE), Strategy.SOURCE, id="bitmap-is-peers-current"),
    pytest.param(gi(TWO, PRIMARY_ONE), gi(ONE), Strategy.SOURCE, id="bitmap-is-peers-current-but-for-the-role"),
    pytest.param(gi(TWO, ONE, FOUR), gi(ONE, NONE, FOUR), Strategy.SOURCE, id="bitmap-before-history"),
    pytest.param(gi(TWO, NONE, other=ONE), gi(ONE), Strategy.SOURCE_COPY, id="bitmap-of-a-third"),
    pytest.param(gi(THREE, NONE, TWO, ONE), gi(ONE), Strategy.SOURCE_FULL, id="peers-current-is-history"),
    pytest.param(gi(THREE, TWO, ONE), gi(ONE), Strategy.SOURCE_FULL, id="history-with-another-bitmap"),
    pytest.param(gi(TWO, ONE), gi(THREE, ONE), Strategy.SPLIT_BRAIN, id="bitmaps-match"),
    pytest.param(gi(TWO, ONE, FOUR), gi(THREE, ONE, FOUR), Strategy.SPLIT_BRAIN, id="bitmaps-match-and-history"),
    pytest.param(gi(TWO, NONE, ONE), gi(THREE, NONE, ONE), Strategy.SPLIT_BRAIN_UNRELATED, id="only-history-matches"),
    pytest.param(gi(TWO, ONE, FOUR), gi(THREE, NONE, FOUR), Strategy.SPLIT_BRAIN_UNRELATED, id="one-bitmap-only"),
    pytest.param(gi(ONE), gi(TWO), Strategy.UNRELATED, id="nothing-matches"),
    pytest.param(gi(ONE, THREE), gi(TWO, FOUR), Strategy.UNRELATED, id="nothing-matches-with-bitmaps"),
]


@pytest.mark.parametrize(("mine", "theirs", "expected"), OUTCOMES)
def test_both_ends_conclude_the_same(mine, theirs, expected):
    one, other = tuples(mine, theirs)
    assert compare(one, 0, other, 1).strategy is expected
    assert compare(other, 1, one, 0).strategy is OPPOSITE.get(expected, expected)


def test_the_bitmap_that_is_taken_instead_is_named_by_both():
    one, other = tuples(gi(TWO, NONE, other=ONE), gi(ONE))
    assert (compare(one, 0, other, 1).through, compare(other, 1, one, 0).through) == (2, 2)


# -- when a generation begins -----------------------------------------------------------------------------------------


def test_nobody_has_one_before_somebody_is_chosen():
    nodes = Nodes("AB")
    for name in "AB":
        nodes.create(name)
    nodes.up()
    assert [nodes.generation(name) for name in "AB"] == [JUST_CREATED, JUST_CREATED]
    assert nodes.disks() == {"A": "Inconsistent", "B": "Inconsistent"}
    assert not nodes.may_promote("A")


def test_the_initial_full_synchronization_begins_one():
    nodes = Nodes("AB")
    for name in "AB":
        nodes.create(name)
    nodes.up()
    nodes.hosts["A"].disk.write(BACKING, 0, b"was there".ljust(BLOCK, b"."))
    nodes.primary("A", "--force")
    assert nodes.generation("A") not in (JUST_CREATED, NONE)
    assert nodes.replication("B", "A") == "SyncTarget"
    nodes.settle()
    assert nodes.generation("A") == nodes.generation("B")
    assert nodes.disks() == {"A": "UpToDate", "B": "UpToDate"}
    assert nodes.stored("B") == "was there"


def test_a_role_alone_begins_none():
    nodes = Nodes("AB").started()
    before = nodes.generation("A")
    nodes.primary("A")
    nodes.write("A", "x")
    nodes.secondary("A")
    assert nodes.generation("A") == nodes.generation("B") == before


def test_a_disconnected_node_that_becomes_primary_begins_one():
    nodes = Nodes("AB").started()
    before = nodes.generation("A")
    nodes.cut("AB")
    assert nodes.generation("A") == nodes.generation("B") == before
    nodes.primary("A")
    assert nodes.generation("A") != before
    assert nodes.metadata("A").generations.towards(1) == before
    assert nodes.generation("B") == before
    assert nodes.metadata("B").generations.bitmap == {}


def test_a_primary_that_is_disconnected_begins_one_and_keeps_the_first_as_that_of_the_bitmap():
    nodes = Nodes("AB").started()
    first = nodes.generation("A")
    nodes.primary("A")
    nodes.cut("AB")
    second = nodes.generation("A")
    assert second != first
    nodes.settle()
    assert nodes.generation("A") == second
    nodes.secondary("A")
    nodes.primary("A")
    assert nodes.generation("A") != second
    assert nodes.metadata("A").generations.towards(1) == first
    assert second in nodes.metadata("A").generations.history


def test_those_who_stay_connected_follow():
    nodes = Nodes("ABC").started()
    first = nodes.generation("A")
    nodes.primary("A")
    nodes.isolate("C")
    assert nodes.generation("A") == nodes.generation("B") != first
    assert nodes.generation("C") == first
    assert [nodes.metadata(name).generations.towards(2) for name in "AB"] == [first, first]


def test_a_user_without_a_disk_has_the_disks_that_stay_begin_one():
    nodes = Nodes("ABT", diskless="T").started()
    first = nodes.generation("A")
    nodes.primary("T")
    nodes.isolate("B")
    nodes.write("T", "x")
    assert nodes.generation("A") != first
    assert nodes.generation("B") == first
    nodes.heal()
    assert nodes.stored("B") == "x"


def test_a_detached_disk_is_left_behind():
    nodes = Nodes("AB").started()
    nodes.primary("A")
    nodes.run("B", "drbdsetup", "detach", str(MINOR))
    nodes.settle()
    nodes.write("A", "x")
    assert nodes.generation("A") != nodes.generation("B")
    assert nodes.disk("B") == "Diskless"
    nodes.admin("B", "attach", "r0")
    nodes.settle()
    assert nodes.generation("A") == nodes.generation("B")
    assert nodes.stored("B") == "x"


# -- a synchronization and its end ------------------------------------------------------------------------------------


def test_only_what_was_written_is_copied_and_the_target_adopts_the_tuple():
    nodes = Nodes("ABC").started()
    nodes.write("A", "same", 5)
    nodes.isolate("C")
    nodes.primary("A")
    nodes.write("A", "new", 7)
    nodes.hosts["C"].disk.write(BACKING, 5 * BLOCK, b"would be overwritten".ljust(BLOCK, b"."))
    assert "out-of-sync:4 " in nodes.run("A", "drbdsetup", "events2", "--now", "--statistics")
    nodes.heal()
    assert (nodes.stored("C", 7), nodes.stored("C", 5)) == ("new", "would be overwritten")
    source, target = nodes.metadata("A").generations, nodes.metadata("C").generations
    assert (target.current, target.bitmap) == (source.current, source.bitmap) == (source.current, {})


def test_a_node_without_any_data_gets_all_of_it():
    nodes = Nodes("AB").started()
    nodes.write("A", "old", 3)
    nodes.admin("B", "down", "r0")
    nodes.hosts["B"].disk.content(BACKING).blocks.clear()
    nodes.create("B")
    nodes.up("B")
    assert nodes.replication("A", "B") == "SyncSource"
    nodes.settle()
    assert nodes.stored("B", 3) == "old"


def test_a_bitmap_that_was_lost_costs_a_full_synchronization():
    """The peer's current generation is only in the history."""
    nodes = Nodes("AB").started()
    nodes.write("A", "x", 1)
    first = nodes.generation("A")
    nodes.cut("AB")
    nodes.hosts["B"].disk.content(BACKING).blocks.clear()
    nodes.primary("A")
    nodes.secondary("A")
    nodes.metadata("A").generations.met(1)
    assert first in nodes.metadata("A").generations.history
    nodes.heal()
    assert nodes.stored("B", 1) == "x"


def test_a_synchronization_that_is_cut_goes_on_later():
    nodes = Nodes("AB").started()
    nodes.cut("AB")
    nodes.primary("A")
    nodes.write("A", "x", 1)
    nodes.network.cut.clear()
    nodes.network.look()
    assert nodes.replication("B", "A") == "SyncTarget"
    nodes.cut("AB")
    assert nodes.disk("B") == "Inconsistent"
    assert not nodes.may_promote("B")
    nodes.write("A", "y", 2)
    nodes.heal()
    assert [nodes.stored("B", block) for block in (1, 2)] == ["x", "y"]
    assert nodes.disk("B") == "UpToDate"


def test_a_node_gets_its_data_from_one_other_at_a_time():
    nodes = Nodes("ABC").started()
    nodes.isolate("C")
    nodes.write("A", "x")
    nodes.network.cut.clear()
    nodes.network.look()
    found = {nodes.replication("C", "A"), nodes.replication("C", "B")}
    assert found == {"SyncTarget", "PausedSyncT"}
    assert "resync-suspended:dependency" in nodes.run("C", "drbdsetup", "events2", "--now")
    nodes.settle()
    assert {nodes.replication("C", "A"), nodes.replication("C", "B")} == {"Established"}
    assert nodes.disk("C") == "UpToDate"


def test_a_synchronization_waits_while_it_is_paused():
    nodes = Nodes("AB").started()
    nodes.cut("AB")
    nodes.write("A", "x")
    nodes.admin("B", "pause-sync", "r0")
    nodes.heal()
    assert nodes.disk("B") == "Inconsistent"
    assert "resync-suspended:user" in nodes.run("B", "drbdsetup", "events2", "--now")
    nodes.admin("B", "resume-sync", "r0")
    nodes.settle()
    assert nodes.stored("B") == "x"


def test_what_is_written_meanwhile_is_not_undone():
    nodes = Nodes("AB").started()
    nodes.cut("AB")
    nodes.primary("A")
    nodes.write("A", "old", 1)
    nodes.network.cut.clear()
    nodes.network.look()
    assert nodes.replication("A", "B") == "SyncSource"
    nodes.write("A", "new", 1)
    assert nodes.stored("B", 1) == "new"
    nodes.settle()
    assert nodes.stored("B", 1) == "new"


# -- day 0 ------------------------------------------------------------------------------------------------------------


def set_gi(nodes, name, node_id, told):
    nodes.run(
        name, "drbdmeta", "--force", str(MINOR), "v09", BACKING, "internal", "set-gi", "--node-id", str(node_id), told
    )


def day0(names="ABC", slots=7, based="ABC"):
    """The first of `names` is the winner; all others never wrote anything. What has changed since is counted from day 0
    by those that are `based` on it."""
    nodes = Nodes(names)
    for number, name in enumerate(names):
        nodes.create(name, slots)
        for node_id in set(range(32)) - {number} if name in based else ():
            set_gi(nodes, name, node_id, f":{ONE}")
        set_gi(nodes, name, number, f"{TWO if number == 0 else ONE}:0:0:0:1:1")
    return nodes


def test_replicas_that_are_equal_from_the_start_are_not_synchronized():
    nodes = day0()
    nodes.hosts["A"].disk.write(BACKING, 0, b"not copied".ljust(BLOCK, b"."))
    nodes.up()
    nodes.settle()
    assert set(nodes.disks().values()) == {"UpToDate"}
    assert {nodes.generation(name) for name in "ABC"} == {TWO}
    assert nodes.stored("B") == ""


def test_a_replica_that_comes_later_gets_what_was_written_since_day_0():
    nodes = day0()
    nodes.up("A", "B")
    nodes.write("A", "since", 3)
    nodes.hosts["A"].disk.write(BACKING, 4 * BLOCK, b"not copied".ljust(BLOCK, b"."))
    nodes.up("C")
    nodes.settle()
    assert (nodes.stored("C", 3), nodes.stored("C", 4)) == ("since", "")
    assert nodes.disk("C") == "UpToDate"


@pytest.mark.parametrize(("based", "more"), [("ABC", ""), ("A", "copied too")])
def test_so_it_does_from_one_that_was_equal_itself_if_that_one_says_so(based, more):
    """The equal one notes what it gets. Without a word on what that is counted from, it gives all that it has."""
    nodes = day0(based=based)
    nodes.names.remove("C")  # nobody knows of it yet
    for name in "AB":
        nodes.configure(name)
    nodes.up("A")
    nodes.write("A", "before it came", 2)
    nodes.up("B")
    nodes.settle()
    nodes.write("A", "since", 3)
    nodes.hosts["B"].disk.write(BACKING, 4 * BLOCK, b"copied too".ljust(BLOCK, b"."))
    nodes.names.append("C")
    for name in "ABC":
        nodes.configure(name)
    nodes.cut("AC")
    nodes.up()
    nodes.settle()
    assert [nodes.stored("C", block) for block in (2, 3, 4)] == ["before it came", "since", more]
    assert nodes.disk("C") == "UpToDate"


def test_what_was_written_since_day_0_is_known_for_peers_of_any_number():
    nodes = Nodes("AB")
    nodes.create("A")
    nodes.create("B")
    set_gi(nodes, "A", 9, f":{ONE}")
    set_gi(nodes, "A", 0, f"{TWO}:0:0:0:1:1")
    set_gi(nodes, "B", 1, f"{ONE}:0:0:0:1:1")
    nodes.up("A")
    nodes.write("A", "since", 3)
    nodes.hosts["A"].disk.write(BACKING, 4 * BLOCK, b"not copied".ljust(BLOCK, b"."))
    nodes.up("B")
    nodes.settle()
    assert (nodes.stored("B", 3), nodes.stored("B", 4)) == ("since", "")


def test_the_winner_is_good_alone():
    nodes = day0()
    nodes.up("A")
    nodes.primary("A")
    nodes.write("A", "alone", 2)
    nodes.up("B", "C")
    nodes.settle()
    assert [nodes.stored(name, 2) for name in "BC"] == ["alone", "alone"]


# -- split brain ------------------------------------------------------------------------------------------------------


def split(net="", blocks=(1, 1)):
    """Both went on alone: A wrote so many blocks, and B so many."""
    nodes = Nodes("AB", net=net).started()
    nodes.cut("AB")
    for name, count in zip("AB", blocks, strict=True):
        nodes.primary(name)
        for block in range(count):
            nodes.write(name, f"of {name}", block)
        nodes.secondary(name)
    return nodes


def test_data_that_went_apart_is_told_and_left_as_it_is():
    nodes = split()
    nodes.heal()
    assert {nodes.connection("A", "B"), nodes.connection("B", "A")} <= {"StandAlone"}
    assert (nodes.stored("A"), nodes.stored("B")) == ("of A", "of B")
    assert nodes.disks() == {"A": "UpToDate", "B": "UpToDate"}


@pytest.mark.parametrize("loser", ["A", "B"])
def test_an_administrator_says_whose_changes_are_given_up(loser):
    nodes = split(blocks=(2, 1))
    nodes.heal()
    winner = "B" if loser == "A" else "A"
    nodes.admin(loser, "connect", "--discard-my-data", "r0")
    nodes.admin(winner, "connect", "r0")
    nodes.settle()
    assert (nodes.stored("A"), nodes.stored("B")) == (f"of {winner}", f"of {winner}")
    assert nodes.stored("A", 1) == nodes.stored("B", 1)
    assert nodes.connection("A", "B") == "Connected"


def test_both_cannot_give_up():
    nodes = split()
    nodes.heal()
    for name in "AB":
        nodes.admin(name, "connect", "--discard-my-data", "r0")
    nodes.settle()
    assert nodes.connection("A", "B") == "StandAlone"
    assert (nodes.stored("A"), nodes.stored("B")) == ("of A", "of B")


POLICIES = [
    pytest.param("disconnect", (1, 2), "", None, id="disconnect"),
    pytest.param("discard-zero-changes", (0, 2), "", "B", id="zero-changes"),
    pytest.param("discard-zero-changes", (1, 2), "", None, id="both-changed"),
    pytest.param("discard-least-changes", (1, 2), "", "B", id="least-changes"),
    pytest.param("discard-least-changes", (3, 2), "", "A", id="least-changes-other-way"),
    pytest.param("discard-zero-changes; after-sb-1pri disconnect", (0, 2), "A", None, id="one-primary-disconnect"),
    pytest.param("discard-zero-changes; after-sb-1pri discard-secondary", (0, 2), "A", "A", id="discard-secondary"),
    pytest.param("discard-least-changes; after-sb-1pri consensus", (3, 2), "A", "A", id="consensus"),
    pytest.param("discard-least-changes; after-sb-1pri consensus", (1, 2), "A", None, id="no-consensus"),
    pytest.param(
        "discard-least-changes; after-sb-1pri call-pri-lost-after-sb", (1, 2), "A", "B", id="gives-its-role-up"
    ),
]


@pytest.mark.parametrize(("policy", "blocks", "primary", "winner"), POLICIES)
def test_policies_decide_where_they_are_set(policy, blocks, primary, winner):
    nodes = split(f"after-sb-0pri {policy};", blocks)
    for name in primary:
        nodes.primary(name)
    nodes.heal()
    if winner is None:
        assert {nodes.connection("A", "B"), nodes.connection("B", "A")} == {"StandAlone"}
        return
    assert nodes.connection("A", "B") == "Connected"
    written = blocks["AB".index(winner)]
    assert [nodes.stored(name) for name in "AB"] == [f"of {winner}" if written else ""] * 2


@pytest.mark.parametrize(
    ("policy", "winner"), [("disconnect", None), ("violently-as0p", "B"), ("call-pri-lost-after-sb", "B")]
)
def test_two_primaries_that_meet(policy, winner):
    net = f"allow-two-primaries yes; after-sb-0pri discard-least-changes; after-sb-2pri {policy};"
    nodes = split(net, (1, 2))
    nodes.primary("A")
    nodes.primary("B")
    nodes.heal()
    if policy == "call-pri-lost-after-sb":
        assert (nodes.role("A"), nodes.stored("A")) == ("Secondary", f"of {winner}")
    else:  # nobody is overwritten while somebody uses it
        assert (nodes.connection("A", "B"), nodes.stored("A")) == ("StandAlone", "of A")


def test_strangers_are_not_connected():
    nodes = Nodes("AB").started()
    nodes.admin("B", "down", "r0")
    nodes.create("B")
    set_gi(nodes, "B", 1, f"{FOUR}:0:0:0:1:1")
    nodes.up("B")
    nodes.settle()
    assert nodes.connection("A", "B") == nodes.connection("B", "A") == "StandAlone"
    assert nodes.disks() == {"A": "UpToDate", "B": "UpToDate"}


def test_a_primary_is_never_the_target():
    nodes = Nodes("AB").started()
    nodes.cut("AB")
    nodes.primary("B")
    nodes.write("B", "newer")
    nodes.secondary("B")
    nodes.resource("A").role = "Primary"
    nodes.heal()
    assert nodes.connection("A", "B") == "StandAlone"
    assert nodes.stored("A") == ""


# -- crashes ----------------------------------------------------------------------------------------------------------


def test_what_only_a_crashed_primary_has_is_taken_back():
    """Written on its own disk, never acknowledged."""
    nodes = Nodes("AB").started()
    nodes.primary("A")
    nodes.write("A", "acknowledged", 1)
    nodes.metadata("A").hot.add(2 * BLOCK)
    nodes.hosts["A"].disk.write(BACKING, 2 * BLOCK, b"in flight".ljust(BLOCK, b"."))
    nodes.power_loss("A")
    nodes.up("A")
    nodes.settle()
    assert [nodes.stored("A", block) for block in (1, 2)] == ["acknowledged", ""]
    assert nodes.disks() == {"A": "UpToDate", "B": "UpToDate"}


def test_after_a_loss_of_power_everywhere_the_primary_of_before_has_what_is_right():
    nodes = Nodes("AB", options="quorum majority;").started()
    nodes.primary("A")
    nodes.write("A", "acknowledged", 1)
    nodes.metadata("A").hot.add(2 * BLOCK)
    nodes.hosts["A"].disk.write(BACKING, 2 * BLOCK, b"in flight".ljust(BLOCK, b"."))
    nodes.power_loss("A", "B")
    nodes.up()
    nodes.settle()
    assert nodes.stored("A", 2) == nodes.stored("B", 2) == "in flight"
    assert nodes.stored("B", 1) == "acknowledged"


def test_a_primary_that_crashed_gets_what_was_written_without_it():
    nodes = Nodes("ABC", options="quorum majority;").started()
    nodes.primary("A")
    nodes.write("A", "first", 1)
    nodes.power_loss("A")
    nodes.primary("B")
    nodes.write("B", "second", 1)
    nodes.up("A")
    nodes.settle()
    assert nodes.stored("A", 1) == "second"
    assert nodes.disk("A") == "UpToDate"


# -- what else an administrator does ----------------------------------------------------------------------------------


def test_a_comparison_finds_what_differs_and_meeting_again_repairs_it():
    nodes = Nodes("AB", net="verify-alg crc32c;").started()
    nodes.write("A", "right", 4)
    nodes.hosts["B"].disk.write(BACKING, 4 * BLOCK, b"rotten".ljust(BLOCK, b"."))
    nodes.admin("A", "verify", "r0:B/0")
    assert nodes.replication("A", "B") == "VerifyS"
    nodes.settle()
    assert "out-of-sync:4 " in nodes.run("A", "drbdsetup", "events2", "--now", "--statistics")
    assert nodes.stored("B", 4) == "rotten"
    nodes.admin("A", "disconnect", "r0")
    nodes.admin("A", "connect", "r0")
    nodes.settle()
    assert nodes.stored("B", 4) == "right"


def test_a_comparison_needs_an_algorithm():
    nodes = Nodes("AB").started()
    with pytest.raises(NodeError, match="Need a verify algorithm"):
        nodes.admin("A", "verify", "r0")


def test_data_that_is_not_trusted_is_fetched_again():
    nodes = Nodes("AB").started()
    nodes.write("A", "right", 4)
    nodes.hosts["B"].disk.write(BACKING, 4 * BLOCK, b"rotten".ljust(BLOCK, b"."))
    nodes.admin("B", "invalidate", "r0")
    assert nodes.disk("B") == "Inconsistent"
    nodes.settle()
    assert (nodes.stored("B", 4), nodes.disk("B")) == ("right", "UpToDate")


def test_the_last_good_copy_is_not_given_up():
    nodes = Nodes("AB").started()
    nodes.cut("AB")
    with pytest.raises(NodeError, match="Need access to UpToDate data"):
        nodes.admin("B", "invalidate", "r0")
    nodes.primary("B")
    with pytest.raises(NodeError, match="Need access to UpToDate data"):
        nodes.run("B", "drbdsetup", "detach", str(MINOR))
    assert nodes.disk("B") == "UpToDate"


def test_more_peers_than_slots_are_refused():
    nodes = Nodes("ABC")
    for name in "ABC":
        nodes.create(name, slots=1)
    with pytest.raises(NodeError, match="Not enough free bitmap slots"):
        nodes.up("A")


def test_a_user_without_a_disk_gets_one_and_all_of_the_data_meanwhile():
    nodes = Nodes("ABT", diskless="T", options="quorum majority;").started()
    nodes.primary("T")
    nodes.write("T", "before", 3)
    nodes.hosts["T"].disk.content(BACKING).blocks.clear()
    nodes.create("T")
    nodes.diskless.clear()
    for name in "ABT":
        nodes.configure(name)
        nodes.admin(name, "adjust", "r0")
    nodes.write("T", "meanwhile", 4)
    nodes.settle()
    assert set(nodes.disks().values()) == {"UpToDate"}
    assert [nodes.stored("T", block) for block in (3, 4)] == ["before", "meanwhile"]
    assert nodes.role("T") == "Primary"


def test_newer_kernels_get_a_disk_only_without_connections():
    nodes = Nodes("AB").started()
    nodes.hosts["B"].drbd.kernel = (9, 3, 3)
    nodes.up("B")
    nodes.run("B", "drbdsetup", "detach", str(MINOR))
    nodes.up("B")
    nodes.settle()
    assert nodes.disk("B") == "Negotiating"
    nodes.run("B", "drbdsetup", "detach", str(MINOR))
    nodes.admin("B", "disconnect", "r0")
    nodes.up("B")
    nodes.settle()
    assert nodes.disk("B") == "UpToDate"
