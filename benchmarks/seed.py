"""The cluster that is measured, as values: the database is filled with it, and simulated nodes are made to hold it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from uuid import NAMESPACE_OID, uuid5

from orlop.controller import orders
from orlop.controller.picture import Aggregate, Draft, Picture
from orlop.controller.store import Activation, Store
from orlop.drivers import Drivers
from orlop.model import (
    MIB,
    Level,
    NetInterface,
    Node,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    SelectFilter,
    StoragePool,
    Volume,
    VolumeDefinition,
    VolumeGroup,
)
from orlop.transport.messages import Fence, Sync

GROUP = "bench"
POOL = "pool1"
FOLDER = "/srv/pool"
SIZE = 4 * MIB
REPLICAS = 2
STRIDE = 37  # second replicas are spread over all nodes


class Scale(NamedTuple):
    nodes: int = 100
    resources: int = 5000


def node_name(number: int) -> str:
    return f"node{number:03d}"


def address(number: int) -> str:
    """A loopback address for each node, so that all of them have the same port."""
    return f"127.78.{number // 250}.{number % 250 + 1}"


def resource_name(number: int) -> str:
    return f"volume-{number:05d}"


def uuid(*words: str | int) -> str:
    """The same at each call: the nodes are seeded in another process than the database."""
    return str(uuid5(NAMESPACE_OID, "/".join(map(str, words))))


def values(scale: Scale, port: int, new: bool = False) -> Iterator[Aggregate]:
    """Everything that is wanted; `new` as it is before the satellites have made it."""
    yield ResourceGroup(
        name=GROUP,
        uuid=uuid(GROUP),
        select_filter=SelectFilter(place_count=REPLICAS, storage_pools=(POOL,), layers=("STORAGE",)),
        volume_groups=(VolumeGroup(number=0, uuid=uuid(GROUP, 0)),),
    )
    for number in range(scale.nodes):
        yield from _node(number, port, new)
    for number in range(scale.resources):
        yield definition(number, scale.nodes, new)


def _node(number: int, port: int, new: bool) -> Iterator[Aggregate]:
    name = node_name(number)
    interface = NetInterface(
        name="default",
        uuid=uuid(name, "default"),
        address=address(number),
        port=port,
        encryption="PLAIN",
        active=True,
    )
    yield Node(name=name, uuid=uuid(name), interfaces=(interface,))
    yield StoragePool(
        node=name,
        name=POOL,
        uuid=uuid(name, POOL),
        provider="FILE_THIN",
        props={"StorDriver/StorPoolName": FOLDER},
        new=new,
    )


def definition(number: int, nodes: int, new: bool = False) -> ResourceDefinition:
    name = resource_name(number)
    places = dict.fromkeys((number + place * STRIDE) % nodes for place in range(REPLICAS))
    return ResourceDefinition(
        name=name,
        uuid=uuid(name),
        group=GROUP,
        layers=("STORAGE",),
        volume_definitions=(VolumeDefinition(number=0, uuid=uuid(name, 0), size=SIZE),),
        resources=tuple(_replica(name, node_name(place), new) for place in places),
    )


def _replica(name: str, node: str, new: bool) -> Resource:
    volume = Volume(number=0, uuid=uuid(name, 0, node), pool=POOL, levels=(Level(layer="STORAGE", size=SIZE),), new=new)
    return Resource(
        node=node,
        uuid=uuid(name, node),
        props={"StorPoolName": POOL},
        created=1_795_000_000_000,
        volumes=(volume,),
    )


def fill(url: str, scale: Scale, port: int) -> Activation:
    """Make a database that holds the cluster; the activation under which that was done."""
    with Store.open(url) as store:
        activation = store.activate()
        draft = Draft(store.load().picture)
        for value in values(scale, port):
            draft.put(value)
        store.commit(draft.changes, activation.sequence + 1)
    return activation


def picture(scale: Scale) -> Picture:
    """Nothing of it exists on the nodes yet."""
    draft = Draft(Picture())
    for value in values(scale, port=0, new=True):
        draft.put(value)
    return draft.freeze()


def first_orders(drivers: Drivers, of: Picture, cluster: str) -> Iterator[tuple[str, Sync]]:
    """What brings each simulated node to the state that the database tells of; of a term before any other."""
    wanted: dict[str, list[ResourceDefinition]] = {name: [] for name in of.nodes}
    for each in of.definitions.values():
        for place in orders.nodes_of(each):
            wanted[place].append(each)
    for name, node in of.nodes.items():
        resources = (orders.wanted_resource(drivers, of, each, name) for each in wanted[name])
        yield (
            name,
            Sync(
                fence=Fence(cluster=cluster, term=0, nonce="seed"),
                node=node.name,
                node_uuid=node.uuid,
                pools=orders.wanted_pools(of, name),
                resources=tuple(each for each in resources if each),
            ),
        )
