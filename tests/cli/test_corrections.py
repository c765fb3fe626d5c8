"""What a correction tells people to type is a command that exists."""

import re
from pathlib import Path

import pytest

import orlop.controller
import orlop.satellite
from orlop.cli import main

SOURCES = [Path(package.__path__[0]) for package in (orlop.controller, orlop.satellite)]
NAMED = re.compile(r"'orlop ((?:[a-z][a-z-]* )*[a-z][a-z-]*)|orlop ((?:[a-z][a-z-]* )+[a-z][a-z-]*) [A-Z{]")
COMMANDS = sorted(
    {
        found[1] or found[2]
        for source in SOURCES
        for path in source.rglob("*.py")
        for found in NAMED.finditer(path.read_text())
    }
)


def test_corrections_were_found() -> None:
    assert "job list" in COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_a_correction_names_exists(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command.split(), "--help"]) == 0
    assert f"Usage: orlop {command}" in capsys.readouterr().out
