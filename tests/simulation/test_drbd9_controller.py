"""Replicated resources on simulated nodes with DRBD 9, from the request to the kernel."""

import pytest
from msgspec.structs import replace

from orlop.controller import wire
from orlop.controller.diskless import diskful
from orlop.controller.growing import facts
from orlop.controller.service import automatisms
from orlop.controller.store.defaults import first_properties
from orlop.controller.usecases import definitions, nodes, resources, spawning, toggling
from orlop.errors import Refused
from orlop.model import KIB, key
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.disk import BLOCK

TOKEN = b"data".ljust(BLOCK, b".")
NODES = ("alpha", "bravo", "charlie", "delta")


def started(*names, seed=9, **more):
    made = SimulatedCluster(names or NODES, seed=seed, drbd="9")
    made.register(**more)
    with made.core.change() as draft:
        draft.put(replace(made.core.picture.controller, props=first_properties()))
    return made


@pytest.fixture
def cluster():
    """Four nodes with DRBD 9 and a pool of sparse files each."""
    return started()


def spawn(cluster, count=2, size_kib=1024, name="web"):
    rule = wire.AutoSelectFilter(place_count=count)
    body = wire.ResourceGroupSpawn(resource_definition_name=name, volume_sizes=(size_kib,), select_filter=rule)
    answers = spawning.spawn(cluster.core, "DfltRscGrp", body)
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle()


def create(cluster, node, *flags, **more):
    props = {} if flags else {"StorPoolName": "pool1"}
    body = wire.ResourceCreate(resource=wire.Resource(node_name=node, flags=flags, props=props), **more)
    answers = resources.create(cluster.core, "web", (body,))
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle()


def toggle(cluster, node, into, **more):
    body = wire.ToggleDiskRequest(operation=f"INTO_DRBD_{into}", **more)
    answers = toggling.toggle_disk(cluster.core, "web", node, body)
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle()


def delete(cluster, node):
    answers = resources.delete(cluster.core, "web", node)
    assert not answers.failed, [entry.message for entry in answers]
    cluster.settle()


def replicas(cluster):
    definition = cluster.core.picture.definition("web")
    return {r.node: r for r in definition.resources} if definition else {}


def disks(cluster):
    found = {}
    for node, resource in replicas(cluster).items():
        report = cluster.core.reported.resource(node, "web")
        found[node] = [facts(report, volume).get("disk") for volume in resource.volumes]
    return {node: states[0] if len(states) == 1 else states for node, states in found.items()}


def kernel(cluster, node):
    return cluster.nodes[node].host.drbd.resources.get("web")


def device(cluster):
    return f"/dev/drbd{cluster.core.picture.definition('web').volume_definitions[0].minor}"


def write(cluster, node, at=0, data=TOKEN):
    """As a user who opens the device, writes and closes it."""
    disk = cluster.nodes[node].host.disk
    disk.write(device(cluster), at, data)
    cluster.settle()


def quorum(cluster):
    return cluster.core.picture.definition("web").props.get("DrbdOptions/Resource/quorum")


def with_state(cluster, state):
    return sorted(node for node, disk in disks(cluster).items() if disk == state)


def test_two_replicas_and_a_tiebreaker(cluster):
    spawn(cluster)
    assert sorted(disks(cluster).values()) == ["Diskless", "UpToDate", "UpToDate"]
    assert quorum(cluster) == "majority"
    (tiebreaker,) = with_state(cluster, "Diskless")
    assert replicas(cluster)[tiebreaker].flags == {"DISKLESS", "DRBD_DISKLESS", "TIE_BREAKER"}


def test_three_replicas_hold_the_same(cluster):
    spawn(cluster, count=3)
    assert list(disks(cluster).values()) == ["UpToDate"] * 3
    one, *others = replicas(cluster)
    write(cluster, one)
    for node in others:
        (volume,) = replicas(cluster)[node].volumes
        assert volume.levels[0].layer == "DRBD"
    assert list(disks(cluster).values()) == ["UpToDate"] * 3


def test_a_third_replica_takes_the_place_of_the_tiebreaker(cluster):
    spawn(cluster)
    one = with_state(cluster, "UpToDate")[0]
    write(cluster, one)
    (tiebreaker,) = with_state(cluster, "Diskless")
    create(cluster, tiebreaker)
    assert list(disks(cluster).values()) == ["UpToDate"] * 3
    assert replicas(cluster)[tiebreaker].flags == frozenset()


def test_a_disk_that_drbd_is_just_attaching_is_not_taken_for_one_that_cannot_be_read(cluster):
    spawn(cluster)
    write(cluster, with_state(cluster, "UpToDate")[0])
    (tiebreaker,) = with_state(cluster, "Diskless")
    cluster.nodes[tiebreaker].host.drbd.negotiates = 8
    cluster.nodes[tiebreaker].host.disk.use(device(cluster), "mount")  # so its connections stay
    cluster.settle()
    create(cluster, tiebreaker)
    cluster.run(60)
    assert list(disks(cluster).values()) == ["UpToDate"] * 3


def test_a_disk_that_is_added_does_not_wait_for_good_for_what_peers_say(cluster):
    """DRBD does, now and then, if it is attached beside connections."""
    spawn(cluster)
    write(cluster, with_state(cluster, "UpToDate")[0])
    (tiebreaker,) = with_state(cluster, "Diskless")
    cluster.nodes[tiebreaker].host.drbd.negotiates = 1_000_000
    create(cluster, tiebreaker)
    assert list(disks(cluster).values()) == ["UpToDate"] * 3


def test_nor_is_one_left_out_from_then_on_that_was_let_go_by_hand(cluster):
    """It is attached again, beside connections, and DRBD has it for itself before it tells so."""
    spawn(cluster, count=3)
    node = list(replicas(cluster))[2]
    host = cluster.nodes[node].host
    host.drbd.negotiates = 8
    host.disk.use(device(cluster), "mount")
    cluster.settle()
    host.run(("drbdsetup", "detach", device(cluster).removeprefix("/dev/drbd")))
    cluster.settle()
    cluster.run(60)
    assert list(disks(cluster).values()) == ["UpToDate"] * 3
    assert not replicas(cluster)[node].props.get("DrbdOptions/SkipDisk")


def test_one_of_three_that_goes_stays_as_tiebreaker_and_then_leaves(cluster):
    spawn(cluster, count=3)
    third = list(replicas(cluster))[2]
    delete(cluster, third)
    assert disks(cluster)[third] == "Diskless"
    assert "TIE_BREAKER" in replicas(cluster)[third].flags
    pool = cluster.nodes[third].host.disk.folders["/srv/pool"]
    assert not [name for name in pool if not name.startswith(".")]
    delete(cluster, third)
    assert third not in replicas(cluster)
    assert kernel(cluster, third) is None
    assert quorum(cluster) == "off"


def test_a_disk_comes_and_goes_again(cluster):
    """It may go while the device is in use."""
    spawn(cluster)
    (node,) = with_state(cluster, "Diskless")
    write(cluster, node)
    toggle(cluster, node, "DISKFUL", storage_pool="pool1")
    assert disks(cluster)[node] == "UpToDate"
    cluster.nodes[node].host.disk.use(device(cluster), "mount")
    cluster.settle()
    toggle(cluster, node, "DISKLESS")
    assert disks(cluster)[node] == "Diskless"
    assert kernel(cluster, node).role == "Primary"
    assert replicas(cluster)[node].flags == {"DISKLESS", "DRBD_DISKLESS"}


def test_a_disk_comes_to_a_device_that_is_in_use(cluster):
    spawn(cluster)
    (node,) = with_state(cluster, "Diskless")
    write(cluster, node)
    cluster.nodes[node].host.disk.use(device(cluster), "mount")
    cluster.settle()
    toggle(cluster, node, "DISKFUL", storage_pool="pool1")
    assert disks(cluster)[node] == "UpToDate"
    assert kernel(cluster, node).role == "Primary"
    assert below(cluster, node)[0] == TOKEN


def test_the_data_moves_to_another_node(cluster):
    spawn(cluster)
    source = with_state(cluster, "UpToDate")[0]
    (tiebreaker,) = with_state(cluster, "Diskless")
    write(cluster, source)
    toggle(cluster, tiebreaker, "DISKFUL", storage_pool="pool1", migrate_from=source)
    cluster.settle()
    found = disks(cluster)
    assert found.get(source) in (None, "Diskless")
    assert found[tiebreaker] == "UpToDate"
    assert len(with_state(cluster, "UpToDate")) == 2


def test_a_controller_that_is_restarted_goes_on_with_it(cluster):
    spawn(cluster)
    source = with_state(cluster, "UpToDate")[0]
    (tiebreaker,) = with_state(cluster, "Diskless")
    cluster.nodes[source].host.disk.use(device(cluster), "mount")  # it is not taken away from anybody
    cluster.settle()
    toggle(cluster, tiebreaker, "DISKFUL", storage_pool="pool1", migrate_from=source)
    assert disks(cluster)[source] == disks(cluster)[tiebreaker] == "UpToDate"
    cluster.start_controller()
    cluster.nodes[source].host.disk.release(device(cluster))
    cluster.run(120)
    assert disks(cluster).get(source) in (None, "Diskless")


def test_a_volume_more_and_one_less(cluster):
    spawn(cluster)
    body = wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=2048))
    assert not definitions.create_volume(cluster.core, "web", body).failed
    cluster.settle()
    assert sorted(map(str, disks(cluster).values())) == ["['Diskless', 'Diskless']", *["['UpToDate', 'UpToDate']"] * 2]
    assert not definitions.delete_volume(cluster.core, "web", 1).failed
    cluster.settle()
    assert sorted(disks(cluster).values()) == ["Diskless", "UpToDate", "UpToDate"]


def test_all_replicas_grow_and_the_one_without_a_disk_sees_it(cluster):
    spawn(cluster, count=2)
    body = wire.VolumeDefinitionModify(size_kib=4096)
    assert not definitions.modify_volume(cluster.core, "web", 0, body).failed
    cluster.settle(180)
    definition = cluster.core.picture.definition("web")
    assert definition.volume_definitions[0].flags == frozenset()
    for resource in definition.resources:
        report = cluster.core.reported.resource(resource.node, "web")
        (volume,) = report.volumes
        assert volume.size >= 4096 * KIB


def test_everything_is_gone_after_the_definition(cluster):
    spawn(cluster, count=2)
    create(cluster, next(n for n in NODES if n not in replicas(cluster)), "DRBD_DISKLESS", drbd_client=True)
    assert not definitions.delete(cluster.core, "web").failed
    cluster.settle()
    assert cluster.core.picture.definition("web") is None
    for node in cluster.nodes.values():
        assert not node.host.drbd.resources
        assert not [name for name in node.host.disk.folders["/srv/pool"] if not name.startswith(".")]


def test_a_node_that_was_lost_comes_back_with_nothing(cluster):
    """What it had is not taken for what it gets."""
    spawn(cluster, count=3)
    one, two, lost = replicas(cluster)
    cluster.nodes[lost].power_loss()
    cluster.settle()
    assert not nodes.lost(cluster.core, lost).failed
    cluster.settle()
    assert lost not in replicas(cluster)
    write(cluster, one)
    cluster.nodes[lost].start()
    cluster.nodes[lost].host.disk.make_folder("/srv/other")
    cluster.register(lost, place="/srv/other")
    create(cluster, lost)
    assert len({r.node_id for r in replicas(cluster).values()}) == 3
    assert disks(cluster)[lost] == "UpToDate"
    assert key(two) in {key(n) for n in replicas(cluster)}


def test_what_drbd_a_node_has_is_kept(cluster):
    cluster.nodes["alpha"].stop()
    cluster.start_controller()
    assert cluster.core.picture.node("alpha").props["Satellite/Drbd/Version"].startswith("9.")


def apart(cluster, node):
    """It loses sight of all others."""
    cluster.network.cut |= {frozenset((node, other)) for other in NODES if other != node}
    cluster.settle()


def test_a_disk_that_sees_no_other_copy_stays(cluster):
    spawn(cluster, count=3)
    node = list(replicas(cluster))[0]
    apart(cluster, node)
    with pytest.raises(Refused, match=f"on node '{node}' is not connected"):
        toggle(cluster, node, "DISKLESS")
    assert not replicas(cluster)[node].flags
    cluster.network.cut.clear()
    cluster.settle()
    toggle(cluster, node, "DISKLESS")
    assert disks(cluster)[node] == "Diskless"


def test_a_disk_on_its_way_out_is_kept_after_all(cluster):
    spawn(cluster, count=3)
    node = list(replicas(cluster))[0]
    apart(cluster, node)
    assert resources.delete(cluster.core, "web", node).failed  # it is to break ties, but the node keeps its disk
    cluster.settle()
    assert {"TIE_BREAKER", "DISK_REMOVING"} <= replicas(cluster)[node].flags
    toggle(cluster, node, "DISKFUL")
    assert not replicas(cluster)[node].flags
    cluster.network.cut.clear()
    cluster.settle()
    assert list(disks(cluster).values()) == ["UpToDate"] * 3


def test_a_dead_client_does_not_hold_up_growing(cluster):
    spawn(cluster)
    client = next(node for node in NODES if node not in replicas(cluster))
    create(cluster, client, "DRBD_DISKLESS")
    cluster.nodes[client].power_loss()
    cluster.settle()
    definitions.modify_volume(cluster.core, "web", 0, wire.VolumeDefinitionModify(size_kib=4096))
    cluster.settle()
    (volume,) = cluster.core.picture.definition("web").volume_definitions
    assert (volume.size, volume.flags) == (4096 * KIB, frozenset())


def test_nothing_begins_anew_beside_the_last_replica_on_its_way_out(cluster):
    spawn(cluster, count=1)
    (last,) = replicas(cluster)
    write(cluster, last)
    cluster.nodes[last].reachable = False
    cluster.settle()
    delete(cluster, last)
    other = next(node for node in NODES if node != last)
    with pytest.raises(Refused, match=f"still being deleted on {last}"):
        create(cluster, other)
    assert list(replicas(cluster)) == [last]
    cluster.nodes[last].reachable = True
    cluster.run(120)
    cluster.settle()
    assert not replicas(cluster)
    create(cluster, other)
    assert disks(cluster) == {other: "UpToDate"}


def test_the_controller_looks_again_and_again_whether_a_tiebreaker_may_go(cluster):
    spawn(cluster)
    (tiebreaker,) = with_state(cluster, "Diskless")
    third = wire.Resource(node_name=next(node for node in NODES if node not in replicas(cluster)))
    assert not resources.create(cluster.core, "web", (wire.ResourceCreate(resource=third),)).failed
    cluster.run(60)
    assert tiebreaker in replicas(cluster)
    automatisms(cluster.core)()
    cluster.run(60)
    assert tiebreaker not in replicas(cluster)


def without_losing(cluster, node, act):
    """Does something; whoever uses the device on the node meanwhile never loses quorum."""
    step = cluster.step
    lost = []

    def watched(deadline):
        step(deadline)
        lost.append(kernel(cluster, node).lost_quorum)

    cluster.step = watched
    act()
    cluster.settle()
    cluster.step = step
    assert not any(lost)


@pytest.mark.parametrize("seed", range(3))
def test_a_user_is_not_stopped_by_the_second_replica(seed):
    cluster = started(seed=seed)
    spawn(cluster, count=1)
    (user,) = replicas(cluster)
    cluster.nodes[user].host.disk.use(device(cluster), "mount")
    cluster.settle()
    without_losing(cluster, user, lambda: create(cluster, next(node for node in NODES if node != user)))
    assert quorum(cluster) == "majority"
    assert len(replicas(cluster)) == 3


@pytest.mark.parametrize("seed", range(3))
def test_a_user_is_not_stopped_by_a_disk_that_comes_while_a_replica_is_dead(seed):
    cluster = started(seed=seed)
    spawn(cluster)
    user, dead = with_state(cluster, "UpToDate")
    cluster.nodes[user].host.disk.use(device(cluster), "mount")
    cluster.nodes[dead].power_loss()
    cluster.settle()
    fresh = next(node for node in NODES if node not in replicas(cluster))
    without_losing(cluster, user, lambda: create(cluster, fresh, "DRBD_DISKLESS"))
    without_losing(cluster, user, lambda: toggle(cluster, fresh, "DISKFUL", storage_pool="pool1"))
    cluster.nodes[dead].start()
    cluster.settle()
    assert list(disks(cluster).values()) == ["UpToDate"] * 3
    assert quorum(cluster) == "majority"


@pytest.mark.parametrize("seed", range(6))
def test_a_user_is_not_stopped_by_a_new_replica_while_another_one_is_dead(seed):
    """With two and a tiebreaker the user and one that is not reached yet would be one short."""
    cluster = started(seed=seed)
    spawn(cluster)
    user, dead = with_state(cluster, "UpToDate")
    cluster.nodes[user].host.disk.use(device(cluster), "mount")
    cluster.nodes[dead].power_loss()
    cluster.settle()
    fresh = next(node for node in NODES if node not in replicas(cluster))
    without_losing(cluster, user, lambda: create(cluster, fresh))
    assert disks(cluster)[fresh] == "UpToDate"
    assert not replicas(cluster)[fresh].flags
    cluster.nodes[dead].start()
    cluster.settle()
    assert list(disks(cluster).values()) == ["UpToDate"] * 3
    assert quorum(cluster) == "majority"


@pytest.mark.parametrize("seed", range(3))
def test_a_user_of_three_is_not_stopped_by_a_fourth_while_one_is_dead(seed):
    cluster = started(seed=seed)
    spawn(cluster, count=3)
    user, dead, _ = with_state(cluster, "UpToDate")
    cluster.nodes[user].host.disk.use(device(cluster), "mount")
    write(cluster, user)
    cluster.nodes[dead].power_loss()
    cluster.settle()
    fresh = next(node for node in NODES if node not in replicas(cluster))
    without_losing(cluster, user, lambda: create(cluster, fresh))
    assert disks(cluster)[fresh] == "UpToDate"
    assert below(cluster, fresh)[0] == TOKEN


def waiting_to_meet(cluster):
    """The user goes on, another replica is dead, and a new one does not reach the user. Its node, and the answers."""
    spawn(cluster)
    user, dead = with_state(cluster, "UpToDate")
    cluster.nodes[user].host.disk.use(device(cluster), "mount")
    cluster.nodes[dead].power_loss()
    cluster.settle()
    fresh = next(node for node in NODES if node not in replicas(cluster))
    cluster.network.cut.add(frozenset((user, fresh)))
    body = wire.ResourceCreate(resource=wire.Resource(node_name=fresh, props={"StorPoolName": "pool1"}))
    answers = resources.create(cluster.core, "web", (body,))
    cluster.settle()
    return user, dead, fresh, answers


def files(cluster, node):
    return [name for name in cluster.nodes[node].host.disk.folders[POOL] if not name.startswith(".")]


def test_a_new_replica_that_meets_nobody_waits_and_stops_nobody(cluster):
    user, _, fresh, answers = waiting_to_meet(cluster)
    assert any(f"without its disk yet: it waits to meet {user}" in entry.message for entry in answers)
    assert not kernel(cluster, user).lost_quorum
    assert replicas(cluster)[fresh].flags == {"DISK_ADD_REQUESTED"}
    assert files(cluster, fresh) == []
    cluster.start_controller()
    cluster.settle()
    assert files(cluster, fresh) == []
    without_losing(cluster, user, cluster.network.cut.clear)
    assert disks(cluster)[fresh] == "UpToDate"


def test_whoever_is_away_is_not_waited_for(cluster):
    user, _, fresh, _ = waiting_to_meet(cluster)
    cluster.nodes[user].power_loss()
    cluster.settle()
    assert files(cluster, fresh)
    cluster.network.cut.clear()
    cluster.nodes[user].start()
    cluster.settle()
    assert disks(cluster)[fresh] == "UpToDate"


def test_a_disk_that_waits_is_given_up(cluster):
    user, _, fresh, _ = waiting_to_meet(cluster)
    toggle(cluster, fresh, "DISKLESS")
    cluster.network.cut.clear()
    cluster.settle()
    assert disks(cluster)[fresh] == "Diskless"
    assert files(cluster, fresh) == []
    assert not kernel(cluster, user).lost_quorum


def test_a_replica_that_waits_is_deleted(cluster):
    _, _, fresh, _ = waiting_to_meet(cluster)
    delete(cluster, fresh)
    assert kernel(cluster, fresh) is None
    assert files(cluster, fresh) == []


def test_a_replica_that_waits_counts_for_placement(cluster):
    user, dead, fresh, _ = waiting_to_meet(cluster)
    request = wire.AutoPlaceRequest(select_filter=wire.AutoSelectFilter(place_count=3))
    assert not resources.autoplace(cluster.core, "web", request).failed
    cluster.network.cut.clear()
    cluster.settle()
    assert {r.node for r in diskful(cluster.core.picture.definition("web"))} == {user, dead, fresh}


def test_a_volume_that_comes_meanwhile_waits_too(cluster):
    user, dead, fresh, _ = waiting_to_meet(cluster)
    body = wire.VolumeDefinitionCreate(volume_definition=wire.VolumeDefinition(size_kib=512))
    definitions.create_volume(cluster.core, "web", body)
    cluster.settle()
    cluster.network.cut.clear()
    cluster.nodes[dead].start()
    cluster.settle()
    assert disks(cluster)[fresh] == ["UpToDate", "UpToDate"]


def test_where_all_see_each_other_nothing_waits(cluster):
    spawn(cluster)
    fresh = next(node for node in NODES if node not in replicas(cluster))
    body = wire.ResourceCreate(resource=wire.Resource(node_name=fresh, props={"StorPoolName": "pool1"}))
    resources.create(cluster.core, "web", (body,))
    assert not replicas(cluster)[fresh].flags


# -- the first copy ---------------------------------------------------------------------------------------------------


MARK = b"never written through DRBD".ljust(BLOCK, b".")


def below(cluster, node):
    """The content of what DRBD stands on."""
    (device,) = kernel(cluster, node).devices.values()
    return cluster.nodes[node].host.disk.content(device.backing).blocks


def a_later_replica(cluster):
    """Of two, after one block was written; another one was put where only a full copy finds it."""
    spawn(cluster)
    first, _ = with_state(cluster, "UpToDate")
    write(cluster, first)
    for node in with_state(cluster, "UpToDate"):
        below(cluster, node)[8 * BLOCK] = MARK
    later = next(node for node in NODES if node not in replicas(cluster))
    create(cluster, later)
    assert disks(cluster)[later] == "UpToDate"
    return below(cluster, later)


def test_a_later_replica_on_a_pool_that_reads_as_zeros_gets_what_was_written(cluster):
    found = a_later_replica(cluster)
    assert found[0] == TOKEN
    assert 8 * BLOCK not in found


def test_it_gets_no_more_from_one_that_was_equal_itself(cluster):
    spawn(cluster)
    first, equal = sorted(with_state(cluster, "UpToDate"), key=lambda node: not is_first(cluster, node))
    write(cluster, first)
    below(cluster, equal)[8 * BLOCK] = MARK
    later = next(node for node in NODES if node not in replicas(cluster))
    cluster.network.cut.add(frozenset((first, later)))
    create(cluster, later)
    assert disks(cluster)[later] == "UpToDate"
    assert below(cluster, later)[0] == TOKEN
    assert 8 * BLOCK not in below(cluster, later)


def is_first(cluster, node):
    (of,) = cluster.core.picture.definition("web").volume_definitions
    return any(volume.uuid == of.first for volume in replicas(cluster)[node].volumes)


@pytest.mark.parametrize("why", ["a pool that promises nothing", "it is to be copied"])
def test_elsewhere_it_gets_everything(why):
    cluster = started(provider="FILE" if why == "a pool that promises nothing" else "FILE_THIN")
    if why == "it is to be copied":
        with cluster.core.change() as draft:
            controller = draft.controller
            draft.put(replace(controller, props={**controller.props, "DrbdOptions/ForceInitialSync": "true"}))
    found = a_later_replica(cluster)
    assert found[0] == TOKEN
    assert found[8 * BLOCK] == MARK


def test_a_disk_that_comes_to_a_device_that_was_up_gets_everything(cluster):
    spawn(cluster)
    source = with_state(cluster, "UpToDate")[0]
    (node,) = with_state(cluster, "Diskless")
    write(cluster, source)
    for other in with_state(cluster, "UpToDate"):
        below(cluster, other)[8 * BLOCK] = MARK
    toggle(cluster, node, "DISKFUL", storage_pool="pool1")
    assert below(cluster, node)[8 * BLOCK] == MARK


# -- failures on the way ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_toggle_survives_whatever_is_killed(seed):
    """Satellites and the controller die again and again while disks come and go; then everything is as it was asked."""
    cluster = started(seed=seed)
    spawn(cluster)
    kept = with_state(cluster, "UpToDate")
    (node,) = with_state(cluster, "Diskless")
    write(cluster, kept[0])
    for into, disk in (("DISKFUL", "UpToDate"), ("DISKLESS", "Diskless")):
        pool = {"storage_pool": "pool1"} if into == "DISKFUL" else {}
        body = wire.ToggleDiskRequest(operation=f"INTO_DRBD_{into}", **pool)
        cluster.nodes[node].stop()
        cluster.run(5)
        toggling.toggle_disk(cluster.core, "web", node, body)
        for _ in range(6):
            cluster.nodes[node].start()
            cluster.run(cluster.random.random() * 3)
            cluster.nodes[node].stop()
            if cluster.random.random() < 0.5:
                cluster.start_controller()
        cluster.heal()
        cluster.settle(120)
        assert disks(cluster)[node] == disk
        assert [disks(cluster)[name] for name in kept] == ["UpToDate"] * 2
    assert below(cluster, kept[1])[0] == TOKEN
