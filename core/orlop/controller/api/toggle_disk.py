"""Routes that add or remove the disk of a resource: the unified one, and the older spellings clients still use."""

from __future__ import annotations

from orlop.codes import Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import Routes
from orlop.controller.usecases import toggling
from orlop.controller.usecases.toggling import DISKFUL, DISKLESS

route = Routes("resources", Subject.RSC)
RESOURCE = "/v1/resource-definitions/{resource}/resources/{node}"
TOGGLE = f"{RESOURCE}/toggle-disk"
MIGRATE = f"{RESOURCE}/migrate-disk/{{fromnode}}"


@route("PUT", TOGGLE, body=wire.ToggleDiskRequest)
def toggle(call: Call, resource: str, node: str) -> Answers:
    return toggling.toggle_disk(call.core, resource, node, call.body)


@route("PUT", f"{TOGGLE}/diskless")
def diskless(call: Call, resource: str, node: str) -> Answers:
    return toggling.toggle_disk(call.core, resource, node, wire.ToggleDiskRequest(operation=DISKLESS))


@route("PUT", f"{TOGGLE}/diskless/{{disklesspool}}")
def diskless_in(call: Call, resource: str, node: str, disklesspool: str) -> Answers:
    request = wire.ToggleDiskRequest(operation=DISKLESS, storage_pool=disklesspool)
    return toggling.toggle_disk(call.core, resource, node, request)


@route("PUT", f"{TOGGLE}/diskful", body=wire.ToggleDiskDiskful)
def diskful(call: Call, resource: str, node: str) -> Answers:
    request = wire.ToggleDiskRequest(operation=DISKFUL, layer_list=call.body.layer_list)
    return toggling.toggle_disk(call.core, resource, node, request)


@route("PUT", f"{TOGGLE}/diskful/{{storagepool}}", body=wire.ToggleDiskDiskful)
def diskful_in(call: Call, resource: str, node: str, storagepool: str) -> Answers:
    request = wire.ToggleDiskRequest(operation=DISKFUL, storage_pool=storagepool, layer_list=call.body.layer_list)
    return toggling.toggle_disk(call.core, resource, node, request)


@route("PUT", MIGRATE, body=wire.ToggleDiskDiskful)
def migrate(call: Call, resource: str, node: str, fromnode: str) -> Answers:
    request = wire.ToggleDiskRequest(operation=DISKFUL, migrate_from=fromnode, layer_list=call.body.layer_list)
    return toggling.toggle_disk(call.core, resource, node, request)


@route("PUT", f"{MIGRATE}/{{storagepool}}", body=wire.ToggleDiskDiskful)
def migrate_into(call: Call, resource: str, node: str, fromnode: str, storagepool: str) -> Answers:
    request = wire.ToggleDiskRequest(
        operation=DISKFUL, storage_pool=storagepool, migrate_from=fromnode, layer_list=call.body.layer_list
    )
    return toggling.toggle_disk(call.core, resource, node, request)
