"""The lab itself: what tests of drivers build on."""

from __future__ import annotations

from tests.lab.lab import Lab
from tests.lab.node import Node

NODES = 3


def test_nodes_have_names_disks_and_a_network(lab: Lab) -> None:
    for node in lab.nodes:
        assert node.run("uname", "-n").strip() == node.name
        assert [int(node.run("blockdev", "--getsize64", disk.path)) for disk in node.disks] == [2 << 30, 2 << 30]
    assert all(one.reaches(other) for one in lab.nodes for other in lab.nodes if one is not other)


def test_satellites_are_online(cluster, node: Node) -> None:
    assert cluster.client.node(node.name).connection_status == "ONLINE"
