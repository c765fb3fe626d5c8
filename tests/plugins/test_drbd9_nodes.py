"""The layer on simulated nodes with DRBD 9, told what to do by the real controller."""

import pytest

from orlop.controller import wire
from orlop.controller.growing import facts
from orlop.controller.usecases import definitions, resources, spawning, toggling
from orlop.testing.cluster import SimulatedCluster
from orlop.testing.disk import BLOCK

TOKEN = b"data".ljust(BLOCK, b".")
EVENTS = ("drbdsetup", "events2", "--now", "--statistics")
NAMES = ("alpha", "bravo", "charlie", "delta")


@pytest.fixture
def cluster():
    made = SimulatedCluster(NAMES, seed=5, drbd="9")
    made.register()
    return made


@pytest.fixture
def web(cluster):
    """On three nodes with a disk and on a fourth one without, all up to date."""
    body = wire.ResourceGroupSpawn(
        resource_definition_name="web",
        volume_sizes=(1024,),
        select_filter=wire.AutoSelectFilter(place_count=3, diskless_on_remaining=True),
    )
    assert not spawning.spawn(cluster.core, "DfltRscGrp", body).failed
    cluster.settle()
    return cluster


def kernel(cluster, node):
    return cluster.nodes[node].host.drbd.resources.get("web")


def device(cluster):
    (volume,) = cluster.core.picture.definition("web").volume_definitions
    return f"/dev/drbd{volume.minor}"


def disks(cluster):
    return {node: kernel(cluster, node).devices[0].disk for node in NAMES if kernel(cluster, node)}


def diskful(cluster):
    return [node for node, disk in disks(cluster).items() if disk == "UpToDate"]


def said(cluster, node, fact):
    (resource,) = (r for r in cluster.core.picture.definition("web").resources if r.node == node)
    return facts(cluster.core.reported.resource(node, "web"), resource.volumes[0]).get(fact)


def write(cluster, node, at=0):
    cluster.nodes[node].host.disk.write(device(cluster), at, TOKEN)


def ran(cluster, node, word):
    return [argv for argv in cluster.nodes[node].host.ran if word in argv]


def toggle(cluster, node, operation):
    answer = toggling.toggle_disk(cluster.core, "web", node, wire.ToggleDiskRequest(operation=operation))
    assert not answer.failed
    cluster.settle()


def test_all_come_up_and_what_a_node_without_a_disk_writes_is_everywhere(web):
    assert sorted(disks(web).values()) == ["Diskless", "UpToDate", "UpToDate", "UpToDate"]
    (client,) = set(NAMES) - set(diskful(web))
    write(web, client)
    web.settle()
    assert all(kernel(web, node).devices[0].file.blocks[0] == TOKEN for node in diskful(web))
    assert said(web, client, "client") == "yes"
    peer = diskful(web)[0]
    assert said(web, client, f"peer/{peer}/disk") == "UpToDate"
    assert said(web, peer, "quorum") == "yes"


def test_a_node_that_is_without_most_of_the_others_says_so(web):
    one, *others = diskful(web)
    web.network.cut |= {frozenset((one, other)) for other in NAMES if other != one}
    web.settle()
    assert said(web, one, "quorum") == "no"
    assert said(web, others[0], "quorum") == "yes"


def test_a_disk_comes_and_goes_while_the_device_stays_up(web):
    (client,) = set(NAMES) - set(diskful(web))
    write(web, client)
    toggle(web, client, toggling.DISKFUL)
    assert disks(web)[client] == "UpToDate"
    assert kernel(web, client).devices[0].file.blocks[0] == TOKEN
    toggle(web, client, toggling.DISKLESS)
    assert disks(web)[client] == "Diskless"
    assert not ran(web, client, "down")
    assert [argv[1:] for argv in ran(web, client, "detach")] == [("detach", device(web)[9:], "--diskless")]


def test_the_place_of_a_replica_that_went_is_given_free(web):
    """Nobody has a place for a replica without a disk, so nothing is forgotten there."""
    (client,) = set(NAMES) - set(diskful(web))
    gone, *others = diskful(web)
    resources.delete(web.core, "web", gone)
    web.settle()
    assert disks(web)[gone] == "Diskless"  # two disks are left: it stays as their tiebreaker
    resources.delete(web.core, "web", gone)
    web.settle()
    assert kernel(web, gone) is None
    assert [len(ran(web, node, "forget-peer")) for node in (*others, client)] == [1, 1, 0]
    assert all(gone not in {c.name for c in kernel(web, node).connections.values()} for node in others)


def test_it_grows_everywhere_by_one_command(web):
    answer = definitions.modify_volume(web.core, "web", 0, wire.VolumeDefinitionModify(size_kib=2048))
    assert not answer.failed
    web.settle()
    assert len([argv for node in NAMES for argv in ran(web, node, "resize")]) == 1
    assert all("size:2048 " in web.nodes[node].host.run(EVENTS) for node in NAMES)


def test_nodes_that_lost_power_come_back(web):
    before = disks(web)
    for node in NAMES:
        web.nodes[node].power_loss()
    for node in NAMES:
        web.nodes[node].start()
    web.settle()
    assert disks(web) == before
