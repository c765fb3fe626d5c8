"""A DRBD 9 for the nodes, which no distribution has: its kernel modules, built by hand for the kernel of the lab."""

from __future__ import annotations

import os
from pathlib import Path

from tests.lab.node import Node

MODULES = os.environ.get("ORLOP_LAB_DRBD9", "")  # a folder with drbd.ko, drbd_transport_tcp.ko and what these need
TESTS = "test_drbd9.py"
TRANSPORT = "drbd_transport_tcp"
TARGET = "/opt/drbd9"  # in the node


def load(node: Node) -> None:
    """In place of the kernel's own, now and at every later start."""
    for module in sorted(Path(MODULES).glob("*.ko")):
        node.shell(f"mkdir -p {TARGET}")
        node.put(f"{TARGET}/{module.name}", module.read_bytes())
    _insert(node)
    node.at_start(lambda: _insert(node))


def _insert(node: Node) -> None:
    """In any order: what needs another one finds it in the next turn."""
    node.shell("modprobe -a lru_cache libcrc32c tls; rmmod drbd 2>/dev/null || true")
    turn = f"for file in {TARGET}/*.ko; do insmod $file 2>/dev/null || true; done"
    node.shell(f"{turn}; {turn}; {turn}; grep -q ^{TRANSPORT} /proc/modules")
