"""A controller with three simulated nodes, and python-linstor as it comes from the package index."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from linstor import Linstor

from tests.compatibility.controller import Controller


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Controller]:
    """A controller that knows no node yet."""
    controller = Controller(tmp_path / "reports")
    yield controller
    controller.close()


@pytest.fixture
def controller(empty: Controller) -> Controller:
    """Three nodes, all online, each with a pool `pool1`."""
    empty.add_nodes()
    return empty


@pytest.fixture
def linstor(controller: Controller) -> Iterator[Linstor]:
    """python-linstor, connected."""
    with Linstor(controller.uri) as connected:
        yield connected
