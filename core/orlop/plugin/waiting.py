"""The contract of wait policies: when enough of what was asked for is there. Pure: the controller owns the clock.

A policy is asked about one volume at a time, again whenever something changes, and answers at once from what it is
given. With several volumes, it has to be satisfied for each of them.
"""

from collections.abc import Mapping
from typing import ClassVar, Protocol, runtime_checkable

from orlop.model.cluster import Value


class Copy(Value, frozen=True, kw_only=True):
    """What is known of one replica of a volume, or of one node's part of a snapshot. What is unknown is False."""

    node: str
    done: bool = False  # as awaited, by a report about the newest order: made; as large as asked for; taken
    up_to_date: bool = False  # and known to have all of the data
    quorum: bool | None = None  # what the layer says, where it knows of a quorum
    problem: str = ""  # what is missing of the two, a few words
    stalled: bool = False  # nothing goes on there by itself for now: the node is away, or failed and tries again later
    props: Mapping[str, str] = {}  # of the node


class Awaited(Value, frozen=True, kw_only=True):
    """One volume, or one volume of a snapshot, as a policy sees it."""

    volume: int
    copies: tuple[Copy, ...]  # planned ones: with a disk, active, and not on their way out; sorted by node
    voters: tuple[Copy, ...] = ()  # replicas without a disk that have a vote; done while they are connected
    replicated: bool = False  # the copies hold the same data


class Verdict(Value, frozen=True, kw_only=True):
    """`counted` are the nodes whose copies count so far; those of the other copies are told as missing."""

    satisfied: bool
    counted: tuple[str, ...] = ()
    said: str = ""  # how far it is, a few words: "1 of 2 copies"
    votes: bool = False  # voters count as well, so that those that do not are told as missing, too
    never: str = ""  # why it can't be satisfied however long one waits, one sentence; of planned copies only


@runtime_checkable
class WaitPolicy(Protocol):
    """The entry point bears the name by which it is asked for: `NAME`, or `NAME=ARGUMENT`."""

    api_version: ClassVar[int]

    @classmethod
    def check(cls, argument: str) -> None:
        """Raises `Refused` for an argument that makes no sense; it is empty where none was given."""
        ...

    @classmethod
    def judge(cls, argument: str, awaited: Awaited) -> Verdict:
        """Must not look at a clock or wait; the argument was checked before."""
        ...
