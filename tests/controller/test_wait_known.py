"""What is known of each copy, from what is wanted and what was reported."""

import pytest
from msgspec.structs import replace

from orlop.controller.diskless import JOINING
from orlop.controller.picture import Draft
from orlop.controller.reported import Status
from orlop.controller.wait import known
from orlop.errors import NotFound, Refused
from orlop.model import (
    GIB,
    KIB,
    NodeSnapshot,
    Operation,
    Presence,
    ReportedLevel,
    ReportedResource,
    ReportedSnapshot,
    ReportedVolume,
    Snapshot,
    SnapshotVolume,
    VolumeDefinition,
)
from tests.controller.conftest import node
from tests.controller.drbd9 import cluster, replica, replicated, without_disk

READY = Presence.READY
FACTS = {"disk": "UpToDate", "peer/bravo/connection": "Connected"}


class Scene:
    """Nodes with DRBD 9 and one definition; reports are said by node."""

    def __init__(self, picture, definition):
        made = cluster(picture)
        self.draft, self.reported, self.definition = made.picture, made.reported, definition
        self.draft.put(definition)

    def say(self, at, presence=READY, facts=None, problem="", size=GIB, plan=(), **more):
        resource = next(r for r in self.definition.resources if r.node == at)
        level = ReportedLevel(layer="DRBD", presence=presence, facts=FACTS if facts is None else facts)
        volumes = tuple(
            ReportedVolume(number=v.number, uuid=v.uuid, presence=presence, size=size, levels=(level,))
            for v in resource.volumes
        )
        report = ReportedResource(
            name="web", revision=9, settled=not problem, volumes=volumes, problem=problem, plan=plan
        )
        self.reported.node(at).resources["web"] = replace(report, **more)

    def volumes(self, number=None):
        return known.of_resource(self.draft, self.reported, self.definition, number)

    def copies(self):
        (volume,) = self.volumes()
        return {c.node: c for c in volume.copies}

    def copy(self, at="alpha"):
        return self.copies()[at]


@pytest.fixture
def scene(picture):
    return Scene(picture, replicated(replica("alpha"), replica("bravo")))


def test_a_copy_is_done_and_up_to_date_when_both_are_reported(scene):
    scene.say("alpha")
    copy = scene.copy()
    assert (copy.done, copy.up_to_date, copy.problem, copy.stalled) == (True, True, "", False)


def test_nothing_is_known_before_the_first_report(scene):
    assert (scene.copy().done, scene.copy().problem) == (False, "the node is at work")
    assert not scene.copy().stalled


def test_a_report_about_an_older_order_does_not_count(scene):
    scene.say("alpha")
    scene.reported.node("alpha").required["web"] = 10
    assert not scene.copy().done


STATES = [
    # what is said, done, up to date, problem, stalled
    ({"presence": Presence.ABSENT}, False, False, "being created", False),
    ({"presence": Presence.HIDDEN}, False, False, "being created", False),
    (
        {"presence": Presence.ABSENT, "plan": ("lvcreate web", "up")},
        False,
        False,
        "being created, next: lvcreate",
        False,
    ),
    ({"problem": "no space left"}, False, False, "failed: no space left", True),
    ({"facts": {"disk": "Inconsistent"}}, True, False, "Inconsistent", False),
    ({"facts": {"disk": "Outdated"}}, True, False, "Outdated", False),
    ({"facts": {"disk": "Diskless"}}, True, False, "Diskless", False),
    ({"facts": {}}, True, False, "the state of its disk is not known", False),
    (
        {"facts": {"disk": "Inconsistent", "peer/bravo/replication": "SyncTarget", "peer/bravo/synced": "45.20"}},
        True,
        False,
        "Inconsistent, 45.20% synchronized from bravo",
        False,
    ),
    ({"facts": {"disk": "UpToDate", "quorum": "no"}}, True, True, "no quorum", False),
    ({"facts": {"disk": "UpToDate", "quorum": "yes"}}, True, True, "", False),
    ({"volumes": ()}, False, False, "being created", False),
]


@pytest.mark.parametrize(("said", "done", "up_to_date", "problem", "stalled"), STATES)
def test_what_is_reported_decides(scene, said, done, up_to_date, problem, stalled):
    scene.say("alpha", **said)
    copy = scene.copy()
    assert (copy.done, copy.up_to_date, copy.stalled) == (done, up_to_date, stalled)
    assert copy.problem.startswith(problem)
    assert bool(copy.problem) == bool(problem)


def test_a_volume_that_is_new_is_not_done_before_that_is_committed(picture):
    scene = Scene(picture, replicated(replica("alpha", new=True)))
    scene.say("alpha")
    assert not scene.copy().done


@pytest.mark.parametrize("status", [Status.OFFLINE, Status.CONNECTED, Status.OTHER_CONTROLLER])
def test_of_a_node_that_is_away_nothing_counts(scene, status):
    scene.say("alpha")
    scene.reported.node("alpha").status = status
    scene.reported.node("alpha").problem = "connection refused"
    copy = scene.copy()
    assert (copy.done, copy.stalled, copy.problem) == (False, True, "the node is away: connection refused")


def test_copies_without_replication_have_all_the_data_there_is(scene):
    scene.definition = replace(scene.definition, layers=("STORAGE",))
    scene.say("alpha", facts={})
    assert scene.copy().up_to_date
    assert not scene.volumes()[0].replicated


def test_only_active_replicas_with_a_disk_that_stay_are_planned(picture):
    gone = replica("charlie", flags=("DELETE",))
    asleep = replica("delta", flags=("INACTIVE",))
    scene = Scene(picture, replicated(replica("bravo"), replica("alpha"), gone, asleep))
    assert list(scene.copies()) == ["alpha", "bravo"]


def test_a_replica_that_meets_the_others_first_is_planned_and_does_not_vote(picture):
    scene = Scene(picture, replicated(replica("alpha"), replica("bravo", new=True, flags=(JOINING,))))
    scene.say("bravo", facts={"disk": "Diskless", "peer/alpha/connection": "Connected"})
    copy = scene.copy("bravo")
    assert (copy.done, copy.problem) == (False, "it meets the others before it gets its disk")
    assert scene.volumes()[0].voters == ()
    scene.reported.node("bravo").status = Status.OFFLINE
    assert scene.copy("bravo").stalled


def test_a_tiebreaker_votes_while_it_is_connected_and_a_client_never(picture):
    scene = Scene(
        picture,
        replicated(replica("alpha"), without_disk("bravo", "TIE_BREAKER"), without_disk("charlie", "CLIENT")),
    )
    scene.definition = replace(
        scene.definition,
        resources=tuple(replace(r, volumes=replica(r.node).volumes) for r in scene.definition.resources),
    )
    for name in ("alpha", "bravo", "charlie"):
        scene.say(name)
    (volume,) = scene.volumes()
    assert [(v.node, v.done) for v in volume.voters] == [("bravo", True)]
    scene.say("bravo", facts={"disk": "Diskless", "peer/alpha/connection": "Connecting"})
    (voter,) = scene.volumes()[0].voters
    assert (voter.done, voter.problem) == (False, "connected to no other replica")


def test_the_properties_of_the_node_are_there_for_policies(scene):
    scene.draft.put(replace(node("alpha"), props={"Aux/site": "a"}))
    assert scene.copy().props == {"Aux/site": "a"}


def test_each_volume_counts_or_only_one(picture):
    one = replica("alpha")
    both = replace(one, volumes=(*one.volumes, *replica("alpha", "v-1", number=1).volumes))
    definition = replicated(both)
    second = VolumeDefinition(number=1, uuid="vd1", size=GIB)
    scene = Scene(picture, replace(definition, volume_definitions=(*definition.volume_definitions, second)))
    assert [v.volume for v in scene.volumes()] == [0, 1]
    assert [v.volume for v in scene.volumes(1)] == [1]
    with pytest.raises(NotFound, match="no volume 2"):
        scene.volumes(2)


NOTHING = [
    (replicated(), NotFound, "no active replica"),
    (replicated(without_disk("alpha")), NotFound, "no active replica"),
    (replace(replicated(replica("alpha")), volume_definitions=()), NotFound, "no volumes"),
    (replace(replicated(replica("alpha")), flags=frozenset({"DELETE"})), Refused, "being deleted"),
]


@pytest.mark.parametrize(("definition", "kind", "message"), NOTHING)
def test_where_there_is_nothing_to_wait_for_that_is_said(picture, definition, kind, message):
    with pytest.raises(kind, match=message):
        Scene(picture, definition).volumes()


# -- sizes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "wanted", "done", "problem"),
    [
        (GIB, None, True, ""),
        (2 * GIB, None, True, ""),
        (GIB - 1, None, False, "it has 1048575 KiB of 1048576 KiB"),
        (None, None, False, "it has an unknown size of 1048576 KiB"),
        (GIB // 2, GIB // 2, True, ""),
        (GIB // 2, GIB // 2 + KIB, False, "it has 524288 KiB of 524289 KiB"),
    ],
)
def test_a_copy_is_done_once_it_is_large_enough(scene, size, wanted, done, problem):
    scene.say("alpha", size=size)
    (found,) = known.of_size(scene.draft, scene.reported, scene.definition, 0, wanted)
    assert (found.copies[0].done, found.copies[0].problem) == (done, problem)


def test_a_size_that_nobody_ordered_is_refused(scene):
    with pytest.raises(Refused, match="is to have 1048576 KiB, not 2097152") as caught:
        known.of_size(scene.draft, scene.reported, scene.definition, 0, 2 * GIB)
    assert "set-size web 0" in caught.value.correction


# -- snapshots ----------------------------------------------------------------------------------------------------


def snapshot(*nodes, flags=()):
    parts = tuple(
        NodeSnapshot(
            node=name,
            uuid=f"s-{name}",
            volumes=(
                SnapshotVolume(number=0, uuid=f"sv-{name}", volume=f"v-{name}", pool="pool", size=GIB, new=not flags),
            ),
        )
        for name in nodes
    )
    return Snapshot(name="daily", uuid="s", flags=frozenset(flags), nodes=parts)


def taken(scene, at, presence=READY, problem=""):
    part = ReportedSnapshot(snapshot="daily", number=0, uuid=f"sv-{at}", presence=presence, problem=problem)
    scene.say(at, snapshots=(part,))


def parts(scene, snapshot):
    (volume,) = known.of_snapshot(scene.draft, scene.reported, scene.definition, snapshot)
    return {c.node: (c.done, c.problem) for c in volume.copies}


def test_a_snapshot_counts_on_every_node_at_once(scene):
    taken(scene, "alpha")
    assert parts(scene, snapshot("alpha", "bravo")) == {
        "alpha": (False, "taken, and waits for the other nodes"),
        "bravo": (False, "not taken yet"),
    }
    taken(scene, "bravo", problem="pool full")
    assert parts(scene, snapshot("alpha", "bravo"))["bravo"] == (False, "failed: pool full")
    taken(scene, "bravo")
    assert parts(scene, snapshot("alpha", "bravo", flags=("SUCCESSFUL",))) == {
        "alpha": (True, ""),
        "bravo": (True, ""),
    }


def test_of_a_snapshot_on_a_node_that_is_away_nothing_is_known(scene):
    taken(scene, "alpha")
    scene.reported.node("alpha").status = Status.OFFLINE
    assert parts(scene, snapshot("alpha", flags=("SUCCESSFUL",))) == {"alpha": (False, "the node is away")}


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("FAILED_DEPLOYMENT", "failed: node bravo: full"),
        ("FAILED_DISCONNECT", "failed"),
        ("DELETE", "is being deleted"),
    ],
)
def test_a_snapshot_that_failed_or_goes_is_not_waited_for(scene, flag, message):
    operation = Operation(
        uuid="o", kind="snapshot", state="failed", created=1, arguments={"snapshot": "s"}, problem="node bravo: full"
    )
    scene.definition = replace(scene.definition, operations=(operation,))
    with pytest.raises(Refused, match=message):
        parts(scene, snapshot("alpha", flags=(flag,)))


def test_a_draft_is_as_good_as_a_picture(scene):
    """The same functions serve whoever plans a change."""
    assert isinstance(scene.draft, Draft)
