"""Clusters for tests of placement, written in few words. Sizes are GiB."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from orlop.controller.picture import Draft, Picture
from orlop.controller.placement import Cluster, Standings
from orlop.controller.properties import Kind, Source
from orlop.controller.reported import Reported, Status
from orlop.drivers import Drivers
from orlop.model import (
    GIB,
    Capacity,
    Controller,
    Level,
    Node,
    NodeInfo,
    ReportedPool,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    StoragePool,
    Support,
    Volume,
    VolumeDefinition,
)

DRIVERS = Drivers.installed()


class P(NamedTuple):
    """A pool: what is free of it, and what else is unusual."""

    free: float = 50
    total: float = 100
    provider: str = "FILE"
    props: Mapping[str, str] = {}
    shared: str = ""
    problem: str = ""
    warning: str = ""
    unknown: bool = False


class N(NamedTuple):
    """A node: its pools by name, or what is free in its only one, named `pool`. `aux` are its own properties."""

    free: float = 50
    aux: Mapping[str, str] = {}
    pools: Mapping[str, P] | None = None
    flags: tuple[str, ...] = ()
    props: Mapping[str, str] = {}
    kind: str = "SATELLITE"
    offline: bool = False
    drbd: str = "9.2.13"
    missing: tuple[str, ...] = ()  # layers it cannot use


def zoned(*zones: str, free: float = 50) -> dict[str, N]:
    """Nodes a, b, c... in these zones, each with a little more room than the next one."""
    return {chr(97 + i): N(free + len(zones) - i, {"zone": zone} if zone else {}) for i, zone in enumerate(zones)}


def resource(
    name: str, *nodes: str, size: float = 1, pool: str = "pool", **flags: tuple[str, ...]
) -> ResourceDefinition:
    """A definition that has replicas on nodes, made long ago; `a=("DELETE",)` flags the one on node a."""
    volume = Volume(number=0, uuid=name, pool=pool, levels=(Level(layer="STORAGE", size=int(size * GIB)),), new=False)
    return ResourceDefinition(
        name=name,
        uuid=name,
        group="DfltRscGrp",
        layers=("STORAGE",),
        volume_definitions=(VolumeDefinition(number=0, uuid=name, size=int(size * GIB)),),
        resources=tuple(
            Resource(node=node, uuid=f"{name}-{node}", flags=frozenset(flags.get(node, ())), volumes=(volume,))
            for node in nodes
        ),
    )


def made(
    nodes: Mapping[str, N],
    resources: Mapping[str, ResourceDefinition] | tuple[ResourceDefinition, ...] = (),
    controller: Mapping[str, str] = {},
    group: Mapping[str, str] = {},
    standings: Standings | None = None,
    drivers: Drivers = DRIVERS,
) -> Cluster:
    draft, reported = Draft(Picture()), Reported()
    draft.put(Controller(props=controller))
    draft.put(ResourceGroup(name="DfltRscGrp", uuid="g", props=group))
    for name, node in nodes.items():
        props = {f"Aux/{key}": value for key, value in node.aux.items()} | dict(node.props)
        if node.drbd:
            props["Satellite/Drbd/Version"] = node.drbd
        draft.put(Node(name=name, uuid=name, kind=node.kind, flags=frozenset(node.flags), props=props))
        report = reported.node(name)
        report.status = Status.OFFLINE if node.offline else Status.ONLINE
        layers = tuple(
            Support(name=n, reasons=("no module",) * (n in node.missing)) for n in ("STORAGE", "DRBD", "LUKS")
        )
        report.info = NodeInfo(name=name, uname=name, version="1", layers=layers)
        pools = {"pool": P(node.free)} if node.pools is None else node.pools
        for title, pool in pools.items():
            uuid = f"{name}-{title}"
            draft.put(
                StoragePool(
                    node=name,
                    name=title,
                    uuid=uuid,
                    provider=pool.provider,
                    props=pool.props,
                    shared_space=pool.shared,
                    new=False,
                )
            )
            size = Capacity(total=int(pool.total * GIB), free=int(pool.free * GIB))
            if not pool.unknown:
                report.pools[title] = ReportedPool(
                    name=title,
                    uuid=uuid,
                    capacity=None if pool.problem else size,
                    problem=pool.problem,
                    warning=pool.warning,
                )
    for definition in resources.values() if isinstance(resources, Mapping) else resources:
        draft.put(definition)
    asked = {Kind.RESOURCE_GROUP: Source("DfltRscGrp", group)}
    return Cluster(draft.freeze(), reported, drivers, asked, standings)
