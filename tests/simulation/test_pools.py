"""Storage pools in a cluster: options, extents, room, pools that break, vanish, run full or are given up."""

import pytest

from orlop import codes
from orlop.codes import ERROR, WARNING, Fail, Subject
from orlop.controller import orders, wire
from orlop.controller.answers import Answers
from orlop.controller.api.views import pools as view
from orlop.controller.api.views import resources as resource_view
from orlop.controller.usecases import (
    all_or_nothing,
    definitions,
    forgetting,
    groups,
    nodes,
    pools,
    resources,
    restoring,
    settings,
    snapshots,
    spawning,
)
from orlop.errors import BadProperty, Refused
from orlop.model import GIB, KIB, MIB
from orlop.testing.cluster import SimulatedCluster
from tests.simulation.crates import LVCREATE, WOOD, mkcrate, say, with_crates

FOLDER = "/crates/first"
NODES = ("alpha", "bravo", "charlie")
NOTED = "StorDriver/internal/AllocationGranularity"


@pytest.fixture
def cluster():
    """Three nodes, each with a pool of crates and one of thin crates."""
    made = SimulatedCluster(NODES, seed=11, drivers=with_crates())
    made.register()
    for name in NODES:
        made.nodes[name].host.installed["mkcrate"] = mkcrate
        pool(made, name)
    return made


def pool(cluster, node, name="crates", provider="CRATE", folder=FOLDER):
    body = wire.StoragePool(storage_pool_name=name, provider_kind=provider, props={"StorDriver/StorPoolName": folder})
    answers = pools.create(cluster.core, node, body)
    assert not answers.failed, [e.message for e in answers]


def spawn(cluster, name="web", size_kib=64, **rule):
    body = wire.ResourceGroupSpawn(
        resource_definition_name=name,
        volume_sizes=(size_kib,),
        select_filter=wire.AutoSelectFilter(**{"place_count": 3, "storage_pool_list": ("crates",)} | rule),
    )
    return spawning.spawn(cluster.core, "DfltRscGrp", body)


def create(cluster, node, name="web", pool="crates", **props):
    body = wire.Resource(node_name=node, props={"StorPoolName": pool, **props})
    return resources.create(cluster.core, name, (wire.ResourceCreate(resource=body),))


def define(cluster, name="web", size_kib=64):
    volumes = (wire.VolumeDefinition(size_kib=size_kib),)
    body = wire.ResourceDefinition(name=name, volume_definitions=volumes)
    return definitions.create(cluster.core, wire.ResourceDefinitionCreate(resource_definition=body))


def order(cluster, node, name="web"):
    core = cluster.core
    return orders.wanted_resource(core.drivers, core.picture, core.picture.definition(name), node)


def sizes(cluster, name="web"):
    return {r.node: r.volumes[0].levels[-1].size for r in cluster.core.picture.definition(name).resources}


def disk(cluster, node):
    return cluster.nodes[node].host.disk


def files(cluster, node, folder=FOLDER):
    return sorted(name for name in disk(cluster, node).folders.get(folder, {}) if not name.startswith("."))


def set_props(**props):
    return wire.ResourceDefinitionModify(override_props=props)


def extent(cluster, node, size, folder=FOLDER):
    say(disk(cluster, node), folder + ".extent", str(size) if size else "")
    cluster.run(20.0)


def warn(cluster, node, text, folder=FOLDER):
    say(disk(cluster, node), folder + ".warning", text)
    cluster.run(20.0)


def entries(answers, severity):
    return [entry for entry in answers if entry.severity == severity]


# -- options --------------------------------------------------------------------------------------------------


def test_the_nearest_object_decides_an_option_of_a_new_volume_and_its_snapshot(cluster):
    core, oak = cluster.core, {WOOD: "oak"}
    heeded = []

    def now():
        return order(cluster, "alpha").volumes[0].levels[-1].options.get(WOOD)

    spawn(cluster)
    assert order(cluster, "alpha").volumes[0].levels[-1].options == {}
    pine, change = {WOOD: "pine"}, wire.PropertiesModify
    number, node = 0, "alpha"
    steps = (
        lambda p: settings.modify(core, wire.ControllerPropsModify(override_props=p)),
        lambda p: groups.modify(core, "DfltRscGrp", wire.ResourceGroupModify(override_props=p)),
        lambda p: groups.modify_volume(core, "DfltRscGrp", number, wire.VolumeGroupModify(override_props=p)),
        lambda p: definitions.modify(core, "web", wire.ResourceDefinitionModify(override_props=p)),
        lambda p: definitions.modify_volume(core, "web", number, wire.VolumeDefinitionModify(override_props=p)),
        lambda p: nodes.modify(core, node, wire.NodeModify(override_props=p)),
        lambda p: pools.modify(core, node, "crates", wire.StoragePoolDefinitionModify(override_props=p)),
        lambda p: resources.modify(core, "web", node, wire.ResourceModify(override_props=p)),
        lambda p: resources.modify_volume(core, "web", node, number, wire.VolumeModify(override_props=p)),
    )
    assert change
    groups.create_volume(core, "DfltRscGrp", wire.VolumeGroup())
    for index, step in enumerate(steps):
        step(pine if index % 2 else oak)
        heeded.append(now())
    assert heeded == ["oak" if index % 2 == 0 else "pine" for index in range(len(steps))]
    snapshots.create(core, "web", wire.Snapshot(name="monday"))
    assert order(cluster, "alpha").snapshots[0].options == {WOOD: "oak"}


def test_a_changed_option_does_not_disturb_what_is_there(cluster):
    spawn(cluster)
    ran = len(cluster.nodes["alpha"].host.ran)
    cluster.sent.clear()
    cluster.mute = True
    definitions.modify(cluster.core, "web", set_props(**{WOOD: "pine"}))
    cluster.run(5.0)
    assert not cluster.sent, "no order goes out for it alone"
    cluster.mute = False
    cluster.run(60.0)
    assert not [a for a in cluster.nodes["alpha"].host.ran[ran:] if "--list" not in a and a[0] == "mkcrate"]
    assert cluster.core.reported.current("alpha", "web").settled
    snapshots.create(cluster.core, "web", wire.Snapshot(name="monday"))
    assert "SUCCESSFUL" in cluster.core.picture.definition("web").snapshots[0].flags


def test_a_value_that_no_driver_could_obey_is_refused_wherever_it_is_set(cluster):
    core, bad = cluster.core, {WOOD: "steel"}
    define(cluster)
    for act in (
        lambda: settings.modify(core, wire.ControllerPropsModify(override_props=bad)),
        lambda: groups.modify(core, "DfltRscGrp", wire.ResourceGroupModify(override_props=bad)),
        lambda: groups.create(core, wire.ResourceGroup(name="words", props=bad)),
        lambda: definitions.modify(core, "web", wire.ResourceDefinitionModify(override_props=bad)),
        lambda: definitions.modify_volume(core, "web", 0, wire.VolumeDefinitionModify(override_props=bad)),
        lambda: nodes.modify(core, "alpha", wire.NodeModify(override_props=bad)),
        lambda: pools.modify(core, "alpha", "crates", wire.StoragePoolDefinitionModify(override_props=bad)),
        lambda: create(cluster, "alpha", **bad),
    ):
        before = core.picture
        with pytest.raises(BadProperty, match="is oak or pine, not 'steel'"):
            act()
        assert core.picture is before


def test_a_value_that_one_kind_of_pool_can_obey_is_told_to_the_other_when_something_is_made_there(cluster):
    pool(cluster, "alpha", "thin", "THIN_CRATE", "/crates/thin")
    change = {LVCREATE: "--thick yes"}
    settings.modify(cluster.core, wire.ControllerPropsModify(override_props=change))
    with pytest.raises(BadProperty, match="not for thin crates"):
        pools.modify(cluster.core, "alpha", "thin", wire.StoragePoolDefinitionModify(override_props=change))
    define(cluster)
    with pytest.raises(Refused, match=r"cannot be made in storage pool 'thin' on node 'alpha'.*not for thin crates"):
        create(cluster, "alpha", pool="thin")
    assert not cluster.core.picture.definition("web").resources
    assert not create(cluster, "alpha").failed


# -- extents --------------------------------------------------------------------------------------------------


def test_replicas_are_equally_large_although_their_pools_hand_out_different_extents(cluster):
    extent(cluster, "bravo", 4 * MIB)
    extent(cluster, "charlie", 8 * KIB)
    spawn(cluster, size_kib=65)
    assert set(sizes(cluster).values()) == {4 * MIB}
    assert cluster.core.picture.definition("web").volume_definitions[0].props == {NOTED: "4096"}
    with pytest.raises(BadProperty, match="cannot be changed"):
        definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(override_props={NOTED: "4"}))


def test_an_option_that_makes_a_pool_coarser_counts(cluster):
    pools.modify(cluster.core, "bravo", "crates", wire.StoragePoolDefinitionModify(override_props={WOOD: "oak"}))
    settings.modify(cluster.core, wire.ControllerPropsModify(override_props={WOOD: "pine"}))
    spawn(cluster, size_kib=65, place_count=1, node_name_list=("bravo",))
    assert sizes(cluster) == {"bravo": 68 * KIB}
    spawn(cluster, name="next", size_kib=65)
    assert set(sizes(cluster, "next").values()) == {80 * KIB}


def test_an_extent_is_known_while_the_node_is_away_and_after_a_restart(cluster):
    extent(cluster, "bravo", 4 * MIB)
    cluster.nodes["bravo"].stop()
    cluster.start_controller()
    cluster.run(30.0)
    assert cluster.core.picture.pool("bravo", "crates").props[NOTED] == "4096"
    assert NOTED not in orders.wanted_pools(cluster.core.picture, "bravo")[0].props
    define(cluster)
    assert not create(cluster, "bravo").failed
    assert sizes(cluster) == {"bravo": 4 * MIB}


def test_what_is_there_is_law_and_a_replica_in_a_coarser_pool_is_rounded_up_by_itself(cluster):
    define(cluster)
    create(cluster, "alpha")
    extent(cluster, "bravo", 4 * MIB)
    create(cluster, "bravo")
    assert sizes(cluster) == {"alpha": 64 * KIB, "bravo": 4 * MIB}
    create(cluster, "charlie")
    assert sizes(cluster)["charlie"] == 64 * KIB, "one coarse replica does not make the next one larger"
    body = wire.VolumeDefinitionModify(size_kib=5000)
    definitions.modify_volume(cluster.core, "web", 0, body)
    assert set(sizes(cluster).values()) == {8 * MIB}, "growing makes them equal again"


def test_all_replicas_of_one_request_count(cluster):
    extent(cluster, "charlie", 1 * MIB)
    define(cluster)
    wanted = tuple(
        wire.ResourceCreate(resource=wire.Resource(node_name=n, props={"StorPoolName": "crates"})) for n in NODES
    )
    resources.create(cluster.core, "web", wanted)
    assert set(sizes(cluster).values()) == {MIB}


def test_a_restored_volume_holds_the_whole_snapshot(cluster):
    extent(cluster, "bravo", 4 * MIB)
    spawn(cluster)
    snapshots.create(cluster.core, "web", wire.Snapshot(name="monday"))
    extent(cluster, "bravo", 0)
    define(cluster, "copy")
    request = wire.SnapshotRestore(to_resource="copy", nodes=("alpha",))
    assert not restoring.restore_resource(cluster.core, "web", "monday", request).failed
    assert sizes(cluster, "copy") == {"alpha": 4 * MIB}


def test_the_coarsest_chosen_pool_has_to_have_the_room(cluster):
    for name in NODES:
        disk(cluster, name).total = 100 * MIB
    extent(cluster, "bravo", 64 * MIB)
    with pytest.raises(Refused) as refused:
        spawn(cluster, size_kib=80 * 1024)
    assert refused.value.code == Fail.NOT_ENOUGH_NODES
    assert "131072 KiB needed" in refused.value.details
    assert cluster.core.picture.definition("web") is None
    assert not spawn(cluster, size_kib=80 * 1024, place_count=2, node_name_list=("alpha", "charlie")).failed


# -- room -----------------------------------------------------------------------------------------------------


def test_volumes_of_one_request_do_not_share_the_same_room(cluster):
    disk(cluster, "alpha").total = 100 * MIB
    cluster.run(20.0)
    define(cluster, size_kib=60 * 1024)
    definitions.create_volume(
        cluster.core, "web", wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=60 * 1024))
    )
    with pytest.raises(Refused) as refused:
        create(cluster, "alpha")
    assert refused.value.code == Fail.NOT_ENOUGH_FREE_SPACE
    assert not cluster.core.picture.definition("web").resources


def test_a_pool_that_its_satellite_warns_of_takes_nothing_new_and_says_why(cluster):
    spawn(cluster, name="old", place_count=1, node_name_list=("alpha",))
    warn(cluster, "alpha", "its metadata is 92 % full")
    with pytest.raises(Refused) as refused:
        spawn(cluster)
    assert "pool crates: its metadata is 92 % full" in refused.value.details
    define(cluster)
    for act in (
        lambda: create(cluster, "alpha"),
        lambda: snapshots.create(cluster.core, "old", wire.Snapshot(name="monday")),
        lambda: definitions.modify_volume(cluster.core, "old", 0, wire.VolumeDefinitionModify(size_kib=128)),
    ):
        with pytest.raises(Refused, match=r"'crates' on node 'alpha' takes nothing new: its metadata is 92 % full"):
            act()
    shown = view.pool(cluster.core.drivers, cluster.core.reported, cluster.core.picture.pool("alpha", "crates"))
    assert [(e.severity, e.message) for e in shown.reports] == [(WARNING, "its metadata is 92 % full")]
    assert shown.free_capacity
    warn(cluster, "alpha", "")
    assert not create(cluster, "alpha").failed


def fill_thin(cluster, node, left, folder="/crates/thin"):
    """Leave a share of the whole disk free."""
    there = disk(cluster, node)
    filling = there.new_file(0, int(there.free - left * there.total))
    there.put(f"{folder}/.filling", filling)
    cluster.run(20.0)


def test_nothing_is_placed_in_a_thin_pool_that_is_nearly_full_but_it_can_be_asked_for(cluster):
    for name in NODES:
        pool(cluster, name, "thin", "THIN_CRATE", "/crates/thin")
    fill_thin(cluster, "alpha", 0.08)
    thin = {"storage_pool_list": ("thin",)}
    with pytest.raises(Refused) as refused:
        spawn(cluster, **thin)
    assert "pool thin: 8.0 % of it is free, less than the 10 % of" in refused.value.details
    assert not spawn(cluster, place_count=2, **thin).failed
    answers = create(cluster, "alpha", pool="thin")
    assert not answers.failed
    assert "nearly full" in entries(answers, WARNING)[0].message
    least = {"Autoplacer/MinThinFreeSpace": "5%"}
    groups.modify(cluster.core, "DfltRscGrp", wire.ResourceGroupModify(override_props=least))
    assert not spawn(cluster, name="next", **thin).failed
    pools.modify(
        cluster.core,
        "alpha",
        "thin",
        wire.StoragePoolDefinitionModify(override_props={"Autoplacer/MinThinFreeSpace": "20"}),
    )
    with pytest.raises(Refused, match="Not enough"):
        spawn(cluster, name="third", **thin)


def test_a_thin_pool_that_promises_more_than_it_has_is_told(cluster):
    pool(cluster, "alpha", "thin", "THIN_CRATE", "/crates/thin")
    define(cluster, size_kib=60 * GIB // KIB)
    assert not entries(create(cluster, "alpha", pool="thin"), WARNING)
    define(cluster, "next", size_kib=60 * GIB // KIB)
    (told,) = entries(create(cluster, "alpha", "next", pool="thin"), WARNING)
    assert told.message == (
        f"Thin storage pool 'thin' on node 'alpha' promises {120 * GIB // KIB} KiB and has {100 * GIB // KIB} KiB."
    )


# -- pools that break and vanish --------------------------------------------------------------------------------


def vanish(cluster, node, folder=FOLDER):
    """The folder with all that is in it is not there any more; whoever has it open keeps it."""
    gone = disk(cluster, node).folders.pop(folder)
    disk(cluster, node).loops = {
        path: loop for path, loop in disk(cluster, node).loops.items() if not loop.path.startswith(folder + "/")
    }
    cluster.run(20.0)
    return gone


def reports(cluster, node, name="crates"):
    core = cluster.core
    return view.pool(core.drivers, core.reported, core.picture.pool(node, name)).reports


def resource_list(cluster, name):
    core = cluster.core
    definition = core.picture.definition(name)
    return [
        resource_view.with_volumes(
            resource_view.replica(core.picture, definition, r, core.reported.resource(r.node, name))
        )
        for r in definition.resources
    ]


def test_a_pool_that_vanished_fails_only_itself_and_comes_back_by_itself(cluster):
    spawn(cluster)
    spawn(cluster, name="other", storage_pool_list=("pool1",))
    gone = vanish(cluster, "bravo")
    (told,) = reports(cluster, "bravo")
    assert told.severity == ERROR
    assert FOLDER in told.message
    assert "orlop storage-pool lost bravo crates" in told.correction
    assert not reports(cluster, "bravo", "pool1")
    assert cluster.core.reported.current("bravo", "other").settled
    seen = cluster.core.reported.current("bravo", "web").volumes[0]
    assert seen.presence == "HIDDEN", "unknown, not lost"
    shown = {r.node_name: r.volumes[0] for r in resource_list(cluster, "web")}
    assert {node: (v.state and v.state.disk_state) for node, v in shown.items()} == {
        "alpha": "Created",
        "bravo": None,
        "charlie": "Created",
    }
    assert FOLDER in shown["bravo"].reports[0].message
    assert "orlop storage-pool lost bravo crates" in shown["bravo"].reports[0].correction
    define(cluster, "next")
    for act in (
        lambda: create(cluster, "bravo", "next"),
        lambda: definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=128)),
        lambda: snapshots.create(cluster.core, "web", wire.Snapshot(name="monday")),
    ):
        with pytest.raises(Refused, match=r"Storage pool 'crates' on node 'bravo' cannot be used: .*" + FOLDER):
            act()
    with pytest.raises(Refused) as refused:
        spawn(cluster, name="third")
    assert FOLDER in refused.value.details
    disk(cluster, "bravo").folders[FOLDER] = gone
    cluster.run(30.0)
    assert not reports(cluster, "bravo")
    assert not create(cluster, "bravo", "next").failed
    assert cluster.core.reported.current("bravo", "web").volumes[0].presence == "READY"


def test_a_resource_of_a_pool_that_vanished_is_removed_when_it_is_back(cluster):
    spawn(cluster)
    gone = vanish(cluster, "bravo")
    answers = resources.delete(cluster.core, "web", "bravo")
    assert answers.failed
    assert any("failed" in e.message and FOLDER in e.message for e in entries(answers, ERROR))
    disk(cluster, "bravo").folders[FOLDER] = gone
    cluster.run(60.0)
    assert not files(cluster, "bravo")
    assert set(sizes(cluster)) == {"alpha", "charlie"}


# -- pools that are given up ------------------------------------------------------------------------------------


def test_a_pool_that_works_is_not_forgotten(cluster):
    spawn(cluster)
    before = cluster.core.picture
    with pytest.raises(Refused, match="is not lost: it works") as refused:
        forgetting.pool_lost(cluster.core, "bravo", "crates")
    assert refused.value.code == Fail.LOST_STOR_POOL
    assert cluster.core.picture is before


@pytest.mark.parametrize("how", ["broken", "away"])
def test_a_lost_pool_is_forgotten_with_all_that_was_in_it_at_once(cluster, how):
    spawn(cluster)
    spawn(cluster, name="other", storage_pool_list=("pool1",))
    snapshots.create(cluster.core, "web", wire.Snapshot(name="monday"))
    gone = None
    if how == "broken":
        gone = vanish(cluster, "bravo")
    else:
        cluster.nodes["bravo"].stop()
        cluster.run(30.0)
    before = cluster.clock.now
    answers = forgetting.pool_lost(cluster.core, "bravo", "crates")
    assert cluster.clock.now == before, "nobody is waited for"
    assert not answers.failed
    (warned,) = entries(answers, WARNING)
    assert warned.obj_refs["RscDfn"] == "web"
    assert "alpha, charlie" in warned.details
    definition = cluster.core.picture.definition("web")
    assert [r.node for r in definition.resources] == ["alpha", "charlie"]
    assert sorted(p.node for p in definition.snapshots[0].nodes) == ["alpha", "charlie"]
    assert set(sizes(cluster, "other")) == set(NODES)
    assert cluster.core.picture.pool("bravo", "crates") is None
    cluster.heal()
    cluster.run(60.0)
    if gone is not None:
        disk(cluster, "bravo").folders[FOLDER] = gone
        cluster.run(60.0)
    assert files(cluster, "bravo") == ["web_00000", "web_00000.monday"], "nothing is removed behind our back"
    assert not snapshots.delete(cluster.core, "web", "monday").failed
    assert not definitions.delete(cluster.core, "web").failed


def test_what_is_in_part_in_another_pool_is_named_and_nothing_is_forgotten(cluster):
    define(cluster)
    volume = wire.VolumeDefinition(size_kib=64, props={"StorPoolName": "pool1"})
    definitions.create_volume(cluster.core, "web", wire.VolumeDefinitionCreate(volume_definition=volume))
    body = wire.Resource(node_name="alpha")
    definitions.modify_volume(
        cluster.core, "web", 0, wire.VolumeDefinitionModify(override_props={"StorPoolName": "crates"})
    )
    resources.create(cluster.core, "web", (wire.ResourceCreate(resource=body),))
    assert [v.pool for v in cluster.core.picture.definition("web").resources[0].volumes] == ["crates", "pool1"]
    vanish(cluster, "alpha")
    before = cluster.core.picture
    with pytest.raises(Refused) as refused:
        forgetting.pool_lost(cluster.core, "alpha", "crates")
    assert "resource web, also in pool1" in refused.value.details
    assert cluster.core.picture is before
    resources.delete(cluster.core, "web", "alpha")
    cluster.run(30.0)
    assert not forgetting.pool_lost(cluster.core, "alpha", "crates").failed
    assert not cluster.core.picture.definition("web").resources
    assert not files(cluster, "alpha", "/srv/pool")


def test_a_definition_that_waited_only_for_a_lost_pool_goes_with_it(cluster):
    spawn(cluster, place_count=1, node_name_list=("alpha",))
    vanish(cluster, "alpha")
    definitions.delete(cluster.core, "web")
    assert cluster.core.picture.definition("web").deleting
    forgetting.pool_lost(cluster.core, "alpha", "crates")
    assert cluster.core.picture.definition("web") is None


# -- full in the middle -------------------------------------------------------------------------------------------


def fill_behind_our_back(cluster, node, left=0):
    """Somebody else fills the disk, and the satellite has not looked since."""
    there = disk(cluster, node)
    there.folders.setdefault("/var", {})["log"] = there.new_file(0, there.free - left)


def free(cluster, node):
    disk(cluster, node).folders["/var"].pop("log")
    cluster.run(20.0)


def test_a_spawn_that_finds_a_pool_full_leaves_nothing_anywhere_and_can_be_repeated(cluster):
    fill_behind_our_back(cluster, "charlie")
    answers = spawn(cluster)
    (told,) = entries(answers, ERROR)
    assert told.code == Fail.NOT_ENOUGH_FREE_SPACE
    assert told.obj_refs["Node"] == "charlie"
    assert "no space left in storage pool crates" in told.message
    assert cluster.core.picture.definition("web") is None
    assert not any(files(cluster, node) for node in NODES)
    free(cluster, "charlie")
    assert not spawn(cluster).failed
    assert all(files(cluster, node) == ["web_00000"] for node in NODES)


def test_a_placement_that_finds_a_pool_full_takes_back_only_its_own(cluster):
    define(cluster)
    create(cluster, "alpha")
    fill_behind_our_back(cluster, "charlie")
    rule = wire.AutoSelectFilter(place_count=3, storage_pool_list=("crates",))
    answers = resources.autoplace(cluster.core, "web", wire.AutoPlaceRequest(select_filter=rule))
    assert [e.code for e in entries(answers, ERROR)] == [Fail.NOT_ENOUGH_FREE_SPACE]
    assert set(sizes(cluster)) == {"alpha"}
    assert [files(cluster, node) for node in NODES] == [["web_00000"], [], []]
    free(cluster, "charlie")
    assert not resources.autoplace(cluster.core, "web", wire.AutoPlaceRequest(select_filter=rule)).failed


def test_what_is_used_already_is_not_taken_back(cluster):
    """Somebody opened the new volume on one node before it was known that another one has no space."""
    define(cluster)
    create(cluster, "alpha")
    there = disk(cluster, "alpha")
    there.use(next(iter(there.loops)), "a machine")
    cluster.run(20.0)
    definition = cluster.core.picture.definition("web")
    answers = Answers(codes.CREATE, Subject.RSC)
    all_or_nothing.take_back(cluster.core, answers, definition, list(definition.resources), ["charlie"], True)
    assert [e.code for e in entries(answers, ERROR)] == [Fail.IN_USE]
    assert cluster.core.picture.definition("web") is definition


def test_what_was_made_again_meanwhile_is_not_taken_back(cluster):
    define(cluster)
    create(cluster, "alpha")
    former = cluster.core.picture.definition("web")
    definitions.delete(cluster.core, "web")
    define(cluster)
    answers = Answers(codes.CREATE, Subject.RSC)
    all_or_nothing.take_back(cluster.core, answers, former, list(former.resources), ["charlie"], True)
    assert not cluster.core.picture.definition("web").deleting


def test_a_volume_that_finds_a_pool_full_is_taken_back_on_all_nodes(cluster):
    spawn(cluster)
    fill_behind_our_back(cluster, "charlie")
    body = wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=64))
    answers = definitions.create_volume(cluster.core, "web", body)
    assert [e.code for e in entries(answers, ERROR)] == [Fail.NOT_ENOUGH_FREE_SPACE]
    assert len(cluster.core.picture.definition("web").volume_definitions) == 1
    assert all(files(cluster, node) == ["web_00000"] for node in NODES)
    free(cluster, "charlie")
    assert not definitions.create_volume(cluster.core, "web", body).failed


def test_a_snapshot_that_needs_more_room_than_there_is_is_refused_before_anything_is_done(cluster):
    for name in NODES:
        disk(cluster, name).total = 200 * MIB
    spawn(cluster, size_kib=150 * 1024)
    definitions.modify(cluster.core, "web", set_props(**{WOOD: "pine"}))
    cluster.run(20.0)
    with pytest.raises(Refused, match=r"has \d+ KiB left, 76800 KiB are needed") as refused:
        snapshots.create(cluster.core, "web", wire.Snapshot(name="monday"))
    assert refused.value.code == Fail.NOT_ENOUGH_FREE_SPACE
    assert not cluster.core.picture.definition("web").snapshots
    definitions.modify(cluster.core, "web", set_props(**{WOOD: "oak"}))
    assert not snapshots.create(cluster.core, "web", wire.Snapshot(name="monday")).failed


def test_a_snapshot_that_finds_a_pool_full_is_on_no_node_and_can_be_repeated(cluster):
    for node in cluster.nodes.values():
        node.host._reflink = False
    cluster.run(20.0)
    spawn(cluster)
    for node in NODES:
        there = disk(cluster, node)
        there.write(next(iter(there.loops)), 0, b"data".ljust(4096, b"."))
    fill_behind_our_back(cluster, "charlie")
    answers = snapshots.create(cluster.core, "web", wire.Snapshot(name="monday"))
    (told,) = entries(answers, ERROR)
    assert told.code == Fail.NOT_ENOUGH_FREE_SPACE
    assert "node charlie: no space left in storage pool crates" in told.message
    cluster.run(30.0)
    assert all(files(cluster, node) == ["web_00000"] for node in NODES)
    free(cluster, "charlie")
    assert not snapshots.create(cluster.core, "web", wire.Snapshot(name="monday")).failed
    assert all(files(cluster, node) == ["web_00000", "web_00000.monday"] for node in NODES)
