"""Storage pools, their definitions, and unused devices."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from orlop.codes import Fail, Warn
from orlop.model import GIB
from orlop.transport.messages import PhysicalDevice
from tests.api.cluster import Cluster
from tests.api.test_conventions import code, entries, node
from tests.api.test_views import deployed

POOLS = "/v1/nodes/alpha/storage-pools"
FOLDER = {"StorDriver/StorPoolName": "/srv/orlop"}


def body(name: str = "pool", provider: str = "file_thin", **more: Any) -> dict[str, Any]:
    return {"storage_pool_name": name, "provider_kind": provider, "props": FOLDER} | more


@pytest.fixture(autouse=True)
def alpha(api: FlaskClient) -> None:
    api.post("/v1/nodes", json=node("alpha"))


def test_a_pool_is_ready_when_its_satellite_has_looked(api: FlaskClient) -> None:
    answer = api.post(POOLS, json=body())
    assert answer.status_code == 201
    found = entries(answer)
    assert found[0]["obj_refs"] == {"Node": "alpha", "StorPool": "pool", "StorPoolDfn": "pool"}
    assert len(found) == 2
    shown = api.get(f"{POOLS}/POOL").get_json()
    assert shown["provider_kind"] == "FILE_THIN"
    assert (shown["free_capacity"], shown["total_capacity"]) == (60 * GIB // 1024, 100 * GIB // 1024)
    assert shown["free_space_mgr_name"] == "alpha;pool"
    assert shown["static_traits"] == {"Provisioning": "Thin", "SupportsSnapshots": "true"}
    assert shown["supports_snapshots"] is True
    assert "reports" not in shown
    names = [d["storage_pool_name"] for d in api.get("/v1/storage-pool-definitions").get_json()]
    assert names == ["DfltDisklessStorPool", "DfltStorPool", "pool"]


def test_a_pool_with_a_wrong_backing_stays_with_its_problem(api: FlaskClient, cluster: Cluster) -> None:
    cluster.satellites.problems["pool"] = "/srv/orlop is on a read-only file system"
    answer = api.post(POOLS, json=body())
    assert answer.status_code == 500
    found = entries(answer)
    assert [entry["ret_code"] < 0 for entry in found] == [False, True]
    assert code(found[1]) == Fail.STOR_POOL_CONFIGURATION_ERROR
    shown = api.get(f"{POOLS}/pool").get_json()
    assert "free_capacity" not in shown
    assert "read-only" in shown["reports"][0]["message"]
    assert api.delete(f"{POOLS}/pool").status_code == 200
    assert api.get(f"{POOLS}/pool").status_code == 404


def test_a_pool_on_a_node_that_is_away_is_a_warning(api: FlaskClient, cluster: Cluster) -> None:
    cluster.disconnect("alpha")
    answer = api.post(POOLS, json=body())
    assert answer.status_code == 201
    assert code(entries(answer)[1]) == Warn.NOT_CONNECTED
    shown = api.get("/v1/view/storage-pools?storage_pools=pool").get_json()[0]
    assert "free_capacity" not in shown
    assert code(shown["reports"][0]) == Warn.NOT_CONNECTED


def test_an_unknown_provider_is_refused_with_what_is_installed(api: FlaskClient) -> None:
    answer = api.post(POOLS, json=body(provider="spdk"))
    assert answer.status_code == 500
    entry = entries(answer)[0]
    assert code(entry) == Fail.INVLD_PROVIDER
    assert "installed: diskless, file, file_thin, " in entry["message"]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (body(name="p"), Fail.INVLD_STOR_POOL_NAME),
        (body(props={}), Fail.INVLD_PROP),
        (body(props=FOLDER | {"Nope": "1"}), Fail.INVLD_PROP),
        (body(props={"StorDriver/StorPoolName": "srv/orlop"}), Fail.INVLD_PROP),
        (body(props={"StorDriver/StorPoolName": "//."}), Fail.INVLD_PROP),
        (body(props={"StorDriver/StorPoolName": "/srv/../etc"}), Fail.INVLD_PROP),
        (body(shared_space="a b"), Fail.INVLD_FREE_SPACE_MGR_NAME),
        (body(name="dfltDisklessStorPool"), Fail.EXISTS_STOR_POOL),
    ],
)
def test_a_wrong_pool_is_refused(api: FlaskClient, what: dict[str, Any], expected: Fail) -> None:
    answer = api.post(POOLS, json=what)
    assert answer.status_code == 500
    assert code(entries(answer)[0]) == expected
    assert len(api.get(POOLS).get_json()) == 1


def test_older_property_names_are_understood(api: FlaskClient) -> None:
    api.post(POOLS, json=body(props={"StorDriver/FileDir": "/srv/orlop"}))
    assert api.get(f"{POOLS}/pool").get_json()["props"] == FOLDER


@pytest.mark.parametrize("path", ["/srv/orlop/", "//srv/orlop", "/srv/./orlop", "/srv//orlop"])
def test_a_folder_has_one_spelling(api: FlaskClient, path: str) -> None:
    api.post(POOLS, json=body(props={"StorDriver/StorPoolName": path}))
    assert api.get(f"{POOLS}/pool").get_json()["props"] == FOLDER


@pytest.mark.parametrize("provider", ["file", "file_thin"])
def test_two_pools_of_a_node_do_not_share_a_folder(api: FlaskClient, provider: str) -> None:
    api.post(POOLS, json=body())
    refused = api.post(POOLS, json=body("second", provider))
    assert code(entries(refused)[0]) == Fail.STOR_POOL_CONFIGURATION_ERROR
    assert "the place of storage pool 'pool'" in entries(refused)[0]["message"]
    assert api.post(POOLS, json=body("second", props={"StorDriver/StorPoolName": "/srv/b"})).status_code == 201
    moved = api.put(f"{POOLS}/second", json={"override_props": FOLDER})
    assert code(entries(moved)[0]) == Fail.STOR_POOL_CONFIGURATION_ERROR
    assert api.get(f"{POOLS}/second").get_json()["props"] == {"StorDriver/StorPoolName": "/srv/b"}
    api.post("/v1/nodes", json=node("bravo"))
    assert api.post("/v1/nodes/bravo/storage-pools", json=body(provider=provider)).status_code == 201


def test_the_shared_space_is_its_free_space_manager(api: FlaskClient) -> None:
    api.post(POOLS, json=body(free_space_mgr_name="san1"))
    shown = api.get(f"{POOLS}/pool").get_json()
    assert (shown["free_space_mgr_name"], shown["shared_space"]) == ("san1", "san1")


def test_a_pool_in_use_is_neither_deleted_nor_moved(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "bravo")
    path = "/v1/nodes/bravo/storage-pools/pool"
    refused = api.delete(path)
    assert refused.status_code == 500
    assert code(entries(refused)[0]) == Fail.IN_USE
    refused = api.put(path, json={"override_props": {"StorDriver/StorPoolName": "/srv/other"}})
    assert code(entries(refused)[0]) == Fail.IN_USE
    assert api.get(path).status_code == 200


def test_the_diskless_pool_belongs_to_the_node(api: FlaskClient) -> None:
    refused = api.delete(f"{POOLS}/DfltDisklessStorPool")
    assert code(entries(refused)[0]) == Fail.INVLD_STOR_POOL_NAME


def test_an_unused_pool_with_another_backing_is_another_pool(api: FlaskClient, cluster: Cluster) -> None:
    api.post(POOLS, json=body())
    before = cluster.core.picture.pools["alpha", "pool"]
    cluster.satellites.idle.add("alpha")
    assert api.put(f"{POOLS}/pool", json={"override_props": {"Aux/x": "1"}}).status_code == 200
    same = cluster.core.picture.pools["alpha", "pool"]
    assert (same.uuid, same.new) == (before.uuid, False)
    assert api.put(f"{POOLS}/pool", json={"override_props": {"StorDriver/StorPoolName": "/srv/b"}}).status_code == 200
    after = cluster.core.picture.pools["alpha", "pool"]
    assert after.new
    assert after.uuid != before.uuid
    assert "free_capacity" not in api.get(f"{POOLS}/pool").get_json()  # what is known is about the former one


def test_pool_definitions_come_and_go(api: FlaskClient) -> None:
    path = "/v1/storage-pool-definitions"
    assert api.post(path, json={"storage_pool_name": "fast"}).status_code == 201
    assert code(entries(api.post(path, json={"storage_pool_name": "FAST"}))[0]) == Fail.EXISTS_STOR_POOL_DFN
    ratio = {"override_props": {"MaxOversubscriptionRatio": "3"}}
    assert api.put(f"{path}/fast", json=ratio).status_code == 200
    assert api.get(f"{path}/fast").get_json()["props"] == ratio["override_props"]
    api.post(POOLS, json=body(name="fast"))
    assert code(entries(api.delete(f"{path}/fast"))[0]) == Fail.IN_USE
    api.delete(f"{POOLS}/fast")
    assert api.delete(f"{path}/fast").status_code == 200
    assert code(entries(api.delete(f"{path}/DfltStorPool"))[0]) == Fail.INVLD_STOR_POOL_NAME


def test_devices_are_grouped_by_size_and_kind(api: FlaskClient, cluster: Cluster) -> None:
    api.post("/v1/nodes", json=node("bravo"))
    for name in ("alpha", "bravo"):
        disk = PhysicalDevice(device="/dev/sdb", size=2 * GIB, rotational=True, model="Spin")
        cluster.satellites.devices[name] = (disk, PhysicalDevice(device="/dev/nvme0n1", size=GIB))
    found = api.get("/v1/physical-storage").get_json()
    assert [(g["size"], g["rotational"], sorted(g["nodes"])) for g in found] == [
        (GIB, False, ["alpha", "bravo"]),
        (2 * GIB, True, ["alpha", "bravo"]),
    ]
    assert found[1]["nodes"]["alpha"] == [{"device": "/dev/sdb", "model": "Spin"}]
    assert [d["device"] for d in api.get("/v1/physical-storage/alpha").get_json()] == ["/dev/nvme0n1", "/dev/sdb"]
    cluster.satellites.away.add("alpha")
    assert [sorted(g["nodes"]) for g in api.get("/v1/physical-storage").get_json()] == [["bravo"], ["bravo"]]
    refused = api.get("/v1/physical-storage/alpha")
    assert refused.status_code == 500
    assert "not connected" in entries(refused)[0]["message"]


@pytest.mark.parametrize("provider", ["diskless", "file", "spdk"])
def test_pools_of_some_kinds_are_not_made_from_devices(api: FlaskClient, provider: str) -> None:
    what = {"provider_kind": provider, "device_paths": ["/dev/sdb"]}
    refused = api.post("/v1/physical-storage/alpha", json=what)
    assert refused.status_code == 500
    assert code(entries(refused)[0]) == Fail.INVLD_PROVIDER


def test_a_pool_is_made_from_devices_and_taken_apart(api: FlaskClient, cluster: Cluster) -> None:
    what = {
        "provider_kind": "ZFS",
        "device_paths": ["/dev/sdb"],
        "pool_name": "tank",
        "with_storage_pool": {"name": "p1"},
    }
    refused = api.post("/v1/physical-storage/alpha", json=what)
    assert code(entries(refused)[0]) == Fail.INVLD_STOR_POOL_NAME
    what["with_storage_pool"] = {"name": "pool", "props": {"Aux/rack": "1"}}
    answer = api.post("/v1/physical-storage/alpha", json=what)
    assert answer.status_code == 201
    shown = api.get(f"{POOLS}/pool").get_json()
    assert shown["provider_kind"] == "ZFS"
    assert shown["props"]["Aux/rack"] == "1"
    path = "/v1/orlop/physical-storage/alpha"
    assert api.delete(f"{path}/pool").status_code == 200
    assert api.get(f"{POOLS}/pool").status_code == 404
    again = api.delete(f"{path}/pool")
    assert (again.status_code, code(entries(again)[0])) == (200, Warn.NOT_FOUND)
    assert api.delete(f"{path}?provider_kind=ZFS&pool_name=tank").status_code == 200
    assert code(entries(api.delete(path))[0]) == Fail.INVLD_PROVIDER
    cluster.satellites.away.add("alpha")
    assert code(entries(api.post("/v1/physical-storage/alpha", json=what))[0]) == Fail.NOT_CONNECTED


def test_a_pool_that_did_not_work_out_is_not_kept(api: FlaskClient, cluster: Cluster) -> None:
    cluster.satellites.problems["pool"] = "the zpool is suspended"
    what = {"provider_kind": "ZFS", "device_paths": ["/dev/sdb"], "with_storage_pool": {"name": "pool"}}
    answer = api.post("/v1/physical-storage/alpha", json=what)
    assert answer.status_code == 500
    assert api.get(f"{POOLS}/pool").status_code == 404


def test_a_lost_pool_is_forgotten(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "bravo")
    path = "/v1/nodes/bravo/storage-pools"
    refused = api.delete(f"{path}/pool/lost")
    assert (refused.status_code, code(entries(refused)[0])) == (500, Fail.LOST_STOR_POOL)
    cluster.disconnect("bravo")
    answer = api.delete(f"{path}/POOL/lost")
    assert answer.status_code == 200
    assert "is forgotten" in entries(answer)[0]["message"]
    assert api.get("/v1/view/resources").get_json() == []
    assert api.get(f"{path}/pool").status_code == 404
    again = api.delete(f"{path}/pool/lost")
    assert (again.status_code, code(entries(again)[0])) == (200, Warn.NOT_FOUND)
    refused = api.delete(f"{path}/DfltDisklessStorPool/lost")
    assert code(entries(refused)[0]) == Fail.INVLD_STOR_POOL_NAME


@pytest.mark.parametrize("path", ["/v1/controller/properties", "/v1/nodes/alpha", "/v1/resource-groups/DfltRscGrp"])
def test_what_no_driver_could_obey_is_refused_at_once(api: FlaskClient, path: str) -> None:
    method = api.post if path.endswith("properties") else api.put
    refused = method(path, json={"override_props": {"StorDriver/ZfscreateOptions": "-o volsize=1"}})
    assert refused.status_code == 500
    assert code(entries(refused)[0]) == Fail.INVLD_PROP
    assert method(path, json={"override_props": {"StorDriver/ZfscreateOptions": "-o compression=on"}}).status_code < 300


def test_what_the_satellite_saw_of_a_pool_cannot_be_set(api: FlaskClient) -> None:
    name = "StorDriver/internal/AllocationGranularity"
    refused = api.post(POOLS, json=body(props=FOLDER | {name: "4"}))
    assert code(entries(refused)[0]) == Fail.INVLD_PROP
