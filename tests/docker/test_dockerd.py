"""Two real engines on two nodes of a real cluster, with the plugin between them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import file_systems
from demo.cluster import Cluster
from demo.temporary import temporary_cluster
from tests.docker import real_engine
from tests.docker.commands import IMAGE
from tests.docker.real_engine import DOCKERD, Engine

pytestmark = [
    pytest.mark.root,
    pytest.mark.docker,
    pytest.mark.skipif(not shutil.which(DOCKERD), reason="Docker is not installed: make test-docker installs it"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with temporary_cluster() as running:
        yield running


@pytest.fixture(scope="module")
def engines(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Engine, Engine]]:
    root = real_engine.image(tmp_path_factory.mktemp("image") / "root")
    made = (Engine(cluster, "alpha"), Engine(cluster, "bravo"))
    try:
        for engine in made:
            engine.plugin.start()
            engine.start()
            engine.load_image(root)
        yield made
    finally:
        for engine in made:
            engine.end()


@pytest.fixture
def alpha(engines: tuple[Engine, Engine]) -> Engine:
    return engines[0]


@pytest.fixture
def bravo(engines: tuple[Engine, Engine]) -> Engine:
    return engines[1]


@pytest.fixture(autouse=True)
def nothing_is_left(cluster: Cluster, engines: tuple[Engine, Engine]) -> Iterator[None]:
    yield
    for engine in engines:
        if found := engine.docker("ps", "--all", "--quiet").split():
            engine.docker("rm", "--force", *found)
    if volumes := engines[0].docker("volume", "ls", "--quiet").split():
        engines[0].docker("volume", "rm", "--force", *volumes)
    assert cluster.backing_files() == []


def soon(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not done():
        assert time.monotonic() < until
        time.sleep(0.2)


def test_create_write_read_and_remove(alpha: Engine, bravo: Engine) -> None:
    alpha.create("lsvol", "size=200", "hosts=alpha")
    assert alpha.run("lsvol", "echo foo > /data/test.txt; sync") == ""
    assert alpha.run("lsvol", "cat /data/test.txt") == "foo"
    assert alpha.volumes() == bravo.volumes() == ["lsvol"]
    found = bravo.inspect("lsvol")
    assert (found["Scope"], found["Driver"]) == ("global", "orlop")
    assert str(found["CreatedAt"]).startswith("20")
    status = found["Status"]
    assert (status["Size"], status["FileSystem"], list(status["Replicas"])) == ("200 MiB", "ext4", ["alpha"])
    assert bravo.docker("volume", "rm", "lsvol") == "lsvol"
    assert alpha.volumes() == bravo.volumes() == []


def test_where_the_data_cannot_be_reached_a_container_does_not_start(alpha: Engine, bravo: Engine) -> None:
    alpha.create("lsvol", "hosts=alpha")
    mount = ("--volume", "lsvol:/data", "--network", "none", IMAGE, "/bin/sh", "-c", "echo x > /data/lost")
    said = bravo.refused("run", "--rm", *mount)
    assert "The data of 'lsvol' is on alpha and cannot be reached from 'bravo'" in said
    assert alpha.run("lsvol", "ls /data") == ""


def test_what_is_used_on_one_node_is_refused_on_the_other(alpha: Engine, bravo: Engine) -> None:
    alpha.create("lsvol", "hosts=alpha")
    alpha.background("lsvol", "user")
    soon(lambda: "alpha" in str(bravo.inspect("lsvol")["Status"]["InUse"]))
    assert "alpha has it mounted" in bravo.refused("volume", "rm", "lsvol")
    assert "alpha has it mounted" in bravo.refused("run", "--rm", "--volume", "lsvol:/data", IMAGE, "/bin/true")
    assert "volume is in use" in alpha.refused("volume", "rm", "lsvol")


def test_a_container_makes_its_volume_itself(alpha: Engine) -> None:
    mount = "type=volume,source=made,target=/data,volume-driver=orlop,volume-opt=size=64M,volume-opt=nodes=alpha"
    words = ("run", "--rm", "--network", "none", "--mount", mount, IMAGE, "/bin/sh", "-c", "echo hi > /data/x")
    alpha.docker(*words)
    assert alpha.volumes() == ["made"]


def test_the_old_name_of_the_driver(alpha: Engine, bravo: Engine) -> None:
    assert alpha.docker("volume", "create", "-d", "linstor", "--opt", "fs=xfs", "--opt", "size=200", "old") == "old"
    assert alpha.run("old", "echo foo > /data/test.txt", "--volume-driver", "linstor") == ""
    assert alpha.inspect("old")["Driver"] == "linstor"
    assert bravo.inspect("old")["Driver"] == "linstor"
    assert bravo.volumes() == []
    alpha.docker("volume", "rm", "old")


def test_a_file_system_grows_under_a_running_container(cluster: Cluster, alpha: Engine) -> None:
    system = file_systems.growing()
    fs = "ext4" if system is file_systems.EXT4 else "xfs"
    alpha.create("lsvol", f"size={system.size}", f"fs={fs}", "hosts=alpha")
    alpha.background("lsvol", "user")

    def blocks() -> int:
        return int(alpha.docker("exec", "user", "/bin/stat", "-f", "-c", "%b", "/data"))

    before = blocks()
    cluster.orlop(f"volume-definition set-size lsvol 0 {system.grown}")
    soon(lambda: blocks() > before * 1.15)


def test_snapshots_and_clones(cluster: Cluster, alpha: Engine) -> None:
    alpha.create("lsvol", "hosts=alpha")
    alpha.run("lsvol", "echo monday > /data/day; sync")
    cluster.orlop("snapshot create lsvol s1")
    alpha.run("lsvol", "echo tuesday > /data/day; sync")
    alpha.create("clone", "from=lsvol")
    alpha.create("restored", "snapshot=lsvol/s1")
    days = [alpha.run(name, "cat /data/day") for name in ("lsvol", "clone", "restored")]
    assert days == ["tuesday", "tuesday", "monday"]
    assert "s1" in alpha.refused("volume", "rm", "lsvol")
    cluster.orlop("snapshot delete lsvol s1")


def test_copying_files_into_a_running_container(alpha: Engine, tmp_path: Path) -> None:
    alpha.create("lsvol", "hosts=alpha")
    alpha.background("lsvol", "user")
    (tmp_path / "file").write_text("copied")
    alpha.docker("cp", str(tmp_path / "file"), "user:/data/file")
    alpha.docker("cp", "user:/data/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_text() == "copied"
    alpha.docker("restart", "--time", "0", "user")
    assert alpha.docker("exec", "user", "/bin/cat", "/data/file") == "copied"
    assert alpha.inspect("lsvol")["Mountpoint"] != ""


def test_two_containers_share_a_volume(alpha: Engine) -> None:
    alpha.create("lsvol", "hosts=alpha")
    alpha.background("lsvol", "one")
    alpha.background("lsvol", "two")
    alpha.docker("exec", "one", "/bin/sh", "-c", "echo shared > /data/x")
    alpha.docker("rm", "--force", "one")
    assert alpha.docker("exec", "two", "/bin/cat", "/data/x") == "shared"
    assert alpha.inspect("lsvol")["Mountpoint"] != ""
    alpha.docker("rm", "--force", "two")
    assert alpha.inspect("lsvol")["Mountpoint"] == ""


def test_the_plugin_is_killed_under_a_running_container(alpha: Engine) -> None:
    alpha.create("lsvol", "hosts=alpha")
    alpha.background("lsvol", "user")
    alpha.plugin.kill()
    alpha.docker("exec", "user", "/bin/sh", "-c", "echo alive > /data/x")
    alpha.plugin.start()
    assert alpha.docker("exec", "user", "/bin/cat", "/data/x") == "alive"
    alpha.docker("restart", "--time", "0", "user")
    assert alpha.docker("exec", "user", "/bin/cat", "/data/x") == "alive"
    alpha.docker("rm", "--force", "user")
    assert alpha.inspect("lsvol")["Mountpoint"] == ""


@pytest.mark.parametrize("crash", [False, True], ids=["stopped", "killed"])
def test_the_engine_is_restarted_with_a_running_container(alpha: Engine, crash: bool) -> None:
    alpha.create("lsvol", "hosts=alpha")
    alpha.background("lsvol", "user")
    alpha.docker("exec", "user", "/bin/sh", "-c", "echo kept > /data/x")
    if crash:
        alpha.kill()
    else:
        alpha.stop()
    alpha.start()
    alpha.docker("start", "user")
    assert alpha.docker("exec", "user", "/bin/cat", "/data/x") == "kept"
    alpha.docker("rm", "--force", "user")
    assert alpha.inspect("lsvol")["Mountpoint"] == ""
    alpha.docker("volume", "rm", "lsvol")


def test_a_container_outlives_its_engine(alpha: Engine, tmp_path: Path) -> None:
    """With live-restore: the new engine unmounts with the id that the old one mounted with."""
    alpha.stop()
    alpha.start("--live-restore")
    alpha.create("lsvol", "hosts=alpha")
    alpha.background("lsvol", "user")
    alpha.kill()
    alpha.start("--live-restore")
    alpha.docker("exec", "user", "/bin/sh", "-c", "echo alive > /data/x")
    alpha.docker("cp", "user:/data/x", str(tmp_path / "x"))
    assert (tmp_path / "x").read_text() == "alive\n"
    assert alpha.docker("exec", "user", "/bin/cat", "/data/x") == "alive"
    alpha.docker("rm", "--force", "user")
    assert alpha.run("lsvol", "cat /data/x") == "alive"
    alpha.docker("volume", "rm", "lsvol")
    alpha.stop()
    alpha.start()


def test_a_volume_of_a_killed_engine_whose_container_is_removed(alpha: Engine) -> None:
    alpha.create("lsvol", "hosts=alpha")
    alpha.background("lsvol", "user")
    alpha.kill()
    alpha.start()
    alpha.docker("rm", "--force", "user")
    alpha.docker("volume", "rm", "lsvol")
    assert alpha.volumes() == []


def test_pruning_leaves_volumes_of_the_cluster(alpha: Engine) -> None:
    alpha.create("lsvol", "hosts=alpha")
    alpha.docker("volume", "prune", "--force")
    assert alpha.volumes() == ["lsvol"]


def test_refusals_are_read_by_the_user_as_they_are(alpha: Engine) -> None:
    def create_refused(*options: str) -> str:
        return alpha.refused("volume", "create", "-d", "orlop", *options, "lsvol")

    assert "create lsvol: size=big cannot be used" in create_refused("--opt", "size=big")
    assert "there is no option 'sise'" in create_refused("--opt", "sise=1G")
    assert "fsopts: '/dev/sda'" in create_refused("--opt", "fsopts=/dev/sda")
    assert "do not replicate" in create_refused("--opt", "replicas=2")
    assert "there is no node nowhere" in create_refused("--opt", "nodes=nowhere")
    assert alpha.volumes() == []


def test_content_of_the_image_is_copied_into_a_new_volume(alpha: Engine) -> None:
    """The engine does so only where the volume is empty: `lost+found` would stand in the way."""
    alpha.create("lsvol", "hosts=alpha")
    words = ("run", "--rm", "--network", "none", "--volume", "lsvol:/bin", IMAGE, "/bin/sh", "-c", "ls /bin")
    assert "busybox" in alpha.docker(*words)
    assert "busybox" in alpha.run("lsvol", "ls /data")
