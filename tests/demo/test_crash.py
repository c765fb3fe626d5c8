"""Controller and satellites are killed with SIGKILL at random moments while resources come and go."""

from __future__ import annotations

import http.client
import json
import os
import random
import threading
import time
import urllib.request
from typing import Any

import pytest

from demo import machine
from demo.cluster import CONTROLLER, Cluster

pytestmark = pytest.mark.root
KILLS = 50
MIB = 1 << 20
PATIENCE = 120.0  # seconds for everything to come to rest at the end


class Traffic(threading.Thread):
    """Makes, snapshots and deletes resources; nearly every request may fail, since the other side is being killed."""

    def __init__(self, cluster: Cluster, number: int, seed: int) -> None:
        super().__init__(name=f"traffic-{number}")
        self.cluster = cluster
        self.number = number
        self.chance = random.Random(seed)
        self.ended = threading.Event()
        self.done = 0  # requests that were answered with success

    def run(self) -> None:
        count = 0
        while not self.ended.is_set():
            count += 1
            name = f"r{self.number}x{count % 6}"
            self.request("POST", "/v1/resource-groups/crash/spawn", resource_definition_name=name, volume_sizes=[4096])
            if self.chance.random() < 0.6:
                self.request("POST", f"/v1/resource-definitions/{name}/snapshots", name="snap1")
            if self.chance.random() < 0.3:
                self.request("DELETE", f"/v1/resource-definitions/{name}/snapshots/snap1")
            if self.chance.random() < 0.3:
                self.request("PUT", f"/v1/resource-definitions/{name}/volume-definitions/0", size_kib=8192)
            if self.chance.random() < 0.8:
                self.request("DELETE", f"/v1/resource-definitions/{name}/snapshots/snap1")
                self.request("DELETE", f"/v1/resource-definitions/{name}")

    def request(self, method: str, path: str, **body: Any) -> None:
        if call(self.cluster, method, path, body, seconds=5):
            self.done += 1
        else:
            self.ended.wait(0.02)


def call(cluster: Cluster, method: str, path: str, body: dict[str, Any] | None = None, seconds: float = 130) -> bool:
    """Whether a request to the REST API was carried out."""
    content = json.dumps(body).encode() if body else None
    request = urllib.request.Request(cluster.url + path, content, method=method)
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return bool(answer.read())
    except (OSError, http.client.HTTPException):  # refused, not answered, cut off
        return False


def names(cluster: Cluster) -> set[str]:
    return {definition["name"] for definition in cluster.get("/v1/resource-definitions")}


def write_kept(cluster: Cluster) -> dict[tuple[str, int], bytes]:
    """A resource that nobody deletes, with data on all of its volumes."""
    cluster.orlop("resource-group spawn-resources kept kept 16M 8M")
    written = {}
    for node in cluster.nodes:
        for volume in cluster.volumes("kept", node.name):
            content = os.urandom(8 * MIB)
            with open(volume["device_path"], "r+b") as device:
                device.write(content)
                os.fsync(device.fileno())
            written[node.name, int(volume["volume_number"])] = content
    return written


def kill_and_restart(cluster: Cluster, chance: random.Random) -> None:
    for _ in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.6))
        victim = chance.choice([CONTROLLER, CONTROLLER, *(node.name for node in cluster.nodes)])
        cluster.kill(victim)
        time.sleep(chance.uniform(0.0, 0.3))
        cluster.start(victim)
        if victim == CONTROLLER and chance.random() < 0.7:
            cluster.wait_for_controller()


def delete_all_but(cluster: Cluster, kept: set[str]) -> None:
    def gone() -> bool:
        left = names(cluster) - kept
        for name in left:
            for snapshot in cluster.get(f"/v1/resource-definitions/{name}/snapshots"):
                call(cluster, "DELETE", f"/v1/resource-definitions/{name}/snapshots/{snapshot['name']}")
            call(cluster, "DELETE", f"/v1/resource-definitions/{name}")
        return not left

    cluster.wait("everything is deleted", gone, PATIENCE)


def test_no_kill_loses_data_or_leaves_anything_behind(cluster: Cluster) -> None:
    seed = int(os.environ.get("ORLOP_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"ORLOP_CRASH_SEED={seed}")
    chance = random.Random(seed)
    for group, volumes in (("crash", 1), ("kept", 2)):
        cluster.orlop(f"resource-group create {group} --storage-pool pool1 --place-count 2 --layer-list storage")
        for _ in range(volumes):
            cluster.orlop(f"volume-group create {group}")
    written = write_kept(cluster)
    traffic = [Traffic(cluster, number, chance.randrange(1 << 32)) for number in range(3)]
    for thread in traffic:
        thread.start()
    try:
        kill_and_restart(cluster, chance)
    finally:
        for thread in traffic:
            thread.ended.set()
        for thread in traffic:
            thread.join()
    print(f"{sum(thread.done for thread in traffic)} requests were carried out")
    assert all(thread.done for thread in traffic)
    for name in (CONTROLLER, *(node.name for node in cluster.nodes)):
        cluster.start(name)
    cluster.wait_for_controller()
    cluster.wait_online()

    delete_all_but(cluster, {"kept"})
    assert cluster.get("/v1/orlop/orphans") == []
    assert len(cluster.backing_files()) == len(written), cluster.leftovers()
    assert len(machine.loop_devices(cluster.directory)) == len(written), cluster.leftovers()
    for (node, number), content in written.items():
        with open(cluster.device("kept", node, number), "rb") as device:
            assert device.read(len(content)) == content, f"volume {number} on {node}"

    delete_all_but(cluster, set())
    assert cluster.backing_files() == []
    assert machine.loop_devices(cluster.directory) == []
