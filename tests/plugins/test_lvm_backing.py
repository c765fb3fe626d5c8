"""Volume groups and thin pools out of whole disks, cut short anywhere, and back."""

import pytest

from orlop.errors import BadName, BadProperty, WouldDestroy
from orlop.hooks import Hooks
from orlop.host import execute
from orlop.model import GIB, NewBacking, WantedPool
from orlop.plugin import DeviceStorage
from orlop.testing import Crash, SimulatedHost, Workbench
from orlop.testing.bench import replace, volume
from orlop.testing.faults import Moment
from orlop_storage.lvm import Lvm
from orlop_storage.lvm_thin import LvmThin
from orlop_storage.lvm_thin_pool import LvmThinPool

KINDS = [Lvm, LvmThin, LvmThinPool]
DISKS = ("/dev/vdb", "/dev/vdc")
Driver = type[Lvm] | type[LvmThin] | type[LvmThinPool]


def host() -> SimulatedHost:
    made = SimulatedHost()
    for device in (*DISKS, "/dev/vdd"):
        made.disk.add_disk(device, 10 * GIB)
    return made


def backing(driver: Driver, **more: object) -> NewBacking:
    return NewBacking(**{"provider": driver.kind, "name": "data", "devices": DISKS, **more})  # type: ignore[arg-type]


def pool(driver: Driver) -> WantedPool:
    return WantedPool(name="pool", uuid="p", provider=driver.kind, props=driver.backing_props(backing(driver)))


def make(driver: Driver, on: SimulatedHost, cluster: str = "cluster", **more: object) -> list[str]:
    steps = driver.make_backing(on, backing(driver, **more), cluster)
    execute("check", steps, on, Hooks(), lambda name: b"")
    return [str(step) for step in steps]


def remove(driver: Driver, on: SimulatedHost, cluster: str = "cluster") -> list[str]:
    steps = driver.remove_backing(on, pool(driver), cluster)
    execute("check", steps, on, Hooks(), lambda name: b"")
    return [str(step) for step in steps]


def is_blank(on: SimulatedHost) -> bool:
    return not on.lvm.groups and not on.lvm.disks and not any(disk.signatures for disk in on.disk.disks.values())


@pytest.mark.parametrize("driver", KINDS)
def test_a_backing_is_made_used_and_taken_apart(driver: Driver) -> None:
    on = host()
    assert make(driver, on)
    assert make(driver, on) == [], "nothing is left to do"
    assert pool(driver).props == {"StorDriver/StorPoolName": "data/thinpool" if driver is LvmThin else "data"}
    bench = Workbench(driver, on, replace(pool(driver), new=True), "cluster")
    bench.until_done(lambda seen: seen.mark_pool(bench.pool))
    bench.up(volume(new=True))
    with pytest.raises(WouldDestroy, match="volume group data is not empty"):
        remove(driver, on)
    bench.down(volume(wanted=False))
    assert remove(driver, on)
    assert is_blank(on)
    assert remove(driver, on) == []


@pytest.mark.parametrize("after", ["restart", "power loss"])
@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("driver", KINDS)
def test_an_attempt_that_was_cut_short_is_finished_by_the_next(driver: Driver, moment: Moment, after: str) -> None:
    done = host()
    steps = len(make(driver, done)), len(remove(driver, done))
    for nth in range(1, sum(steps) + 1):
        on = host()
        making = nth <= steps[0]
        if not making:
            make(driver, on)
        on.faults.crash(nth if making else nth - steps[0], moment)
        with pytest.raises(Crash):
            (make if making else remove)(driver, on)
        if after == "power loss":
            on.power_loss()
        if making:
            make(driver, on)
            assert on.lvm.groups["data"].devices == list(DISKS), f"step {nth}"
        remove(driver, on)
        assert is_blank(on), f"step {nth}"


@pytest.mark.parametrize("driver", KINDS)
def test_a_group_of_somebody_else_is_neither_taken_nor_removed(driver: Driver) -> None:
    on = host()
    on.run(("vgcreate", "data", *DISKS))
    with pytest.raises(WouldDestroy, match="there is a volume group data already"):
        make(driver, on)
    with pytest.raises(WouldDestroy, match="was not made by this cluster"):
        remove(driver, on)
    theirs = host()
    make(driver, theirs, cluster="theirs")
    for act in (make, remove):
        with pytest.raises(WouldDestroy):
            act(driver, theirs)


@pytest.mark.parametrize("driver", KINDS)
def test_disks_of_nobody_do_not_hinder_a_look(driver: Driver) -> None:
    on = host()
    on.run(("pvcreate", "/dev/vdd"))
    make(driver, on)
    remove(driver, on)
    assert remove(driver, on) == []
    assert list(on.lvm.disks) == ["/dev/vdd"]


@pytest.mark.parametrize("driver", KINDS)
def test_a_disk_that_lvm_knows_already_is_left_alone(driver: Driver) -> None:
    on = host()
    on.run(("pvcreate", "/dev/vdc"))
    with pytest.raises(WouldDestroy, match="/dev/vdc belongs to"):
        make(driver, on)
    on.run(("vgcreate", "theirs", "/dev/vdc"))
    with pytest.raises(WouldDestroy, match="/dev/vdc belongs to volume group theirs"):
        make(driver, on)
    remove(driver, on)
    assert "theirs" in on.lvm.groups


@pytest.mark.parametrize("driver", KINDS)
def test_a_group_of_ours_on_other_disks_is_not_taken_for_the_wanted_one(driver: Driver) -> None:
    on = host()
    make(driver, on)
    with pytest.raises(WouldDestroy, match="there is a volume group data already"):
        make(driver, on, devices=(*DISKS, "/dev/vdd"))


@pytest.mark.parametrize("driver", KINDS)
def test_what_could_not_be_made_is_refused_before(driver: Driver) -> None:
    for wrong in ({"raid_level": "RAID1"}, {"devices": ()}, {"arguments": {"vgcreate": ("-s", "4m", "/dev/sda")}}):
        with pytest.raises(BadProperty):
            driver.backing_props(replace(backing(driver), **wrong))
    for name in ("", "a b", "-x", "../x", "a/b/c"):
        with pytest.raises(BadName):
            driver.backing_props(backing(driver, name=name))


def test_arguments_for_each_program_are_given_to_it() -> None:
    more = {"pvcreate": ("--dataalignment", "1m"), "vgcreate": ("--physicalextentsize", "1m"), "lvcreate": ("-c", "1m")}
    steps = [str(step) for step in LvmThin.make_backing(host(), backing(LvmThin, arguments=more), "cluster")]
    assert [any(" ".join(words) in step for step in steps) for words in more.values()] == [True] * 3


def test_a_part_of_a_group_is_left_for_the_metadata_of_its_thin_pool() -> None:
    on = host()
    make(LvmThin, on)
    assert on.lvm.groups["data"].free >= 3


def test_the_drivers_say_that_they_can() -> None:
    for driver in KINDS:
        assert isinstance(driver.observe(host(), (), "cluster"), DeviceStorage)
