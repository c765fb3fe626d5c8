"""Fixtures of tests with virtual nodes. What a module asks for lives as long as the module: `lab`, `cluster`.

A module that needs other nodes than one with two disks says so: `NODES = 3`, `DISKS = (2 * GIB,)`. Every test here
bears the mark `lab`, which only `make lab` selects.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.lab import drbd9
from tests.lab.cluster import Cluster
from tests.lab.lab import Lab
from tests.lab.node import GIB, Node

HERE = Path(__file__).parent
LENGTH = 20_000  # characters of a log that are shown


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Marked before pytest selects: without `-m lab` none of these runs. Without DRBD 9, none that needs it."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
    left_out = [] if drbd9.MODULES else [item for item in items if item.path.name == drbd9.TESTS]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """Fresh nodes with empty disks."""
    nodes, disks = getattr(request.module, "NODES", 1), getattr(request.module, "DISKS", (2 * GIB, 2 * GIB))
    with Lab(nodes, disks) as running:
        request.module.__lab__ = running
        yield running


@pytest.fixture(scope="module")
def node(lab: Lab) -> Node:
    """The first one."""
    return lab.nodes[0]


@pytest.fixture(scope="module")
def cluster(lab: Lab) -> Iterator[Cluster]:
    """A controller, and a satellite in every node, all online; no pools yet."""
    with Cluster(lab) as running:
        yield running


@pytest.fixture(scope="module")
def pools(cluster: Cluster) -> Cluster:
    """A volume group on the first disk of each node, and DRBD on their own network."""
    cluster.orlop("controller set-property PrefNic private")
    for number, node in enumerate(cluster.nodes, 1):
        cluster.orlop(f"node interface create {node.name} private 10.77.0.{number}")
        node.run("vgcreate", "-q", "vg0", node.disks[0].path)
        cluster.client.create_storage_pool(node.name, "pool", "LVM", {"StorDriver/StorPoolName": "vg0"})
    return cluster


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    running = getattr(getattr(item, "module", None), "__lab__", None)
    if report.failed and running is not None:
        for title, text in running.last_words().items():
            if text.strip():
                report.sections.append((title, text[-LENGTH:]))
    return report
