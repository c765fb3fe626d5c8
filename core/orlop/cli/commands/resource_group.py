"""`orlop resource-group ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from orlop.cli import drbd, options, output, sizes
from orlop.cli.commands import explain, moving
from orlop.cli.commands.max_size import MAX_SIZES
from orlop.cli.grammar import Menu
from orlop.cli.placement import placement
from orlop.cli.properties import add_properties, props_of
from orlop.cli.sizes import SIZE
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer, SelectFilter
    from orlop.client.values import ResourceGroup

MENU = Menu("resource-group", help="Templates: how many replicas, where, and what properties resources get.")
_DESCRIPTION = click.option("-d", "--description", help="A text for people.")
_SLOTS = click.option("--peer-slots", type=int, help="How many peers each replica has room for.")


@MENU.verb("create", "c", example="orlop resource-group create fast --place-count 2 --storage-pool pool_ssd")
@options.group("name")
@_DESCRIPTION
@_SLOTS
@placement()
def create(
    session: Session, name: str, description: str | None, peer_slots: int | None, select: SelectFilter, **more: Any
) -> Answer:
    """Make a resource group. Give it volume groups, then spawn resources from it."""
    return session.client.create_resource_group(name, description, select, peer_slots)


@MENU.verb("modify", "m", example="orlop resource-group modify fast --place-count 3")
@options.group("name")
@_DESCRIPTION
@_SLOTS
@placement()
def modify(
    session: Session, name: str, description: str | None, peer_slots: int | None, select: SelectFilter, **more: Any
) -> Answer:
    """Change a resource group. What is not given stays; an option without words clears its list. A new place
    count adds replicas to resources that have fewer."""
    return session.client.modify_resource_group(name, description=description, select=select, peer_slots=peer_slots)


@MENU.verb("delete", "d", example="orlop resource-group delete fast")
@options.group("name")
def delete(session: Session, name: str) -> Answer:
    """Delete a resource group that no resource definition uses."""
    return session.client.delete_resource_group(name)


@MENU.verb("spawn-resources", "spawn", example="orlop resource-group spawn-resources fast db1 10G 200M")
@options.group()
@click.argument("name", required=False)
@click.argument("sizes", nargs=-1, type=SIZE)
@click.option("--external-name", help="Any name; the name inside the cluster is made from it.")
@click.option("-p", "--partial", is_flag=True, help="More or fewer sizes than there are volume groups are fine.")
@click.option("-d", "--definition-only", is_flag=True, help="Define the resource without placing it.")
@options.many("--volume-passphrase", help="Passphrases of the volumes, in order.")
@_SLOTS
@placement(providers=("--providers",))
def spawn(
    session: Session,
    group: str,
    name: str | None,
    sizes: tuple[int, ...],
    external_name: str | None,
    partial: bool,
    definition_only: bool,
    volume_passphrase: tuple[str, ...] | None,
    peer_slots: int | None,
    select: SelectFilter,
    **more: Any,
) -> Answer:
    """Define a resource from a group, with one volume of the given size for each volume group, and place it.
    Options override what the group says."""
    if not name and not external_name:
        raise click.UsageError("give the name of the resource or --external-name.")
    if external_name and name:  # then there is no other name: the word is the first size
        sizes = (SIZE.convert(name, None, None), *sizes)
        name = None
    return session.client.spawn(
        group, name, sizes, external_name, select, partial, definition_only, peer_slots, volume_passphrase
    )


@MENU.verb("explain-placement", "ep", example="orlop resource-group explain-placement fast 10G --place-count 3")
@options.group()
@click.argument("sizes", nargs=-1, type=SIZE)
@placement(providers=("--providers",))
@options.listing(groups=False, show_props=None)
def explain_placement(
    session: Session, group: str, sizes: tuple[int, ...], select: SelectFilter, view: View, **more: Any
) -> None:
    """Show where a resource with volumes of these sizes would be spawned, and why. Nothing is made."""
    explain.show(session, session.client.explain_spawn(group, sizes, select), view)


@MENU.verb("query-max-volume-size", "qmvs", example="orlop resource-group query-max-volume-size fast")
@options.group()
@options.listing(groups=False, show_props=None)
def query_max_volume_size(session: Session, group: str, view: View) -> None:
    """Show how large a volume of a group could be, for each combination of pools."""
    session.show(MAX_SIZES, session.client.group_max_volume_sizes(group).candidates, view)


_SPAWN = Table(
    "spawn",
    (
        Column("StoragePool", lambda row: row.stor_pool_name),
        Column("Node", lambda row: row.node_name),
        Column("Oversubscription", lambda row: _ratio(row.stor_pool_oversubscription_ratio), right=True),
    ),
)


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


@MENU.verb("query-size-info", "qsi", example="orlop resource-group query-size-info fast --place-count 3")
@options.group()
@placement(providers=("--providers",))
@options.listing(groups=False, show_props=None)
def query_size_info(session: Session, group: str, select: SelectFilter, view: View, **more: Any) -> None:
    """Show how much space a group has, how large its next volume could be and where it would go."""
    from orlop.client import Answer

    found = session.client.size_info(group, select)
    if session.settings.machine_readable:
        session.show_raw()
        return
    space = found.space_info
    for title, size in (
        ("Largest volume", space.max_vlm_size_in_kib),
        ("Available", space.available_size_in_kib),
        ("Capacity", space.capacity_in_kib),
    ):
        session.say(f"{title}: {sizes.shown(size)}")
    if space.next_spawn_result:
        session.show(_SPAWN, space.next_spawn_result, view)
    output.answer(Answer(found.reports), session.colour)


@MENU.verb("adjust", "adj", example="orlop resource-group adjust fast")
@options.group(required=False)
@click.option("-p", "--pastable", is_flag=True, hidden=True, expose_value=False)
def adjust(session: Session, group: str | None) -> Answer:
    """Bring the resources of a group, or of all groups, to what their group says."""
    return session.client.adjust_resource_group(group)


@MENU.verb("balance", example="orlop resource-group balance fast --dry-run")
@options.group(required=False)
@moving.DRY_RUN
def balance(session: Session, group: str | None, dry_run: bool) -> Answer | None:
    """Make missing replicas of a group, or of all groups, and remove superfluous ones now, a few at a time. The
    controller does the same every hour unless BalanceResourcesEnabled is False."""
    if dry_run:
        moving.show(session, session.client.balance_plan(group))
        return None
    return session.client.balance(group)


def _filter(row: ResourceGroup) -> str:
    """The members that are set, one per line."""
    plain = msgspec.to_builtins(row.select_filter)
    plain.pop("storage_pool" if "storage_pool_list" in plain else "", None)
    return "\n".join(f"{_title(name)}: {_text(value)}" for name, value in plain.items() if value not in ([], {}, None))


def _title(name: str) -> str:
    return "".join(word.capitalize() for word in name.removesuffix("_list").removesuffix("_map").split("_"))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key}: {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


_GROUPS = Table(
    "rsc_grps",
    (
        Column("ResourceGroup", lambda row: row.name),
        Column("SelectFilter", _filter),
        Column("VlmNrs", lambda row: ",".join(str(volume.volume_number) for volume in row.volume_groups)),
        Column("Description", lambda row: row.description),
    ),
)


@MENU.verb("list", "l", example="orlop resource-group list")
@options.many("-r", "--resource-groups", "groups", help="Only these resource groups.")
@options.with_props()
@options.listing()
def list_groups(session: Session, groups: tuple[str, ...] | None, props: tuple[str, ...] | None, view: View) -> None:
    """List the resource groups with what they demand of a place."""
    rows = session.client.resource_groups(groups or (), props or ())
    if session.settings.machine_readable:
        session.show(_GROUPS, rows, view)
        return
    whole = [
        row if row.volume_groups else msgspec.structs.replace(row, volume_groups=_volumes(session, row)) for row in rows
    ]
    session.show(_GROUPS, whole, view)


def _volumes(session: Session, row: ResourceGroup) -> Any:
    return tuple(session.client.volume_groups(row.name))


add_properties(
    MENU,
    "a resource group",
    [options.group("name")],
    read=lambda client, name: props_of(client.resource_groups([name])),
    change=lambda client, changes, name: client.modify_resource_group(name, changes),
    example="fast",
)
drbd.add_drbd_options(
    MENU,
    ("drbd-options", "opt"),
    drbd.EVERYWHERE,
    "a resource group",
    [options.group("name")],
    change=lambda client, changes, name: client.modify_resource_group(name, changes),
    example="orlop resource-group drbd-options fast --protocol C",
)
