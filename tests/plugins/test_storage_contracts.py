"""The built-in drivers and layers pass the checks that are shipped for plugin authors."""

import os
import subprocess
from pathlib import Path

import pytest
from msgspec.structs import replace

from orlop.drivers import Drivers
from orlop.errors import BadProperty
from orlop.host import LocalHost
from orlop.model import WantedPool, WantedVolume
from orlop.testing import SimulatedHost, Workbench, check_devices, check_host, check_layer, check_storage
from orlop_storage.file import File, FileThin

KINDS = [File, FileThin]


def pool(driver: type[File], folder: str) -> WantedPool:
    props = {"StorDriver/StorPoolName": folder}
    return WantedPool(name="pool", uuid="pool-uuid", provider=driver.kind, props=props, new=True)


@pytest.mark.parametrize("reflink", [True, False], ids=["reflink", "copy"])
def test_the_simulated_host_keeps_the_contract(reflink: bool) -> None:
    host = SimulatedHost(reflink=reflink)
    host.disk.make_folder("/srv/check")
    check_host(host, "/srv/check")
    check_devices(host, "/srv/check")


def test_the_local_host_keeps_the_contract(tmp_path: Path) -> None:
    check_host(LocalHost(), str(tmp_path))


@pytest.mark.root
def test_the_local_host_copies_devices_as_agreed(tmp_path: Path) -> None:
    check_devices(LocalHost(), str(tmp_path))


@pytest.mark.parametrize("reflink", [True, False], ids=["reflink", "copy"])
@pytest.mark.parametrize("driver", KINDS)
def test_file_drivers_keep_the_law_in_simulation(driver: type[File], reflink: bool) -> None:
    host = SimulatedHost(reflink=reflink)
    check_storage(driver, host, pool(driver, "/srv/orlop"))
    assert not host.disk.loops, "no loop device is left"


@pytest.mark.root
@pytest.mark.parametrize("driver", KINDS)
def test_file_drivers_keep_the_law_on_this_machine(driver: type[File], tmp_path: Path) -> None:
    check_storage(driver, LocalHost(), pool(driver, str(tmp_path / "pool")))
    listed = subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True, check=True).stdout
    assert str(tmp_path) not in listed, "no loop device is left"
    assert os.listdir(tmp_path / "pool") == [".orlop-pool"]


def opened(folder: Path) -> tuple[Workbench, WantedVolume, str]:
    """A volume on this machine, and its loop device."""
    wanted = pool(FileThin, str(folder / "pool"))
    bench = Workbench(FileThin, LocalHost(), wanted, cluster="cluster")
    bench.until_done(lambda seen: seen.mark_pool(wanted))
    volume = bench.volume("volume")
    bench.up(volume)
    device = bench.look().device(volume)
    assert device
    return bench, volume, device


@pytest.mark.root
def test_a_volume_goes_although_somebody_looks_at_its_device_while_it_is_detached(tmp_path: Path) -> None:
    bench, volume, device = opened(tmp_path)
    with open(device, "rb"):
        subprocess.run(["losetup", "--detach", device], check=True)
        assert bench.look().device(volume) == device, "it is still there, and will go with the last who has it open"
        going = bench.look().take_down(replace(volume, wanted=False))
    bench.act(going)
    bench.down(replace(volume, wanted=False))
    assert os.listdir(tmp_path / "pool") == [".orlop-pool"]


@pytest.mark.root
def test_a_volume_that_is_wanted_keeps_a_device_that_was_told_to_go(tmp_path: Path) -> None:
    bench, volume, device = opened(tmp_path)
    with open(device, "rb"):
        subprocess.run(["losetup", "--detach", device], check=True)
        bench.up(volume)
    assert bench.look().device(volume) == device
    bench.down(replace(volume, wanted=False))


@pytest.mark.parametrize("driver", KINDS)
def test_the_storage_layer_keeps_the_contract_in_simulation(driver: type[File]) -> None:
    host = SimulatedHost()
    check_layer(("STORAGE",), Drivers.installed(), host, pool(driver, "/srv/orlop"), reboot=host.power_loss)


@pytest.mark.root
@pytest.mark.parametrize("driver", KINDS)
def test_the_storage_layer_keeps_the_contract_on_this_machine(driver: type[File], tmp_path: Path) -> None:
    check_layer(("STORAGE",), Drivers.installed(), LocalHost(), pool(driver, str(tmp_path / "pool")))


@pytest.mark.parametrize("path", ["", "srv/orlop", "/", "//.", "/srv/../etc", "/srv/..", "/srv/a\nb"])
def test_a_folder_is_named_by_its_absolute_path(path: str) -> None:
    with pytest.raises(BadProperty):
        File.check_pool({"StorDriver/StorPoolName": path})
