"""Copies between real block devices, and who is known to use one."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.errors import Cancelled, NodeError
from orlop.host import Copying, LocalHost
from orlop.plugin import CopyDevice

pytestmark = pytest.mark.root
MIB = 1 << 20


@pytest.fixture
def devices(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Two loop devices of 16 MiB."""
    found = []
    for name in ("source", "target"):
        (tmp_path / name).write_bytes(bytes(16 * MIB))
        attach = ["losetup", "--find", "--show", str(tmp_path / name)]
        found.append(subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip())
    yield found[0], found[1]
    for device in found:
        subprocess.run(["losetup", "--detach", device], check=True)


def write(device: str, offset: int, data: bytes) -> None:
    with open(device, "r+b") as file:
        file.seek(offset)
        file.write(data)
        os.fsync(file.fileno())


def read(device: str) -> bytes:
    with open(device, "rb") as file:
        return file.read()


def test_so_many_bytes_are_copied_and_nothing_else_is_touched(devices: tuple[str, str]) -> None:
    source, target = devices
    content, before = os.urandom(16 * MIB), os.urandom(16 * MIB)
    write(source, 0, content)
    write(target, 0, before)
    done: list[tuple[int, int]] = []
    step = CopyDevice(source=source, target=target, size=9 * MIB)
    LocalHost().copy_device(step, Copying(progress=lambda *said: done.append(said)))
    assert read(target) == content[: 9 * MIB] + before[9 * MIB :]
    assert done[-1] == (9 * MIB, 9 * MIB)


def test_zeros_are_written_unless_the_target_is_known_to_hold_them(devices: tuple[str, str]) -> None:
    source, target = devices
    dirt = os.urandom(16 * MIB)
    write(source, 12 * MIB, b"data".ljust(4096, b"."))
    for zeroed in (True, False):
        write(target, 0, dirt)
        LocalHost().copy_device(CopyDevice(source=source, target=target, size=16 * MIB, zeroed=zeroed), Copying())
        kept = dirt[: 12 * MIB] if zeroed else bytes(12 * MIB)
        assert read(target) == kept + b"data".ljust(4096, b".") + bytes(4 * MIB - 4096)


def test_a_target_that_somebody_has_for_himself_is_not_written_to(devices: tuple[str, str]) -> None:
    source, target = devices
    held = os.open(target, os.O_RDONLY | os.O_EXCL)
    try:
        with pytest.raises(NodeError, match="busy"):
            LocalHost().copy_device(CopyDevice(source=source, target=target, size=MIB), Copying())
    finally:
        os.close(held)


def test_a_newer_order_stops_a_copy(devices: tuple[str, str]) -> None:
    source, target = devices
    with pytest.raises(Cancelled):
        LocalHost().copy_device(CopyDevice(source=source, target=target, size=MIB), Copying(cancelled=lambda: True))


def test_only_block_devices_are_copied(devices: tuple[str, str], tmp_path: Path) -> None:
    with pytest.raises(NodeError, match="is not a block device"):
        LocalHost().copy_device(CopyDevice(source=devices[0], target=str(tmp_path / "target"), size=MIB), Copying())
