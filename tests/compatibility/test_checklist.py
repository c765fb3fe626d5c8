"""What breaks existing clients when it is done differently: one test each."""

from __future__ import annotations

import gzip
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.compatibility.controller import Controller

RD = "/v1/resource-definitions"
RG = "/v1/resource-groups"
INT64 = range(-(1 << 63), 1 << 63)


@pytest.fixture(scope="module")
def controller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    made = Controller(tmp_path_factory.mktemp("reports"))
    made.add_nodes()
    made.add_group("group", "web")
    yield made
    made.close()


# -- keys that clients read without asking whether they are there ---------------------------------------------


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("/v1/nodes", {"name", "type", "net_interfaces", "connection_status", "uuid"}),
        ("/v1/nodes/alpha/net-interfaces", {"name", "address"}),
        ("/v1/view/storage-pools", {"storage_pool_name", "node_name", "provider_kind", "uuid"}),
        ("/v1/nodes/alpha/storage-pools", {"storage_pool_name", "node_name", "provider_kind"}),
        (RD, {"name", "uuid", "resource_group_name"}),
        (f"{RD}/web/volume-definitions", {"volume_number", "size_kib"}),
        ("/v1/view/resources", {"name", "node_name", "volumes", "layer_object"}),
        (f"{RD}/web/resources", {"name", "node_name"}),
        (f"{RD}/web/resources/alpha/volumes", {"volume_number", "provider_kind", "device_path"}),
        (RG, {"name", "select_filter"}),
        (f"{RG}/group/volume-groups", {"volume_number"}),
    ],
)
def test_every_member_of_a_list_has_the_keys_that_clients_read(
    controller: Controller, path: str, keys: set[str]
) -> None:
    members = controller.request("GET", path).body
    assert members
    assert all(keys <= member.keys() for member in members)


def test_snapshots_have_the_keys_that_clients_read(controller: Controller) -> None:
    assert controller.request("POST", f"{RD}/web/snapshots", {"name": "keys"}).status == 201
    (snapshot,) = controller.request("GET", "/v1/view/snapshots").body
    assert snapshot["name"] == "keys"
    assert snapshot["resource_name"] == "web"
    assert snapshot["flags"] == ["SUCCESSFUL"]
    assert {part["node_name"] for part in snapshot["snapshots"]} == {"alpha", "bravo"}
    assert all(isinstance(part["create_timestamp"], int) for part in snapshot["snapshots"])
    assert snapshot["volume_definitions"] == [{"volume_number": 0, "size_kib": 65536}]
    assert controller.request("DELETE", f"{RD}/web/snapshots/keys").status == 200


def test_sizes_that_can_be_placed_have_the_keys_that_clients_read(controller: Controller) -> None:
    answer = controller.request("OPTIONS", "/v1/query-max-volume-size", {"place_count": "2"})
    assert answer.status == 200
    (candidate,) = answer.body["candidates"]
    assert {"storage_pool", "max_volume_size_kib", "all_thin"} <= candidate.keys()
    assert answer.body["default_max_oversubscription_ratio"] == 20


def test_the_version_is_one_that_clients_take(controller: Controller) -> None:
    version = controller.request("GET", "/v1/controller/version").body
    assert version.keys() == {"version", "git_hash", "build_time", "rest_api_version"}
    major, *rest = map(int, version["rest_api_version"].split("."))
    assert major == 1
    assert tuple(rest) >= (0, 4)
    assert len(rest) == 2


# -- the envelope ---------------------------------------------------------------------------------------------

COMMANDS: list[tuple[str, str, Any, int]] = [
    ("POST", "/v1/controller/properties", {"override_props": {"Aux/a": "b"}}, 201),
    ("DELETE", "/v1/controller/properties/Aux%2Fa", None, 200),
    ("POST", RD, {"resource_definition": {"name": "made", "resource_group_name": "group"}}, 201),
    ("PUT", f"{RD}/made", {}, 200),
    ("POST", f"{RD}/made/volume-definitions", {"volume_definition": {"size_kib": 4096}}, 201),
    ("PUT", f"{RD}/made/volume-definitions/0", {"size_kib": 8192}, 200),
    ("POST", f"{RD}/made/resources", [{"resource": {"node_name": "alpha", "props": {"StorPoolName": "pool1"}}}], 201),
    ("POST", f"{RD}/made/resources/bravo", {"resource": {"props": {"StorPoolName": "pool1"}}}, 201),
    ("POST", f"{RD}/made/autoplace", {}, 201),
    ("POST", f"{RD}/made/resources/alpha/make-available", None, 200),
    ("POST", f"{RD}/made/resources/alpha/deactivate", None, 200),
    ("POST", f"{RD}/made/resources/alpha/activate", None, 200),
    ("POST", f"{RD}/made/snapshots", {"name": "snap"}, 201),
    ("POST", "/v1/actions/snapshot/multi", {"snapshots": [{"name": "multi", "resource_name": "made"}]}, 201),
    ("POST", f"{RD}/made/snapshot-rollback/multi", None, 200),
    ("POST", RD, {"resource_definition": {"name": "copy"}}, 201),
    ("POST", f"{RD}/made/snapshot-restore-volume-definition/snap", {"to_resource": "copy"}, 200),
    ("POST", f"{RD}/made/snapshot-restore-resource/snap", {"to_resource": "copy"}, 200),
    ("DELETE", f"{RD}/made/snapshots/snap", None, 200),
    ("DELETE", f"{RD}/made/snapshots/multi", None, 200),
    ("DELETE", f"{RD}/copy", None, 200),
    ("DELETE", f"{RD}/made/resources/alpha?keep_tiebreaker=True", None, 200),
    ("DELETE", f"{RD}/made/volume-definitions/0", None, 200),
    ("DELETE", f"{RD}/made/resources?delete_empty_resource_definition=false", None, 200),
    ("PUT", "/v1/resource-definitions/web/resources/alpha/toggle-disk/diskful/pool1", None, 200),
    ("POST", f"{RD}/web/resources/alpha/unmake-available", None, 200),
    ("DELETE", f"{RD}/made", None, 200),
    ("POST", f"{RG}/group/spawn", {"resource_definition_name": "made", "volume_sizes": [4096]}, 201),
    ("DELETE", f"{RD}/made", None, 200),
    ("POST", f"{RG}/group/adjust", None, 200),
    ("POST", f"{RG}/adjustall", None, 200),
    ("PUT", f"{RG}/group", {}, 200),
    ("PUT", f"{RG}/group/volume-groups/0", {}, 200),
    ("PUT", "/v1/nodes/alpha", {}, 200),
    ("PUT", "/v1/nodes/alpha/reconnect", None, 200),
    ("PUT", "/v1/nodes/charlie/evacuate", None, 200),
    ("PUT", "/v1/nodes/charlie/restore", None, 200),
    ("PUT", "/v1/key-value-store/kv", {"override_props": {"a/b": "c"}}, 200),
    ("DELETE", "/v1/key-value-store/kv", None, 200),
    ("PATCH", "/v1/error-reports", {}, 200),
]


def test_every_command_answers_with_its_status_and_entries(controller: Controller) -> None:
    """Older Proxmox plugins compare the status with the exact text; golinstor decodes codes into 64 bits."""
    for method, path, body, status in COMMANDS:
        answer = controller.request(method, path, body)
        assert answer.status == status, (method, path, answer.body)
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.body, (method, path)
        for entry in answer.body:
            assert type(entry["ret_code"]) is int
            assert entry["ret_code"] in INT64
            assert entry["message"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/nodes/none",
        f"{RD}/none",
        f"{RD}/none/resources/alpha",
        f"{RD}/web/volume-definitions/7",
        f"{RD}/none/snapshots/none",
        "/v1/nodes/alpha/storage-pools/none",
        RG + "/none",
    ],
)
def test_deleting_what_is_not_there_is_a_warning(controller: Controller, path: str) -> None:
    answer = controller.request("DELETE", path)
    assert (answer.status, answer.codes) == (200, [3000])
    assert answer.body[0]["ret_code"] >> 62 & 3 == 2


def test_the_first_entry_names_the_definition_that_was_made(controller: Controller) -> None:
    answer = controller.request("POST", RD, {"resource_definition": {"external_name": "Büro / Schrank 1"}})
    name = answer.body[0]["obj_refs"]["RscDfn"]
    assert controller.request("GET", f"{RD}/{name}").body["external_name"] == "Büro / Schrank 1"
    assert controller.request("DELETE", f"{RD}/{name}").status == 200


def test_a_spawned_definition_is_named_in_the_answer(controller: Controller) -> None:
    body = {"resource_definition_external_name": "vm 1", "volume_sizes": [4096]}
    answer = controller.request("POST", f"{RG}/group/spawn", body)
    name = answer.body[0]["obj_refs"]["RscDfn"]
    assert controller.request("DELETE", f"{RD}/{name}").status == 200


# -- how clients spell requests -------------------------------------------------------------------------------


def test_single_objects_are_objects(controller: Controller) -> None:
    for path in (
        "/v1/nodes/alpha",
        "/v1/nodes/alpha/net-interfaces/default",
        "/v1/nodes/alpha/storage-pools/pool1",
        "/v1/storage-pool-definitions/pool1",
        f"{RD}/web",
        f"{RD}/web/volume-definitions/0",
        f"{RD}/web/resources/alpha",
        f"{RD}/web/resources/alpha/volumes/0",
        f"{RD}/web/resource-connections/alpha/bravo",
        f"{RG}/group",
        f"{RG}/group/volume-groups/0",
    ):
        answer = controller.request("GET", path)
        assert answer.status == 200
        assert isinstance(answer.body, dict), path


@pytest.mark.parametrize("path", ["/v1/nodes/", f"{RD}/", "/v1/physical-storage/", "/v1/error-reports/?since=0"])
def test_a_slash_at_the_end_does_not_matter(controller: Controller, path: str) -> None:
    assert controller.request("GET", path).status == 200


def test_a_slash_in_a_key_may_be_escaped_or_not(controller: Controller) -> None:
    for path in ("Aux%2Fescaped", "Aux/plain"):
        key = path.replace("%2F", "/")
        assert controller.request("POST", "/v1/controller/properties", {"override_props": {key: "1"}}).status == 201
        assert controller.request("DELETE", f"/v1/controller/properties/{path}").status == 200
        assert key not in controller.request("GET", "/v1/controller/properties").body


def test_numbers_as_texts_nulls_and_lower_case_are_taken(controller: Controller) -> None:
    body = {
        "name": "spelled",
        "select_filter": {
            "place_count": "2",
            "storage_pool": "POOL1",
            "layer_stack": ["storage"],
            "provider_list": ["file_thin"],
            "diskless_on_remaining": None,
            "not_place_with_rsc": None,
            "replicas_on_same": [],
        },
        "description": None,
        "no_such_member": {"whatever": 1},
    }
    assert controller.request("POST", RG, body).status == 201
    shown = controller.request("GET", f"{RG}/spelled").body["select_filter"]
    assert shown["place_count"] == 2
    assert shown["layer_stack"] == ["STORAGE"]
    assert shown["provider_list"] == ["FILE_THIN"]
    assert shown["storage_pool"] == shown["storage_pool_list"][0]
    spawn = {"resource_definition_name": "spelled", "volume_sizes": ["4096"], "definitions_only": "false"}
    assert controller.request("POST", f"{RG}/spelled/spawn", spawn).status == 201
    assert len(controller.request("GET", f"{RD}/spelled/resources").body) == 2
    assert controller.request("DELETE", f"{RD}/spelled").status == 200
    assert controller.request("DELETE", f"{RG}/spelled").status == 200


def test_an_empty_list_clears_a_filter_and_null_leaves_it(controller: Controller) -> None:
    made = {"place_count": 1, "storage_pool_list": ["pool1"], "replicas_on_same": ["Aux/site"]}
    assert controller.request("POST", RG, {"name": "filter", "select_filter": made}).status == 201
    for change in ({"replicas_on_same": [], "storage_pool_list": None}, {}, None):
        assert controller.request("PUT", f"{RG}/filter", {"select_filter": change}).status == 200
    left = controller.request("GET", f"{RG}/filter").body["select_filter"]
    assert left == {"place_count": 1, "storage_pool": "pool1", "storage_pool_list": ["pool1"]}
    assert controller.request("DELETE", f"{RG}/filter").status == 200


def test_the_older_spelling_of_a_folder_is_understood(controller: Controller) -> None:
    path = "/v1/nodes/charlie/storage-pools"
    body = {"storage_pool_name": "older", "provider_kind": "FILE", "props": {"StorDriver/FileDir": "/srv/older"}}
    assert controller.request("POST", path, body).status == 201
    assert controller.request("GET", f"{path}/older").body["props"] == {"StorDriver/StorPoolName": "/srv/older"}
    assert controller.request("DELETE", f"{path}/older").status == 200


def test_values_of_properties_may_be_numbers_and_booleans(controller: Controller) -> None:
    """Perl's encoder makes a number of what was used as one."""
    body = {"override_props": {"Aux/number": 100, "Aux/float": 1.5, "Aux/boolean": True, "Aux/null": None}}
    assert controller.request("PUT", f"{RD}/web", body).status == 200
    props = controller.request("GET", f"{RD}/web").body["props"]
    assert (props["Aux/number"], props["Aux/float"], props["Aux/boolean"]) == ("100", "1.5", "true")
    assert "Aux/null" not in props


@pytest.mark.parametrize("kind", ["", "application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_the_content_type_of_a_request_does_not_matter(controller: Controller, kind: str) -> None:
    headers = {"Content-Type": kind} if kind else {}
    body = {"override_props": {"Aux/kind": kind}}
    assert controller.request("PUT", f"{RD}/web", body, **headers).status == 200
    assert controller.request("GET", f"{RD}/web").body["props"].get("Aux/kind", "") == kind


def test_a_limit_of_zero_is_no_limit(controller: Controller) -> None:
    for path in ("/v1/nodes", "/v1/view/resources", "/v1/view/storage-pools", RD):
        whole = controller.request("GET", path).body
        assert whole
        assert controller.request("GET", f"{path}?limit=0&offset=0").body == whole
        assert controller.request("GET", f"{path}?limit=0&offset=1").body == whole
        assert controller.request("GET", f"{path}?limit=1&offset=0").body == whole[:1]


def test_unknown_names_in_a_filter_are_simply_not_found(controller: Controller) -> None:
    for path in (
        "/v1/nodes?nodes=none",
        "/v1/view/resources?resources=none",
        "/v1/view/storage-pools?storage_pools=none",
        "/v1/view/snapshots?resources=none",
        f"{RD}?resource_definitions=none",
        f"{RG}?resource_groups=none",
    ):
        answer = controller.request("GET", path)
        assert (answer.status, answer.body) == (200, [])


def test_names_are_found_in_any_case_and_shown_as_they_were_made(controller: Controller) -> None:
    assert controller.request("GET", f"{RD}/WEB").body["name"] == "web"
    assert [r["name"] for r in controller.request("GET", "/v1/view/resources?resources=WEB&nodes=ALPHA").body] == [
        "web"
    ]


def test_an_interface_said_to_be_inactive_keeps_the_connection(controller: Controller) -> None:
    """python-linstor says so of every interface that it changes."""
    path = "/v1/nodes/alpha/net-interfaces/default"
    body = {"name": "default", "address": "127.0.0.1", "satellite_encryption_type": "plain", "is_active": False}
    assert controller.request("PUT", path, body).status == 200
    assert controller.request("GET", path).body["is_active"] is True
    assert controller.request("GET", "/v1/nodes/alpha").body["connection_status"] == "ONLINE"


def test_the_device_is_there_when_the_answer_comes(controller: Controller) -> None:
    body = {"resource_definition_name": "ready", "volume_sizes": [4096, 8192], "partial": True}
    assert controller.request("POST", f"{RG}/group/spawn", body).status == 201
    for resource in controller.request("GET", "/v1/view/resources?resources=ready").body:
        for volume in resource["volumes"]:
            assert volume["device_path"] in controller.cluster.nodes[resource["node_name"]].host.disk.loops
    assert controller.request("DELETE", f"{RD}/ready").status == 200


def test_every_answer_may_be_read_by_a_page_from_elsewhere(controller: Controller) -> None:
    for path in ("/v1/nodes", "/v1/nodes/none", "/v1/nothing"):
        assert controller.request("GET", path).headers["Access-Control-Allow-Origin"] == "*"


def test_big_answers_are_compressed_for_who_can_read_that(controller: Controller) -> None:
    url = f"http://127.0.0.1:{controller.port}/v1/controller/properties/info/all"
    request = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(response.read()).startswith(b"{")


def test_a_connection_of_two_nodes_is_shown_even_without_properties(controller: Controller) -> None:
    """python-linstor takes the first of the list without looking."""
    path = "/v1/node-connections?node_a=bravo&node_b=alpha"
    assert controller.request("GET", path).body == [{"node_a": "alpha", "node_b": "bravo"}]
    assert controller.request("GET", "/v1/node-connections").body == []


def test_a_clone_may_be_larger_and_what_cannot_be_cloned_is_a_list_of_entries(controller: Controller) -> None:
    body = {"resource_definition_name": "image", "volume_sizes": [4096, 8192], "partial": True}
    assert controller.request("POST", f"{RG}/group/spawn", body).status == 201
    started = controller.request("POST", f"{RD}/image/clone", {"name": "copy", "volume_sizes": [8192, 0]})
    assert started.status == 201
    assert (started.body["source_name"], started.body["clone_name"]) == ("image", "copy")
    while (status := controller.request("GET", started.body["location"]).body) == {"status": "CLONING"}:
        pass
    assert status == {"status": "COMPLETE"}
    volumes = controller.request("GET", f"{RD}/copy/volume-definitions").body
    assert [volume["size_kib"] for volume in volumes] == [8192, 8192]
    again = controller.request("POST", f"{RD}/image/clone", {"name": "copy"})
    assert (again.status, again.codes) == (500, [501])
    assert controller.request("POST", f"{RD}/none/clone", {"name": "copy2"}).codes == [301]


# -- what this version does not have --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/v1/remotes/s3", {"remote_name": "rem", "bucket": "b"}),
        ("DELETE", "/v1/remotes?remote_name=rem", None),
        ("GET", "/v1/remotes/rem/backups", None),
        ("POST", "/v1/remotes/rem/backups", {"rsc_name": "web"}),
        ("GET", "/v1/schedules", None),
        ("GET", "/v1/files", None),
        ("PUT", "/v1/files/%2Fetc%2Fx", {"content": "eA=="}),
        ("POST", f"{RD}/web/files/%2Fetc%2Fx", None),
        ("GET", "/v1/sos-report", None),
        ("GET", "/v1/space-report", None),
        ("POST", "/v1/controller/backup/db", {}),
    ],
)
def test_what_is_not_part_of_this_version_says_so(controller: Controller, method: str, path: str, body: Any) -> None:
    answer = controller.request(method, path, body)
    assert (answer.status, answer.codes) == (500, [234])
    assert "Not part of this version" in answer.text


def test_there_are_no_remotes(controller: Controller) -> None:
    """The CSI driver lists them before it looks for snapshots."""
    assert controller.request("GET", "/v1/remotes").body == {}
    for kind in ("s3", "linstor", "ebs"):
        assert controller.request("GET", f"/v1/remotes/{kind}").body == []
