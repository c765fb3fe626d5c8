"""How long commands of Docker take with volumes of Orlop, beside Docker's own driver: `make test-docker` prints it.

A command is one process of `docker`, as a user runs it. The cluster has pools of files on this machine.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.table import HEADER, Figure, p99, timing
from demo.temporary import temporary_cluster
from tests.docker import real_engine
from tests.docker.commands import IMAGE
from tests.docker.real_engine import Engine

CLIENTS = 8
CREATED = 50
LISTED = 200
TIMES = 10


def timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def create(engine: Engine, driver: str, name: str) -> float:
    options = ("--opt", "size=8M") if driver == "orlop" else ()
    return timed(lambda: engine.docker("volume", "create", "--driver", driver, *options, name))


def run(engine: Engine, volume: str) -> float:
    words = ("run", "--rm", "--network", "none", "--volume", f"{volume}:/data", IMAGE, "/bin/true")
    return timed(lambda: engine.docker(*words))


def figures(engine: Engine, driver: str, created: int, listed: int) -> Iterator[Figure]:
    names = [f"{driver}{number}" for number in range(listed)]
    with ThreadPoolExecutor(CLIENTS) as clients:
        began = time.monotonic()
        times = list(clients.map(lambda name: create(engine, driver, name), names[:created]))
        whole = time.monotonic() - began
        list(clients.map(lambda name: create(engine, driver, name), names[created:]))
    yield timing(f"{driver}: volume create, {CLIENTS} clients at once", times)
    yield p99(f"{driver}: volume create, the slowest of {created}", times)
    yield Figure(f"{driver}: {created} volumes created by {CLIENTS} clients", whole, "s")
    inspect = [timed(lambda name=name: engine.docker("volume", "inspect", name)) for name in names[:TIMES]]  # type: ignore[misc]
    yield timing(f"{driver}: volume inspect", inspect)
    listing = [timed(lambda: engine.docker("volume", "ls")) for _ in range(TIMES)]
    yield timing(f"{driver}: volume ls with {listed} volumes", listing)
    here = names[0]
    yield timing(f"{driver}: run --rm with a volume", [run(engine, here) for _ in range(TIMES)])
    with ThreadPoolExecutor(CLIENTS) as clients:
        removed = list(clients.map(lambda name: timed(lambda: engine.docker("volume", "rm", name)), names))
    yield timing(f"{driver}: volume rm, {CLIENTS} clients at once", removed)


def main(created: int, listed: int) -> None:
    with temporary_cluster() as cluster, tempfile.TemporaryDirectory() as scratch:
        engine = Engine(cluster, "alpha")
        engine.plugin.configuration.write_text(engine.plugin.configuration.read_text() + "nodes = alpha\n")
        try:
            engine.plugin.start()
            engine.start()
            engine.load_image(real_engine.image(Path(scratch) / "root"))
            print(HEADER)
            for driver in ("local", "orlop"):
                for figure in figures(engine, driver, created, listed):
                    print(figure, flush=True)
        finally:
            engine.end()


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:] or (CREATED, LISTED)))
