"""`orlop physical-storage ...`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from orlop.cli import options, sizes
from orlop.cli.grammar import Menu
from orlop.cli.sizes import SIZE
from orlop.cli.table import Column, Table, View

if TYPE_CHECKING:
    from orlop.cli.session import Session
    from orlop.client import Answer
    from orlop.client.values import PhysicalStorage

MENU = Menu("physical-storage", help="Unused devices of the nodes, and pools made from them.")


_PROVIDERS = {
    "lvm": "LVM",
    "lvmthin": "LVM_THIN",
    "lvmthinpool": "LVM_THIN_POOL",
    "zfs": "ZFS",
    "zfsthin": "ZFS_THIN",
    "spdk": "SPDK",
}


def _nodes(row: PhysicalStorage) -> str:
    return "\n".join(
        f"{node}[{', '.join(device.device for device in devices)}]" for node, devices in sorted(row.nodes.items())
    )


_DEVICES = Table(
    "physical_storage",
    (
        Column("Size", lambda row: sizes.shown(row.size // 1024), right=True),
        Column("Rotational", lambda row: str(row.rotational)),
        Column("Nodes", _nodes),
    ),
)


@MENU.verb("list", "l", example="orlop physical-storage list")
@options.listing(show_props=None)
def list_devices(session: Session, view: View) -> None:
    """List devices that are empty and larger than 1 GiB, alike ones of all nodes in one row."""
    session.show(_DEVICES, session.client.physical_storage(), view)


@MENU.verb(
    "create-device-pool",
    "cdp",
    example="orlop physical-storage create-device-pool lvmthin alpha /dev/sdb /dev/sdc "
    "--pool-name thin --storage-pool pool_ssd",
)
@click.argument("provider", type=click.Choice(list(_PROVIDERS), case_sensitive=False))
@options.node()
@click.argument("devices", nargs=-1, required=True)
@click.option("--pool-name", required=True, help="Name of the volume group, thin pool or zpool.")
@click.option("--storage-pool", help="Make it a storage pool of this name, too.")
@click.option("--raid-level", help="How a zpool is laid out: JBOD (the default), MIRROR, RAIDZ or RAIDZ2.")
@click.option("--vdo-enable", is_flag=True, help="Put VDO below it.")
@click.option("--vdo-logical-size", type=SIZE, help="Size that VDO shows.")
@click.option("--vdo-slab-size", type=SIZE, help="Size of VDO's slabs.")
@click.option("--sed", is_flag=True, help="Lock self-encrypting devices.")
@options.many("--pv-create-arguments", help="More words for pvcreate.")
@options.many("--vg-create-arguments", help="More words for vgcreate.")
@options.many("--lv-create-arguments", help="More words for lvcreate.")
@options.many("--zpool-create-arguments", help="More words for zpool create.")
def create_device_pool(
    session: Session,
    provider: str,
    node: str,
    devices: tuple[str, ...],
    pool_name: str,
    storage_pool: str | None,
    vdo_logical_size: int | None,
    vdo_slab_size: int | None,
    **more: Any,
) -> Answer:
    """Make a volume group, thin pool or zpool from devices of a node, and a storage pool of it if a name is
    given. What is on the devices is lost; devices that are in use are refused."""
    return session.client.create_device_pool(
        node,
        _PROVIDERS[provider],
        devices,
        pool_name,
        {"name": storage_pool} if storage_pool else None,
        vdo_logical_size_kib=vdo_logical_size,
        vdo_slab_size_kib=vdo_slab_size,
        **{name: value or None for name, value in more.items()},
    )


@MENU.verb("delete-device-pool", "ddp", example="orlop physical-storage delete-device-pool alpha pool_ssd")
@options.node()
@click.argument("name")
@click.option(
    "--provider",
    type=click.Choice(list(_PROVIDERS), case_sensitive=False),
    help="NAME is not a storage pool, but a volume group, thin pool or zpool of this kind.",
)
def delete_device_pool(session: Session, node: str, name: str, provider: str | None) -> Answer:
    """Take apart what create-device-pool made: forget the storage pool, which must be empty, remove what it stands
    on and wipe its devices. What was made in another way is refused."""
    if provider:
        return session.client.delete_backing(node, _PROVIDERS[provider], name)
    return session.client.delete_device_pool(node, name)
