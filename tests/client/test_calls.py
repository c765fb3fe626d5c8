"""The calls of the client: what they send, and the values that come back."""

import inspect
import json

import msgspec
import pytest
import responses

from orlop.client import Answer, Changes, Client, Entry, NewResource, SelectFilter
from orlop.client.client import Client as Whole
from orlop.client.values import NetInterface
from orlop.codes import Subject

URL = "http://localhost:3370/v1"
DONE = [{"ret_code": 1, "message": "done"}]


@pytest.fixture
def controller():
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def client():
    return Client(["localhost"])


def _sent(controller) -> tuple[str, str, object]:
    request = controller.calls[-1].request
    return request.method, request.path_url.removeprefix("/v1"), request.body and json.loads(request.body)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            lambda c: c.create_node("a", "COMBINED", [NetInterface(name="default", address="1.2.3.4")]),
            ("POST", "/nodes", {"name": "a", "type": "COMBINED",
                                "net_interfaces": [{"name": "default", "address": "1.2.3.4", "is_active": False}]}),
        ),
        (
            lambda c: c.modify_node("a", Changes(override={"k": "v"}, delete=("x",), delete_namespaces=("Aux",))),
            ("PUT", "/nodes/a", {"override_props": {"k": "v"}, "delete_props": ["x"], "delete_namespaces": ["Aux"]}),
        ),
        (lambda c: c.evacuate_node("a", target=["b"]), ("PUT", "/nodes/a/evacuate", {"target": ["b"]})),
        (
            lambda c: c.create_resources("db", [NewResource(node="a", storage_pool="ssd", flags=("INACTIVE",))]),
            ("POST", "/resource-definitions/db/resources",
             [{"resource": {"node_name": "a", "flags": ["INACTIVE"], "props": {"StorPoolName": "ssd"}}}]),
        ),
        (
            lambda c: c.autoplace("db", SelectFilter(place_count=2, replicas_on_same=[])),
            ("POST", "/resource-definitions/db/autoplace",
             {"select_filter": {"place_count": 2, "replicas_on_same": []}}),
        ),
        (lambda c: c.autoplace("db"), ("POST", "/resource-definitions/db/autoplace", {"select_filter": {}})),
        (
            lambda c: c.toggle_disk("db", "b", True, "ssd", "a"),
            ("PUT", "/resource-definitions/db/resources/b/toggle-disk",
             {"operation": "INTO_DRBD_DISKFUL", "storage_pool": "ssd", "migrate_from": "a"}),
        ),
        (
            lambda c: c.delete_resource("db", "a", keep_tiebreaker=True),
            ("DELETE", "/resource-definitions/db/resources/a?keep_tiebreaker=true", None),
        ),
        (
            lambda c: c.restore_resource("db", "s", "copy", ["a"], {"ssd": "hdd"}),
            ("POST", "/resource-definitions/db/snapshot-restore-resource/s",
             {"to_resource": "copy", "nodes": ["a"], "stor_pool_rename": {"ssd": "hdd"}}),
        ),
        (lambda c: c.enter_passphrase("geheim"), ("PATCH", "/encryption/passphrase", "geheim")),
        (
            lambda c: c.delete_controller_property("Aux/a b"),
            ("DELETE", "/controller/properties/Aux%2Fa%20b", None),
        ),
        (
            lambda c: c.modify_key_value_store("csi", Changes(delete_namespaces=("volume",))),
            ("PUT", "/key-value-store/csi", {"delete_namespaces": ["volume"]}),
        ),
        (lambda c: c.truncate_resource_definition("db"), ("DELETE", "/resource-definitions/db/resources", None)),
        (lambda c: c.evict_node("a"), ("PUT", "/nodes/a/evict", None)),
        (lambda c: c.accept_restore(), ("POST", "/orlop/accept-restore", None)),
    ],
)  # fmt: skip
def test_a_command_sends_what_the_api_wants(controller, client, call, expected):
    controller.add(expected[0], URL + expected[1].partition("?")[0], json=DONE)
    assert [entry.message for entry in call(client)] == ["done"]
    assert _sent(controller) == expected


def test_members_that_are_absent_or_new_do_no_harm(controller, client):
    controller.get(f"{URL}/view/resources", json=[{"name": "db", "node_name": "a", "new": {"x": 1}}])
    [resource] = client.resources()
    assert resource.state.in_use is None
    assert resource.volumes == ()


def test_numbers_may_come_as_strings(controller, client):
    controller.get(f"{URL}/resource-groups", json=[{"name": "g", "select_filter": {"place_count": "2"}}])
    assert client.resource_groups()[0].select_filter.place_count == 2


@pytest.mark.parametrize("answer", [{"node_a": "a", "node_b": "b"}, [{"node_a": "a", "node_b": "b"}]])
def test_a_connection_may_come_alone_or_in_a_list(controller, client, answer):
    controller.get(f"{URL}/resource-definitions/db/resource-connections/a/b", json=answer)
    assert client.resource_connection("db", "a", "b").node_b == "b"


@pytest.mark.parametrize("answer", [{"status": "locked"}, [{"status": "locked"}]])
def test_the_state_of_the_passphrase_may_come_alone_or_in_a_list(controller, client, answer):
    controller.get(f"{URL}/encryption/passphrase", json=answer)
    assert client.passphrase_status() == "locked"


def test_the_largest_volume_is_asked_for_with_options(controller, client):
    controller.add("OPTIONS", f"{URL}/query-max-volume-size", json={
        "candidates": [{"storage_pool": "ssd", "max_volume_size_kib": 5, "all_thin": True}],
        "default_max_oversubscription_ratio": 20,
    })  # fmt: skip
    assert client.max_volume_sizes(SelectFilter(place_count=1)).candidates[0].max_volume_size_kib == 5
    assert _sent(controller)[2] == {"place_count": 1}


def test_a_store_that_does_not_exist_is_empty(controller, client):
    controller.get(f"{URL}/key-value-store/none", json=[])
    assert client.key_value_store("none") == {}


def test_what_is_orlops_own_is_read(controller, client):
    controller.get(f"{URL}/orlop/orphans", json=[{"node_name": "a", "name": "x_00000", "size_kib": 4}])
    controller.get(f"{URL}/orlop/jobs", json=[{"uuid": "1", "kind": "rollback", "resource_name": "db"}])
    controller.get(f"{URL}/orlop/differences", json=[{"node_name": "a", "wanted": "1 GiB", "found": "nothing"}])
    controller.post(f"{URL}/orlop/nodes/a/join-command", json={"command": "join", "token": "geheim", "expires_at": 5})
    assert client.orphans()[0].size_kib == 4
    assert client.jobs()[0].resource_name == "db"
    assert client.differences(["a"])[0].found == "nothing"
    assert client.join_command("a").token == "geheim"
    assert "geheim" not in repr(client.join_command("a"))


@pytest.mark.parametrize("verb", ["verify", "invalidate", "connect", "disconnect", "pause_sync", "resume_sync"])
def test_what_is_done_once_is_asked_of_a_node_and_maybe_for_one_peer(controller, client, verb):
    where = f"{URL}/orlop/resource-definitions/db/resources/a/{verb.replace('_', '-')}"
    controller.post(where, json=[{"ret_code": 1, "message": "done"}])
    getattr(client, verb)("db", "a")
    assert _sent(controller)[2] == {}
    getattr(client, verb)("db", "a", "b")
    assert _sent(controller)[2] == {"peer": "b"}


@pytest.mark.parametrize("role", ["primary", "secondary"])
def test_a_role_is_asked_of_a_node(controller, client, role):
    controller.post(
        f"{URL}/orlop/resource-definitions/db/resources/a/{role}", json=[{"ret_code": 1, "message": "done"}]
    )
    assert not getattr(client, f"make_{role}")("db", "a").errors


def test_a_split_brain_is_read_and_ended(controller, client):
    side = {"node_name": "a", "in_use": True, "generations": ["1", "0"], "out_of_sync_kib": 4}
    found = {"resource_name": "db", "node_a": "a", "certain": True, "volumes": [{"volume_number": 1, "sides": [side]}]}
    controller.get(f"{URL}/orlop/split-brains", json=[found])
    (split,) = client.split_brains(["db"])
    assert split.volumes[0].sides[0].out_of_sync_kib == 4
    controller.post(
        f"{URL}/orlop/resource-definitions/db/resolve-split-brain", json=[{"ret_code": 1, "message": "done"}]
    )
    client.resolve_split_brain("db", "b")
    assert _sent(controller)[2] == {"victim": "b"}
    client.resolve_split_brain("db", "b", "kept")
    assert _sent(controller)[2] == {"victim": "b", "snapshot": "kept"}


def test_a_code_is_taken_apart():
    entry = Entry(ret_code=-4611686018427387904 | 0x1000000 | 0x340000 | 502)
    assert (entry.severity, entry.operation, entry.subject, entry.code) == ("ERROR", "CREATE", Subject.RSC, 502)
    assert Entry(ret_code=-9223372036854775808 | 3000).is_warning
    assert Entry(ret_code=0x4000000000000000 | 10002).severity == "INFO"
    assert Entry(ret_code=-3458764513820540929).is_error


def test_an_answer_knows_the_name_that_was_made_up():
    answer = Answer([Entry(ret_code=1), Entry(ret_code=1, obj_refs={"RscDfn": "x1"})])
    assert answer.reference("RscDfn") == "x1"
    assert answer.reference("Node") is None


def test_an_entry_is_sent_on_as_it_came():
    came = {"ret_code": 1, "message": "m", "obj_refs": {"Node": "a"}, "created_at": "2026-01-01T00:00:00+00:00"}
    assert msgspec.to_builtins(msgspec.convert(came, Entry)) == came


def test_every_call_has_types():
    for name, method in inspect.getmembers(Whole, inspect.isfunction):
        if not name.startswith("_"):
            assert "return" in method.__annotations__, name


def test_a_placement_is_explained(controller, client):
    pool = {"storage_pool_name": "ssd", "points": {"free space": 1.0}, "chosen": True}
    found = {"possible": True, "summary": "yes", "nodes": [{"node_name": "a", "pools": [pool]}]}
    controller.post(f"{URL}/orlop/resource-definitions/db/explain-placement", json=found)
    assert client.explain_placement("db").nodes[0].pools[0].points == {"free space": 1.0}
    controller.post(f"{URL}/orlop/resource-groups/fast/explain-placement", json=found)
    assert client.explain_spawn("fast", [4096]).possible
    assert _sent(controller)[2] == {"select_filter": {}, "volume_sizes": [4096]}


def test_the_free_space_for_a_redundancy_is_read(controller, client):
    controller.get(f"{URL}/orlop/free-space", json={"redundancy": 2, "max_volume_size_kib": 8, "free_kib": 12})
    assert client.free_space(2, pools=["ssd"]).max_volume_size_kib == 8
