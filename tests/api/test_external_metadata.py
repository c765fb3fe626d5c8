"""DRBD's metadata in a storage pool of its own, as clients of the API ask for it and see it."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from orlop.codes import Fail
from orlop.model import StoragePool
from tests.api.cluster import Cluster
from tests.api.test_drbd9 import create, nodes, numbers, shown
from tests.api.test_views import put

WEB, PROPERTY = "/v1/resource-definitions/web", "StorPoolNameDrbdMeta"


def define(api: FlaskClient, cluster: Cluster, **props: str) -> None:
    nodes(cluster, "alpha", "bravo")
    for name in ("alpha", "bravo"):
        put(cluster, StoragePool(node=name, name="quick", uuid=f"quick {name}", provider="FILE_THIN", new=False))
    layers = [{"type": "DRBD"}, {"type": "STORAGE"}]
    body = {"resource_definition": {"name": "web", "layer_data": layers, "props": props}}
    assert api.post("/v1/resource-definitions", json=body).status_code == 201
    assert api.post(f"{WEB}/volume-definitions", json={"volume_definition": {"size_kib": 4096}}).status_code == 201


@pytest.fixture
def apart(api: FlaskClient, cluster: Cluster) -> None:
    define(api, cluster, **{PROPERTY: "quick"})
    assert create(api, "alpha").status_code == 201


def layers(api: FlaskClient, node: str = "alpha") -> Any:
    return shown(api)[node]["layer_object"]


def test_drbd_stands_on_two_that_are_told_apart_by_their_suffix(api: FlaskClient, apart: None) -> None:
    tree = layers(api)
    assert tree["resource_name_suffix"] == ""
    children = {child["resource_name_suffix"]: child for child in tree["children"]}
    assert {suffix: child["type"] for suffix, child in children.items()} == {"": "STORAGE", ".meta": "STORAGE"}
    (data,) = children[""]["storage"]["storage_volumes"]
    (metadata,) = children[".meta"]["storage"]["storage_volumes"]
    assert data["usable_size_kib"] == 4096
    assert metadata["usable_size_kib"] == 1024
    assert metadata["device_path"] == "/dev/loop9000"


def test_a_volume_says_where_its_metadata_is(api: FlaskClient, apart: None) -> None:
    (volume,) = layers(api)["drbd"]["drbd_volumes"]
    assert (volume["meta_disk"], volume["ext_meta_stor_pool"]) == ("/dev/loop9000", "quick")
    (row,) = shown(api)["alpha"]["volumes"]
    assert row["storage_pool_name"] == "pool"
    assert [each["type"] for each in row["layer_data_list"]] == ["DRBD", "STORAGE"]


@pytest.mark.parametrize("props", [{}, {PROPERTY: ".internal"}, {PROPERTY: ""}])
def test_metadata_with_the_data_is_called_internal(api: FlaskClient, cluster: Cluster, props: dict[str, str]) -> None:
    define(api, cluster, **props)
    assert create(api, "alpha").status_code == 201
    (volume,) = layers(api)["drbd"]["drbd_volumes"]
    assert volume["meta_disk"] == "internal"
    assert "ext_meta_stor_pool" not in volume
    assert [child["resource_name_suffix"] for child in layers(api)["children"]] == [""]


def test_a_change_is_for_replicas_that_come_later(api: FlaskClient, apart: None) -> None:
    answer = api.put(WEB, json={"override_props": {PROPERTY: ".internal"}})
    assert answer.status_code == 200
    assert f"'{PROPERTY}' takes effect for replicas that are made from now on." in str(answer.get_json())
    assert create(api, "bravo").status_code == 201
    assert layers(api, "alpha")["drbd"]["drbd_volumes"][0]["ext_meta_stor_pool"] == "quick"
    assert layers(api, "bravo")["drbd"]["drbd_volumes"][0]["meta_disk"] == "internal"


def test_a_pool_with_metadata_in_it_stays(api: FlaskClient, apart: None) -> None:
    answer = api.delete("/v1/nodes/alpha/storage-pools/quick")
    assert answer.status_code >= 400
    assert api.delete("/v1/nodes/bravo/storage-pools/quick").status_code == 200


def test_a_pool_that_the_node_lacks_is_refused(api: FlaskClient, cluster: Cluster, apart: None) -> None:
    assert api.delete("/v1/nodes/bravo/storage-pools/quick").status_code == 200
    answer = create(api, "bravo")
    assert Fail.NOT_FOUND_STOR_POOL in numbers(answer)
    assert "storage pool 'quick', which node 'bravo' does not have" in str(answer.get_json())
    assert list(shown(api)) == ["alpha"]


def test_a_diskless_pool_has_no_room_for_it(api: FlaskClient, cluster: Cluster) -> None:
    define(api, cluster, **{PROPERTY: "DfltDisklessStorPool"})
    assert Fail.INVLD_STOR_POOL_NAME in numbers(create(api, "alpha"))


def test_what_stands_closest_to_the_volume_decides(api: FlaskClient, cluster: Cluster) -> None:
    define(api, cluster, **{PROPERTY: "missing"})
    body = {"override_props": {PROPERTY: "quick"}}
    assert api.put(f"{WEB}/volume-definitions/0", json=body).status_code == 200
    assert create(api, "alpha").status_code == 201
    assert layers(api)["drbd"]["drbd_volumes"][0]["ext_meta_stor_pool"] == "quick"
    api.put("/v1/nodes/bravo", json={"override_props": {PROPERTY: "missing"}})
    assert create(api, "bravo").status_code == 201


def test_an_unreplicated_volume_has_no_metadata(api: FlaskClient, cluster: Cluster) -> None:
    nodes(cluster, "alpha")
    body = {"resource_definition": {"name": "web", "layer_data": [{"type": "STORAGE"}], "props": {PROPERTY: "missing"}}}
    assert api.post("/v1/resource-definitions", json=body).status_code == 201
    assert api.post(f"{WEB}/volume-definitions", json={"volume_definition": {"size_kib": 4096}}).status_code == 201
    assert create(api, "alpha").status_code == 201
