"""`orlop resource list`, `list-volumes` and `involved`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from orlop.cli import options, states, times
from orlop.cli.commands.volume import show_volumes, volume_list_options
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.grammar import Menu
    from orlop.cli.session import Session
    from orlop.client.values import Resource

_RESOURCES = Table(
    "resources",
    (
        Column("ResourceName", lambda row: row.name),
        Column("Node", lambda row: row.node_name),
        Column("Layers", lambda row: ",".join(dict.fromkeys(row.layer_object.kinds()))),
        Column("Usage", states.usage),
        Column("Conns", states.connections),
        Column("State", states.resource, right=True),
        Column("CreatedOn", lambda row: times.shown(row.create_timestamp)),
    ),
)
_PORTS = Column(
    "DRBD Ports", lambda row: ",".join(map(str, row.layer_object.drbd.tcp_ports)) if row.layer_object.drbd else ""
)


def add_to(menu: Menu) -> None:
    @menu.verb("list", "l", example="orlop resource list --nodes alpha --faulty")
    @options.of_resources()
    @options.on_nodes()
    @options.with_props()
    @click.option("-a", "--all", "everything", is_flag=True, help="Accepted; all resources are shown.", hidden=True)
    @click.option("--faulty", is_flag=True, help="Only resources that are not as they should be.")
    @click.option("--show-drbd-ports", is_flag=True, help="Show the TCP ports of DRBD.")
    @options.listing()
    def list_resources(
        session: Session,
        resources: tuple[str, ...] | None,
        nodes: tuple[str, ...] | None,
        props: tuple[str, ...] | None,
        everything: bool,
        faulty: bool,
        show_drbd_ports: bool,
        view: View,
    ) -> None:
        """List the resources on all nodes with layers, use, connections and state."""
        rows = session.client.resources(resources or (), nodes or (), props=props or ())
        if not session.settings.machine_readable:
            rows = _with_splits(session, rows)
        if faulty:
            rows = [row for row in rows if states.faulty(row)]
        name, node, *others = _RESOURCES.columns
        ports = [_PORTS] if show_drbd_ports else []
        session.show(_RESOURCES._replace(columns=(name, node, *ports, *others)), rows, view)

    @menu.verb("list-volumes", "lv", example="orlop resource list-volumes --resources backups")
    @volume_list_options
    def list_volumes(session: Session, **wanted: object) -> None:
        """List the volumes of the resources with pool, device, sizes and state."""
        show_volumes(session, **wanted)

    @menu.verb("involved", "inv", example="orlop resource involved alpha --inuse")
    @options.node()
    @click.option("-i", "--inuse", is_flag=True, help="Only if the resource is in use somewhere.")
    @click.option("-d", "--diskless-inuse", is_flag=True, help="Only if it is in use where it has no disk.")
    @click.option("-m", "--min-diskful", type=int, help="Only if it has fewer replicas with a disk.")
    @options.listing(groups=False)
    def involved(
        session: Session, node: str, inuse: bool, diskless_inuse: bool, min_diskful: int | None, view: View
    ) -> None:
        """List all replicas of the resources that a node takes part in: what would notice if it went away."""
        rows = session.client.resources()
        chosen = {
            name
            for name in {row.name for row in rows if row.node_name == node}
            if _concerned([row for row in rows if row.name == name], inuse, diskless_inuse, min_diskful)
        }
        session.show(_RESOURCES, [row for row in rows if row.name in chosen], view)


def _with_splits(session: Session, rows: list[Resource]) -> list[Resource]:
    """A connection that was given up for a split brain is shown as that."""
    names = sorted({row.name for row in rows if states.given_up(row)})
    found = session.client.split_brains(names) if names else []
    pairs = {(each.resource_name, frozenset((each.node_a, each.node_b))) for each in found if each.certain}
    return [_with_split(row, pairs) for row in rows] if pairs else rows


def _with_split(row: Resource, pairs: set[tuple[str, frozenset[str]]]) -> Resource:
    drbd = row.layer_object.drbd
    if drbd is None:
        return row
    connections = {
        peer: replace(each, message="SplitBrain") if (row.name, frozenset((row.node_name, peer))) in pairs else each
        for peer, each in drbd.connections.items()
    }
    return replace(row, layer_object=replace(row.layer_object, drbd=replace(drbd, connections=connections)))


def _concerned(replicas: list[Resource], inuse: bool, diskless_inuse: bool, min_diskful: int | None) -> bool:
    users = [row for row in replicas if row.state.in_use]
    diskful = [row for row in replicas if "DISKLESS" not in row.flags]
    return (
        (not inuse or bool(users))
        and (not diskless_inuse or any("DISKLESS" in row.flags for row in users))
        and (min_diskful is None or len(diskful) < min_diskful)
    )
