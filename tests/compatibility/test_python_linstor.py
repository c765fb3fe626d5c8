"""Calls of python-linstor that the other tests leave out, and what its classes make of the answers."""

from __future__ import annotations

from typing import Any

import pytest
from linstor import KV, Linstor, LinstorApiCallError, Resource, ResourceData, Volume

from tests.compatibility.controller import Controller

NOT_PART_OF_THIS_VERSION = 234


@pytest.fixture
def web(controller: Controller) -> str:
    """On alpha and bravo."""
    controller.add_group("group", "web")
    return "web"


def fine(*answers: list[Any]) -> None:
    for answer in answers:
        assert Linstor.all_api_responses_no_error(answer), [str(entry) for entry in answer]


def code(answer: list[Any]) -> int:
    (error,) = Linstor.filter_api_call_response_errors(answer)
    return int(error.ret_code & 0x7FFF)


# -- nodes ----------------------------------------------------------------------------------------------------


def test_nodes_tell_what_they_can_carry(linstor: Linstor) -> None:
    for node in linstor.node_list_raise().nodes:
        assert node.connection_status == "ONLINE"
        assert {"DISKLESS", "FILE", "FILE_THIN", "LVM", "LVM_THIN"} <= set(node.storage_providers)
        assert node.resource_layers == ["LUKS", "NVME", "STORAGE"]


def test_a_node_that_nobody_answers_for_is_made_with_a_warning_and_can_be_lost(linstor: Linstor) -> None:
    made = linstor.node_create("delta", "satellite", "10.0.0.4")
    fine(made)
    assert made[0].is_success()
    assert made[0].object_refs["Node"] == "delta"
    assert any(entry.is_warning() for entry in made)
    fine(linstor.node_lost("delta"))
    assert [n.name for n in linstor.node_list_raise().nodes] == ["alpha", "bravo", "charlie"]


def test_interfaces_come_and_go(linstor: Linstor) -> None:
    fine(
        linstor.netinterface_create("alpha", "data", "10.0.0.1"),
        linstor.netinterface_modify("alpha", "data", "10.0.0.2"),
        linstor.netinterface_modify("alpha", "default", "127.0.0.1"),
    )
    found = {i.name: (i.address, i.is_active) for i in linstor.node_list_raise(["alpha"]).nodes[0].net_interfaces}
    assert found["data"][0] == "10.0.0.2"
    assert found["default"] == ("127.0.0.1", True)
    fine(linstor.netinterface_delete("alpha", "data"))


def test_paths_between_nodes_are_properties_of_their_connection(linstor: Linstor) -> None:
    assert linstor.node_conn_list_raise("alpha", "bravo").node_connections[0].properties == {}
    fine(linstor.node_conn_modify("bravo", "alpha", {"Paths/one/alpha": "default", "Paths/one/bravo": "default"}, []))
    (connection,) = linstor.node_conn_list_raise().node_connections
    assert (connection.node_a, connection.node_b) == ("alpha", "bravo")
    assert connection.properties["Paths/one/alpha"] == "default"
    fine(linstor.node_conn_modify("alpha", "bravo", {}, ["Paths/one/alpha", "Paths/one/bravo"]))
    assert linstor.node_conn_list_raise().node_connections == []


def test_evacuating_without_replication_moves_nothing_and_says_so(linstor: Linstor, web: str) -> None:
    answer = linstor.node_evacuate("alpha")
    fine(answer)
    assert any(entry.is_warning() and "'web' stays" in entry.message for entry in answer)
    fine(linstor.node_restore("alpha"))
    assert linstor.node_list_raise(["alpha"]).nodes[0].flags == []


# -- pools and groups -----------------------------------------------------------------------------------------


def test_a_pool_whose_backing_is_wrong_stays_with_its_problem(linstor: Linstor, controller: Controller) -> None:
    disk = controller.cluster.nodes["alpha"].host.disk
    disk.make_folder("/srv/strange")
    mark = disk.new_file(0, 0)
    mark.text = '{"cluster": "another", "pool": "other"}'
    disk.put("/srv/strange/.orlop-pool", mark)
    answer = linstor.storage_pool_create("alpha", "second", "FILE_THIN", "/srv/strange")
    assert code(answer) == 990
    (pool,) = linstor.storage_pool_list_raise(filter_by_stor_pools=["second"]).storage_pools
    assert pool.reports
    fine(linstor.storage_pool_delete("alpha", "second"))


def test_a_pool_of_a_kind_that_is_not_installed_is_refused(linstor: Linstor) -> None:
    assert code(linstor.storage_pool_create("alpha", "fast", "SPDK", "spdk")) == 227
    assert not linstor.storage_pool_list_raise(filter_by_stor_pools=["fast"]).storage_pools


def test_a_group_is_made_changed_and_asked_for_its_space(linstor: Linstor) -> None:
    fine(
        linstor.resource_group_create("group", "words", place_count=3, storage_pool=["pool1"], layer_list=["storage"]),
        linstor.resource_group_modify("group", "other words", place_count="2"),
        linstor.volume_group_create("group"),
    )
    (group,) = [g for g in linstor.resource_group_list_raise().resource_groups if g.name == "group"]
    assert group.description == "other words"
    assert group.select_filter.place_count == 2
    assert group.select_filter.storage_pool_list == ["pool1"]
    (sizes,) = linstor.resource_group_qmvs("group")
    assert sizes.candidates[0].storage_pool == "pool1"
    space = linstor.resource_group_query_size_info("group").space_info
    assert space.max_vlm_size_in_kib == sizes.candidates[0].max_volume_size


def test_a_higher_place_count_of_a_group_places_what_is_missing(linstor: Linstor, web: str) -> None:
    fine(linstor.resource_group_modify("group", place_count=3))
    assert len(linstor.resource_list_raise(filter_by_resources=[web]).resources) == 3


# -- resources ------------------------------------------------------------------------------------------------


def test_the_view_of_a_resource_is_understood(linstor: Linstor, web: str) -> None:
    for resource in linstor.resource_list_raise(filter_by_resources=[web]).resources:
        assert resource.layer_data.layer_stack == ["STORAGE"]
        assert resource.volumes[0].device_path.startswith("/dev/")
        assert resource.volumes[0].storage_pool_name == "pool1"
        assert resource.volumes[0].state.disk_state == "Created"
    for state in linstor.resource_list_raise().resource_states:
        assert state.in_use is False


def test_a_new_volume_is_deployed_and_deleted_on_all_nodes(linstor: Linstor, web: str) -> None:
    fine(linstor.volume_dfn_create(web, 8192))
    for resource in linstor.volume_list_raise().resources:
        assert [v.number for v in resource.volumes] == [0, 1]
    fine(linstor.volume_dfn_delete(web, 1))
    for resource in linstor.volume_list_raise().resources:
        assert [v.number for v in resource.volumes] == [0]


def test_encryption_is_never_silently_left_out(linstor: Linstor, web: str) -> None:
    assert code(linstor.volume_dfn_create(web, 8192, encrypt=True)) == 225
    assert code(linstor.resource_group_spawn("group", "secret", ["8MiB"], volume_passphrases=["secret"])) == 312
    assert [d.name for d in linstor.resource_dfn_list_raise().resource_definitions] == [web]


def test_encrypted_volumes_from_the_first_passphrase_to_another_key(linstor: Linstor, controller: Controller) -> None:
    assert code(linstor.crypt_enter_passphrase("one")) == 312
    fine(linstor.crypt_create_passphrase("one"))
    assert code(linstor.crypt_create_passphrase("one")) == 512
    assert code(linstor.crypt_modify_passphrase("two", "three")) == 216
    fine(linstor.crypt_modify_passphrase("one", "two"))
    assert code(linstor.crypt_enter_passphrase("one")) == 216
    (entered,) = linstor.crypt_enter_passphrase("two")
    assert (entered.is_success(), entered.ret_code & 0x7FFF) == (True, 4)

    fine(linstor.resource_dfn_create("safe", layer_list=["luks", "storage"]))
    fine(linstor.volume_dfn_create("safe", 8192, encrypt=True))
    fine(linstor.resource_create([ResourceData("alpha", "safe", storage_pool="pool1")]))
    (found,) = linstor.volume_list_raise(["alpha"], None, ["safe"]).resources
    assert found.volumes[0].device_path.startswith("/dev/mapper/orlop-safe_00000")
    ((before,),) = [v.keys for v in controller.cluster.core.picture.definitions["safe"].volume_definitions]
    fine(linstor.volume_dfn_modify_passphrase("safe", 0, "own key"))
    controller.pass_time(30)
    ((after,),) = [v.keys for v in controller.cluster.core.picture.definitions["safe"].volume_definitions]
    assert before.uuid != after.uuid
    assert linstor.crypt_status()[0].status == "unlocked"
    fine(linstor.resource_dfn_delete("safe"))


def test_replication_is_never_silently_left_out(linstor: Linstor, web: str) -> None:
    assert code(linstor.resource_auto_place(web, 3, layer_list=["drbd", "storage"])) == 225
    fine(linstor.resource_dfn_create("asked", layer_list=["drbd", "storage"]))
    assert code(linstor.resource_auto_place("asked", 2)) == 996
    fine(linstor.resource_dfn_delete("asked"))
    answer = linstor.resource_dfn_create("other")
    fine(answer)
    assert any("nothing is replicated" in entry.message for entry in answer)


def test_a_resource_is_inactive_until_it_is_activated(linstor: Linstor, web: str) -> None:
    fine(linstor.resource_deactivate("alpha", web))
    (resource,) = linstor.resource_list_raise(["alpha"], [web]).resources
    assert "INACTIVE" in resource.flags
    fine(linstor.resource_activate("alpha", web))
    (resource,) = linstor.resource_list_raise(["alpha"], [web]).resources
    assert "INACTIVE" not in resource.flags


def test_connections_between_nodes_of_a_resource_need_both(linstor: Linstor, web: str) -> None:
    fine(linstor.resource_conn_modify(web, "alpha", "bravo", {"Aux/a": "b"}, []))
    (connection,) = linstor.resource_conn_list_raise(web).resource_connections
    assert connection.properties == {"Aux/a": "b"}
    assert code(linstor.resource_conn_modify(web, "alpha", "charlie", {"Aux/a": "b"}, [])) == 302


def test_toggling_a_disk_never_gives_up_the_only_copy(linstor: Linstor, web: str) -> None:
    assert code(linstor.resource_toggle_disk("alpha", web, diskless=True)) == 225
    assert code(linstor.resource_toggle_disk("charlie", web, migrate_from="alpha")) == 302
    assert {r.node_name for r in linstor.resource_list_raise().resources} == {"alpha", "bravo"}


# -- snapshots ------------------------------------------------------------------------------------------------


def test_snapshots_of_several_resources_are_taken_together(linstor: Linstor, web: str) -> None:
    fine(linstor.resource_group_spawn("group", "mail", ["8MiB"]))
    fine(linstor.snapshot_create_multi(["alpha"], [web], "one"))
    fine(linstor.snapshot_create_multi([], [web, "mail"], "both"))
    found = {(s.rsc_name, s.name): s for s in linstor.snapshot_dfn_list_raise().snapshots}
    assert found.keys() == {(web, "one"), (web, "both"), ("mail", "both")}
    assert found[web, "one"].nodes == ["alpha"]
    assert all("SUCCESSFUL" in s.flags for s in found.values())


def test_a_snapshot_is_restored_onto_one_node_and_deleted_from_one(linstor: Linstor, web: str) -> None:
    fine(
        linstor.snapshot_create([], web, "snap", False),
        linstor.resource_dfn_create("copy"),
        linstor.snapshot_volume_definition_restore(web, "snap", "copy"),
        linstor.snapshot_resource_restore(["bravo"], web, "snap", "copy"),
        linstor.snapshot_delete(web, "snap", ["alpha"]),
    )
    assert [r.node_name for r in linstor.resource_list_raise(filter_by_resources=["copy"]).resources] == ["bravo"]
    (snapshot,) = linstor.snapshot_dfn_list_raise(filter_by_resources=[web]).snapshots
    assert snapshot.nodes == ["bravo"]
    fine(linstor.snapshot_delete(web, "snap"), linstor.snapshot_delete(web, "snap"))


def test_a_snapshot_is_not_restored_into_what_exists(linstor: Linstor, web: str) -> None:
    fine(linstor.snapshot_create([], web, "snap", False))
    assert code(linstor.snapshot_resource_restore([], web, "snap", web)) == 502
    assert code(linstor.snapshot_volume_definition_restore(web, "snap", web)) == 503


def test_a_resource_is_cloned_and_its_source_deleted(linstor: Linstor, web: str) -> None:
    started = linstor.resource_dfn_clone(web, "copy", use_zfs_clone=True, property_dict={"Aux/x": "1"})
    assert (started.clone_name, started.source_name) == ("copy", web)
    assert not any(message.is_error() for message in started.messages)
    assert linstor.resource_dfn_clone_wait_complete(web, "copy", wait_interval=0.1, timeout=30)
    fine(linstor.resource_dfn_delete(web))
    (definition,) = linstor.resource_dfn_list_raise(True, filter_by_resource_definitions=["copy"]).resource_definitions
    assert (definition.flags, definition.properties["Aux/x"]) == ([], "1")
    assert {r.node_name for r in linstor.resource_list_raise().resources} == {"alpha", "bravo"}


def test_asking_about_a_clone_that_is_not_there_raises(linstor: Linstor, web: str) -> None:
    with pytest.raises(LinstorApiCallError, match="not found"):
        linstor.resource_dfn_clone_status(web, "none")


# -- the controller -------------------------------------------------------------------------------------------


def test_properties_of_the_controller_are_set_and_removed(linstor: Linstor) -> None:
    fine(linstor.controller_set_prop("Aux/site", "north"))
    assert linstor.controller_props()[0].properties["Aux/site"] == "north"
    fine(linstor.controller_del_prop("Aux/site"))
    assert "Aux/site" not in linstor.controller_props()[0].properties
    assert code(linstor.controller_set_prop("NoSuchKey", "x")) == 213


def test_the_version_is_understood(linstor: Linstor) -> None:
    version = linstor.controller_version()
    assert version.version
    assert version.build_time
    assert version.rest_api_version.startswith("1.")


def test_there_are_no_error_reports_at_first(linstor: Linstor) -> None:
    assert linstor.error_report_list() == []


def test_unused_devices_are_listed(linstor: Linstor) -> None:
    assert linstor.physical_storage_list().physical_devices == []


def test_devices_of_a_node_that_is_away_cannot_be_listed(controller: Controller) -> None:
    controller.cluster.nodes["charlie"].stop()
    controller.pass_time(30)
    answer = controller.request("GET", "/v1/physical-storage/charlie")
    assert (answer.status, answer.codes) == (500, [995])
    assert controller.request("GET", "/v1/physical-storage").body == []
    assert controller.request("GET", "/v1/error-reports").body == []


def test_stores_of_keys_have_names_spaces_and_ends(controller: Controller) -> None:
    store = KV("settings", uri=controller.uri, namespace="/vm/1")
    store["name"] = "web"
    store.namespace = "/"
    store["other"] = "x"
    assert dict(KV("settings", uri=controller.uri).items()) == {"vm/1/name": "web", "other": "x"}
    store.clear()
    assert dict(KV("settings", uri=controller.uri).items()) == {}


def test_a_resource_object_is_built_from_outside(controller: Controller) -> None:
    controller.add_group("group")
    resource = Resource("Büro 1", uri=controller.uri, resource_group="group")
    resource.volumes[0] = Volume("16 MiB")
    resource.placement.redundancy = 2
    resource.autoplace()
    found = Resource("Büro 1", uri=controller.uri)
    assert len(found.diskful_nodes()) == 2
    assert found.volumes[0].size == 16 << 20
    found.volumes[0].size = 32 << 20
    assert Resource("Büro 1", uri=controller.uri).volumes[0].size == 32 << 20
    found.delete()


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.remote_create_s3("rem", "host", "bucket", "region", "key", "secret"),
        lambda c: c.remote_delete("rem"),
        lambda c: c.backup_create("rem", "web"),
        lambda c: c.schedule_create("daily", "0 3 * * *"),
        lambda c: c.file_modify("/etc/x", b"x"),
        lambda c: c.file_deploy("/etc/x", "web"),
        lambda c: c.controller_backupdb("copy"),
    ],
)
def test_what_is_not_part_of_this_version_is_an_error_entry(linstor: Linstor, call: Any) -> None:
    assert code(call(linstor)) == NOT_PART_OF_THIS_VERSION


def test_lists_of_remotes_are_empty(linstor: Linstor) -> None:
    (remotes,) = linstor.remote_list()
    assert (remotes.s3_remotes, remotes.linstor_remotes, remotes.ebs_remotes) == ([], [], [])


def test_asking_about_what_is_not_there_raises(linstor: Linstor) -> None:
    with pytest.raises(LinstorApiCallError, match="not found"):
        linstor.resource_dfn_sync_status("none")


def test_a_resource_on_a_node_that_is_away_is_promised_with_a_warning(
    linstor: Linstor, controller: Controller, web: str
) -> None:
    controller.cluster.nodes["charlie"].stop()
    controller.pass_time(30)
    (node,) = linstor.node_list_raise(["charlie"]).nodes
    assert node.connection_status == "OFFLINE"
    answer = linstor.resource_create([ResourceData("charlie", web, storage_pool="pool1")])
    fine(answer)
    assert any(entry.is_warning() and entry.ret_code & 0x7FFF == 1002 for entry in answer)
    controller.cluster.nodes["charlie"].start()
    controller.pass_time(30)
    (resource,) = linstor.resource_list_raise(["charlie"], [web]).resources
    assert resource.volumes[0].device_path.startswith("/dev/")
