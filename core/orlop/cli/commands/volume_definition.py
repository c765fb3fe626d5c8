"""`orlop volume-definition ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import drbd, options, sizes, states
from orlop.cli.asking import secret
from orlop.cli.commands import waiting
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties, props_of
from orlop.cli.sizes import SIZE
from orlop.cli.table import Column, Table, View
from orlop.cli.words import Maybe

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("volume-definition", help="Volumes that the resources of a definition have: their number and size.")
_ONE = [options.resource(), options.number()]
_PROMPT = "\0"  # the option was given without a value: ask


@MENU.verb("create", "c", example="orlop volume-definition create backups 500G")
@options.resource()
@click.argument("size", type=SIZE)
@click.option("-s", "--storage-pool", help="Put the volume into pools of this name.")
@click.option("-n", "--vlmnr", "number", type=int, help="Number of the volume.  [default: the lowest free one]")
@click.option("-m", "--minor", type=int, help="Minor number of the DRBD device.")
@click.option("--encrypt", is_flag=True, help="Encrypt it.")
@click.option("--gross", is_flag=True, help="The size is what is taken from the pool, not what can be used.")
@click.option("--passphrase", cls=Maybe, alone=_PROMPT, help="Passphrase of this volume; asked for if left out.")
def create(
    session: Session,
    resource: str,
    size: int,
    storage_pool: str | None,
    number: int | None,
    minor: int | None,
    encrypt: bool,
    gross: bool,
    passphrase: str | None,
) -> Answer:
    """Give a resource definition a volume. SIZE is a number and a unit: 500G, 1.5TiB, 20GB; without a unit it
    is GiB. If the definition has resources, they get the volume at once."""
    if passphrase == _PROMPT:
        passphrase = secret("Passphrase of the volume", twice=True)
    flags = [*(["ENCRYPTED"] if encrypt else []), *(["GROSS_SIZE"] if gross else [])]
    props = {"StorPoolName": storage_pool} if storage_pool else None
    return session.client.create_volume_definition(resource, size, number, props, flags, minor, passphrase)


@MENU.verb("delete", "d", example="orlop volume-definition delete backups 0")
@options.stacked(*_ONE)
@options.not_waiting()
def delete(session: Session, resource: str, number: int) -> Answer:
    """Delete a volume of a definition with the data on all nodes."""
    return session.client.delete_volume_definition(resource, number)


@MENU.verb("set-size", "size", example="orlop volume-definition set-size backups 0 1TiB")
@options.stacked(*_ONE)
@click.argument("size", type=SIZE)
@click.option("--gross", is_flag=True, help="The size is what is taken from the pool, not what can be used.")
def set_size(session: Session, resource: str, number: int, size: int, gross: bool) -> Answer:
    """Change the size of a volume. The file system on it is not touched: shrink it before, grow it after."""
    flags = ["GROSS_SIZE"] if gross else None
    return session.client.modify_volume_definition(resource, number, size_kib=size, flags=flags)


@MENU.verb("modify-passphrase", "mp", example="orlop volume-definition modify-passphrase backups 0")
@options.stacked(*_ONE)
@click.argument("passphrase", required=False)
def modify_passphrase(session: Session, resource: str, number: int, passphrase: str | None) -> Answer:
    """Change the passphrase of an encrypted volume. It is asked for if it is left out."""
    new = secret("New passphrase", passphrase, twice=True)
    return session.client.change_volume_passphrase(resource, number, new)


_DEFINITIONS = Table(
    "rsc_dfns",
    (
        Column("ResourceName", lambda row: row[0].name),
        Column("VolumeNr", lambda row: str(row[1].volume_number), right=True),
        Column("VolumeMinor", lambda row: "" if row[1].minor is None else str(row[1].minor), right=True),
        Column("Size", lambda row: sizes.shown(row[1].size_kib), right=True),
        Column("Gross", lambda row: "+" if "GROSS_SIZE" in row[1].flags else ""),
        Column("State", lambda row: states.flags(row[1].flags)),
    ),
    props=lambda row: row[1].props,
)


@MENU.verb("list", "l", example="orlop volume-definition list --resource-definitions backups")
@options.of_resources("-r", "--resource-definitions")
@click.option("-e", "--external-name", is_flag=True, help="Show the external names of the resources.")
@options.listing()
def list_definitions(session: Session, resources: tuple[str, ...] | None, external_name: bool, view: View) -> None:
    """List the volumes of resource definitions with number and size."""
    found = session.client.resource_definitions(resources or (), with_volumes=True)
    rows = [(each, volume) for each in found for volume in each.volume_definitions]
    name, *others = _DEFINITIONS.columns
    external = [Column("External", lambda row: row[0].external_name)] if external_name else []
    session.show(_DEFINITIONS._replace(columns=(name, *external, *others)), rows, view)


waiting.add_to_volumes(MENU)
add_properties(
    MENU,
    "a volume definition",
    _ONE,
    read=lambda client, resource, number: props_of(
        volume
        for each in client.resource_definitions([resource], with_volumes=True)
        for volume in each.volume_definitions
        if volume.volume_number == number
    ),
    change=lambda client, changes, resource, number: client.modify_volume_definition(resource, number, changes),
    example="backups 0",
)
drbd.add_drbd_options(
    MENU,
    ("drbd-options", "opt"),
    drbd.VOLUME,
    "a volume definition",
    _ONE,
    change=lambda client, changes, resource, number: client.modify_volume_definition(resource, number, changes),
    example="orlop volume-definition drbd-options backups 0 --al-extents 6007",
)
