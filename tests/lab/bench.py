"""Programs and time that each kind of pool takes on a real kernel, beside the least possible: `make lab-bench`."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.lab.backings import KINDS, POOL, Backing, make, remove
from tests.lab.lab import Lab
from tests.lab.node import GIB

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
DRBD = "DRBD"
PATIENCE = 3600.0  # seconds for one kind of pool, two hundred volumes of it


def main() -> None:
    many, *kinds = sys.argv[1:]
    chosen = [backing for backing in KINDS if not kinds or backing.kind in kinds]
    if not kinds or DRBD in kinds:
        replicated(many)
    if chosen:
        pools(chosen, many)


def replicated(many: str) -> None:
    """The peers are not there; the one volume group is large enough for all."""
    with Lab(1, (8 * GIB,)) as lab:
        node = lab.nodes[0]
        node.push(BENCHMARKS, "/root")
        node.run("vgcreate", "-q", "vg0", node.disks[0].path)
        words = ("-m", "benchmarks.drbd", "vg0", many)
        print(node.run("env", "--chdir=/root", "python3", *words, seconds=PATIENCE), flush=True)


def pools(chosen: list[Backing], many: str) -> None:
    with Lab(1, (8 * GIB,)) as lab:
        node = lab.nodes[0]
        node.push(BENCHMARKS, "/root")
        for backing in chosen:
            make(node, backing)
            words = ("-m", "benchmarks.commands", backing.kind, backing.props[POOL], many)
            print(node.run("env", "--chdir=/root", "python3", *words, seconds=PATIENCE), flush=True)
            remove(node, backing)


if __name__ == "__main__":
    main()
