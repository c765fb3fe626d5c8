"""`orlop node ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orlop.cli import completion, options, states
from orlop.cli.commands import moving, node_describe, node_interface
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties, props_of
from orlop.cli.table import Cell, Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer
    from orlop.client.values import Node

MENU = Menu("node", help="Nodes of the cluster: their kind, addresses, state and properties.")
KINDS = click.Choice(["satellite", "controller", "combined", "auxiliary"], case_sensitive=False)
LEVELS = click.Choice(["ERROR", "WARN", "INFO", "DEBUG", "TRACE"], case_sensitive=False)
_PORTS = {"plain": 3366, "ssl": 3367}
_CONTROLLER_PORTS = {"plain": 3370, "ssl": 3371}


@MENU.verb("create", "c", example="orlop node create bravo 10.43.70.3 --node-type combined")
@click.argument("name")
@click.argument("ip", required=False)
@click.option("-p", "--port", type=click.IntRange(1, 65535), help="Port of the satellite.  [default: 3366, ssl 3367]")
@click.option("--node-type", "kind", type=KINDS, default="satellite", show_default=True, help="What runs on the node.")
@click.option(
    "--communication-type",
    "encryption",
    type=click.Choice(["plain", "ssl"], case_sensitive=False),
    default="plain",
    show_default=True,
    help="How the controller talks to the satellite.",
)
@click.option("--interface-type", hidden=True, expose_value=False)
@click.option("--interface-name", default="default", show_default=True, help="Name of the first interface.")
def create(
    session: Session, name: str, ip: str | None, port: int | None, kind: str, encryption: str, interface_name: str
) -> Answer:
    """Add a node to the cluster. The name must be what `uname -n` prints on it. Without an address the
    name is looked up."""
    from orlop.client.values import NetInterface

    usual = (_CONTROLLER_PORTS if kind == "controller" else _PORTS)[encryption]
    interface = NetInterface(
        name=interface_name,
        address=ip or _resolved(name),
        satellite_port=port or usual,
        satellite_encryption_type=encryption,
        is_active=True,
    )
    return session.client.create_node(name, kind, [interface])


def _resolved(name: str) -> str:
    import socket

    try:
        return str(socket.getaddrinfo(name, None)[0][4][0])
    except OSError as error:
        raise click.UsageError(f"{name} cannot be resolved; give the address of the node, too.") from error


@MENU.verb("modify", "m", example="orlop node modify alpha --node-type combined")
@options.node()
@click.option("-t", "--node-type", "kind", type=KINDS, required=True, help="What runs on the node.")
def modify(session: Session, node: str, kind: str) -> Answer:
    """Change the kind of a node."""
    return session.client.modify_node(node, kind=kind)


@MENU.verb("delete", "d", example="orlop node delete bravo")
@options.node()
@options.not_waiting()
def delete(session: Session, node: str) -> Answer:
    """Remove a node that holds nothing any more; `node evacuate` empties it."""
    return session.client.delete_node(node)


@MENU.verb("lost", "lo", example="orlop node lost bravo")
@options.node()
@options.not_waiting()
def lost(session: Session, node: str) -> Answer:
    """Forget a node that will not come back, with everything that was on it. A node that is connected is
    refused."""
    return session.client.lose_node(node)


@MENU.verb("reconnect", "rc", example="orlop node reconnect alpha bravo")
@options.nodes()
def reconnect(session: Session, nodes: tuple[str, ...]) -> Answer:
    """Close the connections to nodes and open them again."""
    return session.each(nodes, session.client.reconnect_node)


@MENU.verb("restore", "rst", example="orlop node restore bravo")
@options.node()
@click.option("--delete-resources", is_flag=True, help="Delete the resources that are still on it.")
@click.option("--delete-snapshots", is_flag=True, help="Delete the snapshots that are still on it.")
def restore(session: Session, node: str, delete_resources: bool, delete_snapshots: bool) -> Answer:
    """Take a node that was evicted or evacuated back into service. What was still moving away stays."""
    return session.client.restore_node(node, delete_resources or None, delete_snapshots or None)


@MENU.verb("evacuate", "evac", example="orlop node evacuate bravo --target charlie delta")
@options.node()
@options.many("--target", help="Only to these nodes.", shell_complete=completion.NODES)
@options.many("--do-not-target", help="Not to these nodes.", shell_complete=completion.NODES)
@moving.DRY_RUN
def evacuate(
    session: Session, node: str, target: tuple[str, ...] | None, do_not_target: tuple[str, ...] | None, dry_run: bool
) -> Answer | None:
    """Move all resources of a node to others. The command returns at once; the moving goes on. A replica goes when
    the new one is up to date; what nothing replicates stays, and the answer says why."""
    if dry_run:
        moving.show(session, session.client.evacuation_plan(node, target or (), do_not_target or ()))
        return None
    return session.client.evacuate_node(node, target or (), do_not_target or ())


@MENU.verb("evict", example="orlop node evict bravo")
@options.node()
def evict(session: Session, node: str) -> Answer:
    """Give up a node that is away: its resources are made elsewhere and it is ignored until it is restored."""
    return session.client.evict_node(node)


@MENU.verb("set-log-level", "setloglevel", example="orlop node set-log-level bravo DEBUG")
@options.node()
@click.argument("level", type=LEVELS)
@click.option("--library", "--lib", is_flag=True, help="Of the libraries, too.")
def set_log_level(session: Session, node: str, level: str, library: bool) -> Answer:
    """Choose how much a satellite writes into its log."""
    return session.client.configure_node(node, {"log": {"level" if library else "level_linstor": level}})


@MENU.verb("join-command", example="orlop node join-command delta")
@options.node()
def join_command(session: Session, node: str) -> None:
    """Print the command that makes a machine part of the cluster, and the token that it asks for. Run it there
    before the token expires; the token works once and is a secret."""
    from orlop.cli import times

    found = session.client.join_command(node)
    if session.settings.machine_readable:
        session.show_raw()
        return
    session.say(found.command)
    if found.token:
        session.say(f"token: {found.token}")
    if found.expires_at:
        click.echo(f"# valid until {times.shown(found.expires_at)}", err=True)


def _addresses(row: Node) -> str:
    return "\n".join(
        f"{face.address}:{face.satellite_port} ({face.satellite_encryption_type})"
        if face.satellite_port
        else face.address
        for face in row.net_interfaces
        if face.is_active or len(row.net_interfaces) == 1
    )


_NODES = Table(
    "nodes",
    (
        Column("Node", lambda row: row.name),
        Column("NodeType", lambda row: row.type),
        Column("Addresses", _addresses),
        Column("State", states.node),
    ),
)


@MENU.verb("list", "l", example="orlop node list --nodes alpha bravo")
@options.on_nodes()
@options.with_props()
@click.option("--show-aux-props", is_flag=True, help="Show the own properties of each node.")
@options.listing()
def list_nodes(
    session: Session,
    nodes: tuple[str, ...] | None,
    props: tuple[str, ...] | None,
    show_aux_props: bool,
    view: View,
) -> None:
    """List the nodes with their kind, address and state."""
    rows = session.client.nodes(nodes or (), props or ())
    table = _NODES._replace(columns=(*_NODES.columns, _AUX)) if show_aux_props else _NODES
    session.show(table, rows, view)


_AUX = Column(
    "AuxProps", lambda row: "\n".join(f"{key}={value}" for key, value in row.props.items() if key.startswith("Aux/"))
)
_SUPPORT = (
    ("Storage providers", "storage_providers", "unsupported_providers"),
    ("Layers", "resource_layers", "unsupported_layers"),
)


@MENU.verb("info", example="orlop node info --nodes alpha")
@options.on_nodes()
@click.option("-f", "--full", is_flag=True, help="Accepted; the reasons are always shown.", hidden=True)
@options.listing(groups=False, show_props=None)
def info(session: Session, nodes: tuple[str, ...] | None, full: bool, view: View) -> None:
    """Show which storage providers and layers each node can use, and why it cannot use the others."""
    rows = session.client.nodes(nodes or ())
    if session.settings.machine_readable:
        session.show(_NODES, rows, view)
        return
    for title, usable, unsupported in _SUPPORT:
        session.say(f"{title}:")
        kinds = sorted({kind for row in rows for kind in (*getattr(row, usable), *getattr(row, unsupported))})
        columns = tuple(Column(kind, _able(kind, usable)) for kind in kinds)
        session.show(Table("nodes", (Column("Node", lambda row: row.name), *columns)), rows, view)
        _reasons(session, rows, unsupported)


def _able(kind: str, usable: str) -> Any:
    return lambda row: Cell("+", "green") if kind in getattr(row, usable) else Cell("-", "red")


def _reasons(session: Session, rows: list[Node], unsupported: str) -> None:
    for row in rows:
        for kind, reasons in sorted(getattr(row, unsupported).items()):
            session.say(f"  {row.name}: {kind}: {'; '.join(reasons)}")


MENU.add_command(node_interface.MENU)
MENU.alias("interface", "i")
moving.add_to(MENU)
node_describe.add_to(MENU)
add_properties(
    MENU,
    "a node",
    [options.node()],
    read=lambda client, node: props_of(client.nodes([node])),
    change=lambda client, changes, node: client.modify_node(node, changes),
    example="alpha",
)
