"""The guide names every command, and starting the program costs only what it needs."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from orlop.cli.grammar import Menu
from orlop.cli.program import orlop as program

GUIDE = Path(__file__).parents[2] / "docs" / "guide" / "commands.md"


def _paths(menu: click.Command, ctx: click.Context, path: tuple[str, ...] = ()):
    if not isinstance(menu, Menu):
        yield " ".join(path)
        return
    for name in menu.list_commands(ctx):
        yield from _paths(menu.get_command(ctx, name), ctx, (*path, name))


def test_the_guide_lists_exactly_the_commands_there_are():
    ctx = click.Context(program, **program.context_settings)
    listed = re.findall(r"^\| `([^`]+)` \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(_paths(program, ctx))


@pytest.mark.parametrize("module", ["requests", "rich", "orlop.client.client", "orlop.cli.commands.node"])
def test_help_on_a_command_does_not_load_what_it_does_not_need(module):
    code = (
        "import sys; from orlop.cli import main; main(['volume-group', 'create', '--help']);"
        f"sys.exit({module!r} in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
