"""The database alone: how long a commit and a load take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec

from benchmarks import seed
from benchmarks.seed import Scale
from benchmarks.table import Figure, p99, timing
from orlop.controller.picture import Draft
from orlop.controller.store import Store

COMMITS = 200


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    url = f"sqlite:///{directory}/store.db"
    seed.fill(url, scale, port=1)
    with Store.open(url) as store:
        sequence = store.activate().sequence
        began = time.perf_counter()
        picture = store.load().picture
        yield Figure(f"load of {scale.resources} definitions", time.perf_counter() - began, "s")
        times = []
        for number in range(COMMITS):
            name = f"commit-{number}"
            draft = Draft(picture)
            draft.put(msgspec.structs.replace(seed.definition(number, scale.nodes), name=name, uuid=seed.uuid(name)))
            sequence += 1
            began = time.perf_counter()
            store.commit(draft.changes, sequence)
            times.append(time.perf_counter() - began)
            picture = draft.freeze()
    yield timing("commit of a new definition, median", times)
    yield p99("commit of a new definition, p99", times)
