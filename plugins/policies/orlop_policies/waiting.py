"""When enough copies are there: `count`, `ratio`, `redundancy`, `quorum`, `all`.

`count` and `ratio` ask for copies that are deployed, in step or not, and mean what they meant in DRBD Manage; the
others ask for copies that also have all of the data.
"""

import re
from fractions import Fraction
from math import ceil

from orlop.codes import Fail
from orlop.errors import Refused
from orlop.plugin import API_VERSION, Awaited, Verdict

MOST = 1000  # copies; more than that no cluster keeps


def _refused(message: str, correction: str) -> Refused:
    return Refused(message, correction=correction, code=Fail.INVLD_REQUEST)


def _check_number(name: str, argument: str) -> None:
    if not re.fullmatch(r"[0-9]{1,4}", argument) or not 1 <= int(argument) <= MOST:
        raise _refused(f"'{argument}' is no number of copies.", f"Say how many, as in '{name}=2'.")


def _check_none(name: str, argument: str) -> None:
    if argument:
        raise _refused(f"The wait policy '{name}' takes no argument, but got '{argument}'.", f"Say only '{name}'.")


def _copies(counted: int, needed: int, words: str) -> str:
    return f"{counted} of {needed} {'copy' if needed == 1 else 'copies'} {words}"


def _too_many(needed: int, awaited: Awaited) -> str:
    planned = len(awaited.copies)
    if needed <= planned:
        return ""
    there = f"there is only {planned}" if planned == 1 else f"there are only {planned}"
    return f"{needed} copies with a disk are asked for, and {there}"


class Count:
    """At least so many copies are deployed."""

    api_version = API_VERSION

    @classmethod
    def check(cls, argument: str) -> None:
        _check_number("count", argument)

    @classmethod
    def judge(cls, argument: str, awaited: Awaited) -> Verdict:
        return deployed(int(argument), awaited)


class Ratio:
    """At least this share of the planned copies is deployed: of three, 0.5 needs two."""

    api_version = API_VERSION

    @classmethod
    def check(cls, argument: str) -> None:
        if not re.fullmatch(r"[01](\.[0-9]{1,6})?|\.[0-9]{1,6}", argument) or not 0 < Fraction(argument) <= 1:
            raise _refused(
                f"'{argument}' is no share of the planned copies.",
                "Say a number above 0 and up to 1; a majority is 'ratio=0.51', for 0.5 is satisfied by one of two.",
            )

    @classmethod
    def judge(cls, argument: str, awaited: Awaited) -> Verdict:
        # Exact: as a binary number, 0.28 of 25 would be a little more than seven.
        return deployed(ceil(len(awaited.copies) * Fraction(argument)), awaited)


def deployed(needed: int, awaited: Awaited) -> Verdict:
    """Of copies that may be out of step."""
    counted = tuple(copy.node for copy in awaited.copies if copy.done)
    return Verdict(
        satisfied=len(counted) >= needed,
        counted=counted,
        said=_copies(len(counted), needed, "deployed"),
        never=_too_many(needed, awaited),
    )


class Redundancy:
    """At least so many copies with a disk have all of the data. Replicas without a disk never count."""

    api_version = API_VERSION

    @classmethod
    def check(cls, argument: str) -> None:
        _check_number("redundancy", argument)

    @classmethod
    def judge(cls, argument: str, awaited: Awaited) -> Verdict:
        needed = int(argument)
        counted = _whole(awaited)
        return Verdict(
            satisfied=len(counted) >= needed,
            counted=counted,
            said=_copies(len(counted), needed, "up to date"),
            never=(_unrelated(awaited) if needed > 1 else "") or _too_many(needed, awaited),
        )


class Quorum:
    """More than half of the votes are there, one of them with all of the data.

    Votes are the copies with a disk, which count once they are up to date, and tiebreakers.
    """

    api_version = API_VERSION

    @classmethod
    def check(cls, argument: str) -> None:
        _check_none("quorum", argument)

    @classmethod
    def judge(cls, argument: str, awaited: Awaited) -> Verdict:
        votes = len(awaited.copies) + len(awaited.voters)
        needed = votes // 2 + 1
        copies = tuple(c.node for c in awaited.copies if c.done and c.up_to_date and c.quorum is not False)
        voters = tuple(c.node for c in awaited.voters if c.done and c.quorum is not False)
        there = len(copies) + len(voters)
        return Verdict(
            satisfied=bool(copies) and there >= needed,
            counted=copies + voters,
            said=f"{there} of {votes} votes, {needed} needed" + ("" if copies else ", none of them up to date"),
            votes=True,
            never=_unrelated(awaited),
        )


class All:
    """Every planned copy is deployed and has all of the data."""

    api_version = API_VERSION

    @classmethod
    def check(cls, argument: str) -> None:
        _check_none("all", argument)

    @classmethod
    def judge(cls, argument: str, awaited: Awaited) -> Verdict:
        counted, needed = _whole(awaited), len(awaited.copies)
        said = _copies(len(counted), needed, "complete")
        return Verdict(satisfied=len(counted) == needed, counted=counted, said=said)


def _whole(awaited: Awaited) -> tuple[str, ...]:
    return tuple(copy.node for copy in awaited.copies if copy.done and copy.up_to_date)


def _unrelated(awaited: Awaited) -> str:
    if awaited.replicated or len(awaited.copies) < 2:
        return ""
    return "the layer stack replicates nothing, so each copy has data of its own"
