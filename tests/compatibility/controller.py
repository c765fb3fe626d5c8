"""A controller on a loopback port, over a cluster that is simulated below the programs that nodes run.

Requests are real HTTP, answered by the real application, controller and satellites; no root is needed.
"""

from __future__ import annotations

import contextlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from orlop.controller.api import create_application
from orlop.controller.error_reports import ErrorReports
from orlop.errors import TransportError
from orlop.model import Node
from orlop.testing.cluster import POOL, SimulatedCluster
from orlop.testing.cluster_links import SimulatedChannel
from orlop.transport.messages import Fence
from tests.serving import Serving

NODES = ("alpha", "bravo", "charlie")
BETWEEN_REQUESTS = 3.0  # simulated seconds; nothing moves while nobody asks


class Answer(NamedTuple):
    """What came back over HTTP; `entries` of a command, `body` of anything."""

    status: int
    body: Any
    headers: dict[str, str]

    @property
    def codes(self) -> list[int]:
        """The codes without severity, operation and object."""
        return [entry["ret_code"] & 0x7FFF for entry in self.body]

    @property
    def text(self) -> str:
        return " ".join(str(v) for entry in self.body for v in entry.values() if isinstance(v, str))


class Cluster(SimulatedCluster):
    """Takes nodes of any name; those without a machine behind them are never reached."""

    def dial(self, node: Node, fence: Fence) -> SimulatedChannel:
        if node.name not in self.nodes:
            raise TransportError(f"there is no machine {node.name}")
        return super().dial(node, fence)


class Controller:
    """The REST server over `cluster`. Requests are served one at a time, since the cluster is single-threaded."""

    def __init__(self, reports: Path, nodes: Iterable[str] = NODES, drbd: bool | str = False) -> None:
        self.cluster = Cluster(nodes, drbd=drbd)
        self.reports = ErrorReports(reports, self.cluster.clock, node="controller")
        self._application = create_application(self.cluster.core, self.reports, threads=16)
        self._lock = threading.Lock()
        self._serving = Serving(self.serve, threads=16)
        self.port = self._serving.port

    def serve(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI: what `port` answers with."""
        with self._lock:
            self.cluster.run(BETWEEN_REQUESTS)
            return self._application(environ, start_response)

    def pass_time(self, seconds: float) -> None:
        with self._lock:
            self.cluster.run(seconds)

    @property
    def uri(self) -> str:
        return f"linstor://127.0.0.1:{self.port}"

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """`body` is sent as JSON, or as it is if it is bytes; no Content-Type unless it is given."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.port}{path}"
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return _answer(response.status, response.read(), response.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _answer(error.code, error.read(), error.headers)

    def everything(self) -> Any:
        """All that is wanted: what must not change when a request is refused."""
        return self.cluster.core.picture

    def add_nodes(self) -> None:
        for name in self.cluster.nodes:
            body = {
                "name": name,
                "type": "Satellite",
                "net_interfaces": [
                    {
                        "name": "default",
                        "address": "127.0.0.1",
                        "satellite_port": 3366,
                        "satellite_encryption_type": "plain",
                        "is_active": True,
                    }
                ],
            }
            assert self.request("POST", "/v1/nodes", body).status == 201
            pool = {
                "storage_pool_name": "pool1",
                "provider_kind": "FILE_THIN",
                "props": {"StorDriver/StorPoolName": POOL},
            }
            assert self.request("POST", f"/v1/nodes/{name}/storage-pools", pool).status == 201

    def add_group(self, group: str, resource: str | None = None) -> None:
        """A resource group of one volume and two copies; with a resource on alpha and bravo if it has a name."""
        body = {"name": group, "select_filter": {"place_count": 2, "storage_pool_list": ["pool1"]}}
        assert self.request("POST", "/v1/resource-groups", body).status == 201
        assert self.request("POST", f"/v1/resource-groups/{group}/volume-groups", {}).status == 201
        if resource:
            spawn = {
                "resource_definition_name": resource,
                "volume_sizes": [65536],
                "select_filter": {"node_name_list": ["alpha", "bravo"]},
            }
            assert self.request("POST", f"/v1/resource-groups/{group}/spawn", spawn).status == 201

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Nobody answers meanwhile."""
        self._serving.close()
        try:
            yield
        finally:
            self._serving = Serving(self.serve, threads=16, port=self.port)

    def close(self) -> None:
        self._serving.end_requests()
        self._serving.close()


def _answer(status: int, content: bytes, headers: Any) -> Answer:
    kind = headers.get("Content-Type", "")
    body = json.loads(content) if kind.startswith("application/json") else content.decode()
    return Answer(status, body, dict(headers.items()))
