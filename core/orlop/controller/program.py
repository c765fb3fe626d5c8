"""`orlop-controller`: run the controller, or look after its database."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import tomllib
from pathlib import Path
from typing import Any

import click

from orlop import __version__
from orlop.controller.store.command import database
from orlop.errors import OrlopError

CONFIGURATION = Path("/etc/orlop/controller.toml")
STATE_DIRECTORY = "/var/lib/orlop/controller"


def configured(context: click.Context, _: click.Parameter, path: Path | None) -> None:
    """Values of the configuration file are the defaults of the options; a name nobody knows is an error."""
    path = path or (CONFIGURATION if CONFIGURATION.exists() else None)
    if path is None:
        return
    try:
        values: dict[str, Any] = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise click.BadParameter(f"{path} cannot be read: {error}") from error
    known = {parameter.name for parameter in context.command.params}
    names = {name.replace("-", "_"): value for name, value in values.items()}
    unknown = names.keys() - known
    if unknown:
        raise click.BadParameter(f"{path}: there is no option {', '.join(sorted(unknown))}")
    context.default_map = names


@click.group(
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "ORLOP_CONTROLLER"},
)
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    callback=configured,
    is_eager=True,
    expose_value=False,
    help=f"TOML file with values for these options, without the dashes. Default: {CONFIGURATION}, if it exists.",
)
@click.option(
    "--database",
    "database_url",
    metavar="URL",
    help="sqlite:////PATH, postgresql+psycopg://... or mysql+pymysql://... Default: orlop.db in the state directory.",
)
@click.option(
    "--state-directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=STATE_DIRECTORY,
    show_default=True,
    help="Keys, tokens, error reports, and the database if no other is named.",
)
@click.option("--address", default="127.0.0.1", show_default=True, help="Where the REST API listens.")
@click.option("--port", default=3370, show_default=True, help="Port of the REST API.")
@click.option("--enrolment-address", default="127.0.0.1", show_default=True, help="Where new nodes join, over TLS.")
@click.option("--enrolment-port", default=3371, show_default=True, help="Port where new nodes join.")
@click.option(
    "--advertise",
    metavar="ADDRESS",
    help="Address that the join command names, if nodes reach the "
    "enrolment port by another one than --enrolment-address.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    show_default=True,
)
@click.version_option(__version__, prog_name="orlop-controller")
@click.pass_context
def main(
    context: click.Context,
    database_url: str | None,
    state_directory: Path,
    address: str,
    port: int,
    enrolment_address: str,
    enrolment_port: int,
    advertise: str | None,
    log_level: str,
) -> None:
    """Run the Orlop controller: it holds what is wanted, serves the REST API and drives the satellites.

    Without options it keeps everything in /var/lib/orlop/controller and listens on loopback only. Every option can
    also be given in the environment as ORLOP_CONTROLLER_<NAME>, or in the configuration file.

    At the first start the controller makes the database, the cluster key and its certificate authority; a backup
    needs the state directory and the database together. SIGTERM ends it cleanly.

    \b
    Examples:
      orlop-controller
      orlop-controller --address 192.168.0.1 --enrolment-address 192.168.0.1
      orlop-controller --database postgresql+psycopg://orlop@db/orlop
      orlop-controller database check
    """
    url = database_url or f"sqlite:///{state_directory.absolute()}/orlop.db"
    if context.invoked_subcommand is not None:
        context.obj = url
        return
    logging.basicConfig(
        level=log_level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    from orlop.controller.service import Service, Settings

    settings = Settings(url, state_directory, address, port, enrolment_address, enrolment_port, advertise)
    signal.signal(signal.SIGTERM, _end)
    try:
        service = Service(settings)
    except (OrlopError, OSError) as error:
        raise click.ClickException(_explained(error)) from error
    try:
        notify("READY=1")
        logging.getLogger("orlop").info("serving on %s port %d", address, port)
        service.serve()
    except KeyboardInterrupt:
        pass
    finally:
        notify("STOPPING=1")
        service.close()


main.add_command(database)


def _end(*_: object) -> None:
    raise SystemExit(0)


def _explained(error: Exception) -> str:
    if isinstance(error, OrlopError):
        return " ".join(part for part in (error.message, error.cause, error.correction) if part)
    return f"the controller cannot start: {error}"


def notify(state: str) -> None:
    """Tell systemd (sd_notify(3)) when it started us."""
    where = os.environ.get("NOTIFY_SOCKET")
    if where:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.sendto(state.encode(), "\0" + where[1:] if where.startswith("@") else where)


if __name__ == "__main__":
    main()
