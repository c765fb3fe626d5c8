"""ZFS pools: what stands in the way of one, how full it is, and how one is made of disks."""

import pytest

from orlop.errors import BadName, BadProperty, PoolUnavailable, WouldDestroy
from orlop.model import GIB, NewBacking, WantedPool
from orlop.testing import SimulatedHost
from orlop_storage.datasets import Owner
from orlop_storage.zfs import Zfs
from orlop_storage.zfs_thin import ZfsThin
from tests.plugins.zfs_bench import CLUSTER, ZfsBench, pool, replace

BACKING = NewBacking(provider="ZFS_THIN", name="tank", devices=("/dev/sdb", "/dev/sdc"))


def problem(bench: ZfsBench) -> str:
    return bench.look().pool_problem("pool")


# -- properties -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["StorDriver/StorPoolName", "StorDriver/ZPool", "StorDriver/ZPoolThin"])
def test_older_spellings_are_understood(name):
    assert Zfs.check_pool({name: "tank/orlop/", "Aux/x": "y"}) == {
        "StorDriver/StorPoolName": "tank/orlop",
        "Aux/x": "y",
    }


@pytest.mark.parametrize("path", ["", "/tank", "tank//x", "1tank", "tank/a b", "tank@x", "tank/-r", "-r", "t" * 101])
def test_a_pool_is_named_as_zfs_names_datasets(path):
    with pytest.raises(BadProperty):
        Zfs.check_pool({"StorDriver/StorPoolName": path})


@pytest.mark.parametrize(
    "options",
    [
        "-o orlop:volume=x",
        "-o volsize=1G",
        "-o volmode=none",
        "-o refreservation=none",
        "-o readonly=on",
        "-o mountpoint=/x",
        "-o encryption=on",
        "-o keylocation=prompt",
        "-o keyformat=passphrase",
        "-V 1G",
        "-s",
        "-p",
        "-o",
        "-o compression",
        "-b 3000",
        "-b 256",
        "-b 2M",
        "-b x",
        "tank/other",
        "-o a=b,orlop:volume=c",
        "'",
    ],
)
def test_options_that_would_take_a_volume_out_of_our_hands_are_refused(options):
    with pytest.raises(BadProperty):
        Zfs.check_options({"StorDriver/ZfscreateOptions": options})


@pytest.mark.parametrize("options", ["", "-b 16K", "-o compression=lz4 -ologbias=throughput", "-o com.example:note=x"])
def test_other_options_are_passed_on(options):
    Zfs.check_options({"StorDriver/ZfscreateOptions": options})


@pytest.mark.parametrize("options", ["-r", "-o compression=on", "-o orlop:snapshot=x", "-b 16K"])
def test_a_snapshot_takes_user_properties_only(options):
    with pytest.raises(BadProperty):
        Zfs.check_options({"StorDriver/ZfsSnapshotOptions": options})


def test_a_strategy_has_one_of_three_names():
    with pytest.raises(BadProperty):
        Zfs.check_options({"StorDriver/Zfs/DeleteStrategy": "Burn"})
    Zfs.check_options({"StorDriver/Zfs/RollbackStrategy": "dynamic"})


def test_a_name_too_long_with_everything_that_may_follow_is_refused():
    assert Zfs.refuse_name("x" * 48 + "_00000") is None
    assert Zfs.refuse_name("x" * 49 + "_00000")
    longest = f"{'p' * 100}/{'r' * 48}_00000.deleted.{'u' * 36}@{'s' * 48}"
    assert len(longest) < 256


# -- what stands in the way -----------------------------------------------------------------------


def test_a_dataset_that_is_not_there_is_not_made():
    host = SimulatedHost()
    host.zfs.make("tank")
    seen = ZfsThin.observe(host, (pool(),), CLUSTER)
    assert "zfs create -o mountpoint=none tank/orlop" in seen.pool_problem("pool")
    assert seen.mark_pool(pool()) == []


def test_a_zpool_that_went_away_is_a_clear_state_and_others_go_on():
    bench = ZfsBench()
    bench.node.zfs.make("other")
    fine = pool(dataset="other", name="fine", uuid="fine-uuid")
    bench.act(ZfsThin.observe(bench.node, (fine,), CLUSTER).mark_pool(fine))
    bench.node.run(("zpool", "destroy", "tank"))
    seen = ZfsThin.observe(bench.node, (bench.pool, replace(fine, new=False)), CLUSTER)
    assert seen.pool_problem("pool") == (
        "tank/orlop, the place of pool pool, is not there; if its zpool was exported: zpool import tank"
    )
    with pytest.raises(PoolUnavailable):
        seen.capacity("pool")
    assert seen.pool_problem("fine") == ""
    assert seen.pool_marked("fine")
    assert not [argv for argv in bench.node.ran if argv[:2] == ("zpool", "import")]


def test_a_dataset_that_went_away_does_not_hide_the_other_pools():
    bench = ZfsBench()
    gone = pool(dataset="tank/gone", name="gone", new=False)
    seen = ZfsThin.observe(bench.node, (bench.pool, gone), CLUSTER)
    assert "tank/gone" in seen.pool_problem("gone")
    assert seen.pool_problem("pool") == ""


def test_a_renamed_pool_is_found_by_its_mark():
    bench = ZfsBench()
    bench.node.run(("zfs", "rename", "tank/orlop", "tank/renamed"))
    assert "its mark is on tank/renamed" in problem(bench)


@pytest.mark.parametrize(
    ("health", "said"),
    [("SUSPENDED", "zpool clear tank"), ("FAULTED", "zpool status tank"), ("UNAVAIL", "zpool status tank")],
)
def test_a_zpool_that_does_not_work_is_not_even_asked_for_its_datasets(health, said):
    bench = ZfsBench()
    bench.node.zfs.zpools["tank"].health = health
    bench.node.ran.clear()
    assert said in problem(bench)
    assert ("zfs", "list") not in {argv[:2] for argv in bench.node.ran}


def test_a_degraded_or_nearly_full_zpool_works_with_a_warning():
    bench = ZfsBench()
    volume = bench.make(content=b"one")
    assert bench.look().pool_warning("pool") == ""
    bench.node.zfs.zpools["tank"].size = 4096 * 10 // 9
    assert bench.look().pool_warning("pool") == "zpool tank is 90 % full"
    bench.node.zfs.zpools["tank"].size = GIB
    bench.node.zfs.zpools["tank"].health = "DEGRADED"
    assert "degraded" in bench.look().pool_warning("pool")
    assert bench.content(volume) == b"one"


def test_a_pool_whose_key_is_not_loaded_says_so():
    bench = ZfsBench()
    bench.node.zfs.datasets["tank/orlop"].props["keystatus"] = "unavailable"
    assert "zfs load-key tank/orlop" in problem(bench)


def test_a_volume_is_no_pool():
    bench = ZfsBench()
    bench.make()
    other = pool(dataset="tank/orlop/res_00000", name="other")
    assert "is a volume" in ZfsThin.observe(bench.node, (other,), CLUSTER).pool_problem("other")


def test_without_zfs_only_its_pools_fail():
    host = SimulatedHost()
    del host.installed["zpool"]
    assert "not installed" in ZfsThin.observe(host, (pool(),), CLUSTER).pool_problem("pool")
    assert ZfsThin.observe(host, (), CLUSTER).parents == {}


def test_the_mark_of_a_pool_is_not_handed_down_and_does_not_come_with_a_copy():
    bench = ZfsBench(dataset="tank")
    inner = pool(dataset="tank/orlop", name="inner", uuid="inner-uuid")
    assert not ZfsThin.observe(bench.node, (inner,), CLUSTER).pool_marked("inner")
    assert "does not carry" in ZfsThin.observe(bench.node, (replace(inner, new=False),), CLUSTER).pool_problem("inner")
    mark = str(Owner(CLUSTER, "inner-uuid", "4711"))
    bench.node.run(("zfs", "set", f"orlop:pool={mark}", "tank/orlop"))
    assert "does not carry" in ZfsThin.observe(bench.node, (replace(inner, new=False),), CLUSTER).pool_problem("inner")


def test_a_new_pool_takes_over_from_one_of_the_cluster_that_left_nothing():
    bench = ZfsBench()
    new = pool(name="new", uuid="new-uuid")

    def problem(*others, cluster=CLUSTER):
        return ZfsThin.observe(bench.node, (new, *others), cluster).pool_problem("new")

    volume = bench.make()
    assert "another pool" in problem()
    bench.remove(volume)
    assert "another pool" in problem(bench.pool)
    assert "another pool" in problem(cluster="strangers")
    assert problem() == ""
    assert ZfsThin.observe(bench.node, (new,), CLUSTER).mark_pool(new)


def test_capacity_is_what_the_dataset_may_take():
    bench = ZfsBench(Zfs, size=GIB)
    before = bench.look().capacity("pool")
    assert before.total == before.free == GIB
    bench.make(size=GIB // 2)
    assert bench.look().capacity("pool").free < GIB // 2


# -- physical storage -----------------------------------------------------------------------------


def disks(*names: str) -> SimulatedHost:
    host = SimulatedHost()
    for name in names or ("/dev/sdb", "/dev/sdc"):
        host.disk.add_disk(name, 10 * GIB)
    return host


def make(host: SimulatedHost, backing: NewBacking = BACKING) -> list[str]:
    steps = ZfsThin.make_backing(host, backing, CLUSTER)
    for step in steps:
        host.run(step.argv)
    return [str(step) for step in steps]


def remove(host: SimulatedHost, of: WantedPool) -> list[str]:
    steps = ZfsThin.remove_backing(host, of, CLUSTER)
    for step in steps:
        if hasattr(step, "argv"):
            host.run(step.argv)
    return [str(step) for step in steps]


def test_a_zpool_is_made_of_disks_once():
    host = disks()
    made = "orlop:made=cluster-uuid:/dev/sdb,/dev/sdc"
    assert make(host) == [f"zpool create -m none -O {made} tank /dev/sdb /dev/sdc"]
    assert make(host) == []
    assert ZfsThin.backing_props(BACKING) == {"StorDriver/StorPoolName": "tank"}


@pytest.mark.parametrize(
    ("level", "devices", "words"),
    [("jbod", 1, ""), ("MIRROR", 2, "mirror "), ("raidz", 3, "raidz "), ("RAIDZ2", 4, "raidz2 ")],
)
def test_raid_levels(level, devices, words):
    names = tuple(f"/dev/sd{letter}" for letter in "bcde"[:devices])
    steps = make(disks(*names), replace(BACKING, devices=names, raid_level=level))
    assert steps[0].endswith(f" tank {words}{' '.join(names)}")


def test_arguments_are_passed_on():
    arguments = {"zpool": ("-o", "ashift=12", "-O", "compression=lz4"), "vgcreate": ("-x",)}
    assert make(disks(), replace(BACKING, arguments=arguments))[0].startswith(
        "zpool create -o ashift=12 -O compression=lz4 -m none "
    )


@pytest.mark.parametrize("words", [("-f",), ("-m", "/x"), ("mirror",), ("-O", "mountpoint=/"), ("-O", "orlop:made=x")])
def test_arguments_that_would_change_what_is_made_are_refused(words):
    with pytest.raises(BadProperty):
        ZfsThin.backing_props(replace(BACKING, arguments={"zpool": words}))


@pytest.mark.parametrize("name", ["", "mirror", "raidz-x", "c0t0", "1x", "a b", "a/b", "log1", "-f"])
def test_names_that_zpool_does_not_take_are_refused(name):
    with pytest.raises(BadName):
        ZfsThin.backing_props(replace(BACKING, name=name))


@pytest.mark.parametrize("change", [{"raid_level": "RAID7"}, {"raid_level": "MIRROR", "devices": ("/dev/sdb",)}])
def test_what_cannot_be_made_is_refused(change):
    with pytest.raises(BadProperty):
        ZfsThin.backing_props(replace(BACKING, **change))


def test_a_zpool_of_that_name_is_not_taken_for_ours():
    host = disks()
    host.zfs.make("tank")
    with pytest.raises(WouldDestroy):
        make(host)
    other = disks()
    make(other, replace(BACKING, devices=("/dev/sdb",)))
    with pytest.raises(WouldDestroy):
        make(other)


def test_an_empty_zpool_of_ours_is_taken_apart_and_its_disks_wiped():
    host = disks()
    make(host)
    of = pool(dataset="tank")
    for step in ZfsThin.observe(host, (of,), CLUSTER).mark_pool(of):
        host.run(step.argv)
    assert remove(host, of) == [
        "zpool destroy tank",
        "zpool labelclear -f /dev/sdb",
        "zpool labelclear -f /dev/sdc",
        "make sure that nothing uses /dev/sdb",
        "wipefs --all /dev/sdb",
        "make sure that nothing uses /dev/sdc",
        "wipefs --all /dev/sdc",
    ]
    assert [host.disk.disks[name].signatures for name in host.disk.disks] == [[], []]
    assert remove(host, of) == []


@pytest.mark.parametrize("thing", ["tank/x", "tank@x"])
def test_a_zpool_with_anything_in_it_is_not_taken_apart(thing):
    host = disks()
    make(host)
    host.run(("zfs", "snapshot", thing) if "@" in thing else ("zfs", "create", "-s", "-V", "8192", thing))
    with pytest.raises(WouldDestroy, match="not empty"):
        remove(host, pool(dataset="tank"))


def test_a_zpool_that_we_did_not_make_is_not_taken_apart():
    host = disks()
    make(host)
    with pytest.raises(WouldDestroy, match="not made"):
        ZfsThin.remove_backing(host, pool(dataset="tank"), "strangers")
    mark = Owner(CLUSTER, "another-uuid", str(host.zfs.datasets["tank"].guid))
    host.run(("zfs", "set", f"orlop:pool={mark}", "tank"))
    with pytest.raises(WouldDestroy, match="another pool"):
        remove(host, pool(dataset="tank"))
    with pytest.raises(WouldDestroy, match="not made"):
        ZfsThin.remove_backing(ZfsBench().node, pool(dataset="tank"), CLUSTER)
