"""Which loop devices count as a volume's own."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from orlop.errors import CannotRead, InUse
from orlop.plugin import CLUSTER, UUID, FileFacts
from orlop.testing import SimulatedHost, Workbench
from orlop.testing.bench import pool, volume
from orlop_storage.file import FileThin
from orlop_storage.folders import Folder, Loop, loop_devices

FILE = "/srv/orlop/res_00000"


def seen(*loops: Loop) -> FileThin:
    marks = {CLUSTER: "cluster", UUID: "res-0"}
    file = FileFacts(size=16 << 20, allocated=0, attributes=marks, inode=7, device="8:1")
    folder = Folder(path="/srv/orlop", exists=True, marked=True, files={"res_00000": file}, loops={7: list(loops)})
    return FileThin(cluster="cluster", folders={pool().name: folder})


def loop(**more: Any) -> Loop:
    return Loop(**{"device": "/dev/loop3", "file": FILE, "inode": 7, "holder": "8:1", "whole": True, **more})


def test_a_device_on_the_whole_file_is_the_volumes() -> None:
    assert seen(loop()).device(volume()) == "/dev/loop3"


def test_a_device_on_a_part_of_the_file_is_not_the_volumes_and_is_closed_before_the_file_goes() -> None:
    driver = seen(loop(whole=False))
    assert driver.device(volume()) is None
    assert "losetup --detach /dev/loop3" in [str(step) for step in driver.take_down(volume(wanted=False))]


def test_a_device_that_is_going_is_not_told_again_since_its_number_may_be_somebody_elses_by_then() -> None:
    driver = seen(loop(going=True))
    assert [str(step) for step in driver.take_down(volume(wanted=False))] == ["make sure that nothing uses /dev/loop3"]


def test_the_file_of_a_device_that_is_going_and_still_in_use_stays() -> None:
    host = SimulatedHost()
    bench = Workbench(FileThin, host, pool(new=True), cluster="cluster")
    bench.until_done(lambda seen: seen.mark_pool(bench.pool))
    wanted = bench.volume("res")
    bench.up(wanted)
    host.disk.use("/dev/loop0", "mounted at /mnt")
    host.run(("losetup", "--detach", "/dev/loop0"))
    with pytest.raises(InUse):
        bench.down(replace(wanted, wanted=False))
    assert "res_00000" in host.disk.folders["/srv/orlop"]


def test_of_two_devices_the_one_that_stays_is_the_volumes() -> None:
    assert seen(loop(going=True), loop(device="/dev/loop4")).device(volume()) == "/dev/loop4"


def test_a_device_that_is_going_is_kept_for_a_volume_that_is_wanted() -> None:
    host = SimulatedHost()
    bench = Workbench(FileThin, host, pool(new=True), cluster="cluster")
    bench.until_done(lambda seen: seen.mark_pool(bench.pool))
    wanted = bench.volume("res")
    bench.up(wanted)
    host.disk.use("/dev/loop0", "a glance")
    host.run(("losetup", "--detach", "/dev/loop0"))
    assert [str(step) for step in bench.look().bring_up(wanted)] == [
        "losetup --find --show --nooverlap /srv/orlop/res_00000"
    ]
    bench.up(wanted)
    host.disk.release("/dev/loop0")
    assert bench.look().device(wanted) == "/dev/loop0"


def test_a_file_of_another_file_system_with_the_same_inode_is_another_file() -> None:
    driver = seen(loop(file="/mnt/strange", holder="8:2"))
    assert driver.device(volume()) is None
    assert [str(step) for step in driver.take_down(volume(wanted=False))] == [f"remove {FILE}"]


def test_a_file_that_was_moved_keeps_its_device() -> None:
    assert seen(loop(file="/srv/old/res_00000")).device(volume()) == "/dev/loop3"


WHOLE = {"back-file": FILE, "back-ino": 7, "back-maj:min": "8:1", "offset": 0, "sizelimit": 0, "ro": False}
WHOLE |= {"autoclear": False}
CLOSED = dict.fromkeys(WHOLE)


def looked(*answers: list[dict[str, Any]]) -> list[str]:
    """Devices that are seen when losetup answers one after the other; the last one stays."""
    host, left = SimulatedHost(), list(answers)

    def losetup(disk: object, arguments: tuple[str, ...]) -> str:
        rows = left.pop(0) if len(left) > 1 else left[0]
        return json.dumps({"loopdevices": [{"name": f"/dev/loop{i}", **row} for i, row in enumerate(rows)]})

    host.installed["losetup"] = losetup
    return [found.device for found in loop_devices(host)]


def test_a_device_that_is_taken_down_meanwhile_does_not_spoil_the_look() -> None:
    assert looked([CLOSED, WHOLE]) == ["/dev/loop1"]
    assert looked([WHOLE | {"back-ino": None}, WHOLE], [CLOSED, WHOLE]) == ["/dev/loop1"]


def test_a_device_of_which_nobody_can_tell_the_file_is_no_guess() -> None:
    with pytest.raises(CannotRead, match="/dev/loop0"):
        looked([WHOLE | {"back-ino": None}])
