"""Records what LVM says of a scene and what it refuses there: `python -m tests.lab.record_lvm`.

The commands are in `tests/recorded`: the fast tests run the same on a simulated node and compare.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from orlop.host import LocalHost
from orlop_storage.lvm_settings import settings
from orlop_storage.volume_groups import REPORT
from tests.lab.lab import Lab
from tests.lab.node import GIB, Node
from tests.lab.record import FOLDER, versions


def lines(file: Path, disk: str) -> list[list[str]]:
    """Argument vectors; `DISK` in the file is a disk of the node."""
    return [shlex.split(line.replace("DISK", disk)) for line in file.read_text().splitlines()]


def record(node: Node, folder: Path) -> None:
    disk, version = node.disks[0].path, versions(node)["lvm"]
    for argv in lines(folder / "lvm-scene.txt", disk):
        node.run(*argv)
    node.run("pvcreate", node.disks[1].path)
    report = (*REPORT[:2], "--config", settings(LocalHost()), *REPORT[2:])
    (folder / f"lvm-report-{version}.json").write_text(node.run(*report))
    refused = []
    for argv in lines(folder / "lvm-refused.txt", disk):
        done = node.attempt(*argv)
        refused.append(
            {
                "command": shlex.join(argv).replace(disk, "DISK"),
                "code": done.code,
                "stderr": done.errors.replace(disk, "DISK"),
            }
        )
    (folder / f"lvm-refused-{version}.json").write_text(json.dumps(refused, indent=1) + "\n")


def main() -> None:
    with Lab(1, disks=(GIB, GIB)) as lab:
        record(lab.nodes[0], FOLDER)


if __name__ == "__main__":
    main()
