"""The program `orlop-controller`. What is needed for one command only is imported by that command."""

from __future__ import annotations

import logging
import signal
from pathlib import Path
from typing import Any

import click

import orlop
from orlop.controller.store.command import database
from orlop.errors import Refused
from orlop.programs import CONTEXT, LEVELS, Program, config_option, notify, start_log

log = logging.getLogger(__name__)

CONFIGURATION = Path("/etc/orlop/controller.toml")
STATE_DIRECTORY = Path("/var/lib/orlop/controller")
VARIABLE = "ORLOP_CONTROLLER"
SETTINGS = frozenset(
    {
        "database",
        "state_directory",
        "address",
        "port",
        "enrolment_address",
        "enrolment_port",
        "advertise",
        "key_store",
        "log_level",
    }
)


def defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """The options are those of the group itself, so the file's settings are, too."""
    return settings


@click.group(cls=Program, invoke_without_command=True, context_settings=CONTEXT | {"auto_envvar_prefix": VARIABLE})
@config_option(CONFIGURATION, f"{VARIABLE}_CONFIG", SETTINGS, defaults)
@click.option(
    "--database",
    metavar="URL",
    envvar="ORLOP_DATABASE_URL",
    show_envvar=True,
    help="sqlite:////PATH, postgresql+psycopg://USER@HOST/NAME or mysql+pymysql://USER@HOST/NAME. A URL with a "
    "password belongs into the environment.  [default: orlop.db in the state directory]",
)
@click.option(
    "--state-directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=STATE_DIRECTORY,
    show_default=True,
    help="Cluster key, certificates, join tokens, error reports, and the database if no other is named.",
)
@click.option("--address", default="127.0.0.1", show_default=True, help="Where the REST API listens.")
@click.option("--port", type=click.IntRange(1, 65535), default=3370, show_default=True, help="Port of the REST API.")
@click.option("--enrolment-address", default="127.0.0.1", show_default=True, help="Where new nodes join, over TLS.")
@click.option(
    "--enrolment-port", type=click.IntRange(0, 65535), default=3371, show_default=True, help="Port where nodes join."
)
@click.option(
    "--advertise",
    metavar="ADDRESS",
    help="What the join command names, where nodes reach the enrolment port by another address.",
)
@click.option(
    "--key-store",
    metavar="NAME",
    default="systemd",
    show_default=True,
    help="The orlop.key_store driver that knows the master passphrase; systemd: the credential orlop-passphrase.",
)
@click.option(
    "--log-level", type=click.Choice(LEVELS), default="info", show_default=True, help="How much to write to stderr."
)
@click.version_option(orlop.__version__, prog_name="orlop-controller", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    ctx: click.Context,
    database: str | None,
    state_directory: Path,
    address: str,
    port: int,
    enrolment_address: str,
    enrolment_port: int,
    advertise: str | None,
    key_store: str,
    log_level: str,
) -> None:
    """The Orlop controller: holds what is wanted in the cluster, serves the REST API and drives the satellites.

    Without options it keeps everything in /var/lib/orlop/controller and listens on loopback only. At its first start
    it makes the database, the cluster key and the authority that signs the certificates of nodes. A backup needs
    the database and the state directory. SIGTERM ends it cleanly.

    An option wins over its environment variable (ORLOP_CONTROLLER_PORT for --port), that over the configuration
    file:

    \b
        # /etc/orlop/controller.toml
        address = "192.168.0.10"
        enrolment-address = "192.168.0.10"

    Several controllers may run on one PostgreSQL or MariaDB database: one is active, the others stand by.

    \b
    Examples:
        orlop-controller
        orlop-controller --address 192.168.0.10 --enrolment-address 192.168.0.10
        ORLOP_DATABASE_URL=postgresql+psycopg://orlop:...@db/orlop orlop-controller
        orlop-controller database check
    """
    if ctx.invoked_subcommand is not None:
        return
    start_log(log_level)
    refuse_visible_password(ctx, database)
    from orlop.controller.service import Settings

    url = database or f"sqlite:///{state_directory.absolute()}/orlop.db"
    serve(Settings(url, state_directory, address, port, enrolment_address, enrolment_port, advertise, key_store))


cli.add_command(database)


def refuse_visible_password(ctx: click.Context, url: str | None) -> None:
    from orlop.controller.store.database import parse

    given = ctx.get_parameter_source("database") is click.core.ParameterSource.COMMANDLINE
    if url and given and parse(url).password is not None:
        raise Refused(
            "a password does not belong on the command line, where every user of the machine can read it",
            correction="Give the URL in the environment variable ORLOP_DATABASE_URL.",
        )


def serve(settings: Any) -> None:
    """Until SIGTERM or SIGINT; ends with status 1 when the controller must not go on."""
    from orlop.controller.service import Service

    def end(*_: object) -> None:
        raise SystemExit(0)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    service = Service(settings)
    try:
        service.start()
        notify("READY=1")
        log.info("the REST API is served on http://%s:%d", settings.address, settings.port)
        service.serve()
    finally:
        notify("STOPPING=1")
        service.close()
    if service.failure:
        raise Refused(service.failure, correction="Start the controller again; it will load the database anew.")


def main() -> None:
    cli(prog_name="orlop-controller")
