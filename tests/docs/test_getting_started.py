"""The commands of the guide's beginning and of its page on snapshots do on a real cluster what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import file_systems
from demo.cluster import Cluster
from demo.temporary import temporary_cluster

pytestmark = pytest.mark.root
GUIDE = Path(__file__).parents[2] / "docs" / "guide"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with temporary_cluster(pools=False) as running:
        yield running


def lines(page: str, heading: str = "") -> list[str]:
    """Commands of a page from a heading on, with their prompts."""
    text = (GUIDE / page).read_text()
    return [line for block in BLOCK.findall(text[text.index(heading) :]) for line in block.splitlines()]


class Reader:
    """Does what the guide says, with the names that this cluster has for things."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.cluster = cluster
        self.folder = folder

    def follow(self, line: str) -> None:
        command = line[2:]
        if command.startswith("resize2fs") and file_systems.growing() is not file_systems.EXT4:
            return  # the kernel does not let ext4 grow without a capability that is missing here
        if command.startswith("orlop storage-pool create"):
            command = command.replace("/srv/orlop", str(self.cluster.pool(command.split()[4])))
        if "/dev/loop0" in command:
            command = command.replace("/dev/loop0", self.device())
        self.cluster.run(command.replace("/mnt", str(self.folder)))

    def device(self) -> str:
        (node,) = (node.name for node in self.cluster.nodes if self.cluster.volumes("site", node.name))
        return self.cluster.device("site", node)


def test_the_first_volumes(cluster: Cluster, tmp_path: Path) -> None:
    reader = Reader(cluster, tmp_path)
    for line in lines("getting-started.md", "## The first volumes"):
        reader.follow(line)
    assert cluster.backing_files() == []


def test_snapshots(cluster: Cluster, tmp_path: Path) -> None:
    cluster.orlop("resource-group spawn-resources web site 16M")
    reader = Reader(cluster, tmp_path)
    for line in lines("snapshots.md"):
        reader.follow(line)
    names = {definition["name"] for definition in cluster.get("/v1/resource-definitions")}
    assert names == {"site", "site2", "site3"}
    for name in names:
        cluster.orlop(f"resource-definition delete {name}")
