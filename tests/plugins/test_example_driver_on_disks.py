"""The partition driver at work on real disks: loop devices of this machine, with 512 and 4096 byte sectors."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from orlop.errors import InUse
from orlop.host import LocalHost
from orlop.model import MIB, Presence
from orlop.testing import check_layer, check_storage
from tests.plugins.test_example_driver import DRIVER, DRIVERS, marked, pool_on, with_size


def command(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def sector() -> int:
    return 512


@pytest.fixture
def real_disk(tmp_path: Path, sector: int) -> Iterator[str]:
    if shutil.which("sgdisk") is None:
        pytest.skip("needs sgdisk")
    image = tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(128 * MIB)
    device = command("losetup", "--find", "--show", "--sector-size", str(sector), str(image))
    try:
        command("sgdisk", "--clear", device)
        yield device
    finally:
        close_all(device)
        command("losetup", "--detach", device)


def close_all(disk: str) -> None:
    subprocess.run(("partx", "--delete", disk), check=False, capture_output=True)  # fails where nothing is open


def rebooted(disk: str) -> Callable[[], None]:
    """What a reboot does: nothing is shown but the disk, and what is read comes from it.

    The disk stays attached, since other tests of this machine would take its device.
    """

    def reboot() -> None:
        close_all(disk)
        command("blockdev", "--flushbufs", disk)

    return reboot


@pytest.mark.root
def test_the_driver_keeps_the_law_on_this_machine(real_disk: str) -> None:
    check_storage(DRIVER, LocalHost(), pool_on(real_disk))
    assert command("lsblk", "--noheadings", "--list", "--output", "TYPE", real_disk) == "loop"


@pytest.mark.root
def test_a_stack_on_it_keeps_the_contract_on_this_machine(real_disk: str) -> None:
    check_layer(("STORAGE",), DRIVERS, LocalHost(), pool_on(real_disk), reboot=rebooted(real_disk))


def write(device: str, size: int) -> str:
    data = os.urandom(size)
    with open(device, "r+b") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return hashlib.sha256(data).hexdigest()


def read(device: str, size: int) -> str:
    with open(device, "rb") as file:
        return hashlib.sha256(file.read(size)).hexdigest()


@pytest.mark.root
@pytest.mark.parametrize("sector", [512, 4096])
def test_data_outlives_closing_opening_growing_and_its_neighbours(real_disk: str) -> None:
    command("sgdisk", "--new=7:60M:+8M", "--change-name=7:foreign_00000", real_disk)
    command("partx", "--update", "--nr", "7", real_disk)
    foreign = f"{real_disk}p7"
    kept = write(foreign, 8 * MIB)
    bench = marked(LocalHost(), pool_on(real_disk))
    volume, neighbour = bench.volume("data", 8 * MIB), bench.volume("neighbour", 4 * MIB)
    bench.up(volume)
    device = bench.look().device(volume)
    assert device is not None
    written = write(device, 8 * MIB)
    known = replace(volume, new=False)

    bench.down(replace(known, active=False))
    assert not os.path.exists(device)
    bench.up(known)
    assert read(device, 8 * MIB) == written

    with open(device, "rb"):  # in use while it grows
        bench.up(with_size(known, 24 * MIB))
        assert bench.look().size(known) == 24 * MIB == int(command("blockdev", "--getsize64", device))
    assert read(device, 8 * MIB) == written
    whole = write(device, 24 * MIB)
    bench.up(neighbour)
    write(bench.look().device(neighbour) or "", 4 * MIB)
    rebooted(real_disk)()
    assert bench.look().presence(known) is Presence.HIDDEN
    bench.up(with_size(known, 24 * MIB))
    assert read(device, 24 * MIB) == whole

    for each in (volume, neighbour):
        bench.down(replace(each, wanted=False, new=False))
    assert [found.name for found in bench.look().objects("pool")] == ["foreign_00000"]
    command("partx", "--update", "--nr", "7", real_disk)
    assert read(foreign, 8 * MIB) == kept


@pytest.mark.root
def test_a_volume_that_is_open_elsewhere_is_not_removed(real_disk: str) -> None:
    bench = marked(LocalHost(), pool_on(real_disk))
    volume = bench.volume("data")
    bench.up(volume)
    with open(bench.look().device(volume) or "", "rb"), pytest.raises(InUse):
        bench.down(replace(volume, wanted=False))
    assert bench.look().presence(volume) is Presence.READY


@pytest.mark.root
def test_a_real_file_system_of_a_removed_volume_is_wiped(real_disk: str) -> None:
    bench = marked(LocalHost(), pool_on(real_disk))
    old, new = bench.volume("old", 16 * MIB), bench.volume("new", 16 * MIB)
    bench.up(old)
    device = bench.look().device(old) or ""
    command("mkfs.ext4", "-q", device)
    bench.down(replace(old, wanted=False))
    bench.up(new)
    assert bench.look().device(new) == device
    assert command("wipefs", device) == ""


@pytest.mark.root
@pytest.mark.parametrize("torn", [512, 1100, 128 * MIB - 512], ids=["header", "entries", "backup"])
def test_a_table_that_lost_power_while_it_was_written_is_read_from_its_other_copy(real_disk: str, torn: int) -> None:
    bench = marked(LocalHost(), pool_on(real_disk))
    volume = bench.volume("data")
    bench.act(bench.look().bring_up(volume))
    with open(real_disk, "r+b") as file:
        file.seek(torn)
        file.write(b"\xff" * 4)
        os.fsync(file.fileno())
    assert bench.look().presence(volume) is Presence.HIDDEN
    bench.up(volume)
    assert bench.look().presence(volume) is Presence.READY
    assert "No problems found" in command("sgdisk", "--verify", real_disk)
