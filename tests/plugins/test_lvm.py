"""Volumes, snapshots and pools of LVM, beyond what every storage driver does."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from orlop.codes import Fail
from orlop.errors import BadName, BadProperty, NodeError, PoolUnavailable, Refused
from orlop.model import MIB, Presence, WantedLevel, WantedPool, WantedSnapshot, WantedVolume
from orlop.plugin import Step, StorageDriver
from orlop.testing import SimulatedHost, Workbench
from orlop.testing.bench import replace, snapshot, volume
from orlop_storage.logical_volumes import LogicalVolumes
from orlop_storage.lvm import Lvm
from orlop_storage.lvm_thin import LvmThin
from orlop_storage.lvm_thin_pool import LvmThinPool
from tests.plugins.lvm_nodes import node, pool

EXTENT = 4 * MIB
DATA, OTHER = b"\x5a" * 4096, b"\xa5" * 4096
KINDS = [Lvm, LvmThin, LvmThinPool]
NEW = volume(new=True)
TAKEN = snapshot(new=True)


class Desk(Workbench):
    """A marked pool, and shorthands."""

    def __init__(self, driver: type[LogicalVolumes], host: SimulatedHost | None = None, **more: Any) -> None:
        self.node = host or node()
        super().__init__(driver, self.node, pool(driver.kind, **more), "cluster")
        self.until_done(lambda seen: seen.mark_pool(self.pool))
        self.pool = replace(self.pool, new=False)

    def take(self, wanted: WantedSnapshot = TAKEN) -> None:
        self.until_done(lambda seen: seen.take_snapshot(wanted))

    def drop(self, wanted: WantedSnapshot) -> None:
        self.until_done(lambda seen: seen.remove_snapshot(replace(wanted, wanted=False)))

    def names(self) -> list[str]:
        return sorted(set(self.node.lvm.groups["vg0"].volumes) - {"thin"})

    def lv(self, name: str) -> Any:
        return self.node.lvm.groups["vg0"].volumes[name]

    def write(self, data: bytes, wanted: WantedVolume = NEW) -> None:
        device = self.look().device(wanted)
        assert device is not None
        self.node.disk.write(device, 0, data)

    def ran(self, act: Callable[[], object]) -> list[str]:
        """What was run that changes something: program and last argument."""
        self.node.ran.clear()
        act()
        return [argv[0] for argv in self.node.ran if argv[0] != "lvm"]


def sized(of: WantedVolume, size: int, **options: str) -> WantedVolume:
    return replace(of, levels=(WantedLevel(layer="STORAGE", size=size, options=options),))


def restored(of: WantedSnapshot = TAKEN, **more: Any) -> WantedVolume:
    return volume("made", new=True, source=of.uuid, source_name=of.name, **more)


def words(steps: list[Step]) -> list[str]:
    return [str(step) for step in steps]


def problem(driver: type[LogicalVolumes], host: SimulatedHost, *pools: WantedPool) -> list[str]:
    seen = driver.observe(host, pools, "cluster")
    return [seen.pool_problem(each.name) for each in pools]


# -- how many commands ----------------------------------------------------------------------------


@pytest.mark.parametrize("driver", KINDS)
def test_all_pools_and_volumes_of_a_kind_are_seen_with_one_command(driver: type[LogicalVolumes]) -> None:
    desk = Desk(driver)
    for number in range(20):
        desk.up(volume(f"res{number}", new=True))
    other = pool(driver.kind, name="other", uuid="other")
    desk.node.ran.clear()
    seen = driver.observe(desk.node, (desk.pool, other), "cluster")
    assert len(seen.objects("pool")) == 20
    assert len(desk.node.ran) == 1


COMMANDS = {
    "create": (["lvcreate"], ["lvcreate"], ["lvcreate", "lvcreate"]),
    "snapshot": (["lvcreate"], ["lvcreate"], ["lvcreate"]),
    "grow": (["lvextend"], ["lvextend"], ["lvextend", "lvextend"]),
    "restore": (
        ["lvcreate", "lvrename"],
        ["lvcreate"],
        ["lvcreate", "lvcreate", "lvchange", "lvrename", "lvchange"],
    ),
    "roll back": (["lvchange", "lvchange"], ["lvcreate", "lvremove", "lvrename"], ["lvcreate", "lvremove", "lvrename"]),
    "remove snapshot": (["lvremove"], ["lvremove"], ["lvremove"]),
    "close": (["lvchange"], ["lvchange"], ["lvchange"]),
    "open": (["lvchange"], ["lvchange"], ["lvchange"]),
    "remove": (["lvremove"], ["lvremove"], ["lvremove", "lvremove"]),
}


@pytest.mark.parametrize(("driver", "column"), [(Lvm, 0), (LvmThin, 1), (LvmThinPool, 2)])
def test_no_more_commands_are_run_than_are_needed(driver: type[LogicalVolumes], column: int) -> None:
    desk = Desk(driver)
    bigger = sized(volume(), 64 * MIB)
    back = volume(uuid="back", new=True, source=TAKEN.uuid, source_name=TAKEN.name, replaces="res-0")
    acts: dict[str, Callable[[], object]] = {
        "create": lambda: desk.up(NEW),
        "grow": lambda: desk.up(bigger),
        "snapshot": lambda: desk.take(),
        "restore": lambda: desk.up(sized(restored(), 64 * MIB)),
        "roll back": lambda: desk.up(sized(back, 64 * MIB)),
        "remove snapshot": lambda: desk.drop(TAKEN),
        "close": lambda: desk.down(volume(uuid="back", active=False)),
        "open": lambda: desk.up(volume(uuid="back")),
        "remove": lambda: desk.down(volume(uuid="back", wanted=False)),
    }
    assert {name: desk.ran(act) for name, act in acts.items()} == {n: c[column] for n, c in COMMANDS.items()}


@pytest.mark.parametrize("driver", KINDS)
def test_no_command_may_scan_what_stands_on_our_volumes_or_ask_anything(driver: type[LogicalVolumes]) -> None:
    desk = Desk(driver)
    desk.node.ran.clear()
    desk.up(NEW)
    desk.take()
    desk.up(restored())
    desk.down(replace(NEW, wanted=False))
    for argv in desk.node.ran:
        assert 'global_filter=["r|^/dev/drbd|"' in argv[argv.index("--config") + 1], argv
        assert argv[0] not in ("lvcreate", "lvremove") or "--yes" in argv, argv


# -- pools that are not there ---------------------------------------------------------------------


@pytest.mark.parametrize("driver", KINDS)
def test_a_group_that_is_not_there_is_told_and_spoils_no_other_pool(driver: type[LogicalVolumes]) -> None:
    desk = Desk(driver)
    gone = pool(driver.kind, name="gone", uuid="g", new=False, props={"StorDriver/StorPoolName": "vg9/thin"})
    gone = replace(gone, props={"StorDriver/StorPoolName": "vg9/thin" if driver is LvmThin else "vg9"})
    said = problem(driver, desk.node, desk.pool, gone)
    assert said == ["", "volume group vg9, the place of pool gone, is not there: are its disks connected?"]
    assert problem(driver, desk.node, replace(gone, new=True)) == ["there is no volume group vg9 on this node"]


@pytest.mark.parametrize("driver", KINDS)
def test_a_group_that_was_renamed_is_found_by_its_mark(driver: type[LogicalVolumes]) -> None:
    desk = Desk(driver)
    desk.up(NEW)
    desk.node.run(("vgrename", "vg0", "vg1"))
    (said,) = problem(driver, desk.node, desk.pool)
    place = "vg1/thin" if driver is LvmThin else "vg1"
    assert said == f"volume group vg0, the place of pool pool, is now called {place}: rename it back"
    with pytest.raises(PoolUnavailable):
        desk.look().presence(NEW)


def test_a_thin_pool_that_was_renamed_is_found_by_its_mark() -> None:
    desk = Desk(LvmThin)
    desk.node.run(("lvrename", "vg0/thin", "vg0/thick"))
    (said,) = problem(LvmThin, desk.node, desk.pool)
    assert said == "thin pool vg0/thin, the place of pool pool, is now called vg0/thick: rename it back"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"exported": True}, "volume group vg0 is exported: vgimport vg0 brings it back"),
        ({"missing": 1}, "1 of the disks of volume group vg0 are missing: nothing in it can be changed"),
    ],
    ids=["exported", "partial"],
)
@pytest.mark.parametrize("driver", KINDS)
def test_a_group_that_cannot_be_changed_is_told(
    driver: type[LogicalVolumes], change: dict[str, Any], said: str
) -> None:
    desk = Desk(driver)
    for name, value in change.items():
        setattr(desk.node.lvm.groups["vg0"], name, value)
    assert problem(driver, desk.node, desk.pool) == [said]


def test_a_group_that_cannot_be_read_spoils_no_other_pool() -> None:
    desk = Desk(Lvm)
    desk.node.disk.add_disk("/dev/vdd", 1 << 30)
    desk.node.run(("vgcreate", "vg1", "/dev/vdd"))
    broken = pool("LVM", name="broken", uuid="b", props={"StorDriver/StorPoolName": "vg1"})
    real = desk.node.installed["lvm"]

    def lvm(disk: Any, arguments: tuple[str, ...]) -> str:
        if "vg0" not in arguments or "vg1" in arguments:
            raise NodeError("VG vg1 metadata is damaged")
        return real(disk, arguments)

    desk.node.installed["lvm"] = lvm
    ours, theirs = problem(Lvm, desk.node, desk.pool, broken)
    assert ours == ""
    assert theirs.startswith("volume group vg1 cannot be read:")
    assert "metadata is damaged" in theirs


def test_two_groups_of_one_name_are_not_taken_for_one_another() -> None:
    desk = Desk(Lvm)
    real = desk.node.installed["lvm"]

    def lvm(disk: Any, arguments: tuple[str, ...]) -> str:
        said = json.loads(real(disk, arguments))
        return json.dumps({"report": said["report"] * 2})

    desk.node.installed["lvm"] = lvm
    assert problem(Lvm, desk.node, desk.pool) == [
        "there are two volume groups named vg0: rename one, vgrename(8)",
    ]


@pytest.mark.parametrize("driver", KINDS)
def test_a_new_pool_takes_over_the_mark_of_an_earlier_one_only_if_that_left_nothing(
    driver: type[LogicalVolumes],
) -> None:
    desk = Desk(driver)
    later = replace(desk.pool, uuid="later", new=True)
    desk.up(NEW)
    assert problem(driver, desk.node, later) == [
        f"{later.props['StorDriver/StorPoolName']} belongs to another pool or cluster: see its tags"
    ]
    desk.down(replace(NEW, wanted=False))
    assert problem(driver, desk.node, later) == [""]
    desk.pool = later
    desk.until_done(lambda seen: seen.mark_pool(later))
    tags = desk.lv("thin").tags if driver is LvmThin else desk.node.lvm.groups["vg0"].tags
    assert sorted(tags) == ["orlop.cluster=cluster", f"orlop.kind={driver.kind}", "orlop.pool=later"]


def test_pools_of_two_kinds_do_not_take_one_group_from_each_other() -> None:
    desk = Desk(Lvm)
    assert problem(LvmThinPool, desk.node, pool("LVM_THIN_POOL", uuid="other"))[0].startswith("vg0 belongs to another")


# -- what is not ours -----------------------------------------------------------------------------


@pytest.mark.parametrize("tags", [(), ("--addtag", "orlop.uuid=res-0"), ("--addtag", "orlop.cluster=cluster")])
@pytest.mark.parametrize("driver", KINDS)
def test_a_volume_that_looks_like_ours_is_left_alone_and_listed(
    driver: type[LogicalVolumes], tags: tuple[str, ...]
) -> None:
    desk = Desk(driver)
    inside = ("--type", "thin", "--virtualsize", "8388608b", "--thinpool", "vg0/thin", "--name", "res_00000")
    desk.node.run(
        ("lvcreate", *tags, *inside)
        if driver is LvmThin
        else ("lvcreate", *tags, "--extents", "2", "--name", "res_00000", "vg0")
    )
    seen = desk.look()
    assert seen.presence(NEW) is Presence.FOREIGN
    assert [(thing.name, thing.size) for thing in seen.objects("pool")] == [("res_00000", 8 * MIB)]
    with pytest.raises(NodeError, match="vg0/res_00000 is in the way"):
        seen.bring_up(NEW)
    assert seen.take_down(replace(NEW, wanted=False)) == []
    with pytest.raises(Refused, match="is not the volume that snapshot"):
        seen.take_snapshot(TAKEN)


def test_volumes_of_another_pool_in_the_group_are_not_listed_but_stand_in_the_way() -> None:
    host = node()
    thick, thin = Desk(Lvm, host, name="thick", uuid="t"), Desk(LvmThin, host)
    thick.up(replace(NEW, pool="thick"))
    assert thin.look().objects("pool") == ()
    assert thin.look().presence(NEW) is Presence.FOREIGN
    thin.up(volume("other", new=True))
    assert [thing.name for thing in thick.look().objects("thick")] == ["res_00000"]


def test_nothing_of_another_incarnation_is_removed_even_if_it_came_after_the_look() -> None:
    desk = Desk(LvmThin)
    desk.up(NEW)
    steps = desk.look().take_down(replace(NEW, wanted=False))
    desk.lv("res_00000").tags[:] = ["orlop.cluster=cluster", "orlop.uuid=later"]
    desk.act(steps)
    assert desk.names() == ["res_00000"]


def test_an_origin_is_not_removed_with_a_snapshot_that_came_after_the_look() -> None:
    desk = Desk(Lvm)
    desk.up(NEW)
    steps = desk.look().take_down(replace(NEW, wanted=False))
    desk.take()
    desk.act(steps)
    assert desk.names() == ["res_00000", "res_00000.snap"]


@pytest.mark.parametrize("driver", KINDS)
def test_nothing_is_closed_or_removed_before_it_was_proved_unused(driver: type[LogicalVolumes]) -> None:
    desk = Desk(driver)
    desk.up(NEW)
    proof = "make sure that nothing uses /dev/vg0/res_00000"
    for wanted in (volume(active=False), volume(wanted=False)):
        assert words(desk.look().take_down(wanted))[0] == proof
    desk.take()
    assert words(desk.look().take_down(volume(wanted=False)))[0] == proof


@pytest.mark.parametrize("driver", KINDS)
def test_what_is_made_from_a_snapshot_has_the_file_system_that_the_snapshot_has(driver: type[LogicalVolumes]) -> None:
    desk = Desk(driver)
    desk.up(NEW)
    plain = snapshot("plain", new=True)
    desk.take(plain)
    desk.act(desk.look().record_formatted(NEW, "ext4"))
    desk.take()
    desk.up(restored())
    assert desk.look().formatted(restored())
    back = volume(uuid="back", new=True, source=plain.uuid, source_name=plain.name, replaces="res-0")
    desk.up(back)
    assert not desk.look().formatted(back)
    again = volume(uuid="again", new=True, source=TAKEN.uuid, source_name=TAKEN.name, replaces="back")
    desk.up(again)
    assert desk.look().formatted(again)


@pytest.mark.parametrize("driver", KINDS)
def test_without_its_snapshot_a_rollback_leaves_the_volume_as_it_is(driver: type[LogicalVolumes]) -> None:
    desk = Desk(driver)
    desk.up(NEW)
    back = volume(uuid="back", new=True, source=TAKEN.uuid, source_name=TAKEN.name, replaces="res-0")
    with pytest.raises(Refused, match="is not the snapshot that res_00000 is filled from"):
        desk.up(back)
    assert desk.look().presence(volume()) is Presence.READY


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["snapshot1_00000", "pvmove_00000", "a_tdata_00000", "a_rimage_00000", "a_vorigin"])
@pytest.mark.parametrize("driver", KINDS)
def test_names_that_lvm_keeps_for_itself_are_refused(driver: type[LogicalVolumes], name: str) -> None:
    assert "for itself" in (driver.refuse_name(name) or "")
    assert driver.refuse_name("web_00000") is None


@pytest.mark.parametrize("driver", KINDS)
def test_a_name_that_the_kernel_could_not_bear_is_refused_before_anything_is_made(
    driver: type[LogicalVolumes],
) -> None:
    desk = Desk(driver)
    long = volume("a-" * 23 + "a", new=True)
    desk.up(long)
    with pytest.raises(BadName, match="hyphens count twice"):
        desk.look().take_snapshot(snapshot("b-" * 20, of=long, new=True))
    with pytest.raises(BadName, match="'_tdata'"):
        desk.look().take_snapshot(snapshot("a_tdata", of=long, new=True))


def test_pools_are_named_in_one_way() -> None:
    place = "StorDriver/StorPoolName"
    assert Lvm.check_pool({"StorDriver/LvmVg": "vg0", "a": "b"}) == {place: "vg0", "a": "b"}
    assert LvmThin.check_pool({"StorDriver/LvmVg": "vg0", "StorDriver/ThinPool": "t"}) == {place: "vg0/t"}
    assert LvmThin.check_pool({place: "/dev/vg0/t"}) == {place: "vg0/t"}
    assert LvmThinPool.check_pool({place: "vg0"}) == {place: "vg0"}
    for driver, name in [(Lvm, ""), (Lvm, "vg0/t"), (Lvm, "-x"), (Lvm, "a b"), (LvmThin, "vg0"), (LvmThin, "a/b/c")]:
        with pytest.raises(BadProperty, match="must name a volume group"):
            driver.check_pool({place: name})


# -- thick snapshots ------------------------------------------------------------------------------


def test_a_snapshot_can_never_run_over() -> None:
    desk = Desk(Lvm)
    desk.up(sized(NEW, 600 * EXTENT))
    desk.take()
    assert desk.lv("res_00000.snap").extents == 603, "every chunk, and where it is"
    assert desk.look().snapshot_allocated(TAKEN) == 603 * EXTENT


def test_a_volume_removed_before_its_snapshots_goes_with_the_last_of_them() -> None:
    desk = Desk(Lvm)
    two = snapshot("two", new=True)
    desk.up(NEW)
    desk.write(DATA)
    desk.take()
    desk.take(two)
    gone = replace(NEW, wanted=False)
    desk.down(gone)
    assert desk.look().presence(gone) is Presence.ABSENT
    assert [thing.name for thing in desk.look().objects("pool")] == ["res_00000.snap", "res_00000.two"]
    desk.up(volume(uuid="again", new=True))
    desk.up(restored())
    assert desk.lv("made_00000").content.blocks[0] == DATA
    desk.drop(TAKEN)
    assert desk.names() == ["made_00000", "res_00000", "res_00000+1", "res_00000.two"]
    desk.drop(two)
    assert desk.names() == ["made_00000", "res_00000"]


def test_what_somebody_else_called_as_we_call_a_kept_origin_is_not_removed() -> None:
    desk = Desk(Lvm)
    desk.node.run(("lvcreate", "--extents", "1", "--name", "res_00000+1", "vg0"))
    desk.up(NEW)
    desk.take()
    desk.down(replace(NEW, wanted=False))
    desk.drop(TAKEN)
    assert desk.names() == ["res_00000+1"]


def test_a_volume_with_snapshots_is_closed_to_grow() -> None:
    desk = Desk(Lvm)
    desk.up(NEW)
    desk.take()
    bigger = sized(volume(), 64 * MIB)
    steps = words(desk.look().bring_up(bigger))
    assert steps[0] == "make sure that nothing uses /dev/vg0/res_00000"
    assert [step.split()[0] for step in steps[1:]] == ["lvchange", "lvextend", "lvchange"]
    desk.up(bigger)
    assert desk.look().size(bigger) == 64 * MIB


def test_a_snapshot_that_ran_over_is_told_and_not_used() -> None:
    desk = Desk(Lvm)
    desk.up(NEW)
    desk.take()
    desk.lv("res_00000.snap").invalid = True
    with pytest.raises(NodeError, match=r"vg0/res_00000\.snap ran out of space and has lost its content"):
        desk.look().take_snapshot(replace(TAKEN, new=False))
    with pytest.raises(Refused, match="lost its content"):
        desk.look().bring_up(restored())
    desk.drop(TAKEN)
    assert desk.names() == ["res_00000"]


def test_a_half_finished_rollback_shows_neither_the_old_volume_nor_the_new_one() -> None:
    desk = Desk(Lvm)
    desk.up(NEW)
    desk.write(DATA)
    desk.take()
    desk.write(OTHER)
    back = volume(uuid="back", new=True, source=TAKEN.uuid, source_name=TAKEN.name, replaces="res-0")
    desk.act(desk.look().bring_up(back)[:1])
    seen = desk.look()
    assert seen.presence(volume()) is Presence.HIDDEN
    assert seen.presence(back) is Presence.ABSENT
    assert seen.device(back) is None
    with pytest.raises(NodeError, match="a rollback has begun to write over vg0/res_00000"):
        seen.bring_up(volume())
    with pytest.raises(Refused):
        seen.take_snapshot(snapshot("two", new=True))
    desk.up(replace(back, uuid="later"))
    assert sorted(desk.lv("res_00000").tags) == ["orlop.cluster=cluster", "orlop.uuid=later"]
    assert desk.lv("res_00000").content.blocks[0] == DATA


def test_the_rest_of_a_larger_restored_volume_reads_as_zeros() -> None:
    desk = Desk(Lvm)
    desk.up(NEW)
    desk.take()
    wanted = sized(restored(), 10 << 30)
    desk.node.lvm.groups["vg0"].extents *= 8
    steps = [step for step in words(desk.look().bring_up(wanted)) if step.startswith("blkdiscard")]
    assert steps == [
        "blkdiscard --zeroout --offset 16777216 --length 4294967296 /dev/vg0/.orlop-new-made-0",
        "blkdiscard --zeroout --offset 4311744512 --length 4294967296 /dev/vg0/.orlop-new-made-0",
        "blkdiscard --zeroout --offset 8606711808 --length 2130706432 /dev/vg0/.orlop-new-made-0",
    ]


def test_a_snapshot_of_a_closed_volume_is_opened_only_for_the_copy() -> None:
    desk = Desk(Lvm)
    desk.up(NEW)
    desk.write(DATA)
    desk.take()
    desk.down(volume(active=False))
    desk.up(restored())
    assert desk.lv("made_00000").content.blocks[0] == DATA
    assert desk.look().presence(volume()) is Presence.HIDDEN


# -- no room --------------------------------------------------------------------------------------


@pytest.mark.parametrize("driver", [Lvm, LvmThinPool])
def test_what_does_not_fit_is_refused_with_what_is_wanted_and_what_is_free(driver: type[LogicalVolumes]) -> None:
    desk = Desk(driver)
    desk.up(NEW)
    too_large = sized(volume("large", new=True), 8 << 30)
    for act in (lambda: desk.look().bring_up(too_large), lambda: desk.look().bring_up(sized(volume(), 8 << 30))):
        with pytest.raises(Refused, match=r"no space left in volume group vg0: .* takes \d+ bytes, \d+ are free") as no:
            act()
        assert no.value.code is Fail.NOT_ENOUGH_FREE_SPACE
    assert set(desk.names()) <= {"res_00000", "res_00000+pool"}


def test_a_snapshot_that_could_run_over_is_refused() -> None:
    desk = Desk(Lvm)
    desk.up(sized(NEW, 4 << 30))
    with pytest.raises(Refused, match="no space left in volume group vg0: snapshot res_00000.snap takes"):
        desk.look().take_snapshot(TAKEN)
    assert Lvm.snapshot_room(4 << 30, {}) > 4 << 30


@pytest.mark.parametrize("full", ["data", "metadata"])
def test_a_full_thin_pool_takes_nothing_new(full: str) -> None:
    desk = Desk(LvmThin)
    desk.up(NEW)
    desk.take()
    setattr(desk.lv("thin"), full, 1.0)
    back = volume(uuid="back", new=True, source=TAKEN.uuid, source_name=TAKEN.name, replaces="res-0")
    for act in (
        lambda: desk.look().bring_up(volume("other", new=True)),
        lambda: desk.look().bring_up(restored()),
        lambda: desk.look().take_snapshot(snapshot("two", new=True)),
        lambda: desk.look().take_down(back),
    ):
        with pytest.raises(Refused, match=f"no space left in thin pool vg0/thin for .*: its {full} is full"):
            act()
    assert desk.names() == ["res_00000", "res_00000.snap"]


# -- thin pools -----------------------------------------------------------------------------------


def test_free_space_of_a_thin_pool_counts_what_its_metadata_can_describe() -> None:
    desk = Desk(LvmThin)
    total = desk.lv("thin").size
    assert desk.look().capacity("pool").total == total
    desk.lv("thin").data = 0.25
    assert desk.look().capacity("pool").free == total * 3 // 4
    desk.lv("thin").metadata = 0.75
    assert desk.look().capacity("pool").free == (1 << 20) // 32 * 65536


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"data": 0.5, "metadata": 0.5}, ""),
        ({"data": 0.95}, "thin pool vg0/thin is 95% full"),
        (
            {"metadata": 0.85},
            "the metadata of thin pool vg0/thin is 85% full: lvextend --poolmetadatasize +SIZE vg0/thin",
        ),
        ({"health": "out_of_data"}, "thin pool vg0/thin has the state 'out_of_data'"),
        ({"health": "metadata_read_only"}, "thin pool vg0/thin has the state 'metadata_read_only'"),
        ({"check_needed": True}, "thin pool vg0/thin needs a check"),
    ],
    ids=["fine", "data", "metadata", "out of data", "read only", "check"],
)
def test_a_thin_pool_warns_before_it_is_full(change: dict[str, Any], said: str) -> None:
    desk = Desk(LvmThin)
    for name, value in change.items():
        setattr(desk.lv("thin"), name, value)
    seen = desk.look()
    assert seen.pool_problem("pool") == ""
    assert seen.pool_warning("pool").startswith(said)
    assert bool(seen.pool_warning("pool")) == bool(said)


def test_a_thin_pool_that_failed_cannot_be_used() -> None:
    desk = Desk(LvmThin)
    desk.lv("thin").health = "failed"
    assert problem(LvmThin, desk.node, desk.pool)[0].startswith("thin pool vg0/thin has failed")


def test_a_group_whose_own_metadata_is_nearly_full_warns() -> None:
    desk = Desk(Lvm)
    desk.node.lvm.groups["vg0"].metadata_full = 0.95
    assert desk.look().pool_warning("pool").startswith("the metadata area of volume group vg0 is nearly full")


def test_a_closed_thin_pool_is_told_and_opened_with_the_first_volume() -> None:
    desk = Desk(LvmThin)
    desk.up(NEW)
    desk.node.power_loss()
    seen = desk.look()
    assert seen.capacity("pool").free == 0
    assert seen.pool_warning("pool").startswith("thin pool vg0/thin is not open")
    (step,) = words(seen.bring_up(volume()))
    assert step.endswith("lvchange --activate y --ignoreactivationskip vg0/thin vg0/res_00000".partition(" ")[2])
    desk.up(volume())
    assert desk.look().pool_warning("pool") == ""


def test_a_thin_pool_that_is_shut_only_for_a_moment_is_not_told() -> None:
    """As LVM does it while the first volume is made in it."""
    desk = Desk(LvmThin)
    desk.up(NEW)
    desk.node.power_loss()
    look = desk.node.run

    def run(argv: tuple[str, ...], **more: Any) -> str:
        said = look(argv, **more)
        if argv[:2] == ("lvm", "fullreport"):
            look(("lvchange", "--activate", "y", "vg0/thin"))
        return said

    desk.node.run = run  # type: ignore[method-assign]
    assert desk.look().pool_warning("pool") == ""
    assert desk.look().capacity("pool").free > 0


def test_a_logical_volume_that_is_no_thin_pool_is_not_taken_for_one() -> None:
    host = node()
    host.run(("lvcreate", "--extents", "1", "--name", "thick", "vg0"))
    wanted = pool("LVM_THIN", props={"StorDriver/StorPoolName": "vg0/thick"})
    assert problem(LvmThin, host, wanted) == ["vg0/thick is not a thin pool"]


# -- a thin pool per volume -----------------------------------------------------------------------


def test_a_volume_gets_a_pool_of_its_own_larger_by_the_ratio() -> None:
    desk = Desk(LvmThinPool)
    ratio = {"StorDriver/PoolRatio": "200"}
    desk.up(sized(NEW, 100 * EXTENT))
    desk.up(sized(volume("two", new=True), 100 * EXTENT, **ratio))
    assert (desk.lv("res_00000+pool").size, desk.lv("two_00000+pool").size) == (135 * EXTENT, 200 * EXTENT)
    assert desk.look().allocated(NEW) == 136 * EXTENT
    desk.up(sized(volume(), 200 * EXTENT))
    assert (desk.lv("res_00000+pool").size, desk.lv("res_00000").size) == (270 * EXTENT, 200 * EXTENT)
    desk.take()
    assert desk.lv("res_00000.snap").pool == "res_00000+pool"
    assert desk.look().snapshot_allocated(TAKEN) == 0


def test_capacity_is_what_volumes_can_have_of_a_group() -> None:
    desk = Desk(LvmThinPool)
    group = desk.node.lvm.groups["vg0"]
    seen = desk.look().capacity("pool")
    assert (seen.total, seen.free) == (group.extents * EXTENT * 100 // 135, group.free * EXTENT * 100 // 135)
    desk.pool = replace(desk.pool, props={**desk.pool.props, "StorDriver/PoolRatio": "100"})
    assert desk.look().capacity("pool").free == group.free * EXTENT


def test_a_restored_volume_does_not_share_the_pool_of_its_source() -> None:
    desk = Desk(LvmThinPool)
    desk.up(NEW)
    desk.write(DATA)
    desk.take()
    desk.up(restored())
    assert desk.lv("made_00000").pool == "made_00000+pool"
    assert desk.lv("made_00000").content.blocks[0] == DATA
    assert "/dev/vg0/res_00000.snap" not in desk.node.disk.opened, "it is closed after the copy"


def test_a_pool_goes_with_the_last_thing_in_it() -> None:
    desk = Desk(LvmThinPool)
    desk.up(NEW)
    desk.take()
    desk.down(replace(NEW, wanted=False))
    assert desk.names() == ["res_00000+pool", "res_00000.snap"]
    desk.up(volume(uuid="again", new=True))
    assert desk.lv("res_00000").pool == "res_00000+pool2", "snapshots of an earlier volume keep the first"
    desk.drop(TAKEN)
    assert desk.names() == ["res_00000", "res_00000+pool2"]
    desk.down(volume(uuid="again", wanted=False))
    assert desk.names() == []


def test_a_pool_of_somebody_else_is_not_used_or_removed() -> None:
    desk = Desk(LvmThinPool)
    desk.node.run(("lvcreate", "--type", "thin-pool", "--extents", "4", "--name", "res_00000+pool", "vg0"))
    desk.up(NEW)
    assert desk.lv("res_00000").pool == "res_00000+pool2"
    desk.down(replace(NEW, wanted=False))
    assert desk.names() == ["res_00000+pool"]


@pytest.mark.parametrize("ratio", ["99", "1001", "much", ""])
def test_a_ratio_is_a_number_of_per_cent(ratio: str) -> None:
    with pytest.raises(BadProperty, match="StorDriver/PoolRatio must be a number from 100 to 1000"):
        LvmThinPool.check_options({"StorDriver/PoolRatio": ratio})


def test_drivers_fit_their_contract() -> None:
    for driver in KINDS:
        assert isinstance(Desk(driver).look(), StorageDriver)
