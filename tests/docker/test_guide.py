"""The examples of the user's guide, chapter 10, on three nodes with DRBD 9."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docker.conftest import Docker
from tests.docker.engine import Engine


def placed(docker: Docker, name: str) -> tuple[list[str], list[str]]:
    """Nodes with the data, and nodes without a disk."""
    found = docker.controller.request("GET", f"/v1/view/resources?resources={name}").body
    without = {"DISKLESS", "DRBD_DISKLESS", "TIE_BREAKER"}
    with_disk = sorted(r["node_name"] for r in found if not without & set(r.get("flags", ())))
    return with_disk, sorted({r["node_name"] for r in found} - set(with_disk))


def run(engine: Engine, name: str) -> Path:
    answer = engine.call("Mount", Name=name, ID="1" * 64)
    assert answer.error == ""
    return Path(answer.body["Mountpoint"])


def test_example_1_a_volume_made_on_one_node_is_used_on_another(docker: Docker) -> None:
    alpha, bravo = docker.plugin("alpha").engine(), docker.plugin("bravo").engine()
    assert alpha.call("Create", Name="lsvol", Opts={"fs": "xfs", "size": "200"}).body == {"Err": ""}
    (run(alpha, "lsvol") / "test.txt").write_text("foo\n")
    assert alpha.call("Unmount", Name="lsvol", ID="1" * 64).error == ""
    assert bravo.call("Get", Name="lsvol").error == ""
    assert run(bravo, "lsvol").name == "data"
    assert bravo.call("Unmount", Name="lsvol", ID="1" * 64).error == ""
    assert bravo.call("Remove", Name="lsvol").error == ""
    assert alpha.call("List").body == {"Volumes": [], "Err": ""}
    assert docker.controller.cluster.core.picture.definitions == {}


@pytest.mark.parametrize(
    ("options", "copies", "where"),
    [
        ({"hosts": "bravo"}, 1, ["bravo"]),
        ({"replicas": "1"}, 1, None),
        ({"hosts": "alpha,bravo"}, 2, ["alpha", "bravo"]),
        ({"replicas": "2"}, 2, None),
        ({}, 2, None),
        ({"replicas": "1", "nodes": "alpha,charlie"}, 2, ["alpha", "charlie"]),
    ],
    ids=["example-2", "example-3", "example-4", "example-5", "default", "nodes-win"],
)
def test_examples_2_to_5_the_other_nodes_use_it_without_a_disk(
    docker: Docker, options: dict[str, str], copies: int, where: list[str] | None
) -> None:
    engines = [docker.plugin(node).engine() for node in ("alpha", "bravo", "charlie")]
    assert engines[0].call("Create", Name="lsvol", Opts=options).error == ""
    with_disk, _ = placed(docker, "lsvol")
    assert len(with_disk) == copies
    assert where in (None, with_disk)
    for engine in engines:
        run(engine, "lsvol")
        assert engine.call("Unmount", Name="lsvol", ID="1" * 64).error == ""
    after, diskless = placed(docker, "lsvol")
    assert after == with_disk
    assert len(diskless) == 3 - copies


def test_example_6_curl(docker: Docker) -> None:
    engine = docker.plugin("alpha").engine(host="localhost")
    engine.call("Create", Name="linstorvol", Opts={})
    listed = engine.send("VolumeDriver.List", b'{"Name":"linstorvol"}').body["Volumes"]
    assert [volume["Name"] for volume in listed] == ["linstorvol"]
