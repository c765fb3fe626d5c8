"""`orlop site ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import completion, drbd, options, sizes
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("site", help="Sites: nodes that are near each other, and what holds inside of a site and between two.")
_CONNECTION = MENU.menu("connection", "con", help="What holds between the nodes of two sites, in either order.")
_SITE = click.argument("site", shell_complete=completion.SITES)
_PAIR: list[options.Decorator] = [
    click.argument("site_a", shell_complete=completion.SITES),
    click.argument("site_b", shell_complete=completion.SITES),
]
_SITES = Table(
    "sites",
    (
        Column("Site", lambda row: row.name),
        Column("Nodes", lambda row: ", ".join(row.node_names)),
        Column("FreeCapacity", lambda row: sizes.shown(row.free_kib), right=True),
        Column("TotalCapacity", lambda row: sizes.shown(row.total_kib), right=True),
    ),
    props=lambda row: row.props,
)
_PAIRS = Table(
    "site_connections",
    (
        Column("Site A", lambda row: row.site_a),
        Column("Site B", lambda row: row.site_b),
        Column("Properties", lambda row: ", ".join(f"{key}={value}" for key, value in row.props.items())),
    ),
)


@MENU.verb("list", "l", example="orlop site list")
@options.listing()
def list_sites(session: Session, view: View) -> None:
    """List the sites with their nodes and the space in their storage pools."""
    session.show(_SITES, session.client.sites(), view)


@MENU.verb("add-node", example="orlop site add-node berlin alpha bravo")
@_SITE
@options.nodes()
def add_node(session: Session, site: str, nodes: tuple[str, ...]) -> Answer:
    """Put nodes into a site, wherever they were before. The site needs not be made first."""
    return session.client.modify_site(site, add_nodes=nodes)


@MENU.verb("remove-node", example="orlop site remove-node berlin alpha")
@_SITE
@options.nodes()
def remove_node(session: Session, site: str, nodes: tuple[str, ...]) -> Answer:
    """Take nodes out of a site."""
    return session.client.modify_site(site, remove_nodes=nodes)


add_properties(
    MENU,
    "a site",
    [_SITE],
    read=lambda client, site: next((each.props for each in client.sites() if each.name.lower() == site.lower()), None),
    change=lambda client, changes, site: client.modify_site(site, changes),
    example="berlin",
)
drbd.add_drbd_options(
    MENU,
    ("drbd-options", "opt"),
    drbd.EVERYWHERE,
    "a site: those of nodes hold on its nodes, those of connections inside of it",
    [_SITE],
    change=lambda client, changes, site: client.modify_site(site, changes),
    example="orlop site drbd-options berlin --protocol C",
)


@_CONNECTION.verb("list", "l", example="orlop site connection list")
@options.listing(show_props=None)
def list_connections(session: Session, view: View) -> None:
    """List what is set between sites."""
    session.show(_PAIRS, session.client.site_connections(), view)


drbd.add_drbd_options(
    _CONNECTION,
    ("drbd-options", "opt"),
    drbd.CONNECTION,
    "all connections between two sites",
    _PAIR,
    change=lambda client, changes, site_a, site_b: client.modify_site_connection(site_a, site_b, changes),
    example="orlop site connection drbd-options berlin vienna --protocol A",
)
