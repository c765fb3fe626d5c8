"""`orlop volume-group ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import drbd, options
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties, props_of
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("volume-group", help="Volumes that resources spawned from a resource group get.")
_ONE: list[options.Decorator] = [options.group(), click.argument("number", type=int)]


@MENU.verb("create", "c", example="orlop volume-group create fast")
@options.group()
@click.option("-n", "--vlmnr", "number", type=int, help="Number of the volume.  [default: the lowest free one]")
@click.option("--gross", is_flag=True, help="Sizes are what is taken from the pool, not what can be used.")
def create(session: Session, group: str, number: int | None, gross: bool) -> Answer:
    """Let resources of a group have one volume more."""
    return session.client.create_volume_group(group, number, ["GROSS_SIZE"] if gross else ())


@MENU.verb("delete", "d", example="orlop volume-group delete fast 0")
@options.stacked(*_ONE)
def delete(session: Session, group: str, number: int) -> Answer:
    """Let resources that are spawned from now on have this volume no more."""
    return session.client.delete_volume_group(group, number)


_GROUPS = Table(
    "vlm_grps",
    (
        Column("VolumeNr", lambda row: str(row.volume_number), right=True),
        Column("Flags", lambda row: ", ".join(row.flags)),
    ),
)


@MENU.verb("list", "l", example="orlop volume-group list fast")
@options.group()
@options.listing()
def list_groups(session: Session, group: str, view: View) -> None:
    """List the volume groups of a resource group."""
    session.show(_GROUPS, session.client.volume_groups(group), view)


add_properties(
    MENU,
    "a volume group",
    _ONE,
    read=lambda client, group, number: props_of(
        each for each in client.volume_groups(group) if each.volume_number == number
    ),
    change=lambda client, changes, group, number: client.modify_volume_group(group, number, changes),
    example="fast 0",
)
drbd.add_drbd_options(
    MENU,
    ("drbd-options", "opt"),
    drbd.VOLUME,
    "a volume group",
    _ONE,
    change=lambda client, changes, group, number: client.modify_volume_group(group, number, changes),
    example="orlop volume-group drbd-options fast 0 --al-extents 6007",
)
