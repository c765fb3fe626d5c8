"""Routes of storage pools, their definitions, and the devices they could be made from."""

from __future__ import annotations

from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import AT_ONCE, PAGED, Routes
from orlop.controller.api.views import pools as view
from orlop.controller.usecases import forgetting, lookup, physical_storage, pools
from orlop.model import StoragePoolDefinition

route = Routes("storage pools", Subject.STOR_POOL)
FILTERS = {"nodes": list, "storage_pools": list, "props": list, "cached": bool, **PAGED}
POOLS = tuple[wire.StoragePool, ...]
MISSING = frozenset({Fail.NOT_FOUND_NODE, Fail.NOT_FOUND_STOR_POOL})
DEFINITION = Subject.STOR_POOL_DFN


def _matching(call: Call, nodes: frozenset[str]) -> list[wire.StoragePool]:
    """`cached` means nothing here: capacities come from reports, no list ever asks a satellite."""
    names = call.query.keys("storage_pools")
    found = [
        pool
        for (node, name), pool in sorted(call.core.picture.pools.items())
        if (not nodes or node in nodes) and (not names or name in names) and call.query.matches(pool.props.items())
    ]
    return [view.pool(call.core.drivers, call.core.reported, pool) for pool in call.query.page(found)]


@route("GET", "/v1/view/storage-pools", answer=POOLS, query=FILTERS)
def viewed(call: Call) -> list[wire.StoragePool]:
    return _matching(call, call.query.keys("nodes"))


@route("GET", "/v1/nodes/{node}/storage-pools", answer=POOLS, query=FILTERS)
def listed(call: Call, node: str) -> list[wire.StoragePool]:
    return _matching(call, frozenset({lookup.node(call.core.picture, node).name.lower()}))


@route("POST", "/v1/nodes/{node}/storage-pools", body=wire.StoragePool, status=201)
def create(call: Call, node: str) -> Answers:
    return pools.create(call.core, node, call.body)


@route("GET", "/v1/nodes/{node}/storage-pools/{storagepool}", answer=wire.StoragePool)
def shown(call: Call, node: str, storagepool: str) -> wire.StoragePool:
    found = lookup.pool(call.core.picture, node, storagepool)
    return view.pool(call.core.drivers, call.core.reported, found)


@route("PUT", "/v1/nodes/{node}/storage-pools/{storagepool}", body=wire.StoragePoolDefinitionModify)
def modify(call: Call, node: str, storagepool: str) -> Answers:
    return pools.modify(call.core, node, storagepool, call.body)


@route("DELETE", "/v1/nodes/{node}/storage-pools/{storagepool}", absent=MISSING)
def delete(call: Call, node: str, storagepool: str) -> Answers:
    return pools.delete(call.core, node, storagepool)


@route("DELETE", "/v1/nodes/{node}/storage-pools/{storagepool}/lost", absent=MISSING)
def lost(call: Call, node: str, storagepool: str) -> Answers:
    return forgetting.pool_lost(call.core, node, storagepool)


def _definition(found: StoragePoolDefinition) -> wire.StoragePoolDefinition:
    return wire.StoragePoolDefinition(storage_pool_name=found.name, props=found.props)


@route("GET", "/v1/storage-pool-definitions", answer=tuple[wire.StoragePoolDefinition, ...], query=PAGED)
def definitions(call: Call) -> list[wire.StoragePoolDefinition]:
    found = [found for _, found in sorted(call.core.picture.pool_definitions.items())]
    return [_definition(definition) for definition in call.query.page(found)]


@route(
    "POST", "/v1/storage-pool-definitions", body=wire.StoragePoolDefinition, status=201, about=DEFINITION, waits=False
)
def create_definition(call: Call) -> Answers:
    return pools.create_definition(call.core, call.body)


@route("GET", "/v1/storage-pool-definitions/{storagepool}", answer=wire.StoragePoolDefinition, about=DEFINITION)
def definition(call: Call, storagepool: str) -> wire.StoragePoolDefinition:
    return _definition(lookup.pool_definition(call.core.picture, storagepool))


@route("PUT", "/v1/storage-pool-definitions/{storagepool}", body=wire.StoragePoolDefinitionModify, about=DEFINITION)
def modify_definition(call: Call, storagepool: str) -> Answers:
    return pools.modify_definition(call.core, storagepool, call.body)


@route(
    "DELETE",
    "/v1/storage-pool-definitions/{storagepool}",
    about=DEFINITION,
    absent=frozenset({Fail.NOT_FOUND_STOR_POOL_DFN}),
)
def delete_definition(call: Call, storagepool: str) -> Answers:
    return pools.delete_definition(call.core, storagepool)


@route("GET", "/v1/physical-storage", answer=tuple[wire.PhysicalStorage, ...], query=PAGED, waits=True)
def devices(call: Call) -> list[wire.PhysicalStorage]:
    return call.query.page(physical_storage.alike(call.core))


@route("GET", "/v1/physical-storage/{node}", answer=tuple[wire.PhysicalStorageNode, ...], waits=True)
def devices_of(call: Call, node: str) -> list[wire.PhysicalStorageNode]:
    return physical_storage.devices(call.core, node)


@route(
    "POST",
    "/v1/physical-storage/{node}",
    body=wire.PhysicalStorageCreate,
    status=201,
    about=Subject.PHYSICAL_DEVICE,
    unplanned=AT_ONCE,
)
def create_on_devices(call: Call, node: str) -> Answers:
    return physical_storage.create(call.core, node, call.body)


@route(
    "DELETE",
    "/v1/orlop/physical-storage/{node}/{storagepool}",
    about=Subject.PHYSICAL_DEVICE,
    absent=MISSING,
    unplanned=AT_ONCE,
    waits=True,
)
def take_apart(call: Call, node: str, storagepool: str) -> Answers:
    """Delete an empty pool, take apart the backing that was made for it, and wipe its devices."""
    return physical_storage.remove(call.core, node, storagepool)


@route(
    "DELETE",
    "/v1/orlop/physical-storage/{node}",
    query={"provider_kind": str, "pool_name": str},
    about=Subject.PHYSICAL_DEVICE,
    unplanned=AT_ONCE,
    waits=True,
)
def take_backing_apart(call: Call, node: str) -> Answers:
    """The same for a backing that is no storage pool (any more)."""
    query = call.query
    return physical_storage.remove_backing(call.core, node, query.text("provider_kind"), query.text("pool_name"))
