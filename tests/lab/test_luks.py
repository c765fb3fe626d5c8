"""Encrypted volumes on a real kernel: what was written is what is read, and on the disk it is not to be found."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from orlop.client import Changes
from tests.lab.backings import BACKINGS, Backing, make, remove
from tests.lab.cluster import Cluster
from tests.lab.node import Node
from tests.lab.test_crashes import cut_short
from tests.lab.volumes import MIB, Volume

ROWS = [backing for backing in BACKINGS if backing.name in ("lvm", "lvm-thin", "zfs-thin", "thin-xfs")]
THICK = next(backing for backing in ROWS if backing.kind == "LVM")
STACK = ("LUKS", "STORAGE")
SIZE, GROWN = 24, 40  # MiB
PASSPHRASE = "lab passphrase"
CHEAP = {"StorDriver/LuksFormatOptions": "--pbkdf pbkdf2 --pbkdf-force-iterations 1000"}
CUTS = 8  # more than a change of a key takes
KEY = "open sesame in the lab"


@pytest.fixture(scope="module")
def unlocked(cluster: Cluster) -> Cluster:
    cluster.client.create_passphrase(PASSPHRASE)
    cluster.client.modify_controller(Changes(override=CHEAP))
    return cluster


@pytest.fixture(params=ROWS, ids=lambda backing: backing.name)
def pool(unlocked: Cluster, node: Node, request: pytest.FixtureRequest) -> Iterator[str]:
    backing: Backing = request.param
    make(node, backing)
    unlocked.client.create_storage_pool(node.name, backing.name, backing.kind, dict(backing.props))
    yield backing.name
    unlocked.client.delete_storage_pool(node.name, backing.name)
    remove(node, backing)


def backing_of(volume: Volume) -> str:
    """The device below the mapping."""
    return f"/dev/{volume.node.shell(f'ls /sys/block/$(basename $(realpath {volume.device}))/slaves').strip()}"


def slots(volume: Volume) -> list[str]:
    dump = volume.node.run("cryptsetup", "luksDump", backing_of(volume))
    return [line.split(":")[0].strip() for line in dump.splitlines() if line.strip().endswith(": luks2")]


def test_data_outlives_all_that_is_done_to_an_encrypted_volume(unlocked: Cluster, node: Node, pool: str) -> None:
    cluster, client = unlocked, unlocked.client
    volume = Volume(cluster, node, pool, f"data-{pool}", STACK).create(SIZE)
    assert volume.device.startswith("/dev/mapper/orlop-")
    volume.write(SIZE)
    first = volume.hash(SIZE)
    volume.snapshot("first")
    volume.write(4, offset=2)
    changed = volume.hash(SIZE)

    client.change_volume_passphrase(volume.name, 0, KEY)
    cluster.wait("the old key is gone", lambda: slots(volume) == ["1"])
    assert volume.hash(SIZE) == changed

    copy = volume.restore("first", to=f"copy-{pool}")
    assert copy.hash(SIZE) == first, "a snapshot is opened by the key of its time"
    copy.write(2)
    assert volume.hash(SIZE) == changed

    volume.roll_back("first")
    cluster.wait("it has the new key again", lambda: slots(volume) == ["1"])
    assert volume.hash(SIZE) == first

    volume.delete_snapshot("first")  # LVM closes a thick volume with snapshots to let it grow, and it is open here
    volume.grow(GROWN)
    assert volume.usable(GROWN)
    assert volume.hash(SIZE) == first

    _lose_power_while_writing(cluster, node, volume)
    cluster.wait("the volume is back", lambda: volume.usable(GROWN))
    assert volume.hash(SIZE) == first

    copy.delete()
    volume.delete()
    assert client.orphans([node.name]) == []


def _lose_power_while_writing(cluster: Cluster, node: Node, volume: Volume) -> None:
    """Writes go on behind the part that is compared."""
    writing = cluster.in_background(lambda: volume.write(GROWN - SIZE, offset=SIZE))
    cluster.wait("data is on its way", lambda: node.attempt("pgrep", "-x", "dd").code == 0)
    node.kill()
    writing.join()
    cluster.start_node(node)


@pytest.mark.parametrize("pool", [THICK], indirect=True, ids=lambda backing: backing.name)
def test_power_lost_while_a_key_is_changed_leaves_one_that_opens(unlocked: Cluster, node: Node, pool: str) -> None:
    cluster = unlocked
    volume = Volume(cluster, node, pool, "cut", STACK).create(SIZE)
    volume.write(SIZE)
    content = volume.hash(SIZE)
    for steps in range(1, CUTS):
        change = lambda steps=steps: cluster.client.change_volume_passphrase("cut", 0, f"{KEY} {steps}")  # noqa: E731
        cut = cut_short(cluster, node, change, steps)
        cluster.wait("the volume is back", lambda: volume.usable(SIZE))
        cluster.wait("one key is left", lambda: len(slots(volume)) == 1)
        assert volume.hash(SIZE) == content
        cluster.wait("the controller knows it, too", lambda: _opens(volume, f"{KEY} {steps}"))  # noqa: B023
        if not cut:
            assert steps > 2
            break
    volume.delete()


def _opens(volume: Volume, key: str) -> bool:
    argv = ("cryptsetup", "open", "--test-passphrase", backing_of(volume))
    return volume.node.attempt(*argv, stdin=f"{key}\n").code == 0


@pytest.mark.parametrize("pool", [THICK], indirect=True, ids=lambda backing: backing.name)
def test_a_locked_controller_opens_nothing_until_the_passphrase_is_entered(
    unlocked: Cluster, node: Node, pool: str
) -> None:
    cluster = unlocked
    volume = Volume(cluster, node, pool, "locked", STACK).create(SIZE)
    volume.write(SIZE)
    content = volume.hash(SIZE)
    node.kill()
    cluster.restart_controller()
    cluster.start_node(node)
    cluster.wait("the problem is told", lambda: "locked" in cluster.orlop("resource list --resources locked"))
    assert node.shell("ls /dev/mapper").split() == ["control"] or "orlop-locked" not in node.shell("ls /dev/mapper")
    cluster.client.enter_passphrase(PASSPHRASE)
    cluster.wait("it is open", lambda: volume.usable(SIZE), seconds=60)
    assert volume.hash(SIZE) == content
    volume.delete()


@pytest.mark.parametrize("pool", [THICK], indirect=True, ids=lambda backing: backing.name)
def test_neither_data_nor_keys_can_be_found_where_they_must_not_be(unlocked: Cluster, node: Node, pool: str) -> None:
    cluster = unlocked
    recorder = "while :; do cat /proc/[0-9]*/cmdline; done > /tmp/arguments 2>&1"
    recording = node.start_program("sh", "-c", recorder, log="/dev/null")
    volume = Volume(cluster, node, pool, "secret", STACK).create(SIZE)
    cluster.client.change_volume_passphrase("secret", 0, KEY)
    node.stop_program(recording, signal.SIGKILL)  # what follows names the key itself
    marker = "a sentence that only the owner may read"
    node.shell(f"yes '{marker}' | dd of={volume.device} bs=1M count=4 iflag=fullblock oflag=direct status=none")
    assert node.attempt("grep", "-qa", marker, volume.device).code == 0
    below = backing_of(volume)
    assert node.attempt("grep", "-qa", marker, below).code == 1
    assert node.attempt("grep", "-qa", KEY, below).code == 1
    assert "cryptsetup" in node.shell("tr '\\0' ' ' < /tmp/arguments")
    for place in ("/tmp/arguments", "/var/lib/orlop", "/run", "/etc"):
        assert node.attempt("grep", "-raq", KEY, place).code == 1, f"the key is in {place}"
    told = [node.satellite_log(), cluster.controller_log(), str(node.executed()), cluster.orlop("resource list")]
    told += [file.read_bytes().decode(errors="replace") for file in cluster.directory.rglob("*") if file.is_file()]
    assert not [text for text in told if KEY in text or PASSPHRASE in text]
    volume.delete()


@pytest.mark.parametrize("pool", [THICK], indirect=True, ids=lambda backing: backing.name)
def test_a_volume_on_extents_with_old_data_shows_no_signature_and_is_made(
    unlocked: Cluster, node: Node, pool: str
) -> None:
    """What lay there before is of somebody who gave it up; the storage driver wipes its signatures."""
    node.shell("lvcreate -q --yes --size 64m --name old vg0; mkfs.ext4 -q /dev/vg0/old; lvremove -q --yes vg0/old")
    volume = Volume(unlocked, node, pool, "fresh", STACK).create(SIZE)
    assert volume.usable(SIZE)
    assert int(node.run("blockdev", "--getsize64", backing_of(volume))) >= (SIZE + 16) * MIB
    volume.delete()
