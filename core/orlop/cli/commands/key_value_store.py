"""`orlop key-value-store ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import completion, options
from orlop.cli.grammar import Menu
from orlop.cli.properties import one_change, show_properties
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("key-value-store", help="Stores in which programs keep pairs of keys and values.")
_STORE = click.argument("store", shell_complete=completion.STORES)
_STORES = Table("kvs", (Column("Name", lambda row: row.name),))


@MENU.verb("list", "l", example="orlop key-value-store list")
@options.listing(groups=False, show_props=None)
def list_stores(session: Session, view: View) -> None:
    """List the names of the stores."""
    session.show(_STORES, session.client.key_value_stores(), view)


@MENU.verb("show", "s", example="orlop key-value-store show csi")
@_STORE
@options.pastable
def show(session: Session, store: str, pastable: bool) -> None:
    """Show the pairs of a store."""
    show_properties(session, session.client.key_value_store(store), pastable)


@MENU.verb("modify", "m", example="orlop key-value-store modify csi volume1 backups")
@_STORE
@click.argument("key")
@click.argument("value", required=False, default="")
def modify(session: Session, store: str, key: str, value: str) -> Answer:
    """Set the value of a key; without a value the key is removed. A store comes to be with its first key."""
    return session.client.modify_key_value_store(store, one_change(key, value))


@MENU.verb("delete", "d", example="orlop key-value-store delete csi")
@_STORE
def delete(session: Session, store: str) -> Answer:
    """Delete a store with all its pairs."""
    return session.client.delete_key_value_store(store)
