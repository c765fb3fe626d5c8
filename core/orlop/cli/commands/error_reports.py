"""`orlop error-reports ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import completion, options, times
from orlop.cli.grammar import Menu
from orlop.cli.table import Column, Table, View
from orlop.cli.times import MOMENT

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer
    from orlop.client.controller_values import ErrorReport

MENU = Menu("error-reports", help="Reports that controller and satellites write when something goes wrong.")
_SINCE = click.option("-s", "--since", type=MOMENT, help="Not before: 3d, 1d10h, or a date.")
_TO = click.option("-t", "--to", type=MOMENT, help="Not after: 3d, 1d10h, or a date.")

_REPORTS = Table(
    "error_reports",
    (
        Column("Id", lambda row: row.id),
        Column("Datetime", lambda row: times.shown(row.error_time)),
        Column("Node", lambda row: row.node_name),
        Column("Exception", lambda row: ": ".join(filter(None, (row.exception, row.exception_message)))),
    ),
)
_MORE = (
    Column("Location", lambda row: f"{row.origin_method}, {row.origin_file}:{row.origin_line or '-'}"),
    Column("Version", lambda row: row.version),
)


@MENU.verb("list", "l", example="orlop error-reports list --since 1d")
@_SINCE
@_TO
@options.on_nodes()
@options.many("--report-id", "ids", help="Only these reports.")
@click.option("-f", "--full", is_flag=True, help="Show where it happened and the version of the program, too.")
@options.listing(show_props=None)
def list_reports(
    session: Session,
    since: int | None,
    to: int | None,
    nodes: tuple[str, ...] | None,
    ids: tuple[str, ...] | None,
    full: bool,
    view: View,
) -> None:
    """List error reports, the newest last."""
    rows: list[ErrorReport] = []
    if ids:
        rows = [row for each in ids for row in session.client.error_report(each, with_content=False)]
    elif nodes and len(nodes) > 1:
        rows = [row for row in session.client.error_reports(None, since, to) if row.node_name in nodes]
    else:
        rows = session.client.error_reports(nodes[0] if nodes else None, since, to)
    table = _REPORTS._replace(columns=(*_REPORTS.columns, *_MORE)) if full else _REPORTS
    session.show(table, rows, view)


@MENU.verb("show", "s", example="orlop error-reports show 6A21F3C0-00000-000001")
@click.argument("ids", nargs=-1, required=True, shell_complete=completion.REPORTS)
def show(session: Session, ids: tuple[str, ...]) -> None:
    """Show error reports in full."""
    for each in ids:
        found = session.client.error_report(each)
        if session.settings.machine_readable:
            session.show_raw()
        for row in found if not session.settings.machine_readable else []:
            session.say(row.text)


@MENU.verb("delete", "d", example="orlop error-reports delete --to 30d")
@click.argument("ids", nargs=-1, shell_complete=completion.REPORTS)
@options.on_nodes()
@_SINCE
@_TO
@click.option("--exception", help="Only reports of this exception.")
def delete(
    session: Session,
    ids: tuple[str, ...],
    nodes: tuple[str, ...] | None,
    since: int | None,
    to: int | None,
    exception: str | None,
) -> Answer:
    """Delete the error reports that are named, or all that fit."""
    if not (ids or nodes or since or to or exception):
        raise click.UsageError("name reports, or say which ones with --nodes, --since, --to or --exception.")
    return session.client.delete_error_reports(ids, nodes or (), since, to, exception)
