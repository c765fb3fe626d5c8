"""A volume on one node and its user on another, over NVMe-TCP between two real kernels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orlop.client import Changes, ClientError, NewResource
from tests.lab.cluster import Cluster
from tests.lab.lab import Lab
from tests.lab.node import Node

NODES = 2
NVMET = "/sys/kernel/config/nvmet"
MIB = 1 << 20
MOUNT = "/mnt/nvme"
STACK = ("NVME", "STORAGE")
CHEAP = {"StorDriver/LuksFormatOptions": "--pbkdf pbkdf2 --pbkdf-force-iterations 1000"}


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Cluster]:
    """Nodes with a net between them that is preferred, and a thin pool on the first."""
    with Cluster(lab) as running:
        first = lab.nodes[0]
        disk = first.disks[0].path
        first.shell(f"vgcreate -q vg0 {disk}; lvcreate -q -T -L 1g vg0/thin")
        for node in lab.nodes:
            running.orlop(f"node interface create {node.name} between {node.address}")
        running.wait_online(*lab.nodes)
        running.orlop("controller set-property PrefNic between")
        running.client.create_storage_pool(first.name, "thin", "LVM_THIN", {"StorDriver/StorPoolName": "vg0/thin"})
        yield running


@pytest.fixture
def target(cluster: Cluster) -> Node:
    return cluster.nodes[0]


@pytest.fixture
def initiator(cluster: Cluster) -> Node:
    return cluster.nodes[1]


@pytest.fixture
def shared(cluster: Cluster, target: Node, initiator: Node) -> Iterator[str]:
    """64 MiB with random data on the first node, reached from the second."""
    make(cluster, "web", target, initiator)
    write(cluster, "web", initiator)
    yield "web"
    initiator.attempt("umount", MOUNT)
    cluster.wait("nobody uses it", lambda: not cluster.client.resource("web", initiator.name).state.in_use)
    cluster.client.delete_resource_definition("web")
    assert left_behind(target, initiator) == []


def make(cluster: Cluster, name: str, target: Node, initiator: Node, layers: tuple[str, ...] = STACK) -> None:
    cluster.client.create_resource_definition(name, layers=list(layers))
    cluster.client.create_volume_definition(name, 64 << 10)
    cluster.client.create_resource(name, NewResource(node=target.name, storage_pool="thin"))
    cluster.orlop(f"resource create {initiator.name} {name} --nvme-initiator")
    cluster.wait("it is reached", lambda: cluster.device(name, initiator))


def write(cluster: Cluster, name: str, node: Node) -> None:
    block = ("bs=1M", "count=64", "oflag=direct", "conv=notrunc,fsync", "status=none")
    node.run("dd", "if=/dev/urandom", f"of={cluster.device(name, node)}", *block)


def digest(cluster: Cluster, name: str, node: Node) -> str:
    """Of the first 64 MiB, read from the device and not from memory."""
    device = cluster.device(name, node)
    return node.shell(f"dd if={device} bs=1M count=64 iflag=direct status=none | sha256sum").split()[0]


def size(cluster: Cluster, name: str, node: Node) -> int:
    return int(node.run("blockdev", "--getsize64", cluster.device(name, node)))


def left_behind(target: Node, initiator: Node) -> list[str]:
    tree = target.shell(f"cd {NVMET} && find subsystems ports hosts -mindepth 1 -maxdepth 1").split()
    volumes = target.run("lvs", "--noheadings", "-o", "lv_name").split()
    connected = initiator.shell("cat /sys/class/nvme/*/subsysnqn 2>/dev/null || true").split()
    return [*tree, *connected, *(name for name in volumes if name != "thin")]


def mount(cluster: Cluster, node: Node) -> None:
    device = cluster.device("web", node)
    node.shell(f"mkfs.ext4 -q -F {device}; mkdir -p {MOUNT}; mount {device} {MOUNT}")
    cluster.wait("it is known to be in use", lambda: cluster.client.resource("web", node.name).state.in_use)


def test_what_the_initiator_writes_is_on_the_target(
    cluster: Cluster, target: Node, initiator: Node, shared: str
) -> None:
    assert digest(cluster, shared, initiator) == digest(cluster, shared, target)
    shown = cluster.client.resource(shared, initiator.name)
    assert {"DISKLESS", "NVME_INITIATOR"} <= set(shown.flags)


def test_only_the_hosts_of_initiators_are_let_in(cluster: Cluster, target: Node, initiator: Node, shared: str) -> None:
    name = target.run("ls", f"{NVMET}/subsystems").strip()
    where = ("-t", "tcp", "-a", target.address, "-s", "4420", "-n", name)
    identity = ("-q", "nqn.2014-08.org.nvmexpress:uuid:11111111-2222-4333-8444-555555555555")
    stranger = initiator.attempt("nvme", "connect", *where, *identity, "-I", "11111111-2222-4333-8444-555555555555")
    assert stranger.code != 0
    assert target.run("cat", f"{NVMET}/subsystems/{name}/attr_allow_any_host") == "0\n"
    assert digest(cluster, shared, initiator) == digest(cluster, shared, target)


def test_growth_shows_on_the_initiator_while_it_is_mounted(
    cluster: Cluster, target: Node, initiator: Node, shared: str
) -> None:
    mount(cluster, initiator)
    initiator.shell(f"echo kept > {MOUNT}/file")
    cluster.client.modify_volume_definition(shared, 0, size_kib=128 << 10)
    assert size(cluster, shared, initiator) == size(cluster, shared, target) == 128 * MIB
    initiator.run("resize2fs", cluster.device(shared, initiator))
    assert initiator.run("cat", f"{MOUNT}/file") == "kept\n"


def test_what_is_mounted_is_not_taken_away(cluster: Cluster, target: Node, initiator: Node, shared: str) -> None:
    mount(cluster, initiator)
    for attempt in (
        lambda: cluster.client.delete_resource(shared, initiator.name),
        lambda: cluster.client.delete_resource(shared, target.name),
        lambda: cluster.client.delete_resource_definition(shared),
        lambda: cluster.client.deactivate_resource(shared, initiator.name),
    ):
        with pytest.raises(ClientError):
            attempt()
    initiator.shell(f"echo written > {MOUNT}/file; sync {MOUNT}/file")


def test_a_target_that_loses_power_is_found_again_while_it_is_mounted(
    cluster: Cluster, target: Node, initiator: Node, shared: str
) -> None:
    mount(cluster, initiator)
    initiator.shell(f"head -c 4M /dev/urandom > {MOUNT}/file; sync; sha256sum {MOUNT}/file > /srv/sum")
    target.kill()
    cluster.start_node(target)
    initiator.shell(f"echo 3 > /proc/sys/vm/drop_caches; sha256sum --check /srv/sum; echo more > {MOUNT}/more; sync")


def test_an_initiator_that_loses_power_connects_again(
    cluster: Cluster, target: Node, initiator: Node, shared: str
) -> None:
    before = digest(cluster, shared, target)
    initiator.kill()
    cluster.start_node(initiator)
    cluster.wait("it is connected", lambda: digest(cluster, shared, initiator) == before)


def test_snapshot_restore_and_rollback(cluster: Cluster, target: Node, initiator: Node, shared: str) -> None:
    before = digest(cluster, shared, initiator)
    cluster.client.create_snapshot(shared, "monday")
    write(cluster, shared, initiator)
    cluster.client.create_resource_definition("copy", layers=list(STACK))
    cluster.client.restore_volume_definitions(shared, "monday", "copy")
    cluster.client.restore_resource(shared, "monday", "copy")
    cluster.orlop(f"resource create {initiator.name} copy --nvme-initiator")
    assert digest(cluster, "copy", initiator) == before != digest(cluster, shared, initiator)
    cluster.client.delete_resource_definition("copy")
    cluster.client.rollback_snapshot(shared, "monday")
    cluster.wait("it is rolled back", lambda: digest(cluster, shared, initiator) == before)
    assert digest(cluster, shared, target) == before
    cluster.client.delete_snapshot(shared, "monday")


def test_a_volume_that_is_encrypted_on_the_target(cluster: Cluster, target: Node, initiator: Node) -> None:
    cluster.client.create_passphrase("lab passphrase")
    cluster.client.modify_controller(Changes(override=CHEAP))
    make(cluster, "secret", target, initiator, ("NVME", "LUKS", "STORAGE"))
    write(cluster, "secret", initiator)
    before = digest(cluster, "secret", initiator)
    assert digest(cluster, "secret", target) == before
    below = target.shell("dd if=/dev/vg0/secret_00000 bs=1M skip=16 count=64 iflag=direct status=none | sha256sum")
    assert below.split()[0] != before
    target.kill()
    cluster.start_node(target)
    cluster.wait("it is reached again", lambda: digest(cluster, "secret", initiator) == before)
    cluster.client.delete_resource_definition("secret")
    assert left_behind(target, initiator) == []
