"""Routes of the controller itself: version, properties, configuration, key-value stores."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from msgspec.structs import replace

import orlop
from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import HERE, PAGED, Routes
from orlop.controller.properties import Kind, info
from orlop.controller.usecases import lookup, settings
from orlop.model import KeyValueStore

route = Routes("controller", Subject.CTRL_CONF)
PROPERTIES = "/v1/controller/properties"
INFO = dict[str, wire.PropsInfo]

# The highest level of which every feature is there or, of lower levels, answers that it is not part of this
# version. The commands that came with 1.28 and 1.29 for resources are served, but clients that see these levels
# also count on tokens and the export of the database; seeing 1.27 they use spellings that are served as well.
REST_API_VERSION = "1.27.0"
NO_HASH = "0" * 40  # what is not built from a repository has no commit


@cache
def _built() -> str:
    modified = Path(orlop.__file__).stat().st_mtime
    return datetime.fromtimestamp(int(modified), UTC).isoformat()


@route("GET", "/v1/controller/version", answer=wire.ControllerVersion)
def version(call: Call) -> wire.ControllerVersion:
    return wire.ControllerVersion(
        version=orlop.__version__, git_hash=NO_HASH, build_time=_built(), rest_api_version=REST_API_VERSION
    )


@route("GET", PROPERTIES, answer=dict[str, str])
def properties(call: Call) -> dict[str, str]:
    return dict(settings.shown(call.core))


@route("POST", PROPERTIES, body=wire.ControllerPropsModify, status=201)
def modify(call: Call) -> Answers:
    return settings.modify(call.core, call.body)


@route("DELETE", f"{PROPERTIES}/{{key}}")
def delete_property(call: Call, key: str) -> Answers:
    return settings.delete_property(call.core, key)


@route("GET", "/v1/controller/config", answer=wire.ControllerConfig)
def config(call: Call) -> wire.ControllerConfig:
    found = call.site.config
    level = settings.log_level()
    log = replace(found.log or wire.ControllerConfigLog(), level=level, level_linstor=level)
    return replace(found, log=log)


@route("PUT", "/v1/controller/config", body=wire.ControllerConfig, waits=False, unplanned=HERE)
def configure(call: Call) -> Answers:
    return settings.configure(call.body)


def _info(path: str, kind: Kind) -> None:
    @route("GET", path, answer=INFO)
    def described(call: Call, **_: str) -> object:
        return info(kind)


_info(f"{PROPERTIES}/info", Kind.CONTROLLER)
_info("/v1/nodes/properties/info", Kind.NODE)
_info("/v1/storage-pool-definitions/properties/info", Kind.STORAGE_POOL_DEFINITION)
_info("/v1/nodes/{node}/storage-pools/properties/info", Kind.STORAGE_POOL)
_info("/v1/resource-definitions/properties/info", Kind.RESOURCE_DEFINITION)
_info("/v1/resource-definitions/{resource}/volume-definitions/properties/info", Kind.VOLUME_DEFINITION)
_info("/v1/resource-definitions/{resource}/resources/properties/info", Kind.RESOURCE)
_info("/v1/resource-definitions/{resource}/resources/{node}/volumes/properties/info", Kind.VOLUME)
_info("/v1/resource-definitions/{resource}/resource-connections/properties/info", Kind.RESOURCE_CONNECTION)
_info("/v1/resource-definitions/{resource}/drbd-proxy/properties/info", Kind.DRBD_PROXY)
_info("/v1/resource-groups/properties/info", Kind.RESOURCE_GROUP)
_info("/v1/resource-groups/{resource_group}/volume-groups/properties/info", Kind.VOLUME_GROUP)


@route("GET", f"{PROPERTIES}/info/all", answer=dict[str, INFO])
def all_info(call: Call) -> object:
    return {kind.value: info(kind) for kind in Kind if kind is not Kind.KEY_VALUE_STORE}


# -- key-value stores -----------------------------------------------------------------------------------------

STORES = "/v1/key-value-store"
STORE = f"{STORES}/{{instance}}"


def _store(found: KeyValueStore) -> wire.KeyValueStore:
    return wire.KeyValueStore(name=found.name, props=found.props)


@route("GET", STORES, answer=tuple[wire.KeyValueStore, ...], about=Subject.KVS, query=PAGED)
def stores(call: Call) -> list[wire.KeyValueStore]:
    return call.query.page([_store(found) for _, found in sorted(call.core.picture.key_values.items())])


@route("GET", STORE, answer=tuple[wire.KeyValueStore, ...], about=Subject.KVS)
def store(call: Call, instance: str) -> list[wire.KeyValueStore]:
    """A list of one."""
    return [_store(lookup.key_value_store(call.core.picture, instance))]


@route("PUT", STORE, body=wire.KeyValueStoreModify, about=Subject.KVS)
def modify_store(call: Call, instance: str) -> Answers:
    return settings.modify_key_value_store(call.core, instance, call.body)


@route("DELETE", STORE, about=Subject.KVS, absent=frozenset({Fail.NOT_FOUND_KVS}))
def delete_store(call: Call, instance: str) -> Answers:
    return settings.delete_key_value_store(call.core, instance)
