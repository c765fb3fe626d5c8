"""Over the command line, with real programs: a dry run, a file that becomes a volume, an orphan that goes, locks."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from demo.cluster import Cluster

pytestmark = pytest.mark.root
MIB = 1 << 20


def files(cluster: Cluster) -> dict[Path, int]:
    return {path: path.stat().st_size for name in ("alpha", "bravo") for path in cluster.pool(name).iterdir()}


def test_a_dry_run_tells_commands_of_the_nodes_and_changes_nothing(cluster: Cluster) -> None:
    before, sequence = files(cluster), cluster.get("/v1/resource-definitions")
    told = cluster.orlop("resource-group spawn-resources DfltRscGrp dry 16M --dry-run")
    assert "Dry run: nothing was changed." in told
    assert "create resource definition dry" in told
    assert "$ create" in told
    assert (files(cluster), cluster.get("/v1/resource-definitions")) == (before, sequence)


def test_a_file_becomes_a_volume_with_its_data_and_is_locked(cluster: Cluster) -> None:
    data = os.urandom(4 * MIB)
    (cluster.pool("alpha") / "disk.img").write_bytes(data)
    told = cluster.orlop("resource import alpha kept --storage-pool pool1 --object disk.img")
    assert "Its data was not touched." in told
    device = Path(cluster.device("kept", "alpha"))
    assert hashlib.sha256(device.read_bytes()).digest() == hashlib.sha256(data).digest()
    cluster.orlop("resource-definition lock kept")
    refused = cluster.command("orlop", "resource-definition", "delete", "kept")
    assert refused.returncode == 10
    assert "locked against deletion" in refused.stdout
    cluster.orlop("resource-definition unlock kept")
    cluster.orlop("resource-definition delete kept")
    assert not (cluster.pool("alpha") / "kept_00000").exists()


def test_an_orphan_goes_when_it_is_named_and_not_in_use(cluster: Cluster) -> None:
    path = cluster.pool("alpha") / "old_00000"
    path.write_bytes(bytes(MIB))
    cluster.wait("the orphan", lambda: "old_00000" in cluster.orlop("orphan list"))
    with path.open("rb"):
        line = ("orlop", "orphan", "remove", "alpha", "pool1", "old_00000", "--unmarked", "--yes")
        refused: subprocess.CompletedProcess[str] = cluster.command(*line)
        assert refused.returncode == 10
        assert f"open in process {os.getpid()}" in refused.stdout
    cluster.run(" ".join(line))
    assert not path.exists()
