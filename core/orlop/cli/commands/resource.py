"""`orlop resource ...`"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from orlop.cli import completion, drbd, options
from orlop.cli.commands import replication, resource_list, waiting
from orlop.cli.commands.resource_definition import place
from orlop.cli.grammar import Menu
from orlop.cli.placement import placement
from orlop.cli.properties import add_properties, props_of

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer, SelectFilter

MENU = Menu("resource", help="Resources: definitions placed on nodes, with or without a disk.")
_ONE = [options.node(), options.resource()]
_PORT = click.option("--drbd-tcp-port", type=click.IntRange(1, 65535), help="TCP port of DRBD on the node.")


def _least(words: Sequence[str]) -> int:
    """A definition; and a node, if the controller is not to choose."""
    return 1 if any(word.startswith("--auto") for word in words) else 2


@MENU.verb(
    "create",
    "c",
    least=_least,
    example="orlop resource create alpha bravo backups --storage-pool pool_ssd\n"
    "orlop resource create backups --auto-place 3",
)
@click.argument("nodes", nargs=-1, shell_complete=completion.NODES)
@options.resource()
@click.option("-d", "--diskless", is_flag=True, help="Without a disk: it reads and writes over the network.")
@click.option("--drbd-diskless", is_flag=True, help="Without a disk, by DRBD.")
@click.option("--nvme-initiator", is_flag=True, help="Without a disk, by NVMe over fabrics.")
@click.option("--ebs-initiator", is_flag=True, help="Attached by EBS.")
@click.option("--inactive", is_flag=True, help="Do not bring it up.")
@click.option("--node-id", type=click.IntRange(0, 31), help="DRBD's number of the node.")
@_PORT
@options.not_waiting()
@placement("--auto-place", ("-p", "--providers"))
def create(
    session: Session,
    nodes: tuple[str, ...],
    resource: str,
    select: SelectFilter,
    layers: tuple[str, ...] | None,
    node_id: int | None,
    drbd_tcp_port: int | None,
    **kinds: bool,
) -> Answer:
    """Place a resource on nodes, or with --auto-place let the controller choose them. The options on how to
    choose are of use only then, except --storage-pool and --layer-list."""
    if select.place_count is not None or select.additional_place_count is not None:
        if nodes:
            raise click.UsageError("name nodes, or say --auto-place, but not both.")
        return place(session, resource, select, layers, kinds["drbd_diskless"], kinds["nvme_initiator"])
    if not nodes:
        raise click.UsageError("name the nodes, or say --auto-place COUNT.")
    from orlop.client import NewResource

    wanted = [
        NewResource(
            node=node,
            storage_pool=next(iter(select.storage_pool_list or ()), None),
            flags=tuple(kind.upper() for kind, chosen in kinds.items() if chosen),
            layers=layers,
            drbd_node_id=node_id,
            drbd_tcp_ports=(drbd_tcp_port,) if drbd_tcp_port else None,
        )
        for node in nodes
    ]
    return session.client.create_resources(resource, wanted)


@MENU.verb("make-available", "mkavail", example="orlop resource make-available alpha backups --diskful")
@options.stacked(*_ONE)
@click.option("--diskful", is_flag=True, help="With a disk of its own.")
@options.layers()
@_PORT
def make_available(
    session: Session,
    node: str,
    resource: str,
    diskful: bool,
    layers: tuple[str, ...] | None,
    drbd_tcp_port: int | None,
) -> Answer:
    """Make sure that a resource can be used on a node, in the cheapest way; nothing happens if it can."""
    ports = [drbd_tcp_port] if drbd_tcp_port else None
    return session.client.make_available(resource, node, diskful, layers, ports)


@MENU.verb("unmake-available", "unmkavail", example="orlop resource unmake-available alpha backups")
@options.stacked(*_ONE)
def unmake_available(session: Session, node: str, resource: str) -> Answer:
    """Undo what `make-available` did on a node."""
    return session.client.unmake_available(resource, node)


@MENU.verb("delete", "d", example="orlop resource delete bravo backups")
@options.nodes()
@options.resource()
@click.option("--keep-tiebreaker", is_flag=True, help="Leave the tiebreaker in place.")
@options.not_waiting()
def delete(session: Session, nodes: tuple[str, ...], resource: str, keep_tiebreaker: bool) -> Answer:
    """Delete a resource and its data from nodes. One in use is refused, and so is the last one with a disk
    while others use it."""
    return session.each(nodes, lambda node: session.client.delete_resource(resource, node, keep_tiebreaker or None))


@MENU.verb("toggle-disk", "td", example="orlop resource toggle-disk bravo backups --storage-pool pool_ssd")
@options.stacked(*_ONE)
@click.option("-s", "--storage-pool", help="The pool of the new disk.", shell_complete=completion.POOLS)
@click.option("--default-storage-pool", "--dflt", is_flag=True, help="The pool is found by the properties.")
@click.option("-d", "--diskless", is_flag=True, help="Take the disk away.")
@click.option("--migrate-from", help="Take it from this node when the data is here.", shell_complete=completion.NODES)
@options.layers()
@options.not_waiting()
def toggle_disk(
    session: Session,
    node: str,
    resource: str,
    storage_pool: str | None,
    default_storage_pool: bool,
    diskless: bool,
    migrate_from: str | None,
    layers: tuple[str, ...] | None,
) -> Answer:
    """Give a diskless resource a disk, or with --diskless take it away. With --migrate-from the disk of
    another node is removed when the new one holds the data."""
    if diskless and (migrate_from or default_storage_pool):
        raise click.UsageError("--diskless goes neither with --migrate-from nor with --default-storage-pool.")
    return session.client.toggle_disk(resource, node, not diskless, storage_pool, migrate_from, layers)


@MENU.verb("import", example="orlop resource import alpha backups --storage-pool pool_ssd --object old_backups")
@options.stacked(*_ONE)
@click.option("-s", "--storage-pool", required=True, help="The pool it lies in.", shell_complete=completion.POOLS)
@click.option("--object", "name", required=True, help="Name of the logical volume, zvol or file in the pool.")
@click.option("--volume-number", type=click.IntRange(min=0), help="The number of the volume; the lowest free one.")
@click.option("--resource-group", "group", help="The group of a definition that is made for it.")
def import_(
    session: Session,
    node: str,
    resource: str,
    storage_pool: str,
    name: str,
    volume_number: int | None,
    group: str | None,
) -> Answer:
    """Make what lies in a pool and was not made by Orlop a volume of a resource, with the data it holds. It gets
    our mark and another name; the definition is made if there is none. One that is in use is refused."""
    return session.client.import_volume(resource, node, storage_pool, name, volume_number, group)


@MENU.verb("activate", "act", example="orlop resource activate alpha backups")
@options.stacked(*_ONE)
def activate(session: Session, node: str, resource: str) -> Answer:
    """Bring an inactive resource up."""
    return session.client.activate_resource(resource, node)


@MENU.verb("deactivate", "deact", example="orlop resource deactivate alpha backups")
@options.stacked(*_ONE)
def deactivate(session: Session, node: str, resource: str) -> Answer:
    """Bring a resource down on a node and keep its data."""
    return session.client.deactivate_resource(resource, node)


resource_list.add_to(MENU)
replication.add_to(MENU)
waiting.add_to_resources(MENU)
add_properties(
    MENU,
    "a resource",
    _ONE,
    read=lambda client, node, resource: props_of(client.resources([resource], [node])),
    change=lambda client, changes, node, resource: client.modify_resource(resource, node, changes),
    example="alpha backups",
)
drbd.add_drbd_options(
    MENU,
    ("drbd-peer-options", "popt", "drbd-options", "opt"),
    drbd.CONNECTION,
    "the connection of a resource between two nodes",
    [options.node("node_a"), options.node("node_b"), options.resource()],
    change=lambda client, changes, node_a, node_b, resource: client.modify_resource_connection(
        resource, node_a, node_b, changes
    ),
    example="orlop resource drbd-peer-options alpha bravo backups --protocol A",
)
