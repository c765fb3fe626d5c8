"""Entries of the kernel's own file systems, tried on an ordinary folder that takes the place of /sys."""

import os
import threading
from pathlib import Path

import pytest

from orlop.errors import NodeError, WouldDestroy
from orlop.host import LocalHost
from orlop.host.kernel import Kernel
from orlop.plugin import AwaitEntry, KernelStep, MakeDirectory, MakeLink, RemoveDirectory, RemoveLink, WriteAttribute


@pytest.fixture
def host(tmp_path: Path) -> LocalHost:
    return LocalHost(kernel_root=str(tmp_path))


def test_objects_are_made_linked_and_removed_and_each_step_may_be_repeated(host: LocalHost, tmp_path: Path) -> None:
    one, link = f"{tmp_path}/one", f"{tmp_path}/link"
    steps: list[KernelStep] = [MakeDirectory(path=one), MakeLink(path=link, target=one)]
    for step in (*steps, *steps):
        host.change_kernel(step)
    assert os.path.realpath(link) == one
    gone: list[KernelStep] = [RemoveLink(path=link), RemoveDirectory(path=one)]
    for step in (*gone, *gone):
        host.change_kernel(step)
    assert os.listdir(tmp_path) == []


def test_an_attribute_is_not_written_where_it_reads_so_already_nor_made(host: LocalHost, tmp_path: Path) -> None:
    path = tmp_path / "enable"
    with pytest.raises(NodeError):
        host.change_kernel(WriteAttribute(path=str(path), text="1"))
    path.write_text("1\n")
    os.utime(path, ns=(0, 0))
    host.change_kernel(WriteAttribute(path=str(path), text="1"))
    assert path.stat().st_mtime_ns == 0
    host.change_kernel(WriteAttribute(path=str(path), text="0"))
    assert path.read_text()[0] == "0"


def test_a_directory_in_use_stays_and_that_is_no_error_where_it_may(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "port" / "subsystem").mkdir(parents=True)
    path = str(tmp_path / "port")
    with pytest.raises(NodeError):
        host.change_kernel(RemoveDirectory(path=path))
    host.change_kernel(RemoveDirectory(path=path, unless_used=True))
    assert (tmp_path / "port" / "subsystem").is_dir()


def test_what_is_something_else_is_left_alone(host: LocalHost, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("data")
    (tmp_path / "one").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "file")
    for step in (
        MakeLink(path=f"{tmp_path}/file", target=f"{tmp_path}/one"),
        MakeLink(path=f"{tmp_path}/other", target=f"{tmp_path}/one"),
        RemoveLink(path=f"{tmp_path}/file"),
    ):
        with pytest.raises(WouldDestroy):
            host.change_kernel(step)
    with pytest.raises(NodeError):
        host.change_kernel(RemoveDirectory(path=f"{tmp_path}/file"))
    assert (tmp_path / "file").read_text() == "data"


def test_nothing_outside_is_changed(host: LocalHost, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    for path in (str(outside), f"{tmp_path}/../{outside.name}", f"{tmp_path}"):
        with pytest.raises(WouldDestroy):
            host.change_kernel(MakeDirectory(path=path))
    with pytest.raises(WouldDestroy):
        host.change_kernel(MakeLink(path=f"{tmp_path}/link", target="/etc"))
    assert not outside.exists()


def test_entries_are_read_by_pattern(host: LocalHost, tmp_path: Path) -> None:
    for name in ("nvme0", "nvme1", "loop0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state").write_text("live\n")
    (tmp_path / "link").symlink_to("nvme0")
    found = host.texts(f"{tmp_path}/nvme*/state", f"{tmp_path}/link", f"{tmp_path}/loop0", f"{tmp_path}/none")
    assert found == {
        f"{tmp_path}/nvme0/state": "live\n",
        f"{tmp_path}/nvme1/state": "live\n",
        f"{tmp_path}/link": "nvme0",
        f"{tmp_path}/loop0": "",
    }


def test_an_entry_that_the_kernel_makes_or_changes_later_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "size"
    kernel = Kernel(str(tmp_path), patience=20)
    for text, old in (("8", ""), ("16", "8")):
        (tmp_path / "next").write_text(text)
        later = threading.Timer(0.2, os.replace, (tmp_path / "next", path))
        later.start()
        kernel.change(AwaitEntry(path=str(path), other_than=old))
        assert path.read_text() == text
        later.join()
    with pytest.raises(NodeError, match="did not change"):
        Kernel(str(tmp_path), patience=0).change(AwaitEntry(path=str(path), other_than="16"))
