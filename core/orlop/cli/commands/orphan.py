"""`orlop orphan ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orlop.cli import options, sizes
from orlop.cli.grammar import Menu
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session

MENU = Menu("orphan", help="Backing objects in the pools that no definition knows. They are never touched.")
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
