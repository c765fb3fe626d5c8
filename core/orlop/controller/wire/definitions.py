"""Resource definitions and volume definitions."""

from __future__ import annotations

from typing import Any

from orlop.controller.answers import Entry
from orlop.controller.wire.base import Body, Properties, PropertiesModify


class DrbdResourceDefinitionLayer(Body, frozen=True, kw_only=True):
    resource_name_suffix: str | None = None
    peer_slots: int | None = None
    al_stripes: int | None = None
    al_stripe_size_kib: int | None = None
    port: int | None = None
    transport_type: str | None = None
    secret: str | None = None
    down: bool | None = None


class ResourceDefinitionLayer(Body, frozen=True, kw_only=True):
    type: str | None = None
    data: Any | None = None


class ResourceDefinition(Body, frozen=True, kw_only=True):
    name: str | None = None
    external_name: str | None = None
    props: Properties = {}
    flags: tuple[str, ...] = ()
    layer_data: tuple[ResourceDefinitionLayer, ...] = ()
    uuid: str | None = None
    resource_group_name: str | None = None
    volume_definitions: tuple[VolumeDefinition, ...] = ()


class ResourceDefinitionCreate(Body, frozen=True, kw_only=True):
    """Note the wrapper object."""

    drbd_port: int | None = None
    drbd_secret: str | None = None
    drbd_peer_slots: int | None = None
    drbd_transport_type: str | None = None
    resource_definition: ResourceDefinition


class ResourceDefinitionModify(PropertiesModify, frozen=True, kw_only=True):
    drbd_port: int | None = None
    drbd_peer_slots: int | None = None
    layer_stack: tuple[str, ...] = ()
    resource_group: str | None = None


class DrbdVolumeDefinition(Body, frozen=True, kw_only=True):
    resource_name_suffix: str | None = None
    volume_number: int | None = None
    minor_number: int | None = None


class VolumeDefinitionLayer(Body, frozen=True, kw_only=True):
    type: str
    data: Any | None = None


class VolumeDefinition(Body, frozen=True, kw_only=True):
    volume_number: int | None = None
    size_kib: int
    props: Properties = {}
    flags: tuple[str, ...] = ()
    layer_data: tuple[VolumeDefinitionLayer, ...] = ()
    uuid: str | None = None


class VolumeDefinitionCreate(Body, frozen=True, kw_only=True):
    volume_definition: VolumeDefinition
    drbd_minor_number: int | None = None
    passphrase: str | None = None

    def __repr__(self) -> str:
        return f"VolumeDefinitionCreate({self.volume_definition!r})"


class VolumeDefinitionModify(PropertiesModify, frozen=True, kw_only=True):
    size_kib: int | None = None
    flags: tuple[str, ...] = ()


class ResourceDefinitionSyncStatus(Body, frozen=True, kw_only=True):
    synced_on_all: bool


class ResourceDefinitionClone(PropertiesModify, frozen=True, kw_only=True):
    """`volume_sizes` in KiB, in the order of the volume numbers; 0, and what is left out, is the size of the source."""

    name: str | None = None
    external_name: str | None = None
    use_zfs_clone: bool | None = None
    layer_list: tuple[str, ...] = ()
    volume_passphrases: tuple[str, ...] = ()
    resource_group: str | None = None
    volume_sizes: tuple[int, ...] = ()

    def __repr__(self) -> str:
        return f"ResourceDefinitionClone({self.name or self.external_name!r})"


class ResourceDefinitionCloneStarted(Body, frozen=True, kw_only=True):
    location: str
    source_name: str
    clone_name: str
    messages: tuple[Entry, ...] = ()


class ResourceDefinitionCloneStatus(Body, frozen=True, kw_only=True):
    """COMPLETE, CLONING or FAILED."""

    status: str
