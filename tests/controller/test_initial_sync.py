"""Which new replicas are not copied to: only those of which it is certain that they read as zeros, as the first did."""

import pytest
from msgspec.structs import replace

from orlop.controller import initial_sync
from orlop.controller.initial_sync import FORCED, MIXED, decided
from orlop.controller.progress import advance
from orlop.controller.replicas import wanted
from orlop.controller.replication import numbered
from orlop.controller.reported import Status
from orlop.model import (
    Controller,
    Level,
    NodeSnapshot,
    Operation,
    Presence,
    ReportedPool,
    ReportedResource,
    ReportedVolume,
    Snapshot,
    SnapshotVolume,
    SnapshotVolumeDefinition,
)
from tests.controller.conftest import pool
from tests.controller.drbd9 import STACK, cluster, replica, replicated

THIN = "FILE_THIN"


@pytest.fixture
def thin(picture):
    """Every node has a pool whose volumes read as zeros, and said so."""
    made = cluster(picture)
    for name in ("alpha", "bravo", "charlie", "delta"):
        made.picture.put(pool(name, provider=THIN))
        says(made, name)
    return made


def says(cluster, node, **changes):
    report = replace(ReportedPool(name="pool", uuid=f"p-{node}-pool", zeros=True), **changes)
    cluster.reported.node(node).pools["pool"] = report


def made(cluster, *resources, **more):
    """As a request makes them: all that is new is fresh."""
    of = replicated(*resources, **more)
    fresh = {v.uuid for r in of.resources for v in r.volumes if v.new}
    return numbered(cluster.picture, decided(cluster.picture, cluster.reported, of, fresh))


def two(cluster, **more):
    return made(cluster, replica("alpha", new=True), replica("bravo", new=True), **more)


def equal(of):
    return {r.node: v.equal for r in of.resources for v in r.volumes}


def told(cluster, of, node):
    resource = next(r for r in of.resources if r.node == node)
    return wanted(cluster.picture, of, resource, resource.volumes[0])


def test_replicas_that_read_as_zeros_begin_equal(thin):
    of = two(thin)
    assert equal(of) == {"alpha": True, "bravo": True}
    day0 = of.volume_definitions[0].day0
    assert len(day0) == 16
    assert int(day0, 16) & 1 == 0  # the lowest bit says that somebody is writing
    for node in ("alpha", "bravo"):
        assert (told(thin, of, node).day0, told(thin, of, node).equal) == (day0, True)


def test_one_that_comes_later_begins_equal_too(thin):
    of = two(thin)
    later = replace(of, resources=(*of.resources, replica("charlie", new=True)))
    after = numbered(thin.picture, decided(thin.picture, thin.reported, later, {"v-charlie"}))
    assert after.volume_definitions[0].day0 == of.volume_definitions[0].day0
    assert told(thin, after, "charlie").equal


@pytest.mark.parametrize(
    "doubt",
    [
        lambda cluster: says(cluster, "bravo", zeros=False),
        lambda cluster: says(cluster, "bravo", uuid="another"),
        lambda cluster: says(cluster, "bravo", problem="it is gone"),
        lambda cluster: cluster.reported.node("bravo").pools.clear(),
        lambda cluster: setattr(cluster.reported.node("bravo"), "status", Status.OFFLINE),
    ],
    ids=["leftovers", "another pool", "broken", "not reported", "away"],
)
def test_where_there_is_doubt_everything_is_copied(thin, doubt):
    doubt(thin)
    of = two(thin)
    assert equal(of) == {"alpha": True, "bravo": False}
    assert not told(thin, of, "bravo").equal


def test_if_the_first_one_may_hold_leftovers_there_is_no_day0(thin):
    says(thin, "alpha", zeros=False)
    of = two(thin)
    assert of.volume_definitions[0].day0 == ""
    assert not told(thin, of, "bravo").equal


def test_above_luks_nothing_is_equal(thin):
    levels = (STACK[0], Level(layer="LUKS", size=STACK[0].size), STACK[1])
    encrypted = [replica(node, new=True) for node in ("alpha", "bravo")]
    encrypted = [replace(r, volumes=(replace(r.volumes[0], levels=levels),)) for r in encrypted]
    of = made(thin, *encrypted, layers=("DRBD", "LUKS", "STORAGE"))
    assert equal(of) == {"alpha": False, "bravo": False}
    assert of.volume_definitions[0].day0 == ""


def test_pools_of_different_kinds_are_never_equal_again(thin):
    """Also when the odd one has gone."""
    thin.picture.put(pool("bravo", provider="FILE"))
    of = two(thin)
    assert equal(of) == {"alpha": False, "bravo": False}
    assert MIXED in of.props
    left = replace(of, resources=(of.resources[0], replica("charlie", new=True)))
    after = numbered(thin.picture, decided(thin.picture, thin.reported, left, {"v-charlie"}))
    assert not told(thin, after, "charlie").equal


def test_an_administrator_can_have_everything_copied(thin):
    thin.picture.put(Controller(props={FORCED: "true"}))
    assert equal(two(thin)) == {"alpha": False, "bravo": False}


def test_a_definition_that_begins_anew_has_another_day0(thin):
    of = two(thin)
    again = replace(of, resources=(replica("charlie", "another", new=True),))
    after = numbered(thin.picture, decided(thin.picture, thin.reported, again, {"another"}))
    assert after.volume_definitions[0].day0 not in ("", of.volume_definitions[0].day0)


def test_what_is_filled_from_a_snapshot_is_not_blank(thin):
    of = made(thin, replica("alpha", new=True, source="snap"), replica("bravo", new=True, source="snap"))
    assert equal(of) == {"alpha": False, "bravo": False}
    assert of.volume_definitions[0].day0 == ""
    later = replace(of, resources=(*of.resources, replica("charlie", new=True)))
    after = numbered(thin.picture, decided(thin.picture, thin.reported, later, {"v-charlie"}))
    assert not told(thin, after, "charlie").equal


def test_after_a_rollback_day0_is_forgotten(thin):
    of = two(thin)
    of = replace(of, resources=tuple(replace(r, volumes=(replace(r.volumes[0], new=False),)) for r in of.resources))
    part = SnapshotVolume(number=0, uuid="s", volume="v", pool="pool", size=1, new=False)
    snapshot = Snapshot(
        name="s1",
        uuid="snap",
        volume_definitions=(SnapshotVolumeDefinition(number=0, size=1),),
        nodes=tuple(NodeSnapshot(node=r.node, uuid=r.node, volumes=(part,)) for r in of.resources),
    )
    arguments = {"snapshot": "snap", "incarnations": {"v-alpha": "n-a", "v-bravo": "n-b"}, "names": {"0": "web_0.s1"}}
    rollback = Operation(uuid="o", kind="rollback", state="closing", created=0, arguments=arguments)
    closed = {
        r.node: ReportedResource(
            name="web",
            revision=1,
            settled=True,
            volumes=(ReportedVolume(number=0, uuid=r.volumes[0].uuid, presence=Presence.HIDDEN),),
        )
        for r in of.resources
    }
    after = advance(replace(of, snapshots=(snapshot,), operations=(rollback,)), closed)
    assert after.operations[0].state == "replacing"
    assert after.volume_definitions[0].day0 == ""
    assert equal(after) == {"alpha": False, "bravo": False}


def test_day0_is_not_the_generation_that_the_first_one_gets(thin):
    """That one is drawn from the same uuid."""
    from orlop_layers.drbd_metadata import Place, declare_first

    of = two(thin).volume_definitions[0]
    assert of.day0
    own = declare_first(Place(minor=1000, device="/dev/x", nine=True), of.first, of.day0)[-1]
    assert of.day0 not in str(own)


def test_only_what_was_made_so_is_taken_for_equal(thin):
    of = two(thin)
    volume = of.resources[1].volumes[0]
    assert initial_sync.is_equal(of.volume_definitions[0], volume)
    for change in ({"source": "s"}, {"replaces": "v"}, {"equal": False}):
        assert not initial_sync.is_equal(of.volume_definitions[0], replace(volume, **change))


def test_a_disk_that_comes_to_a_device_that_is_up_gets_everything(thin):
    """It has met its peers already."""
    of = two(thin)
    later = replace(of, resources=(*of.resources, replica("charlie", new=True, flags=["DISK_ADDING"])))
    after = numbered(thin.picture, decided(thin.picture, thin.reported, later, {"v-charlie"}))
    assert not told(thin, after, "charlie").equal
