"""`orlop controller ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orlop.cli import drbd, options
from orlop.cli.commands.max_size import MAX_SIZES
from orlop.cli.commands.node import LEVELS
from orlop.cli.grammar import Menu
from orlop.cli.placement import placement
from orlop.cli.properties import add_properties
from orlop.cli.table import Cell, Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer, SelectFilter

MENU = Menu("controller", help="The controller, and properties that hold for the whole cluster.")


@MENU.verb("version", "v", example="orlop controller version")
def version(session: Session) -> None:
    """Show the version of the controller and of its API."""
    found = session.client.version()
    if session.settings.machine_readable:
        session.show_raw()
        return
    session.say(f"controller {found.version}, API {found.rest_api_version}, built {found.build_time} {found.git_hash}")


@MENU.verb("which", example="orlop controller which")
def which(session: Session) -> None:
    """Show which of the configured controllers answers."""
    session.client.version()
    session.say(session.wire.answered or "unknown")


@MENU.verb("set-log-level", "setloglevel", example="orlop controller set-log-level DEBUG --global")
@click.argument("level", type=LEVELS)
@click.option("--library", "--lib", is_flag=True, help="Of the libraries, too.")
@click.option("--global", "everywhere", is_flag=True, help="On all satellites, too.")
def set_log_level(session: Session, level: str, library: bool, everywhere: bool) -> Answer:
    """Choose how much the controller writes into its log."""
    key = ("level" if library else "level_linstor") + ("_global" if everywhere else "")
    return session.client.configure_controller({"log": {key: level}})


@MENU.verb("backupdb", "bakdb", example="orlop controller backupdb before-upgrade")
@click.argument("name")
def backup_database(session: Session, name: str) -> Answer:
    """Let the controller save its database under a name, on its own disk."""
    return session.client.backup_database(name)


@MENU.verb("query-max-volume-size", "qmvs", example="orlop controller query-max-volume-size 2 --storage-pool pool_ssd")
@click.argument("replicas", type=click.IntRange(min=1))
@placement("--place-count", ("--providers",))
@options.listing(groups=False, show_props=None)
def query_max_volume_size(session: Session, replicas: int, select: SelectFilter, view: View, **more: Any) -> None:
    """Show how large a volume with so many replicas could be, for each combination of pools."""
    import msgspec

    wanted = msgspec.structs.replace(select, place_count=replicas)
    session.show(MAX_SIZES, session.client.max_volume_sizes(wanted).candidates, view)


@MENU.verb("accept-restore", example="orlop controller accept-restore")
def accept_restore(session: Session) -> Answer:
    """Let the cluster follow a restored database. The controller only watches after a restore, until this is
    said; look at `orlop controller differences` first."""
    return session.client.accept_restore()


_DIFFERENCES = Table(
    "differences",
    (
        Column("Node", lambda row: row.node_name),
        Column("Resource", lambda row: row.resource_name),
        Column("VolNr", lambda row: "" if row.volume_number is None else str(row.volume_number), right=True),
        Column("Snapshot", lambda row: row.snapshot_name),
        Column("Wanted", lambda row: row.wanted),
        Column("Found", lambda row: row.found),
        Column("Problem", lambda row: Cell(row.problem, "red")),
    ),
)


@MENU.verb("differences", example="orlop controller differences")
@options.on_nodes()
@options.listing(show_props=None)
def differences(session: Session, nodes: tuple[str, ...] | None, view: View) -> None:
    """List where what the nodes report is not what is wanted; look here before `accept-restore`."""
    session.show(_DIFFERENCES, session.client.differences(nodes or ()), view)


add_properties(
    MENU,
    "the controller",
    [],
    read=lambda client: client.controller_properties(),
    change=lambda client, changes: client.modify_controller(changes),
    example="",
)
drbd.add_drbd_options(
    MENU,
    ("drbd-options", "opt"),
    drbd.EVERYWHERE,
    "all resources",
    [],
    change=lambda client, changes: client.modify_controller(changes),
    example="orlop controller drbd-options --auto-promote no",
)
