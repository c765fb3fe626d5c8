"""Real clusters for tests: in directories and on ports of their own, gone at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.cluster import Cluster, Node, Ports

# Not under pytest's own directory: that may be on a tmpfs, which keeps no extended attributes on older kernels.
PARENT = Path("/var/tmp")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A controller and three nodes, all online, each with a pool `pool1`."""
    directory = Path(tempfile.mkdtemp(prefix="orlop-test-", dir=PARENT))
    nodes = tuple(Node(name, f"127.0.0.{21 + number}") for number, name in enumerate(("alpha", "bravo", "charlie")))
    running = Cluster(directory, nodes, Ports(rest=13370, enrolment=13371, satellite=13366))
    try:
        running.assemble()
        yield running
    except BaseException:
        print(running.last_words())
        raise
    finally:
        problems = running.end()
        running.close()
        assert not problems
        assert not directory.exists()
