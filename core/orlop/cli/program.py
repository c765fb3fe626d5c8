"""The program: global options, the groups, and what an ending means to the shell."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import click

from orlop import __version__
from orlop.cli import exit_codes
from orlop.cli.grammar import HELP, Menu
from orlop.cli.groups import GROUPS
from orlop.cli.session import Session, Settings, Shown
from orlop.errors import OrlopError


class Root(Menu):
    """The top of the grammar. Configuration files and plugins are read here."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if "--disable-config" not in args:
            from orlop.cli import config

            try:
                ctx.default_map = dict(config.read(config.places()))
            except config.BadConfiguration:
                if not ctx.resilient_parsing:  # completion stays silent; the command itself will say it
                    raise
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._load_plugins()
        return super().list_commands(ctx)

    def candidates(self, word: str) -> list[str]:
        found = super().candidates(word)
        if not found and not self._loaded:
            self._load_plugins()
            found = super().candidates(word)
        return found

    def _load_plugins(self) -> None:
        """Commands that installed plugins bring. Asked for only when no built-in command fits: it takes time."""
        from importlib.metadata import entry_points

        if not self._loaded and entry_points(group="orlop"):
            from orlop.hooks import Hooks

            Hooks.installed().commands(self)
        self._loaded = True

    _loaded = False


@click.group(
    "orlop",
    cls=Root,
    later=GROUPS,
    invoke_without_command=True,
    no_args_is_help=False,
    context_settings=HELP,
)
@click.version_option(__version__, "-v", "--version", prog_name="orlop")
@click.option(
    "--controllers",
    metavar="HOST[:PORT],...",
    envvar=["ORLOP_CONTROLLERS", "LS_CONTROLLERS"],
    default="",
    help="Controllers, tried in this order. Also in ORLOP_CONTROLLERS.  [default: localhost]",
)
@click.option("-m", "--machine-readable", is_flag=True, help="Print JSON.")
@click.option(
    "--output-version",
    type=click.Choice(["v0", "v1"]),
    envvar=["ORLOP_OUTPUT_VERSION", "LS_OUTPUT_VERSION"],
    default="v1",
    show_default=True,
    help="Form of the JSON.",
)
@click.option("--no-color", is_flag=True, envvar="NO_COLOR", help="No colours.")
@click.option("--no-utf8", is_flag=True, help="Draw tables with ASCII.")
@click.option("--warn-as-error", is_flag=True, help="Let a warning set the exit code, too.")
@click.option("--curl", is_flag=True, help="Print the requests as curl commands instead of sending them.")
@click.option("--dry-run", is_flag=True, help="Show what a command would change and run; also after the command.")
@click.option(
    "-t",
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    envvar="ORLOP_TIMEOUT",
    default=300.0,
    show_default=True,
    help="Seconds to wait for an answer.",
)
@click.option("-V", "--verbose", is_flag=True, help="Say which controller answered.")
@click.option("--disable-config", is_flag=True, help="Do not read configuration files.")
@click.option("-u", "--user", default="", help="Log in as this user.")
@click.option(
    "-P", "--password", envvar="ORLOP_PASSWORD", default="", help="Better: in ORLOP_PASSWORD, or at the prompt."
)
@click.option("--certfile", type=click.Path(), help="Client certificate (PEM).")
@click.option("--keyfile", type=click.Path(), help="Key of the client certificate (PEM).")
@click.option("--cafile", type=click.Path(), help="Certificates of the authorities to trust (PEM).")
@click.option("--allow-insecure-auth", is_flag=True, help="Log in even over plain HTTP.")
@click.pass_context
def orlop(ctx: click.Context, /, controllers: str, disable_config: bool, **more: Any) -> None:
    """Manage the block storage of a cluster.

    Commands may be shortened to any unambiguous beginning, and most have an alias: `orlop node list`,
    `orlop n l`. Without a command an interactive session begins.
    """
    token = os.environ.get("ORLOP_TOKEN") or (ctx.default_map or {}).get("token", "")
    session = ctx.ensure_object(Session)
    session.settings = Settings(controllers=(controllers,) if controllers else (), token=token, **more)
    if ctx.invoked_subcommand is None:
        from orlop.cli.interactive import interact

        session.exit_code = interact(ctx)


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if "_ORLOP_COMPLETE" in os.environ:
        return _complete()
    try:
        ctx = orlop.make_context("orlop", arguments)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.ClickException, OrlopError) as error:
        return explain(error)
    session = ctx.obj = Session()
    with ctx:
        return guarded(lambda: orlop.invoke(ctx), session)


def guarded(action: Callable[[], object], session: Session) -> int:
    """Do it; errors become sentences and exit codes."""
    try:
        action()
    except Shown:
        return exit_codes.OK
    except click.exceptions.Exit as end:
        return end.exit_code
    except (click.ClickException, click.Abort, OrlopError, KeyboardInterrupt, EOFError, BrokenPipeError) as error:
        return explain(error, session)
    session.finish()
    return session.exit_code


def explain(error: BaseException, session: Session | None = None) -> int:
    """Print an error for the person who sees it, and say how the program ends."""
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter complains at its end
        return exit_codes.FAILED
    if not isinstance(error, OrlopError):
        click.echo("orlop: interrupted; the controller finishes what it was told", err=True)
        return exit_codes.INTERRUPTED
    return _problem(error, session or Session())


def _problem(error: OrlopError, session: Session) -> int:
    from orlop.cli import output
    from orlop.client import ApiError, TimedOut, UnexpectedReply, Unreachable
    from orlop.client.address import BadAddress

    if isinstance(error, ApiError) and error.entries:
        session.report(error.entries)
        return exit_codes.API_ERROR
    output.problem(error, colour=sys.stderr.isatty() and not session.settings.no_color)
    if session.settings.machine_readable:
        output.json([])
    endings = {
        ApiError: exit_codes.API_ERROR,
        Unreachable: exit_codes.UNREACHABLE,
        TimedOut: exit_codes.TIMED_OUT,
        UnexpectedReply: exit_codes.UNEXPECTED_REPLY,
        BadAddress: exit_codes.BAD_ARGUMENTS,
    }
    return next((code for kind, code in endings.items() if isinstance(error, kind)), exit_codes.FAILED)


def _complete() -> int:
    from click.shell_completion import shell_complete

    return shell_complete(orlop, {}, "orlop", "_ORLOP_COMPLETE", os.environ["_ORLOP_COMPLETE"])
