from __future__ import annotations

from collections.abc import Iterator

import pytest

from demo.cluster import Cluster
from demo.temporary import temporary_cluster


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A controller and three nodes, all online, each with a pool `pool1`."""
    with temporary_cluster() as running:
        yield running
