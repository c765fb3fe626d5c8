"""The other ways in which an engine finds the plugin: socket activation, a .spec file, TLS, and as a managed plugin."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import processes
from demo.cluster import PROGRAMS
from demo.file_systems import CAP_SYS_RESOURCE
from demo.temporary import temporary_cluster
from tests.docker import real_engine
from tests.docker.authority import Authority
from tests.docker.commands import IMAGE
from tests.docker.real_engine import DOCKERD, Engine

pytestmark = [
    pytest.mark.root,
    pytest.mark.docker,
    pytest.mark.skipif(not shutil.which(DOCKERD), reason="Docker is not installed: make test-docker installs it"),
]
PROJECT = Path(__file__).parents[2]
MANAGED = PROJECT / "dist" / "docker-plugin"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """One on alpha, that no plugin runs beside yet."""
    with temporary_cluster() as cluster:
        made = Engine(cluster, "alpha")
        try:
            made.start()
            made.load_image(real_engine.image(tmp_path_factory.mktemp("image") / "root"))
            yield made
        finally:
            made.end()


@pytest.fixture(autouse=True)
def nothing_is_left(engine: Engine) -> Iterator[None]:
    yield
    assert engine.plugin.cluster.backing_files() == []


def used(engine: Engine, driver: str, name: str) -> None:
    """The whole life of a volume."""
    engine.docker("volume", "create", "--driver", driver, "--opt", "nodes=alpha", name)
    mount = ("--rm", "--network", "none", "--volume", f"{name}:/data", "--volume-driver", driver, IMAGE)
    engine.docker("run", *mount, "/bin/sh", "-c", "echo foo > /data/x; sync")
    assert engine.docker("run", *mount, "/bin/cat", "/data/x") == "foo"
    found = json.loads(engine.docker("volume", "inspect", name))[0]
    assert (found["Scope"], found["Status"]["State"]) == ("global", "ok")
    engine.docker("volume", "rm", name)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(engine: Engine, name: str, *argv: str) -> processes.Program:
    folder = engine.plugin.folder
    return processes.start(engine.namespace.inside(*argv), folder / f"{name}.json", folder / f"{name}.log")


def program(engine: Engine) -> list[str]:
    return [str(PROGRAMS / "orlop-docker"), "--config", str(engine.plugin.configuration)]


def inside(engine: Engine, *argv: str) -> None:
    subprocess.run(engine.namespace.inside(*argv), check=True)


def test_the_socket_of_systemd(engine: Engine) -> None:
    """The engine waits in the queue of the socket until the plugin has started."""
    sockets = [word for name in ("active", "also") for word in ("--listen", f"/run/docker/plugins/{name}.sock")]
    running = start(engine, "activated", "/usr/bin/systemd-socket-activate", *sockets, *program(engine))
    try:
        engine.plugin.cluster.wait("the socket", lambda: (engine.namespace.plugins / "also.sock").exists())
        for driver in ("active", "also"):
            used(engine, driver, f"v-{driver}")
    finally:
        running.end()
    for name in ("active", "also"):
        (engine.namespace.plugins / f"{name}.sock").unlink()


@pytest.fixture
def etc_docker(engine: Engine) -> Iterator[Path]:
    """/etc/docker/plugins of the engine, here."""
    folder = engine.folder / "etc"
    (folder / "plugins").mkdir(parents=True)
    Path("/etc/docker").mkdir(exist_ok=True)
    inside(engine, "mount", "--bind", str(folder), "/etc/docker")
    yield folder / "plugins"
    inside(engine, "umount", "/etc/docker")
    shutil.rmtree(folder)


def test_a_spec_file_names_the_socket(engine: Engine, etc_docker: Path) -> None:
    """The one that is shipped, with another path."""
    at = engine.plugin.folder / "elsewhere.sock"
    shipped = (PROJECT / "packaging" / "docker" / "orlop.spec").read_text()
    (etc_docker / "spec.spec").write_text(shipped.replace("/run/orlop/docker.sock", str(at)))
    running = start(engine, "spec", *program(engine), "--socket", str(at))
    try:
        engine.plugin.cluster.wait("the socket", at.exists)
        used(engine, "spec", "v-spec")
    finally:
        running.end()


def test_certificates_on_both_sides(engine: Engine, etc_docker: Path) -> None:
    """The shipped file again; who has no certificate gets nothing."""
    port, authority = free_port(), Authority(etc_docker)
    for name in ("orlop-engine", "plugin"):
        authority.certify(name)
    shipped = json.loads((PROJECT / "packaging" / "docker" / "orlop.json").read_text())
    shipped["Addr"], shipped["Name"] = f"https://127.0.0.1:{port}", "tls"
    shipped["TLSConfig"] |= {
        name: str(etc_docker / Path(shipped["TLSConfig"][name]).name) for name in ("CAFile", "CertFile", "KeyFile")
    }
    (etc_docker / "tls.json").write_text(json.dumps(shipped))
    tls = ["--tls-cert", "plugin.pem", "--tls-key", "plugin.key", "--tls-ca", "orlop-ca.pem"]
    words = [str(etc_docker / word) if not word.startswith("-") else word for word in tls]
    listen = ["--listen", f"127.0.0.1:{port}", "--driver", "tls"]
    running = start(engine, "tls", *program(engine), *listen, *words)
    try:
        url = f"https://127.0.0.1:{port}/Plugin.Activate"
        curl = ["curl", "--silent", "--cacert", str(etc_docker / "orlop-ca.pem"), "--request", "POST", url]
        known = ["--cert", str(etc_docker / "orlop-engine.pem"), "--key", str(etc_docker / "orlop-engine.key")]
        engine.plugin.cluster.wait("the port", lambda: not subprocess.run([*curl, *known]).returncode)
        assert subprocess.run(curl).returncode != 0
        used(engine, "tls", "v-tls")
    finally:
        running.end()


def test_a_managed_plugin(engine: Engine, tmp_path: Path) -> None:
    if not MANAGED.exists():
        pytest.skip("there is no dist/docker-plugin: make docker-plugin makes it")
    folder = tmp_path / "plugin"
    subprocess.run(["cp", "--archive", str(MANAGED), str(folder)], check=True)  # nodes stay nodes
    _leave_out_what_this_machine_lacks(folder / "config.json")
    engine.docker("plugin", "create", "orlop/orlop:1", str(folder))
    shutil.rmtree(folder)
    cluster = engine.plugin.cluster
    settings = (f"ORLOP_DOCKER_CONTROLLERS={cluster.url}", "ORLOP_DOCKER_NODE=alpha", "ORLOP_DOCKER_DEFAULTS=size=64M")
    engine.docker("plugin", "set", "orlop/orlop:1", *settings)
    engine.docker("plugin", "enable", "orlop/orlop:1")
    try:
        used(engine, "orlop/orlop:1", "v-managed")
    finally:
        engine.docker("plugin", "disable", "--force", "orlop/orlop:1")
        engine.docker("plugin", "rm", "orlop/orlop:1")


def _leave_out_what_this_machine_lacks(file: Path) -> None:
    """Some containers and sandboxes have fewer capabilities than root has elsewhere."""
    status = Path("/proc/self/status").read_text()
    bounding = int(next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd:")), 16)
    if not bounding >> CAP_SYS_RESOURCE & 1:
        config = json.loads(file.read_text())
        config["linux"]["capabilities"].remove("CAP_SYS_RESOURCE")
        file.write_text(json.dumps(config))
