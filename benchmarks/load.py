"""Clients in a process of their own: `python -m benchmarks.load PORT CLIENTS SECONDS KIND PREFIX`.

KIND is `spawn` (each request makes a resource with all its replicas) or `list`. Prints `ready`, then one line of JSON.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from typing import NamedTuple

from benchmarks.processes import GZIP, PATIENCE, BenchmarkError, Client
from benchmarks.seed import GROUP


class Done(NamedTuple):
    """What all clients did; times in seconds."""

    requests: int
    seconds: float
    times: list[float]
    failures: list[str]


class Load:
    def __init__(self, port: int, kind: str, prefix: str, seconds: float) -> None:
        self._port, self._kind, self._prefix = port, kind, prefix
        self._until = time.perf_counter() + seconds
        self.times: list[float] = []
        self.failures: list[str] = []

    def work(self, client: int) -> None:
        connection = Client(self._port)
        number = 0
        while (began := time.perf_counter()) < self._until:
            number += 1
            try:
                self._once(connection, f"{self._prefix}-{client}-{number}")
                self.times.append(time.perf_counter() - began)
            except (BenchmarkError, OSError, http.client.HTTPException) as error:
                self.failures.append(str(error)[:300])
                time.sleep(0.2)
        connection.close()

    def _once(self, connection: Client, name: str) -> None:
        if self._kind == "list":
            connection.request("GET", "/v1/view/resources", headers=GZIP)
            return
        body = {"resource_definition_name": name, "volume_sizes": [4096]}
        connection.request("POST", f"/v1/resource-groups/{GROUP}/spawn", body)


def main() -> None:
    port, clients, seconds, kind, prefix = sys.argv[1:]
    print("ready", flush=True)
    began = time.perf_counter()
    load = Load(int(port), kind, prefix, float(seconds))
    # Daemons: a request to a satellite that hangs must not keep the benchmark waiting.
    threads = [threading.Thread(target=load.work, args=(number,), daemon=True) for number in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, began + float(seconds) + 1.0 - time.perf_counter()))
    while not (load.times or load.failures) and time.perf_counter() - began < PATIENCE:
        time.sleep(0.05)  # a machine so busy that nothing was answered yet
    spent = time.perf_counter() - began
    print(json.dumps(Done(len(load.times), spent, load.times, load.failures[:5])._asdict()), flush=True)


if __name__ == "__main__":
    main()
