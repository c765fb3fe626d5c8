"""`orlop resource-connection ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orlop.cli import drbd, options
from orlop.cli.commands.paths import add_paths
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session

MENU = Menu("resource-connection", help="Connections of a resource between two nodes; their order does not matter.")
_ONE = [options.node("node_a"), options.node("node_b"), options.resource()]
_CONNECTIONS = Table(
    "rsc_connections",
    (
        Column("Source", lambda row: row.node_a),
        Column("Target", lambda row: row.node_b),
        Column("Properties", lambda row: ", ".join(f"{key}={value}" for key, value in row.props.items())),
        Column("Port", lambda row: str(row.port or ""), right=True),
    ),
)


@MENU.verb("list", "l", example="orlop resource-connection list backups")
@options.resource()
@options.listing()
def list_connections(session: Session, resource: str, view: View) -> None:
    """List the connections between the nodes of a resource."""
    session.show(_CONNECTIONS, session.client.resource_connections(resource), view)


add_properties(
    MENU,
    "a resource connection",
    _ONE,
    read=lambda client, node_a, node_b, resource: client.resource_connection(resource, node_a, node_b).props,
    change=lambda client, changes, node_a, node_b, resource: client.modify_resource_connection(
        resource, node_a, node_b, changes
    ),
    example="alpha bravo backups",
)
drbd.add_drbd_options(
    MENU,
    ("drbd-peer-options", "popt", "drbd-options", "opt"),
    drbd.CONNECTION,
    "a resource connection",
    _ONE,
    change=lambda client, changes, node_a, node_b, resource: client.modify_resource_connection(
        resource, node_a, node_b, changes
    ),
    example="orlop resource-connection drbd-peer-options alpha charlie backups --protocol A",
)
add_paths(
    MENU,
    _ONE,
    read=lambda client, node_a, node_b, resource: client.resource_connection(resource, node_a, node_b).props,
    change=lambda client, changes, node_a, node_b, resource: client.modify_resource_connection(
        resource, node_a, node_b, changes
    ),
    example="alpha bravo backups",
)
