"""Waiting over HTTP: one question, a long poll, a stream; what is refused, and what a waiting request holds."""

import threading
import time
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from msgspec.structs import replace

from orlop.codes import Fail
from orlop.controller.api import create_application
from orlop.controller.error_reports import ErrorReports
from orlop.model import MIB, Presence
from tests.api.cluster import Cluster
from tests.api.test_conventions import entries
from tests.api.test_streams import event, listen
from tests.api.test_views import deployed, put, seen, with_node

WAIT = "/v1/orlop/wait"


@pytest.fixture
def half(cluster: Cluster) -> Cluster:
    """Two copies that replicate nothing; only alpha's is there."""
    deployed(cluster, "web", "alpha", "bravo")
    seen(cluster, "web", "bravo", presence=Presence.ABSENT)
    return cluster


def ask(api: FlaskClient, status: int = 200, **body: Any) -> Any:
    answer = api.post(WAIT, json={"resource": "web", "hold": 0, **body})
    assert answer.status_code == status, answer.text
    return answer.get_json() if status == 200 else entries(answer)


def test_what_is_satisfied_is_answered_at_once(api: FlaskClient, half: Cluster) -> None:
    assert ask(api, policy="count=1", hold=60) == {
        "resource_name": "web",
        "policy": "count=1",
        "satisfied": True,
        "timed_out": False,
        "conditions": [{"policy": "count=1", "satisfied": True, "said": "1 of 1 copy deployed"}],
    }


def test_what_is_not_says_who_is_missing_and_why(api: FlaskClient, half: Cluster) -> None:
    half.disconnect("bravo")
    found = ask(api, policy="count=2 or ratio=0.9", timeout=60)
    assert (found["satisfied"], found["timed_out"]) == (False, False)
    assert [c["said"] for c in found["conditions"]] == ["1 of 2 copies deployed"] * 2
    reason = "the node is away: it does not answer"
    assert found["missing"] == [{"node_name": "bravo", "volume_number": 0, "reason": reason, "stalled": True}]


def test_the_timeout_is_told_apart_from_the_end_of_one_poll(api: FlaskClient, half: Cluster) -> None:
    assert ask(api, policy="count=2", timeout=0)["timed_out"]
    assert ask(api, policy="count=2", timeout=0.05, hold=60)["timed_out"]
    assert not ask(api, policy="count=2", timeout=60, hold=0.05)["timed_out"]
    assert not ask(api, policy="count=2")["timed_out"]
    assert not ask(api, policy="count=1", timeout=0)["timed_out"]


def test_a_poll_ends_as_soon_as_a_satellite_reports(api: FlaskClient, application: Flask, half: Cluster) -> None:
    found: list[Any] = []
    poll = threading.Thread(target=lambda: found.append(ask(application.test_client(), policy="all", hold=60)))
    poll.start()
    time.sleep(0.1)
    assert not found
    seen(half, "web", "bravo")
    poll.join(10)
    assert found[0]["satisfied"]


REFUSED = [
    ({"policy": "count=3"}, 500, Fail.INVLD_REQUEST, "can never be satisfied"),
    ({"policy": "redundancy=2"}, 500, Fail.INVLD_REQUEST, "can never be satisfied"),
    ({"policy": "count=0"}, 500, Fail.INVLD_REQUEST, "no number of copies"),
    ({"policy": "count=1 or"}, 500, Fail.INVLD_REQUEST, "cannot be understood"),
    ({"policy": "godot"}, 500, Fail.INVLD_PROVIDER, "no orlop.wait_for driver"),
    ({"resource": "none"}, 404, Fail.NOT_FOUND_RSC_DFN, "not found"),
    ({"volume_number": 7}, 404, Fail.NOT_FOUND_VLM_DFN, "no volume 7"),
    ({"snapshot": "daily"}, 404, Fail.NOT_FOUND_SNAPSHOT, "not found"),
    ({"size_kib": 1}, 500, Fail.INVLD_REQUEST, "of one volume"),
    ({"size_kib": 1 << 30, "volume_number": 0}, 500, Fail.INVLD_VLM_SIZE, "is to have"),
]


@pytest.mark.parametrize(("body", "status", "code", "message"), REFUSED)
def test_what_is_of_no_use_is_refused_at_once(
    api: FlaskClient, half: Cluster, body: dict[str, Any], status: int, code: Fail, message: str
) -> None:
    (entry,) = ask(api, status, **{"hold": 60, **body})
    assert message in entry["message"]
    assert entry["ret_code"] & 0x7FFF == code
    query = {"resource": "web", **body}
    assert api.get(WAIT, query_string=query).status_code == status


@pytest.mark.parametrize("body", [{"hold": 61}, {"timeout": -1}, {"timeout": "soon"}, {"policy": 3}, {"hold": "nan"}])
def test_what_cannot_be_read_is_told(api: FlaskClient, half: Cluster, body: dict[str, Any]) -> None:
    assert api.post(WAIT, json={"resource": "web", **body}).status_code == 400


def test_a_size_is_waited_for(api: FlaskClient, half: Cluster) -> None:
    assert ask(api, volume_number=0, size_kib=0)["missing"][0]["node_name"] == "bravo"
    seen(half, "web", "bravo", size=4 * MIB)
    assert ask(api, volume_number=0, size_kib=0)["missing"][0]["reason"] == "it has 4096 KiB of 8192 KiB"
    assert ask(api, volume_number=0, size_kib=4096)["satisfied"]
    seen(half, "web", "bravo")
    assert ask(api, volume_number=0, size_kib=0)["satisfied"]


def test_without_a_policy_that_of_the_group_counts(api: FlaskClient, half: Cluster) -> None:
    assert ask(api)["policy"] == "all"
    api.put("/v1/resource-groups/DfltRscGrp", json={"override_props": {"Orlop/WaitFor/Resource": "count=1"}})
    assert ask(api)["policy"] == "count=1"
    assert ask(api, policy="ratio=1")["policy"] == "ratio=1"


@pytest.mark.parametrize("value", ["count=0", "godot", "count=1 or", "all=3"])
def test_a_group_takes_no_policy_that_makes_no_sense(api: FlaskClient, value: str) -> None:
    body = {"override_props": {"Orlop/WaitFor/Resource": value}}
    answer = api.put("/v1/resource-groups/DfltRscGrp", json=body)
    (entry,) = entries(answer)
    assert entry["ret_code"] & 0x7FFF == Fail.INVLD_PROP
    assert "redundancy=2" in entry["details"]
    assert api.post("/v1/resource-groups", json={"name": "fast", "props": body["override_props"]}).status_code == 500


# -- streams ------------------------------------------------------------------------------------------------------


def test_a_stream_tells_every_change_until_the_policy_is_satisfied(api: FlaskClient, half: Cluster) -> None:
    answer, frames = listen(api, f"{WAIT}?resource=web&policy=count%3D2&timeout=60")
    name, said = event(next(frames))
    assert (name, said["satisfied"], said["missing"][0]["reason"]) == ("progress", False, "being created")
    half.disconnect("bravo")
    assert "away" in event(next(frames))[1]["missing"][0]["reason"]
    half.satellites.watch(half.core.picture.nodes["bravo"])
    seen(half, "web", "bravo")
    told = [event(frame) for frame in frames]
    assert told[-1][0] == "done"
    assert told[-1][1]["satisfied"]
    answer.close()


def test_a_stream_ends_with_the_timeout(api: FlaskClient, half: Cluster) -> None:
    answer, frames = listen(api, f"{WAIT}?resource=web&timeout=0")
    ((name, said),) = [event(frame) for frame in frames]
    assert (name, said["satisfied"], said["timed_out"]) == ("done", False, True)
    answer.close()


def test_a_stream_says_when_waiting_comes_to_be_of_no_use(api: FlaskClient, half: Cluster) -> None:
    answer, frames = listen(api, f"{WAIT}?resource=web&policy=count%3D2")
    next(frames)
    definition = half.core.picture.definitions["web"]
    put(half, replace(definition, resources=definition.resources[:1]))
    name, told = event(next(frames))
    assert (name, told[0]["message"]) == (  # type: ignore[index]
        "refused",
        "The wait policy 'count=2' can never be satisfied for 'web'.",
    )
    assert list(frames) == []
    answer.close()


# -- limits -------------------------------------------------------------------------------------------------------


def test_who_waits_has_limited_places_and_keeps_no_command_out(
    cluster: Cluster, reports: ErrorReports, half: Cluster
) -> None:
    application = create_application(cluster.core, reports, threads=8)
    found: list[Any] = []

    def poll() -> None:
        found.append(ask(application.test_client(), policy="all", hold=30))

    waiting = threading.Thread(target=poll)
    waiting.start()
    time.sleep(0.1)
    api = application.test_client()
    refused = api.post(WAIT, json={"resource": "web", "policy": "all"})
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    for number in range(5):  # more than there are places
        assert (
            api.post("/v1/resource-definitions", json={"resource_definition": {"name": f"d{number}"}}).status_code
            == 201
        )
    seen(half, "web", "bravo")
    waiting.join(10)
    assert found[0]["satisfied"]
    assert ask(api, policy="all")["satisfied"]


def test_a_stream_that_ends_gives_its_place_back(cluster: Cluster, reports: ErrorReports, half: Cluster) -> None:
    api = create_application(cluster.core, reports, threads=8).test_client()
    for _ in range(3):
        answer, frames = listen(api, f"{WAIT}?resource=web&policy=count%3D1")
        assert event(next(frames))[0] == "done"
        answer.close()


# -- DRBD Manage --------------------------------------------------------------------------------------------------


def test_drbd_manages_keys_are_answered(api: FlaskClient, half: Cluster) -> None:
    path = "/v1/orlop/drbdmanage/drbdmanage.plugins.plugins.wait_for.WaitForResource"
    body = {"resource": "web", "count": "2", "starttime": "1", "timeout": "60"}
    assert api.post(path, json=body).get_json() == {"result": "false", "timeout": "true", "policy": "count"}
    assert api.post(f"{path}?original=true", json=body).get_json() == {"result": "false", "timeout": "true"}
    seen(half, "web", "bravo")
    assert api.post(path, json=body).get_json() == {"result": "true", "timeout": "false", "policy": "count"}
    assert api.post(path, json={"resource": "none", "count": "1"}).status_code == 404
    assert api.post(path, json={"resource": "web", "count": 1}).status_code in (200, 400)
    assert api.post("/v1/orlop/drbdmanage/WaitForGodot", json={"resource": "web"}).status_code == 500


# -- requests of a group with a policy ----------------------------------------------------------------------------


def spawn(api: FlaskClient, cluster: Cluster, policy: str) -> tuple[list[Any], float]:
    """Two copies, on alpha that works and on bravo that does not get on; and the seconds it took."""
    for name in ("alpha", "bravo"):
        with_node(cluster, name)
        cluster.satellites.pools_changed(name)
    cluster.satellites.idle.add("bravo")
    body = {"override_props": {"Orlop/WaitFor/Resource": policy, "Orlop/WaitFor/Timeout": "2"}}
    assert api.put("/v1/resource-groups/DfltRscGrp", json=body).status_code == 200
    started = time.monotonic()
    body = {"resource_definition_name": "web", "volume_sizes": [8192], "select_filter": {"place_count": 2}}
    answer = api.post("/v1/resource-groups/DfltRscGrp/spawn", json=body)
    assert answer.status_code == 201, answer.text
    return entries(answer), time.monotonic() - started


def said(found: list[Any]) -> str:
    return "\n".join(entry["message"] for entry in found)


def test_a_spawn_does_not_wait_for_a_slow_node_where_one_copy_is_enough(api: FlaskClient, cluster: Cluster) -> None:
    found, seconds = spawn(api, cluster, "count=1")
    assert seconds < 2
    assert "Node 'alpha' created 'web'." in said(found)
    assert "Node 'bravo' is still at work: it will be created." in said(found)
    assert "is satisfied: count=1: 1 of 1 copy deployed" in said(found)
    assert all(entry["ret_code"] & 0x8000000000000000 == 0 for entry in found)


def test_a_spawn_waits_for_every_copy_where_all_are_needed(api: FlaskClient, cluster: Cluster) -> None:
    found, seconds = spawn(api, cluster, "count=2")
    assert seconds >= 2
    assert "is not satisfied yet: count=2: 1 of 2 copies deployed" in said(found)
    (entry,) = [entry for entry in found if "not satisfied" in entry["message"]]
    assert entry["ret_code"] < 0
    assert entry["details"] == "Node 'bravo', volume 0: the node is at work"
    assert "orlop resource wait web" in entry["correction"]


def test_what_has_no_disk_is_waited_for_whatever_the_policy(api: FlaskClient, cluster: Cluster) -> None:
    """It counts for no policy, and whoever asked for it wants to use it."""
    cluster.satellites.drbd = {"alpha": "9.2.13", "bravo": "9.2.13"}
    for name in ("alpha", "bravo"):
        with_node(cluster, name)
        cluster.satellites.pools_changed(name)
    props = {"Orlop/WaitFor/Resource": "count=1", "Orlop/WaitFor/Timeout": "2"}
    api.put("/v1/resource-groups/DfltRscGrp", json={"override_props": props})
    body = {"resource_definition": {"name": "web", "layer_data": [{"type": "DRBD"}, {"type": "STORAGE"}]}}
    assert api.post("/v1/resource-definitions", json=body).status_code == 201
    volume = {"volume_definition": {"size_kib": 8192}}
    answer = api.post("/v1/resource-definitions/web/volume-definitions", json=volume)
    assert "wait policy" not in said(entries(answer))
    place = "/v1/resource-definitions/web/resources"
    assert "is satisfied" in said(
        entries(api.post(f"{place}/alpha", json={"resource": {"props": {"StorPoolName": "pool"}}}))
    )
    cluster.satellites.idle.add("bravo")
    started = time.monotonic()
    answer = api.post(f"{place}/bravo", json={"resource": {"flags": ["DRBD_DISKLESS"]}})
    assert answer.status_code == 201, answer.text
    assert time.monotonic() - started >= 2
