"""The simulated LVM says and refuses what the real one was heard to say and refuse, after the same commands."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from orlop.errors import CommandFailed
from orlop.model import GIB
from orlop.testing import SimulatedHost
from orlop_storage.lvm_settings import settings
from orlop_storage.volume_groups import REPORT, look

RECORDED = Path(__file__).parent.parent / "recorded"
REPORTED = json.loads((RECORDED / "lvm-report-2.03.16.json").read_text())
REFUSED = json.loads((RECORDED / "lvm-refused-2.03.16.json").read_text())
OWN = {"lv_uuid", "lv_time", "pv_uuid", "pv_name", "vg_mda_free", "vg_mda_size", "metadata_percent"}  # never the same


def argv(line: str) -> tuple[str, ...]:
    return tuple(shlex.split(line.replace("DISK", "/dev/vdb")))


@pytest.fixture(scope="module")
def host() -> SimulatedHost:
    """After the recorded scene."""
    made = SimulatedHost()
    for device in ("/dev/vdb", "/dev/vdc"):
        made.disk.add_disk(device, GIB)
    made.run(("pvcreate", "/dev/vdc"))
    for line in (RECORDED / "lvm-scene.txt").read_text().splitlines():
        made.run(argv(line))
    return made


def report(host: SimulatedHost) -> Any:
    return json.loads(host.run((*REPORT[:2], "--config", settings(host), *REPORT[2:])))


def rows(said: Any, part: str) -> list[dict[str, str]]:
    """Of one part of the report, by name, without what differs from node to node."""
    group, groupless = said["report"]
    found = sorted([*group[part], *groupless.get(part, ())], key=lambda row: row.get("lv_name", ""))
    return [{key: "" if key in OWN else value for key, value in row.items()} for row in found]


@pytest.mark.parametrize("part", ["vg", "pv", "lv", "pvseg"])
def test_a_report_is_the_same(host: SimulatedHost, part: str) -> None:
    assert rows(report(host), part) == rows(REPORTED, part)


def test_segments_are_the_same(host: SimulatedHost) -> None:
    def by_volume(said: Any) -> dict[str, tuple[str, str]]:
        group = said["report"][0]
        names = {row["lv_uuid"]: row["lv_name"] for row in group["lv"]}
        return {names[row["lv_uuid"]]: (row["chunk_size"], row["zero"]) for row in group["seg"]}

    assert by_volume(report(host)) == by_volume(REPORTED)


def test_what_differs_has_the_same_form(host: SimulatedHost) -> None:
    for part in ("vg", "lv"):
        for key in OWN & REPORTED["report"][0][part][0].keys():
            forms = [
                {value.replace(".", "").isdecimal() for value in (row[key] for row in said["report"][0][part]) if value}
                for said in (report(host), REPORTED)
            ]
            assert key == "lv_uuid" or forms == [{True}, {True}], key


@pytest.mark.parametrize("real", REFUSED, ids=[each["command"].replace("/", "-") for each in REFUSED])
def test_a_refusal_is_the_same(host: SimulatedHost, real: dict[str, Any]) -> None:
    with pytest.raises(CommandFailed) as refused:
        host.run(argv(real["command"]))
    first = real["stderr"].splitlines()[0].strip()
    assert (refused.value.status, refused.value.stderr.splitlines()[0]) == (
        real["code"],
        first.replace("DISK", "/dev/vdb"),
    )


class Replay(SimulatedHost):
    """Answers with the recorded report."""

    def __init__(self) -> None:
        super().__init__()
        self.installed["lvm"] = lambda disk, arguments: json.dumps(REPORTED)


def test_the_recorded_report_is_understood() -> None:
    groups, problems = look(Replay(), "", ["vg"])
    seen = groups["vg"]
    assert problems == {}
    assert seen.tags == {"orlop.cluster": "c", "orlop.pool": "p"}
    assert (seen.extent, seen.free, seen.missing, seen.exported) == (4 << 20, 218 << 22, 0, False)
    assert sorted(seen.volumes) == [
        *("made_00000", "own_00000+pool", "shut_00000", "thin", "thin_00000", "thin_00000.first"),
        *("web_00000", "web_00000.first"),
    ]
    web, first, thin = (seen.volumes[name] for name in ("web_00000", "web_00000.first", "thin_00000"))
    assert (web.size, web.taken, web.active, web.tags["orlop.uuid"]) == (16 << 20, 16 << 20, True, "w")
    assert (first.size, first.taken, first.origin) == (16 << 20, 20 << 20, "web_00000")
    assert (thin.size, thin.pool, thin.tags) == (80 << 20, "thin", {"orlop.uuid": "u", "orlop.formatted": "ext4"})
    assert not seen.volumes["shut_00000"].active
    assert not seen.volumes["shut_00000"].tags
    assert seen.volumes["thin"].is_thin_pool
    assert (seen.volumes["thin"].chunk, seen.volumes["thin"].zeroes) == (65536, True)
    assert 0 < (seen.volumes["thin"].metadata or 0) < 1
    assert [each.name for each in seen.snapshots_of("web_00000")] == ["web_00000.first"]
    assert {each.name for each in seen.inside("thin")} == {"thin_00000", "thin_00000.first", "made_00000"}
    assert all(each.created for each in seen.volumes.values())
