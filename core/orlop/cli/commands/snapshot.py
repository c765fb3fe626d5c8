"""`orlop snapshot ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import completion, options, sizes, states, times
from orlop.cli.commands import waiting
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer

MENU = Menu("snapshot", help="Snapshots of resources: a state to go back to, or to make other resources from.")
_SNAPSHOT = click.argument("snapshot", shell_complete=completion.SNAPSHOTS)
_FROM_RESOURCE = click.option(
    "--from-resource",
    "--fr",
    "source",
    required=True,
    help="The snapshot is of this.",
    metavar="RESOURCE",
    shell_complete=completion.RESOURCES,
)
_FROM_SNAPSHOT = click.option(
    "--from-snapshot",
    "--fs",
    "snapshot",
    required=True,
    help="The snapshot.",
    metavar="SNAPSHOT",
    shell_complete=completion.SNAPSHOTS,
)
_TO_RESOURCE = click.option(
    "--to-resource",
    "--tr",
    "to",
    required=True,
    help="The definition to fill.",
    metavar="RESOURCE",
    shell_complete=completion.RESOURCES,
)


@MENU.verb("create", "c", example="orlop snapshot create backups before_upgrade")
@click.argument("nodes", nargs=-1, shell_complete=completion.NODES)
@options.resource()
@click.argument("snapshot")
@options.not_waiting()
def create(session: Session, nodes: tuple[str, ...], resource: str, snapshot: str) -> Answer:
    """Take a snapshot of a resource on the named nodes, or on all nodes where it has a disk. Writing is
    stopped for a moment so that all replicas hold the same."""
    return session.client.create_snapshot(resource, snapshot, nodes)


@MENU.verb("create-multiple", "cm", example="orlop snapshot create-multiple nightly --resource_names db1 db2")
@click.argument("snapshot")
@options.many("-n", "--node_names", "--node-names", "nodes", help="Only on these nodes.")
@options.many("-r", "--resource_names", "--resource-names", "resources", help="The resources.", required=True)
def create_multiple(
    session: Session, snapshot: str, nodes: tuple[str, ...] | None, resources: tuple[str, ...]
) -> Answer:
    """Take snapshots of several resources at one moment."""
    return session.client.create_snapshots(snapshot, resources, nodes or ())


@MENU.verb("delete", "d", example="orlop snapshot delete backups before_upgrade")
@options.resource()
@_SNAPSHOT
@options.on_nodes()
def delete(session: Session, resource: str, snapshot: str, nodes: tuple[str, ...] | None) -> Answer:
    """Delete a snapshot, from all nodes or from the named ones."""
    return session.client.delete_snapshot(resource, snapshot, nodes or ())


@MENU.verb("lock", example="orlop snapshot lock backups before_upgrade")
@options.resource()
@_SNAPSHOT
def lock(session: Session, resource: str, snapshot: str) -> Answer:
    """Lock a snapshot against deletion until it is unlocked."""
    return session.client.lock_snapshot(resource, snapshot)


@MENU.verb("unlock", example="orlop snapshot unlock backups before_upgrade")
@options.resource()
@_SNAPSHOT
def unlock(session: Session, resource: str, snapshot: str) -> Answer:
    """Take the lock against deletion away."""
    return session.client.lock_snapshot(resource, snapshot, locked=False)


@MENU.verb("rollback", "rb", example="orlop snapshot rollback backups before_upgrade")
@options.resource()
@_SNAPSHOT
@click.option("--zfs-rollback-strategy", type=click.Choice(["rollback", "clone", "dynamic"]), help="How ZFS does it.")
def rollback(session: Session, resource: str, snapshot: str, zfs_rollback_strategy: str | None) -> Answer:
    """Bring a resource that is not in use back to the state of a snapshot. What was written since is lost."""
    return session.client.rollback_snapshot(resource, snapshot, zfs_rollback_strategy)


_SNAPSHOTS = Table(
    "snapshot_dfns",
    (
        Column("ResourceName", lambda row: row.resource_name),
        Column("SnapshotName", lambda row: row.name),
        Column("NodeNames", lambda row: ", ".join(row.nodes)),
        Column(
            "Volumes",
            lambda row: ", ".join(
                f"{each.volume_number}: {sizes.shown(each.size_kib)}" for each in row.volume_definitions
            ),
        ),
        Column("CreatedOn", lambda row: times.shown(row.created)),
        Column("State", states.snapshot),
    ),
    props=lambda row: row.snapshot_definition_props or row.props,
)


@MENU.verb("list", "l", example="orlop snapshot list --resources backups")
@options.of_resources()
@options.on_nodes()
@options.listing()
def list_snapshots(
    session: Session, resources: tuple[str, ...] | None, nodes: tuple[str, ...] | None, view: View
) -> None:
    """List the snapshots with the nodes they are on and their state."""
    session.show(_SNAPSHOTS, session.client.snapshots(resources or (), nodes or ()), view)


_VOLUME_DEFINITION = MENU.menu("volume-definition", "vd", help="First step of a restore: the volumes.")
_RESOURCE = MENU.menu("resource", "r", help="Second step of a restore: the resources.")


@_VOLUME_DEFINITION.verb(
    "restore",
    "rst",
    example="orlop snapshot volume-definition restore --from-resource backups --from-snapshot before_upgrade "
    "--to-resource restored",
)
@_FROM_RESOURCE
@_FROM_SNAPSHOT
@_TO_RESOURCE
def restore_volume_definitions(session: Session, source: str, snapshot: str, to: str) -> Answer:
    """Give a new, empty resource definition the volumes that a snapshot has."""
    return session.client.restore_volume_definitions(source, snapshot, to)


@_RESOURCE.verb(
    "restore",
    "rst",
    example="orlop snapshot resource restore --from-resource backups --from-snapshot before_upgrade "
    "--to-resource restored",
)
@click.argument("nodes", nargs=-1, shell_complete=completion.NODES)
@_FROM_RESOURCE
@_FROM_SNAPSHOT
@_TO_RESOURCE
@options.many("--storpool-rename", "renames", help="FROM=TO: take another pool than the snapshot is in.")
def restore_resource(
    session: Session, nodes: tuple[str, ...], source: str, snapshot: str, to: str, renames: tuple[str, ...] | None
) -> Answer:
    """Make resources from a snapshot, on the named nodes or on all that hold it. The definition must have
    the volumes already."""
    return session.client.restore_resource(source, snapshot, to, nodes, options.pairs(renames))


waiting.add_to_snapshots(MENU)
add_properties(
    MENU,
    "a snapshot",
    [options.resource(), _SNAPSHOT],
    read=lambda client, resource, snapshot: next(
        (
            each.snapshot_definition_props or each.props
            for each in client.snapshots([resource])
            if each.name.lower() == snapshot.lower()
        ),
        None,
    ),
    change=lambda client, changes, resource, snapshot: client.modify_snapshot(resource, snapshot, changes),
    example="backups before_upgrade",
)
