"""Who may go on when nodes do not reach each other (user's guide, chapter 11.21).

DRBD since 9.2.2 is less strict in one case: it does not count a node that was seen to lose quorum itself.
"""

from dataclasses import dataclass


@dataclass
class Votes:
    """Nodes as one of them sees them. With a disk: `up_to_date` and `present` are reached, `outdated` and `unknown` are
    not. `diskless` are reached, `missing_diskless` are not. `reached_quorum`: for a node that has no disk, peers that
    are up to date and have quorum themselves."""

    up_to_date: int = 0
    present: int = 0
    outdated: int = 0
    unknown: int = 0
    diskless: int = 0
    missing_diskless: int = 0
    reached_quorum: int = 0


def threshold(setting: str, voters: int) -> int:
    """`majority`, `all` or a number."""
    if setting == "off":
        return 0
    if setting == "majority":
        return voters // 2 + 1
    return voters if setting == "all" else int(setting)


def has_quorum(votes: Votes, setting: str, redundancy: str = "off", had: bool = False) -> bool:
    """`had`: whether this node had quorum until now; only then nodes without a disk may break a tie."""
    if setting == "off":
        return True
    reached = votes.up_to_date + votes.present
    # Where every node that is missing is outdated, none of them can go on elsewhere.
    voters = reached + votes.outdated + votes.unknown if votes.unknown else reached
    needed = threshold(setting, voters)
    if votes.reached_quorum or (reached >= needed and votes.up_to_date >= threshold(redundancy, voters)):
        return True
    tie = voters != 0 and voters % 2 == 0 and reached == needed - 1
    most_diskless = votes.diskless >= threshold("majority", votes.diskless + votes.missing_diskless)
    return had and tie and most_diskless
