"""The simulated programs say what the real ones were heard to say, key for key, and both are understood alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from orlop.model import GIB, Capacity, WantedPool
from orlop.plugin import CreateFile
from orlop.satellite.physical import COLUMNS, unused
from orlop.testing import SimulatedHost
from orlop_storage.folders import LOSETUP, look

RECORDED = Path(__file__).parent.parent / "recorded"
MARKS = {"orlop.uuid": "u", "orlop.cluster": "c"}


def recorded(name: str) -> str:
    return (RECORDED / name).read_text()


def simulated() -> SimulatedHost:
    """A loop device with a file system on it, and one whose file was deleted."""
    host = SimulatedHost()
    host.disk.make_folder("/srv/orlop-rec")
    for name in ("a", "b"):
        host.create(CreateFile(path=f"/srv/orlop-rec/{name}", size=8 << 20, attributes=MARKS))
        host.run(("losetup", "--find", "--show", "--nooverlap", f"/srv/orlop-rec/{name}"))
    host.remove("/srv/orlop-rec/b")
    host.run(("mkfs.ext4", "/dev/loop0"))
    return host


def shape(rows: list[dict[str, Any]]) -> set[tuple[str, type]]:
    return {(key, type(value)) for row in rows for key, value in row.items() if value is not None}


def by_name(rows: list[dict[str, Any]]) -> dict[str, str]:
    return {row["name"]: row["back-file"] for row in rows}


def test_loop_devices_are_listed_as_recorded() -> None:
    real = json.loads(recorded("losetup-2.38.1.json"))["loopdevices"]
    ours = json.loads(simulated().run(LOSETUP))["loopdevices"]
    assert shape(ours) == shape(real)
    assert by_name(ours) == by_name(real)
    assert {row["back-maj:min"] for row in ours} == {row["back-maj:min"] for row in real}
    assert json.loads(SimulatedHost().run(LOSETUP)) == json.loads(recorded("losetup-none-2.38.1.json"))


def test_signatures_are_listed_as_recorded() -> None:
    host = simulated()
    for device, name in (("/dev/loop0", "wipefs-ext4-2.38.1.json"), ("/dev/loop1", "wipefs-blank-2.38.1.json")):
        real = json.loads(recorded(name))["signatures"]
        ours = json.loads(host.run(("wipefs", "--no-act", "--json", device)))["signatures"]
        assert shape(ours) <= shape(real)
        assert [row["type"] for row in ours] == [row["type"] for row in real]


def test_block_devices_are_listed_as_recorded() -> None:
    real = json.loads(recorded("lsblk-2.38.1.json"))["blockdevices"]
    ours = json.loads(simulated().run(("lsblk", "--json", "--bytes", "--output", COLUMNS)))["blockdevices"]
    loops = [row for row in real if row["type"] == "loop"]
    assert shape(ours) == shape(loops)
    assert {frozenset(row) for row in ours} == {frozenset(row) for row in real}


class Replay(SimulatedHost):
    """Answers with recorded text."""

    def __init__(self, **answers: str) -> None:
        super().__init__()
        for program, text in answers.items():
            self.installed[program] = lambda disk, arguments, text=text: text  # type: ignore[misc]


def test_the_recorded_loop_devices_are_understood() -> None:
    host = Replay(losetup=recorded("losetup-2.38.1.json"))
    host.disk.make_folder("/srv/orlop-rec")
    for name, inode in (("a", 786851), ("other", 786892)):
        host.create(CreateFile(path=f"/srv/orlop-rec/{name}", size=4096, attributes=MARKS))
        host.disk.get(f"/srv/orlop-rec/{name}").inode = inode
    wanted = WantedPool(
        name="pool", uuid="p", provider="FILE", props={"StorDriver/StorPoolName": "/srv/orlop-rec"}, new=True
    )
    folder = look(host, (wanted,), "c")["pool"]
    assert [loop.device for loop in folder.loops_of("a")] == ["/dev/loop0"]
    assert [loop.device for loop in folder.loops_of("other")] == ["/dev/loop1"], "the inode counts, not the path"
    assert folder.capacity == Capacity(total=host.disk.total, free=host.disk.free)


def disk(**more: Any) -> dict[str, Any]:
    row = json.loads(recorded("lsblk-2.38.1.json"))["blockdevices"][-1]
    empty = {**row, "path": "/dev/vdb", "name": "vdb", "mountpoints": [None], "serial": "s", "size": 2 * GIB}
    return {**empty, **more}


def test_only_empty_unused_devices_are_offered() -> None:
    assert unused(Replay(lsblk=recorded("lsblk-2.38.1.json"))) == ()
    (found,) = unused(Replay(lsblk=json.dumps({"blockdevices": [disk()]})))
    assert (found.device, found.size, found.rotational, found.serial) == ("/dev/vdb", 2 * GIB, True, "s")


@pytest.mark.parametrize(
    "more",
    [
        {"size": GIB},
        {"fstype": "ext4"},
        {"pttype": "gpt"},
        {"children": [{}]},
        {"pkname": "vda"},
        {"mountpoints": ["/mnt"]},
        {"name": "drbd1000"},
        {"type": "loop"},
        {"ro": True},
    ],
    ids=lambda more: next(iter(more)),
)
def test_a_device_that_is_or_was_something_is_not_offered(more: dict[str, Any]) -> None:
    assert unused(Replay(lsblk=json.dumps({"blockdevices": [disk(**more)]}))) == ()


def test_a_signature_that_only_wipefs_finds_keeps_a_device_back() -> None:
    host = Replay(lsblk=json.dumps({"blockdevices": [disk()]}), wipefs=recorded("wipefs-ext4-2.38.1.json"))
    assert unused(host) == ()


def test_a_simulated_disk_is_offered_until_something_signs_it_and_again_when_that_is_wiped() -> None:
    host = SimulatedHost()
    host.disk.add_disk("/dev/vdb", 2 * GIB).signatures.append("LVM2_member")
    host.disk.add_disk("/dev/vdc", 2 * GIB)
    assert [found.device for found in unused(host)] == ["/dev/vdc"]
    host.run(("wipefs", "--all", "/dev/vdb"))
    assert [found.device for found in unused(host)] == ["/dev/vdb", "/dev/vdc"]
    host.power_loss()
    assert len(unused(host)) == 2
