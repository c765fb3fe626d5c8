"""`orlop job ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import options, times
from orlop.cli.grammar import Menu
from orlop.cli.table import Cell, Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("job", help="Work that takes more than one request: rollbacks, migrations, evacuations.")
_JOBS = Table(
    "jobs",
    (
        Column("UUID", lambda row: row.uuid),
        Column("Kind", lambda row: row.kind),
        Column("Resource", lambda row: row.resource_name),
        Column("From", lambda row: row.source),
        Column("To", lambda row: row.target),
        Column("State", lambda row: row.state),
        Column("CreatedOn", lambda row: times.shown(row.created)),
        Column("Problem", lambda row: Cell(row.problem, "red")),
    ),
)


@MENU.verb("list", "l", example="orlop job list")
@options.of_resources()
@options.listing(show_props=None)
def list_jobs(session: Session, resources: tuple[str, ...] | None, view: View) -> None:
    """List the work that the controller is doing, and what stands in its way."""
    session.show(_JOBS, session.client.jobs(resources or ()), view)


@MENU.verb("cancel", example="orlop job cancel 9b2f7d0e-3f6f-4c55-8d7e-6a1f0c0d5a11")
@click.argument("jobs", nargs=-1, required=True, metavar="UUID...")
def cancel(session: Session, jobs: tuple[str, ...]) -> Answer:
    """End moves of replicas: what has not begun does not, what has begun is undone where that is safe. An evacuation is
    ended with `node restore`, a whole rebalancing with `node rebalance --cancel`."""
    return session.each(jobs, session.client.cancel_job)
