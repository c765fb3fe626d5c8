"""`orlop storage-pool-definition ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orlop.cli import options
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu(
    "storage-pool-definition", help="What the pools of a name share. Definitions come to be with the first pool."
)
_DEFINITIONS = Table("stor_pool_dfns", (Column("StoragePool", lambda row: row.storage_pool_name),))


@MENU.verb("create", "c", example="orlop storage-pool-definition create pool_ssd")
@options.pool("name")
def create(session: Session, name: str) -> Answer:
    """Make a storage pool definition before there is a pool."""
    return session.client.create_storage_pool_definition(name)


@MENU.verb("delete", "d", example="orlop storage-pool-definition delete pool_ssd")
@options.pool("name")
def delete(session: Session, name: str) -> Answer:
    """Remove a definition that has no pools."""
    return session.client.delete_storage_pool_definition(name)


@MENU.verb("list", "l", example="orlop storage-pool-definition list")
@options.listing()
def list_definitions(session: Session, view: View) -> None:
    """List the storage pool definitions."""
    session.show(_DEFINITIONS, session.client.storage_pool_definitions(), view)


add_properties(
    MENU,
    "a storage pool definition",
    [options.pool("name")],
    read=lambda client, name: client.storage_pool_definition(name).props,
    change=lambda client, changes, name: client.modify_storage_pool_definition(name, changes),
    example="pool_ssd",
)
