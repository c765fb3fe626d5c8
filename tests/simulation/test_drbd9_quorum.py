"""Partitions as the user's guide describes them (chapter 11.21): who keeps quorum, who is promoted, who is behind."""

import pytest

from orlop.errors import NodeError
from orlop.testing.drbd9_model import Suspended
from orlop.testing.drbd9_quorum import Votes, has_quorum
from tests.simulation.drbd9_nodes import DEVICE, Nodes

MAJORITY = "quorum majority; on-no-quorum io-error;"


def cluster(names="ABC", options=MAJORITY, **more):
    return Nodes(names, options=options, **more).started()


def with_quorum(nodes):
    return "".join(name for name in nodes.names if nodes.quorum(name))


def may_write(nodes, name):
    try:
        nodes.write(name, "asked")
    except NodeError:
        return False
    return True


# -- counting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("votes", "setting", "redundancy", "had", "expected"),
    [
        pytest.param(Votes(), "off", "off", False, True, id="off"),
        pytest.param(Votes(up_to_date=1, unknown=1), "majority", "off", True, False, id="one-of-two"),
        pytest.param(Votes(up_to_date=1, unknown=2), "majority", "off", True, False, id="one-of-three"),
        pytest.param(Votes(up_to_date=2, unknown=1), "majority", "off", False, True, id="two-of-three"),
        pytest.param(
            Votes(up_to_date=1, present=1, unknown=1), "majority", "off", False, True, id="inconsistent-counts"
        ),
        pytest.param(Votes(present=2, unknown=1), "majority", "off", False, True, id="two-inconsistent-have-quorum"),
        pytest.param(Votes(up_to_date=2, unknown=2), "majority", "off", True, False, id="half-of-four"),
        pytest.param(Votes(up_to_date=3, unknown=1), "majority", "off", False, True, id="three-of-four"),
        pytest.param(Votes(up_to_date=2, unknown=1), "all", "off", True, False, id="all-but-one"),
        pytest.param(Votes(up_to_date=3), "all", "off", False, True, id="all"),
        pytest.param(Votes(up_to_date=2, unknown=3), "2", "off", False, True, id="number-reached"),
        pytest.param(Votes(up_to_date=1, unknown=1), "2", "off", True, False, id="number-missed"),
        pytest.param(Votes(up_to_date=2, present=1, unknown=2), "majority", "2", False, True, id="redundant-enough"),
        pytest.param(
            Votes(up_to_date=1, present=2, unknown=2), "majority", "2", True, False, id="not-redundant-enough"
        ),
        pytest.param(Votes(up_to_date=2, present=1), "majority", "all", True, False, id="every-one-up-to-date"),
        pytest.param(Votes(up_to_date=1, outdated=2), "majority", "off", False, True, id="all-missing-are-outdated"),
        pytest.param(Votes(up_to_date=1, outdated=1, unknown=1), "majority", "off", True, False, id="one-is-unknown"),
        pytest.param(Votes(up_to_date=1, unknown=1, diskless=1), "majority", "off", True, True, id="tie-broken"),
        pytest.param(Votes(up_to_date=1, unknown=1, diskless=1), "majority", "off", False, False, id="not-regained"),
        pytest.param(Votes(up_to_date=1, unknown=1, missing_diskless=1), "majority", "off", True, False, id="no-tie"),
        pytest.param(Votes(up_to_date=1, unknown=2, diskless=1), "majority", "off", True, False, id="odd-no-tie"),
        pytest.param(Votes(up_to_date=1, unknown=3, diskless=1), "majority", "off", True, False, id="not-by-one"),
        pytest.param(
            Votes(up_to_date=2, unknown=2, diskless=1, missing_diskless=1),
            "majority",
            "off",
            True,
            False,
            id="half-of-them",
        ),
        pytest.param(
            Votes(up_to_date=2, unknown=2, diskless=2, missing_diskless=1),
            "majority",
            "off",
            True,
            True,
            id="most-of-them",
        ),
        pytest.param(
            Votes(unknown=2, diskless=1, reached_quorum=1), "majority", "off", False, True, id="a-peer-has-it"
        ),
    ],
)
def test_votes_are_counted_as_the_guide_says(votes, setting, redundancy, had, expected):
    assert has_quorum(votes, setting, redundancy, had) is expected


# -- partitions, everybody secondary before ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "diskless", "cuts", "quorate"),
    [
        pytest.param("AB", "", ["AB"], "", id="two-nodes-have-none"),
        pytest.param("ABC", "", ["AC", "BC"], "AB", id="three-minus-one"),
        pytest.param("ABC", "", ["AB", "AC", "BC"], "", id="three-alone"),
        pytest.param("ABC", "", ["AB"], "ABC", id="three-in-a-row"),
        pytest.param("ABCD", "", ["AC", "AD", "BC", "BD"], "", id="four-in-halves"),
        pytest.param("ABCD", "", ["AD", "BD", "CD"], "ABC", id="four-minus-one"),
        pytest.param("ABCDE", "", ["AD", "AE", "BD", "BE", "CD", "CE"], "ABC", id="five-three-and-two"),
        pytest.param("ABT", "T", ["AB", "BT"], "AT", id="tiebreaker-with-one"),
        pytest.param("ABT", "T", ["AB"], "ABT", id="tiebreaker-sees-both"),
        pytest.param("ABT", "T", ["AT", "BT"], "AB", id="without-tiebreaker"),
        pytest.param("ABT", "T", ["AB", "AT", "BT"], "", id="all-alone"),
        pytest.param("ABCDT", "T", ["AC", "AD", "BC", "BD", "CT", "DT"], "ABT", id="tiebreaker-between-halves"),
        pytest.param("ABCT", "T", ["AB", "AC", "BT", "CT"], "BC", id="diskless-does-not-outvote-three"),
        pytest.param("ABST", "ST", ["AB", "BS", "BT"], "AST", id="two-diskless-with-one"),
        pytest.param("ABSTU", "STU", ["AB", "AU", "BS", "BT"], "ASTU", id="diskless-know-nothing-of-each-other"),
    ],
)
def test_who_has_quorum_after_a_cut(names, diskless, cuts, quorate):
    nodes = cluster(names, diskless=diskless)
    nodes.cut(*cuts)
    assert with_quorum(nodes) == quorate
    nodes.heal()
    assert with_quorum(nodes) == "".join(names)


def test_clients_have_no_vote():
    nodes = cluster("ABT", diskless="T", clients="T")
    nodes.cut("AB", "BT")
    assert with_quorum(nodes) == ""


# -- the pictures of chapter 11.21.3 ----------------------------------------------------------------------------------


def in_use(names="ABT", diskless="T", primary="A", **more):
    nodes = cluster(names, diskless=diskless, **more)
    nodes.primary(primary)
    nodes.write(primary, "first")
    return nodes


def test_two_nodes_that_lose_each_other_stop():
    nodes = in_use("AB", "")
    nodes.cut("AB")
    assert not may_write(nodes, "A")
    assert not nodes.may_promote("B")


def test_the_primary_goes_on_and_the_secondary_is_outdated_while_both_see_the_tiebreaker():
    nodes = in_use()
    nodes.cut("AB")
    assert may_write(nodes, "A")
    assert nodes.disk("B") == "Outdated"
    assert not nodes.may_promote("B")
    nodes.heal()
    assert nodes.disks() == {"A": "UpToDate", "B": "UpToDate", "T": "Diskless"}
    assert nodes.stored("B") == "asked"


def test_an_isolated_secondary_keeps_its_data_but_is_not_promoted():
    nodes = in_use()
    nodes.cut("AB", "BT")
    assert may_write(nodes, "A")
    assert nodes.disk("B") == "UpToDate"
    assert not nodes.quorum("B")
    assert not nodes.may_promote("B")


def test_an_isolated_primary_stops_and_the_other_one_goes_on():
    nodes = in_use()
    nodes.cut("AB", "AT")
    assert not may_write(nodes, "A")
    nodes.primary("B")
    assert may_write(nodes, "B")
    nodes.secondary("A")
    nodes.heal()
    assert nodes.disks() == {"A": "UpToDate", "B": "UpToDate", "T": "Diskless"}
    assert nodes.stored("A") == "asked"


def test_nobody_goes_on_when_the_primary_loses_the_tiebreaker_after_the_secondary():
    nodes = in_use()
    nodes.cut("AB")
    nodes.cut("AT")
    assert not may_write(nodes, "A")
    assert not nodes.may_promote("B")


def test_what_lost_quorum_does_not_get_it_back_from_a_node_without_a_disk():
    nodes = in_use()
    nodes.cut("AB", "BT")  # the secondary is away
    assert may_write(nodes, "A")
    nodes.cut("AT")
    nodes.heal("BT")  # the tiebreaker changes sides
    assert not nodes.quorum("A")
    assert not nodes.quorum("B")
    assert not may_write(nodes, "A")
    assert not nodes.may_promote("B")
    nodes.heal("AB")  # what does help
    assert may_write(nodes, "A")
    assert nodes.stored("B") == "asked"


def test_a_restarted_node_gets_no_quorum_from_the_tiebreaker_alone():
    nodes = in_use()
    nodes.secondary("A")
    nodes.power_loss("A", "B")
    nodes.up("B")
    nodes.settle()
    assert nodes.connection("B", "T") == "Connected"
    assert not nodes.quorum("B")
    assert not nodes.may_promote("B")
    nodes.up("A")
    nodes.settle()
    assert nodes.quorum("B")
    assert nodes.may_promote("B")


def test_the_tiebreaker_may_itself_be_the_user():
    nodes = cluster("ABT", diskless="T")
    nodes.primary("T")
    nodes.write("T", "first")
    nodes.cut("BT")
    nodes.write("T", "second")
    assert nodes.stored("A") == "second"
    assert nodes.stored("B") == "first"
    assert nodes.disk("B") == "Outdated"
    nodes.cut("AT")
    assert not may_write(nodes, "T")


# -- leaving in order -------------------------------------------------------------------------------------------------


def test_those_that_left_in_order_do_not_take_quorum_from_who_stays():
    nodes = in_use("ABC", "")
    for name in "BC":
        nodes.admin(name, "down", "r0")
        nodes.settle()
    assert may_write(nodes, "A")
    assert nodes.quorum("A")


def test_those_that_vanish_do():
    nodes = in_use("ABC", "")
    nodes.power_loss("B")
    assert may_write(nodes, "A")
    nodes.power_loss("C")
    assert not may_write(nodes, "A")


def test_whoever_left_in_order_waits_for_the_others_when_it_comes_back_first():
    nodes = in_use("ABC", "")
    nodes.admin("B", "down", "r0")
    nodes.write("A", "second")
    nodes.power_loss("A", "C")
    nodes.up("B")
    nodes.settle()
    assert nodes.disk("B") == "Outdated"
    assert not nodes.may_promote("B")
    nodes.up("C")
    nodes.settle()
    assert nodes.disk("B") == "UpToDate"
    assert nodes.stored("B") == "second"


def test_a_forgotten_peer_has_no_vote_any_more():
    nodes = in_use("ABC", "")
    nodes.power_loss("C")
    nodes.names.remove("C")
    for name in "AB":
        nodes.configure(name)
        nodes.up(name)
    nodes.cut("AB")
    assert not nodes.quorum("A")
    nodes.heal()
    for name in "AB":
        nodes.run(name, "drbdsetup", "forget-peer", "r0", "2")
    nodes.power_loss("B")
    assert not nodes.quorum("A")  # one of two
    assert 2 not in nodes.metadata("A").slots


# -- what users notice ------------------------------------------------------------------------------------------------


def test_writes_wait_where_that_is_wanted_and_go_on_with_quorum():
    nodes = cluster(options="quorum majority; on-no-quorum suspend-io;")
    nodes.primary("A")
    nodes.isolate("A")
    with pytest.raises(Suspended, match="quorum"):
        nodes.write("A", "waits")
    assert "suspended:quorum" in nodes.run("A", "drbdsetup", "events2", "--now")
    nodes.heal()
    nodes.write("A", "waits")
    assert nodes.stored("C") == "waits"


def test_writes_wait_while_an_administrator_holds_them_back():
    nodes = cluster()
    nodes.primary("A")
    nodes.run("A", "drbdsetup", "suspend-io", "1000")
    with pytest.raises(Suspended, match="user"):
        nodes.write("A", "waits")
    nodes.run("A", "drbdsetup", "resume-io", "1000")
    nodes.write("A", "goes on")
    assert nodes.stored("B") == "goes on"


def test_without_quorum_nobody_opens_it_on_the_fly():
    nodes = cluster()
    nodes.isolate("C")
    with pytest.raises(NodeError, match="No quorum"):
        nodes.write("C", "lost")
    nodes.hosts["C"].disk.use(DEVICE, "mounted on /mnt")
    nodes.settle()
    assert nodes.role("C") == "Secondary"
    nodes.hosts["A"].disk.use(DEVICE, "mounted on /mnt")
    nodes.settle()
    assert nodes.role("A") == "Primary"
    nodes.hosts["A"].disk.release(DEVICE)
    nodes.settle()
    assert nodes.role("A") == "Secondary"


def test_the_minimal_redundancy_makes_services_wait_for_the_synchronization():
    nodes = cluster("ABCDE", options=f"{MAJORITY} quorum-minimum-redundancy 2;")
    nodes.primary("A")
    nodes.cut("AB", "AC", "BC")
    assert nodes.quorum("A")  # with D and E
    nodes.isolate("D")
    nodes.isolate("E")
    assert not nodes.quorum("A")
    nodes.secondary("A")
    nodes.admin("A", "pause-sync", "r0")
    for name in "BCDE":
        nodes.admin(name, "down", "r0")
        nodes.create(name)
    nodes.heal()
    nodes.up("B", "C")
    assert (nodes.disk("B"), nodes.disk("C")) == ("Inconsistent", "Inconsistent")
    nodes.settle()
    assert not nodes.quorum("A")
    nodes.admin("A", "resume-sync", "r0")
    nodes.settle()
    assert nodes.quorum("A")


def test_two_primaries_need_to_be_allowed_even_when_they_only_meet_through_others():
    nodes = cluster()
    nodes.primary("A")
    with pytest.raises(NodeError, match=r"\(-1\) Multiple primaries"):
        nodes.primary("B")
    nodes.cut("AB")
    with pytest.raises(NodeError, match=r"\(-1\) Multiple primaries"):
        nodes.primary("B")
    allowed = cluster(net="allow-two-primaries yes;")
    allowed.primary("A")
    allowed.primary("B")
    allowed.write("A", "one", 0)
    allowed.write("B", "two", 1)
    assert [allowed.stored("C", block) for block in (0, 1)] == ["one", "two"]


def test_force_overrules_quorum_and_what_is_not_up_to_date():
    nodes = in_use()
    nodes.cut("AB")
    nodes.power_loss("A")
    assert nodes.disk("B") == "Outdated"
    assert not nodes.may_promote("B")
    nodes.primary("B", "--force")
    assert (nodes.role("B"), nodes.disk("B")) == ("Primary", "UpToDate")


def test_who_is_forced_takes_everybody_missing_for_outdated():
    nodes = cluster()
    nodes.isolate("C")
    nodes.primary("C", "--force")
    assert nodes.quorum("C")
    assert may_write(nodes, "C")
