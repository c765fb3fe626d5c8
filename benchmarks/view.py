"""The view of all resources inside the server: the WSGI application is called without a socket."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from flask.testing import FlaskClient

from benchmarks import seed
from benchmarks.processes import GZIP
from benchmarks.seed import Scale
from benchmarks.table import Figure, p99, timing
from orlop.controller import orders
from orlop.controller.api import create_application
from orlop.controller.clock import SystemClock
from orlop.controller.condition_waiter import ConditionWaiter
from orlop.controller.core import Core
from orlop.controller.error_reports import ErrorReports
from orlop.controller.picture import Change, Picture
from orlop.controller.reported import Status
from orlop.drivers import Drivers
from orlop.hooks import Hooks
from orlop.model import Presence, ReportedResource, ReportedVolume, WantedResource
from orlop.transport.messages import Fence, Report

EVERY = "/v1/view/resources"
READS = 500
CHANGES = 10


class Nowhere:
    def commit(self, changes: list[Change], sequence: int) -> None: ...


def filled(scale: Scale) -> Core:
    """A core whose nodes have all reported."""
    clock = SystemClock()
    fence = Fence(cluster="c", term=1, nonce="n")
    core = Core(Nowhere(), Picture(), fence, Drivers.installed(), Hooks(), clock, ConditionWaiter(clock))
    with core.change() as draft:
        for value in seed.values(scale, port=1):
            draft.put(value)
    for name in core.picture.nodes:
        core.on_status(name, Status.ONLINE)
        wanted = (
            orders.wanted_resource(core.drivers, core.picture, d, name) for d in core.picture.definitions_on(name)
        )
        said = tuple(_reported(order) for order in wanted if order)
        core.on_report(name, Report(run="r", number=1, synced=True, resources=said))
    return core


def _reported(order: WantedResource) -> ReportedResource:
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
    return ReportedResource(name=order.name, revision=order.revision, settled=True, volumes=volumes)


def timed(client: FlaskClient, path: str) -> float:
    began = time.perf_counter()
    client.get(path, headers=GZIP).get_data()
    return time.perf_counter() - began


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    core = filled(scale)
    client = create_application(core, ErrorReports(directory, core.clock)).test_client()
    yield timing(f"view of {scale.resources} resources in the server, the first", [timed(client, EVERY)], 300)
    changed = []
    for number in range(CHANGES):
        with core.change() as draft:
            draft.put(seed.definition(number, scale.nodes))
        changed.append(timed(client, EVERY))
    yield timing("view of all in the server, after a change", changed, 300)
    yield timing("view of all in the server, unchanged", [timed(client, EVERY) for _ in range(CHANGES)], 300)
    names = [seed.resource_name(number * 7 % scale.resources) for number in range(READS)]
    yield p99("view of one in the server, p99", [timed(client, f"{EVERY}?resources={name}") for name in names], 10)
