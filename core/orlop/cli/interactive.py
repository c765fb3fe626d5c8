"""The interactive session: a prompt with history and completion."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orlop.cli import exit_codes
from orlop.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

_HISTORY = 1000
_ENDINGS = ("exit", "quit")


def interact(ctx: click.Context) -> int:
    """Read and run commands until the end of input; the exit code is that of the last one."""
    history = _history()
    _prepare(ctx, history)
    click.echo("Orlop's interactive session. `help` lists the commands, Tab completes, `exit` ends.")
    code = exit_codes.OK
    while (line := _line()) is not None:
        words = _words(line)
        if words and words[0] in _ENDINGS:
            break
        if words:
            code = run_words(ctx, words)
    _remember(history)
    return code


def run_words(ctx: click.Context, words: list[str]) -> int:
    """One command, with the global options of the session."""
    from orlop.cli import program

    session = Session(ctx.ensure_object(Session).settings)
    try:
        with click.Context(program.orlop, info_name="", obj=session, **program.orlop.context_settings) as inner:
            inner.params = ctx.params
            name, command, rest = program.orlop.resolve_command(inner, words)
            assert command is not None  # resolve_command refuses what does not exist
            with command.make_context(name, rest, parent=inner) as below:
                return program.guarded(lambda: command.invoke(below), session)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.ClickException as error:
        return program.explain(error, session)


def _line() -> str | None:
    try:
        return input("orlop> ")
    except EOFError:
        return None
    except KeyboardInterrupt:
        click.echo()
        return ""


def _words(line: str) -> list[str]:
    try:
        words = shlex.split(line)
    except ValueError as error:
        click.echo(f"orlop: {error}", err=True)
        return []
    return words[1:] if words[:1] in (["orlop"], ["linstor"]) else words


def _history() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "orlop" / "history"


def _prepare(ctx: click.Context, history: Path) -> None:
    try:
        import readline
    except ImportError:
        return
    readline.set_completer(_completer(ctx))
    readline.set_completer_delims(" \t\n")
    readline.parse_and_bind("tab: complete")
    if history.is_file():
        readline.read_history_file(history)


def _remember(history: Path) -> None:
    try:
        import readline

        history.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        readline.set_history_length(_HISTORY)
        readline.write_history_file(history)
    except (ImportError, OSError):  # a history that cannot be kept is no reason to fail
        return


def _completer(ctx: click.Context) -> Callable[[str, int], str | None]:
    import readline

    found: list[str] = []

    def complete(text: str, state: int) -> str | None:
        if state == 0:
            found[:] = candidates(ctx.command, readline.get_line_buffer()[: readline.get_begidx()], text)
        return f"{found[state]} " if state < len(found) else None

    return complete


def candidates(command: click.Command, before: str, text: str) -> list[str]:
    """What `text` may become after the words `before`."""
    from click.shell_completion import ShellComplete

    shell: Any = ShellComplete(command, {}, "orlop", "_ORLOP_COMPLETE")
    return [item.value for item in shell.get_completions(_words(before), text)]
