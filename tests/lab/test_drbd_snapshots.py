"""Snapshots of volumes that DRBD replicates: of one moment on both nodes, and whatever dies, I/O goes on."""

from __future__ import annotations

import base64
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.client import ApiError, NewResource
from orlop.client.values import Resource
from tests.lab.backings import BACKINGS, make
from tests.lab.cluster import Cluster
from tests.lab.node import GIB, Node
from tests.lab.pair_writer import BLOCK, PLACES
from tests.lab.replicated import FAST
from tests.lab.volumes import take

NODES, DISKS = 2, (1 * GIB,)
BACKING = next(backing for backing in BACKINGS if backing.name == "thin-xfs")
POOL = Path(BACKING.props["StorDriver/StorPoolName"])
WRITER = Path(__file__).with_name("pair_writer.py")
SIZE = 8  # MiB of each volume
FAILURES = {"FAILED_DEPLOYMENT", "FAILED_DISCONNECT"}


class Replicated:
    """A resource with two volumes on both nodes. What they hold is read below DRBD."""

    def __init__(self, cluster: Cluster, name: str) -> None:
        self.cluster, self.client, self.name = cluster, cluster.client, name
        self.one, self.two = cluster.nodes
        self._writer: int | None = None

    def deploy(self) -> Replicated:
        self.client.create_resource_definition(self.name, layers=["DRBD", "STORAGE"], props=FAST)
        for _ in range(2):
            self.client.create_volume_definition(self.name, SIZE << 10)
        for node in self.cluster.nodes:
            self.client.create_resource(self.name, NewResource(node=node.name, storage_pool="pool"))
        return self.synchronized()

    def on(self, node: Node) -> Resource:
        return next(r for r in self.client.resources([self.name]) if r.node_name == node.name)

    def synchronized(self) -> Replicated:
        def done() -> bool:
            volumes = [v for node in self.cluster.nodes for v in self.on(node).volumes]
            return len(volumes) == 4 and all(
                v.state.disk_state == "UpToDate"
                and {s.replication_state for s in v.state.replication_states.values()} == {"Established"}
                for v in volumes
            )

        self.cluster.wait(f"{self.name} is synchronized", done, 300)
        return self

    def write_pairs(self) -> None:
        self.one.run("drbdadm", "primary", self.name)
        self.one.put("/tmp/pair_writer.py", WRITER.read_text())
        devices = [f"/dev/drbd/by-res/{self.name}/{n}" for n in (0, 1)]
        self._writer = self.one.start_program("python3", "/tmp/pair_writer.py", *devices, log="/tmp/writer.log")
        self.is_written()

    def is_written(self) -> None:
        before = self.newest(self.one)
        self.cluster.wait("somebody writes", lambda: self.newest(self.one) != before)

    def stop_writing(self) -> None:
        if self._writer is not None:
            self.one.stop_program(self._writer, signal.SIGKILL)
            self._writer = None
        self.cluster.wait("nobody holds it", lambda: self.one.run("drbdadm", "secondary", self.name) == "")

    def use(self) -> None:
        """I/O goes through."""
        self.write_pairs()
        self.stop_writing()

    def path(self, number: int, snapshot: str) -> Path:
        return POOL / (f"{self.name}_{number:05d}" + (f".{snapshot}" if snapshot else ""))

    def newest(self, node: Node, snapshot: str = "") -> tuple[int, int]:
        """Highest number on each volume."""
        found = []
        for number in (0, 1):
            read = f"dd if={self.path(number, snapshot)} bs={BLOCK} count={PLACES} status=none | base64"
            data = base64.b64decode(node.shell(read))
            found.append(max(int.from_bytes(data[at : at + 8], "big") for at in range(0, len(data), BLOCK)))
        return found[0], found[1]

    def hashes(self, node: Node, snapshot: str = "") -> list[str]:
        """Of the data of both volumes, without what DRBD has at the end."""
        paths = [self.path(number, snapshot) for number in (0, 1)]
        return [node.shell(f"dd if={path} bs=1M count={SIZE} status=none | sha256sum").split()[0] for path in paths]

    def take(self, snapshot: str) -> None:
        take(self.client, self.name, snapshot)

    def flags(self, snapshot: str) -> set[str]:
        return {flag for s in self.client.snapshots_of(self.name) if s.name == snapshot for flag in s.flags}

    def is_suspended(self, node: Node) -> bool:
        return f"name:{self.name} role" in (told := _events(node)) and "suspended:user" in told

    def nothing_is_suspended(self) -> None:
        for node in self.cluster.nodes:
            self.goes_on(node)

    def goes_on(self, node: Node) -> None:
        self.cluster.wait(f"I/O goes on on {node.name}", lambda: "suspended:user" not in _events(node))

    def delete(self) -> None:
        for snapshot in self.client.snapshots_of(self.name):
            self.client.delete_snapshot(self.name, snapshot.name)
        self.client.delete_resource_definition(self.name)


def _events(node: Node) -> str:
    return node.run("drbdsetup", "events2", "--now")


@pytest.fixture(scope="module")
def web(cluster: Cluster) -> Iterator[Replicated]:
    cluster.orlop("controller set-property PrefNic private")
    for number, node in enumerate(cluster.nodes, 1):
        cluster.orlop(f"node interface create {node.name} private 10.77.0.{number}")
        make(node, BACKING)
        cluster.client.create_storage_pool(node.name, "pool", BACKING.kind, dict(BACKING.props))
    made = Replicated(cluster, "web").deploy()
    yield made
    made.delete()
    for node in cluster.nodes:
        cluster.wait("nothing is left", lambda node=node: _events(node) == "exists -\n")
        left = node.shell(f"ls {POOL} /var/lib/orlop/drbd /var/lib/orlop/satellite; pgrep -f satellite.guard || true")
        assert "web" not in left


@pytest.fixture
def written(web: Replicated) -> Iterator[Replicated]:
    """After somebody wrote pairs, and closed it: DRBD 8.4 is not suspended while it is used."""
    web.use()
    yield web
    web.stop_writing()
    web.synchronized()
    for snapshot in web.client.snapshots_of(web.name):
        web.client.delete_snapshot(web.name, snapshot.name)


def begin(written: Replicated, snapshot: str, node: Node) -> None:
    """Returns while I/O is suspended there for a snapshot that is being taken."""
    written.cluster.in_background(lambda: written.client.create_snapshot(written.name, snapshot))
    written.cluster.wait("it is suspended", lambda: written.is_suspended(node))


def test_a_snapshot_and_its_copy_are_of_one_moment_on_both_nodes(written: Replicated) -> None:
    one, two = written.one, written.two
    for snapshot in ("first", "second", "third"):
        written.take(snapshot)
        written.nothing_is_suspended()
        assert written.flags(snapshot) == {"SUCCESSFUL"}
        written.use()
        first, second = written.newest(one, snapshot)
        assert first - second in (0, 1), "a later write without an earlier one"
        assert written.hashes(one, snapshot) == written.hashes(two, snapshot)
    copy = Replicated(written.cluster, "copy")
    copy.client.create_resource_definition("copy", layers=["DRBD", "STORAGE"], props=FAST)
    copy.client.restore_volume_definitions(written.name, "third", "copy")
    copy.client.restore_resource(written.name, "third", "copy")
    copy.synchronized()
    for node in (one, two):
        assert copy.hashes(node) == written.hashes(one, "third")
        assert not _resynchronized(node, "copy"), "they are known to hold the same"
    assert copy.newest(one) == written.newest(one, "third")
    copy.delete()
    clone = Replicated(written.cluster, "clone")
    clone.client.clone_resource_definition(written.name, "clone")
    clone.synchronized()
    assert clone.client.clone_status(written.name, "clone") == "COMPLETE"
    assert clone.hashes(one) == clone.hashes(two) == written.hashes(one)
    assert not any(_resynchronized(node, "clone") for node in (one, two))
    clone.delete()


def _resynchronized(node: Node, name: str) -> list[str]:
    """What the kernel said of data that was sent for a resource of that name."""
    log = node.shell("dmesg")
    return [line for line in log.splitlines() if f"drbd {name}" in line and "Resync done" in line]


def test_what_is_used_is_refused(written: Replicated) -> None:
    written.write_pairs()
    written.cluster.wait("it is known to be in use", lambda: written.on(written.one).state.in_use)
    with pytest.raises(ApiError, match="while it is used"):
        written.client.create_snapshot(written.name, "busy")
    written.is_written()


def test_it_goes_back(written: Replicated) -> None:
    written.take("then")
    before = written.hashes(written.one, "then")
    written.use()
    assert written.hashes(written.one) != before
    written.client.rollback_snapshot(written.name, "then")
    written.synchronized()
    assert written.hashes(written.one) == written.hashes(written.two) == before


def test_a_satellite_that_is_killed_leaves_nothing_suspended(written: Replicated) -> None:
    begin(written, "killed", written.one)
    written.cluster.stop_satellite(written.one, signal.SIGKILL)
    written.nothing_is_suspended()
    written.use()
    written.cluster.start_satellite(written.one)
    written.cluster.wait_online(written.one)
    written.cluster.wait("it counts as failed", lambda: written.flags("killed") & FAILURES)


def test_a_controller_that_is_killed_leaves_nothing_suspended(written: Replicated) -> None:
    begin(written, "orphaned", written.one)
    written.cluster.kill_controller()
    written.nothing_is_suspended()
    written.use()
    written.cluster.start_controller()
    written.cluster.wait_online(*written.cluster.nodes)
    written.cluster.wait("it counts as failed", lambda: written.flags("orphaned") & FAILURES)


def test_a_node_that_loses_power_leaves_nothing_suspended(written: Replicated) -> None:
    written.two.crash_at("drbdsetup suspend-io", after=True)
    written.cluster.in_background(lambda: written.client.create_snapshot(written.name, "dark"))
    written.two.wait_until_off()
    written.goes_on(written.one)
    written.use()
    written.cluster.start_node(written.two)
    written.nothing_is_suspended()
    written.cluster.wait("it counts as failed", lambda: written.flags("dark") & FAILURES)
    written.synchronized()
