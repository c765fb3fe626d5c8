"""Changes of keys, step by step."""

from msgspec.structs import replace

from orlop.controller.volume_keys import advanced, with_keys_of
from orlop.model import (
    Level,
    Metadata,
    Presence,
    ReportedLevel,
    ReportedResource,
    ReportedVolume,
    Resource,
    ResourceDefinition,
    Snapshot,
    SnapshotVolumeDefinition,
    Volume,
    VolumeDefinition,
    VolumeKey,
)

OLD, NEW = (VolumeKey(uuid=f"k{slot}", slot=slot, sealed="") for slot in (0, 1))
LEVELS = (Level(layer="LUKS", size=1), Level(layer="STORAGE", size=2))


def definition(*keys, nodes=("a", "b"), **more):
    volumes = (VolumeDefinition(number=0, uuid="v", size=1, keys=keys),)
    resources = tuple(
        Resource(node=node, uuid=node, volumes=(Volume(number=0, uuid=f"{node}0", pool="p", levels=LEVELS, new=False),))
        for node in nodes
    )
    return ResourceDefinition(
        name="web",
        uuid="d",
        group="g",
        layers=("LUKS", "STORAGE"),
        volume_definitions=volumes,
        resources=resources,
        **more,
    )


def reports(**slots):
    def report(node, held, problem=""):
        facts = {} if held is None else {"slots": held}
        level = ReportedLevel(layer="LUKS", presence=Presence.READY, facts=facts)
        volume = ReportedVolume(number=0, uuid=f"{node}0", presence=Presence.READY, levels=(level,), problem=problem)
        return ReportedResource(name="web", revision=1, settled=True, volumes=(volume,))

    return {node: report(node, held) for node, held in slots.items()}


def keys(found):
    return found.volume_definitions[0].keys


def test_nothing_goes_before_every_replica_has_the_new_key():
    before = definition(OLD, NEW)
    for seen in ({"a": "0 1"}, {"a": "0 1", "b": "0"}, {"a": "0 1", "b": None}, {}):
        assert advanced(before, reports(**seen)) is before


def test_then_the_old_one_is_retired_and_at_last_forgotten():
    retired = advanced(definition(OLD, NEW), reports(a="0 1", b="0 1"))
    assert keys(retired) == (replace(OLD, retired=True), NEW)
    assert advanced(retired, reports(a="1", b="0 1")) is retired
    assert keys(advanced(retired, reports(a="1", b="1"))) == (NEW,)


def test_the_header_of_metadata_has_to_have_the_new_key_too():
    before = definition(OLD, NEW, nodes=("a",))
    (resource,) = before.resources
    own = Metadata(uuid="m", pool="q", levels=LEVELS)
    volumes = (replace(resource.volumes[0], metadata=own),)
    before = replace(before, resources=(replace(resource, volumes=volumes),))

    def seen(slots):
        (report,) = reports(a="0 1").values()
        level = ReportedLevel(layer="LUKS", presence=Presence.READY, facts={"slots": slots})
        return {"a": replace(report, volumes=(replace(report.volumes[0], metadata=(level,)),))}

    assert advanced(before, reports(a="0 1")) is before, "it was not seen"
    assert advanced(before, seen("0")) is before
    retired = advanced(before, seen("0 1"))
    assert [key.retired for key in keys(retired)] == [True, False]


def test_one_key_is_never_touched():
    before = definition(NEW)
    assert advanced(before, reports(a="0", b="0")) is before


def test_a_snapshot_in_the_making_holds_a_change_up():
    making = Snapshot(name="s", uuid="s")
    before = definition(OLD, NEW, snapshots=(making,))
    assert advanced(before, reports(a="0 1", b="0 1")) is before
    done = definition(OLD, NEW, snapshots=(replace(making, flags=frozenset({"SUCCESSFUL"})),))
    assert advanced(done, reports(a="0 1", b="0 1")) is not done


def test_a_volume_without_replicas_needs_no_old_key():
    assert keys(advanced(definition(OLD, NEW, nodes=()), {})) in ((NEW,), (replace(OLD, retired=True), NEW))


def test_a_rollback_brings_the_key_of_the_snapshot_back_and_leaves_the_new_one_in_force():
    taken = Snapshot(name="s", uuid="s", volume_definitions=(SnapshotVolumeDefinition(number=0, size=1, keys=(OLD,)),))
    (after,) = with_keys_of(taken, definition(NEW).volume_definitions)
    assert after.keys == (OLD, NEW)
    (again,) = with_keys_of(taken, definition(replace(OLD, retired=True), NEW).volume_definitions)
    assert again.keys == (OLD, NEW), "what a snapshot needs is not retired any more"


def test_a_key_made_for_the_target_gets_a_slot_of_its_own():
    taken = Snapshot(name="s", uuid="s", volume_definitions=(SnapshotVolumeDefinition(number=0, size=1, keys=(OLD,)),))
    own = VolumeKey(uuid="own", slot=0, sealed="")
    (after,) = with_keys_of(taken, definition(own).volume_definitions)
    assert after.keys == (OLD, replace(own, slot=1))
