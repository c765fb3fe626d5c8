"""What the two services have in common as programs: sentences for errors, a configuration file, a log, systemd."""

import logging
import os
import socket
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from orlop.errors import OrlopError

LEVELS = ("debug", "info", "warning", "error")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class Program(click.Group):
    """Ends with the sentences of an expected error instead of a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OrlopError as error:
            raise click.ClickException("\n".join(filter(None, (str(error), error.cause, error.correction)))) from error


def config_option(
    file: Path, variable: str, settings: frozenset[str], spread: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option --config: a TOML file with defaults. `spread` makes click's default map of its settings."""

    def configure(ctx: click.Context, _: click.Parameter, path: Path) -> None:
        """The usual file may be absent, one that is named may not."""
        given = ctx.get_parameter_source("config") is not click.core.ParameterSource.DEFAULT
        if not given and not path.exists():
            return
        try:
            read = tomllib.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise click.ClickException(f"{path} cannot be read: {error}") from error
        found = {name.replace("-", "_"): value for name, value in read.items()}
        if unknown := sorted(found.keys() - settings):
            raise click.ClickException(
                f"{path}: unknown setting {unknown[0]!r}; there are {', '.join(sorted(settings))}"
            )
        ctx.default_map = spread(found)

    return click.option(
        "--config",
        type=click.Path(dir_okay=False, path_type=Path),
        default=file,
        show_default=True,
        is_eager=True,
        callback=configure,
        expose_value=False,
        envvar=variable,
        help="TOML file with defaults for the options.",
    )


def start_log(level: str) -> None:
    form = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=level.upper(), stream=sys.stderr, format=form)


def notify(state: str) -> None:
    """Tell the service manager (sd_notify(3)), for example READY=1; does nothing where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as speaker:
        speaker.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
