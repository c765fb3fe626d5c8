"""`orlop storage-pool ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from orlop.cli import options, output, sizes, states
from orlop.cli.grammar import Menu
from orlop.cli.properties import add_properties, props_of
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer
    from orlop.client.values import StoragePool

MENU = Menu("storage-pool", help="Storage pools: what volumes are carved from, by node and name.")
CREATE = MENU.menu("create", "c", help="Make a volume group, a zpool or a directory of a node a storage pool.")
_BACKING = "StorDriver/StorPoolName"
_THERE = "It must exist on the node; nothing in it is changed."
_MADE = "It is made on the node if it does not exist; what is in it already is left as it is."

# word, aliases, provider kind, what the backing is, an example of it
_KINDS: tuple[tuple[str, tuple[str, ...], str, str, str], ...] = (
    ("lvm", (), "LVM", "an LVM volume group", "vg_ssd"),
    ("lvmthin", ("lvm-thin",), "LVM_THIN", "an LVM thin pool, as GROUP/POOL", "vg_ssd/thin"),
    ("lvmthinpool", ("lvm-thin-pool",), "LVM_THIN_POOL", "an LVM volume group, with a thin pool per volume,", "vg_ssd"),
    ("zfs", (), "ZFS", "a zpool or a data set in it", "tank/orlop"),
    ("zfsthin", ("zfs-thin",), "ZFS_THIN", "a zpool or a data set in it, with sparse volumes", "tank/orlop"),
    ("file", (), "FILE", "a directory for files", "/srv/orlop"),
    ("filethin", ("file-thin",), "FILE_THIN", "a directory for sparse files", "/srv/orlop"),
    ("spdk", (), "SPDK", "a store of SPDK", "lvs0"),
    ("remotespdk", (), "REMOTE_SPDK", "a store of SPDK on another machine", "lvs0"),
    ("storagespaces", (), "STORAGE_SPACES", "a storage space", "space0"),
    ("storagespacesthin", (), "STORAGE_SPACES_THIN", "a thin storage space", "space0"),
)


def _add_kind(word: str, aliases: tuple[str, ...], provider: str, what: str, example: str) -> None:
    @CREATE.verb(
        word,
        *aliases,
        example=f"orlop storage-pool create {word} alpha pool_ssd {example}",
        help=f"Make {what} a storage pool. {_MADE if word.startswith('file') else _THERE}",
    )
    @options.node()
    @click.argument("name")
    @click.argument("backing")
    @click.option("--shared-space", help="Name of the space that pools of several nodes share.")
    @click.option("--external-locking", is_flag=True, help="Somebody else takes care of locks in the shared space.")
    def create(
        session: Session, node: str, name: str, backing: str, shared_space: str | None, external_locking: bool
    ) -> Answer:
        return session.client.create_storage_pool(
            node, name, provider, {_BACKING: backing}, shared_space, external_locking or None
        )


for _kind in _KINDS:
    _add_kind(*_kind)


@CREATE.verb("diskless", example="orlop storage-pool create diskless alpha nodisk")
@options.node()
@click.argument("name")
def create_diskless(session: Session, node: str, name: str) -> Answer:
    """Make a pool for resources without disks. Every node has one already, DfltDisklessStorPool."""
    return session.client.create_storage_pool(node, name, "DISKLESS")


@CREATE.verb("ebs_initiator", "ebs_init", example="orlop storage-pool create ebs_initiator alpha cloud my_remote")
@options.node()
@click.argument("name")
@click.argument("remote")
def create_ebs(session: Session, node: str, name: str, remote: str) -> Answer:
    """Make a pool that attaches volumes of an EBS remote."""
    return session.client.create_storage_pool(node, name, "EBS_INIT", {"StorDriver/EBS/Remote": remote})


@MENU.verb("delete", "d", example="orlop storage-pool delete alpha bravo pool_ssd")
@options.nodes()
@options.pool()
@click.option("-q", "--quiet", is_flag=True, help="Accepted; there is no question.", hidden=True)
def delete(session: Session, nodes: tuple[str, ...], pool: str, quiet: bool) -> Answer:
    """Forget storage pools that hold no volumes and no snapshots. What they are made from is left alone."""
    return session.each(nodes, lambda node: session.client.delete_storage_pool(node, pool))


@MENU.verb("lost", "lo", example="orlop storage-pool lost alpha pool_ssd")
@options.node()
@options.pool()
def lost(session: Session, node: str, pool: str) -> Answer:
    """Forget a storage pool whose devices are gone, with the volumes and snapshots that were in it."""
    return session.client.lose_storage_pool(node, pool)


def _backing(row: StoragePool) -> str:
    for key in (_BACKING, "StorDriver/LvmVg", "StorDriver/ZPool", "StorDriver/ZPoolThin", "StorDriver/FileDir"):
        if key in row.props:
            thin = row.props.get("StorDriver/ThinPool", "")
            return f"{row.props[key]}/{thin}" if thin else row.props[key]
    return ""


def _capacity(row: StoragePool, size: int | None) -> str:
    return "" if row.provider_kind == "DISKLESS" else sizes.shown(size)


_POOLS = Table(
    "stor_pools",
    (
        Column("StoragePool", lambda row: row.storage_pool_name),
        Column("Node", lambda row: row.node_name),
        Column("Driver", lambda row: row.provider_kind),
        Column("PoolName", _backing),
        Column("FreeCapacity", lambda row: _capacity(row, row.free_capacity), right=True),
        Column("TotalCapacity", lambda row: _capacity(row, row.total_capacity), right=True),
        Column("CanSnapshots", lambda row: str(row.supports_snapshots)),
        Column("State", states.pool),
        Column("SharedName", lambda row: row.shared_name),
    ),
    group_names={"Size": "TotalCapacity", "Name": "StoragePool"},
)


# The guide prints `sp l` as `sp 1`.
@MENU.verb("list", "l", "1", example="orlop storage-pool list --groupby Node")
@options.in_pools()
@options.on_nodes()
@options.with_props()
@options.listing(show_props=("--show-props",))
def list_pools(
    session: Session,
    pools: tuple[str, ...] | None,
    nodes: tuple[str, ...] | None,
    props: tuple[str, ...] | None,
    view: View,
) -> None:
    """List the storage pools with their capacity and state, and below them what is wrong with one."""
    from orlop.client import Answer

    rows = session.client.storage_pools(nodes or (), pools or (), props or ())
    session.show(_POOLS, rows, view)
    if not session.settings.machine_readable:
        output.answer(Answer(entry for row in rows for entry in row.reports), session.colour)


add_properties(
    MENU,
    "a storage pool",
    [options.node(), options.pool()],
    read=lambda client, node, pool: props_of(client.storage_pools([node], [pool])),
    change=lambda client, changes, node, pool: client.modify_storage_pool(node, pool, changes),
    example="alpha pool_ssd",
)
