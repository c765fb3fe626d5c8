"""Values that most tests of the controller's pure parts begin with."""

import pytest

from orlop.controller.picture import Draft, Picture
from orlop.model import (
    GIB,
    Level,
    NetInterface,
    Node,
    Resource,
    ResourceDefinition,
    ResourceGroup,
    StoragePool,
    Volume,
    VolumeDefinition,
)


def volume(uuid="v-1", *, new=False, number=0, size=GIB, **more):
    return Volume(number=number, uuid=uuid, pool="pool", levels=(Level(layer="STORAGE", size=size),), new=new, **more)


def resource(node, *volumes, flags=()):
    return Resource(node=node, uuid=f"r-{node}", flags=frozenset(flags), volumes=volumes)


def definition(*resources, name="web", size=GIB, **more):
    return ResourceDefinition(
        name=name,
        uuid=f"d-{name}",
        group="DfltRscGrp",
        layers=("STORAGE",),
        resources=resources,
        volume_definitions=(VolumeDefinition(number=0, uuid="vd", size=size),),
        **more,
    )


def node(name, flags=(), **props):
    interface = NetInterface(name="default", uuid=f"i-{name}", address="127.0.0.1", port=3366, active=True)
    return Node(name=name, uuid=f"n-{name}", flags=frozenset(flags), props=props, interfaces=(interface,))


def pool(owner, name="pool", provider="FILE", **props):
    return StoragePool(node=owner, name=name, uuid=f"p-{owner}-{name}", provider=provider, props=props, new=False)


@pytest.fixture
def picture():
    """Nodes alpha, bravo and charlie with a pool each."""
    draft = Draft(Picture())
    draft.put(ResourceGroup(name="DfltRscGrp", uuid="g"))
    for name in ("alpha", "bravo", "charlie"):
        draft.put(node(name))
        draft.put(pool(name))
    return draft.freeze()
