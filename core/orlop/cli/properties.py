"""`list-properties` and `set-property`, the same for every kind of object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from orlop.cli.grammar import Menu
from orlop.cli.options import Decorator, pastable, stacked
from orlop.cli.table import Cell, Column, draw

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer, Changes

_COLUMNS = (Column("Key", str), Column("Value", str))


def add_properties(
    menu: Menu,
    what: str,
    arguments: list[Decorator],
    read: Callable[..., Mapping[str, str] | None],
    change: Callable[..., Answer],
    example: str,
) -> None:
    """`read(client, *names)` gives the properties or None, `change(client, changes, *names)` changes them.

    `what` names the object in help and messages, `example` are arguments that name one.
    """
    words = f"orlop {menu.name}"
    named = f" {example}" if example else ""

    @menu.verb(
        "list-properties",
        "lp",
        example=f"{words} list-properties{named}",
        help=f"Show the properties that are set on {what}. Inherited values are not shown.",
    )
    @stacked(*arguments, pastable)
    def list_properties(session: Session, pastable: bool, **names: Any) -> None:
        found = read(session.client, **names)
        if found is None:
            session.missing(f"{what}: {' '.join(map(str, names.values()))} does not exist")
            return
        show_properties(session, found, pastable)

    @menu.verb(
        "set-property",
        "sp",
        example=f"{words} set-property{named} Aux/site a",
        help=f"Set a property of {what}. Without a value the property is removed.",
    )
    @stacked(*arguments)
    @click.argument("key")
    @click.argument("value", required=False, default="")
    @click.option("--aux", is_flag=True, help="Put Aux/ before the key: a property of your own.")
    def set_property(session: Session, key: str, value: str, aux: bool, **names: Any) -> Answer:
        return change(session.client, one_change(f"Aux/{key}" if aux else key, value), **names)


def one_change(key: str, value: str) -> Changes:
    from orlop.client import Changes

    return Changes(override={key: value}) if value else Changes(delete=(key,))


def show_properties(session: Session, props: Mapping[str, str], pastable: bool) -> None:
    from orlop.cli import output

    pairs = sorted(props.items())
    if session.settings.machine_readable:
        output.json([[{"key": key, "value": value} for key, value in pairs]])
        return
    lines = [[Cell(key), Cell(value)] for key, value in pairs]
    draw(_COLUMNS, lines, session.utf8 and not pastable, session.colour and not pastable)


def props_of(found: Any) -> Mapping[str, str] | None:
    """The properties of the only object in a list, None when there is none."""
    return next((each.props for each in found), None)
