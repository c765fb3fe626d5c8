"""`orlop node interface ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import completion, options
from orlop.cli.grammar import Menu
from orlop.cli.table import Cell, Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("interface", help="Network interfaces of a node: for the satellite connection and for replication.")
_ENCRYPTION = click.Choice(["plain", "ssl"], case_sensitive=False)
_PORT = click.IntRange(1, 65535)


@MENU.verb("create", "c", example="orlop node interface create alpha 10G_nic 192.168.43.231")
@options.node()
@click.argument("interface")
@click.argument("ip")
@click.option("-p", "--port", type=_PORT, help="Port of the satellite; makes the interface fit for its connection.")
@click.option("--communication-type", "encryption", type=_ENCRYPTION, default="plain", show_default=True, help="How.")
@click.option("--active", is_flag=True, help="Let the controller connect over this interface.")
def create(
    session: Session, node: str, interface: str, ip: str, port: int | None, encryption: str, active: bool
) -> Answer:
    """Add a network interface to a node. Without a port it carries replication only."""
    from orlop.client.values import NetInterface

    made = NetInterface(
        name=interface,
        address=ip,
        satellite_port=port,
        satellite_encryption_type=encryption if port else None,
        is_active=active,
    )
    return session.client.create_net_interface(node, made)


@MENU.verb("modify", "m", example="orlop node interface modify alpha 10G_nic --ip 192.168.43.232")
@options.node()
@click.argument("interface", shell_complete=completion.INTERFACES)
@click.option("--ip", help="The new address.")
@click.option("-p", "--port", type=_PORT, help="Port of the satellite.")
@click.option("--communication-type", "encryption", type=_ENCRYPTION, help="How the controller talks to it.")
@click.option("--active", is_flag=True, help="Let the controller connect over this interface.")
def modify(
    session: Session, node: str, interface: str, ip: str | None, port: int | None, encryption: str | None, active: bool
) -> Answer:
    """Change a network interface. What is not given stays as it is."""
    return session.client.modify_net_interface(node, interface, ip, port, encryption, active or None)


@MENU.verb("delete", "d", example="orlop node interface delete alpha 10G_nic")
@options.node()
@click.argument("interfaces", nargs=-1, required=True, shell_complete=completion.INTERFACES)
def delete(session: Session, node: str, interfaces: tuple[str, ...]) -> Answer:
    """Remove network interfaces from a node."""
    return session.each(interfaces, lambda name: session.client.delete_net_interface(node, name))


_INTERFACES = Table(
    "net_interfaces",
    (
        Column("NetInterface", lambda row: row.name),
        Column("IP", lambda row: row.address),
        Column("Port", lambda row: str(row.satellite_port or ""), right=True),
        Column("EncryptionType", lambda row: row.satellite_encryption_type or ""),
        Column("Active", lambda row: Cell("+", "green") if row.is_active else ""),
    ),
)


@MENU.verb("list", "l", example="orlop node interface list alpha")
@options.node()
@options.listing(show_props=None)
def list_interfaces(session: Session, node: str, view: View) -> None:
    """List the network interfaces of a node; the active one carries the satellite connection."""
    found = session.client.nodes([node])
    if not found:
        session.missing(f"node {node} does not exist")
        return
    session.show(_INTERFACES, found[0].net_interfaces, view)
