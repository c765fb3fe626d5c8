"""The controller: configuration, error reports, key-value stores, counts."""

from __future__ import annotations

from orlop.controller.wire.base import Body, Properties, PropertiesModify


class ControllerPropsModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class ControllerConfig(Body, frozen=True, kw_only=True):
    config: ControllerConfigConfig | None = None
    debug: ControllerConfigDebug | None = None
    log: ControllerConfigLog | None = None
    db: ControllerConfigDb | None = None
    http: ControllerConfigHttp | None = None
    https: ControllerConfigHttps | None = None


class ControllerConfigConfig(Body, frozen=True, kw_only=True):
    dir: str | None = None


class ControllerConfigDebug(Body, frozen=True, kw_only=True):
    console_enabled: bool | None = None


class ControllerConfigLog(Body, frozen=True, kw_only=True):
    print_stack_trace: bool | None = None
    directory: str | None = None
    level: str | None = None
    level_global: str | None = None
    level_linstor: str | None = None
    level_linstor_global: str | None = None
    rest_access_log_path: str | None = None
    rest_access_mode: str | None = None


class ControllerConfigDb(Body, frozen=True, kw_only=True):
    connection_url: str | None = None
    ca_certificate: str | None = None
    client_certificate: str | None = None
    in_memory: str | None = None
    version_check_disabled: bool | None = None


class ControllerConfigHttp(Body, frozen=True, kw_only=True):
    enabled: bool | None = None
    listen_address: str | None = None
    port: int | None = None


class ControllerConfigHttps(Body, frozen=True, kw_only=True):
    enabled: bool | None = None
    listen_address: str | None = None
    port: int | None = None


class ControllerVersion(Body, frozen=True, kw_only=True):
    version: str | None = None
    git_hash: str | None = None
    build_time: str | None = None
    rest_api_version: str | None = None


class PropsInfo(Body, frozen=True, kw_only=True):
    info: str | None = None
    prop_type: str | None = None
    value: str | None = None
    dflt: str | None = None
    unit: str | None = None


class ErrorReport(Body, frozen=True, kw_only=True):
    """Error_time ms; filename "ErrorReport-<id>.log"."""

    node_name: str | None = None
    error_time: int
    filename: str | None = None
    text: str | None = None
    module: str | None = None
    version: str | None = None
    peer: str | None = None
    exception: str | None = None
    exception_message: str | None = None
    origin_file: str | None = None
    origin_method: str | None = None
    origin_line: int | None = None


class ErrorReportDelete(Body, frozen=True, kw_only=True):
    since: int | None = None
    to: int | None = None
    nodes: tuple[str, ...] = ()
    exception: str | None = None
    version: str | None = None
    ids: tuple[str, ...] = ()


class KeyValueStore(Body, frozen=True, kw_only=True):
    name: str | None = None
    props: Properties = {}


class KeyValueStoreModify(PropertiesModify, frozen=True, kw_only=True):
    pass


class NodeStats(Body, frozen=True, kw_only=True):
    count: int


class StoragePoolStats(Body, frozen=True, kw_only=True):
    count: int


class ResourceGroupStats(Body, frozen=True, kw_only=True):
    count: int


class ResourceDefinitionStats(Body, frozen=True, kw_only=True):
    count: int


class ResourceStats(Body, frozen=True, kw_only=True):
    count: int


class ErrorReportStats(Body, frozen=True, kw_only=True):
    count: int
