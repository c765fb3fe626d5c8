"""`orlop-controller database ...`: copies of the database and a look at its health."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from orlop.controller.store import database as connections
from orlop.controller.store.export import write_export
from orlop.controller.store.restore import restore as restore_export
from orlop.controller.store.store import Store
from orlop.errors import OrlopError

DEFAULT = "sqlite:////var/lib/orlop/controller/orlop.db"


@click.group(name="database")
def database() -> None:
    """Export, restore and check the controller's database.

    The database holds everything that is wanted in the cluster: nodes, pools, resources, their volumes and
    snapshots, and all properties. It holds no user data. Where it is kept is told by a URL:

    \b
      sqlite:////var/lib/orlop/controller/orlop.db           one file, the default
      postgresql+psycopg://orlop@db.example/orlop        a PostgreSQL server
      mysql+pymysql://orlop@db.example/orlop             a MariaDB server

    A URL with a password belongs into the environment variable ORLOP_DATABASE_URL and not on the command line,
    where every user of the machine can read it.
    """


def _with_url(command: Callable[..., None]) -> Callable[..., None]:
    """The option --url, and errors as sentences instead of tracebacks."""

    @click.option(
        "--url",
        envvar="ORLOP_DATABASE_URL",
        default=DEFAULT,
        show_default=True,
        show_envvar=True,
        help="Which database.",
    )
    @click.pass_context
    @wraps(command)
    def run(context: click.Context, /, url: str, **rest: Any) -> None:
        try:
            given = context.get_parameter_source("url") is ParameterSource.COMMANDLINE
            if given and connections.parse(url).password is not None:
                raise click.UsageError("a password does not belong on the command line; use ORLOP_DATABASE_URL")
            command(url=url, **rest)
        except OrlopError as error:
            parts = (error.message, error.cause, error.details, error.correction)
            raise click.ClickException("\n".join(part for part in parts if part)) from error

    return run


@database.command()
@_with_url
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def export(url: str, file: Path) -> None:
    """Write the whole database to FILE, as JSON.

    The export is one consistent moment and can be made while the controller runs. FILE can be restored into a
    database of any of the three engines, by this release or a newer one. It is made readable for its owner only;
    an existing FILE is replaced once the new one is complete.

    \b
    Example:
      orlop-controller database export /var/backups/orlop-2026-11-22.json
    """
    write_export(connections.parse(url), file)
    click.echo(f"exported to {file}")


@database.command()
@_with_url
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(url: str, file: Path) -> None:
    """Write an export back into an empty database.

    The controller must not run. A database that holds any table is refused and stays as it is; so is an export
    of a newer release. An older export is brought up to date. If something fails the database is empty again.

    The satellites notice that the database is older than what they know: after its start the controller only
    observes and lists the differences until 'orlop controller accept-restore' is given.

    \b
    Examples:
      orlop-controller database restore --url sqlite:////var/lib/orlop/new.db /var/backups/orlop-2026-11-22.json
      Move from SQLite to a server: export, then restore with the server's URL.
    """
    restore_export(url, file)
    click.echo(f"restored from {file}")


@database.command()
@_with_url
def check(url: str) -> None:
    """Read the whole database as the controller would at its start, and print what makes no sense.

    Nothing is changed, and the controller may run meanwhile. Every problem is one line: table, key, reason. The
    controller starts in spite of them: it leaves the objects concerned alone, keeps their names taken and manages
    everything else.

    The exit status is 0 when all is well, 1 otherwise.
    """
    with Store.open(url, check_writer=False) as store:
        loaded = store.load()
    for problem in loaded.problems:
        click.echo(str(problem))
    picture = loaded.picture
    click.echo(
        f"{len(picture.nodes)} nodes, {len(picture.pools)} storage pools, {len(picture.groups)} resource groups, "
        f"{len(picture.definitions)} resource definitions, {len(loaded.problems)} problems"
    )
    if loaded.problems:
        raise SystemExit(1)
