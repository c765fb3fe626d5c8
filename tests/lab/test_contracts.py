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


@pytest.mark.parametrize("suite", ["check_storage", "check_layer"])
def test_a_driver_keeps_the_contract(node: Node, backing: Backing, suite: str) -> None:
    said = node.run("python3", f"/lab/{suite}.py", backing.kind, json.dumps(dict(backing.props)), seconds=600)
    assert "keeps the contract" in said
    assert node.run("losetup", "--list", "--noheadings") == "", "no loop device is left"
