"""Tiebreakers and quorum of all replicated definitions, when a property of the controller asks for them: one change."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from msgspec.structs import replace

from benchmarks import seed
from benchmarks.seed import Scale
from benchmarks.table import Figure
from orlop.controller import replication, voting
from orlop.controller.drbd_versions import VERSION
from orlop.controller.picture import Draft, Picture
from orlop.controller.placement import Cluster
from orlop.controller.reported import Reported, Status
from orlop.drivers import Drivers
from orlop.model import Level, Node, NodeInfo, Resource, ResourceDefinition, Support

DRBD = "9.2.13"


def replicated(scale: Scale) -> Cluster:
    """All with two replicas on nodes with DRBD 9, and nobody who breaks ties."""
    draft, reported = Draft(Picture()), Reported()
    ports = {seed.node_name(number): count(7000) for number in range(scale.nodes)}
    for number, value in enumerate(seed.values(scale, port=1)):
        if isinstance(value, Node):
            value = replace(value, props={VERSION: DRBD})
            reported.node(value.name).status = Status.ONLINE
            support = Support(name=replication.LAYER, version=DRBD)
            reported.node(value.name).info = NodeInfo(name=value.name, uname=value.name, version="1", layers=(support,))
        elif isinstance(value, ResourceDefinition):
            resources = tuple(_replica(r, next(ports[r.node]), node_id) for node_id, r in enumerate(value.resources))
            of = tuple(replace(v, minor=1000 + number) for v in value.volume_definitions)
            value = replace(value, layers=(replication.LAYER, "STORAGE"), resources=resources, volume_definitions=of)
        draft.put(value)
    return Cluster(draft.freeze(), reported, Drivers.installed())


def _replica(resource: Resource, port: int, node_id: int) -> Resource:
    volumes = tuple(
        replace(v, levels=(Level(layer=replication.LAYER, size=seed.SIZE), *v.levels)) for v in resource.volumes
    )
    return replace(resource, node_id=node_id, ports=(port,), peer_slots=7, volumes=volumes)


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    cluster = replicated(scale)
    draft = Draft(cluster.picture)
    draft.put(replace(draft.controller, props={voting.AUTO_ADD: "True"}))
    began = time.perf_counter()
    voting.touch(cluster._replace(picture=draft), draft)
    took = time.perf_counter() - began
    made = len(draft.changes) - 1
    yield Figure(f"tiebreakers for {made} definitions in one change, each", took / max(made, 1) * 1000, "ms", 2)
