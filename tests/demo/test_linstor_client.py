"""python-linstor from the package index, unmodified, is the outside judge: it drives a real cluster through the whole
life of resources."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import linstor  # type: ignore[import-untyped]
import pytest
from linstor import KV, Linstor, MultiLinstor, Resource, ResourceData, ResourceGroup

from demo.cluster import Cluster

pytestmark = pytest.mark.root
MIB = 1024 * 1024
NODES = {"alpha", "bravo", "charlie"}
NOTHING_TO_DO = 1006
NOT_ENOUGH_NODES = 996


@pytest.fixture(scope="module")
def uri(cluster: Cluster) -> str:
    return f"linstor://127.0.0.1:{cluster.ports.rest}"


@pytest.fixture
def client(uri: str) -> Iterator[Linstor]:
    with MultiLinstor([uri]) as connected:
        yield connected


@pytest.fixture
def group(uri: str, client: Linstor) -> Iterator[str]:
    """A resource group of one volume, two copies, without replication."""
    fine(
        client.resource_group_create("tests", place_count=2, storage_pool=["pool1"], layer_list=["storage"]),
        client.volume_group_create("tests"),
    )
    yield "tests"
    for definition in client.resource_dfn_list_raise().resource_definitions:
        for snapshot in client.snapshot_dfn_list_raise(filter_by_resources=[definition.name]).snapshots:
            fine(client.snapshot_delete(definition.name, snapshot.name))
        fine(client.resource_dfn_delete(definition.name))
    fine(client.resource_group_delete("tests"))


def fine(*answers: list[Any]) -> None:
    for answer in answers:
        assert Linstor.all_api_responses_no_error(answer), [str(entry) for entry in answer]


def write(device: str, content: bytes) -> None:
    with open(device, "r+b") as file:
        file.write(content)
        os.fsync(file.fileno())


def read(device: str, length: int) -> bytes:
    with open(device, "rb") as file:
        return file.read(length)


def device(client: Linstor, resource: str, node: str) -> str:
    found = client.volume_list_raise(filter_by_nodes=[node], filter_by_resources=[resource])
    return str(found.resources[0].volumes[0].device_path)


def nodes_of(client: Linstor, resource: str) -> list[str]:
    return sorted(each.node_name for each in client.resource_list_raise(filter_by_resources=[resource]).resources)


# -- nodes and pools ------------------------------------------------------------------------------------------


def test_nodes_are_online(client: Linstor) -> None:
    nodes = client.node_list_raise().nodes
    assert {node.name: node.connection_status for node in nodes} == dict.fromkeys(NODES, "ONLINE")


def test_pools_tell_their_space(client: Linstor) -> None:
    pools = client.storage_pool_list_raise(filter_by_stor_pools=["pool1"]).storage_pools
    assert {pool.node_name for pool in pools} == NODES
    assert all(pool.provider_kind == "FILE_THIN" and pool.is_thin() for pool in pools)
    assert all(0 < pool.free_space.free_capacity <= pool.free_space.total_capacity for pool in pools)


def test_a_node_can_be_added_changed_and_removed(client: Linstor) -> None:
    fine(client.node_create("delta", "auxiliary", "127.0.0.29"))
    fine(client.node_modify("delta", property_dict={"Aux/rack": "7"}))
    (node,) = client.node_list_raise(filter_by_nodes=["delta"]).nodes
    assert node.props["Aux/rack"] == "7"
    fine(client.node_delete("delta"))
    assert {node.name for node in client.node_list_raise().nodes} == NODES


def test_a_pool_can_be_made_and_removed(client: Linstor, cluster: Cluster) -> None:
    folder = cluster.directory / "alpha" / "other"
    fine(client.storage_pool_create("alpha", "other", "FILE", str(folder)))
    assert len(client.storage_pool_list_raise(filter_by_stor_pools=["other"]).storage_pools) == 1
    fine(client.storage_pool_delete("alpha", "other"))
    assert not client.storage_pool_list_raise(filter_by_stor_pools=["other"]).storage_pools


# -- the life of a resource -----------------------------------------------------------------------------------


def test_a_resource_is_spawned_written_and_deleted(client: Linstor, group: str, cluster: Cluster) -> None:
    fine(client.resource_group_spawn(group, "spawned", ["16MiB"]))
    here, there = nodes_of(client, "spawned")
    write(device(client, "spawned", here), b"orlop" * 1000)
    assert read(device(client, "spawned", there), 5) == bytes(5)
    fine(client.resource_dfn_delete("spawned"))
    assert not client.resource_dfn_list_raise(filter_by_resource_definitions=["spawned"]).resource_definitions
    assert cluster.backing_files() == []


def test_a_resource_is_built_piece_by_piece(client: Linstor, group: str) -> None:
    fine(
        client.resource_dfn_create("pieces", resource_group=group, layer_list=["storage"]),
        client.volume_dfn_create("pieces", 16 * 1024),
        client.resource_create([ResourceData("charlie", "pieces", storage_pool="pool1")]),
        client.resource_auto_place("pieces", 2, storage_pool=["pool1"]),
    )
    assert len(nodes_of(client, "pieces")) == 2
    again = client.resource_auto_place("pieces", 2, storage_pool=["pool1"])
    assert any(entry.ret_code & 0x7FFF == NOTHING_TO_DO for entry in again)
    fine(client.resource_delete("charlie", "pieces"))
    assert len(nodes_of(client, "pieces")) == 1


def test_properties_are_kept(client: Linstor, group: str) -> None:
    fine(client.resource_dfn_create("props", resource_group=group))
    fine(client.resource_dfn_modify("props", {"Aux/owner": "ada", "Aux/use": "mail"}))
    fine(client.resource_dfn_modify("props", {}, delete_props=["Aux/use"]))
    (definition,) = client.resource_dfn_list_raise(filter_by_resource_definitions=["props"]).resource_definitions
    assert definition.properties.get("Aux/owner") == "ada"
    assert "Aux/use" not in definition.properties


def test_a_volume_grows_and_keeps_its_data(client: Linstor, group: str) -> None:
    fine(client.resource_group_spawn(group, "grows", ["16MiB"]))
    node = nodes_of(client, "grows")[0]
    content = os.urandom(16 * MIB)
    write(device(client, "grows", node), content)
    fine(client.volume_dfn_modify("grows", 0, size=24 * 1024))
    grown = device(client, "grows", node)
    with open(grown, "rb") as file:
        assert file.seek(0, os.SEEK_END) >= 24 * MIB
    assert read(grown, 16 * MIB) == content


# -- groups and room ------------------------------------------------------------------------------------------


def test_a_group_tells_how_much_fits(client: Linstor, group: str) -> None:
    (pools,) = client.storage_pool_dfn_max_vlm_sizes(2, storage_pool_name="pool1")
    (of_group,) = client.resource_group_qmvs(group)
    told = client.resource_group_query_size_info(group)
    for answer in (pools, of_group):
        (candidate,) = answer.candidates
        assert (candidate.storage_pool, candidate.all_thin) == ("pool1", True)
        assert set(candidate.node_names) <= NODES
        assert candidate.max_volume_size == pytest.approx(told.space_info.max_vlm_size_in_kib, rel=0.2)
        assert answer.default_max_oversubscription_ratio >= 1
    assert 0 < told.space_info.available_size_in_kib <= told.space_info.capacity_in_kib
    chosen = {(each.node_name, each.stor_pool_name) for each in told.space_info.next_spawn_result}
    assert len(chosen) == 2
    fine(client.resource_group_spawn(group, "fits", ["16MiB"]))
    assert {(node, "pool1") for node in nodes_of(client, "fits")} == chosen
    assert client.resource_group_query_size_info(group, place_count=4).reports


def test_a_group_is_changed_and_its_resources_are_adjusted(client: Linstor, group: str) -> None:
    fine(client.resource_group_spawn(group, "later", ["16MiB"], definitions_only=True))
    assert nodes_of(client, "later") == []
    fine(client.resource_group_adjust(group))
    assert len(nodes_of(client, "later")) == 2
    fine(client.resource_group_modify(group, place_count=3))
    fine(client.resource_group_adjust(None))
    assert set(nodes_of(client, "later")) == NODES
    (found,) = client.resource_group_list_raise(filter_by_resource_groups=[group]).resource_groups
    assert found.select_filter.place_count == 3


def test_one_more_copy_is_placed_where_none_is(client: Linstor, group: str) -> None:
    fine(client.resource_group_spawn(group, "more", ["16MiB"]))
    before = set(nodes_of(client, "more"))
    fine(client.resource_auto_place("more", None, additional_place_count=1, storage_pool=["pool1"]))
    assert len(before) == 2
    assert set(nodes_of(client, "more")) == NODES


# -- snapshots ------------------------------------------------------------------------------------------------


def test_a_snapshot_is_restored_and_rolled_back(client: Linstor, group: str) -> None:
    fine(client.resource_group_spawn(group, "snapped", ["16MiB"]))
    node = nodes_of(client, "snapped")[0]
    before, after = os.urandom(MIB), os.urandom(MIB)
    write(device(client, "snapped", node), before)
    fine(client.snapshot_create([], "snapped", "snap1", False))
    write(device(client, "snapped", node), after)
    fine(
        client.resource_dfn_create("restored", resource_group=group, layer_list=["storage"]),
        client.snapshot_volume_definition_restore("snapped", "snap1", "restored"),
        client.snapshot_resource_restore([], "snapped", "snap1", "restored"),
    )
    assert read(device(client, "restored", node), MIB) == before
    assert read(device(client, "snapped", node), MIB) == after
    fine(client.snapshot_rollback("snapped", "snap1"))
    assert read(device(client, "snapped", node), MIB) == before
    fine(client.snapshot_delete("snapped", "snap1"))
    assert not client.snapshot_dfn_list_raise(filter_by_resources=["snapped"]).snapshots


# -- the classes above the API --------------------------------------------------------------------------------


def test_a_resource_object_lives_and_dies(client: Linstor, group: str, uri: str) -> None:
    resource = Resource.from_resource_group(uri, group, "object", ["16MiB"])
    node = resource.diskful_nodes()[0]
    assert resource.is_diskful(node)
    assert Path(resource.volumes[0].device_path).is_block_device()
    assert resource.volumes[0].size == 16 * MIB
    resource.volumes[0].size = 20 * MIB
    resource.snapshot_create("snap1")
    resource.restore_from_snapshot("snap1", "object2")
    assert Resource("object2", uri=uri).is_assigned(node)
    resource.snapshot_rollback("snap1")
    resource.snapshot_delete("snap1")
    resource.delete()
    assert not client.resource_dfn_list_raise(filter_by_resource_definitions=["object"]).resource_definitions


def test_a_resource_object_is_placed_by_itself(group: str, uri: str) -> None:
    resource = Resource("Büro 1", uri=uri, resource_group=group)
    resource.volumes[0] = linstor.Volume("16 MiB")
    resource.placement.redundancy = 2
    resource.placement.storage_pool = "pool1"
    resource.autoplace()
    found = Resource("Büro 1", uri=uri)
    assert found.linstor_name != "Büro 1"
    assert len(found.diskful_nodes()) == 2
    found.delete()


def test_a_group_object_makes_resources(uri: str) -> None:
    group = ResourceGroup("objects", uri=uri)
    group.redundancy = 3
    group.storage_pool = ["pool1"]
    group.layer_list = ["storage"]
    group.nr_volumes = 2
    resource = group.create_resource("grouped", ["16MiB", "8MiB"])
    assert sorted(resource.diskful_nodes()) == sorted(NODES)
    assert {number: volume.size for number, volume in resource.volumes.items()} == {0: 16 * MIB, 1: 8 * MIB}
    resource.delete()
    group.delete()


def test_a_key_value_store_keeps_what_it_is_given(uri: str) -> None:
    store = KV("settings", uri=uri, namespace="/vm/1")
    store["name"] = "web"
    store["disk"] = "0"
    store.namespace = "/"
    store["other"] = "x"
    del store["vm/1/disk"]
    assert dict(KV("settings", uri=uri).items()) == {"vm/1/name": "web", "other": "x"}
    store.clear()
    assert dict(KV("settings", uri=uri).items()) == {}


# -- errors ---------------------------------------------------------------------------------------------------


def test_too_few_nodes_are_an_error_that_names_the_reasons(client: Linstor, group: str) -> None:
    answer = client.resource_group_spawn(group, "toomany", ["16MiB"], place_count=4)
    (error,) = Linstor.filter_api_call_response_errors(answer)
    assert error.ret_code & 0x7FFF == NOT_ENOUGH_NODES
    assert not client.resource_dfn_list_raise(filter_by_resource_definitions=["toomany"]).resource_definitions


def test_a_bad_name_is_an_error(client: Linstor, group: str) -> None:
    answer = client.resource_dfn_create("no/such name", resource_group=group)
    assert Linstor.filter_api_call_response_errors(answer)


def test_what_exists_is_not_made_again(client: Linstor, group: str) -> None:
    fine(client.resource_dfn_create("twice", resource_group=group))
    (error,) = Linstor.filter_api_call_response_errors(client.resource_dfn_create("TWICE", resource_group=group))
    assert error.ret_code & 0x7FFF == 501


def test_deleting_what_is_not_there_is_only_a_warning(client: Linstor) -> None:
    answer = client.resource_dfn_delete("nothing")
    assert Linstor.all_api_responses_no_error(answer)
    assert any(entry.is_warning() for entry in answer)


def test_a_class_tells_of_a_refusal(uri: str) -> None:
    with pytest.raises(linstor.LinstorError, match="doesn't exist"):
        Resource("nothing", uri=uri).snapshot_create("snap1")


def test_a_controller_that_is_not_there_is_a_network_error() -> None:
    with pytest.raises(linstor.LinstorNetworkError), MultiLinstor(["linstor://127.0.0.1:1"]):
        pass
