"""`orlop volume ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orlop.cli import options, output, sizes, states
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties, props_of
from orlop.cli.table import Column, Table

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client.values import Resource, Volume

MENU = Menu("volume", help="Volumes of the resources on the nodes: devices, sizes and states.")
_Row = tuple["Resource", "Volume"]


def _minor(row: _Row) -> str:
    drbd = row[1].layer("DRBD")
    number = (drbd or {}).get("drbd_volume_definition", {}).get("minor_number")
    return "" if number is None else str(number)


_VOLUMES = Table(
    "resources",
    (
        Column("Resource", lambda row: row[0].name),
        Column("Node", lambda row: row[0].node_name),
        Column("StoragePool", lambda row: row[1].storage_pool_name),
        Column("VolNr", lambda row: str(row[1].volume_number), right=True),
        Column("MinorNr", _minor, right=True),
        Column("DeviceName", lambda row: row[1].device_path),
        Column("Allocated", lambda row: sizes.shown(row[1].allocated_size_kib), right=True),
        Column("InUse", lambda row: states.usage(row[0])),
        Column("State", lambda row: states.volume(row[1], row[0].flags), right=True),
        Column("Repl", lambda row: states.replication(row[1])),
    ),
    props=lambda row: row[1].props,
)

volume_list_options = options.stacked(
    options.on_nodes(),
    options.in_pools(),
    options.of_resources(),
    click.option("-a", "--all", "everything", is_flag=True, help="Accepted; all volumes are shown.", hidden=True),
    click.option("--hide-replication-states", "--hrep", "hide", is_flag=True, help="Leave out the last column."),
    options.listing(show_props=("--show-props",)),
)


def show_volumes(session: Session, **wanted: Any) -> None:
    from orlop.client import Answer

    found = session.client.resources(wanted["resources"] or (), wanted["nodes"] or (), wanted["pools"] or ())
    rows = [(resource, volume) for resource in found for volume in resource.volumes]
    columns = _VOLUMES.columns[:-1] if wanted["hide"] else _VOLUMES.columns
    session.show(_VOLUMES._replace(columns=columns), rows, wanted["view"])
    if not session.settings.machine_readable:
        output.answer(Answer(entry for _, volume in rows for entry in volume.reports), session.colour)


@MENU.verb("list", "l", example="orlop volume list --resources backups")
@volume_list_options
def list_volumes(session: Session, **wanted: Any) -> None:
    """List the volumes of the resources with pool, device, sizes and state."""
    show_volumes(session, **wanted)


add_properties(
    MENU,
    "a volume",
    [options.node(), options.resource(), options.number()],
    read=lambda client, node, resource, number: props_of(
        volume
        for each in client.resources([resource], [node])
        for volume in each.volumes
        if volume.volume_number == number
    ),
    change=lambda client, changes, node, resource, number: client.modify_volume(resource, node, number, changes),
    example="alpha backups 0",
)
