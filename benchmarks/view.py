"""How long the list of all resources takes: `python benchmarks/view.py [definitions]`, two replicas each.

Measured inside the server: the WSGI application is called without a socket. `cold` is the first list after the
start, `changed` the one after one definition changed, `under load` single resources while another thread lists.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

from flask.testing import FlaskClient

from orlop.controller import orders
from orlop.controller.api import create_application
from orlop.controller.clock import SystemClock
from orlop.controller.core import ConditionWaiter, Core
from orlop.controller.error_reports import ErrorReports
from orlop.controller.picture import Change, Picture
from orlop.controller.reported import Status
from orlop.drivers import Drivers
from orlop.hooks import Hooks
from orlop.model import (
    MIB,
    Level,
    Node,
    Presence,
    ReportedResource,
    ReportedVolume,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    StoragePool,
    Volume,
    VolumeDefinition,
)
from orlop.transport.messages import Fence, Report

NODES = 20
GZIP = {"Accept-Encoding": "gzip"}


class Nowhere:
    def commit(self, changes: list[Change], sequence: int) -> None: ...


def definition(number: int) -> ResourceDefinition:
    name = f"volume-{number:05d}"
    places = (f"node{number % NODES:02d}", f"node{(number + 7) % NODES:02d}")
    return ResourceDefinition(
        name=name,
        uuid=f"d{number}",
        group="DfltRscGrp",
        layers=("STORAGE",),
        volume_definitions=(VolumeDefinition(number=0, uuid=f"v{number}", size=64 * MIB),),
        resources=tuple(
            Resource(
                node=node,
                uuid=f"{name}@{node}",
                created=1_700_000_000_000,
                props={"StorPoolName": "pool"},
                volumes=(
                    Volume(
                        number=0,
                        uuid=f"{name}/0@{node}",
                        pool="pool",
                        levels=(Level(layer="STORAGE", size=64 * MIB),),
                        new=False,
                    ),
                ),
            )
            for node in places
        ),
    )


def filled(count: int) -> Core:
    clock = SystemClock()
    core = Core(
        Nowhere(),
        Picture(),
        Fence(cluster="c", term=1, nonce="n"),
        Drivers.installed(),
        Hooks(),
        clock,
        ConditionWaiter(clock),
    )
    names = [f"node{number:02d}" for number in range(NODES)]
    with core.change() as draft:
        draft.put(ResourceGroup(name="DfltRscGrp", uuid="g"))
        for name in names:
            draft.put(Node(name=name, uuid=name))
            draft.put(StoragePool(node=name, name="pool", uuid=f"p{name}", provider="FILE", new=False))
        for number in range(count):
            draft.put(definition(number))
    for name in names:
        core.on_status(name, Status.ONLINE)
        core.on_report(name, Report(run="r", number=1, synced=True, resources=reported(core, name)))
    return core


def reported(core: Core, node: str) -> tuple[ReportedResource, ...]:
    found = []
    for wanted in core.picture.definitions_on(node):
        order = orders.wanted_resource(core.picture, wanted, node)
        assert order is not None
        volumes = tuple(
            ReportedVolume(
                number=v.number,
                uuid=v.uuid,
                presence=Presence.READY,
                device="/dev/loop7",
                size=v.size,
                allocated=v.size,
                in_use=False,
            )
            for v in order.volumes
        )
        found.append(ReportedResource(name=order.name, revision=order.revision, settled=True, volumes=volumes))
    return tuple(found)


def timed(client: FlaskClient, path: str) -> tuple[float, int]:
    started = time.perf_counter()
    answer = client.get(path, headers=GZIP)
    length = len(answer.data)
    return (time.perf_counter() - started) * 1000, length


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    core = filled(count)
    with tempfile.TemporaryDirectory() as directory:
        application = create_application(core, ErrorReports(Path(directory), core.clock))
        client = application.test_client()
        cold, length = timed(client, "/v1/view/resources")
        print(f"{count} definitions with 2 replicas: {length / 1024:.0f} KiB compressed")
        print(f"cold:       {cold:7.1f} ms")
        warm = [timed(client, "/v1/view/resources")[0] for _ in range(5)]
        print(f"unchanged:  {statistics.median(warm):7.1f} ms")
        changed = []
        for number in range(5):
            with core.change() as draft:
                draft.put(definition(number))
            changed.append(timed(client, "/v1/view/resources")[0])
        print(f"changed:    {statistics.median(changed):7.1f} ms")
        single = [timed(client, f"/v1/view/resources?resources=volume-{n % count:05d}")[0] for n in range(500)]
        print(f"one:        {statistics.median(single):7.2f} ms, p99 {statistics.quantiles(single, n=100)[98]:.2f} ms")
        loaded = under_load(core, client, application.test_client(), count)
        print(f"under load: {statistics.median(loaded):7.2f} ms, p99 {statistics.quantiles(loaded, n=100)[98]:.2f} ms")


def under_load(core: Core, client: FlaskClient, other: FlaskClient, count: int) -> list[float]:
    done = threading.Event()

    def lists() -> None:
        number = 0
        while not done.is_set():
            number += 1
            with core.change() as draft:
                draft.put(definition(number % count))
            timed(other, "/v1/view/resources")

    sys.setswitchinterval(0.001)  # as the controller does
    thread = threading.Thread(target=lists)
    thread.start()
    try:
        return [timed(client, f"/v1/view/resources?resources=volume-{n % count:05d}")[0] for n in range(500)]
    finally:
        done.set()
        thread.join()


if __name__ == "__main__":
    main()
