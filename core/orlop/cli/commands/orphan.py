"""`orlop orphan ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import options, sizes
from orlop.cli.grammar import Menu
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("orphan", help="Backing objects in the pools that no definition knows. Only what you name is touched.")
_ONE = (
    options.node(),
    options.pool(),
    click.argument("name"),
    click.option("--uuid", help="The mark it bears, as `orphan list` shows it."),
    click.option("--unmarked", is_flag=True, help="It bears no mark."),
)
_ORPHANS = Table(
    "orphans",
    (
        Column("Node", lambda row: row.node_name),
        Column("StoragePool", lambda row: row.storage_pool_name),
        Column("Name", lambda row: row.name),
        Column("UUID", lambda row: row.uuid),
        Column("Size", lambda row: sizes.shown(row.size_kib), right=True),
        Column("Cluster", lambda row: row.cluster),
        Column("Purpose", lambda row: row.purpose),
    ),
)


@MENU.verb("list", "l", example="orlop orphan list --groupby Node")
@options.on_nodes()
@options.listing(show_props=None)
def list_orphans(session: Session, nodes: tuple[str, ...] | None, view: View) -> None:
    """List volumes and snapshots that lie in storage pools and belong to nothing the controller knows."""
    session.show(_ORPHANS, session.client.orphans(nodes or ()), view)


@MENU.verb("adopt", example="orlop orphan adopt alpha pool_ssd backups_00000 --unmarked")
@options.stacked(*_ONE)
@click.option("-r", "--resource", help="Make it a volume of this resource, not of the one that its name tells.")
@click.option("--volume-number", type=click.IntRange(min=0), help="The number of the volume.")
@click.option("--resource-group", "group", help="The group of a definition that is made for it.")
def adopt(
    session: Session,
    node: str,
    pool: str,
    name: str,
    uuid: str | None,
    unmarked: bool,
    resource: str | None,
    volume_number: int | None,
    group: str | None,
) -> Answer:
    """Make an orphan a volume again, with the data it holds. It gets our mark, and its name if it has another one;
    the definition is made if there is none. One that is in use is refused."""
    _require_identity(uuid, unmarked)
    return session.client.adopt_orphan(node, pool, name, uuid, resource, volume_number, group)


@MENU.verb("remove", example="orlop orphan remove alpha pool_ssd old_00000 --unmarked --yes")
@options.stacked(*_ONE)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(session: Session, node: str, pool: str, name: str, uuid: str | None, unmarked: bool, yes: bool) -> Answer:
    """Remove an orphan with the data it holds. One that is in use or needed by another object is refused."""
    _require_identity(uuid, unmarked)
    if not yes:
        what = f"{name} in pool {pool} on {node}, {f'with the mark {uuid}' if uuid else 'without a mark'}"
        click.confirm(f"All data of {what} will be lost. Remove it?", abort=True, err=True)
    return session.client.remove_orphan(node, pool, name, uuid)


def _require_identity(uuid: str | None, unmarked: bool) -> None:
    if bool(uuid) == unmarked:
        raise click.UsageError("name the mark that it bears with --uuid, or say --unmarked; see `orlop orphan list`.")
