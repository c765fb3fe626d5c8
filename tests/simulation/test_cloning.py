"""A definition with the data of another one: what it holds, what is left of it when it fails, and where it lies."""

import pytest
from msgspec.structs import replace

from orlop import codes
from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.views.definitions import definition as view
from orlop.controller.usecases import cloning, definitions, restoring, snapshots
from orlop.controller.usecases.healing import Healing
from orlop.controller.usecases.spreading import AFTER_CLONE
from orlop.errors import NotFound, Refused
from orlop.model import KIB, MIB
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.commits import ControllerCrash
from tests.simulation.moving_replicas import good, run
from tests.simulation.test_replicated_restore import (
    NEW,
    OLD,
    diskful,
    disks,
    raw,
    spawn,
    synchronized_fully,
    take,
    write,
)

LOOKS = 12  # of ten seconds


@pytest.fixture(params=["8.4", "9"])
def cluster(request):
    made = SimulatedCluster(seed=5, drbd=request.param)
    made.register()
    return made


@pytest.fixture
def single():
    """Nothing is replicated."""
    made = SimulatedCluster(seed=5)
    made.register()
    return made


def clone(cluster, name="copy", of="web", **more):
    return cloning.start(cluster.core, of, wire.ResourceDefinitionClone(name=name, **more))


def look(cluster, times=LOOKS):
    for _ in range(times):
        cluster.settle(10)
        cloning.look(cluster.core)


def put(cluster, node, data, name="web"):
    host = cluster.nodes[node].host
    device = cluster.core.reported.resource(node, name).volumes[0].device
    host.disk.write(device, 0, data)


def state(cluster, name="copy", of="web"):
    return cloning.status(cluster.core, of, name)


def snapshots_of(cluster, name="web"):
    return [s.name for s in cluster.core.picture.definition(name).snapshots]


def operation(cluster, name="copy"):
    (found,) = cluster.core.picture.definition(name).operations
    return found


def test_it_holds_what_its_source_held_and_is_apart_from_it(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    started = clone(cluster)
    assert (started.source_name, started.clone_name) == ("web", "copy")
    assert started.location == "/v1/resource-definitions/web/clone/copy"
    cluster.settle()
    assert state(cluster) == "COMPLETE"
    assert snapshots_of(cluster) == []
    assert disks(cluster, "copy") == {one: {"UpToDate"}, two: {"UpToDate"}}
    assert not synchronized_fully(cluster, "copy")
    write(cluster, two, NEW)
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD
    write(cluster, one, NEW, "copy", number=1)
    assert raw(cluster, two, "copy", 1) == NEW
    assert raw(cluster, two, "web", 1) is None


@pytest.mark.parametrize("first", ["web", "copy"])
def test_each_can_be_deleted_without_the_other(cluster, first):
    one, _ = spawn(cluster)
    write(cluster, one, OLD)
    clone(cluster)
    cluster.settle()
    assert not definitions.delete(cluster.core, first).failed
    cluster.settle()
    assert cluster.core.picture.definition(first) is None
    (other,) = {"web", "copy"} - {first}
    assert {raw(cluster, node, other) for node in diskful(cluster, other)} == {OLD}


def test_it_is_like_its_source_in_all_that_nobody_wants_otherwise(single):
    spawn(single, layers=("storage",), count=1)
    change = wire.ResourceDefinitionModify(override_props={"Aux/a": "1", "Aux/b/c": "2", "Aux/d": "3"})
    definitions.modify(single.core, "web", change)
    definitions.modify_volume(single.core, "web", 1, wire.VolumeDefinitionModify(override_props={"Aux/v": "4"}))
    more = {"override_props": {"Aux/a": "5"}, "delete_props": ("Aux/d",), "delete_namespaces": ("Aux/b",)}
    started = clone(single, name=None, external_name="copy of web", volume_sizes=(2048,), **more)
    single.settle()
    found = single.core.picture.definition(started.clone_name)
    assert (found.external_name, found.group, found.layers) == ("copy of web", "DfltRscGrp", ("STORAGE",))
    assert {name: value for name, value in found.props.items() if name.startswith("Aux/")} == {"Aux/a": "5"}
    assert [(v.size // KIB, v.props.get("Aux/v")) for v in found.volume_definitions] == [(2048, None), (1024, "4")]
    (resource,) = found.resources
    assert [v.size for v in single.core.reported.resource(resource.node, found.name).volumes] == [2 * MIB, MIB]


def test_a_locked_source_can_be_cloned_and_the_clone_is_not_locked(single):
    spawn(single, layers=("storage",), count=1)
    with single.core.change() as draft:
        web = draft.definition("web")
        draft.put(replace(web, flags=web.flags | {"LOCKED"}))
    clone(single)
    single.settle()
    assert single.core.picture.definition("copy").flags == frozenset()


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        ({"name": "web"}, Fail.EXISTS_RSC_DFN, "already exists"),
        ({"name": "a b"}, Fail.INVLD_RSC_NAME, "a b"),
        ({"of": "none"}, Fail.NOT_FOUND_RSC_DFN, "none"),
        ({"name": None}, Fail.INVLD_RSC_NAME, "needs a name"),
        ({"resource_group": "none"}, Fail.NOT_FOUND_RSC_GRP, "none"),
        ({"volume_sizes": (512,)}, Fail.INVLD_VLM_SIZE, "cannot have 512 KiB"),
        ({"volume_sizes": (1024, 1024, 1024)}, Fail.INVLD_VLM_SIZES, "has 2 volumes"),
        ({"volume_sizes": (-1,)}, Fail.INVLD_VLM_SIZE, "-1"),
        ({"layer_list": ("luks", "storage")}, Fail.INVLD_LAYER_STACK, "the snapshot's is"),
        ({"volume_passphrases": ("secret",)}, Fail.INVLD_REQUEST, "keys of its source"),
        ({"override_props": {"No/Such": "1"}}, Fail.INVLD_PROP, "No/Such"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(single, asked, code, says):
    spawn(single, layers=("storage",), count=1)
    before = single.core.picture.definitions
    with pytest.raises((Refused, NotFound)) as refused:
        clone(single, **asked)
    assert refused.value.code == code
    assert says in f"{refused.value} {refused.value.cause}"
    look(single, 2)
    assert single.core.picture.definitions.keys() == before.keys()
    assert snapshots_of(single) == []


def test_where_there_is_no_data_there_is_nothing_to_clone(single):
    body = wire.ResourceDefinition(name="web", volume_definitions=(wire.VolumeDefinition(size_kib=1024),))
    definitions.create(single.core, wire.ResourceDefinitionCreate(resource_definition=body))
    with pytest.raises(Refused, match="nothing to take a snapshot of"):
        clone(single)
    assert single.core.picture.definition("copy") is None


def test_without_replication_above_it_gets_none(cluster):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    clone(cluster, layer_list=("storage",))
    cluster.settle()
    assert cluster.core.picture.definition("copy").layers == ("STORAGE",)
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD


def test_a_snapshot_that_fails_leaves_nothing(single):
    (one,) = spawn(single, layers=("storage",), count=1)
    single.nodes[one].host.faults.fail(2, "made to fail")
    with pytest.raises(Refused) as refused:
        clone(single)
    assert f"'web' was not cloned: node {one}: " in str(refused.value)
    assert "made to fail" in str(refused.value)
    look(single, 2)
    assert single.core.picture.definition("copy") is None
    assert snapshots_of(single) == []
    assert not any("clone" in name for name in single.nodes[one].host.disk.folders[POOL])
    clone(single)
    single.settle()
    assert state(single) == "COMPLETE"


def test_use_where_drbd_cannot_hold_writes_back_is_told_and_leaves_nothing():
    cluster = SimulatedCluster(seed=5, drbd="8.4")
    cluster.register()
    one, _ = spawn(cluster)
    cluster.nodes[one].host.run(("drbdadm", "primary", "web"))
    cluster.settle()
    with pytest.raises(Refused, match=f"used on node '{one}'"):
        clone(cluster)
    assert cluster.core.picture.definition("copy") is None
    assert snapshots_of(cluster) == []


def test_several_are_made_one_after_the_other(cluster):
    one, _ = spawn(cluster)
    write(cluster, one, OLD)
    answers = Answers(codes.CREATE, Subject.SNAPSHOT)
    with cluster.core.change() as draft:  # somebody else's snapshot is just being taken
        web = draft.definition("web")
        snapshots.ordered(cluster.core, draft, answers, web, wire.Snapshot(name="mine"), {"web"})
    for name in ("copy", "copy2"):
        clone(cluster, name)
    cluster.settle()
    for name in ("copy", "copy2"):
        assert state(cluster, name) == "COMPLETE"
        assert raw(cluster, one, name) == OLD
    assert snapshots_of(cluster) == ["mine"]


def fail_after_the_snapshot(cluster, node, reason):
    """Everything that a node is to do for a clone fails but the first two, which are the snapshots."""
    for nth in range(3, 200):
        cluster.nodes[node].host.faults.fail(nth, reason)


def test_while_it_is_made_it_says_so_and_its_snapshot_stays(single):
    (one,) = spawn(single, layers=("storage",), count=1)
    put(single, one, OLD)
    fail_after_the_snapshot(single, one, "made to fail")
    clone(single)
    single.settle()
    look(single, 2)
    assert state(single) == "CLONING"
    assert view(single.core.picture.definition("copy"), volumes=False).flags == ("CLONING",)
    assert f"node {one}: " in operation(single).problem
    assert "made to fail" in operation(single).problem
    (snapshot,) = snapshots_of(single)
    with pytest.raises(Refused, match="being restored into 'copy'"):
        snapshots.delete(single.core, "web", snapshot)
    with pytest.raises(Refused, match="has snapshots"):
        definitions.delete(single.core, "web")
    single.heal()
    look(single, 12)
    assert state(single) == "COMPLETE"
    assert view(single.core.picture.definition("copy"), volumes=False).flags == ()
    assert raw(single, one, "copy") == OLD
    assert snapshots_of(single) == []


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize("nth", range(1, 9))
def test_wherever_the_controller_ends_it_is_made_or_given_up_and_nothing_is_left(cluster, nth, written):
    one, two = spawn(cluster)
    write(cluster, one, OLD)
    cluster.store.crash_at(nth, written)
    try:
        clone(cluster)
        cluster.settle()
    except ControllerCrash:
        pass
    cluster.store.no_crash()
    cluster.start_controller()
    cluster.heal()
    look(cluster)
    assert snapshots_of(cluster) == []
    if cluster.core.picture.definition("copy") is not None:
        assert state(cluster) in ("COMPLETE", "FAILED")
        if state(cluster) == "COMPLETE":
            assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD
        else:
            assert not cluster.core.picture.definition("copy").resources
            assert operation(cluster).problem
        assert not definitions.delete(cluster.core, "copy").failed
        cluster.settle()
    clone(cluster)
    cluster.settle()
    assert state(cluster) == "COMPLETE"
    assert raw(cluster, one, "copy") == raw(cluster, two, "copy") == OLD


def test_a_clone_that_is_deleted_while_it_is_made_takes_its_snapshot_along(cluster):
    one, two = spawn(cluster)
    cluster.store.crash_at(1, True)
    with pytest.raises(ControllerCrash):
        clone(cluster)
    cluster.store.no_crash()
    for node in (one, two):
        cluster.nodes[node].stop()
    cluster.start_controller()
    assert state(cluster) == "CLONING"
    definitions.delete(cluster.core, "copy")
    assert cluster.core.picture.definition("copy") is None
    cluster.heal()
    look(cluster, 3)
    assert snapshots_of(cluster) == []


def test_a_snapshot_stays_while_it_is_restored(single):
    (one,) = spawn(single, layers=("storage",), count=1)
    put(single, one, OLD)
    take(single)
    body = wire.ResourceDefinition(name="copy", layer_data=(wire.ResourceDefinitionLayer(type="STORAGE"),))
    definitions.create(single.core, wire.ResourceDefinitionCreate(resource_definition=body))
    restore = wire.SnapshotRestore(to_resource="copy")
    restoring.restore_volume_definitions(single.core, "web", "first", restore)
    for nth in range(1, 100):
        single.nodes[one].host.faults.fail(nth, "made to fail")
    assert restoring.restore_resource(single.core, "web", "first", restore).failed
    with pytest.raises(Refused, match="being restored into 'copy'"):
        snapshots.delete(single.core, "web", "first")
    single.heal()
    single.settle(600)
    assert raw(single, one, "copy") == OLD
    assert not snapshots.delete(single.core, "web", "first").failed


def test_where_there_is_no_space_it_says_so_and_what_is_ready_elsewhere_stays(single):
    one, two = spawn(single, layers=("storage",))
    fail_after_the_snapshot(single, two, "No space left on device")
    clone(single)
    single.settle(5)
    look(single)
    assert state(single) == "FAILED"
    assert f"node {two}: no space left" in operation(single).problem
    put(single, one, NEW, "copy")  # who got a node that is ready may have begun to use it
    single.heal()
    look(single, 60)  # it was tried again and again, with more and more time between
    assert state(single) == "COMPLETE"
    assert raw(single, one, "copy") == NEW
    assert snapshots_of(single) == []


def test_one_without_space_can_be_deleted_and_made_again(single):
    _, two = spawn(single, layers=("storage",))
    fail_after_the_snapshot(single, two, "No space left on device")
    clone(single)
    single.settle(5)
    assert state(single) == "FAILED"
    single.heal()
    assert not definitions.delete(single.core, "copy").failed
    look(single, 40)
    assert single.core.picture.definition("copy") is None
    assert snapshots_of(single) == []
    clone(single)
    single.settle()
    assert state(single) == "COMPLETE"


@pytest.mark.parametrize("asked", ["true", "false"])
def test_it_moves_where_it_would_be_placed_if_that_is_asked_for(asked):
    cluster = SimulatedCluster(("alpha", "bravo", "charlie", "delta"), seed=5, drbd="9")
    cluster.register()
    with cluster.core.change() as draft:
        draft.put(replace(draft.controller, props={AFTER_CLONE: asked}))
    nodes = spawn(cluster)
    write(cluster, nodes[0], OLD)
    clone(cluster)
    kinds = [each.kind for each in cluster.core.picture.definition("copy").operations]
    assert kinds == (["clone", "rebalance", "rebalance"] if asked == "true" else ["clone"])
    healing = Healing(cluster.core)

    def check():
        assert len(good(cluster, "copy")) >= 2

    run(cluster, healing, 60)
    run(cluster, healing, 600, check)
    now = diskful(cluster, "copy")
    assert set(now).isdisjoint(nodes) == (asked == "true")
    assert {raw(cluster, node, "copy") for node in now} == {OLD}
    assert snapshots_of(cluster) == []
