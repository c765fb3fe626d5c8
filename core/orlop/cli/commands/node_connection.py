"""`orlop node-connection ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orlop.cli import drbd, options
from orlop.cli.commands.paths import add_paths
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties, props_of
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session

MENU = Menu("node-connection", help="Connections between two nodes; their order does not matter.")
_PAIR = [options.node("node_a"), options.node("node_b")]
_CONNECTIONS = Table(
    "node_connections",
    (
        Column("Node A", lambda row: row.node_a),
        Column("Node B", lambda row: row.node_b),
        Column("Properties", lambda row: ", ".join(f"{key}={value}" for key, value in row.props.items())),
    ),
)


@MENU.verb("list", "l", example="orlop node-connection list alpha bravo")
@options.node("node_a", required=False)
@options.node("node_b", required=False)
@options.listing()
def list_connections(session: Session, node_a: str | None, node_b: str | None, view: View) -> None:
    """List connections between nodes that have properties."""
    session.show(_CONNECTIONS, session.client.node_connections(node_a, node_b), view)


add_properties(
    MENU,
    "the connection of two nodes",
    _PAIR,
    read=lambda client, node_a, node_b: props_of(client.node_connections(node_a, node_b)),
    change=lambda client, changes, node_a, node_b: client.modify_node_connection(node_a, node_b, changes),
    example="alpha bravo",
)
drbd.add_drbd_options(
    MENU,
    ("drbd-peer-options", "popt", "drbd-options", "opt"),
    drbd.CONNECTION,
    "the connection of two nodes",
    _PAIR,
    change=lambda client, changes, node_a, node_b: client.modify_node_connection(node_a, node_b, changes),
    example="orlop node-connection drbd-peer-options alpha bravo --protocol A",
)
add_paths(
    MENU,
    _PAIR,
    read=lambda client, node_a, node_b: props_of(client.node_connections(node_a, node_b)),
    change=lambda client, changes, node_a, node_b: client.modify_node_connection(node_a, node_b, changes),
    example="alpha bravo",
)
