"""Metadata apart from the data: which pool it goes to, how large it is to be, and what that means for others. Pure."""

import pytest
from msgspec.structs import replace

from orlop.controller import external_metadata, growing, stacks
from orlop.controller.picture import Picture
from orlop.drivers import Drivers
from orlop.model import (
    KIB,
    MIB,
    Level,
    Metadata,
    Node,
    NodeSnapshot,
    Presence,
    ReportedLevel,
    ReportedResource,
    ReportedVolume,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    Volume,
    VolumeDefinition,
    VolumeGroup,
)

POOL = external_metadata.POOL
DRIVERS = Drivers.installed()
STACK = ("DRBD", "STORAGE")
LEVELS = (Level(layer="DRBD", size=8 * MIB), Level(layer="STORAGE", size=8 * MIB))
APART = Metadata(uuid="m", pool="quick", levels=(Level(layer="STORAGE", size=2 * MIB),))
PLACES = ("volume definition", "volume group", "resource", "resource definition", "resource group", "node")


def volume(number=0, metadata=APART, levels=LEVELS):
    return Volume(number=number, uuid=f"v{number}", pool="pool", levels=levels, metadata=metadata, new=False)


def definition(*volumes, flags=(), peer_slots=7, **more):
    resources = (Resource(node="alpha", uuid="r", volumes=volumes, peer_slots=peer_slots),)
    of = VolumeDefinition(number=0, uuid="vd", size=8 * MIB, flags=frozenset(flags))
    return ResourceDefinition(
        name="web", uuid="d", group="group", layers=STACK, volume_definitions=(of,), resources=resources, **more
    )


def chosen(**props):
    """`props`: by place, with '_' for ' '."""
    given = {place: {} if (value := props.get(place.replace(" ", "_"))) is None else {POOL: value} for place in PLACES}
    picture = Picture()
    groups = (VolumeGroup(number=0, uuid="vg", props=given["volume group"]),)
    picture.groups["group"] = ResourceGroup(name="group", uuid="g", props=given["resource group"], volume_groups=groups)
    picture.nodes["alpha"] = Node(name="alpha", uuid="n", props=given["node"])
    of = VolumeDefinition(number=0, uuid="vd", size=MIB, props=given["volume definition"])
    found = definition(props=given["resource definition"])
    return external_metadata.pool_name(picture, found, of, "alpha", given["resource"])


@pytest.mark.parametrize("first", range(len(PLACES)))
def test_the_first_in_order_that_has_it_decides(first):
    names = {place.replace(" ", "_"): f"pool{number}" for number, place in enumerate(PLACES) if number >= first}
    assert chosen(**names) == f"pool{first}"


@pytest.mark.parametrize("internal", ["", ".internal"])
def test_with_the_data_is_an_answer_too(internal):
    assert chosen(volume_definition=internal, resource_definition="quick") == ""
    assert chosen(volume_group="quick", resource_definition=internal) == "quick"


def test_nobody_says_so():
    assert chosen() == ""


def test_without_a_node_what_nodes_say_does_not_count():
    picture = Picture()
    picture.nodes["alpha"] = Node(name="alpha", uuid="n", props={POOL: "quick"})
    of = VolumeDefinition(number=0, uuid="vd", size=MIB)
    assert external_metadata.pool_name(picture, definition(), of) == ""
    assert external_metadata.pool_name(picture, definition(), of, "alpha") == "quick"


def test_replicas_are_laid_out_alike_where_the_same_volumes_have_it_apart():
    def layout(*volumes, slots=7):
        return external_metadata.layout(Resource(node="a", uuid="r", volumes=volumes, peer_slots=slots))

    assert layout(volume(metadata=None)) == "7", "as earlier snapshots have it"
    different = {
        layout(volume(metadata=None), volume(1, None)),
        layout(volume(), volume(1, None)),
        layout(volume(metadata=None), volume(1)),
        layout(volume(), volume(1)),
        layout(volume(), volume(1), slots=8),
    }
    assert len(different) == 5


def test_a_snapshot_knows_which_of_its_volumes_are_data_to_their_end():
    resource = Resource(node="a", uuid="r", volumes=(volume(), volume(1, None), volume(12)))
    part = NodeSnapshot(node="a", uuid="p", props=external_metadata.marks(resource))
    assert [external_metadata.all_data(part, number) for number in (0, 1, 2, 12)] == [True, False, False, True]
    assert external_metadata.marks(Resource(node="a", uuid="r", volumes=(volume(metadata=None),))) == {}


def report(metadata=None):
    levels = tuple(ReportedLevel(layer=at.layer, presence=Presence.READY, size=at.size) for at in LEVELS)
    apart = () if metadata is None else (ReportedLevel(layer="STORAGE", presence=Presence.READY, size=metadata),)
    seen = ReportedVolume(number=0, uuid="v0", presence=Presence.READY, levels=levels, metadata=apart)
    return {"alpha": ReportedResource(name="web", revision=1, settled=True, volumes=(seen,))}


@pytest.mark.parametrize(("size", "goes_on"), [(None, False), (MIB, False), (2 * MIB, True), (4 * MIB, True)])
def test_the_device_grows_when_the_metadata_has(size, goes_on):
    before = definition(volume(), flags={growing.BELOW})
    after = growing.advanced(before, report(size))
    assert (growing.DEVICE in after.volume_definitions[0].flags) is goes_on


def test_no_level_of_it_ever_gets_smaller():
    smaller, larger = ((Level(layer="STORAGE", size=size),) for size in (MIB, 4 * MIB))
    assert external_metadata.larger(volume(), smaller).metadata.levels == APART.levels
    assert external_metadata.larger(volume(), larger).metadata.levels == larger


def sizes(existing, apart):
    of = existing.volume_definitions[0]
    props = {"StorPoolNameDrbdMeta": "quick" if apart else ".internal"}
    return [level.size // KIB for level in stacks.levels_of_new(DRIVERS, existing, of, STACK, props, apart)]


def test_replicas_of_either_kind_offer_what_the_others_do():
    none = replace(definition(), resources=())
    assert sizes(none, apart=True) == [8 * 1024, 8 * 1024]
    assert sizes(none, apart=False) == [8 * 1024, 8 * 1024 + 40]
    wide = (LEVELS[0], Level(layer="STORAGE", size=12 * MIB))  # storage is handed out in units
    assert sizes(definition(volume(levels=wide)), apart=True) == [8 * 1024, 12 * 1024]
    assert sizes(definition(volume(levels=wide)), apart=False) == [8 * 1024, 12 * 1024 + 40]
    assert sizes(definition(volume(metadata=None, levels=wide)), apart=True) == [8 * 1024, 12 * 1024]
    assert sizes(definition(volume(metadata=None, levels=wide)), apart=False) == [8 * 1024, 12 * 1024]
