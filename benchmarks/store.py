"""How long a commit and a load take. `python benchmarks/store.py [database URL]`; without one, a SQLite file here."""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from orlop.controller.picture import Draft
from orlop.controller.store import Store
from orlop.model import Level, Node, Resource, ResourceDefinition, StoragePool, Volume, VolumeDefinition

COMMITS = 200
DEFINITIONS = 5000
GIB = 1 << 30


def definition(number: int) -> ResourceDefinition:
    """Two volumes on two nodes: nine rows and the controller's."""
    name = f"bench-{number}"
    volumes = tuple(
        Volume(number=nr, uuid=f"{name}/{nr}", pool="pool", levels=(Level(layer="STORAGE", size=GIB),)) for nr in (0, 1)
    )
    return ResourceDefinition(
        name=name,
        uuid=name,
        group="DfltRscGrp",
        layers=("STORAGE",),
        props={"Aux/number": str(number)},
        volume_definitions=tuple(VolumeDefinition(number=nr, uuid=f"{name}/{nr}", size=GIB) for nr in (0, 1)),
        resources=tuple(Resource(node=node, uuid=f"{name}/{node}", volumes=volumes) for node in ("alpha", "beta")),
    )


def measure(url: str) -> None:
    with Store.open(url) as store:
        store.activate()
        draft = Draft(store.load().picture)
        for name in ("alpha", "beta"):
            draft.put(Node(name=name, uuid=name))
            draft.put(StoragePool(node=name, name="pool", uuid=name, provider="FILE"))
        store.commit(draft.changes, 1)
        times = []
        for number in range(COMMITS):
            draft = Draft(draft.freeze())
            draft.put(definition(number))
            begin = time.perf_counter()
            store.commit(draft.changes, number + 2)
            times.append((time.perf_counter() - begin) * 1000)
        print(f"commit of a new definition: median {statistics.median(times):.2f} ms, worst {max(times):.2f} ms")
        draft = Draft(draft.freeze())
        for number in range(COMMITS, DEFINITIONS):
            draft.put(definition(number))
        store.commit(draft.changes, COMMITS + 2)
        begin = time.perf_counter()
        loaded = store.load()
        spent = time.perf_counter() - begin
        print(f"load of {len(loaded.picture.definitions)} definitions with two replicas: {spent:.2f} s")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=".") as directory:
        measure(sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{Path(directory).resolve() / 'bench.db'}")
