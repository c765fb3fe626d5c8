"""What makes no sense is refused with the right status and code, in an envelope, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.compatibility.controller import Controller

RD = "/v1/resource-definitions"
RG = "/v1/resource-groups"
PARSE_ERROR = -3458764513820540931
NODE = {"name": "delta", "type": "satellite", "net_interfaces": [{"name": "default", "address": "10.0.0.4"}]}


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """With a group, a resource on two nodes, a snapshot of it and a definition without volumes."""
    made = Controller(tmp_path_factory.mktemp("reports"))
    made.add_nodes()
    made.add_group("group", "web")
    assert made.request("POST", f"{RD}/web/snapshots", {"name": "snap"}).status == 201
    assert made.request("POST", RD, {"resource_definition": {"name": "bare"}}).status == 201
    yield made
    made.close()


def refused(controller: Controller, method: str, path: str, body: Any, status: int, code: int) -> None:
    before = controller.cluster.core.picture
    answer = controller.request(method, path, body)
    assert (answer.status, answer.codes[0]) == (status, code), answer.body
    assert answer.body[0]["ret_code"] < 0
    assert answer.body[0]["message"]
    assert answer.headers["Content-Type"] == "application/json"
    assert controller.cluster.core.picture is before


def node(**changes: Any) -> dict[str, Any]:
    return NODE | changes


def interface(**changes: Any) -> dict[str, Any]:
    return node(net_interfaces=[{"name": "default", "address": "10.0.0.4"} | changes])


def definition(**members: Any) -> dict[str, Any]:
    return {"resource_definition": members}


def volume(**members: Any) -> dict[str, Any]:
    return {"volume_definition": members}


def pool(**changes: Any) -> dict[str, Any]:
    return {
        "storage_pool_name": "new",
        "provider_kind": "FILE_THIN",
        "props": {"StorDriver/StorPoolName": "/srv/new"},
    } | changes


def on(node_name: str, **members: Any) -> list[dict[str, Any]]:
    return [{"resource": {"node_name": node_name} | members}]


NAMES = [
    ("POST", "/v1/nodes", node(name=""), 500, 200),
    ("POST", "/v1/nodes", node(name="a" * 300), 500, 200),
    ("POST", "/v1/nodes", node(name="../etc"), 500, 200),
    ("POST", "/v1/nodes", node(name="under_score"), 500, 200),
    ("POST", RD, definition(name="a"), 500, 202),
    ("POST", RD, definition(name="x" * 49), 500, 202),
    ("POST", RD, definition(name="../../etc/passwd"), 500, 202),
    ("POST", RD, definition(name="with space"), 500, 202),
    ("POST", RD, definition(name="9digits"), 500, 202),
    ("POST", RD, definition(name="new\nline"), 500, 202),
    ("POST", RD, definition(name="nul\x00byte"), 500, 202),
    ("POST", RD, definition(name="büro"), 500, 202),
    ("POST", RD, definition(name="web.0"), 500, 202),
    ("POST", RD, definition(), 500, 202),
    ("POST", f"{RD}/web/snapshots", {"name": "no way"}, 500, 218),
    ("POST", f"{RD}/web/snapshots", {"name": ""}, 500, 218),
    ("POST", RG, {"name": "no way"}, 500, 237),
    ("POST", RG, {"name": ""}, 500, 237),
    ("POST", "/v1/nodes/alpha/storage-pools", pool(storage_pool_name="no way"), 500, 208),
    ("POST", "/v1/nodes/alpha/net-interfaces", {"name": "no way", "address": "10.0.0.1"}, 500, 209),
    ("PUT", "/v1/key-value-store/no%20way%2F..", {"override_props": {"a": "b"}}, 500, 223),
]

VALUES = [
    ("POST", "/v1/nodes", node(type="mainframe"), 500, 201),
    ("POST", "/v1/nodes", node(net_interfaces=[]), 500, 603),
    ("POST", "/v1/nodes", interface(address="not an address"), 500, 210),
    ("POST", "/v1/nodes", interface(satellite_port=0), 500, 211),
    ("POST", "/v1/nodes", interface(satellite_port=70000), 500, 211),
    ("POST", "/v1/nodes", interface(satellite_port=3366, satellite_encryption_type="rot13"), 500, 217),
    ("POST", "/v1/nodes", node(props={"NoSuchKey": "x"}), 500, 213),
    ("POST", "/v1/nodes/alpha/storage-pools", pool(provider_kind="FLOPPY"), 500, 227),
    ("POST", "/v1/nodes/alpha/storage-pools", pool(provider_kind="SPDK"), 500, 227),
    ("POST", "/v1/nodes/alpha/storage-pools", pool(props={}), 500, 213),
    ("POST", "/v1/nodes/alpha/storage-pools", pool(props={"StorDriver/StorPoolName": "a/b"}), 500, 213),
    ("POST", f"{RD}/bare/volume-definitions", volume(size_kib=0), 500, 206),
    ("POST", f"{RD}/bare/volume-definitions", volume(size_kib=-4096), 500, 206),
    ("POST", f"{RD}/bare/volume-definitions", volume(size_kib=1 << 50), 500, 206),
    ("POST", f"{RD}/bare/volume-definitions", volume(size_kib=4096, volume_number=-1), 500, 205),
    ("POST", f"{RD}/bare/volume-definitions", volume(size_kib=4096, volume_number=70000), 500, 205),
    ("POST", f"{RD}/web/volume-definitions", volume(size_kib=4096, flags=["ENCRYPTED"]), 500, 225),
    ("POST", f"{RD}/web/volume-definitions", volume(size_kib=4096) | {"passphrase": "secret"}, 500, 225),
    ("POST", f"{RD}/bare/volume-definitions", volume(size_kib=4096) | {"passphrase": "secret"}, 404, 312),
    ("PUT", f"{RD}/web/volume-definitions/0/encryption-passphrase", {"new_passphrase": "secret"}, 500, 225),
    ("POST", "/v1/encryption/passphrase", {"new_passphrase": ""}, 500, 216),
    ("POST", "/v1/encryption/passphrase", {"new_passphrase": "two\nlines"}, 500, 216),
    ("PATCH", "/v1/encryption/passphrase", "secret", 404, 312),
    ("PUT", "/v1/encryption/passphrase", {"old_passphrase": "a", "new_passphrase": "b"}, 404, 312),
    ("POST", RD, definition(name="fresh", layer_data=[{"type": "STORAGE"}, {"type": "LUKS"}]), 500, 225),
    ("PUT", f"{RD}/web/volume-definitions/0", {"flags": ["ENCRYPTED"]}, 500, 225),
    ("PUT", f"{RD}/web/volume-definitions/0", {"size_kib": 4096}, 500, 206),
    ("PUT", f"{RD}/web/volume-definitions/0", {"override_props": {"NoSuchKey": "x"}}, 500, 213),
    ("POST", RD, definition(name="fresh", layer_data=[{"type": "BCACHE"}, {"type": "STORAGE"}]), 500, 224),
    ("POST", RD, definition(name="fresh", layer_data=[{"type": "STORAGE"}, {"type": "STORAGE"}]), 500, 225),
    ("POST", RD, definition(name="fresh", props={"NoSuchKey": "x"}), 500, 213),
    ("POST", f"{RD}/web/resources", [], 500, 234),
    ("POST", f"{RD}/web/resources", [{"resource": {}}], 500, 200),
    ("POST", f"{RD}/web/resources", on("charlie", flags=["DRBD_DISKLESS"]), 500, 225),
    ("POST", f"{RD}/bare/autoplace", {"select_filter": {"place_count": -1}}, 500, 219),
    ("POST", f"{RD}/web/autoplace", {"select_filter": {"place_count": 99}}, 500, 996),
    ("POST", f"{RD}/web/autoplace", {"layer_list": ["BCACHE"], "select_filter": {"place_count": 3}}, 500, 224),
    ("POST", f"{RG}/group/spawn", {"resource_definition_name": "fresh", "volume_sizes": [1 << 39]}, 500, 996),
    ("POST", f"{RG}/group/spawn", {"resource_definition_name": "fresh", "volume_sizes": []}, 500, 228),
    ("POST", f"{RG}/group/spawn", {"resource_definition_name": "fresh", "volume_sizes": [1, 2]}, 500, 228),
    ("POST", f"{RG}/group/spawn", {"resource_definition_name": "no way", "volume_sizes": [4096]}, 500, 202),
    (
        "POST",
        f"{RG}/group/spawn",
        {"resource_definition_name": "fresh", "volume_sizes": [4096], "volume_passphrases": ["secret"]},
        404,
        312,
    ),
    ("POST", "/v1/controller/properties", {"override_props": {"NoSuchKey": "x"}}, 500, 213),
    ("POST", "/v1/controller/properties", {"override_props": {"Aux/good": "1", "NoSuchKey": "x"}}, 500, 213),
]

UNKNOWN = [
    ("GET", "/v1/nodes/nobody", None, 404, 300),
    ("PUT", "/v1/nodes/nobody", {}, 404, 300),
    ("PUT", "/v1/nodes/nobody/evacuate", None, 404, 300),
    ("POST", "/v1/nodes/nobody/storage-pools", pool(), 404, 300),
    ("GET", "/v1/nodes/alpha/net-interfaces/none", None, 404, 305),
    ("PUT", "/v1/node-connections/alpha/nobody", {"override_props": {"Aux/a": "b"}}, 404, 300),
    ("GET", "/v1/nodes/alpha/storage-pools/none", None, 404, 310),
    ("PUT", "/v1/nodes/alpha/storage-pools/none", {}, 404, 310),
    ("GET", "/v1/storage-pool-definitions/none", None, 404, 309),
    ("GET", f"{RD}/none", None, 404, 301),
    ("PUT", f"{RD}/none", {}, 404, 301),
    ("POST", f"{RD}/none/volume-definitions", volume(size_kib=4096), 404, 301),
    ("GET", f"{RD}/web/volume-definitions/9", None, 404, 303),
    ("PUT", f"{RD}/web/volume-definitions/9", {"size_kib": 131072}, 404, 303),
    ("POST", f"{RD}/none/resources", on("alpha"), 404, 301),
    ("POST", f"{RD}/web/resources", on("nobody"), 404, 300),
    ("POST", f"{RD}/web/resources", on("charlie", props={"StorPoolName": "none"}), 404, 310),
    ("GET", f"{RD}/web/resources/charlie", None, 404, 302),
    ("PUT", f"{RD}/web/resources/charlie", {}, 404, 302),
    ("POST", f"{RD}/web/resources/charlie/activate", None, 404, 302),
    ("GET", f"{RD}/web/resources/alpha/volumes/9", None, 404, 304),
    ("PUT", f"{RD}/web/resource-connections/alpha/charlie", {"override_props": {"Aux/a": "b"}}, 404, 302),
    ("POST", f"{RD}/none/autoplace", {}, 404, 301),
    ("POST", f"{RD}/none/snapshots", {"name": "snap"}, 404, 301),
    ("POST", f"{RD}/web/snapshots", {"name": "other", "nodes": ["charlie"]}, 404, 302),
    ("GET", f"{RD}/web/snapshots/none", None, 404, 315),
    ("POST", f"{RD}/web/snapshot-rollback/none", None, 404, 315),
    ("POST", f"{RD}/web/snapshot-restore-resource/none", {"to_resource": "bare"}, 404, 315),
    ("POST", f"{RD}/web/snapshot-restore-resource/snap", {"to_resource": "none"}, 404, 301),
    ("POST", f"{RD}/web/snapshot-restore-volume-definition/snap", {"to_resource": "none"}, 404, 301),
    ("POST", "/v1/actions/snapshot/multi", {"snapshots": [{"name": "x1", "resource_name": "none"}]}, 404, 301),
    ("GET", f"{RG}/none", None, 404, 317),
    ("PUT", f"{RG}/none", {}, 404, 317),
    ("POST", f"{RG}/none/spawn", {"resource_definition_name": "fresh", "volume_sizes": [4096]}, 404, 317),
    ("GET", f"{RG}/group/volume-groups/9", None, 404, 318),
    ("POST", f"{RG}/none/query-size-info", {}, 404, 317),
    ("POST", RD, definition(name="fresh", resource_group_name="none"), 404, 317),
    ("GET", "/v1/key-value-store/none", None, 404, 316),
]

DUPLICATES = [
    ("POST", "/v1/nodes", node(name="alpha"), 500, 500),
    ("POST", "/v1/nodes", node(name="ALPHA"), 500, 500),
    ("POST", "/v1/nodes/alpha/net-interfaces", {"name": "default", "address": "10.0.0.1"}, 500, 505),
    ("POST", "/v1/nodes/alpha/storage-pools", pool(storage_pool_name="POOL1"), 500, 510),
    ("POST", "/v1/storage-pool-definitions", {"storage_pool_name": "pool1"}, 500, 509),
    ("POST", RD, definition(name="WEB"), 500, 501),
    ("POST", f"{RD}/web/volume-definitions", volume(size_kib=4096, volume_number=0), 500, 503),
    ("POST", f"{RD}/web/resources", on("alpha"), 500, 502),
    ("POST", f"{RD}/bare/resources", on("alpha") + on("alpha"), 500, 502),
    ("POST", f"{RD}/web/snapshots", {"name": "SNAP"}, 500, 514),
    ("POST", RG, {"name": "GROUP"}, 500, 522),
    ("POST", f"{RG}/group/volume-groups", {"volume_number": 0}, 500, 523),
    ("POST", f"{RG}/group/spawn", {"resource_definition_name": "web", "volume_sizes": [4096]}, 500, 501),
]

WRONG_ORDER = [
    ("DELETE", f"{RD}/web", None, 500, 514),
    ("DELETE", f"{RG}/group", None, 500, 501),
    ("DELETE", f"{RG}/DfltRscGrp", None, 500, 237),
    ("DELETE", "/v1/nodes/alpha/storage-pools/pool1", None, 500, 997),
    ("DELETE", "/v1/nodes/alpha/storage-pools/DfltDisklessStorPool", None, 500, 208),
    ("DELETE", "/v1/storage-pool-definitions/pool1", None, 500, 997),
    ("DELETE", "/v1/nodes/alpha", None, 500, 233),
    ("DELETE", "/v1/nodes/alpha/lost", None, 500, 506),
    ("DELETE", "/v1/nodes/alpha/net-interfaces/default", None, 500, 605),
    ("POST", f"{RD}/bare/snapshots", {"name": "other"}, 404, 302),
    ("POST", f"{RD}/web/snapshot-restore-resource/snap", {"to_resource": "web"}, 500, 502),
    ("POST", f"{RD}/web/snapshot-restore-volume-definition/snap", {"to_resource": "web"}, 500, 503),
    ("POST", f"{RD}/web/resources/charlie/make-available", None, 500, 225),
    ("PUT", f"{RD}/web", {"layer_stack": ["LUKS", "STORAGE"]}, 500, 225),
    ("PUT", f"{RD}/web/resources/alpha/toggle-disk/diskless", None, 500, 225),
    ("PUT", f"{RD}/web/drbd-proxy", {}, 500, 225),
    ("PUT", "/v1/nodes/alpha", {"node_type": "AUXILIARY"}, 500, 221),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), NAMES)
def test_a_bad_name_is_refused(
    controller: Controller, method: str, path: str, body: Any, status: int, code: int
) -> None:
    refused(controller, method, path, body, status, code)


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), VALUES)
def test_a_bad_value_is_refused(
    controller: Controller, method: str, path: str, body: Any, status: int, code: int
) -> None:
    refused(controller, method, path, body, status, code)


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), UNKNOWN)
def test_what_does_not_exist_is_not_found(
    controller: Controller, method: str, path: str, body: Any, status: int, code: int
) -> None:
    refused(controller, method, path, body, status, code)


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), DUPLICATES)
def test_what_exists_is_not_made_again(
    controller: Controller, method: str, path: str, body: Any, status: int, code: int
) -> None:
    refused(controller, method, path, body, status, code)


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), WRONG_ORDER)
def test_what_is_out_of_order_is_refused(
    controller: Controller, method: str, path: str, body: Any, status: int, code: int
) -> None:
    refused(controller, method, path, body, status, code)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/nodes", b"{"),
        ("/v1/nodes", b"\xff\xfe"),
        ("/v1/nodes", b"[]"),
        ("/v1/nodes", b'"text"'),
        ("/v1/nodes", b"{}"),
        ("/v1/nodes", b'{"name": {"a": 1}, "type": "satellite"}'),
        (RD, b"{}"),
        (RD, b'{"resource_definition": []}'),
        (RD, b'{"resource_definition": {"name": ["a"]}}'),
        (f"{RD}/web/resources", b"{}"),
        (f"{RD}/bare/volume-definitions", b"{}"),
        (f"{RD}/bare/volume-definitions", b'{"volume_definition": {}}'),
        (f"{RD}/bare/volume-definitions", b'{"volume_definition": {"size_kib": "many"}}'),
        (f"{RD}/bare/volume-definitions", b'{"volume_definition": {"size_kib": 4096.5}}'),
        (f"{RD}/bare/volume-definitions", b'{"volume_definition": {"size_kib": 1e400}}'),
        (f"{RD}/bare/autoplace", b'{"select_filter": {"place_count": "two"}}'),
        (f"{RG}/group/spawn", b'{"volume_sizes": "4096"}'),
        ("/v1/controller/properties", b'{"override_props": {"Aux/a": {"b": "c"}}}'),
        ("/v1/controller/properties", b'{"override_props": {"Aux/a": ["b"]}}'),
        ("/v1/controller/properties", b"[" * 100_000),
    ],
)
def test_a_body_that_cannot_be_understood_is_a_bad_request(controller: Controller, path: str, body: bytes) -> None:
    before = controller.cluster.core.picture
    answer = controller.request("POST", path, body)
    assert answer.status == 400
    assert answer.body[0]["ret_code"] == PARSE_ERROR
    assert "error_report_ids" not in answer.body[0]
    assert controller.cluster.core.picture is before


def test_a_query_that_cannot_be_understood_is_a_bad_request(controller: Controller) -> None:
    assert controller.request("GET", "/v1/nodes?limit=many").status == 400


def test_a_body_without_measure_is_refused(controller: Controller) -> None:
    answer = controller.request("POST", "/v1/nodes", b" " * (9 << 20))
    assert answer.status == 413
    assert answer.body[0]["ret_code"] < 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/nothing", 404),
        ("GET", "/v2/nodes", 404),
        ("GET", "/v1/nodes/alpha/../../etc", 404),
        ("GET", f"{RD}/web/volume-definitions/zero", 404),
        ("PATCH", "/v1/nodes", 405),
        ("DELETE", "/v1/controller/version", 405),
    ],
)
def test_what_is_no_route_is_told_in_an_envelope(controller: Controller, method: str, path: str, status: int) -> None:
    answer = controller.request(method, path)
    assert answer.status == status
    assert answer.codes == [998]
    assert answer.body[0]["ret_code"] == -4611686018427386906


def test_nothing_that_clients_do_wrong_writes_an_error_report(controller: Controller) -> None:
    controller.request("POST", "/v1/nodes", b"{")
    controller.request("POST", "/v1/nodes/alpha/storage-pools", pool(provider_kind="SPDK"))
    assert controller.request("GET", "/v1/error-reports").body == []
