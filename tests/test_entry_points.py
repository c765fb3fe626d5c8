"""An editable install keeps the entry points of the day it was made."""

import tomllib
from importlib.metadata import distribution
from pathlib import Path

PROJECT = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]


def test_the_installed_entry_points_are_those_of_the_project_file() -> None:
    declared = {("console_scripts", name, value) for name, value in PROJECT["scripts"].items()}
    declared |= {
        (group, name, value) for group, entries in PROJECT["entry-points"].items() for name, value in entries.items()
    }
    installed = {(e.group, e.name, e.value) for e in distribution("orlop").entry_points}
    assert installed == declared, "pyproject.toml was changed: run pip install -e '.[all]' again"
