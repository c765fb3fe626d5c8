"""python-linstor, unchanged, against the API behind the server of the product: the outside judge."""

import contextlib
import gzip
import http.client
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import linstor
import pytest
from flask import Flask
from waitress import wasyncore
from waitress.server import create_server

from orlop.controller.api.limits import Limits
from orlop.controller.events import DEEPEST
from orlop.controller.reported import Status
from orlop.model import GIB
from tests.api.cluster import Cluster
from tests.api.test_views import deployed, with_node

THREADS = 64  # the default of the application


@pytest.fixture
def port(application: Flask, cluster: Cluster) -> Iterator[int]:
    """As the product serves it, with a loop that can be ended."""
    server = create_server(application, host="127.0.0.1", port=0, threads=THREADS, ident=None)
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            server.asyncore.loop(timeout=0.05, map=server._map, count=1)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield int(server.effective_port)
    finally:
        for _ in range(DEEPEST + 1):
            cluster.core.events.resource_changed("end")  # a stream that cannot follow ends
        stopped.set()
        thread.join()
        server.task_dispatcher.shutdown()
        wasyncore.close_all(server._map)


@pytest.fixture
def client(port: int) -> Iterator[linstor.Linstor]:
    with linstor.Linstor(f"linstor://127.0.0.1:{port}") as found:
        yield found


def succeeded(replies: list[linstor.responses.ApiCallResponse]) -> bool:
    assert replies
    return all(reply.is_success() or reply.is_info() for reply in replies)


@pytest.fixture
def ready(client: linstor.Linstor) -> linstor.Linstor:
    """Two nodes with a pool each."""
    for name in ("alpha", "bravo"):
        assert succeeded(client.node_create(name, linstor.consts.VAL_NODE_TYPE_STLT, "127.0.0.1"))
        assert succeeded(client.storage_pool_create(name, "pool", "FILE_THIN", "/srv/orlop"))
    return client


def test_a_volume_lives_from_creation_to_removal(ready: linstor.Linstor) -> None:
    assert succeeded(ready.resource_dfn_create("db1", layer_list=["storage"]))
    assert succeeded(ready.volume_dfn_create("db1", 64 * 1024))
    places = [linstor.linstorapi.ResourceData(node, "db1", storage_pool="pool") for node in ("alpha", "bravo")]
    assert succeeded(ready.resource_create(places))
    resources = ready.resource_list_raise().resources
    assert [(r.name, r.node_name) for r in resources] == [("db1", "alpha"), ("db1", "bravo")]
    volume = resources[0].volumes[0]
    assert (volume.storage_pool_name, volume.device_path) == ("pool", "/dev/loop0")
    assert volume.state.disk_state == "Created"
    assert ready.resource_list_raise().resource_states[0].in_use is False
    assert succeeded(ready.snapshot_create(["alpha", "bravo"], "db1", "snap", False))
    snapshot = ready.snapshot_dfn_list_raise().snapshots[0]
    assert (snapshot.name, snapshot.rsc_name) == ("snap", "db1")
    assert succeeded(ready.snapshot_delete("db1", "snap"))
    assert succeeded(ready.resource_delete("bravo", "db1"))
    assert succeeded(ready.resource_dfn_delete("db1"))
    assert ready.resource_list_raise().resources == []


def test_spawning_from_a_group_places_the_volumes(ready: linstor.Linstor) -> None:
    assert succeeded(ready.resource_group_create("fast", place_count=2, storage_pool=["pool"], layer_list=["storage"]))
    assert succeeded(ready.volume_group_create("fast"))
    assert succeeded(ready.resource_group_spawn("fast", "web", ["16M"]))
    assert len(ready.resource_list_raise(filter_by_resources=["web"]).resources) == 2
    assert ready.resource_group_list_raise().resource_groups[1].select_filter.place_count == 2
    sizes = ready.resource_group_qmvs("fast")[0]
    assert sizes.candidates[0].max_volume_size


def test_pools_and_nodes_are_listed_as_the_client_reads_them(ready: linstor.Linstor) -> None:
    nodes = ready.node_list_raise().nodes
    assert [n.name for n in nodes] == ["alpha", "bravo"]
    assert nodes[0].connection_status == "ONLINE"
    assert nodes[0].net_interfaces[0].address == "127.0.0.1"
    pools = [p for p in ready.storage_pool_list_raise().storage_pools if p.name == "pool"]
    assert pools[0].free_space.free_capacity == 60 * GIB // 1024
    assert pools[0].supports_snapshots() is True
    assert ready.physical_storage_list().physical_devices == []


def test_errors_arrive_as_errors(ready: linstor.Linstor) -> None:
    reply = ready.resource_dfn_create("not a name")[0]
    assert reply.is_error()
    assert reply.ret_code < 0 or reply.ret_code >= 1 << 63
    assert ready.node_delete("nobody")[0].is_warning()


def test_the_key_value_store_behaves_like_a_dictionary(port: int) -> None:
    store = linstor.KV("csi", uri=f"linstor://127.0.0.1:{port}")
    store["volume"] = "{}"
    assert linstor.KV("csi", uri=f"linstor://127.0.0.1:{port}")["volume"] == "{}"
    del store["volume"]
    assert list(linstor.KV("csi", uri=f"linstor://127.0.0.1:{port}")) == []


def test_the_server_keeps_encoded_slashes_apart(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/v1/nodes/a%2Fb")
    answer = connection.getresponse()
    assert answer.status == 404
    assert b"Node 'a/b' not found" in answer.read()
    connection.request("OPTIONS", "/v1/query-max-volume-size", body=b"{}")
    assert connection.getresponse().status == 200
    connection.close()


def test_events_leave_at_once(port: int, cluster: Cluster) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /v1/orlop/events/resources HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while b": connected\n\n" not in received:
            received += connection.recv(4096)
        cluster.core.events.resource_changed("db1")
        while b'"db1"' not in received:
            received += connection.recv(4096)


def test_lists_and_health_are_not_held_up_by_waiting_requests(port: int, cluster: Cluster) -> None:
    """Every place for a command is taken by one that waits; more of them are refused, reads are served."""
    released = threading.Event()
    waiting = Limits(THREADS).commands
    entered = threading.Semaphore(0)

    class Slow:
        def physical_storage(self, node: str) -> tuple[object, ...]:
            entered.release()
            released.wait()
            return ()

    with_node(cluster, "alpha")
    cluster.core.on_status("alpha", Status.ONLINE)
    cluster.core.links = Slow()  # type: ignore[assignment]

    def ask() -> None:
        with contextlib.suppress(urllib.error.HTTPError):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/physical-storage/alpha").read()

    threads = [threading.Thread(target=ask) for _ in range(waiting)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(waiting):
            entered.acquire()
        for path in ("/health", "/v1/view/resources", "/v1/nodes"):
            assert urllib.request.urlopen(f"http://127.0.0.1:{port}{path}").status == 200
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/physical-storage/alpha")
        assert refused.value.code == 503
        refused.value.close()
    finally:
        released.set()
        for thread in threads:
            thread.join()


def test_a_compressed_answer_is_readable(port: int, cluster: Cluster) -> None:
    for number in range(10):
        deployed(cluster, f"db{number}", "alpha")
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/view/resources", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(answer.read()).startswith(b"[{")
