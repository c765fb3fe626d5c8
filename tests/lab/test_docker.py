"""Real Docker engines with the plugin on two nodes: volumes on LVM-thin, replicated by the kernel's DRBD 8.4."""

from __future__ import annotations

import pytest

from tests.docker.commands import IMAGE
from tests.lab.backings import BACKINGS, make
from tests.lab.cluster import Cluster
from tests.lab.docker import Engine
from tests.lab.node import GIB, Node
from tests.lab.replicated import FAST

NODES, DISKS = 2, (2 * GIB,)
THIN = next(backing for backing in BACKINGS if backing.name == "lvm-thin")


@pytest.fixture(scope="module")
def engines(cluster: Cluster) -> tuple[Engine, Engine]:
    cluster.orlop("controller set-property PrefNic private")
    for name, value in FAST.items():
        cluster.orlop(f"controller set-property {name} {value}")
    one, two = made = tuple(Engine(cluster, node) for node in cluster.nodes)

    def prepare(node: Node) -> None:
        make(node, THIN)
        cluster.orlop(f"node interface create {node.name} private {node.address}")
        cluster.client.create_storage_pool(node.name, "pool", THIN.kind, THIN.props)
        made[node.number - 1].install()

    cluster.lab.each(prepare)
    return one, two


@pytest.fixture(scope="module")
def one(engines: tuple[Engine, Engine]) -> Engine:
    """Its volume `data` has a replica on either node."""
    engines[0].create("data", "size=24M", "fsopts=-m 0")
    return engines[0]


@pytest.fixture(scope="module")
def two(engines: tuple[Engine, Engine]) -> Engine:
    return engines[1]


class Writer:
    """A container that writes numbers into a file, each on the disks before the next one, and what came of it."""

    def __init__(self, engine: Engine, file: str) -> None:
        self.engine, self.file = engine, file
        line = f"n=$((n+1)); echo $n >> /data/{file}; sync /data/{file}"
        engine.background("data", "writer", script=f"n=0; while true; do {line}; sleep 0.5; done")
        engine.on.wait_for("the container writes", lambda: self.written() > 0)

    def written(self, engine: Engine | None = None) -> int:
        """How many there are on the volume, that has to be mounted there; none is missing."""
        at = engine or self.engine
        return counted(at.on.shell(f"cat {at.place('data')}/{self.file}"))

    def goes_on(self) -> None:
        before = self.written()
        self.engine.on.wait_for("the container writes", lambda: self.written() > before + 1)

    def ended(self) -> int:
        """How many there were just before."""
        before = self.written()
        self.engine.docker("rm", "--force", "writer")
        return before


def counted(text: str) -> int:
    found = [int(line) for line in text.split()]
    assert found == list(range(1, len(found) + 1))
    return len(found)


def grows(cluster: Cluster, engine: Engine, volume: str, container: str, size: str) -> None:
    """And the container sees it."""
    blocks = ("stat", "-f", "-c", "%b")
    before = int(engine.on.run(*blocks, engine.place(volume)))
    cluster.orlop(f"volume-definition set-size {volume} 0 {size}")
    engine.on.wait_for("it grows", lambda: int(engine.on.run(*blocks, engine.place(volume))) > before * 1.1)
    assert int(engine.docker("exec", container, *blocks, "/data")) > before * 1.1


def test_one_node_uses_a_volume_at_a_time_and_the_other_reads_what_it_wrote(
    cluster: Cluster, one: Engine, two: Engine
) -> None:
    found = two.inspect("data")
    assert (found["Scope"], found["Status"]["FileSystem"]) == ("global", "ext4")
    assert sorted(found["Status"]["Replicas"]) == ["node1", "node2"]
    writer = Writer(one, "first")
    mount = ("--network", "none", "--volume", "data:/data", "--volume-driver", "orlop")
    assert "node1 has it mounted or open" in two.refused("run", "--rm", *mount, IMAGE, "/bin/true")
    grows(cluster, one, "data", "writer", "40M")
    writer.goes_on()
    assert writer.ended() <= counted(two.run("data", "cat /data/first"))


def test_copies_have_the_data(cluster: Cluster, one: Engine) -> None:
    """Of a replicated volume that nobody uses, and of one on LVM-thin alone, with xfs, while a container has it."""
    one.run("data", "echo monday > /data/day")
    cluster.orlop("snapshot create data s1")
    one.create("monday", "snapshot=data/s1")
    assert one.run("monday", "cat /data/day") == "monday"
    one.create("plain", "fs=xfs", "layers=storage", "nodes=node1")
    one.background("plain", "user")
    one.docker("exec", "user", "/bin/sh", "-c", "echo tuesday > /data/day; sync /data/day")
    grows(cluster, one, "plain", "user", "360M")
    one.create("tuesday", "from=plain")
    assert one.run("tuesday", "cat /data/day") == "tuesday"
    one.docker("rm", "--force", "user")
    cluster.orlop("snapshot delete data s1")


def test_the_engine_and_the_plugin_are_killed_while_a_container_writes(one: Engine, two: Engine) -> None:
    writer = Writer(one, "second")
    for name in ("plugin", "engine"):
        one.kill(name)
        writer.goes_on()
        one.start(name)
        writer.goes_on()
    assert writer.ended() <= counted(two.run("data", "cat /data/second"))


def test_a_node_loses_power_under_a_container_and_the_other_takes_over(
    cluster: Cluster, one: Engine, two: Engine
) -> None:
    replicas = {"node1": "UpToDate", "node2": "UpToDate"}
    cluster.wait("both have everything", lambda: two.inspect("data")["Status"]["Replicas"] == replicas)
    writer = Writer(one, "third")
    writer.goes_on()
    safe = writer.written() - 1  # the last of them may not be on the disks yet
    one.on.kill()
    two.background("data", "heir")
    assert 0 < safe <= writer.written(two)
    two.docker("exec", "heir", "/bin/sh", "-c", "echo wednesday > /data/day; sync /data/day")
    cluster.start_node(one.on)
    one.docker("rm", "writer")
    cluster.wait("both have everything again", lambda: two.inspect("data")["Status"]["Replicas"] == replicas)
    two.docker("rm", "--force", "heir")
    assert one.run("data", "cat /data/day") == "wednesday"


def test_nothing_is_left_of_what_is_removed(one: Engine, two: Engine) -> None:
    there = one.volumes()
    one.docker("volume", "prune", "--force")
    assert one.volumes() == there != []
    two.docker("volume", "rm", *there)
    assert one.volumes() == []
    for engine in (one, two):
        assert set(engine.left().values()) == {""}, engine.left()
