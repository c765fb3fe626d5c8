"""`orlop resource-definition ...`"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from orlop.cli import completion, drbd, exit_codes, options, states
from orlop.cli.commands import explain
from orlop.cli.grammar import Menu
from orlop.cli.placement import placement
from orlop.cli.properties import add_properties, props_of
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer, SelectFilter

MENU = Menu("resource-definition", help="What a resource looks like: its name, layers, volumes and properties.")
_SECONDS = 1.0  # between two looks at something that is being waited for
_PORT = click.IntRange(1, 65535)
_WAIT = click.option("--wait-timeout", type=click.FloatRange(min=0), help="Give up waiting after so many seconds.")


@MENU.verb("create", "c", example="orlop resource-definition create backups --layer-list drbd,luks,storage")
@click.argument("name", required=False)
@click.option("-e", "--external-name", help="Any name; the name inside the cluster is made from it.")
@options.layers()
@click.option("--peer-slots", type=int, help="How many peers each replica has room for.")
@click.option("--resource-group", "group", help="The resource group it belongs to.")
@click.option("-p", "--port", type=_PORT, help="TCP port of DRBD.")
def create(
    session: Session,
    name: str | None,
    external_name: str | None,
    layers: tuple[str, ...] | None,
    peer_slots: int | None,
    group: str | None,
    port: int | None,
) -> Answer:
    """Define a resource. It gets volumes with `volume-definition create` and comes to be on nodes with
    `resource create`."""
    if not name and not external_name:
        raise click.UsageError("give a name or --external-name.")
    return session.client.create_resource_definition(name, external_name, layers or (), group, None, peer_slots, port)


@MENU.verb("modify", "m", example="orlop resource-definition modify backups --resource-group fast")
@options.resource("name")
@click.option("--peer-slots", type=int, help="How many peers new replicas have room for.")
@click.option("--resource-group", "group", help="Move it to this resource group.")
@click.option("-p", "--port", type=_PORT, help="TCP port of DRBD.")
def modify(session: Session, name: str, peer_slots: int | None, group: str | None, port: int | None) -> Answer:
    """Change a resource definition."""
    return session.client.modify_resource_definition(name, peer_slots=peer_slots, group=group, port=port)


@MENU.verb("delete", "d", example="orlop resource-definition delete backups")
@click.argument("names", nargs=-1, required=True)
@options.not_waiting()
def delete(session: Session, names: tuple[str, ...]) -> Answer:
    """Delete definitions with all their resources and the data on them. Definitions with snapshots or with
    resources in use are refused."""
    return session.each(names, session.client.delete_resource_definition)


@MENU.verb("lock", example="orlop resource-definition lock backups")
@click.argument("names", nargs=-1, required=True, shell_complete=completion.RESOURCES)
def lock(session: Session, names: tuple[str, ...]) -> Answer:
    """Lock definitions against deletion: nobody deletes them, a volume or the last of their data before they are
    unlocked."""
    return session.each(names, session.client.lock_resource_definition)


@MENU.verb("unlock", example="orlop resource-definition unlock backups")
@click.argument("names", nargs=-1, required=True, shell_complete=completion.RESOURCES)
def unlock(session: Session, names: tuple[str, ...]) -> Answer:
    """Take the lock against deletion away."""
    return session.each(names, lambda name: session.client.lock_resource_definition(name, locked=False))


def _replica(text: str) -> dict[str, Any]:
    """NODE:POOL:OBJECT[:VOLUME[:UUID]]"""
    node, pool, name, *more = [*text.split(":"), ""] if text.count(":") >= 2 else ["", "", ""]
    number, uuid = [*(word for word in more if word), "", ""][:2] if more else ("", "")
    if not (node and pool and name) or (number and not number.isdecimal()):
        raise click.UsageError(f"{text!r} is no replica; write NODE:POOL:OBJECT, or NODE:POOL:OBJECT:VOLUME.")
    found: dict[str, Any] = {"node_name": node, "storage_pool_name": pool, "name": name}
    return found | ({"volume_number": int(number)} if number else {}) | ({"uuid": uuid} if uuid else {})


@MENU.verb(
    "import-drbd",
    example="orlop resource-definition import-drbd backups --replica alpha:pool1:r0 bravo:pool1:r0 --minor 5",
)
@click.argument("name")
@options.many(
    "--replica", "replicas", required=True, help="NODE:POOL:OBJECT[:VOLUME[:UUID]], for each volume on each node."
)
@click.option("--minor", type=click.IntRange(0), help="Minor of the device, where it has one volume.")
@click.option("-p", "--port", type=_PORT, help="TCP port of DRBD.")
@click.option("--resource-group", "group", help="The resource group it belongs to.")
def import_drbd(
    session: Session, name: str, replicas: tuple[str, ...], minor: int | None, port: int | None, group: str | None
) -> Answer:
    """Go on with a resource that DRBD replicated by hand, with its data, its metadata and its node ids. Take it down
    on all nodes first, and its configuration out of /etc/drbd.d. Replicas that are not in step are refused."""
    return session.client.import_replicated(name, [_replica(each) for each in replicas], minor, port, group)


@MENU.verb("auto-place", "ap", example="orlop resource-definition auto-place backups --place-count 2")
@options.resource("name")
@placement()
@click.option("--drbd-diskless", is_flag=True, help="Place diskless DRBD resources.")
@click.option("--nvme-initiator", is_flag=True, help="Place NVMe initiators.")
def auto_place(
    session: Session,
    name: str,
    select: SelectFilter,
    layers: tuple[str, ...] | None,
    drbd_diskless: bool,
    nvme_initiator: bool,
) -> Answer:
    """Let the controller choose the nodes for the resources of a definition. What is not given is taken from
    its resource group."""
    return place(session, name, select, layers, drbd_diskless, nvme_initiator)


def place(
    session: Session,
    name: str,
    select: SelectFilter,
    layers: tuple[str, ...] | None,
    drbd_diskless: bool,
    nvme_initiator: bool,
) -> Answer:
    import msgspec

    kind = "DRBD_DISKLESS" if drbd_diskless else "NVME_INITIATOR" if nvme_initiator else None
    wanted = msgspec.structs.replace(select, diskless_type=kind, layer_stack=None)
    return session.client.autoplace(name, wanted, select.diskless_on_remaining, layers)


@MENU.verb("explain-placement", "ep", example="orlop resource-definition explain-placement backups --place-count 3")
@options.resource("name")
@placement(providers=("--providers",))
@options.listing(groups=False, show_props=None)
def explain_placement(session: Session, name: str, select: SelectFilter, view: View, **more: Any) -> None:
    """Show where missing replicas would go and why, node by node, or what stands in the way and what would help.
    Of a resource that has all its replicas: why they are where they are. Nothing is changed."""
    explain.show(session, session.client.explain_placement(name, select), view)


@MENU.verb("clone", "cln", example="orlop resource-definition clone backups backups2")
@options.resource("source")
@click.argument("name", required=False)
@click.option("-e", "--external-name", help="Any name; the name inside the cluster is made from it.")
@click.option("--no-wait", is_flag=True, help="Do not wait until the copy is complete.")
@_WAIT
@click.option("--use-zfs-clone", is_flag=True, help="A ZFS clone: quick, but it depends on its source.")
@options.many("--volume-passphrase", help="Passphrases of the volumes of the clone, in order.")
@options.layers()
@click.option("--resource-group", "--rsc-grp", "group", help="The resource group of the clone.")
def clone(
    session: Session,
    source: str,
    name: str | None,
    external_name: str | None,
    no_wait: bool,
    wait_timeout: float | None,
    use_zfs_clone: bool,
    volume_passphrase: tuple[str, ...] | None,
    layers: tuple[str, ...] | None,
    group: str | None,
) -> Answer | None:
    """Make a copy of a resource, with its data, under another name, and wait until it is complete."""
    from orlop.client import Answer

    if not name and not external_name:
        raise click.UsageError("give the name of the clone or --external-name.")
    started = session.client.clone_resource_definition(
        source, name, external_name, use_zfs_clone or None, layers, volume_passphrase, group
    )
    if not no_wait:
        state = _waited(lambda: session.client.clone_status(source, started.clone_name), "CLONING", wait_timeout)
        if state != "COMPLETE":
            session.exit_code = exit_codes.FAILED if state == "FAILED" else exit_codes.TIMED_OUT
            click.echo(f"orlop: the clone {started.clone_name} is {state}", err=True)
    return Answer(started.messages)


def _waited(state: Any, meanwhile: object, seconds: float | None) -> Any:
    """What `state()` is when it is no longer `meanwhile`, or when the time is over."""
    end = None if seconds is None else time.monotonic() + seconds
    while (now := state()) == meanwhile and (end is None or time.monotonic() < end):
        time.sleep(_SECONDS)
    return now


@MENU.verb("wait-sync", "ws", example="orlop resource-definition wait-sync backups --wait-timeout 600")
@options.resource("name")
@_WAIT
def wait_sync(session: Session, name: str, wait_timeout: float | None) -> None:
    """Wait until all replicas of a resource hold the same data."""
    if not _waited(lambda: session.client.is_synced(name), False, wait_timeout):
        click.echo(f"orlop: {name} is not in sync yet", err=True)
        session.exit_code = exit_codes.TIMED_OUT


def _port(row: Any) -> str:
    ports = (layer.data.get("port") for layer in row.layer_data if layer.type == "DRBD")
    return str(next((port for port in ports if port and port > 0), ""))


_DEFINITIONS = Table(
    "rsc_dfns",
    (
        Column("ResourceName", lambda row: row.name),
        Column("ResourceGroup", lambda row: row.resource_group_name),
        Column("Layers", lambda row: ",".join(layer.type for layer in row.layer_data)),
        Column("State", lambda row: states.flags(row.flags)),
    ),
)


@MENU.verb("list", "l", example="orlop resource-definition list --groupby ResourceGroup")
@options.of_resources("-r", "--resource-definitions")
@options.with_props()
@click.option("-e", "--external-name", is_flag=True, help="Show the external names.")
@click.option("--show-preferred-drbd-ports", "--ports", "ports", is_flag=True, help="Show the DRBD ports.")
@options.listing()
def list_definitions(
    session: Session,
    resources: tuple[str, ...] | None,
    props: tuple[str, ...] | None,
    external_name: bool,
    ports: bool,
    view: View,
) -> None:
    """List the resource definitions."""
    name, *others = _DEFINITIONS.columns
    external = [Column("External", lambda row: row.external_name)] if external_name else []
    port = [Column("Port", _port)] if ports else []
    table = _DEFINITIONS._replace(columns=(name, *external, *others[:1], *port, *others[1:]))
    session.show(table, session.client.resource_definitions(resources or (), props or ()), view)


add_properties(
    MENU,
    "a resource definition",
    [options.resource("name")],
    read=lambda client, name: props_of(client.resource_definitions([name])),
    change=lambda client, changes, name: client.modify_resource_definition(name, changes),
    example="backups",
)
drbd.add_drbd_options(
    MENU,
    ("drbd-options", "opt"),
    drbd.EVERYWHERE,
    "a resource definition",
    [options.resource("name")],
    change=lambda client, changes, name: client.modify_resource_definition(name, changes),
    example="orlop resource-definition drbd-options backups --protocol C",
)
