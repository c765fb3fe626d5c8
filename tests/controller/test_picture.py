"""Drafts, their changes and what is counted along the way."""

import msgspec

from orlop.controller import occupied
from orlop.controller.drbd_proxy import PORT
from orlop.controller.occupied import Occupied
from orlop.controller.orders import asks_for_more, nodes_of, same_order, wanted_resource
from orlop.controller.picture import Draft, Usage
from orlop.drivers import Drivers
from orlop.model import GIB, NodeSnapshot, Operation, ResourceConnection, Snapshot, SnapshotVolume, VolumeDefinition
from tests.controller.conftest import definition, node, resource, volume


def test_a_draft_leaves_its_picture_alone(picture):
    draft = Draft(picture)
    draft.put(definition())
    draft.remove(node("alpha"))
    assert picture.definition("web") is None
    assert picture.node("alpha") is not None
    assert draft.freeze().definition("WEB") is not None


def test_changes_name_first_and_last_state(picture):
    draft = Draft(picture)
    draft.put(node("alpha", flags=["EVICTED"]))
    draft.put(node("alpha", flags=["EVACUATE"]))
    (change,) = draft.changes
    assert change.before is picture.node("alpha")
    assert change.after.flags == {"EVACUATE"}


def test_what_was_added_and_removed_again_is_no_change(picture):
    draft = Draft(picture)
    draft.put(definition())
    draft.remove(definition())
    assert draft.changes == []


def test_a_revision_is_never_lower_for_a_name_used_again(picture):
    draft = Draft(picture)
    draft.sequence = 41
    base = draft.freeze()
    draft = Draft(base)
    draft.put(definition())
    assert draft.definition("web").revision == 42


def test_usage_follows_every_change(picture):
    draft = Draft(picture)
    part = NodeSnapshot(
        node="alpha", uuid="x", volumes=(SnapshotVolume(number=0, uuid="s", volume="v-1", pool="POOL", size=5),)
    )
    taken = Snapshot(name="snap", uuid="s", nodes=(part,))
    draft.put(definition(resource("alpha", volume(), volume("v-2", number=1, new=True)), snapshots=(taken,)))
    assert draft.usage["alpha", "pool"] == Usage(2 * GIB + 5, 2, 1, GIB + 5)
    draft.put(definition(resource("alpha", volume())))
    assert draft.usage["alpha", "pool"] == Usage(GIB, 1, 0, 0)
    draft.remove(definition())
    assert draft.usage["alpha", "pool"] == Usage(0, 0, 0, 0)
    assert picture.usage == {}


def test_what_nodes_have_follows_every_change(picture):
    draft = Draft(picture)

    def replica(node, port):
        return msgspec.structs.replace(resource(node), ports=(port,))

    meeting = ResourceConnection(node_a="alpha", node_b="bravo", uuid="c", props={f"{PORT}Alpha": "7009"})
    draft.put(definition(replica("Alpha", 7000), replica("bravo", 7001), connections=(meeting,)))
    draft.put(definition(replica("alpha", 7000), name="mail"))
    assert draft.occupied == {"alpha": Occupied(2, {7000: 2, 7009: 1}), "bravo": Occupied(1, {7001: 1})}
    assert draft.occupied == occupied.of_all(draft.definitions.values())
    draft.put(definition(replica("bravo", 7002)))
    assert draft.occupied == {"alpha": Occupied(1, {7000: 1}), "bravo": Occupied(1, {7002: 1})}
    before = draft.occupied
    draft.put(definition(replica("bravo", 7002), props={"Aux/a": "b"}))
    assert draft.occupied is before
    for of in list(draft.definitions.values()):
        draft.remove(of)
    assert draft.occupied == picture.occupied == {}


def test_external_names_are_found_and_freed(picture):
    draft = Draft(picture)
    draft.put(definition(external_name="Größe"))
    assert draft.external_names == {"Größe": "web"}
    draft.remove(definition(external_name="Größe"))
    assert draft.external_names == {}


def order(picture, wanted, where="alpha"):
    return wanted_resource(Drivers.installed(), picture, wanted, where)


def test_an_order_names_only_what_the_node_has_part_in(picture):
    wanted = definition(resource("alpha", volume()), resource("bravo", volume("v-2")))
    assert nodes_of(wanted) == {"alpha", "bravo"}
    assert [v.uuid for v in order(picture, wanted, "BRAVO").volumes] == ["v-2"]
    assert order(picture, wanted, "charlie") is None


def test_a_tombstone_is_an_order_with_the_uuid(picture):
    (tombstone,) = order(picture, definition(resource("alpha", volume(), flags=["DELETE"]))).volumes
    assert (tombstone.wanted, tombstone.uuid) == (False, "v-1")


def test_an_inactive_volume_is_closed_but_first_made(picture):
    (closed,) = order(picture, definition(resource("alpha", volume(), flags=["INACTIVE"]))).volumes
    (made,) = order(picture, definition(resource("alpha", volume(new=True), flags=["INACTIVE"]))).volumes
    assert (closed.active, made.active) == (False, True)


def test_a_rollback_closes_first(picture):
    operation = Operation(uuid="o", kind="rollback", state="closing", created=0)
    (closing,) = order(picture, definition(resource("alpha", volume()), operations=(operation,))).volumes
    assert not closing.active


def test_a_file_system_is_ordered_only_for_a_new_empty_volume(picture):
    props = {"FileSystem/Type": "ext4", "FileSystem/MkfsParams": "-N 100 -L 'my data'", "FileSystem/User": "www"}

    def file_system(**of):
        return order(picture, definition(resource("alpha", volume(**of)), props=props)).volumes[0].file_system

    made = file_system(new=True)
    assert (made.kind, made.options, made.user) == ("ext4", ("-N", "100", "-L", "my data"), "www")
    assert file_system(new=False) is None
    assert file_system(new=True, source="s-1") is None, "what is restored has a file system already"


def test_a_file_system_of_the_volume_definition_wins(picture):
    wanted = definition(resource("alpha", volume(new=True)), props={"FileSystem/Type": "ext4"})
    nearer = VolumeDefinition(number=0, uuid="vd", size=GIB, props={"FileSystem/Type": "xfs"})
    wanted = msgspec.structs.replace(wanted, volume_definitions=(nearer,))
    assert order(picture, wanted).volumes[0].file_system.kind == "xfs"


def test_that_a_volume_is_not_new_any_more_asks_for_nothing(picture):
    new = order(picture, definition(resource("alpha", volume(new=True, source="s", source_name="x"))))
    made = order(picture, definition(resource("alpha", volume())))
    gone = order(picture, definition(resource("alpha", volume(), flags=["DELETE"])))
    assert not same_order(new, made)
    assert not asks_for_more(new, made)
    assert asks_for_more(made, gone)
    assert asks_for_more(None, made)
    assert not asks_for_more(gone, None)


def test_orders_differ_by_what_they_want_not_by_their_revision(picture):
    one = order(picture, definition(resource("alpha", volume()), revision=1))
    two = order(picture, definition(resource("alpha", volume()), revision=2))
    three = order(picture, definition(resource("alpha", volume(size=2 * GIB))))
    assert same_order(one, two)
    assert not same_order(one, three)
    assert not same_order(one, None)
    assert same_order(None, None)
