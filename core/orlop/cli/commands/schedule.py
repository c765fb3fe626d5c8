"""`orlop schedule ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orlop.cli import options, times
from orlop.cli.grammar import Menu
from orlop.cli.kinds import Kind
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("schedule", help="Times at which backups are made, and how many are kept.")


class _Keep(Kind):
    """A number, or `all`, which the API writes as -1."""

    name = "count|all"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        text = str(value).lower()
        if text != "all" and not text.isdigit():
            self.fail(f"{value!r} is neither a number nor `all`.", param, ctx)
        return -1 if text == "all" else int(text)


_DETAILS = options.stacked(
    click.option("-i", "--incremental-cron", "inc_cron", help="When increments are made."),
    click.option("-l", "--keep-local", type=_Keep(), help="How many snapshots to keep here."),
    click.option("-r", "--keep-remote", type=_Keep(), help="How many full backups to keep on the remote."),
    click.option("--on-failure", type=click.Choice(["RETRY", "SKIP"], case_sensitive=False), help="What then."),
    click.option("--max-retries", type=int, help="How often to try again."),
)


@MENU.verb("create", "c", example='orlop schedule create nightly "0 2 * * 0" --incremental-cron "0 2 * * 1-6"')
@click.argument("name")
@click.argument("full_cron")
@_DETAILS
def create(session: Session, name: str, **members: Any) -> Answer:
    """Make a schedule. Times are written as in crontab(5)."""
    from orlop.client.bodies import given
    from orlop.client.wire import path

    return session.client.command("POST", path("schedules"), given(schedule_name=name, **members))


@MENU.verb("modify", "m", example="orlop schedule modify nightly --keep-remote 7")
@click.argument("name")
@click.option("-f", "--full-cron", help="When full backups are made.")
@_DETAILS
def modify(session: Session, name: str, **members: Any) -> Answer:
    """Change a schedule. What is not given stays."""
    from orlop.client.bodies import given
    from orlop.client.wire import path

    return session.client.command("PUT", path("schedules", name), given(**members))


@MENU.verb("delete", "d", example="orlop schedule delete nightly")
@click.argument("name")
def delete(session: Session, name: str) -> Answer:
    """Delete a schedule. The backups that were made stay."""
    from orlop.client.wire import path

    return session.client.command("DELETE", path("schedules", name))


def _kept(value: int | None) -> str:
    return "" if value is None else "all" if value < 0 else str(value)


_SCHEDULES = Table(
    "schedules",
    (
        Column("Name", lambda row: row.get("schedule_name", "")),
        Column("Full", lambda row: row.get("full_cron", "")),
        Column("Incremental", lambda row: row.get("inc_cron", "")),
        Column("KeepLocal", lambda row: _kept(row.get("keep_local")), right=True),
        Column("KeepRemote", lambda row: _kept(row.get("keep_remote")), right=True),
        Column("OnFailure", lambda row: row.get("on_failure", "")),
    ),
)
_BY_RESOURCE = Table(
    "schedules",
    (
        Column("Resource", lambda row: row.get("rsc_name", "")),
        Column("Remote", lambda row: row.get("remote_name", "")),
        Column("Schedule", lambda row: row.get("schedule_name", "")),
        Column("Last", lambda row: times.shown(row.get("last_snap_time"))),
        Column("Next", lambda row: times.shown(row.get("next_exec_time"))),
        Column("Planned Inc", lambda row: times.shown(row.get("next_planned_inc"))),
        Column("Planned Full", lambda row: times.shown(row.get("next_planned_full"))),
        Column("Reason", lambda row: row.get("reason", "")),
    ),
)
_DETAILED = Table(
    "schedules",
    (
        Column("Remote", lambda row: row.get("remote_name", "")),
        Column("Schedule", lambda row: row.get("schedule_name", "")),
        Column("Resource-Definition", lambda row: _said(row.get("rsc_dfn"))),
        Column("Resource-Group", lambda row: _said(row.get("rsc_grp"))),
        Column("Controller", lambda row: _said(row.get("ctrl"))),
    ),
)


def _said(value: bool | None) -> str:
    return "" if value is None else "Enabled" if value else "Disabled"


def _rows(session: Session, *segments: str, **wanted: Any) -> list[dict[str, Any]]:
    from orlop.client.wire import path, query

    found = session.client.read(dict[str, list[dict[str, Any]]], path(*segments), query(**wanted))
    return found.get("data", [])


@MENU.verb("list", "l", example="orlop schedule list")
@options.listing(groups=False, show_props=None)
def list_schedules(session: Session, view: View) -> None:
    """List the schedules."""
    session.show(_SCHEDULES, _rows(session, "schedules"), view)


@MENU.verb("list-by-resource", "lbr", example="orlop schedule list-by-resource --active-only")
@click.option("-r", "--resource", "rsc", help="Only for this resource.")
@click.option("-o", "--remote", help="Only to this remote.")
@click.option("-s", "--schedule", help="Only of this schedule.")
@click.option("-a", "--active-only", is_flag=True, help="Only where a backup is planned.")
@options.listing(groups=False, show_props=None)
def list_by_resource(session: Session, active_only: bool, view: View, **wanted: str | None) -> None:
    """List for each resource when its backups are made."""
    rows = _rows(session, "view", "schedules-by-resource", **wanted, active_only=active_only or None)
    session.show(_BY_RESOURCE, rows, view)


@MENU.verb("list-by-resource-details", "lbd", example="orlop schedule list-by-resource-details backups")
@options.resource()
@options.listing(groups=False, show_props=None)
def list_details(session: Session, resource: str, view: View) -> None:
    """List where the schedules of a resource were enabled or disabled."""
    session.show(_DETAILED, _rows(session, "view", "schedules-by-resource", resource), view)
