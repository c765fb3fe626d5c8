"""A driver written from the author's guide alone: partitions, with programs that its author simulated."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
from msgspec.structs import replace

from orlop.drivers import LAYER, STORAGE, Drivers
from orlop.errors import BadProperty, InUse, NodeError, PoolUnavailable, WouldDestroy
from orlop.host import Host
from orlop.model import MIB, Presence, WantedLevel, WantedPool, WantedVolume
from orlop.plugin import StorageDriver
from orlop.testing import Crash, SimulatedHost, Workbench, check_layer, check_storage
from orlop_partitions.driver import UNWIPED, Partitions
from orlop_partitions.table import volume_type
from tests.plugins.simulated_partitions import Entry, PartitionedDisk

DRIVER: type[StorageDriver] = Partitions
REPOSITORY = Path(__file__).parent.parent.parent
DISTRIBUTION = REPOSITORY / "tests" / "example_driver"
DRIVERS = Drivers({STORAGE: {"partition": Partitions}, LAYER: Drivers.installed().all(LAYER)})
CLUSTER, OTHER_CLUSTER = "6ae30084-c8be-48e6-a48d-54156efd9ee6", "0c6f2c0e-1c35-4f6c-9d5c-1f0e7be1a001"
POOL, OTHER_POOL = "0b0c1f5e-40de-45a0-a3a2-6b7a2bd9c7ee", "5b8b4b2f-53c8-4a43-8f6a-b1d6c6c7f002"
Moment = Literal["before", "during", "after"]


def pool_on(disk: str, uuid: str = POOL, name: str = "pool") -> WantedPool:
    return WantedPool(name=name, uuid=uuid, provider="PARTITION", new=True, props={"StorDriver/StorPoolName": disk})


def marked(host: Host, pool: WantedPool, cluster: str = CLUSTER) -> Workbench:
    bench = Workbench(DRIVER, host, pool, cluster)
    bench.until_done(lambda seen: seen.mark_pool(pool))
    return bench


def with_size(volume: WantedVolume, size: int, new: bool = False) -> WantedVolume:
    return replace(volume, levels=(WantedLevel(layer="STORAGE", size=size),), new=new)


@pytest.fixture
def host() -> SimulatedHost:
    return SimulatedHost()


@pytest.fixture
def disk(host: SimulatedHost) -> PartitionedDisk:
    return PartitionedDisk(host)


@pytest.fixture
def bench(host: SimulatedHost, disk: PartitionedDisk) -> Workbench:
    return marked(host, pool_on(disk.path))


def test_the_driver_keeps_the_law_in_simulation(host: SimulatedHost, disk: PartitionedDisk) -> None:
    check_storage(DRIVER, host, pool_on(disk.path))
    assert [entry.uuid for entry in disk.entries.values()] == [POOL], "only the mark is left"
    assert not disk.opened


def test_a_stack_on_it_keeps_the_contract_in_simulation(host: SimulatedHost, disk: PartitionedDisk) -> None:
    check_layer(("STORAGE",), DRIVERS, host, pool_on(disk.path), reboot=host.power_loss)


@pytest.mark.parametrize("place", ["", "sda", "/dev", "/dev/../etc/passwd", "/srv/disk", "/dev/sd a"])
def test_a_pool_is_named_by_a_device(place: str) -> None:
    with pytest.raises(BadProperty):
        Partitions.check_pool({"StorDriver/StorPoolName": place})
    assert Partitions.check_pool({"StorDriver/StorPoolName": "/dev/sda/"}) == {"StorDriver/StorPoolName": "/dev/sda"}


def test_a_name_that_a_table_has_no_room_for_is_refused() -> None:
    assert Partitions.refuse_name("r" * 30 + "_00000") is None
    assert "36 characters" in (Partitions.refuse_name("r" * 31 + "_00000") or "")


def test_a_foreign_partition_is_listed_and_left_alone(disk: PartitionedDisk, bench: Workbench) -> None:
    foreign = Entry(40960, 49151, name="data_00000")
    disk.entries |= {5: foreign, 6: Entry(49152, 51199, name="EFI")}
    before = dict(disk.entries)
    assert [(o.name, o.uuid, o.cluster, o.size) for o in bench.look().objects("pool")] == [
        ("data_00000", "", "", 4 * MIB)
    ]
    volume = bench.volume("data")
    assert bench.look().presence(volume) is Presence.FOREIGN
    assert bench.look().device(volume) is None
    bench.down(replace(volume, wanted=False))
    with pytest.raises(WouldDestroy, match="data_00000"):
        bench.look().bring_up(volume)
    assert disk.entries == before


def test_new_volumes_go_around_foreign_partitions(disk: PartitionedDisk, bench: Workbench) -> None:
    disk.entries[5] = Entry(5000, 9000, name="EFI")  # not aligned
    volume = bench.volume("data")
    bench.up(volume)
    assert bench.look().device(volume) == "/dev/sda2"
    assert disk.entries[2].start % 2048 == 0
    assert disk.entries[2].start > 9000, "3 MiB before it are not enough"


def test_a_volume_with_the_right_name_and_uuid_of_another_cluster_is_foreign(
    disk: PartitionedDisk, bench: Workbench
) -> None:
    volume = bench.volume("data")
    disk.entries[2] = Entry(4096, 12287, type=volume_type(OTHER_CLUSTER), uuid=volume.uuid, name=volume.name)
    assert bench.look().presence(volume) is Presence.FOREIGN
    assert bench.look().objects("pool")[0].cluster == ""


@pytest.mark.parametrize(("uuid", "cluster"), [(OTHER_POOL, CLUSTER), (POOL, OTHER_CLUSTER)])
def test_a_disk_of_another_pool_or_cluster_is_neither_marked_nor_used(
    host: SimulatedHost, disk: PartitionedDisk, bench: Workbench, uuid: str, cluster: str
) -> None:
    bench.up(bench.volume("data"))
    before = dict(disk.entries)
    other = marked(host, pool_on(disk.path, uuid), cluster)
    assert disk.entries == before
    assert not other.look().pool_marked("pool")
    assert POOL in other.look().pool_problem("pool")
    with pytest.raises(PoolUnavailable):
        other.look().presence(other.volume("data"))


def test_volumes_on_a_disk_that_lost_its_mark_keep_it_from_a_new_one(disk: PartitionedDisk, bench: Workbench) -> None:
    bench.up(bench.volume("data"))
    del disk.entries[1]
    assert bench.look().mark_pool(pool_on(disk.path)) == []


def test_the_mark_of_an_empty_pool_of_this_cluster_can_be_replaced(
    host: SimulatedHost, disk: PartitionedDisk, bench: Workbench
) -> None:
    assert marked(host, pool_on(disk.path, OTHER_POOL)).look().pool_marked("pool")
    assert len(disk.entries) == 1


def test_the_mark_of_an_empty_pool_that_is_still_there_is_not_replaced(
    host: SimulatedHost, disk: PartitionedDisk, bench: Workbench
) -> None:
    pools = (replace(bench.pool, new=False), pool_on(disk.path, OTHER_POOL, name="second"))
    seen = DRIVER.observe(host, pools, CLUSTER)
    assert seen.mark_pool(pools[1]) == []
    assert seen.pool_problem("pool") == ""
    assert POOL in seen.pool_problem("second")


def test_the_mark_of_another_cluster_stays_even_on_an_empty_disk(
    host: SimulatedHost, disk: PartitionedDisk, bench: Workbench
) -> None:
    assert not marked(host, pool_on(disk.path, OTHER_POOL), OTHER_CLUSTER).look().pool_marked("pool")
    assert bench.look().pool_marked("pool")


@pytest.mark.parametrize(("label", "said"), [("", "partition table"), ("dos", "not a GPT")])
def test_a_disk_without_a_gpt_fails_only_its_own_pool(
    host: SimulatedHost, disk: PartitionedDisk, label: str, said: str
) -> None:
    disk.label = label
    pools = (pool_on(disk.path), pool_on("/dev/gone", name="gone"), pool_on("nowhere", name="wrong"))
    seen = DRIVER.observe(host, pools, CLUSTER)
    assert said in seen.pool_problem("pool")
    assert "cannot open /dev/gone" in seen.pool_problem("gone")
    assert "path of a disk" in seen.pool_problem("wrong")
    assert isinstance(seen, StorageDriver)
    assert seen.mark_pool(pools[0]) == []
    with pytest.raises(PoolUnavailable):
        seen.capacity("pool")


def test_a_volume_grows_as_far_as_what_is_behind_it_is_free(disk: PartitionedDisk, bench: Workbench) -> None:
    volume = bench.volume("data", 4 * MIB)
    bench.up(volume)
    disk.entries[9] = Entry(2048 * 10, 2048 * 12 - 1, name="EFI")
    with pytest.raises(NodeError, match=f"only {4 * MIB} are free"):
        bench.up(with_size(volume, 9 * MIB))
    bench.up(with_size(volume, 8 * MIB))
    assert bench.look().size(volume) == 8 * MIB
    assert disk.entries[2].name == "data_00000"


def test_the_free_space_told_is_what_one_volume_can_have(disk: PartitionedDisk, bench: Workbench) -> None:
    free = bench.look().capacity("pool").free
    bench.up(bench.volume("data", free))
    assert bench.look().capacity("pool").free == 0
    with pytest.raises(NodeError, match="in one piece"):
        bench.up(bench.volume("more"))


def test_a_new_volume_does_not_show_the_file_system_of_a_removed_one(
    host: SimulatedHost, disk: PartitionedDisk, bench: Workbench
) -> None:
    old = bench.volume("old")
    bench.up(old)
    host.disk.format(bench.look().device(old) or "", "ext4")
    bench.down(replace(old, wanted=False))
    new = bench.volume("new")
    bench.up(new)
    assert disk.opened["/dev/sda2"] is disk.contents[4096], "it has the same place"
    assert host.disk.content("/dev/sda2").signatures == []


def test_a_volume_in_use_is_not_closed(host: SimulatedHost, disk: PartitionedDisk, bench: Workbench) -> None:
    volume = bench.volume("data")
    bench.up(volume)
    host.disk.use("/dev/sda2", "/mnt")
    with pytest.raises(InUse):
        bench.down(replace(volume, wanted=False))
    assert set(disk.entries) == {1, 2}


def test_a_partition_that_the_kernel_shows_elsewhere_stops_the_pool(disk: PartitionedDisk, bench: Workbench) -> None:
    bench.up(bench.volume("data"))
    disk.entries[2].start += 2048
    assert "partx --update" in bench.look().pool_problem("pool")


DATA = WantedVolume(
    resource="data",
    number=0,
    uuid="41ea024d-bb84-4eb8-a8f2-a989443f06d5",
    pool="pool",
    levels=(WantedLevel(layer="STORAGE", size=4 * MIB),),
    new=True,
)


def life(bench: Workbench, pool: WantedPool) -> None:
    """All that happens to a volume; done again from its start after each crash, it goes on where it was."""
    bench.until_done(lambda seen: seen.mark_pool(pool))
    bench.up(DATA)
    bench.until_done(lambda seen: seen.record_formatted(DATA, "ext4"))
    bench.up(with_size(DATA, 8 * MIB))
    assert bench.look().size(DATA) == 8 * MIB
    assert bench.look().formatted(DATA)
    bench.down(replace(DATA, active=False, new=False))
    bench.down(replace(DATA, wanted=False, new=False))


@pytest.mark.parametrize("reboot", [True, False], ids=["machine", "satellite"])
@pytest.mark.parametrize("moment", ["before", "during", "after"])
def test_a_cut_at_every_step_is_made_good(moment: Moment, reboot: bool) -> None:
    for step in range(1, 30):
        host = SimulatedHost()
        disk, pool = PartitionedDisk(host), pool_on("/dev/sda")
        bench = Workbench(DRIVER, host, pool, CLUSTER)
        host.faults.crash(step, moment)
        try:
            life(bench, pool)
        except Crash:
            host.faults.clear()
        else:
            assert step > 9, "there are at least nine steps"
            return
        if reboot:
            host.power_loss()
        assert [entry.name for entry in disk.entries.values()] in ([], [CLUSTER], [CLUSTER, "data_00000"])
        if any(UNWIPED in entry.bits for entry in disk.entries.values()):
            assert bench.look().presence(DATA) is Presence.HIDDEN
        life(bench, pool)
        assert [entry.name for entry in disk.entries.values()] == [CLUSTER]
        assert not disk.opened
    pytest.fail("the steps never end")


USE = """
from orlop.controller import wire
from orlop.controller.usecases import definitions, pools, spawning
from orlop.drivers import STORAGE, Drivers
from orlop.testing.cluster import SimulatedCluster
from tests.plugins.simulated_partitions import PartitionedDisk

cluster = SimulatedCluster(("alpha",))
assert not cluster.drivers.broken, cluster.drivers.broken
disk = PartitionedDisk(cluster.nodes["alpha"].host)
cluster.register()
core = cluster.core

place = {"StorDriver/StorPoolName": "/dev/sda/"}
pools.create(core, "alpha", wire.StoragePool(storage_pool_name="parts", provider_kind="PARTITION", props=place))
cluster.settle()
spawn = wire.ResourceGroupSpawn(
    resource_definition_name="data",
    volume_sizes=(10_000,),
    resource_definition_props={"FileSystem/Type": "ext4"},
    select_filter=wire.AutoSelectFilter(place_count=1, storage_pool="parts"),
)
spawning.spawn(core, "DfltRscGrp", spawn)
cluster.settle()
definitions.modify_volume(core, "data", 0, wire.VolumeDefinitionModify(size_kib=20_000))
cluster.settle()
said = core.reported.resource("alpha", "data").volumes[0]
print(said.presence.value, said.device, said.size, said.formatted, said.problem)
definitions.delete(core, "data")
cluster.settle()
print(len(disk.entries), cluster.drivers.load(STORAGE, "PARTITION").__module__)
"""


def test_the_distribution_is_installed_and_used_by_a_whole_cluster(tmp_path: Path) -> None:
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index")
    own = ("--no-deps", "--no-build-isolation", "--target", str(tmp_path), str(DISTRIBUTION))
    subprocess.run((*pip, *own), check=True, capture_output=True)
    others = [path for path in sys.path if path and not path.endswith("example_driver")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(REPOSITORY), *others])}
    argv = [sys.executable, "-c", USE]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"READY /dev/sda2 {20 * MIB} True \n1 orlop_partitions.driver\n"
