"""The simulated ZFS says what the real one was heard to say, and the drivers understand both alike."""

import re
import shlex
from pathlib import Path

import pytest

from orlop.errors import CommandFailed
from orlop.testing import SimulatedHost
from orlop_storage.datasets import DATASETS, LINKS, ZPOOLS, read

RECORDED = Path(__file__).parent.parent / "recorded"
VERSION = "2.1.11"
GIB = 1 << 30


def recorded(name: str) -> str:
    return (RECORDED / f"{name}-{VERSION}.txt").read_text()


def simulated() -> SimulatedHost:
    """The same as the node that was recorded."""
    host = SimulatedHost()
    host.disk.add_disk("/dev/sdd", GIB)
    for line in (
        "zpool create tank /dev/sdd",
        "zfs create -V 67108864 tank/plain",
        "zfs create -s -V 67108864 tank/sparse",
        "zfs snapshot tank/sparse@first",
        "zfs clone tank/sparse@first tank/clone",
        "udevadm settle",
    ):
        host.run(tuple(shlex.split(line)))
    return host


def shape(text: str) -> list[list[str]]:
    """Which cells are empty, numbers, or words; a device may have any number."""
    rows = [re.sub(r"zd\d+", "zdN", line).split("\t") for line in sorted(text.splitlines())]
    return [["N" if re.fullmatch(r"\d+", cell) else cell for cell in row] for row in rows]


@pytest.mark.parametrize(
    ("name", "argv"),
    [("zfs-columns", (*DATASETS, "tank")), ("zpool-columns", ZPOOLS), ("zfs-links", LINKS)],
    ids=["datasets", "zpools", "links"],
)
def test_the_simulated_lists_look_like_the_real_ones(name: str, argv: tuple[str, ...]) -> None:
    assert shape(simulated().run(argv)) == shape(recorded(name))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("zfs-no-such-dataset", ["zfs list -o name tank/no-such-dataset"]),
        ("zfs-name-taken", ["zfs create -V 16777216 tank/plain"]),
        ("zfs-pool-full", ["zfs create -V 107374182400 tank/more"]),
        ("zfs-grown-too-large", ["zfs set volsize=107374182400 tank/plain"]),
        ("zfs-has-dependants", ["zfs destroy tank/sparse"]),
        ("zfs-has-clones", ["zfs destroy tank/sparse@first"]),
        ("zfs-not-newest", ["zfs snapshot tank/sparse@second", "zfs rollback tank/sparse@first"]),
        ("zfs-busy", ["zfs destroy tank/plain"]),
        ("zpool-no-such-pool", ["zpool list no-such-pool"]),
    ],
)
def test_the_simulated_zfs_refuses_in_the_same_words(name: str, lines: list[str]) -> None:
    host = simulated()
    if name == "zfs-busy":
        host.disk.use("/dev/zvol/tank/plain", "somebody")
    *before, last = (tuple(shlex.split(line)) for line in lines)
    for argv in before:
        host.run(argv)
    with pytest.raises(CommandFailed) as refused:
        host.run(last)
    assert refused.value.stderr == recorded(name).removeprefix("stderr:\n").removesuffix("\nexit code: 1\n")


def test_a_real_list_is_understood() -> None:
    host = SimulatedHost()
    host.installed["zfs"] = lambda disk, arguments: recorded("zfs-columns")
    found = read(host, ["tank"])
    assert {path: (seen.kind, seen.size, seen.block) for path, seen in found.items()} == {
        "tank": ("filesystem", 0, 0),
        "tank/clone": ("volume", 64 << 20, 8192),
        "tank/plain": ("volume", 64 << 20, 8192),
        "tank/sparse": ("volume", 64 << 20, 8192),
        "tank/sparse@first": ("snapshot", 64 << 20, 0),
    }
    assert found["tank"].available == 800489472
    assert found["tank/plain"].reservation == 71303168
    assert found["tank/sparse"].reservation == 0
    assert found["tank/sparse@first"].clones == ("tank/clone",)
    assert found["tank/sparse@first"].of == "tank/sparse"
    assert found["tank/sparse@first"].created == 1795380972000
    assert not any(seen.hidden or seen.deferred or seen.locked or seen.owner.uuid for seen in found.values())
