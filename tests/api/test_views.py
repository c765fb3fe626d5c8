"""Lists of resources, volumes and snapshots: made of the picture and the reports, and of nothing else."""

import json
from typing import Any

from flask.testing import FlaskClient
from msgspec.structs import replace

from orlop.controller import orders
from orlop.model import (
    KIB,
    MIB,
    Level,
    NetInterface,
    Node,
    Presence,
    ReportedResource,
    ReportedVolume,
    Resource,
    ResourceDefinition,
    Snapshot,
    StoragePool,
    Volume,
    VolumeDefinition,
)
from orlop.transport.messages import Report
from tests.api.cluster import Cluster


def put(cluster: Cluster, *values: Any) -> None:
    with cluster.core.change() as draft:
        for value in values:
            draft.put(value)


def with_node(cluster: Cluster, name: str) -> None:
    interface = NetInterface(name="default", uuid="i", address="127.0.0.1", port=3366, encryption="PLAIN", active=True)
    put(cluster, Node(name=name, uuid=f"node {name}", interfaces=(interface,)))
    put(
        cluster,
        StoragePool(node=name, name="pool", uuid=f"pool {name}", provider="FILE_THIN", new=False),
        StoragePool(node=name, name="DfltDisklessStorPool", uuid=f"none {name}", provider="DISKLESS", new=False),
    )


def deployed(cluster: Cluster, name: str, *nodes: str, in_use: bool = False, size: int = 8 * MIB) -> None:
    """A definition with one volume and a finished replica on each node; satellites report nothing by themselves."""
    for node in nodes:
        cluster.satellites.idle.add(node)
        if node not in cluster.core.picture.nodes:
            with_node(cluster, node)
    resources = tuple(
        Resource(
            node=node,
            uuid=f"{name} on {node}",
            created=1_700_000_000_000,
            props={"StorPoolName": "pool"},
            volumes=(
                Volume(
                    number=0,
                    uuid=f"{name}/0 on {node}",
                    pool="pool",
                    levels=(Level(layer="STORAGE", size=size),),
                    new=False,
                ),
            ),
        )
        for node in nodes
    )
    definition = ResourceDefinition(
        name=name,
        uuid=f"definition {name}",
        group="DfltRscGrp",
        layers=("STORAGE",),
        volume_definitions=(VolumeDefinition(number=0, uuid=f"volume {name}", size=size),),
        resources=resources,
    )
    put(cluster, definition)
    for node in nodes:
        seen(cluster, name, node, in_use=in_use)


def seen(cluster: Cluster, name: str, node: str, presence: Presence = Presence.READY, **what: Any) -> None:
    """The node's satellite reports about the resource's volumes."""
    definition = cluster.core.picture.definitions[name.lower()]
    order = orders.wanted_resource(cluster.core.drivers, cluster.core.picture, definition, node)
    assert order is not None
    volumes = tuple(
        ReportedVolume(
            number=v.number,
            uuid=v.uuid,
            presence=presence,
            **{"device": "/dev/loop7", "size": v.size, "allocated": 12 * KIB, "in_use": False} | what,
        )
        for v in order.volumes
    )
    cluster.report(node, ReportedResource(name=name, revision=order.revision, settled=True, volumes=volumes))


def view(api: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = api.get(f"/v1/view/resources{query}").get_json()
    return found


def test_a_resource_is_shown_with_its_layers_and_volumes(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    volume = {
        "volume_number": 0,
        "device_path": "/dev/loop7",
        "allocated_size_kib": 12,
        "usable_size_kib": 8192,
        "disk_state": "Created",
    }
    assert view(api) == [
        {
            "name": "db1",
            "node_name": "alpha",
            "props": {"StorPoolName": "pool"},
            "effective_props": {
                "StorPoolName": {"type": "R", "value": "pool", "descr": "Resource (db1)"},
            },
            "uuid": "db1 on alpha",
            "create_timestamp": 1_700_000_000_000,
            "state": {"in_use": False},
            "layer_object": {
                "type": "STORAGE",
                "resource_name_suffix": "",
                "storage": {"storage_volumes": [volume]},
            },
            "volumes": [
                {
                    "volume_number": 0,
                    "storage_pool_name": "pool",
                    "provider_kind": "FILE_THIN",
                    "device_path": "/dev/loop7",
                    "allocated_size_kib": 12,
                    "usable_size_kib": 8192,
                    "uuid": "db1/0 on alpha",
                    "state": {"disk_state": "Created"},
                    "layer_data_list": [{"type": "STORAGE", "data": volume}],
                }
            ],
        }
    ]


def test_a_stack_is_a_tree_with_its_topmost_layer_as_root(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    definition = cluster.core.picture.definitions["db1"]
    resource = definition.resources[0]
    levels = (Level(layer="LUKS", size=8 * MIB), Level(layer="STORAGE", size=24 * MIB))
    stacked = replace(resource, volumes=(replace(resource.volumes[0], levels=levels),))
    put(cluster, replace(definition, layers=("LUKS", "STORAGE"), resources=(stacked,)))
    root = view(api)[0]["layer_object"]
    assert root["type"] == "LUKS"
    assert root["luks"]["luks_volumes"][0]["usable_size_kib"] == 8192
    assert root["luks"]["luks_volumes"][0]["device_path"] == "/dev/loop7"
    below = root["children"][0]
    assert below["type"] == "STORAGE"
    assert below["storage"]["storage_volumes"][0]["usable_size_kib"] == 24576
    assert "device_path" not in below["storage"]["storage_volumes"][0]
    assert "children" not in below


def test_nothing_is_claimed_about_a_node_that_is_away(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    cluster.disconnect("alpha")
    shown = view(api)[0]
    assert "state" not in shown
    assert "state" not in shown["volumes"][0]
    assert "device_path" not in shown["volumes"][0]
    assert shown["volumes"][0]["usable_size_kib"] == 8192


def test_the_view_follows_every_change(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    assert view(api)[0]["state"] == {"in_use": False}
    seen(cluster, "db1", "alpha", in_use=True)
    assert view(api)[0]["state"] == {"in_use": True}
    seen(cluster, "db1", "alpha", in_use=None)
    assert "state" not in view(api)[0]
    definition = cluster.core.picture.definitions["db1"]
    put(cluster, replace(definition, resources=(replace(definition.resources[0], flags=frozenset({"EVACUATE"})),)))
    assert view(api)[0]["flags"] == ["EVACUATE"]
    pool = cluster.core.picture.pools["alpha", "pool"]
    put(cluster, replace(pool, shared_space="san"))
    assert view(api)[0]["shared_name"] == "san"
    put(cluster, replace(cluster.core.picture.controller, props={"Aux/a": "1"}))
    put(cluster, replace(cluster.core.picture.nodes["alpha"], props={"StorPoolName": "other"}))
    assert view(api)[0]["effective_props"]["StorPoolName"]["other"] == [
        {"type": "N", "value": "other", "descr": "Node (alpha)"}
    ]
    group = cluster.core.picture.groups["dfltrscgrp"]
    put(cluster, replace(group, props={"StorPoolName": "third"}))
    assert len(view(api)[0]["effective_props"]["StorPoolName"]["other"]) == 2
    with cluster.core.change() as draft:
        draft.remove(draft.definitions["db1"])
    assert view(api) == []


def test_states_have_words(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    words = {}
    for presence in Presence:
        seen(cluster, "db1", "alpha", presence=presence)
        words[presence.value] = view(api)[0]["volumes"][0]["state"]["disk_state"]
    assert words == {
        "READY": "Created",
        "FOREIGN": "Foreign",
        "MISSING": "Missing",
        "HIDDEN": "Closed",
        "ABSENT": "Removed",
    }


def test_problems_are_reports_of_the_volume(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    seen(cluster, "db1", "alpha", presence=Presence.FOREIGN, problem="/srv/db1_00000 is not ours")
    report = view(api)[0]["volumes"][0]["reports"][0]
    assert report["message"] == "/srv/db1_00000 is not ours"
    assert report["ret_code"] < 0


def test_resources_are_sorted_by_node_then_name(api: FlaskClient, cluster: Cluster) -> None:
    for name in ("zeta", "Beta", "alfa"):
        deployed(cluster, name, "bravo", "alpha")
    expected = [(n, r) for n in ("alpha", "bravo") for r in ("alfa", "Beta", "zeta")]
    assert [(r["node_name"], r["name"]) for r in view(api)] == expected
    assert [(r["node_name"], r["name"]) for r in view(api, "?limit=2&offset=2")] == expected[2:4]


def test_the_view_is_filtered(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha", "bravo")
    deployed(cluster, "db2", "bravo")

    def found(query: str) -> list[tuple[str, str]]:
        return [(r["node_name"], r["name"]) for r in view(api, query)]

    assert found("?resources=DB1&resources=nope") == [("alpha", "db1"), ("bravo", "db1")]
    assert found("?nodes=alpha") == [("alpha", "db1")]
    assert found("?nodes=bravo&resources=db2") == [("bravo", "db2")]
    assert found("?storage_pools=POOL") == [("alpha", "db1"), ("bravo", "db1"), ("bravo", "db2")]
    assert found("?storage_pools=other") == []
    assert found("?props=StorPoolName%3Dpool&nodes=alpha") == [("alpha", "db1")]
    assert found("?props=Aux/x") == []


def test_single_objects_fit_the_lists(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha", "bravo")
    path = "/v1/resource-definitions/db1/resources"
    resources = api.get(path).get_json()
    assert [r["node_name"] for r in resources] == ["alpha", "bravo"]
    assert "volumes" not in resources[0]
    assert api.get(f"{path}/bravo").get_json() == resources[1]
    volumes = api.get(f"{path}/bravo/volumes").get_json()
    assert api.get(f"{path}/bravo/volumes/0").get_json() == volumes[0]
    assert volumes == view(api, "?nodes=bravo")[0]["volumes"]
    assert api.get(f"{path}/bravo/volumes/1").status_code == 404
    assert api.get(f"{path}/charlie").status_code == 404


def test_a_diskless_resource_shows_the_diskless_pool(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    definition = cluster.core.picture.definitions["db1"]
    client = Resource(node="alpha", uuid="c", flags=frozenset({"DISKLESS", "DRBD_DISKLESS"}))
    put(cluster, replace(definition, resources=(client,)))
    shown = view(api)[0]
    assert shown["flags"] == ["DISKLESS", "DRBD_DISKLESS"]
    volume = shown["volumes"][0]
    assert (volume["provider_kind"], volume["storage_pool_name"]) == ("DISKLESS", "DfltDisklessStorPool")
    assert volume["state"]["disk_state"] == "Diskless"


def test_volume_definitions_come_when_asked_for(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    assert "volume_definitions" not in api.get("/v1/resource-definitions").get_json()[0]
    found = api.get("/v1/resource-definitions?with_volume_definitions=True").get_json()[0]
    assert found["layer_data"] == [{"type": "STORAGE"}]
    assert found["resource_group_name"] == "DfltRscGrp"
    expected = {"volume_number": 0, "size_kib": 8192, "layer_data": [{"type": "STORAGE"}], "uuid": "volume db1"}
    assert found["volume_definitions"] == [expected]
    assert api.get("/v1/resource-definitions/db1/volume-definitions/0").get_json() == expected


def test_connections_are_all_pairs_of_nodes(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "charlie", "alpha", "bravo")
    path = "/v1/resource-definitions/db1/resource-connections"
    pairs = [(c["node_a"], c["node_b"]) for c in api.get(path).get_json()]
    assert pairs == [("alpha", "bravo"), ("alpha", "charlie"), ("bravo", "charlie")]
    assert api.get(f"{path}/bravo/ALPHA").get_json() == {"node_a": "bravo", "node_b": "alpha"}


def test_replicas_are_in_sync_when_all_were_seen_complete(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha", "bravo")
    path = "/v1/resource-definitions/db1/sync-status"
    assert api.get(path).get_json() == {"synced_on_all": True}
    cluster.disconnect("bravo")
    assert api.get(path).get_json() == {"synced_on_all": False}


def test_snapshots_are_listed_by_resource_then_name(api: FlaskClient, cluster: Cluster) -> None:
    for name in ("db2", "db1"):
        deployed(cluster, name, "alpha")
        definition = cluster.core.picture.definitions[name]
        snapshots = tuple(Snapshot(name=s, uuid=s, flags=frozenset({"SUCCESSFUL"})) for s in ("two", "one"))
        put(cluster, replace(definition, snapshots=snapshots))
    found = api.get("/v1/view/snapshots").get_json()
    assert [(s["resource_name"], s["name"]) for s in found] == [
        ("db1", "one"),
        ("db1", "two"),
        ("db2", "one"),
        ("db2", "two"),
    ]
    assert found[0]["flags"] == ["SUCCESSFUL"]
    assert len(api.get("/v1/view/snapshots?resources=db2").get_json()) == 2
    assert api.get("/v1/view/snapshots?nodes=alpha").get_json() == []
    assert api.get("/v1/resource-definitions/db1/snapshots/ONE").get_json() == found[0]


def test_what_satellites_find_is_told(api: FlaskClient, cluster: Cluster) -> None:
    from orlop.model import BackingObject

    deployed(cluster, "db1", "alpha")
    orphan = BackingObject(pool="pool", name="old_00000", uuid="x", size=4096)
    cluster.core.on_report("alpha", Report(run="r", number=1, orphans=(orphan,)))
    assert api.get("/v1/orlop/orphans").get_json() == [
        {"node_name": "alpha", "storage_pool_name": "pool", "name": "old_00000", "uuid": "x", "size_kib": 4}
    ]
    assert api.get("/v1/orlop/differences").get_json() == []
    seen(cluster, "db1", "alpha", presence=Presence.MISSING)
    assert api.get("/v1/orlop/differences").get_json() == [
        {
            "node_name": "alpha",
            "resource_name": "db1",
            "volume_number": 0,
            "wanted": "READY",
            "found": "MISSING",
        }
    ]


def test_a_list_twice_is_the_same_bytes(api: FlaskClient, cluster: Cluster) -> None:
    for number in range(20):
        deployed(cluster, f"db{number}", "alpha", "bravo")
    first = api.get("/v1/view/resources").data
    assert api.get("/v1/view/resources").data == first
    assert len(json.loads(first)) == 40
