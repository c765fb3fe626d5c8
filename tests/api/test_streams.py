"""Event streams, the limits they share with commands, metrics and health."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.test import TestResponse

from orlop.controller.api.limits import Busy, Limits
from orlop.controller.events import DEEPEST
from orlop.model import Presence
from tests.api.cluster import Cluster
from tests.api.test_conventions import entries, node
from tests.api.test_views import deployed, seen


def listen(api: FlaskClient, path: str) -> tuple[TestResponse, Iterator[bytes]]:
    answer = api.get(path, buffered=False, headers={"Accept-Encoding": "gzip", "Last-Event-ID": "7"})
    assert answer.status_code == 200
    assert answer.mimetype == "text/event-stream"
    frames = answer.iter_encoded()
    assert next(frames) == b": connected\n\n"
    return answer, frames


def event(frame: bytes) -> tuple[str, dict[str, Any]]:
    name, data = frame.decode().strip().split("\n")
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_nodes_are_told_as_they_come_change_and_go(api: FlaskClient, cluster: Cluster) -> None:
    answer, frames = listen(api, "/v1/events/nodes")
    api.post("/v1/nodes", json=node("alpha"))
    found = [event(next(frames)) for _ in range(2)]
    assert [name for name, _ in found] == ["node-modified", "node-create"]
    assert found[0][1]["old_node"]["connection_status"] == "OFFLINE"
    assert found[0][1]["new_node"]["connection_status"] == "ONLINE"
    assert found[1][1]["node"]["name"] == "alpha"
    for method, path, expected in (
        ("PUT", "/v1/nodes/alpha/evacuate", "node-evacuate"),
        ("PUT", "/v1/nodes/alpha/restore", "node-restored"),
        ("PUT", "/v1/nodes/alpha/evict", "node-evicted"),
    ):
        api.open(path, method=method)
        assert event(next(frames))[0] == expected
    answer.close()


def test_resources_are_told_when_they_or_their_reports_change(api: FlaskClient, cluster: Cluster) -> None:
    answer, frames = listen(api, "/v1/orlop/events/resources")
    deployed(cluster, "db1", "alpha")
    assert event(next(frames)) == ("changed", {"resource_name": "db1"})
    assert event(next(frames)) == ("changed", {"resource_name": "db1"})
    seen(cluster, "db1", "alpha", presence=Presence.MISSING)
    assert event(next(frames)) == ("changed", {"resource_name": "db1"})
    answer.close()


def test_a_listener_who_is_too_slow_is_cut_off(api: FlaskClient, cluster: Cluster) -> None:
    answer, frames = listen(api, "/v1/orlop/events/resources")
    for _ in range(DEEPEST + 1):
        cluster.core.events.resource_changed("db1")
    assert len(list(frames)) < DEEPEST
    answer.close()


def test_a_closed_stream_gives_its_place_back(application: Flask, api: FlaskClient, cluster: Cluster) -> None:
    streams = 64 // 8
    open_streams = [listen(api, "/v1/events/drbd/promotion")[0] for _ in range(streams)]
    refused = api.get("/v1/events/nodes")
    assert refused.status_code == 503
    assert refused.headers["Retry-After"]
    entries(refused)
    assert api.get("/health").status_code == 200
    open_streams.pop().close()
    listen(api, "/v1/events/nodes")[0].close()
    for stream in open_streams:
        stream.close()


def test_commands_streams_and_those_who_wait_take_at_most_half_of_the_threads() -> None:
    for threads in (8, 16, 64, 100):
        limits = Limits(threads)
        assert limits.streams + limits.waits + limits.commands <= threads // 2
    with pytest.raises(ValueError, match="too few"):
        Limits(4)


def test_a_command_beyond_the_limit_is_refused_and_lists_are_not() -> None:
    limits = Limits(8)
    held = [limits.command() for _ in range(limits.commands)]
    for place in held:
        place.__enter__()
    with pytest.raises(Busy), limits.command():
        pass
    held.pop().__exit__(None, None, None)
    with limits.command():
        pass


def metrics(api: FlaskClient, query: str = "") -> dict[str, dict[tuple[str, ...], float]]:
    answer = api.get(f"/metrics{query}")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return {
        sample.name: {tuple(s.labels.values()): s.value for s in family.samples}
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_tell_the_state_of_everything(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha", "bravo", in_use=True)
    cluster.disconnect("bravo")
    found = metrics(api)
    assert found["linstor_node_state"] == {("alpha", "SATELLITE"): 2, ("bravo", "SATELLITE"): 0}
    assert found["linstor_resource_definition_count"] == {(): 1}
    assert found["linstor_resource_definition_resource_count"] == {("db1",): 2}
    assert found["linstor_resource_state"] == {("alpha", "db1"): 1, ("bravo", "db1"): -1}
    assert sorted(found["linstor_volume_state"].values()) == [-1, 2]
    assert list(found["linstor_volume_allocated_size_bytes"].values()) == [12 * 1024]
    assert list(found["linstor_volume_definition_size_bytes"].values()) == [8 << 20]
    assert len(found["linstor_storage_pool_error_count"]) == 4
    assert "linstor_info" in found
    first = next(iter(found["linstor_scrape_requests_count"].values()))
    assert next(iter(metrics(api)["linstor_scrape_requests_count"].values())) == first + 1


def test_groups_of_metrics_can_be_left_out(api: FlaskClient, cluster: Cluster) -> None:
    deployed(cluster, "db1", "alpha")
    found = metrics(api, "?resource=false&storage_pools=False&error_reports=false")
    assert not {name for name in found if "volume" in name or "storage_pool" in name or "error" in name}
    assert "linstor_node_state" in found


def test_health_is_silent_when_all_is_well(api: FlaskClient) -> None:
    answer = api.get("/health")
    assert (answer.status_code, answer.data) == (200, b"")


def test_whoever_comes_by_finds_a_page(api: FlaskClient) -> None:
    answer = api.get("/")
    assert answer.status_code == 200
    assert "Orlop" in answer.text
