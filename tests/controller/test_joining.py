"""Which new replicas meet the others before they count: those that could cost somebody quorum."""

import pytest
from msgspec.structs import replace

from orlop.controller.diskless import JOINING, TIE_BREAKER
from orlop.controller.joining import begun
from tests.controller.drbd9 import NODES, cluster, replica, replicated, reports, without_disk


def seen(nine, of, dead):
    """All that are up say what they reach."""
    for name, report in reports(of, {r.node: "Diskless" if r.diskless else "UpToDate" for r in of.resources}).items():
        if name not in dead:
            nine.reported.node(name).resources[of.name] = replace(
                report, volumes=tuple(_without(v, dead) for v in report.volumes)
            )


def _without(volume, dead):
    def cut(level):
        lost = {f"peer/{node}/connection": "Connecting" for node in dead}
        return replace(level, facts={**level.facts, **{name: to for name, to in lost.items() if name in level.facts}})

    return replace(volume, levels=tuple(map(cut, volume.levels)))


@pytest.mark.parametrize(
    ("disks", "breaker", "dead", "added", "quorum", "waits"),
    [
        (2, True, [], 1, "majority", False),
        (2, True, ["bravo"], 1, "majority", True),
        (2, False, [], 1, "majority", False),
        (2, False, [], 2, "majority", True),
        (1, False, [], 1, "majority", True),
        (3, False, [], 1, "majority", False),
        (3, False, ["bravo"], 1, "majority", True),
        (2, True, [], 1, "all", True),
        (2, True, ["bravo"], 1, "1", False),
        (2, True, ["charlie"], 1, "majority", False),
    ],
)
def test_a_new_replica_waits_where_votes_are_short(picture, disks, breaker, dead, added, quorum, waits):
    nine = cluster(picture)
    there = [replica(name) for name in NODES[:disks]]
    there += [without_disk(NODES[disks], TIE_BREAKER)] if breaker else []
    before = replicated(*there)
    seen(nine, before, dead)
    new = [replica(name, new=True) for name in NODES[len(there) :][:added]]
    after = begun(nine.reported, before, replicated(*there, *new), quorum)
    found = [r.node for r in after.resources if JOINING in r.flags]
    assert found == ([r.node for r in new] if waits else [])


def test_of_whom_nothing_is_known_nothing_is_guessed(picture):
    nine = cluster(picture)
    before = replicated(replica("alpha"), replica("bravo"), replica("charlie"))
    after = begun(nine.reported, before, replicated(*before.resources, replica("delta", new=True)), "majority")
    assert [r.node for r in after.resources if JOINING in r.flags] == ["delta"]


def test_what_was_never_used_waits_for_nobody(picture):
    nine = cluster(picture)
    before = replicated(replica("alpha", new=True), replica("bravo", new=True))
    after = replicated(*before.resources, replica("charlie", new=True))
    assert begun(nine.reported, before, after, "majority") is after
