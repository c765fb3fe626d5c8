"""What the ZFS drivers do with volumes, snapshots and what depends on them."""

import pytest

from orlop.errors import CommandFailed, InUse, Refused, WouldDestroy
from orlop.model import MIB, Presence, WantedLevel
from orlop.testing.faults import Crash
from orlop_storage.zfs import Zfs
from orlop_storage.zfs_thin import ZfsThin
from tests.plugins.zfs_bench import ZfsBench, replace

MOMENTS = ("before", "during", "after")


def resized(volume, size):
    return replace(volume, levels=(WantedLevel(layer="STORAGE", size=size, options=volume.levels[-1].options),))


def grown(volume, more=MIB):
    return resized(volume, volume.size + more)


# -- making and sizes -----------------------------------------------------------------------------


def test_only_a_thick_volume_reserves_its_size():
    for driver, least in ((Zfs, 16 * MIB), (ZfsThin, 0)):
        bench = ZfsBench(driver)
        volume = bench.make()
        assert bench.node.zfs.datasets["tank/orlop/res_00000"].reservation >= least
        assert (bench.look().allocated(volume) or 0) >= least
        assert bool(bench.node.zfs.datasets["tank/orlop/res_00000"].reservation) == (least > 0)


def test_the_reservation_of_a_thick_volume_grows_with_it_also_after_a_rollback_and_a_restore():
    bench = ZfsBench(Zfs)
    volume = bench.make()
    first = bench.take(volume, "first")
    big = grown(volume)
    bench.up(big)
    sets = bench.node.zfs.datasets
    assert sets["tank/orlop/res_00000"].reservation >= big.size
    copy = bench.restored(first)
    assert sets["tank/orlop/copy_00000"].reservation >= copy.size
    bench.up(grown(copy))
    assert sets["tank/orlop/copy_00000"].reservation >= copy.size + MIB
    back = bench.roll_back(big, first)
    assert sets["tank/orlop/res_00000"].reservation >= back.size
    bench.up(resized(back, 64 * MIB))
    back = bench.roll_back(resized(back, 16 * MIB), first)
    assert back.size <= sets["tank/orlop/res_00000"].reservation < 32 * MIB, "and shrinks with a rollback"


def test_a_volume_grows_and_never_shrinks():
    bench = ZfsBench()
    volume = bench.make()
    bench.up(grown(volume))
    assert bench.look().size(volume) == 17 * MIB
    assert bench.look().bring_up(volume) == []


def test_blocks_have_the_size_that_was_asked_for_and_volumes_whole_blocks():
    bench = ZfsBench()
    bench.make("odd", 16 * MIB + 8192, ZfscreateOptions="-b 128K")
    made = bench.node.zfs.datasets["tank/orlop/odd_00000"]
    assert (made.block, made.file.size) == (128 << 10, 16 * MIB + (128 << 10))


@pytest.mark.parametrize(("version", "block"), [("2.1.11-1", 8192), ("2.2.0", 16384), ("2.3.9-1", 16384)])
def test_the_extent_is_what_the_installed_version_takes_by_default(version, block):
    bench = ZfsBench()
    bench.node.zfs.version = version
    assert bench.look().extent("pool") == block
    bench.make()
    assert bench.node.zfs.datasets["tank/orlop/res_00000"].block == block


def test_the_extent_is_the_one_of_the_pools_property():
    props = {"StorDriver/StorPoolName": "tank/orlop", "StorDriver/ZfscreateOptions": "-o volblocksize=64k"}
    assert Zfs.granularity(props) == 64 << 10
    assert ZfsBench(props=props).look().extent("pool") == 64 << 10


def test_options_are_passed_on_and_the_marks_come_with_the_same_command():
    bench = ZfsBench()
    bench.acted()
    volume = bench.make(ZfscreateOptions="-o compression=lz4 -o logbias=throughput", ZfsSnapshotOptions="-o a:b=c")
    create, settle = bench.acted()
    assert settle.startswith("udevadm settle")
    assert create == (
        "zfs create -s -o compression=lz4 -o logbias=throughput -o volblocksize=8192 -o volmode=dev "
        f"-o orlop:volume=cluster-uuid/{volume.uuid} -V 16777216 tank/orlop/res_00000"
    )
    snapshot = bench.take(volume, "first")
    assert bench.acted() == [
        f"zfs snapshot -o a:b=c -o orlop:snapshot=cluster-uuid/{snapshot.uuid}/res_00000.first "
        "-o orlop:formatted=- tank/orlop/res_00000@first"
    ]


# -- devices --------------------------------------------------------------------------------------


def test_a_device_is_not_shown_before_udev_is_done():
    bench = ZfsBench()
    volume = bench.make()
    bench.node.zfs.links.clear()
    assert bench.look().device(volume) is None
    assert bench.look().presence(volume) is Presence.HIDDEN
    assert [str(step) for step in bench.look().bring_up(volume)] == ["udevadm settle --timeout=30"]
    bench.up(volume)
    assert bench.look().device(volume) == "/dev/zvol/tank/orlop/res_00000"


def test_a_link_left_by_an_earlier_volume_is_not_believed():
    bench = ZfsBench()
    volume, other = bench.make("res"), bench.make("other", 32 * MIB)
    number = bench.node.zfs.minors["tank/orlop/other_00000"].number
    bench.node.zfs.links = {"/dev/zvol/tank/orlop/res_00000": number}
    assert bench.look().device(volume) is None, "its size is another one"
    bench.node.zfs.links["/dev/zvol/tank/orlop/other_00000"] = number
    assert bench.look().device(other) is None, "two links to one device: which is right?"


def test_an_inactive_volume_stays_closed_over_a_reboot():
    bench = ZfsBench()
    volume = bench.make(content=b"kept")
    bench.down(replace(volume, active=False))
    assert not bench.node.disk.opened
    bench.node.power_loss()
    assert bench.look().presence(volume) is Presence.HIDDEN
    assert not bench.node.disk.opened
    bench.up(volume)
    assert bench.content(volume) == b"kept"


@pytest.mark.parametrize("change", [{"active": False}, {"wanted": False}])
def test_a_device_in_use_is_not_closed(change):
    bench = ZfsBench()
    volume = bench.make()
    bench.node.disk.use("/dev/zvol/tank/orlop/res_00000", "mounted at /mnt")
    with pytest.raises(InUse):
        bench.down(replace(volume, **change))
    assert bench.look().presence(volume) is Presence.READY


def test_a_device_that_stayed_open_although_it_was_to_be_hidden_counts_as_there():
    bench = ZfsBench()
    volume = bench.make()
    bench.node.disk.use("/dev/zvol/tank/orlop/res_00000", "opened in the last moment")
    bench.node.run(("zfs", "set", "volmode=none", "tank/orlop/res_00000"))
    closed = replace(volume, active=False)
    assert bench.look().presence(closed) is Presence.READY
    with pytest.raises(InUse):
        bench.down(closed)
    bench.node.disk.release("/dev/zvol/tank/orlop/res_00000")
    bench.down(closed)
    assert bench.look().presence(closed) is Presence.HIDDEN


# -- what depends on something --------------------------------------------------------------------


def test_a_snapshot_with_a_clone_is_gone_at_once_and_really_removed_with_the_clone():
    bench = ZfsBench()
    volume = bench.make(content=b"one")
    snapshot = bench.take(volume, "first")
    copy = bench.restored(snapshot)
    bench.remove(snapshot)
    assert bench.look().snapshot_presence(replace(snapshot, wanted=False)) is Presence.ABSENT
    assert f"res_00000@deleted.{snapshot.uuid}" in bench.there()
    assert [thing.name for thing in bench.look().objects("pool")] == ["copy_00000", "res_00000"]
    again = bench.take(volume, "first")
    assert bench.look().snapshot_presence(again) is Presence.READY, "its name is free"
    assert bench.content(copy) == b"one"
    bench.remove(copy)
    assert bench.there() == ["res_00000", "res_00000@first"]


def test_a_volume_with_snapshots_leaves_its_name_and_goes_after_the_last_of_them():
    bench = ZfsBench(Zfs)
    volume = bench.make(content=b"one")
    first = bench.take(volume, "first")
    second = bench.take(volume, "second")
    bench.fill(volume, 2 * MIB)
    bench.remove(volume)
    assert bench.look().presence(replace(volume, wanted=False)) is Presence.ABSENT
    bench.tidy()
    left = bench.node.zfs.datasets[f"tank/orlop/res_00000.deleted.{volume.uuid}"]
    assert left.reservation == 0, "the room it reserved is free"
    assert bench.written(f"res_00000.deleted.{volume.uuid}") == 0, "and that of its last writes"
    bench.remove(second)
    assert not bench.node.disk.opened
    assert [thing.name for thing in bench.look().objects("pool")] == ["res_00000.first"]
    again = bench.make(content=b"new")
    assert bench.content(again) == b"new", "its name is free"
    copy = bench.restored(first)
    assert bench.content(copy) == b"one", "the snapshot is still good"
    assert bench.seen().remnants("pool") == []
    bench.remove(again)
    bench.remove(copy)
    bench.remove(first)
    bench.tidy()
    assert bench.there() == []


def test_a_removed_volume_goes_after_the_last_clone_of_its_removed_snapshot():
    bench = ZfsBench()
    volume = bench.make(content=b"one")
    first = bench.take(volume, "first")
    copy = bench.restored(first)
    bench.remove(first)
    bench.remove(volume)
    bench.tidy()
    assert bench.content(copy) == b"one"
    assert len(bench.there()) == 3
    bench.remove(copy)
    bench.tidy()
    assert bench.there() == []


@pytest.mark.parametrize("strategy", ["Delete", "delete"])
def test_nothing_that_others_depend_on_is_removed_where_that_is_not_wanted(strategy):
    bench = ZfsBench()
    options = {"Zfs/DeleteStrategy": strategy}
    volume = bench.make(**options)
    snapshot = bench.take(volume, "first")
    copy = bench.restored(snapshot)
    with pytest.raises(Refused, match="first"):
        bench.remove(volume)
    with pytest.raises(Refused, match="copy_00000"):
        bench.remove(snapshot)
    for thing in (copy, snapshot, volume):
        bench.remove(thing)
    assert bench.there() == []


def test_with_strategy_rename_a_volume_always_goes_in_two_steps():
    bench = ZfsBench()
    volume = bench.make(**{"Zfs/DeleteStrategy": "Rename"})
    bench.remove(volume)
    assert bench.there() == [f"res_00000.deleted.{volume.uuid}"]
    bench.tidy()
    assert bench.there() == []


def test_nothing_is_ever_removed_together_with_what_depends_on_it():
    bench = ZfsBench()
    volume = bench.make()
    first = bench.take(volume, "first")
    second = bench.take(volume, "second")
    copy = bench.restored(first)
    volume = bench.roll_back(volume, first)
    for thing in (first, volume, second, copy):
        bench.remove(thing)
        bench.tidy()
    assert bench.there() == []
    ran = [argv for argv in bench.node.ran if argv[:2] == ("zfs", "destroy") or argv[:2] == ("zfs", "rollback")]
    assert ran
    assert not [argv for argv in ran if {"-r", "-R", "-f", "-rf"} & set(argv)]


# -- rolling back ---------------------------------------------------------------------------------


def test_a_rollback_to_the_newest_snapshot_happens_in_place():
    bench = ZfsBench()
    volume = bench.make(content=b"one")
    bench.take(volume, "older")
    newest = bench.take(volume, "newest")
    bench.write(volume, b"two")
    back = bench.roll_back(volume, newest)
    assert bench.content(back) == b"one"
    assert bench.there() == ["res_00000", "res_00000@newest", "res_00000@older"]


@pytest.mark.parametrize("driver", [Zfs, ZfsThin])
def test_a_rollback_past_other_snapshots_keeps_all_of_them_usable(driver):
    bench = ZfsBench(driver)
    volume = bench.make(content=b"one")
    first = bench.take(volume, "first")
    bench.write(volume, b"two")
    second = bench.take(volume, "second")
    bench.write(volume, b"three")
    back = bench.roll_back(volume, first)
    assert bench.content(back) == b"one"
    assert bench.content(bench.restored(second)) == b"two"
    third = bench.take(back, "third")
    bench.write(back, b"four")
    forth = bench.roll_back(back, second)
    assert bench.content(forth) == b"two"
    again = bench.roll_back(forth, third)
    assert bench.content(again) == b"one"
    assert {thing.name for thing in bench.look().objects("pool")} == {
        "copy_00000",
        "res_00000",
        *(f"res_00000.{name}" for name in ("first", "second", "third")),
    }


def test_a_rollback_in_place_is_refused_by_strategy_where_it_would_cost_snapshots():
    bench = ZfsBench()
    volume = bench.make(content=b"one", **{"Zfs/RollbackStrategy": "Rollback"})
    first = bench.take(volume, "first")
    bench.take(volume, "second")
    bench.write(volume, b"two")
    with pytest.raises(Refused, match="newest"):
        bench.roll_back(volume, first)
    assert bench.there() == ["res_00000", "res_00000@first", "res_00000@second"]


def test_by_strategy_a_rollback_is_always_a_clone():
    bench = ZfsBench()
    volume = bench.make(content=b"one", **{"Zfs/RollbackStrategy": "Clone"})
    first = bench.take(volume, "first")
    back = bench.roll_back(volume, first)
    assert bench.node.zfs.datasets["tank/orlop/res_00000"].origin
    assert bench.content(back) == b"one"


def test_a_foreign_snapshot_that_is_newer_survives_a_rollback():
    bench = ZfsBench()
    volume = bench.make(content=b"one")
    first = bench.take(volume, "first")
    bench.node.run(("zfs", "snapshot", "tank/orlop/res_00000@hourly"))
    back = bench.roll_back(volume, first)
    assert bench.content(back) == b"one"
    assert f"res_00000.deleted.{volume.uuid}@hourly" in bench.there()
    assert "res_00000.hourly" in [thing.name for thing in bench.look().objects("pool")], "somebody has to remove it"


@pytest.mark.parametrize("strategy", ["Rollback", "Clone"])
def test_after_a_rollback_a_volume_is_as_large_as_wanted(strategy):
    bench = ZfsBench()
    volume = bench.make(**{"Zfs/RollbackStrategy": strategy})
    first = bench.take(volume, "first")
    bench.up(grown(volume, 2 * MIB))
    back = bench.roll_back(grown(volume, MIB), first)
    assert bench.look().size(back) == 17 * MIB
    assert bench.node.zfs.minors["tank/orlop/res_00000"].size == 17 * MIB, "the kernel knows it, too"


def test_the_record_of_a_file_system_goes_with_the_data():
    bench = ZfsBench()
    volume = bench.make()
    bare = bench.take(volume, "bare")
    bench.act(bench.look().record_formatted(volume, "ext4"))
    made = bench.take(volume, "made")
    assert bench.look().formatted(volume)
    copies = bench.restored(bare, "bare"), bench.restored(made, "made")
    assert [bench.look().formatted(copy) for copy in copies] == [False, True]
    volume = bench.roll_back(volume, made)
    assert bench.look().formatted(volume)
    bench.remove(made)
    volume = bench.roll_back(volume, bare)
    assert not bench.look().formatted(volume)


def test_without_its_snapshot_a_volume_is_not_even_closed_for_a_rollback():
    bench = ZfsBench()
    volume = bench.make()
    gone = bench.take(volume, "first")
    bench.remove(gone)
    with pytest.raises(Refused):
        bench.roll_back(volume, gone)
    assert bench.look().presence(volume) is Presence.READY


# -- cut anywhere ---------------------------------------------------------------------------------


def cut_everywhere(scene, moment):
    """Run `scene` again and again, the node losing power at its next action each time; then let it finish."""
    for nth in range(1, 30):
        bench = ZfsBench()
        order, check = scene(bench)
        bench.node.faults.crash(nth, moment)
        try:
            order()
        except Crash:
            bench.node.power_loss()
            order()
            check()
            continue
        bench.node.faults.clear()
        check()
        assert nth > 2, "there was something to cut"
        return
    raise AssertionError("it never came to an end")


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("past", [False, True], ids=["in place", "past another"])
def test_a_rollback_cut_anywhere_is_done_again(past, moment):
    def scene(bench):
        volume = bench.make(content=b"one")
        snapshot = bench.take(volume, "first")
        if past:
            bench.write(volume, b"two")
            bench.take(volume, "second")
        bench.write(volume, b"three")
        back = bench.rolled_back(volume, snapshot)

        def check():
            assert bench.content(back) == b"one"
            assert bench.look().presence(volume) is Presence.FOREIGN
            bench.tidy()
            names = [thing.name for thing in bench.look().objects("pool")]
            assert names == ["res_00000", "res_00000.first", *(["res_00000.second"] if past else [])]

        return (lambda: bench.up(back)), check

    cut_everywhere(scene, moment)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("past", [False, True], ids=["in place", "past another"])
def test_a_volume_deleted_in_the_middle_of_its_rollback_leaves_nothing(past, moment):
    def scene(bench):
        volume = bench.make(content=b"one")
        snapshot = bench.take(volume, "first")
        second = bench.take(volume, "second") if past else snapshot
        back = bench.rolled_back(volume, snapshot)

        def check():
            bench.remove(back)
            for thing in (snapshot, second):
                bench.remove(thing)
            bench.tidy()
            assert bench.there() == []

        def order():
            if bench.node.zfs.datasets["tank/orlop"].props.setdefault("tried", "") == "":
                bench.node.zfs.datasets["tank/orlop"].props["tried"] = "once"
                bench.up(back)

        return order, check

    cut_everywhere(scene, moment)


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_removal_cut_anywhere_is_finished(moment):
    def scene(bench):
        volume = bench.make(content=b"one")
        snapshot = bench.take(volume, "first")
        bench.write(volume, b"two")
        copy = bench.restored(snapshot)

        def order():
            bench.remove(snapshot)
            bench.remove(volume)

        def check():
            assert bench.content(copy) == b"one"
            assert [thing.name for thing in bench.look().objects("pool")] == ["copy_00000"]
            bench.remove(copy)
            bench.tidy()
            assert bench.there() == []

        return order, check

    cut_everywhere(scene, moment)


# -- foreign things -------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [("-V", "16777216"), ()], ids=["volume", "file system"])
def test_a_foreign_dataset_is_left_alone_and_listed(how):
    bench = ZfsBench()
    if how:
        bench.node.run(("zfs", "create", *how, "tank/orlop/res_00000"))
    else:
        bench.node.zfs.make("tank/orlop/res_00000")
    with pytest.raises(WouldDestroy):
        bench.make()
    wanted = replace(bench.volume("res"), wanted=False)
    assert bench.look().take_down(wanted) == []
    assert [(thing.name, thing.uuid) for thing in bench.look().objects("pool")] == [("res_00000", "")]
    assert bench.there() == ["res_00000"]


def test_a_foreign_snapshot_is_left_alone_and_its_name_taken():
    bench = ZfsBench()
    volume = bench.make()
    bench.node.run(("zfs", "snapshot", "tank/orlop/res_00000@first"))
    with pytest.raises(WouldDestroy):
        bench.take(volume, "first")
    assert bench.there() == ["res_00000", "res_00000@first"]


def test_a_dataset_that_only_looks_removed_is_not_removed():
    bench = ZfsBench()
    for name, mark in (("res_00000.deleted.u1", "-"), ("other_00000.deleted.u2", "strangers/u2")):
        bench.node.run(("zfs", "create", "-s", "-V", "16777216", "-o", f"orlop:volume={mark}", f"tank/orlop/{name}"))
    bench.tidy()
    assert len(bench.there()) == 2


def test_marks_that_are_handed_down_are_nobodys():
    bench = ZfsBench()
    volume = bench.make()
    mark = f"orlop:volume=cluster-uuid/{volume.uuid}"
    bench.remove(volume)
    bench.node.run(("zfs", "set", mark, "tank/orlop"))
    bench.node.run(("zfs", "create", "-s", "-V", "16777216", "tank/orlop/res_00000"))
    assert bench.look().presence(volume) is Presence.FOREIGN
    assert bench.look().take_down(replace(volume, wanted=False)) == []
    other = bench.make("other")
    snapshot = bench.take(other, "first")
    bench.remove(snapshot)
    bench.node.run(("zfs", "set", f"orlop:snapshot=cluster-uuid/{snapshot.uuid}/x", "tank/orlop/other_00000"))
    bench.node.run(("zfs", "snapshot", "tank/orlop/other_00000@first"))
    assert bench.look().snapshot_presence(snapshot) is Presence.FOREIGN


# -- room, and the number of commands -------------------------------------------------------------


def test_a_full_pool_is_a_clear_error_and_leaves_nothing_half_made():
    bench = ZfsBench(Zfs, size=30 * MIB)
    volume = bench.make(content=b"one")
    first = bench.take(volume, "first")
    for act in (
        lambda: bench.make("more", 16 * MIB),
        lambda: bench.restored(first),
        lambda: bench.up(grown(volume, 40 * MIB)),
    ):
        with pytest.raises(CommandFailed, match="out of space|greater than available space"):
            act()
    assert bench.there() == ["res_00000", "res_00000@first"]
    bench.write(volume, b"one")
    bench.node.zfs.zpools["tank"].size = 18 * MIB + 4096  # the volume, and what its snapshot holds
    with pytest.raises(CommandFailed, match="out of space"):
        bench.take(volume, "second")
    assert bench.content(volume) == b"one"


def test_one_look_at_two_hundred_volumes_takes_three_commands():
    bench = ZfsBench()
    volumes = [bench.volume(f"res{n}") for n in range(200)]
    empty = bench.look()
    bench.act([step for volume in volumes for step in empty.bring_up(volume)])
    bench.node.ran.clear()
    seen = bench.look()
    assert all(seen.presence(volume) is Presence.READY for volume in volumes)
    assert [argv[:2] for argv in bench.node.ran] == [("zpool", "list"), ("zfs", "list"), ("find", "/dev")]


def test_creating_deleting_and_taking_a_snapshot_take_one_command_each():
    bench = ZfsBench()
    bench.acted()
    volume = bench.make()
    snapshot = bench.take(volume, "first")
    bench.remove(snapshot)
    bench.remove(volume)
    words = [line.split()[:2] for line in bench.acted()]
    assert words == [
        ["zfs", "create"],
        ["udevadm", "settle"],  # there is no device before it
        ["zfs", "snapshot"],
        ["zfs", "destroy"],
        ["zfs", "destroy"],
    ]
