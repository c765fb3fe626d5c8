"""Routes of snapshots."""

from __future__ import annotations

from orlop.codes import Fail, Subject
from orlop.controller import wire
from orlop.controller.answers import Answers
from orlop.controller.api.requests import Call
from orlop.controller.api.routes import PAGED, Routes
from orlop.controller.api.views import snapshots as view
from orlop.controller.usecases import lookup, restoring, rolling_back, snapshots

route = Routes("snapshots", Subject.SNAPSHOT)
DEFINITION = "/v1/resource-definitions/{resource}"
LIST = f"{DEFINITION}/snapshots"
ONE = f"{LIST}/{{snapshot}}"
MISSING = frozenset({Fail.NOT_FOUND_RSC_DFN, Fail.NOT_FOUND_SNAPSHOT, Fail.NOT_FOUND_SNAPSHOT_DFN})
SNAPSHOTS = tuple[wire.Snapshot, ...]


@route("GET", "/v1/view/snapshots", answer=SNAPSHOTS, query={"nodes": list, "resources": list, **PAGED})
def viewed(call: Call) -> list[wire.Snapshot]:
    picture = call.core.picture
    found = list(view.matching(picture, call.query.keys("resources"), call.query.keys("nodes")))
    return [
        view.snapshot(call.core.reported, picture.definitions[name], wanted) for name, wanted in call.query.page(found)
    ]


@route("GET", LIST, answer=SNAPSHOTS, query=PAGED)
def listed(call: Call, resource: str) -> list[wire.Snapshot]:
    of = lookup.definition(call.core.picture, resource)
    return call.query.page(view.of_definition(call.core.reported, of))


@route("POST", LIST, body=wire.Snapshot, status=201)
def create(call: Call, resource: str) -> Answers:
    return snapshots.create(call.core, resource, call.body)


@route("POST", "/v1/actions/snapshot/multi", body=wire.CreateMultiSnapshotRequest, status=201)
def create_many(call: Call) -> Answers:
    return snapshots.create_many(call.core, call.body)


@route("GET", ONE, answer=wire.Snapshot)
def shown(call: Call, resource: str, snapshot: str) -> wire.Snapshot:
    of = lookup.definition(call.core.picture, resource)
    return view.snapshot(call.core.reported, of, lookup.snapshot(of, snapshot))


@route("PUT", ONE, body=wire.SnapshotModify)
def modify(call: Call, resource: str, snapshot: str) -> Answers:
    return snapshots.modify(call.core, resource, snapshot, call.body)


@route("DELETE", ONE, query={"nodes": list}, absent=MISSING)
def delete(call: Call, resource: str, snapshot: str) -> Answers:
    return snapshots.delete(call.core, resource, snapshot, tuple(call.query.texts("nodes")))


@route("POST", f"{DEFINITION}/snapshot-restore-resource/{{snapshot}}", body=wire.SnapshotRestore)
def restore_resource(call: Call, resource: str, snapshot: str) -> Answers:
    return restoring.restore_resource(call.core, resource, snapshot, call.body)


@route("POST", f"{DEFINITION}/snapshot-restore-volume-definition/{{snapshot}}", body=wire.SnapshotRestore)
def restore_volume_definitions(call: Call, resource: str, snapshot: str) -> Answers:
    return restoring.restore_volume_definitions(call.core, resource, snapshot, call.body)


@route("POST", f"{DEFINITION}/snapshot-rollback/{{snapshot}}", body=wire.SnapshotRollback)
def rollback(call: Call, resource: str, snapshot: str) -> Answers:
    return rolling_back.rollback(call.core, resource, snapshot, call.body)
