"""What clients of the API ask of resources on nodes with DRBD 9, and what they are told."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from msgspec.structs import replace

from orlop.codes import Fail, Info, Warn
from orlop.controller import orders
from orlop.controller.calm import is_calm
from orlop.controller.usecases import votes
from orlop.controller.voting import AUTO_ADD
from orlop.model import WantedProxy
from tests.api.cluster import Cluster
from tests.api.test_views import put, with_node

WEB = "/v1/resource-definitions/web"


def nodes(cluster: Cluster, *names: str, version: str = "9.2.13") -> None:
    put(cluster, replace(cluster.core.picture.controller, props={AUTO_ADD: "True"}))
    for name in names:
        cluster.satellites.drbd[name] = version
        with_node(cluster, name)


def numbers(answer: Any) -> set[int]:
    """The lowest 16 bits of the codes: what happened, without object and operation."""
    return {entry["ret_code"] & 0xFFFF for entry in answer.get_json()}


def create(api: FlaskClient, node: str, *flags: str, **more: Any) -> Any:
    body = {"resource": {"node_name": node, "flags": list(flags), "props": {"StorPoolName": "pool"}}, **more}
    if flags:
        del body["resource"]["props"]
    return api.post(f"{WEB}/resources", json=[body])


@pytest.fixture
def web(api: FlaskClient, cluster: Cluster) -> None:
    """Two replicas on four nodes, and what follows from that."""
    nodes(cluster, "alpha", "bravo", "charlie", "delta")
    body = {"resource_definition": {"name": "web", "layer_data": [{"type": "DRBD"}, {"type": "STORAGE"}]}}
    assert api.post("/v1/resource-definitions", json=body).status_code == 201
    assert api.post(f"{WEB}/volume-definitions", json={"volume_definition": {"size_kib": 4096}}).status_code == 201
    for node in ("alpha", "bravo"):
        assert create(api, node).status_code == 201


def shown(api: FlaskClient) -> dict[str, Any]:
    found = api.get("/v1/view/resources?resources=web").get_json()
    return {row["node_name"]: row for row in found}


def flags(api: FlaskClient) -> dict[str, list[str]]:
    return {node: row.get("flags", []) for node, row in shown(api).items()}


TIED = ["DISKLESS", "DRBD_DISKLESS", "TIE_BREAKER"]


def test_the_second_replica_brings_a_tiebreaker(api: FlaskClient, cluster: Cluster) -> None:
    nodes(cluster, "alpha", "bravo", "charlie")
    spawned = api.post(
        "/v1/resource-groups/DfltRscGrp/spawn", json={"resource_definition_name": "web", "volume_sizes": [4096]}
    )
    assert "DRBD" in str(api.get(WEB).get_json())
    assert Info.TIE_BREAKER_CREATED in numbers(spawned)
    assert sorted(flags(api).values()) == [[], [], TIED]
    assert api.get(WEB).get_json()["props"]["DrbdOptions/Resource/quorum"] == "majority"


def test_a_tiebreaker_is_shown_as_clients_know_it(api: FlaskClient, web: None) -> None:
    row = shown(api)["charlie"]
    assert row["flags"] == TIED
    (volume,) = row["volumes"]
    assert (volume["provider_kind"], volume["storage_pool_name"]) == ("DISKLESS", "DfltDisklessStorPool")
    assert volume["state"]["disk_state"] == "Diskless"
    assert row["layer_object"]["type"] == "DRBD"
    assert row["layer_object"]["drbd"]["node_id"] == 2
    assert [child["type"] for child in row["layer_object"]["children"]] == ["STORAGE"]


def test_a_resource_without_a_disk_takes_the_tiebreaker_over(api: FlaskClient, web: None) -> None:
    answer = create(api, "charlie", "DRBD_DISKLESS")
    assert answer.status_code == 201
    assert Info.TIE_BREAKER_TAKEOVER in numbers(answer)
    assert flags(api)["charlie"] == TIED[:2]


def test_a_replica_with_a_disk_takes_its_place_too(api: FlaskClient, web: None) -> None:
    before = shown(api)["charlie"]
    assert create(api, "charlie").status_code == 201
    after = shown(api)["charlie"]
    assert after.get("flags", []) == []
    assert after["uuid"] == before["uuid"]
    assert after["volumes"][0]["provider_kind"] == "FILE_THIN"


def test_a_client_has_no_vote_and_says_so(api: FlaskClient, web: None) -> None:
    assert create(api, "delta", "DISKLESS", drbd_client=True).status_code == 201
    row = shown(api)["delta"]
    assert row["flags"] == TIED[:2]
    assert "CLIENT" in row["layer_object"]["drbd"]["flags"]
    assert flags(api)["charlie"] == TIED


def test_one_that_votes_makes_the_tiebreaker_superfluous(api: FlaskClient, cluster: Cluster, web: None) -> None:
    """It is told at once, and goes when all nodes see the other one."""
    answer = create(api, "delta", "DRBD_DISKLESS")
    assert Info.TIE_BREAKER_DELETING in numbers(answer)
    assert flags(api)["charlie"] == TIED
    definition = cluster.core.picture.definition("web")
    assert cluster.core.wait(lambda: is_calm(cluster.core.reported, definition) or None, 10)
    assert votes.look(cluster.core)
    assert "DELETE" in flags(api).get("charlie", ["DELETE"])


def test_who_deletes_a_tiebreaker_wants_none(api: FlaskClient, web: None) -> None:
    assert api.delete(f"{WEB}/resources/charlie").status_code == 200
    assert api.get(WEB).get_json()["props"][AUTO_ADD] == "False"
    assert not any("TIE_BREAKER" in found for found in flags(api).values() if "DELETE" not in found)


def test_unless_it_is_to_be_kept(api: FlaskClient, web: None) -> None:
    answer = api.delete(f"{WEB}/resources/charlie?keep_tiebreaker=True")
    assert Info.TIE_BREAKER_TAKEOVER in numbers(answer)
    assert flags(api)["charlie"] == TIED
    assert AUTO_ADD not in api.get(WEB).get_json().get("props", {})


def test_one_of_three_stays_to_break_ties(api: FlaskClient, web: None) -> None:
    create(api, "charlie")
    answer = api.delete(f"{WEB}/resources/charlie")
    assert Info.TIE_BREAKER_TAKEOVER in numbers(answer)
    assert flags(api)["charlie"] == TIED


def test_no_node_is_left_to_break_ties(api: FlaskClient, cluster: Cluster) -> None:
    nodes(cluster, "alpha", "bravo")
    spawned = api.post(
        "/v1/resource-groups/DfltRscGrp/spawn", json={"resource_definition_name": "web", "volume_sizes": [4096]}
    )
    assert Warn.NOT_ENOUGH_NODES_FOR_TIE_BREAKER in numbers(spawned)
    assert spawned.status_code == 201


def test_all_other_nodes_become_clients(api: FlaskClient, cluster: Cluster) -> None:
    nodes(cluster, "alpha", "bravo", "charlie", "delta")
    body = {"resource_definition_name": "web", "volume_sizes": [4096]}
    rule = {"place_count": 2, "diskless_on_remaining": True}
    answer = api.post("/v1/resource-groups/DfltRscGrp/spawn", json={**body, "select_filter": rule})
    assert answer.status_code == 201
    assert sorted(flags(api).values()) == [[], [], TIED[:2], TIED[:2]]
    again = api.post(f"{WEB}/autoplace", json={"select_filter": {"place_count": 2}, "diskless_on_remaining": True})
    assert Warn.RSC_ALREADY_DEPLOYED in numbers(again)


def test_nodes_that_cannot_be_clients_are_left_out_and_named(api: FlaskClient, cluster: Cluster) -> None:
    nodes(cluster, "alpha", "bravo", "charlie")
    for name, version in (("delta", "8.4.11"), ("echo", "")):
        cluster.satellites.drbd[name] = version
        with_node(cluster, name)
    rule = {"place_count": 2, "diskless_on_remaining": True, "node_name_list": ["alpha", "bravo"]}
    body = {"resource_definition_name": "web", "volume_sizes": [4096], "select_filter": rule}
    answer = api.post("/v1/resource-groups/DfltRscGrp/spawn", json=body)
    assert answer.status_code == 201
    assert flags(api) == {"alpha": [], "bravo": [], "charlie": TIED[:2]}
    (warned,) = [entry for entry in answer.get_json() if "delta" in entry["message"]]
    assert "echo" in warned["message"]
    again = api.post(f"{WEB}/autoplace", json={"select_filter": {"place_count": 2}, "diskless_on_remaining": True})
    assert "delta, echo" in str(again.get_json())


def test_a_spawn_that_finds_no_space_leaves_no_tiebreaker(api: FlaskClient, cluster: Cluster) -> None:
    nodes(cluster, "alpha", "bravo", "charlie")
    cluster.satellites.problems["web"] = "No space left on device"
    body = {"resource_definition_name": "web", "volume_sizes": [4096], "select_filter": {"place_count": 2}}
    answer = api.post("/v1/resource-groups/DfltRscGrp/spawn", json=body)
    assert Fail.NOT_ENOUGH_FREE_SPACE in numbers(answer)
    left = cluster.core.picture.definition("web")
    assert left is None or left.deleting


def test_quorum_that_was_asked_for_stays_although_it_was_computed_so(api: FlaskClient, cluster: Cluster) -> None:
    nodes(cluster, "alpha", "bravo", "charlie")
    body = {"resource_definition_name": "web", "volume_sizes": [4096], "select_filter": {"place_count": 1}}
    assert api.post("/v1/resource-groups/DfltRscGrp/spawn", json=body).status_code == 201
    name = "DrbdOptions/Resource/quorum"
    assert api.get(WEB).get_json()["props"][name] == "off"
    assert api.put(WEB, json={"override_props": {f"/{name}": "off"}}).status_code == 200
    rule = {"select_filter": {"place_count": 3}}
    assert api.post(f"{WEB}/autoplace", json=rule).status_code == 201
    while votes.look(cluster.core):
        pass
    assert api.get(WEB).get_json()["props"][name] == "off"


def test_only_replicas_with_a_disk_are_counted(api: FlaskClient, web: None) -> None:
    assert api.post(f"{WEB}/autoplace", json={"select_filter": {"place_count": 3}}).status_code == 201
    assert sum(found == [] for found in flags(api).values()) == 3


@pytest.mark.parametrize("version", ["8.4.11", ""], ids=["8.4", "not told"])
def test_what_a_nodes_drbd_cannot_do_is_refused(api: FlaskClient, cluster: Cluster, web: None, version: str) -> None:
    cluster.satellites.drbd["echo"] = version
    with_node(cluster, "echo")
    for answer in (create(api, "echo"), create(api, "echo", "DRBD_DISKLESS")):
        assert answer.status_code >= 400
        assert Fail.STLT_DOES_NOT_SUPPORT_LAYER in numbers(answer)
    assert "echo" not in flags(api)


# -- disks ------------------------------------------------------------------------------------------------------------


def toggle(api: FlaskClient, node: str, into: str, **more: Any) -> Any:
    return api.put(f"{WEB}/resources/{node}/toggle-disk", json={"operation": f"INTO_DRBD_{into}", **more})


def test_a_disk_comes_and_goes(api: FlaskClient, web: None) -> None:
    assert toggle(api, "charlie", "DISKFUL", storage_pool="pool").status_code == 200
    assert flags(api)["charlie"] == []
    assert Warn.RSC_ALREADY_HAS_DISK in numbers(toggle(api, "charlie", "DISKFUL"))
    assert toggle(api, "charlie", "DISKLESS").status_code == 200
    assert flags(api)["charlie"] == TIED[:2]
    assert Warn.RSC_ALREADY_DISKLESS in numbers(toggle(api, "charlie", "DISKLESS"))
    assert toggle(api, "charlie", "CLIENT").status_code == 200
    assert "CLIENT" in shown(api)["charlie"]["layer_object"]["drbd"]["flags"]


def test_the_last_good_copy_keeps_its_disk(api: FlaskClient, cluster: Cluster, web: None) -> None:
    cluster.satellites.disks["bravo"] = "Inconsistent"
    cluster.satellites.report("bravo", "web")
    answer = toggle(api, "alpha", "DISKLESS")
    assert Fail.INSUFFICIENT_REPLICA_COUNT in numbers(answer)
    assert flags(api)["alpha"] == []


def test_a_pool_that_is_not_there_changes_nothing(api: FlaskClient, web: None) -> None:
    answer = toggle(api, "charlie", "DISKFUL", storage_pool="other")
    assert Fail.NOT_FOUND_STOR_POOL in numbers(answer)
    assert flags(api)["charlie"] == TIED


def test_the_disk_moves_when_the_data_has(api: FlaskClient, cluster: Cluster, web: None) -> None:
    cluster.satellites.disks["delta"] = "Inconsistent"
    create(api, "delta", "DRBD_DISKLESS", drbd_client=True)
    assert toggle(api, "delta", "DISKFUL", migrate_from="alpha").status_code == 200
    assert "DELETE" not in flags(api)["alpha"]
    assert shown(api)["delta"]["props"]["Internal/Drbd/MigrateFrom"] == "alpha"
    cluster.satellites.disks["delta"] = "UpToDate"
    cluster.satellites.report("delta", "web")
    assert "DELETE" in flags(api).get("alpha", ["DELETE"])


def test_the_opposite_ends_it(api: FlaskClient, cluster: Cluster, web: None) -> None:
    cluster.satellites.disks["charlie"] = "Inconsistent"
    toggle(api, "charlie", "DISKFUL", migrate_from="alpha")
    assert toggle(api, "charlie", "DISKLESS").status_code == 200
    cluster.satellites.disks["charlie"] = "UpToDate"
    cluster.satellites.report("charlie", "web")
    assert flags(api)["alpha"] == []
    assert "Internal/Drbd/MigrateFrom" not in shown(api)["charlie"].get("props", {})


@pytest.mark.parametrize("source", ["charlie", "delta"], ids=["itself", "without a disk"])
def test_a_disk_comes_only_from_where_one_is(api: FlaskClient, web: None, source: str) -> None:
    create(api, "delta", "DRBD_DISKLESS", drbd_client=True)
    answer = toggle(api, "charlie", "DISKFUL", migrate_from=source)
    assert Fail.INVLD_RSC_STATE in numbers(answer)


# -- making it available ----------------------------------------------------------------------------------------------


def available(api: FlaskClient, node: str, **body: Any) -> Any:
    return api.post(f"{WEB}/resources/{node}/make-available", json=body)


def test_available_without_a_disk_where_others_have_one(api: FlaskClient, web: None) -> None:
    assert available(api, "delta").status_code == 200
    assert flags(api)["delta"] == TIED[:2]
    assert Info.RSC_ALREADY_EXISTS in numbers(available(api, "delta"))
    assert api.post(f"{WEB}/resources/delta/unmake-available").status_code == 200
    assert flags(api).get("delta") in (None, TIED, ["DELETE", *TIED[:2]])


def test_a_tiebreaker_becomes_available(api: FlaskClient, web: None) -> None:
    assert available(api, "charlie").status_code == 200
    assert flags(api)["charlie"] == TIED[:2]


def test_with_a_disk_where_that_is_asked(api: FlaskClient, web: None) -> None:
    assert available(api, "charlie", diskful=True).status_code == 200
    assert flags(api)["charlie"] == []


# -- votes and numbers ------------------------------------------------------------------------------------------------


def test_a_vote_is_given_and_taken(api: FlaskClient, web: None) -> None:
    create(api, "delta", "DRBD_DISKLESS")
    for body, client in (({"drbd_client": True}, True), ({"drbd_tiebreaker": True}, False)):
        assert api.put(f"{WEB}/resources/delta", json=body).status_code == 200
        found = shown(api)["delta"]["layer_object"]["drbd"]["flags"]
        assert ("CLIENT" in found) == client
    assert Fail.INVLD_RSC_STATE in numbers(api.put(f"{WEB}/resources/alpha", json={"drbd_client": True}))


def test_numbers_can_be_chosen(api: FlaskClient, web: None) -> None:
    assert create(api, "delta", drbd_node_id=9, drbd_tcp_ports=[7700]).status_code == 201
    found = shown(api)["delta"]["layer_object"]["drbd"]
    assert (found["node_id"], found["tcp_ports"]) == (9, [7700])


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"drbd_node_id": 0}, Fail.INVLD_NODE_ID),
        ({"drbd_node_id": 32}, Fail.INVLD_NODE_ID),
        ({"drbd_tcp_ports": [70000]}, Fail.INVLD_RSC_PORT),
        ({"drbd_tcp_ports": [7700, 7701]}, Fail.INVLD_RSC_PORT),
    ],
)
def test_numbers_that_cannot_be_used_are_refused(api: FlaskClient, web: None, asked: Any, code: Fail) -> None:
    assert code in numbers(create(api, "delta", **asked))
    assert "delta" not in flags(api)


# -- DRBD Proxy -------------------------------------------------------------------------------------------------------


PROXY = f"{WEB}/drbd-proxy"


def told(cluster: Cluster, at: str, peer: str) -> tuple[Any, Any]:
    """The replica that a node is told of, and its connection to one peer."""
    of = cluster.core.picture.definitions["web"]
    order = orders.wanted_resource(cluster.core.drivers, cluster.core.picture, of, at)
    assert order is not None
    assert order.volumes[0].drbd is not None
    replica = order.volumes[0].drbd.replica
    return replica, next(one for one in replica.peers if one.node == peer)


def test_a_connection_runs_through_proxies_and_directly_again(api: FlaskClient, cluster: Cluster, web: None) -> None:
    assert api.post(f"{PROXY}/enable/bravo/alpha", json={"port_src": 7900}).status_code == 200
    found = api.get(f"{WEB}/resource-connections/alpha/bravo").get_json()
    assert (found["flags"], found["drbd_proxy_port_a"], found["drbd_proxy_port_b"]) == (
        ["LOCAL_DRBD_PROXY"],
        7001,
        7900,
    )
    assert told(cluster, "alpha", "bravo")[1].proxy == WantedProxy(here=7001, there=7900)
    assert told(cluster, "bravo", "alpha")[1].proxy == WantedProxy(here=7900, there=7001)
    assert told(cluster, "alpha", "charlie")[1].proxy is None
    assert Fail.INVLD_RSC_PORT in numbers(api.post(f"{PROXY}/enable/alpha/charlie", json={"port": 7001}))
    assert api.post(f"{PROXY}/disable/alpha/bravo").status_code == 200
    assert told(cluster, "alpha", "bravo")[1].proxy is None
    assert Info.NOOP in numbers(api.post(f"{PROXY}/disable/alpha/bravo"))


def test_proxies_buffer_and_compress_as_they_are_told(api: FlaskClient, cluster: Cluster, web: None) -> None:
    body = {
        "override_props": {"DrbdOptions/Proxy/memlimit": "100000000"},
        "compression_type": "zlib",
        "compression_props": {"DrbdOptions/ProxyCompression/level": "9"},
    }
    assert api.put(PROXY, json=body).status_code == 200
    given = {"Proxy/memlimit": "100000000", "ProxyCompression": "zlib", "ProxyCompression/level": "9"}
    assert given.items() <= told(cluster, "alpha", "bravo")[0].options.items()
    assert api.put(PROXY, json={"compression_type": "none"}).status_code == 200
    left = {name for name in told(cluster, "alpha", "bravo")[0].options if name.startswith("Proxy")}
    assert left == {"Proxy/memlimit"}
    assert api.put(PROXY, json={"delete_props": ["DrbdOptions/Proxy/memlimit"]}).status_code == 200
    assert not any(name.startswith("Proxy") for name in told(cluster, "alpha", "bravo")[0].options)


@pytest.mark.parametrize(
    "body",
    [
        {"compression_type": "rar"},
        {"compression_type": "lz4", "compression_props": {"DrbdOptions/ProxyCompression/level": "9"}},
        {"compression_type": "zlib", "compression_props": {"DrbdOptions/ProxyCompression/level": "11"}},
        {"override_props": {"DrbdOptions/Proxy/memlimit": "1"}},
        {"override_props": {"DrbdOptions/Net/protocol": "A"}},
    ],
)
def test_what_proxies_cannot_be_told_is_refused(api: FlaskClient, web: None, body: Any) -> None:
    before = api.get(WEB).get_json().get("props")
    assert Fail.INVLD_PROP in numbers(api.put(PROXY, json=body))
    assert api.get(WEB).get_json().get("props") == before
