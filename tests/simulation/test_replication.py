"""Replicated resources on simulated nodes with DRBD 8.4: what is asked of them, and what goes wrong meanwhile."""

import pytest
from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller import wire
from orlop.controller.api.views.definitions import synced
from orlop.controller.growing import facts
from orlop.controller.usecases import definitions, encryption, resources, spawning
from orlop.errors import Refused
from orlop.model import KIB, key
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.disk import BLOCK

TOKEN = b"data".ljust(BLOCK, b".")


@pytest.fixture
def cluster():
    """Three nodes with DRBD 8.4 and a pool of sparse files each."""
    made = SimulatedCluster(seed=11, drbd=True)
    made.register()
    return made


@pytest.fixture
def spawn(cluster):
    def make(name="web", count=2, size_kib=1024):
        body = wire.ResourceGroupSpawn(
            resource_definition_name=name,
            volume_sizes=(size_kib,),
            select_filter=wire.AutoSelectFilter(place_count=count),
        )
        return spawning.spawn(cluster.core, "DfltRscGrp", body)

    return make


def create(cluster, node, name="web"):
    body = wire.ResourceCreate(resource=wire.Resource(node_name=node, props={"StorPoolName": "pool1"}))
    return resources.create(cluster.core, name, (body,))


def replicas(cluster, name="web"):
    definition = cluster.core.picture.definition(name)
    return {r.node: r for r in definition.resources} if definition else {}


def said(cluster, node, fact, name="web"):
    (volume,) = replicas(cluster, name)[node].volumes
    return facts(cluster.core.reported.resource(node, name), volume).get(fact)


def disks(cluster, name="web"):
    return {node: said(cluster, node, "disk", name) for node in replicas(cluster, name)}


def kernel(cluster, node):
    return cluster.nodes[node].host.drbd


def write(cluster, node, name="web", at=0, data=TOKEN):
    """As a user: make it primary, write, make it secondary."""
    host = cluster.nodes[node].host
    host.run(("drbdadm", "primary", name))
    minor = cluster.core.picture.definition(name).volume_definitions[0].minor
    host.disk.write(f"/dev/drbd{minor}", at, data)
    host.run(("drbdsetup", "events2", "--now", "--statistics"))
    host.run(("drbdadm", "secondary", name))


def read(cluster, node, name="web", at=0):
    (volume,) = kernel(cluster, node).resources[name].volumes.values()
    return volume.file.blocks.get(at)


def test_both_replicas_are_up_to_date_and_hold_the_same(cluster, spawn):
    assert not spawn().failed
    cluster.settle()
    one, two = replicas(cluster)
    assert disks(cluster) == {one: "UpToDate", two: "UpToDate"}
    write(cluster, one)
    assert read(cluster, two) == TOKEN


def test_the_usual_stack_replicates_where_nodes_can(cluster, spawn):
    spawn()
    assert cluster.core.picture.definition("web").layers == ("DRBD", "STORAGE")


def test_one_replica_is_the_first_and_its_data_goes_to_those_that_come_later(cluster, spawn):
    spawn(count=1)
    (one,) = replicas(cluster)
    write(cluster, one)
    first = cluster.core.picture.definition("web").volume_definitions[0].first
    two = next(name for name in cluster.nodes if name != one)
    create(cluster, two)
    cluster.settle()
    assert disks(cluster) == {one: "UpToDate", two: "UpToDate"}
    assert read(cluster, two) == TOKEN
    assert cluster.core.picture.definition("web").volume_definitions[0].first == first


def test_numbers_are_unique_where_they_have_to_be(cluster, spawn):
    for name in ("web", "mail", "data"):
        spawn(name)
    made = cluster.core.picture.definitions.values()
    minors = [v.minor for d in made for v in d.volume_definitions]
    assert len(set(minors)) == 3
    assert min(minors) == 1000
    for definition in made:
        assert sorted(r.node_id for r in definition.resources) == [0, 1]
    for node in cluster.nodes:
        ports = [port for d in made for r in d.resources if r.node == node for port in r.ports]
        assert len(set(ports)) == len(ports)


def test_a_third_replica_is_refused_with_the_reason(cluster, spawn):
    spawn()
    third = next(name for name in cluster.nodes if name not in replicas(cluster))
    with pytest.raises(Refused, match=r"DRBD 8\.4 knows two") as refusal:
        create(cluster, third)
    assert refusal.value.code is Fail.STLT_DOES_NOT_SUPPORT_LAYER


def test_what_was_deleted_leaves_nothing_and_gives_its_numbers_back(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    definitions.delete(cluster.core, "web")
    cluster.settle()
    assert cluster.core.picture.definition("web") is None
    for node in (one, two):
        assert not kernel(cluster, node).resources
        disk = cluster.nodes[node].host.disk
        assert not disk.loops
        assert not [name for name in disk.folders[POOL] if not name.startswith(".")]
        assert not disk.folders["/var/lib/orlop/drbd"]
    spawn("mail")
    assert cluster.core.picture.definition("mail").volume_definitions[0].minor == 1000


def test_a_replica_goes_and_another_one_takes_its_place(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    write(cluster, one)
    resources.delete(cluster.core, "web", two)
    cluster.settle()
    assert list(replicas(cluster)) == [one]
    assert disks(cluster) == {one: "UpToDate"}
    third = next(name for name in cluster.nodes if name not in (one, two))
    create(cluster, third)
    cluster.settle()
    assert disks(cluster) == {one: "UpToDate", third: "UpToDate"}
    assert read(cluster, third) == TOKEN


def test_a_replica_keeps_its_number_until_its_peers_have_let_go_of_it(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    cluster.nodes[one].reachable = False
    cluster.run(30)
    with pytest.raises(Refused, match="only good copy"):
        resources.delete(cluster.core, "web", two)
    cluster.heal()
    cluster.settle()
    resources.delete(cluster.core, "web", two)
    cluster.nodes[one].reachable = False
    cluster.run(30)
    left = replicas(cluster)
    assert not left.get(two) or (left[two].deleting and left[two].node_id is not None)
    cluster.heal()
    cluster.settle()
    assert list(replicas(cluster)) == [one]


def test_the_last_good_copy_is_not_deleted_while_the_other_is_behind(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    cluster.network.cut.add(frozenset((one, two)))
    cluster.nodes[two].power_loss()
    cluster.run(30)
    with pytest.raises(Refused, match="only good copy") as refusal:
        resources.delete(cluster.core, "web", one)
    assert refusal.value.code is Fail.INSUFFICIENT_REPLICA_COUNT


def test_the_node_itself_keeps_what_it_believes_to_be_the_last_copy(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    cluster.network.cut.add(frozenset((one, two)))
    answers = resources.delete(cluster.core, "web", one)  # the controller has not heard of the cut yet
    assert any("sees no other replica" in entry.message for entry in answers)
    assert kernel(cluster, one).resources
    cluster.network.cut.clear()
    cluster.settle()
    assert list(replicas(cluster)) == [two]


def test_a_definition_counts_as_synchronized_when_all_of_it_is_up_to_date(cluster, spawn):
    spawn(count=1)
    (one,) = replicas(cluster)
    two = next(name for name in cluster.nodes if name != one)
    create(cluster, two)
    definition = cluster.core.picture.definition("web")
    assert synced(cluster.core.reported, definition) is (set(disks(cluster).values()) == {"UpToDate"})
    cluster.settle()
    assert synced(cluster.core.reported, definition)


def test_what_is_in_use_is_not_deleted(cluster, spawn):
    spawn()
    one, _ = replicas(cluster)
    cluster.nodes[one].host.run(("drbdadm", "primary", "web"))
    cluster.settle()
    with pytest.raises(Refused, match="in use"):
        definitions.delete(cluster.core, "web")


def test_it_grows_while_it_is_used(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    host = cluster.nodes[one].host
    host.run(("drbdadm", "primary", "web"))
    cluster.settle()
    body = wire.VolumeDefinitionModify(size_kib=4096)
    assert not definitions.modify_volume(cluster.core, "web", 0, body).failed
    cluster.settle()
    for node in (one, two):
        (volume,) = kernel(cluster, node).resources["web"].volumes.values()
        assert volume.metadata.size >= 4096 * KIB
    assert not cluster.core.picture.definition("web").volume_definitions[0].flags


def test_it_grows_while_nobody_uses_it(cluster, spawn):
    spawn()
    cluster.settle()
    assert not definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=4096)).failed
    cluster.settle()
    for node in replicas(cluster):
        resource = kernel(cluster, node).resources["web"]
        assert resource.role == "Secondary"
        assert resource.volumes[0].metadata.size >= 4096 * KIB


def test_power_lost_anywhere_while_it_grows_costs_nothing(cluster, spawn):
    spawn()
    cluster.settle()
    one, _ = replicas(cluster)
    write(cluster, one)
    for number in range(1, 9):
        size = 1024 * (number + 1)
        for node in replicas(cluster):
            cluster.nodes[node].host.faults.crash(number, "before")
        definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=size))
        for node in replicas(cluster):
            cluster.nodes[node].power_loss()
        cluster.heal()
        cluster.settle()
        for node in replicas(cluster):
            (volume,) = kernel(cluster, node).resources["web"].volumes.values()
            assert (volume.disk, volume.metadata.size >= size * KIB) == ("UpToDate", True), f"at step {number}"
            assert read(cluster, node) == TOKEN


def test_it_does_not_grow_while_a_replica_is_behind(cluster, spawn):
    spawn()
    cluster.settle()
    _, two = replicas(cluster)
    cluster.nodes[two].power_loss()
    cluster.run(30)
    with pytest.raises(Refused, match="up to date") as refusal:
        definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=4096))
    assert refusal.value.code is Fail.NOT_ALL_UPTODATE


def test_after_a_loss_of_power_everything_is_up_again(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    write(cluster, one)
    for node in (one, two):
        cluster.nodes[node].power_loss()
    for node in (one, two):
        cluster.nodes[node].start()
    cluster.settle()
    assert disks(cluster) == {one: "UpToDate", two: "UpToDate"}
    assert read(cluster, two) == TOKEN


def test_a_node_that_was_away_gets_what_was_written_meanwhile(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    cluster.nodes[two].power_loss()
    cluster.run(30)
    write(cluster, one, at=BLOCK)
    cluster.nodes[two].start()
    cluster.settle()
    assert disks(cluster) == {one: "UpToDate", two: "UpToDate"}
    assert read(cluster, two, at=BLOCK) == TOKEN


def test_a_split_brain_is_shown_and_left_alone(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    cluster.network.cut.add(frozenset((one, two)))
    write(cluster, one)
    write(cluster, two, data=b"else".ljust(BLOCK, b"."))
    cluster.network.cut.clear()
    cluster.settle()
    assert said(cluster, one, f"peer/{two}/connection") == "StandAlone"
    assert disks(cluster) == {one: "UpToDate", two: "UpToDate"}
    assert read(cluster, one) != read(cluster, two)


def test_options_are_in_force_at_once_wherever_they_are_set(cluster, spawn):
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    change = wire.ResourceDefinitionModify(override_props={"DrbdOptions/Net/protocol": "A"})
    definitions.modify(cluster.core, "web", change)
    cluster.settle()
    for node in (one, two):
        assert "protocol A;" in cluster.nodes[node].host.disk.get("/var/lib/orlop/drbd/web.res").text
    with cluster.core.change() as draft:
        draft.put(replace(draft.controller, props={**draft.controller.props, "DrbdOptions/Net/ping-int": "3"}))
    cluster.settle()
    for node in (one, two):
        assert "ping-int 3;" in cluster.nodes[node].host.disk.get("/var/lib/orlop/drbd/web.res").text


def test_peers_share_a_secret_that_is_told_to_nobody(cluster, spawn):
    spawn()
    spawn("mail")
    texts = {
        name: {cluster.nodes[n].host.disk.get(f"/var/lib/orlop/drbd/{name}.res").text.split("shared-secret ")[1][:40]}
        for name in ("web", "mail")
        for n in replicas(cluster, name)
    }
    assert len(texts["web"]) == 1
    assert texts["web"] != texts["mail"]
    (secret,) = texts["web"]
    assert secret not in repr(cluster.sent)
    for node in cluster.nodes.values():
        assert not any(secret in word for argv in node.host.ran for word in argv)


def test_what_is_below_may_be_encrypted(cluster):
    encryption.create(cluster.core, "correct horse")
    rule = wire.AutoSelectFilter(place_count=2, layer_stack=("drbd", "luks", "storage"))
    body = wire.ResourceGroupSpawn(resource_definition_name="web", volume_sizes=(1024,), select_filter=rule)
    assert not spawning.spawn(cluster.core, "DfltRscGrp", body).failed
    cluster.settle()
    one, two = replicas(cluster)
    assert disks(cluster) == {one: "UpToDate", two: "UpToDate"}
    write(cluster, one)
    assert read(cluster, two) == TOKEN
    for node in (one, two):
        raw = cluster.nodes[node].host.disk.folders[POOL]["web_00000"]
        assert TOKEN not in raw.blocks.values()
    cluster.nodes[two].power_loss()
    cluster.nodes[two].start()
    cluster.settle()
    assert disks(cluster) == {one: "UpToDate", two: "UpToDate"}
    assert not definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=4096)).failed
    cluster.settle()
    assert kernel(cluster, two).resources["web"].volumes[0].metadata.size >= 4096 * KIB
    definitions.delete(cluster.core, "web")
    cluster.settle()
    assert not replicas(cluster)
    assert not cluster.nodes[two].host.disk.opened


def test_a_crash_in_the_middle_is_made_good(cluster, spawn):
    """After every step that a node takes for a new replica, before and after it took effect."""
    for number in range(1, 14):
        for moment in ("before", "after"):
            name = f"web{number}{moment}"
            for node in cluster.nodes.values():
                node.host.faults.crash(number, moment)
            spawn(name)
            cluster.heal()
            cluster.settle()
            assert set(disks(cluster, name).values()) == {"UpToDate"}, f"{moment} step {number}"
            definitions.delete(cluster.core, name)
            cluster.settle()
            assert cluster.core.picture.definitions.get(key(name)) is None
            assert not any(node.host.disk.folders.get("/var/lib/orlop/drbd") for node in cluster.nodes.values())


@pytest.mark.parametrize("number", range(1, 10))
def test_a_removal_that_failed_in_the_middle_is_done_again(cluster, spawn, number):
    """Nothing is forgotten before nothing is left."""
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    write(cluster, one)
    cluster.settle()
    cluster.nodes[two].host.faults.fail(number)
    resources.delete(cluster.core, "web", two)
    cluster.settle()
    assert list(replicas(cluster)) == [one]
    disk = cluster.nodes[two].host.disk
    assert not disk.loops
    assert not [name for name in disk.folders[POOL] if not name.startswith(".")]
    assert not disk.folders["/var/lib/orlop/drbd"]
    assert read(cluster, one) == TOKEN


def test_what_is_kept_is_not_forgotten(cluster, spawn):
    """DRBD is down there, and nobody says that another replica has the data: what is below stays, and is told."""
    spawn()
    cluster.settle()
    one, two = replicas(cluster)
    write(cluster, one)
    cluster.settle()
    node = cluster.nodes[two]
    node.stop()
    resources.delete(cluster.core, "web", two)
    node.host.drbd.drbdsetup(node.host.disk, ("down", "web"))
    cluster.nodes[one].power_loss()
    node.start()
    cluster.settle()
    assert replicas(cluster)[two].volumes
    assert [name for name in node.host.disk.folders[POOL] if not name.startswith(".")]
