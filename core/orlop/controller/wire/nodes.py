"""Nodes, net interfaces and connections between nodes."""

from __future__ import annotations

from orlop.controller.wire.base import Body, Properties, PropertiesModify
from orlop.controller.wire.settings import ControllerConfigConfig, ControllerConfigDebug


class Node(Body, frozen=True, kw_only=True):
    name: str
    type: str
    flags: tuple[str, ...] = ()
    props: Properties = {}
    net_interfaces: tuple[NetInterface, ...] = ()
    connection_status: str | None = None
    uuid: str | None = None
    storage_providers: tuple[str, ...] = ()
    resource_layers: tuple[str, ...] = ()
    unsupported_providers: dict[str, tuple[str, ...]] = {}
    unsupported_layers: dict[str, tuple[str, ...]] = {}
    eviction_timestamp: int | None = None
    platform: str | None = None
    os_variant: str | None = None


class NodeModify(PropertiesModify, frozen=True, kw_only=True):
    node_type: str | None = None


class NodeRestore(Body, frozen=True, kw_only=True):
    delete_resources: bool | None = None
    delete_snapshots: bool | None = None


class NodeEvacuate(Body, frozen=True, kw_only=True):
    target: tuple[str, ...] = ()
    do_not_target: tuple[str, ...] = ()


class NetInterface(Body, frozen=True, kw_only=True):
    name: str
    address: str
    satellite_port: int | None = None
    satellite_encryption_type: str | None = None
    is_active: bool | None = None
    uuid: str | None = None


class NodeConnection(Body, frozen=True, kw_only=True):
    node_a: str | None = None
    node_b: str | None = None
    props: Properties = {}


class NodeConnectionModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class EventNode(Body, frozen=True, kw_only=True):
    node: Node | None = None


class EventNodeModified(Body, frozen=True, kw_only=True):
    old_node: Node | None = None
    new_node: Node | None = None


class SatelliteConfig(Body, frozen=True, kw_only=True):
    config: ControllerConfigConfig | None = None
    debug: ControllerConfigDebug | None = None
    log: SatelliteConfigLog | None = None
    stlt_override_node_name: str | None = None
    remote_spdk: bool | None = None
    ebs: bool | None = None
    special_satellite: bool | None = None
    drbd_keep_res_pattern: str | None = None
    net: SatelliteConfigNet | None = None


class SatelliteConfigLog(Body, frozen=True, kw_only=True):
    print_stack_trace: bool | None = None
    directory: str | None = None
    level: str | None = None
    level_linstor: str | None = None


class SatelliteConfigNet(Body, frozen=True, kw_only=True):
    bind_address: str | None = None
    port: int | None = None
    com_type: str | None = None


class NetInterfaceModify(Body, frozen=True, kw_only=True):
    """Only what is given changes; the name is the one in the path."""

    address: str | None = None
    satellite_port: int | None = None
    satellite_encryption_type: str | None = None
    is_active: bool | None = None
