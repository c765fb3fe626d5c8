"""What is shipped beside the program, and the guide, fit the program."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from orlop_docker import configuration
from orlop_docker.options import OPTIONS
from orlop_docker.program import SOCKET

PROJECT = Path(__file__).parents[2]
PACKAGING = PROJECT / "packaging"
GUIDE = (PROJECT / "docs" / "guide" / "docker.md").read_text()


def test_the_shipped_configuration_is_read_with_and_without_its_suggestions() -> None:
    text = (PACKAGING / "docker" / "docker-volume.conf").read_text()
    assert configuration.parse(text) == configuration.Configuration(controllers=("http://localhost:3370",))
    suggested = configuration.parse(re.sub(r"^# (?=\w[\w-]* = )", "", text, flags=re.MULTILINE))
    assert suggested.node == "alpha"
    assert suggested.defaults["resource-group"] == "docker"


def test_the_configuration_of_the_guide_is_read() -> None:
    (block,) = re.findall(r"```ini\n(# /etc/orlop.*?)```", GUIDE, re.DOTALL)
    assert configuration.parse(block).defaults["size"] == "1G"


def test_the_guide_has_a_row_for_every_option() -> None:
    section = GUIDE[GUIDE.index("## Options of a volume") : GUIDE.index("## On which node")]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `") and "`-o`" not in line]
    assert {name for row in rows for name in re.findall(r"`([^`]+)`", row)} == {*OPTIONS, "hosts"}


def test_the_units_start_the_program_on_the_socket_it_would_open_itself() -> None:
    unit = (PACKAGING / "systemd" / "orlop-docker.socket").read_text()
    assert re.findall(r"^ListenStream=(.*)$", unit, re.MULTILINE) == [str(SOCKET)]
    service = (PACKAGING / "systemd" / "orlop-docker.service").read_text()
    (program,) = re.findall(r"^ExecStart=/usr/bin/(\S+)$", service, re.MULTILINE)
    scripts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts[program] == "orlop_docker.program:main"
