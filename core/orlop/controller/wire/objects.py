"""Objects of pools that an administrator names: adopted, imported, removed."""

from __future__ import annotations

from orlop.controller.wire.base import Body


class OrphanAdopt(Body, frozen=True, kw_only=True):
    """`uuid` is the one of the mark that the orphan bears, left out where it bears none.

    Without a name and number the resource is the one that the orphan's name tells.
    """

    node_name: str
    storage_pool_name: str
    name: str
    uuid: str | None = None
    resource_name: str | None = None
    volume_number: int | None = None
    resource_group_name: str | None = None


class OrphanRemove(Body, frozen=True, kw_only=True):
    """`uuid` as with `OrphanAdopt`."""

    node_name: str
    storage_pool_name: str
    name: str
    uuid: str | None = None


class ImportedReplica(Body, frozen=True, kw_only=True):
    """A device with DRBD's metadata at its end: the logical volume, zvol or file that shows it. `uuid` is the mark that
    it bears, if an import was cut after it was marked."""

    node_name: str
    storage_pool_name: str
    name: str
    uuid: str | None = None
    volume_number: int = 0


class ReplicatedImport(Body, frozen=True, kw_only=True):
    """Every volume of every replica. Minor and port are drawn where they are not named."""

    replicas: tuple[ImportedReplica, ...] = ()
    resource_group_name: str | None = None
    drbd_minor_number: int | None = None
    drbd_tcp_port: int | None = None


class VolumeImport(Body, frozen=True, kw_only=True):
    """`name` of the logical volume, zvol or file in the pool."""

    node_name: str
    storage_pool_name: str
    name: str
    volume_number: int | None = None
    resource_group_name: str | None = None
