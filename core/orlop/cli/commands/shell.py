"""Commands about the command line itself: help, the list of commands, completion, the interactive session."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli.grammar import Menu

if TYPE_CHECKING:
    from orlop.cli.session import Session

_HERE = Menu("orlop")


@_HERE.verb("help", example="orlop help node create")
@click.argument("words", nargs=-1, metavar="[COMMAND]...")
def EXPLAIN(session: Session, words: tuple[str, ...]) -> None:  # noqa: N802 - it is looked up by this name
    """Explain a command, or list all commands."""
    ctx = click.get_current_context().find_root()
    command: click.Command = ctx.command
    for word in words:
        if not isinstance(command, Menu):
            raise click.UsageError(f"{command.name} has no command {word!r}.")
        _, found, _ = command.resolve_command(ctx, [word])
        assert found is not None  # resolve_command refuses what does not exist
        ctx = click.Context(found, info_name=found.name, parent=ctx)
        command = found
    session.say(command.get_help(ctx))


@_HERE.verb("list-commands", example="orlop list-commands --tree")
@click.option("-t", "--tree", is_flag=True, help="With the commands of the groups.")
def COMMANDS(session: Session, tree: bool) -> None:  # noqa: N802
    """List all commands with their aliases."""
    ctx = click.get_current_context().find_root()
    _list(session, ctx.command, ctx, tree, 0)


def _list(session: Session, menu: click.Command, ctx: click.Context, tree: bool, depth: int) -> None:
    if not isinstance(menu, Menu):
        return
    for name in menu.list_commands(ctx):
        aliases = ", ".join(menu.aliases_of(name))
        session.say("  " * depth + name + (f" ({aliases})" if aliases else ""))
        below = menu.get_command(ctx, name) if tree else None
        if below is not None:
            _list(session, below, ctx, tree, depth + 1)


@_HERE.verb("interactive", example="orlop interactive")
def INTERACTIVE(session: Session) -> None:  # noqa: N802
    """Read commands from a prompt, with history and completion, until `exit`."""
    from orlop.cli.interactive import interact

    session.exit_code = interact(click.get_current_context().find_root())


@_HERE.verb("completion", example="orlop completion bash > /etc/bash_completion.d/orlop")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def COMPLETION(session: Session, shell: str) -> None:  # noqa: N802
    """Print the script that lets a shell complete commands, options and the names of what exists."""
    _script(session, shell)


@_HERE.verb("gen-zsh-completer", example="orlop gen-zsh-completer > /usr/share/zsh/site-functions/_orlop", hidden=True)
def ZSH(session: Session) -> None:  # noqa: N802
    """Print the completion script for zsh."""
    _script(session, "zsh")


def _script(session: Session, shell: str) -> None:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # the choice lists what click has
    complete = kind(click.get_current_context().find_root().command, {}, "orlop", "_ORLOP_COMPLETE")
    session.say(complete.source_template % complete.source_vars())
