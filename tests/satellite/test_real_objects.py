"""Files of this machine that an administrator names: real loop devices, real attributes, real users."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from orlop.hooks import Hooks
from orlop.model import BackingObject, WantedVolume
from orlop.satellite.objects import Objects
from orlop.testing.bench import resource, volume
from orlop.transport.messages import Fence, ObjectTaken, TakeObject
from tests.satellite.test_real import CLUSTER, MIB, Machine, detach, fill, release, sh

pytestmark = pytest.mark.root
FENCE = Fence(cluster=CLUSTER, term=1, nonce="n")


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    yield Machine(tmp_path / "pool", "FILE")
    release(tmp_path)


def wanted(size: int) -> WantedVolume:
    return replace(volume(size=size), new=False)


def take(machine: Machine, name: str, becomes: WantedVolume | None, uuid: str = "") -> ObjectTaken:
    thing = BackingObject(pool="pool", name=name, uuid=uuid)
    order = TakeObject(fence=FENCE, object=thing, volume=becomes, mark="to-go")
    return Objects(machine.host, machine.drivers, Hooks()).taken(order, (machine.pool,), ())


def image(machine: Machine, name: str) -> tuple[Path, str]:
    """A file that was made without Orlop, and the fingerprint of what is in it."""
    path, data = machine.folder / name, os.urandom(4 * MIB)
    path.write_bytes(data)
    return path, hashlib.sha256(data).hexdigest()


def test_an_image_becomes_a_volume_and_keeps_every_byte(machine: Machine) -> None:
    path, fingerprint = image(machine, "disk.img")
    becomes = wanted(4 * MIB)
    outcome = take(machine, "disk.img", becomes)
    assert outcome.problem == ""
    assert not path.exists()
    device = machine.ready(resource(becomes))
    assert hashlib.sha256(Path(device).read_bytes()).hexdigest() == fingerprint
    assert take(machine, "disk.img", becomes).done == ()  # asked again, it is done


def test_an_image_that_a_process_has_open_is_left_alone(machine: Machine) -> None:
    path, _ = image(machine, "disk.img")
    with path.open("rb"):
        for becomes in (wanted(4 * MIB), None):
            outcome = take(machine, "disk.img", becomes)
            assert f"open in process {os.getpid()}" in outcome.problem
    assert os.listxattr(path) == []
    assert path.stat().st_size == 4 * MIB


def test_an_image_that_is_mounted_by_a_loop_device_is_left_alone(machine: Machine) -> None:
    path, _ = image(machine, "disk.img")
    sh("mkfs.ext4", "-q", str(path))
    device = sh("losetup", "--find", "--show", str(path)).strip()
    at = machine.folder.parent / "mounted"
    at.mkdir()
    sh("mount", device, str(at))
    for becomes in (wanted(4 * MIB), None):
        assert "mounted at" in take(machine, "disk.img", becomes).problem
    sh("umount", str(at))
    detach(machine.folder)
    assert take(machine, "disk.img", None).problem == ""
    assert not path.exists()


def test_a_volume_is_removed_only_by_the_mark_it_bears(machine: Machine) -> None:
    device = machine.ready(resource(volume(size=4 * MIB, new=True)))
    fill(device, MIB)
    detach(machine.folder)
    uuid = volume(size=4 * MIB).uuid
    name = volume(size=4 * MIB).name
    assert "none was named" in take(machine, name, None).problem
    assert "another" in take(machine, name, None, "another").problem
    assert (machine.folder / name).exists()
    assert take(machine, name, None, uuid).problem == ""
    assert not (machine.folder / name).exists()
