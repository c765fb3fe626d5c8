"""Nodes with DRBD 9, and replicas on them, for tests of the pure parts."""

from msgspec.structs import replace

from orlop.controller.diskless import FLAGS
from orlop.controller.drbd_versions import VERSION
from orlop.controller.picture import Draft
from orlop.controller.placement import Cluster
from orlop.controller.reported import Reported, Status
from orlop.controller.voting import AUTO_ADD
from orlop.drivers import Drivers
from orlop.model import (
    GIB,
    Controller,
    Level,
    NodeInfo,
    Presence,
    ReportedLevel,
    ReportedResource,
    ReportedVolume,
    Support,
    key,
)
from tests.controller.conftest import definition, node, pool, resource, volume

NODES = ("alpha", "bravo", "charlie", "delta")
STACK = (Level(layer="DRBD", size=GIB), Level(layer="STORAGE", size=GIB + 4096))


def told(name, version="9.2.13"):
    return NodeInfo(name=name, uname=name, version="1", layers=(Support(name="DRBD", version=version),))


def cluster(picture, nodes=NODES, version="9.2.13"):
    """All of them online, tiebreakers added by themselves, as a new database says."""
    draft, reported = Draft(picture), Reported()
    draft.put(Controller(props={AUTO_ADD: "True"}))
    for name in nodes:
        draft.put(node(name, **{VERSION: version}))
        draft.put(pool(name))
        reported.node(name).status = Status.ONLINE
        reported.node(name).info = told(name, version)
    return Cluster(draft, reported, Drivers.installed())


def replica(at, uuid=None, *, new=False, number=0, flags=(), **more):
    made = replace(volume(uuid or f"v-{at}", new=new, number=number, **more), levels=STACK)
    return replace(resource(at, made, flags=flags), node_id=NODES.index(at), ports=(7000,), peer_slots=7)


def without_disk(at, *flags):
    return replace(resource(at, flags=FLAGS | set(flags)), node_id=NODES.index(at), ports=(7000,))


def replicated(*resources, layers=("DRBD", "STORAGE"), **more):
    return replace(definition(*resources, **more), layers=layers)


def reports(of, disks, in_use=False):
    """By node: what is said of every volume of its replica, which sees all others."""
    found = {}
    for one in of.resources:
        if one.node in disks:
            seen = {f"peer/{other.node}/connection": "Connected" for other in of.resources if other is not one}
            level = ReportedLevel(layer="DRBD", presence=Presence.READY, facts={"disk": disks[one.node], **seen})
            volumes = tuple(
                ReportedVolume(number=v.number, uuid=v.uuid, presence=Presence.READY, in_use=in_use, levels=(level,))
                for v in one.volumes
            )
            found[key(one.node)] = ReportedResource(name=of.name, revision=9, settled=True, volumes=volumes)
    return found
