"""Commands in the documentation are ones that `orlop` understands; none is sent."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from orlop.cli.program import run

ROOT = Path(__file__).parents[2]
GENERATED = {ROOT / "docs" / "guide" / "commands.md"}  # written from the grammar itself
BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands() -> Iterator[tuple[str, str]]:
    for page in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]):
        for block in BLOCK.findall(page.read_text()) if page not in GENERATED else []:
            for line in block.splitlines():
                if line.startswith("$ orlop "):
                    yield str(page.relative_to(ROOT)), line.removeprefix("$ orlop ")


def test_there_are_commands_to_look_at() -> None:
    assert len(list(commands())) > 30


@pytest.mark.parametrize(("page", "line"), list(commands()), ids=lambda text: text)
def test_a_command_of_the_documentation_is_understood(page: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--disable-config", "--curl", *shlex.split(line)]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out.startswith("curl ")
