"""A volume on one node and its users on others, over NVMe: the real controller and satellites."""

import itertools

import pytest
from msgspec.structs import replace

from orlop.codes import Fail, Subject
from orlop.controller import volume_keys, wire
from orlop.controller.answers import Answers
from orlop.controller.usecases import (
    adjusting,
    availability,
    definitions,
    encryption,
    net_interfaces,
    nodes,
    resources,
    restoring,
    rolling_back,
    settings,
    snapshots,
    spawning,
)
from orlop.errors import Refused
from orlop.model import MIB, SelectFilter
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.disk import BLOCK
from orlop.testing.nvmet import NVMET

FIRST, SECOND = (text.ljust(BLOCK, b".") for text in (b"first", b"second"))


@pytest.fixture
def cluster():
    made = SimulatedCluster(("alpha", "bravo", "charlie"), seed=5)
    made.register()
    return made


@pytest.fixture
def shared(cluster):
    """Definition `web`: 16 MiB on alpha, used from bravo."""
    define(cluster)
    succeeded(target(cluster))
    succeeded(initiator(cluster))
    return cluster


def succeeded(answers):
    assert not answers.failed, [(e.message, e.details) for e in answers]
    return answers


def define(cluster, name="web", layers=("NVME", "STORAGE"), volumes=1, **props):
    body = wire.ResourceDefinition(
        name=name,
        props=props,
        layer_data=tuple(wire.ResourceDefinitionLayer(type=layer) for layer in layers),
        volume_definitions=tuple(wire.VolumeDefinition(size_kib=16 * 1024) for _ in range(volumes)),
    )
    succeeded(definitions.create(cluster.core, wire.ResourceDefinitionCreate(resource_definition=body)))


def request(node, *flags, **props):
    return wire.ResourceCreate(resource=wire.Resource(node_name=node, flags=flags, props=props))


def target(cluster, node="alpha", name="web"):
    return resources.create(cluster.core, name, (request(node, StorPoolName="pool1"),))


def initiator(cluster, node="bravo", name="web", flag="NVME_INITIATOR"):
    return resources.create(cluster.core, name, (request(node, flag),))


def seen(cluster, node, name="web", number=0):
    report = cluster.core.reported.resource(node, name)
    return next(v for v in report.volumes if v.number == number)


def host(cluster, node):
    return cluster.nodes[node].host


def disk(cluster, node):
    return host(cluster, node).disk


def write(cluster, node, data, name="web"):
    disk(cluster, node).write(seen(cluster, node, name).device, 0, data)


def read(cluster, node, name="web"):
    host(cluster, node).texts("/sys/class/nvme-subsystem/*/subsysnqn")  # the kernel notices what came back
    return disk(cluster, node).read(seen(cluster, node, name).device, 0, BLOCK)


def exported(cluster, node):
    """What is in the target's tree beside what the kernel itself puts there."""
    tree = host(cluster, node).nvme.target
    own = {NVMET, *(f"{NVMET}/{name}" for name in ("subsystems", "ports", "hosts"))}
    return sorted({*tree.directories, *tree.links} - own)


def states(cluster, node):
    texts = host(cluster, node).texts("/sys/class/nvme-subsystem/*/nvme*/state")
    return [text.strip() for text in texts.values()]


def lose_power(cluster, node):
    cluster.nodes[node].power_loss()
    cluster.run(30.0)


def use(cluster, node):
    disk(cluster, node).use(seen(cluster, node).device, "mounted at /mnt")
    cluster.run(15.0)


def let_go(cluster, node):
    disk(cluster, node).release(seen(cluster, node).device)
    cluster.run(15.0)


def test_what_is_written_on_the_initiator_is_on_the_target(shared):
    write(shared, "bravo", FIRST)
    assert read(shared, "alpha") == FIRST
    assert seen(shared, "bravo").size == seen(shared, "alpha").size == 16 * MIB
    assert seen(shared, "bravo").device == "/dev/nvme0n1"


@pytest.mark.parametrize("flag", ["DISKLESS", "NVME_INITIATOR"])
def test_a_diskless_resource_of_the_stack_is_an_initiator(cluster, flag):
    define(cluster)
    succeeded(target(cluster))
    succeeded(initiator(cluster, flag=flag))
    found = next(r for r in cluster.core.picture.definition("web").resources if r.node == "bravo")
    assert found.flags == {"DISKLESS", "NVME_INITIATOR"}
    assert states(cluster, "bravo") == ["live"]


def test_target_and_initiators_are_made_in_one_request_in_any_order(cluster):
    define(cluster, volumes=2)
    asked = (request("bravo", "DISKLESS"), request("alpha", StorPoolName="pool1"), request("charlie", "DISKLESS"))
    succeeded(resources.create(cluster.core, "web", asked))
    for node in ("bravo", "charlie"):
        assert {seen(cluster, node, number=n).device for n in (0, 1)} == {"/dev/nvme0n1", "/dev/nvme1n1"}


def test_only_the_hosts_of_initiators_are_let_in(shared):
    tree = host(shared, "alpha").nvme.target
    (allowed,) = [path for path in tree.links if "/allowed_hosts/" in path]
    assert allowed.endswith(disk(shared, "bravo").get("/etc/nvme/hostnqn").text.strip())
    assert [text for path, text in tree.attributes.items() if path.endswith("allow_any_host")] == ["0"]
    name = allowed.split("/")[6]
    stranger = disk(shared, "charlie").get("/etc/nvme/hostnqn").text.strip()
    assert tree.content("10.0.0.1", "4420", name, stranger) is None
    succeeded(resources.delete(shared.core, "web", "bravo"))
    shared.run(15.0)
    assert not [path for path in exported(shared, "alpha") if "hosts/" in path]


def test_growth_shows_on_the_initiator_that_uses_it(shared):
    use(shared, "bravo")
    write(shared, "bravo", FIRST)
    grow = wire.VolumeDefinitionModify(size_kib=32 * 1024)
    answers = succeeded(definitions.modify_volume(shared.core, "web", 0, grow))
    assert any("bravo" in entry.message for entry in answers)
    assert seen(shared, "bravo").size == 32 * MIB
    assert read(shared, "alpha") == FIRST


@pytest.mark.parametrize("moment", ["before", "after"])
def test_growth_that_the_target_could_not_tell_is_noticed_by_the_initiator(shared, moment):
    for step in itertools.count(1):
        cluster = SimulatedCluster(("alpha", "bravo"), seed=5)
        cluster.register()
        define(cluster)
        succeeded(target(cluster))
        succeeded(initiator(cluster))
        host(cluster, "alpha").faults.crash(step, moment)
        grow = wire.VolumeDefinitionModify(size_kib=32 * 1024)
        definitions.modify_volume(cluster.core, "web", 0, grow)
        if cluster.nodes["alpha"].satellite is not None:
            break
        cluster.nodes["alpha"].start()
        cluster.run(60.0)
        assert seen(cluster, "bravo").size == 32 * MIB
    assert step > 1


def test_what_is_mounted_on_an_initiator_is_neither_deleted_nor_deactivated_nor_rolled_back(shared):
    use(shared, "bravo")
    for attempt in (
        lambda: resources.delete(shared.core, "web", "bravo"),
        lambda: resources.deactivate(shared.core, "web", "bravo"),
        lambda: definitions.delete(shared.core, "web"),
        lambda: definitions.delete_volume(shared.core, "web", 0),
        lambda: (
            snapshots.create(shared.core, "web", wire.Snapshot(name="monday"))
            and rolling_back.rollback(shared.core, "web", "monday", wire.SnapshotRollback())
        ),
    ):
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.code == Fail.IN_USE
    assert states(shared, "bravo") == ["live"]


def test_an_initiator_that_is_mounted_unnoticed_is_not_disconnected(shared):
    disk(shared, "bravo").use("/dev/nvme0n1", "mounted at /mnt")
    answers = resources.delete(shared.core, "web", "bravo")
    assert answers.failed
    assert states(shared, "bravo") == ["live"]
    disk(shared, "bravo").release("/dev/nvme0n1")
    shared.run(60.0)
    assert states(shared, "bravo") == []
    assert [r.node for r in shared.core.picture.definition("web").resources] == ["alpha"]


def test_a_rollback_that_finds_an_initiator_mounted_changes_nothing(shared):
    write(shared, "bravo", FIRST)
    succeeded(snapshots.create(shared.core, "web", wire.Snapshot(name="monday")))
    write(shared, "bravo", SECOND)
    disk(shared, "bravo").use("/dev/nvme0n1", "mounted at /mnt")
    before = exported(shared, "alpha")
    answers = rolling_back.rollback(shared.core, "web", "monday", wire.SnapshotRollback())
    assert answers.failed
    assert exported(shared, "alpha") == before
    assert states(shared, "bravo") == ["live"]
    assert read(shared, "bravo") == SECOND


def test_snapshot_restore_and_rollback(shared):
    write(shared, "bravo", FIRST)
    succeeded(snapshots.create(shared.core, "web", wire.Snapshot(name="monday")))
    write(shared, "bravo", SECOND)
    define(shared, "copy", volumes=0)
    body = wire.SnapshotRestore(to_resource="copy")
    succeeded(restoring.restore_volume_definitions(shared.core, "web", "monday", body))
    succeeded(restoring.restore_resource(shared.core, "web", "monday", body))
    succeeded(initiator(shared, "bravo", "copy"))
    assert read(shared, "bravo", "copy") == FIRST
    succeeded(rolling_back.rollback(shared.core, "web", "monday", wire.SnapshotRollback()))
    shared.run(30.0)
    assert read(shared, "bravo") == FIRST
    assert states(shared, "bravo") == ["live", "live"]


def test_a_target_that_lost_power_is_found_again(shared):
    write(shared, "bravo", FIRST)
    use(shared, "bravo")
    lose_power(shared, "alpha")
    assert states(shared, "bravo") == ["connecting"]
    assert seen(shared, "bravo").device == "/dev/nvme0n1"
    assert seen(shared, "bravo").in_use
    shared.nodes["alpha"].start()
    shared.run(30.0)
    assert states(shared, "bravo") == ["live"]
    assert seen(shared, "bravo").presence == "READY"
    assert read(shared, "bravo") == FIRST


def test_a_target_that_was_away_for_longer_than_the_kernel_waits_is_found_again_at_once(shared):
    cluster = shared
    cluster.nodes["alpha"].power_loss()
    cluster.run(7200.0)
    assert states(cluster, "bravo") == []
    cluster.nodes["alpha"].start()
    cluster.run(40.0)
    assert states(cluster, "bravo") == ["live"]


def test_an_initiator_that_lost_power_connects_again(shared):
    write(shared, "bravo", FIRST)
    lose_power(shared, "bravo")
    shared.nodes["bravo"].start()
    shared.run(30.0)
    assert read(shared, "bravo") == FIRST


def test_a_controller_that_starts_anew_lets_everybody_in_before_initiators_reported(shared):
    shared.nodes["bravo"].stop()
    shared.start_controller()
    shared.run(60.0)
    assert [path for path in exported(shared, "alpha") if "/allowed_hosts/" in path]
    assert states(shared, "bravo") == ["live"]


def test_deleting_everything_leaves_nothing_behind(shared):
    body = wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=4096))
    succeeded(definitions.create_volume(shared.core, "web", body))
    assert seen(shared, "bravo", number=1).size == 4 * MIB
    succeeded(initiator(shared, "charlie"))
    succeeded(definitions.delete(shared.core, "web"))
    shared.run(30.0)
    assert shared.core.picture.definition("web") is None
    assert exported(shared, "alpha") == []
    assert states(shared, "bravo") == states(shared, "charlie") == []
    assert shared.core.reported.node("alpha").orphans == ()


def test_a_volume_is_removed_from_the_initiator_first(shared):
    body = wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=4096))
    succeeded(definitions.create_volume(shared.core, "web", body))
    shared.nodes["bravo"].stop()
    shared.run(10.0)
    definitions.delete_volume(shared.core, "web", 1)
    shared.run(60.0)
    assert seen(shared, "alpha", number=1).presence == "READY"
    shared.nodes["bravo"].start()
    shared.run(60.0)
    assert [v.number for v in shared.core.picture.definition("web").volume_definitions] == [0]
    assert states(shared, "bravo") == ["live"]
    assert len([path for path in exported(shared, "alpha") if path.startswith(f"{NVMET}/ports/4420/subsystems/")]) == 1


def test_a_target_with_initiators_stays(shared):
    with pytest.raises(Refused) as refused:
        resources.delete(shared.core, "web", "alpha")
    assert refused.value.code == Fail.EXISTS_NVME_INITIATOR_PER_RSC_DFN
    with pytest.raises(Refused) as refused:
        resources.deactivate(shared.core, "web", "alpha")
    assert refused.value.code == Fail.IN_USE


def test_a_target_is_deactivated_after_its_initiators(shared):
    succeeded(resources.deactivate(shared.core, "web", "bravo"))
    assert states(shared, "bravo") == []
    succeeded(resources.deactivate(shared.core, "web", "alpha"))
    assert exported(shared, "alpha") == []
    with pytest.raises(Refused) as refused:
        resources.activate(shared.core, "web", "bravo")
    assert refused.value.code == Fail.MISSING_NVME_TARGET
    succeeded(resources.activate(shared.core, "web", "alpha"))
    succeeded(resources.activate(shared.core, "web", "bravo"))
    assert states(shared, "bravo") == ["live"]


def test_an_initiator_of_an_inactive_target_is_made_and_connects_later(cluster):
    define(cluster)
    succeeded(target(cluster))
    succeeded(resources.deactivate(cluster.core, "web", "alpha"))
    began = cluster.clock.now
    answers = succeeded(initiator(cluster))
    assert any("connects when the NVMe target" in entry.message for entry in answers)
    assert cluster.clock.now - began < 60.0
    succeeded(resources.activate(cluster.core, "web", "alpha"))
    cluster.run(30.0)
    assert states(cluster, "bravo") == ["live"]


def test_what_makes_no_sense_is_refused_with_the_reason(shared):
    define(shared, "alone")
    define(shared, "plain", layers=("STORAGE",))
    refusals = {
        lambda: initiator(shared, "bravo", "alone"): Fail.MISSING_NVME_TARGET,
        lambda: initiator(shared, "bravo", "plain"): Fail.INVLD_LAYER_STACK,
        lambda: initiator(shared, "alpha"): Fail.EXISTS_RSC,
        lambda: initiator(shared, "charlie", flag="DRBD_DISKLESS"): Fail.INVLD_LAYER_STACK,
        lambda: target(shared, "charlie"): Fail.EXISTS_NVME_TARGET_PER_RSC_DFN,
        lambda: resources.create(shared.core, "alone", (replace(request("alpha"), layer_list=("storage",)),)): (
            Fail.INVLD_LAYER_STACK
        ),
        lambda: resources.create(shared.core, "plain", (replace(request("alpha"), layer_list=("nvme",)),)): (
            Fail.INVLD_LAYER_STACK
        ),
        lambda: spawning.autoplace(
            shared.core, Answers(0, Subject.RSC), "web", SelectFilter(place_count=2, diskless_type="NVME_INITIATOR")
        ): Fail.INVLD_REQUEST,
    }
    for attempt, code in refusals.items():
        with pytest.raises(Refused) as refused:
            attempt()
        assert refused.value.code == code


def test_a_target_that_is_lost_leaves_initiators_that_can_only_go(shared):
    use(shared, "bravo")
    shared.nodes["alpha"].power_loss()
    shared.run(20.0)
    succeeded(nodes.lost(shared.core, "alpha"))
    shared.run(30.0)
    assert states(shared, "bravo") == ["connecting"], "it is mounted"
    with pytest.raises(Refused) as refused:
        target(shared, "charlie")
    assert refused.value.code == Fail.EXISTS_NVME_INITIATOR_PER_RSC_DFN
    let_go(shared, "bravo")
    succeeded(resources.delete(shared.core, "web", "bravo"))
    assert states(shared, "bravo") == []
    succeeded(target(shared, "charlie"))


def test_an_initiator_that_is_lost_is_shut_out(shared):
    lose_power(shared, "bravo")
    answers = definitions.delete(shared.core, "web")
    assert any("keeps its part until the NVMe initiators on bravo" in entry.message for entry in answers)
    assert seen(shared, "alpha").presence == "READY"
    succeeded(nodes.lost(shared.core, "bravo"))
    shared.run(30.0)
    assert shared.core.picture.definition("web") is None
    assert exported(shared, "alpha") == []


def test_a_name_that_could_lead_elsewhere_is_not_taken_from_a_node(cluster):
    disk(cluster, "bravo").get("/etc/nvme/hostnqn").text = "nqn.2014-08.org.x:../../../etc\n"
    before = cluster.core.picture.node("bravo").props
    cluster.nodes["bravo"].stop()
    cluster.nodes["bravo"].start()
    cluster.run(30.0)
    assert cluster.core.picture.node("bravo").props == before


def test_automatic_placement_makes_one_target(cluster):
    rule = wire.AutoSelectFilter(place_count=2, layer_stack=("nvme", "storage"))
    body = wire.ResourceGroupSpawn(resource_definition_name="web", volume_sizes=(1024,), select_filter=rule)
    with pytest.raises(Refused) as refused:
        spawning.spawn(cluster.core, "DfltRscGrp", body)
    assert refused.value.code == Fail.EXISTS_NVME_TARGET_PER_RSC_DFN
    one = wire.AutoSelectFilter(place_count=1, layer_stack=("nvme", "storage"))
    body = wire.ResourceGroupSpawn(resource_definition_name="web", volume_sizes=(1024,), select_filter=one)
    succeeded(spawning.spawn(cluster.core, "DfltRscGrp", body))
    (made,) = cluster.core.picture.definition("web").resources
    other = next(name for name in cluster.nodes if name != made.node)
    succeeded(availability.make_available(cluster.core, "web", other, wire.ResourceMakeAvailable()))
    assert states(cluster, other) == ["live"]
    succeeded(availability.unmake_available(cluster.core, "web", other))
    assert states(cluster, other) == []


def test_adjusting_a_group_of_two_copies_makes_no_second_target(shared):
    assert shared.core.picture.group("DfltRscGrp").select_filter.place_count == 2
    succeeded(adjusting.adjust(shared.core, None, wire.ResourceGroupAdjust()))
    assert {r.node for r in shared.core.picture.definition("web").resources} == {"alpha", "bravo"}


def test_every_target_of_a_node_has_a_port_of_its_own_unless_one_is_set(shared):
    define(shared, "two")
    succeeded(target(shared, name="two"))
    define(shared, "three", **{"NVMe/Port": "4420"})
    succeeded(target(shared, name="three"))
    succeeded(initiator(shared, name="two"))
    succeeded(initiator(shared, name="three"))
    ports = {path for path in exported(shared, "alpha") if path.startswith(f"{NVMET}/ports/") and path.count("/") == 6}
    assert ports == {f"{NVMET}/ports/4420", f"{NVMET}/ports/4421"}
    assert states(shared, "bravo") == ["live"] * 3
    succeeded(definitions.delete(shared.core, "web"))
    assert states(shared, "bravo") == ["live"] * 2


def test_the_preferred_net_interface_is_used_and_followed_while_the_volume_is_in_use(shared):
    write(shared, "bravo", FIRST)
    use(shared, "bravo")
    body = wire.NetInterface(name="fast", address="10.1.0.1")
    succeeded(net_interfaces.create(shared.core, "alpha", body))
    shared.run(60.0)
    change = wire.NodeModify(override_props={"PrefNic": "fast"})
    succeeded(nodes.modify(shared.core, "alpha", change))
    shared.run(60.0)
    addresses = host(shared, "bravo").texts("/sys/class/nvme-subsystem/*/nvme*/address").values()
    assert any("traddr=10.1.0.1," in text for text in addresses)
    assert seen(shared, "bravo").in_use
    assert read(shared, "bravo") == FIRST
    succeeded(settings.modify(shared.core, wire.ControllerPropsModify(override_props={"PrefNic": "default"})))
    shared.run(60.0)
    assert "live" in states(shared, "bravo"), "the node's own wish counts more"


def test_subsystems_and_ports_of_others_are_left_alone(cluster):
    target_of = host(cluster, "alpha").nvme
    host(cluster, "alpha").run(("modprobe", "nvmet"))
    tree = target_of.target
    for path in ("subsystems/nqn.other", "ports/1", "hosts/nqn.host"):
        tree._make(f"{NVMET}/{path}")
    for name, text in (("adrfam", "ipv4"), ("trtype", "tcp"), ("traddr", "10.0.0.1"), ("trsvcid", "4420")):
        tree._write(f"{NVMET}/ports/1/addr_{name}", text)
    tree._link(f"{NVMET}/ports/1/subsystems/nqn.other", f"{NVMET}/subsystems/nqn.other")
    before = exported(cluster, "alpha")
    define(cluster)
    answers = target(cluster)
    assert answers.failed
    assert any("nvmet port 1" in entry.message for entry in answers)
    assert set(exported(cluster, "alpha")) >= set(before)
    change = wire.ResourceDefinitionModify(override_props={"NVMe/Port": "4500"})
    succeeded(definitions.modify(cluster.core, "web", change))
    cluster.run(60.0)
    assert seen(cluster, "alpha").presence == "READY"
    succeeded(definitions.delete(cluster.core, "web"))
    assert exported(cluster, "alpha") == before


def test_what_is_encrypted_on_the_target_is_in_clear_on_the_initiator(cluster):
    encryption.create(cluster.core, "correct horse")
    define(cluster, layers=("NVME", "LUKS", "STORAGE"))
    succeeded(target(cluster))
    succeeded(initiator(cluster))
    write(cluster, "bravo", FIRST)
    assert read(cluster, "alpha") == FIRST
    files = disk(cluster, "alpha").folders[POOL]
    assert FIRST not in files["web_00000"].blocks.values(), "it is encrypted at rest"
    assert volume_keys.on_node(cluster.core.picture, "alpha")
    assert not volume_keys.on_node(cluster.core.picture, "bravo"), "the initiator needs no key"
    grow = wire.VolumeDefinitionModify(size_kib=32 * 1024)
    succeeded(definitions.modify_volume(cluster.core, "web", 0, grow))
    assert seen(cluster, "bravo").size == 32 * MIB
    lose_power(cluster, "alpha")
    cluster.nodes["alpha"].start()
    cluster.run(60.0)
    assert states(cluster, "bravo") == ["live"]
    assert read(cluster, "bravo") == FIRST
    succeeded(definitions.delete(cluster.core, "web"))
    cluster.run(15.0)
    assert exported(cluster, "alpha") == []
