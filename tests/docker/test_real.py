"""The program with real mounts of real volumes: file systems that satellites made, on loop devices."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import file_systems
from demo.cluster import Cluster
from demo.temporary import temporary_cluster
from tests.docker.engine import Engine
from tests.docker.node import PluginProgram

pytestmark = pytest.mark.root
ID, OTHER = "a" * 64, "b" * 64


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with temporary_cluster() as running:
        yield running


@pytest.fixture
def alpha(cluster: Cluster) -> Iterator[PluginProgram]:
    yield from started(cluster, "alpha")


@pytest.fixture
def bravo(cluster: Cluster) -> Iterator[PluginProgram]:
    yield from started(cluster, "bravo")


def started(cluster: Cluster, node: str) -> Iterator[PluginProgram]:
    plugin = PluginProgram(cluster, node)
    plugin.start()
    yield plugin
    plugin.end()


@pytest.fixture(autouse=True)
def nothing_is_left(cluster: Cluster) -> Iterator[None]:
    yield
    for definition in cluster.get("/v1/resource-definitions"):
        cluster.orlop(f"resource-definition delete {definition['name']}")
    assert cluster.backing_files() == []


def create(engine: Engine, name: str, **opts: str) -> None:
    assert engine.call("Create", Name=name, Opts={"nodes": "alpha", **opts}).error == ""


def copy(engine: Engine, name: str, **opts: str) -> None:
    assert engine.call("Create", Name=name, Opts=opts).error == ""


def mount(engine: Engine, name: str, mount_id: str = ID) -> Path:
    answer = engine.call("Mount", Name=name, ID=mount_id)
    assert answer.error == ""
    return Path(answer.body["Mountpoint"])


def unmount(engine: Engine, name: str, mount_id: str = ID) -> None:
    assert engine.call("Unmount", Name=name, ID=mount_id).error == ""


def remove(engine: Engine, *names: str) -> None:
    for name in names:
        assert engine.call("Remove", Name=name).error == ""


def kind(at: Path) -> str:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    return next((line.split()[2] for line in lines if line.split()[1] == str(at.parent)), "")


def soon(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.2)


@pytest.mark.parametrize("fs", ["ext4", "xfs"])
def test_what_is_written_is_there_again(alpha: PluginProgram, fs: str) -> None:
    engine = alpha.engine()
    create(engine, "v1", fs=fs, size="200", mountopts="noatime")
    at = mount(engine, "v1")
    assert kind(at) == fs
    assert list(at.iterdir()) == []  # no lost+found: the engine copies an image's content into an empty folder only
    (at / "text").write_text("foo")
    unmount(engine, "v1")
    assert not at.exists()
    assert mount(engine, "v1") == at
    assert (at / "text").read_text() == "foo"
    unmount(engine, "v1")
    remove(engine, "v1")


def test_owner_and_mode(alpha: PluginProgram) -> None:
    engine = alpha.engine()
    create(engine, "v1", uid="1234", gid="4321", mode="2770")
    status = mount(engine, "v1").stat()
    assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (1234, 4321, 0o2770)
    unmount(engine, "v1")
    remove(engine, "v1")


def test_options_of_mkfs_reach_the_satellite(alpha: PluginProgram) -> None:
    engine = alpha.engine()
    create(engine, "v1", fsopts="-N 100 -L data")
    inodes = os.statvfs(mount(engine, "v1")).f_files
    assert inodes < 1000
    unmount(engine, "v1")
    remove(engine, "v1")


def test_where_nothing_is_mounted_nothing_can_be_written(alpha: PluginProgram) -> None:
    """The folder below is closed, and `data` is not in it."""
    engine = alpha.engine()
    create(engine, "v1")
    at = mount(engine, "v1")
    alpha.cluster.run(f"umount {at.parent}")
    assert at.parent.stat().st_mode & 0o777 == 0
    assert not at.exists()
    with pytest.raises(FileNotFoundError):
        (at / "text").write_text("lost")
    assert mount(engine, "v1", OTHER) == at
    assert kind(at) == "ext4"
    unmount(engine, "v1", OTHER)
    unmount(engine, "v1", ID)
    remove(engine, "v1")


def test_a_plugin_that_is_killed_goes_on_where_it_was(alpha: PluginProgram) -> None:
    engine = alpha.engine()
    create(engine, "v1")
    at = mount(engine, "v1")
    mount(engine, "v1", OTHER)
    alpha.kill()
    (at / "text").write_text("still here")
    alpha.start()
    engine = alpha.connect()
    assert engine.call("Get", Name="v1").body["Volume"]["Mountpoint"] == str(at)
    unmount(engine, "v1")
    assert (at / "text").read_text() == "still here"
    unmount(engine, "v1", OTHER)
    assert not at.exists()
    remove(engine, "v1")


def test_a_busy_volume_is_kept(alpha: PluginProgram) -> None:
    engine = alpha.engine()
    create(engine, "v1")
    at = mount(engine, "v1")
    with (at / "text").open("w"):
        assert "in use" in engine.call("Remove", Name="v1").error
        assert at.exists()
    remove(engine, "v1")


def test_a_volume_in_use_on_another_node_is_refused(alpha: PluginProgram, bravo: PluginProgram) -> None:
    one, other = alpha.engine(), bravo.engine()
    create(one, "v1")
    mount(one, "v1")
    assert [each["Name"] for each in other.call("List").body["Volumes"]] == ["v1"]
    soon(lambda: other.call("Get", Name="v1").body["Volume"]["Status"]["InUse"] == ["alpha"])
    assert "alpha has it mounted" in other.call("Remove", Name="v1").error
    assert "alpha has it mounted" in other.call("Mount", Name="v1", ID=ID).error
    unmount(one, "v1")
    assert "is on alpha and cannot be reached from 'bravo'" in other.call("Mount", Name="v1", ID=ID).error
    remove(other, "v1")


def test_a_file_system_grows_while_it_is_mounted(alpha: PluginProgram) -> None:
    system = file_systems.growing()
    engine = alpha.engine()
    create(engine, "v1", fs="ext4" if system is file_systems.EXT4 else "xfs", size=system.size)
    at = mount(engine, "v1")
    before = os.statvfs(at).f_blocks
    alpha.cluster.orlop(f"volume-definition set-size v1 0 {system.grown}")
    soon(lambda: os.statvfs(at).f_blocks > before * 1.15)
    unmount(engine, "v1")
    remove(engine, "v1")


@pytest.mark.parametrize("fs", ["ext4", "xfs"])
def test_a_clone_and_a_restored_snapshot_are_used_beside_their_source(alpha: PluginProgram, fs: str) -> None:
    engine = alpha.engine()
    create(engine, "v1", fs=fs, size="320M")
    at = mount(engine, "v1")
    (at / "text").write_text("monday")
    unmount(engine, "v1")
    alpha.cluster.orlop("snapshot create v1 monday")
    mount(engine, "v1")
    (at / "text").write_text("tuesday")
    unmount(engine, "v1")
    copy(engine, "clone", **{"from": "v1", "size": "400M"})
    copy(engine, "restored", snapshot="v1/monday")
    found = {name: mount(engine, name) for name in ("v1", "clone", "restored")}
    texts = {name: (at / "text").read_text() for name, at in found.items()}
    assert texts == {"v1": "tuesday", "clone": "tuesday", "restored": "monday"}
    if fs == "xfs":
        assert os.statvfs(found["clone"]).f_blocks > os.statvfs(found["v1"]).f_blocks * 1.15
    for name in found:
        unmount(engine, name)
    assert "monday" in engine.call("Remove", Name="v1").error
    alpha.cluster.orlop("snapshot delete v1 monday")
    remove(engine, "v1", "clone", "restored")


def test_an_ending_plugin_leaves_volumes_mounted(alpha: PluginProgram) -> None:
    engine = alpha.engine()
    create(engine, "v1")
    at = mount(engine, "v1")
    alpha.end()
    assert kind(at) == "ext4"
    assert not alpha.socket.exists()
    alpha.start()
    unmount(alpha.connect(), "v1")
    remove(alpha.connect(), "v1")
