"""Replicas without a disk, and disks that come and go, as the picture, the orders and the reports have them."""

import pytest
from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller import drbd_versions
from orlop.controller.diskless import ADDING, CLIENT, REMOVING, TIE_BREAKER, diskful, is_diskless, without_disk
from orlop.controller.drbd_versions import VERSION, refuse_impossible
from orlop.controller.migrating import SOURCE
from orlop.controller.orders import wanted_resource
from orlop.controller.picture import with_resource
from orlop.controller.progress import advance
from orlop.controller.replicas import wanted
from orlop.controller.replication import numbered
from orlop.errors import Refused
from orlop.model import GIB, Presence, ReportedResource, ReportedVolume, VolumeDefinition
from tests.controller.conftest import node
from tests.controller.drbd9 import NODES, cluster, replica, replicated, reports, told
from tests.controller.drbd9 import without_disk as client


@pytest.fixture
def nine(picture):
    return cluster(picture)


def at(of, name):
    return next((r for r in of.resources if r.node == name), None)


def said(of, name, presence, *uuids, settled=True, **more):
    volumes = tuple(ReportedVolume(number=0, uuid=uuid, presence=presence, **more) for uuid in uuids)
    return {name: ReportedResource(name=of.name, revision=9, settled=settled, volumes=volumes)}


# -- what it is made of -----------------------------------------------------------------------------------------------


def test_it_has_a_volume_of_one_level_for_each_definition(nine):
    of = numbered(nine.picture, replicated(replica("alpha"), client("bravo")))
    more = replace(of, volume_definitions=(*of.volume_definitions, VolumeDefinition(number=1, uuid="vd1", size=GIB)))
    after = numbered(nine.picture, more)
    assert [(v.number, [level.layer for level in v.levels]) for v in at(after, "bravo").volumes] == [
        (0, ["DRBD"]),
        (1, ["DRBD"]),
    ]
    assert len({v.uuid for v in at(after, "bravo").volumes}) == 2


def test_it_is_never_the_first_one(nine):
    of = numbered(nine.picture, replicated(client("alpha"), replica("bravo", new=True)))
    assert of.volume_definitions[0].first == "v-bravo"
    assert numbered(nine.picture, replicated(client("alpha"))).volume_definitions[0].first == ""


@pytest.mark.parametrize("flags", [(), (CLIENT,)], ids=["it votes", "it does not"])
def test_nodes_are_told_what_their_peers_are(nine, flags):
    of = numbered(nine.picture, replicated(replica("alpha"), client("bravo", *flags)))
    here, there = at(of, "alpha"), at(of, "bravo")
    (peer,) = wanted(nine.picture, of, here, here.volumes[0]).replica.peers
    own = wanted(nine.picture, of, there, there.volumes[0]).replica
    assert (peer.diskless, peer.client) == (own.diskless, own.client) == (True, bool(flags))
    assert not wanted(nine.picture, of, here, here.volumes[0]).replica.diskless


def test_the_slots_of_its_metadata_are_told(nine):
    of = numbered(
        nine.picture, replace(replicated(replica("alpha")), resources=(replace(replica("alpha"), peer_slots=15),))
    )
    assert wanted(nine.picture, of, of.resources[0], of.resources[0].volumes[0]).replica.slots == 15


# -- what a node's DRBD can do ----------------------------------------------------------------------------------------


def refusal(nine, of):
    with pytest.raises(Refused) as refused:
        refuse_impossible(nine.picture, of)
    assert refused.value.code is Fail.STLT_DOES_NOT_SUPPORT_LAYER
    return str(refused.value)


def test_with_9_everywhere_there_can_be_many(nine):
    refuse_impossible(nine.picture, replicated(*(replica(name) for name in NODES[:3]), client("delta")))


def test_with_8_4_there_are_two_with_disks(picture):
    old = cluster(picture, version="8.4.11")
    refuse_impossible(old.picture, replicated(replica("alpha"), replica("bravo")))
    assert "DRBD 8.4 knows two" in refusal(old, replicated(*(replica(name) for name in NODES[:3])))
    assert "node 'bravo': DRBD 8.4 has no diskless" in refusal(old, replicated(replica("alpha"), client("bravo")))


@pytest.mark.parametrize("version", [{VERSION: "8.4.11"}, {}], ids=["8.4", "unknown"])
def test_one_resource_has_9_on_all_of_its_nodes_or_on_none(nine, version):
    nine.picture.put(node("bravo", **version))
    text = refusal(nine, replicated(replica("alpha"), replica("bravo")))
    assert "alpha (DRBD 9.2.13) and bravo (DRBD" in text


def test_what_a_node_has_is_kept_when_it_tells():
    before = node("alpha")
    after = drbd_versions.noticed(before, told("alpha", "9.2.13"))
    assert after.props == {VERSION: "9.2.13"}
    assert drbd_versions.noticed(after, told("alpha", "9.2.13")) is after
    for nothing in (None, told("alpha", ""), told("alpha", "nine; rm")):
        assert drbd_versions.noticed(after, nothing) is after


# -- a disk comes and goes --------------------------------------------------------------------------------------------


def losing(nine):
    return numbered(nine.picture, replicated(replica("alpha"), replica("bravo", flags=[REMOVING])))


def orders(nine, of, name):
    return wanted_resource(nine.drivers, nine.picture, of, name)


def test_while_its_disk_goes_the_device_stays(nine):
    """The same device twice: the disk is to go, and the device without a disk is to stay."""
    of = losing(nine)
    gone, stays = orders(nine, of, "bravo").volumes
    assert (gone.uuid, gone.wanted, len(gone.levels)) == ("v-bravo", False, 2)
    assert (stays.wanted, [level.layer for level in stays.levels]) == (True, ["DRBD"])
    assert stays.uuid != gone.uuid
    assert gone.drbd.minor == stays.drbd.minor
    assert gone.drbd.replica == stays.drbd.replica
    assert stays.drbd.replica.diskless
    (peer,) = orders(nine, of, "alpha").volumes[0].drbd.replica.peers
    assert peer.diskless


def test_it_is_without_a_disk_when_its_node_says_that_the_disk_is_gone(nine):
    of = losing(nine)
    assert advance(of, said(of, "bravo", Presence.READY, "v-bravo")) is of
    after = advance(of, said(of, "bravo", Presence.ABSENT, "v-bravo"))
    assert at(after, "bravo").flags == {"DISKLESS", "DRBD_DISKLESS"}
    (volume,) = orders(nine, after, "bravo").volumes
    assert volume.uuid == without_disk(at(of, "bravo").volumes[0]).uuid
    assert at(after, "bravo").node_id == at(of, "bravo").node_id
    assert at(after, "bravo").peer_slots is None


def test_deleted_meanwhile_it_goes_as_a_whole(nine):
    of = losing(nine)
    of = with_resource(of, replace(at(of, "bravo"), flags=frozenset({REMOVING, "DELETE"})))
    (volume,) = orders(nine, of, "bravo").volumes
    assert (volume.uuid, volume.wanted) == ("v-bravo", False)
    after = advance(of, said(of, "bravo", Presence.ABSENT, "v-bravo"))
    assert at(after, "bravo").volumes == ()


def test_a_volume_that_comes_while_the_disk_goes_gets_none(nine):
    of = losing(nine)
    of = replace(of, volume_definitions=(*of.volume_definitions, VolumeDefinition(number=1, uuid="vd1", size=GIB)))
    added = at(numbered(nine.picture, of), "bravo").volumes[1]
    assert [level.layer for level in added.levels] == ["DRBD"]


def test_nobody_becomes_the_first_while_a_disk_with_data_is_only_to_go(nine):
    """Its node may keep it: it looks once more whether there is another copy."""
    of = numbered(nine.picture, replicated(replica("alpha", new=True)))
    going = replace(replica("alpha"), flags=frozenset({REMOVING}))
    coming = replica("bravo", new=True, flags=[ADDING])
    after = numbered(nine.picture, replace(of, resources=(going, coming)))
    assert after.volume_definitions[0].first == "v-alpha"


def test_a_disk_on_its_way_counts_as_a_replica_and_arrives(nine):
    of = numbered(nine.picture, replicated(replica("alpha"), replica("bravo", new=True, flags=[ADDING])))
    assert [r.node for r in diskful(of)] == ["alpha", "bravo"]
    assert not is_diskless(at(of, "bravo"))
    after = advance(of, said(of, "bravo", Presence.READY, "v-bravo"))
    after = advance(after, said(of, "bravo", Presence.READY, "v-bravo")) or after
    assert at(after, "bravo").flags == frozenset()


# -- migrating --------------------------------------------------------------------------------------------------------


@pytest.fixture
def moving(nine):
    target = replace(replica("bravo"), props={SOURCE: "alpha"})
    return numbered(nine.picture, replicated(replica("alpha"), target))


def test_the_source_goes_when_the_target_has_everything(moving):
    after = advance(moving, reports(moving, {"alpha": "UpToDate", "bravo": "UpToDate"}))
    assert at(after, "alpha").deleting
    assert SOURCE not in at(after, "bravo").props


@pytest.mark.parametrize("disk", ["Inconsistent", "Outdated", "Consistent", "DUnknown", ""])
def test_not_before(moving, disk):
    assert advance(moving, reports(moving, {"alpha": "UpToDate", "bravo": disk})) is moving


@pytest.mark.parametrize("disk", ["Inconsistent", "Outdated", ""])
def test_the_source_stays_while_another_replica_is_not_whole(nine, moving, disk):
    of = numbered(nine.picture, replace(moving, resources=(*moving.resources, replica("charlie"))))
    whole = {"alpha": "UpToDate", "bravo": "UpToDate"}
    assert advance(of, reports(of, whole)) is of, "nothing is known of it"
    assert advance(of, reports(of, whole | {"charlie": disk})) is of
    assert at(advance(of, reports(of, whole | {"charlie": "UpToDate"})), "alpha").deleting


@pytest.mark.parametrize("what", ["in use", "away", "disk on its way", "new"])
def test_the_source_stays_while(moving, what):
    disks = {"alpha": "UpToDate", "bravo": "UpToDate"}
    of = moving
    if what == "disk on its way":
        volumes = tuple(replace(v, new=True) for v in at(of, "bravo").volumes)
        of = with_resource(of, replace(at(of, "bravo"), flags=frozenset({ADDING}), volumes=volumes))
        disks["bravo"] = "Inconsistent"
    elif what == "away":
        del disks["alpha"]
    elif what == "new":
        disks["bravo"] = "Inconsistent"
    after = advance(of, reports(of, disks, in_use=what == "in use"))
    assert not at(after, "alpha").deleting
    assert SOURCE in at(after, "bravo").props


def test_a_source_that_is_gone_is_forgotten(moving):
    left = replace(moving, resources=(at(moving, "bravo"),))
    assert SOURCE not in at(advance(left, {}), "bravo").props


def test_a_tiebreaker_is_no_replica(nine):
    of = replicated(replica("alpha"), client("bravo", TIE_BREAKER))
    assert [r.node for r in diskful(of)] == ["alpha"]
