"""Wait policies as tables: an expression, what is known of the copies, and the answer."""

import pytest

from orlop.controller.wait import beyond, hopeless, judge, parse
from orlop.controller.wait.expressions import check
from orlop.drivers import WAIT_FOR, Drivers
from orlop.errors import Refused, UnknownDriver
from orlop.plugin import API_VERSION, Awaited, Copy, Verdict, WaitPolicy
from tests.controller.wait_volumes import DRIVERS, awaited

YES, NO = True, False

# U up to date, N the same without quorum, I deployed and out of step, c being created, a away, f failed;
# after a plus replicas without a disk: t connected, x not.
REPLICATED = [
    # expression, volumes, satisfied
    ("count=1", "c", NO),
    ("count=1", "I", YES),
    ("count=1", "a", NO),
    ("count=1", "cU", YES),
    ("count=2", "cU", NO),
    ("count=2", "IU", YES),
    ("count=2", "faU", NO),
    ("count=2", "UUU", YES),
    ("count=1", "c+t", NO),
    ("ratio=0.5", "Ic", YES),
    ("ratio=0.51", "Ic", NO),
    ("ratio=0.5", "Icc", NO),
    ("ratio=0.5", "IIc", YES),
    ("ratio=0.6", "IIIcc", YES),
    ("ratio=0.6", "IIccc", NO),
    ("ratio=0.75", "IIIcc", NO),
    ("ratio=1", "III", YES),
    ("ratio=1.0", "IIc", NO),
    ("ratio=.34", "Ica", NO),
    ("ratio=.33", "Ica", YES),
    ("ratio=0.000001", "cccc", NO),
    ("ratio=0.7", "IIIIIcc", YES),
    ("redundancy=1", "I", NO),
    ("redundancy=1", "U", YES),
    ("redundancy=1", "IU", YES),
    ("redundancy=2", "IU", NO),
    ("redundancy=2", "UaU", YES),
    ("redundancy=2", "UI+t", NO),
    ("redundancy=2", "NU", YES),
    ("redundancy=3", "UUUU", YES),
    ("quorum", "U", YES),
    ("quorum", "I", NO),
    ("quorum", "UI", NO),
    ("quorum", "UU", YES),
    ("quorum", "UI+t", YES),
    ("quorum", "UI+x", NO),
    ("quorum", "II+t", NO),
    ("quorum", "I+tt", NO),
    ("quorum", "aU+t", YES),
    ("quorum", "aN+t", NO),
    ("quorum", "UUa", YES),
    ("quorum", "Uaa", NO),
    ("quorum", "UaI+t", NO),
    ("quorum", "UUaa", NO),
    ("quorum", "UUaa+t", YES),
    ("all", "U", YES),
    ("all", "UU", YES),
    ("all", "UI", NO),
    ("all", "Ua", NO),
    ("all", "UU+x", YES),
    ("all", "N", YES),
    ("count=3 or ratio=0.75", "IIIcc", YES),
    ("count=4 or ratio=0.75", "IIIcc", NO),
    ("count=4 or ratio=0.75", "IIIIc", YES),
    ("count=2 and redundancy=1", "II", NO),
    ("count=2 and redundancy=1", "UI", YES),
    ("count=2 and redundancy=1", "Uc", NO),
    ("count=1 or all and quorum", "Icc", YES),
    ("(count=1 or all) and quorum", "Icc", NO),
    ("(count=1 or all) and quorum", "UUc", YES),
    ("redundancy=2 and (quorum or all)", "UUa", YES),
    ("redundancy=2 and (quorum or all)", "UIa+x", NO),
    ("all or count=1", "f", NO),
    ("ALL Or COUNT=1", "I", YES),
    ("count = 1", "I", YES),
    # the volume that is furthest behind decides
    ("count=1", "I c", NO),
    ("count=1", "Ic cI", YES),
    ("count=2", "II Ic", NO),
    ("count=2", "II II", YES),
    ("redundancy=1", "U I", NO),
    ("redundancy=1", "UI IU", YES),
    ("all", "UU UI", NO),
    ("quorum", "UU+t IU+t", YES),
    ("quorum", "UU+t IU+x", NO),
    ("count=1 or redundancy=1", "I c", NO),
    ("count=1 or redundancy=2", "Ic cI", YES),
]


@pytest.mark.parametrize(("text", "volumes", "satisfied"), REPLICATED)
def test_a_policy_is_satisfied(text, volumes, satisfied):
    volumes = [awaited(line, number) for number, line in enumerate(volumes.split())]
    assert judge(DRIVERS, parse(text), volumes).satisfied is satisfied


def test_a_share_is_exact():
    """Binary fractions are not: 0.28 of 25 would be a little more than seven."""
    copies = tuple(Copy(node=f"node{number}", done=number < 7) for number in range(25))
    volume = Awaited(volume=0, copies=copies)
    assert judge(DRIVERS, parse("ratio=0.28"), [volume]).satisfied
    assert not judge(DRIVERS, parse("ratio=0.280001"), [volume]).satisfied


UNRELATED = [
    ("count=2", "UU", YES),
    ("ratio=0.5", "Uc", YES),
    ("redundancy=1", "U", YES),
    ("redundancy=1", "Uc", YES),
    ("redundancy=1", "ca", NO),
    ("quorum", "U", YES),
    ("all", "UU", YES),
    ("all", "Uc", NO),
]


@pytest.mark.parametrize(("text", "volumes", "satisfied"), UNRELATED)
def test_a_policy_is_satisfied_by_copies_that_are_not_replicated(text, volumes, satisfied):
    assert judge(DRIVERS, parse(text), [awaited(volumes, replicated=False)]).satisfied is satisfied


NEVER = [
    ("count=2", "c", "count=2: 2 copies with a disk are asked for, and there is only 1"),
    ("count=4", "Uca", "4 copies with a disk are asked for, and there are only 3"),
    ("count=3", "UI+t", "there are only 2"),
    ("redundancy=3", "UI+t", "there are only 2"),
    ("count=1", "a", ""),
    ("count=1", "f", ""),
    ("redundancy=2", "aa", ""),
    ("quorum", "ff", ""),
    ("all", "af", ""),
    ("ratio=1", "aaa", ""),
    ("count=5 or count=1", "c", ""),
    ("count=5 or count=6", "c", "count=5: 5 copies with a disk are asked for, and there is only 1; count=6:"),
    ("count=5 and count=1", "c", "count=5"),
    ("count=1 and (count=5 or count=2)", "c", "count=5"),
    ("count=1 and (count=5 or all)", "c", ""),
    ("count=2", "cc c", "there is only 1"),
]


@pytest.mark.parametrize(("text", "volumes", "why"), NEVER)
def test_what_can_never_be_satisfied_says_so(text, volumes, why):
    volumes = [awaited(line, number) for number, line in enumerate(volumes.split())]
    never = judge(DRIVERS, parse(text), volumes).never
    assert never.startswith(why) or why in never
    assert bool(never) == bool(why)


@pytest.mark.parametrize(("text", "never"), [("redundancy=2", YES), ("quorum", YES), ("redundancy=1", NO), ("all", NO)])
def test_unrelated_copies_are_no_redundancy(text, never):
    found = judge(DRIVERS, parse(text), [awaited("cc", replicated=False)]).never
    assert ("replicates nothing" in found) is never


BEYOND = [
    # expression, place count, whether copies are replicated, why they can never satisfy it
    ("count=2", 2, YES, ""),
    ("count=3", 2, YES, "count=3: 3 copies with a disk are asked for, and there are only 2"),
    ("redundancy=2", 1, YES, "and there is only 1"),
    ("count=1 or count=3", 2, YES, ""),
    ("count=1 and count=3", 2, YES, "count=3: "),
    ("count=3 or redundancy=4", 2, YES, "only 2; redundancy=4: "),
    ("all and ratio=1 and quorum", 1, YES, ""),
    ("redundancy=2", 2, NO, "replicates nothing"),
    ("quorum", 2, NO, "replicates nothing"),
    ("quorum", 1, NO, ""),
    ("count=3 or near", 2, YES, ""),  # where copies are is not known before there are any
    ("near", 2, YES, ""),
    ("count=3 and near", 2, YES, "count=3: "),
    ("votes", 2, YES, ""),
    ("named", 2, YES, ""),
    ("named and count=3", 2, YES, "count=3: "),
]


class Near:
    """A copy in the north is needed."""

    api_version = API_VERSION

    @classmethod
    def check(cls, argument):
        pass

    @classmethod
    def judge(cls, argument, awaited):
        north = any(copy.props.get("Aux/site") == "north" for copy in awaited.copies)
        return Verdict(satisfied=north, never="" if north else "there is none in the north")


class Votes(Near):
    """Three votes, whoever has them."""

    @classmethod
    def judge(cls, argument, awaited):
        few = len(awaited.copies) + len(awaited.voters) < 3
        return Verdict(satisfied=not few, never="there are fewer than three" if few else "")


class Named(Near):
    """Looks at what nodes have only when there are some."""

    @classmethod
    def judge(cls, argument, awaited):
        return Verdict(satisfied={copy.props["Aux/site"] for copy in awaited.copies} == {"north"})


PLUGINS = Drivers({WAIT_FOR: {**DRIVERS.all(WAIT_FOR), "near": Near, "votes": Votes, "named": Named}})


@pytest.mark.parametrize(("text", "count", "replicated", "why"), BEYOND)
def test_what_so_many_copies_can_never_satisfy(text, count, replicated, why):
    never = beyond(PLUGINS, parse(text), count, replicated)
    assert why in never
    assert bool(never) == bool(why)


MISSING = [
    ("count=3", "UIc", [("charlie", 0, "being created", NO)]),
    ("redundancy=3", "UIa", [("bravo", 0, "Inconsistent", NO), ("charlie", 0, "the node is away", YES)]),
    ("redundancy=2", "UI+x", [("bravo", 0, "Inconsistent", NO)]),
    ("quorum", "UI+x", [("bravo", 0, "Inconsistent", NO), ("charlie", 0, "connected to no other replica", NO)]),
    ("count=2", "Uc cU", [("alpha", 1, "being created", NO), ("bravo", 0, "being created", NO)]),
    ("count=2 and all", "Ic", [("alpha", 0, "Inconsistent", NO), ("bravo", 0, "being created", NO)]),
    ("count=1", "Uc", []),
]


@pytest.mark.parametrize(("text", "volumes", "missing"), MISSING)
def test_who_is_missing_is_told_with_the_reason(text, volumes, missing):
    volumes = [awaited(line, number) for number, line in enumerate(volumes.split())]
    found = judge(DRIVERS, parse(text), volumes).missing
    assert [(m.node, m.volume, m.reason, m.stalled) for m in found] == missing


HOPELESS = [
    ("all", "Uc", NO),
    ("all", "Ua", YES),
    ("all", "Uf", YES),
    ("count=1", "ca", NO),
    ("count=1", "fa", YES),
    ("redundancy=2", "IIa", NO),
    ("redundancy=3", "IIa", YES),
    ("quorum", "Ia+x", NO),
    ("quorum", "Ia+a", YES),
    ("quorum", "aN+t", NO),
]


@pytest.mark.parametrize(("text", "volumes", "expected"), HOPELESS)
def test_without_the_nodes_that_stand_still_there_may_be_no_hope(text, volumes, expected):
    assert hopeless(DRIVERS, parse(text), [awaited(volumes)]) is expected


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("ratio=1 or count=1", "count"),
        ("ratio=.5 or count=1", "ratio"),
        ("ratio=1 or count=2", "count"),
        ("count=2 or all", "all"),
    ],
)
def test_the_policy_that_decided_is_the_first_that_is_satisfied_or_the_last_one(text, policy):
    assert judge(DRIVERS, parse(text), [awaited("Ic")]).decided_by.name == policy


def test_how_far_it_is_is_said():
    assert judge(DRIVERS, parse("count=3 or quorum"), [awaited("UIc+t")]).said == (
        "count=3: 2 of 3 copies deployed; quorum: 2 of 4 votes, 3 needed"
    )
    assert judge(DRIVERS, parse("redundancy=1"), [awaited("I")]).said == "redundancy=1: 0 of 1 copy up to date"
    assert judge(DRIVERS, parse("quorum"), [awaited("II+t")]).said.endswith("none of them up to date")


CANONICAL = [
    ("count=1", "count=1"),
    ("Count = 1 OR all", "count=1 or all"),
    ("((count=1))", "count=1"),
    ("count=1 and count=2 or all", "count=1 and count=2 or all"),
    ("count=1 and (count=2 or all)", "count=1 and (count=2 or all)"),
    ("(count=1 or all)and(quorum)", "(count=1 or all) and quorum"),
]


@pytest.mark.parametrize(("text", "shown"), CANONICAL)
def test_an_expression_is_shown_so_that_it_reads_the_same(text, shown):
    assert str(parse(text)) == shown
    assert parse(shown) == parse(text)


UNREADABLE = [
    "",
    " ",
    "and",
    "count=1 and",
    "or count=1",
    "count=1 count=2",
    "(count=1",
    "count=1)",
    "()",
    "count=1, all",
    "=1",
    "1",
    "count=1 & all",
    " and ".join(["all"] * 40),
    "(" * 65 + "all" + ")" * 65,
]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(Refused, match="cannot be understood") as caught:
        parse(text)
    assert "redundancy=2" in caught.value.correction


WRONG = [
    "count",
    "count==1",
    "count=0",
    "count=-1",
    "count=two",
    "count=1.5",
    "count=99999",
    "count=٣",
    "redundancy",
    "redundancy=0",
    "ratio",
    "ratio=0",
    "ratio=1.1",
    "ratio=50%",
    "ratio=1e-1",
    "ratio=nan",
    "quorum=1",
    "all=2",
    "all and (quorum or count=0)",
]


@pytest.mark.parametrize("text", WRONG)
def test_an_argument_that_makes_no_sense_is_refused(text):
    with pytest.raises(Refused) as caught:
        check(DRIVERS, parse(text))
    assert caught.value.correction


def test_a_policy_that_is_not_installed_is_named_with_those_that_are():
    with pytest.raises(UnknownDriver, match="named 'some'; installed: all, count, quorum, ratio, redundancy"):
        check(DRIVERS, parse("some=1 or all"))


def test_the_built_in_policies_keep_the_contract():
    for policy in DRIVERS.all(WAIT_FOR).values():
        assert isinstance(policy, WaitPolicy)
        assert policy.__doc__


class Broken:
    api_version = API_VERSION

    @classmethod
    def check(cls, argument: str) -> None:
        return

    @classmethod
    def judge(cls, argument: str, awaited: Awaited) -> Verdict:
        raise KeyError("site")


def test_a_policy_that_fails_is_named():
    drivers = Drivers({WAIT_FOR: {"broken": Broken}})
    with pytest.raises(Refused, match="'broken' failed: KeyError: 'site'"):
        judge(drivers, parse("broken"), [awaited("U")])
