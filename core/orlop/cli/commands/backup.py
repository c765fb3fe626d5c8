"""`orlop backup ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orlop.cli import completion, options, times
from orlop.cli.grammar import Menu
from orlop.cli.table import Cell, Column, Table, View
from orlop.cli.words import Maybe

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("backup", help="Backups of resources on remotes: object stores and other clusters.")
DELETE = MENU.menu("delete", "d", help="Delete backups.")
QUEUE = MENU.menu("queue", "q", help="Backups that wait for their turn.")
SCHEDULE = MENU.menu("schedule", "sched", help="Which resources are backed up at which times.")
_ASK = "\0"
_REMOTE = click.argument("remote")
_CASCADE = click.option("--cascade", "--cascading", "cascading", is_flag=True, help="And the backups based on it.")
_DRY = click.option("--dry-run", "--dryrun", "dryrun", is_flag=True, help="Only say what would be deleted.")
_KEEP = click.option("--keep-snaps", "--keep-snapshots", "keep_snaps", is_flag=True, help="Keep the snapshots.")
_RENAMES = options.many("--storpool-rename", "renames", help="FROM=TO: take another pool than the backup's.")
_DOWNLOAD = click.option("--download-only", is_flag=True, help="Do not make a resource of it.")
_FORCE = click.option("--force-restore", is_flag=True, help="Even if there is such a resource.")
_GROUP = click.option("--target-resource-group", "dst_rsc_grp", help="Resource group of the restored resource.")
_MOVE = click.option(
    "--force-move-resource-group", "--force-mv-rg", "force_mv_rsc_grp", is_flag=True, help="Move it to that group."
)


def _send(session: Session, method: str, segments: tuple[str, ...], **members: Any) -> Answer:
    """A command below /v1/remotes; members that are not given are left out of the body."""
    from orlop.client.bodies import given
    from orlop.client.wire import path

    body = given(**{name: value or None for name, value in members.items() if name != "allow_incremental"})
    if members.get("allow_incremental") is False:
        body["allow_incremental"] = False
    return session.client.command(method, path("remotes", *segments), body)


@MENU.verb("create", "c", example="orlop backup create cloud backups")
@_REMOTE
@options.resource()
@click.option("-f", "--full", is_flag=True, help="Everything, not only what has changed.")
@click.option("-n", "--node", help="The node to send from.", shell_complete=completion.NODES)
@click.option("-s", "--snapshot", "--source-snapshot", help="Of this snapshot.")
def create(session: Session, remote: str, resource: str, full: bool, node: str | None, snapshot: str | None) -> Answer:
    """Begin a backup of a resource. The command returns at once; the copying goes on."""
    from orlop.client.bodies import given
    from orlop.client.wire import path

    body = given(rsc_name=resource, incremental=not full, node_name=node, snap_name=snapshot)
    return session.client.command("POST", path("remotes", remote, "backups"), body)


def _delete(session: Session, remote: str, **chosen: Any) -> Answer:
    from orlop.client.wire import path, query

    wanted = query(**{name: value for name, value in chosen.items() if value})
    return session.client.command("DELETE", path("remotes", remote, "backups"), query=wanted)


@DELETE.verb("id", example="orlop backup delete id cloud backups_back_20260101_000000")
@_REMOTE
@click.argument("id")
@click.option("--prefix", is_flag=True, help="All whose id begins so.")
@_CASCADE
@_DRY
@_KEEP
def delete_id(session: Session, remote: str, id: str, prefix: bool, **more: bool) -> Answer:
    """Delete the backup with an id."""
    return _delete(session, remote, **{"id_prefix" if prefix else "id": id}, **more)


@DELETE.verb("filter", "f", example="orlop backup delete filter cloud --resource backups")
@_REMOTE
@click.option("-t", "--time", "timestamp", help="Made before: YYYYMMDD_HHMMSS.")
@click.option("-r", "--resource", "resource_name", help="Of this resource.")
@click.option("-n", "--node", "node_name", help="Sent by this node.")
@_CASCADE
@_DRY
@_KEEP
def delete_filter(session: Session, remote: str, **chosen: Any) -> Answer:
    """Delete the backups that fit."""
    return _delete(session, remote, **chosen)


@DELETE.verb("all", "a", example="orlop backup delete all cloud --dry-run")
@_REMOTE
@click.option("-c", "--cluster", is_flag=True, help="Only those of this cluster.")
@_DRY
@_KEEP
def delete_all(session: Session, remote: str, cluster: bool, **more: bool) -> Answer:
    """Delete all backups on a remote."""
    return _delete(session, remote, **{"all_local_cluster" if cluster else "all": True}, **more)


@DELETE.verb("s3key", "s3", example="orlop backup delete s3key cloud my_key")
@_REMOTE
@click.argument("s3key")
@_DRY
def delete_key(session: Session, remote: str, **chosen: Any) -> Answer:
    """Delete one object of a bucket."""
    return _delete(session, remote, **chosen)


@MENU.verb("restore", "rst", example="orlop backup restore cloud alpha restored --resource backups")
@_REMOTE
@options.node()
@click.argument("target")
@click.option("-r", "--resource", "src_rsc_name", help="The latest backup of this resource.")
@click.option("-s", "--snapshot", "src_snap_name", help="The backup of this snapshot.")
@click.option("--id", "last_backup", help="The backup with this id.")
@click.option("--passphrase", cls=Maybe, alone=_ASK, help="Of the cluster that made it; asked for if left out.")
@_RENAMES
@_DOWNLOAD
@_FORCE
@_GROUP
@_MOVE
def restore(
    session: Session,
    remote: str,
    node: str,
    target: str,
    passphrase: str | None,
    renames: tuple[str, ...] | None,
    **members: Any,
) -> Answer:
    """Make a resource on a node from a backup."""
    if passphrase == _ASK:
        passphrase = click.prompt("Passphrase of the other cluster", hide_input=True, err=True)
    return _send(
        session,
        "POST",
        (remote, "backups", "restore"),
        node_name=node,
        target_rsc_name=target,
        passphrase=passphrase,
        stor_pool_map=options.pairs(renames),
        **members,
    )


@MENU.verb("abort", "a", example="orlop backup abort cloud backups")
@_REMOTE
@options.resource()
@click.option("-r", "--restore", is_flag=True, help="Only restores.")
@click.option("-c", "--create", is_flag=True, help="Only creations.")
@click.option("-s", "--snapshot", help="Only of this snapshot.")
def abort(session: Session, remote: str, resource: str, **members: Any) -> Answer:
    """Stop backups and restores of a resource that are under way."""
    return _send(session, "POST", (remote, "backups", "abort"), rsc_name=resource, **members)


@MENU.verb("ship", "s", example="orlop backup ship second backups backups")
@_REMOTE
@options.resource("source")
@click.argument("target")
@click.option("--source-node", "src_node_name", help="The node that sends.", shell_complete=completion.NODES)
@click.option("--target-node", "dst_node_name", help="The node that receives.")
@click.option("--target-net-if", "dst_net_if_name", help="Its network interface.")
@click.option("--target-storage-pool", "dst_stor_pool", help="The pool there.")
@click.option("--source-snapshot", "src_snap_name", help="Of this snapshot.")
@_RENAMES
@_DOWNLOAD
@_FORCE
@click.option("--force-full", "--full", "full", is_flag=True, help="Everything, not only what has changed.")
@_GROUP
@_MOVE
def ship(
    session: Session,
    remote: str,
    source: str,
    target: str,
    renames: tuple[str, ...] | None,
    full: bool,
    **members: Any,
) -> Answer:
    """Send a resource to another cluster."""
    return _send(
        session,
        "POST",
        (remote, "backups", "ship"),
        src_rsc_name=source,
        dst_rsc_name=target,
        stor_pool_rename=options.pairs(renames),
        allow_incremental=False if full else None,
        **members,
    )


_BACKUPS = Table(
    "backups",
    (
        Column("Resource", lambda row: row.get("origin_rsc", "")),
        Column("Snapshot", lambda row: row.get("origin_snap", "")),
        Column("Finished at", lambda row: times.shown(row.get("finished_timestamp"))),
        Column("Based On", lambda row: row.get("based_on_id", "")),
        Column("Status", lambda row: _status(row)),
    ),
)


def _status(row: dict[str, Any]) -> Cell:
    if row.get("shipping"):
        return Cell("Shipping", "yellow")
    if row.get("success"):
        return Cell("Success", "green")
    return Cell("Failed", "red")


@MENU.verb("list", "l", example="orlop backup list cloud --resource backups")
@_REMOTE
@click.option("-r", "--resource", help="Only of this resource.", shell_complete=completion.RESOURCES)
@click.option("-s", "--snapshot", help="Only of this snapshot.")
@click.option("-o", "--others", is_flag=True, help="Other objects of the bucket instead.")
@click.option("-i", "--show-id", is_flag=True, help="Show the ids of the backups.")
@options.listing(groups=False, show_props=None)
def list_backups(
    session: Session,
    remote: str,
    resource: str | None,
    snapshot: str | None,
    others: bool,
    show_id: bool,
    view: View,
) -> None:
    """List the backups on a remote."""
    from orlop.client.wire import path, query

    wanted = query(rsc_name=resource, snap_name=snapshot)
    found = session.client.read(dict[str, Any], path("remotes", remote, "backups"), wanted)
    if others and not session.settings.machine_readable:
        for name in (found.get("other") or {}).get("files", []):
            session.say(name)
        return
    more = [Column("ID", lambda row: row.get("id", ""))] if show_id else []
    table = _BACKUPS._replace(columns=(*_BACKUPS.columns, *more))
    session.show(table, list((found.get("linstor") or {}).values()), view)


@MENU.verb("info", "i", example="orlop backup info cloud --resource backups")
@_REMOTE
@click.option("-r", "--resource", "src_rsc_name", help="The latest backup of this resource.")
@click.option("-s", "--snapshot", "src_snap_name", help="The backup of this snapshot.")
@click.option("--id", "last_backup", help="The backup with this id.")
@click.option("-n", "--target_node", "--target-node", "node_name", help="Whether it fits on this node.")
@_RENAMES
@options.pastable
def info(session: Session, remote: str, renames: tuple[str, ...] | None, pastable: bool, **members: Any) -> None:
    """Show how much a backup would bring over the network and need in the pools."""
    from orlop.cli import sizes
    from orlop.client.bodies import given
    from orlop.client.wire import path

    body = given(**members, stor_pool_map=options.pairs(renames) or None)
    where = path("remotes", remote, "backups", "info")
    found = session.client.read(dict[str, Any], where, method="POST", body=body)
    if session.settings.machine_readable:
        session.show_raw()
        return
    for title, text in (
        ("Resource", found.get("rsc", "")),
        ("Full backup", found.get("full", "")),
        ("Latest backup", found.get("latest", "")),
        ("To download", sizes.shown(found.get("dl_size_kib"))),
        ("To allocate", sizes.shown(found.get("alloc_size_kib"))),
    ):
        session.say(f"{title}: {text}")


_WAITING = Table(
    "queue",
    (
        Column("Resource", lambda row: row.get("resource_name", "")),
        Column("Snapshot", lambda row: row.get("snapshot_name", "")),
        Column("Remote", lambda row: row.get("remote_name", "")),
        Column("Based On", lambda row: row.get("based_on", "")),
        Column("Created at", lambda row: times.shown(row.get("start_timestamp"))),
        Column("Preferred Node", lambda row: row.get("pref_node", "")),
    ),
)


@QUEUE.verb("list", "l", example="orlop backup queue list --nodes alpha")
@options.on_nodes()
@options.many("-s", "--snapshots", "--snaps", help="Only these snapshots.")
@options.of_resources("--resources", "--rscs")
@options.many("--remotes", help="Only to these remotes.")
@click.option("--snap-to-node", "--stn", "--s2n", "by_snapshot", is_flag=True, help="Sorted by snapshot.")
@options.listing(groups=False, show_props=None)
def list_queue(session: Session, by_snapshot: bool, view: View, **chosen: tuple[str, ...] | None) -> None:
    """List backups that wait for a node to have time for them."""
    from orlop.client.wire import path, query

    wanted = query(**chosen, snap_to_node=by_snapshot or None)
    found = session.client.read(dict[str, list[dict[str, Any]]], path("view", "backup", "queue"), wanted)
    rows = [*found.get("snap_queues", []), *(each for node in found.get("node_queues", []) for each in node["queue"])]
    session.show(_WAITING, rows, view)


_OF = options.stacked(
    _REMOTE,
    click.argument("schedule"),
    click.option("--rd", "--resource-definition", "rsc_name", help="For this resource definition."),
    click.option("--rg", "--resource-group", "grp_name", help="For this resource group."),
)


@SCHEDULE.verb("enable", "en", example="orlop backup schedule enable cloud nightly --rd backups")
@_OF
@click.option("--node", "--preferred-node", "node_name", help="The node to send from, if possible.")
@click.option("--target-storage-pool", "dst_stor_pool", help="The pool on the other side.")
@click.option("--target-resource-name", "dst_rsc_name", help="The name on the other side.")
@_RENAMES
@_FORCE
@_GROUP
@_MOVE
def enable(session: Session, remote: str, schedule: str, renames: tuple[str, ...] | None, **members: Any) -> Answer:
    """Back up a resource, the resources of a group, or all resources at the times of a schedule."""
    where = (remote, "backups", "schedule", schedule, "enable")
    return _send(session, "PUT", where, stor_pool_rename=options.pairs(renames), **members)


@SCHEDULE.verb("disable", "dis", example="orlop backup schedule disable cloud nightly --rd backups")
@_OF
def disable(session: Session, remote: str, schedule: str, **members: Any) -> Answer:
    """Make an exception: do not back up a resource or a group at these times."""
    return _send(session, "PUT", (remote, "backups", "schedule", schedule, "disable"), **members)


@SCHEDULE.verb("delete", "d", example="orlop backup schedule delete cloud nightly --rd backups")
@_OF
def delete_schedule(session: Session, remote: str, schedule: str, rsc_name: str | None, grp_name: str | None) -> Answer:
    """Take back what was said with enable or disable."""
    from orlop.client.wire import path, query

    where = path("remotes", remote, "backups", "schedule", schedule, "delete")
    return session.client.command("DELETE", where, query=query(rsc_dfn_name=rsc_name, rsc_grp_name=grp_name))
