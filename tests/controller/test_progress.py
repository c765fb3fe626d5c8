"""From wanted and reported to the next wanted."""

import pytest

from orlop.controller.progress import advance
from orlop.controller.snapshotting import abandoned
from orlop.model import (
    NodeSnapshot,
    Operation,
    Presence,
    ReportedResource,
    ReportedSnapshot,
    ReportedVolume,
    Snapshot,
    SnapshotVolume,
    VolumeDefinition,
)
from tests.controller.conftest import definition, resource, volume


def report(*volumes, snapshots=(), settled=True, problem=""):
    return ReportedResource(
        name="web", revision=9, settled=settled, volumes=volumes, snapshots=tuple(snapshots), problem=problem
    )


def seen(presence, uuid="v-1", **more):
    return ReportedVolume(number=0, uuid=uuid, presence=presence, **more)


def taken(presence, uuid="s-1", **more):
    return ReportedSnapshot(snapshot="snap", number=0, uuid=uuid, presence=presence, **more)


def snapshot(*nodes, flags=(), new=True):
    return Snapshot(
        name="snap",
        uuid="s",
        flags=frozenset(flags),
        nodes=tuple(
            NodeSnapshot(
                node=node,
                uuid=f"part-{node}",
                volumes=(SnapshotVolume(number=0, uuid=f"s-{i}", volume="v-1", pool="pool", size=1, new=new),),
            )
            for i, node in enumerate(nodes, 1)
        ),
    )


def test_nothing_happens_without_a_report():
    wanted = definition(resource("alpha", volume(new=True)), resource("bravo", volume(), flags=["DELETE"]))
    assert advance(wanted, {}) is wanted


def test_the_first_report_of_success_ends_new():
    wanted = definition(resource("alpha", volume(new=True, source="s", source_name="x", replaces="old")))
    after = advance(wanted, {"alpha": report(seen(Presence.READY))}).resources[0].volumes[0]
    assert (after.new, after.source, after.source_name, after.replaces) == (False, None, "", None)


@pytest.mark.parametrize(
    "found",
    [
        seen(Presence.ABSENT),
        seen(Presence.HIDDEN),
        seen(Presence.FOREIGN),
        seen(Presence.READY, problem="half made"),
        seen(Presence.READY, uuid="another"),
    ],
    ids=["absent", "closed", "foreign", "with a problem", "another incarnation"],
)
def test_new_stays_without_proof_of_success(found):
    wanted = definition(resource("alpha", volume(new=True)))
    assert advance(wanted, {"alpha": report(found)}) is wanted


def test_a_confirmed_removal_lets_go():
    wanted = definition(resource("alpha", volume(), flags=["DELETE"]), resource("bravo", volume("v-2")))
    after = advance(wanted, {"alpha": report(seen(Presence.ABSENT))})
    assert [r.node for r in after.resources] == ["bravo"]


@pytest.mark.parametrize("presence", [p for p in Presence if p is not Presence.ABSENT])
def test_a_removal_that_is_not_confirmed_is_kept(presence):
    wanted = definition(resource("alpha", volume(), flags=["DELETE"]))
    assert advance(wanted, {"alpha": report(seen(presence))}) is wanted


def test_a_volume_is_never_forgotten_for_being_absent():
    wanted = definition(resource("alpha", volume()))
    assert advance(wanted, {"alpha": report(seen(Presence.ABSENT))}) is wanted


def test_a_definition_is_gone_with_its_last_resource():
    wanted = definition(resource("alpha", volume(), flags=["DELETE"]), flags=frozenset({"DELETE"}))
    assert advance(wanted, {"alpha": report(seen(Presence.ABSENT))}) is None
    kept = definition(resource("alpha", volume(), flags=["DELETE"]))
    assert advance(kept, {"alpha": report(seen(Presence.ABSENT))}).resources == ()


def test_a_definition_waits_for_its_snapshots():
    wanted = definition(flags=frozenset({"DELETE"}), snapshots=(snapshot("alpha", flags=["DELETE"]),))
    assert advance(wanted, {}) is wanted
    assert advance(wanted, {"alpha": report(snapshots=[taken(Presence.ABSENT)])}) is None


def test_a_volume_definition_goes_with_its_last_volume():
    wanted = definition(resource("alpha", volume(flags=frozenset({"DELETE"}))))
    marked = VolumeDefinition(number=0, uuid="vd", size=1, flags=frozenset({"DELETE"}))
    wanted = type(wanted)(
        **{f: getattr(wanted, f) for f in wanted.__struct_fields__} | {"volume_definitions": (marked,)}
    )
    assert advance(wanted, {}) is wanted
    after = advance(wanted, {"alpha": report(seen(Presence.ABSENT))})
    assert after.volume_definitions == ()
    assert after.resources[0].volumes == ()


def test_a_snapshot_counts_when_every_node_has_it():
    wanted = definition(snapshots=(snapshot("alpha", "bravo"),))
    half = advance(wanted, {"alpha": report(snapshots=[taken(Presence.READY, "s-1", created=5)])})
    assert half.snapshots[0].flags == frozenset()
    assert half.snapshots[0].nodes[0].created == 5
    whole = advance(half, {"bravo": report(snapshots=[taken(Presence.READY, "s-2")])})
    assert whole.snapshots[0].flags == {"SUCCESSFUL"}


@pytest.mark.parametrize("presence", [Presence.ABSENT, Presence.READY])
def test_a_snapshot_that_fails_anywhere_is_removed_everywhere(presence):
    wanted = definition(snapshots=(snapshot("alpha", "bravo"),))
    after = advance(wanted, {"bravo": report(snapshots=[taken(presence, "s-2", problem="full")])})
    assert after.snapshots[0].flags == {"FAILED_DEPLOYMENT"}
    assert all("DELETE" in part.flags for part in after.snapshots[0].nodes)
    gone = advance(
        after,
        {
            "alpha": report(snapshots=[taken(Presence.ABSENT, "s-1")]),
            "bravo": report(snapshots=[taken(Presence.ABSENT, "s-2")]),
        },
    )
    assert gone.snapshots[0].nodes == ()
    assert gone.snapshots[0].flags == {"FAILED_DEPLOYMENT"}, "it is listed until somebody deletes it"


def test_a_later_problem_does_not_spoil_a_snapshot_that_counts():
    wanted = definition(snapshots=(snapshot("alpha", flags=["SUCCESSFUL"], new=False),))
    after = advance(wanted, {"alpha": report(snapshots=[taken(Presence.HIDDEN, problem="pool is away")])})
    assert after is wanted


def test_a_snapshot_in_the_making_ends_with_the_connection():
    wanted = definition(snapshots=(snapshot("alpha", "bravo"),))
    assert abandoned(wanted, "charlie") is wanted
    assert "FAILED_DISCONNECT" in abandoned(wanted, "BRAVO").snapshots[0].flags
    done = definition(snapshots=(snapshot("alpha", flags=["SUCCESSFUL"]),))
    assert abandoned(done, None) is done


def rolling(state="closing", *volumes, **arguments):
    return definition(
        resource("alpha", *(volumes or (volume(),))),
        snapshots=(snapshot("alpha", flags=["SUCCESSFUL"], new=False),),
        operations=(
            Operation(
                uuid="o",
                kind="rollback",
                state=state,
                created=0,
                arguments={"snapshot": "s", "incarnations": {"v-1": "v-9"}, "names": {"0": "web_00000.snap"}}
                | arguments,
            ),
        ),
    )


def test_a_rollback_replaces_only_after_every_device_is_closed():
    wanted = rolling()
    assert advance(wanted, {"alpha": report(seen(Presence.READY))}) is wanted
    assert advance(wanted, {"alpha": report(seen(Presence.HIDDEN), settled=False)}) is wanted
    after = advance(wanted, {"alpha": report(seen(Presence.HIDDEN))})
    replaced = after.resources[0].volumes[0]
    assert after.operations[0].state == "replacing"
    assert (replaced.uuid, replaced.replaces, replaced.source) == ("v-9", "v-1", "s-1")
    assert (replaced.new, replaced.source_name) == (True, "web_00000.snap")


def test_a_rollback_that_cannot_close_changes_nothing():
    after = advance(rolling(), {"alpha": report(seen(Presence.READY), problem="in use")})
    assert after.operations[0].state == "failed"
    assert "in use" in after.operations[0].problem
    assert after.resources == rolling().resources


def test_a_rollback_of_something_that_changed_meanwhile_is_given_up():
    wanted = rolling("closing", volume("v-1"), volume("v-2", number=1))
    both = report(seen(Presence.HIDDEN), seen(Presence.HIDDEN, "v-2"))
    after = advance(wanted, {"alpha": both})
    assert after.operations[0].state == "failed"
    assert after.resources == wanted.resources


def test_a_rollback_is_done_when_every_new_incarnation_was_seen():
    wanted = rolling("replacing", volume("v-9", new=True, replaces="v-1", source="s-1"))
    after = advance(wanted, {"alpha": report(seen(Presence.READY, "v-9"))})
    assert after.operations[0].state == "done"
