"""Every storage driver keeps the law of data on real kernels: the suite that plugin authors get, run in a node."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.backings import BACKINGS, Backing, make, remove
from tests.lab.node import Node


@pytest.fixture(params=BACKINGS, ids=lambda backing: backing.name)
def backing(node: Node, request: pytest.FixtureRequest) -> Iterator[Backing]:
    make(node, request.param)
    yield request.param
    remove(node, request.param)


def test_a_driver_keeps_the_contract(node: Node, backing: Backing) -> None:
    props = json.dumps(dict(backing.props))
    said = node.run("python3", "/lab/check_driver.py", backing.kind, props, seconds=600)
    assert said == "the driver and the layer over it keep their contracts\n"
    assert node.run("losetup", "--list", "--noheadings") == "", "no loop device is left"
