"""Every kind of pool under the real controller and satellites: the main job, sizes, growth, and a full pool."""

import contextlib
import itertools

import pytest

from orlop.codes import ERROR, Fail
from orlop.controller import wire
from orlop.controller.usecases import (
    definitions,
    forgetting,
    physical_storage,
    resources,
    restoring,
    rolling_back,
    snapshots,
    spawning,
)
from orlop.errors import Refused
from orlop.model import GIB, KIB, MIB
from orlop.testing.cluster import SimulatedCluster
from orlop.testing.disk import BLOCK

KINDS = ("LVM", "LVM_THIN", "LVM_THIN_POOL", "ZFS", "ZFS_THIN")
NODES = ("alpha", "bravo")
DISKS = ("/dev/vdb", "/dev/vdc")
FIRST, SECOND = (text.ljust(BLOCK, b".") for text in (b"first", b"second"))


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def cluster(kind):
    """Two nodes with a pool `fast` of the kind, on 8 GiB of disks."""
    made = SimulatedCluster(NODES, seed=3)
    made.register()
    for name in NODES:
        paths = ("/dev/vdb", "/dev/vdc")
        for path in paths:
            made.nodes[name].host.disk.add_disk(path, 4 * GIB)
        pool = wire.PhysicalStorageStoragePoolCreate(name="fast")
        body = wire.PhysicalStorageCreate(
            provider_kind=kind, device_paths=paths, pool_name="store", with_storage_pool=pool
        )
        answers = physical_storage.create(made.core, name, body)
        assert not answers.failed, [e.message for e in answers]
    made.run(20.0)
    return made


def spawn(cluster, name="web", size=64 * MIB, count=2):
    rule = wire.AutoSelectFilter(place_count=count, storage_pool_list=("fast",))
    body = wire.ResourceGroupSpawn(resource_definition_name=name, volume_sizes=(size // KIB,), select_filter=rule)
    return spawning.spawn(cluster.core, "DfltRscGrp", body)


def device(cluster, node, name="web"):
    (volume,) = cluster.core.reported.current(node, name).volumes
    assert volume.presence == "READY", volume
    return volume.device


def write(cluster, data, name="web"):
    for node in NODES:
        cluster.nodes[node].host.disk.write(device(cluster, node, name), 0, data)


def read(cluster, name="web", nodes=NODES):
    return {cluster.nodes[n].host.disk.read(device(cluster, n, name), 0, BLOCK) for n in nodes}


def succeeded(answers):
    assert not answers.failed, [(e.message, e.details) for e in answers]


def orphans(cluster):
    return [o for node in NODES for o in cluster.core.reported.node(node).orphans]


def test_the_main_job(cluster):
    succeeded(spawn(cluster))
    write(cluster, FIRST)
    succeeded(snapshots.create(cluster.core, "web", wire.Snapshot(name="monday")))
    write(cluster, SECOND)
    body = wire.ResourceDefinitionCreate(resource_definition=wire.ResourceDefinition(name="copy"))
    definitions.create(cluster.core, body)
    request = wire.SnapshotRestore(to_resource="copy")
    restoring.restore_volume_definitions(cluster.core, "web", "monday", request)
    succeeded(restoring.restore_resource(cluster.core, "web", "monday", request))
    assert read(cluster, "copy") == {FIRST}
    assert read(cluster) == {SECOND}
    succeeded(rolling_back.rollback(cluster.core, "web", "monday", wire.SnapshotRollback()))
    assert read(cluster) == {FIRST}
    grow = wire.VolumeDefinitionModify(size_kib=128 * MIB // KIB)
    succeeded(definitions.modify_volume(cluster.core, "web", 0, grow))
    assert read(cluster) == {FIRST}
    assert {cluster.core.reported.current(n, "web").volumes[0].size for n in NODES} == {128 * MIB}
    for node in NODES:
        cluster.nodes[node].power_loss()
        cluster.nodes[node].start()
    cluster.run(60.0)
    assert read(cluster) == {FIRST}
    assert read(cluster, "copy") == {FIRST}
    succeeded(definitions.delete(cluster.core, "copy"))
    succeeded(snapshots.delete(cluster.core, "web", "monday"))
    succeeded(definitions.delete(cluster.core, "web"))
    cluster.run(60.0)
    assert orphans(cluster) == []
    for node in NODES:
        succeeded(physical_storage.remove(cluster.core, node, "fast"))
        assert len(physical_storage.devices(cluster.core, node)) == 2


def test_sizes_are_multiples_of_what_the_kind_hands_out_and_of_what_others_do(cluster):
    succeeded(spawn(cluster, size=65 * KIB, count=1))
    definition = cluster.core.picture.definition("web")
    (made,) = definition.resources
    size = made.volumes[0].levels[-1].size
    assert size % cluster.core.reported.pool(made.node, "fast").extent == 0
    assert cluster.core.reported.current(made.node, "web").volumes[0].size == size
    other = next(n for n in NODES if n != made.node)
    body = wire.ResourceCreate(resource=wire.Resource(node_name=other, props={"StorPoolName": "pool1"}))
    succeeded(resources.create(cluster.core, "web", (body,)))
    assert cluster.core.reported.current(other, "web").volumes[0].size == size


def test_more_than_there_is_cannot_be_promised(cluster, kind):
    with pytest.raises(Refused) as refused:
        spawn(cluster, size=200 * GIB if kind.endswith("THIN") else 9 * GIB)
    assert refused.value.code == Fail.NOT_ENOUGH_NODES
    assert "KiB needed" in refused.value.details


def test_a_pool_whose_disks_are_gone_is_forgotten_with_what_was_in_it(cluster):
    succeeded(spawn(cluster))
    host = cluster.nodes["bravo"].host
    host.installed = {name: program for name, program in host.installed.items() if name not in ("lvm", "zfs", "zpool")}
    cluster.run(30.0)
    assert cluster.core.reported.pool("bravo", "fast").problem
    assert cluster.core.reported.current("bravo", "web").volumes[0].presence == "HIDDEN"
    succeeded(forgetting.pool_lost(cluster.core, "bravo", "fast"))
    assert [r.node for r in cluster.core.picture.definition("web").resources] == ["alpha"]
    assert read(cluster, nodes=("alpha",))


@pytest.mark.parametrize("kind", ["LVM", "LVM_THIN_POOL", "ZFS"])  # thin ones take their space when they are written to
def test_a_volume_that_finds_the_pool_full_is_made_nowhere(cluster, kind):
    """Somebody took the space since the last report."""
    core = cluster.core
    known = core.reported.pool("bravo", "fast")
    host = cluster.nodes["bravo"].host
    if kind.startswith("LVM"):
        host.run(("lvcreate", "--yes", "--name", "theirs", "--extents", str(7 * GIB // (4 * MIB)), "store"))
    else:
        host.run(("zfs", "create", "-V", str(6 * GIB), "store/theirs"))
    assert core.reported.pool("bravo", "fast") is known
    answers = spawn(cluster, size=2 * GIB)
    (told,) = [e for e in answers if e.severity == ERROR]
    assert told.code == Fail.NOT_ENOUGH_FREE_SPACE
    assert "no space left in storage pool fast" in told.message
    assert core.picture.definition("web") is None
    cluster.run(60.0)
    assert orphans(cluster) == []


class Workshop:
    """One node with two unused disks, and a request to make a pool `fast` of them or to take it apart."""

    def __init__(self, kind, what):
        self.cluster = SimulatedCluster(("alpha",), seed=1)
        self.cluster.register()
        self.node = self.cluster.nodes["alpha"]
        for path in DISKS:
            self.node.host.disk.add_disk(path, 4 * GIB)
        self.body = wire.PhysicalStorageCreate(
            provider_kind=kind,
            device_paths=DISKS,
            pool_name="store",
            with_storage_pool=wire.PhysicalStorageStoragePoolCreate(name="fast"),
        )
        self.what = what
        if what == "take apart":
            succeeded(self._make())

    def _make(self):
        return physical_storage.create(self.cluster.core, "alpha", self.body)

    @property
    def done(self):
        return (self.cluster.core.picture.pool("alpha", "fast") is not None) == (self.what == "make")

    def act(self):
        return self._make() if self.what == "make" else physical_storage.remove(self.cluster.core, "alpha", "fast")

    def cut(self, step, moment):
        """Whether there was such a step."""
        self.node.host.faults.crash(step, moment)
        with contextlib.suppress(Refused):
            self.act()
        if self.node.satellite is not None:
            return False
        self.node.power_loss()
        self.node.start()
        self.cluster.run(60.0)
        return True


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", ["make", "take apart"])
def test_a_power_loss_at_any_step_of_a_backing_is_mended_by_the_same_request(kind, moment, what):
    for step in itertools.count(1):
        shop = Workshop(kind, what)
        if not shop.cut(step, moment):
            break
        if not shop.done:
            succeeded(shop.act())
        shop.cluster.run(30.0)
        if what == "make":
            assert shop.cluster.core.reported.pool("alpha", "fast").marked
        else:
            found = physical_storage.devices(shop.cluster.core, "alpha")
            assert [d.device for d in found] == list(DISKS)
    assert step > 1


@pytest.mark.parametrize("forgetful", ["ZFS", "ZFS_THIN"])
def test_what_came_to_a_disk_since_an_attempt_to_wipe_it_stays(forgetful):
    """LVM finds its disks by itself."""
    shop = Workshop(forgetful, "take apart")
    assert shop.cut(3, "before"), "after the record and the first step of the kind"
    disk = shop.node.host.disk.disks["/dev/vdc"]
    disk.signatures[:] = ["ext4"]
    for _ in range(2):
        with contextlib.suppress(Refused):
            shop.act()
    assert disk.signatures == ["ext4"]
