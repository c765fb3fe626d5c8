"""Commits changes of many rows one after the other, each marked with its number, until somebody kills it."""

import sys

import msgspec

from orlop.controller.picture import Draft
from orlop.controller.store import Store
from orlop.model import Level, Node, Resource, ResourceDefinition, StoragePool, Volume

store = Store.open(sys.argv[1])
store.activate()
draft = Draft(store.load().picture)
NODES = ("alpha", "beta", "gamma")
for name in NODES:
    draft.put(Node(name=name, uuid=name))
    draft.put(StoragePool(node=name, name="pool", uuid=name, provider="FILE"))
store.commit(draft.changes, 1)
number = 1
while True:
    number += 1
    draft = Draft(draft.freeze())
    mark = str(number)
    volume = Volume(number=0, uuid=mark, pool="pool", levels=(Level(layer="STORAGE", size=4096 * number),))
    resources = tuple(Resource(node=name, uuid=mark, volumes=(volume,)) for name in NODES[: 1 + number % 3])
    for name in ("one", "two"):
        draft.put(ResourceDefinition(name=name, uuid="1", group="DfltRscGrp", layers=("STORAGE",), resources=resources))
    group = draft.groups["dfltrscgrp"]
    draft.put(msgspec.structs.replace(group, description=mark))
    store.commit(draft.changes, number)
    print(number, flush=True)
