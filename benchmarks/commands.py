"""How many external programs each kind of pool runs, beside the least possible.

The satellite's core is driven as by a controller, over a node in memory. `of_pool` measures any host: the lab calls it
on a real kernel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.seed import Scale
from benchmarks.table import Figure
from orlop.errors import OrlopError
from orlop.hooks import Hooks
from orlop.host import Host
from orlop.model import GIB, MIB, WantedPool, WantedResource
from orlop.satellite.node import LOOK_EVERY, Node
from orlop.testing import SimulatedHost, bench
from orlop.testing.bench import DRIVERS, FENCE
from orlop.transport.messages import Sync, Update

replace = msgspec.structs.replace
MANY = 200  # volumes
TOGETHER = 20  # volumes made by one order
SIZE = 16 * MIB


class Least(NamedTuple):
    """The fewest programs that can do it: what changes something, each time, and one to look at everything."""

    create: int = 1
    snapshot: int = 1
    delete_snapshot: int = 1
    delete: int = 1
    look: int = 1


class Kind(NamedTuple):
    """A kind of pool, how its backing is made in memory, and the pool's properties."""

    name: str
    props: Mapping[str, str]
    prepare: Callable[[SimulatedHost], None]
    least: Least = Least()


def _folder(host: SimulatedHost) -> None:
    host.disk.make_folder("/srv/orlop")


FOLDER = {"StorDriver/StorPoolName": "/srv/orlop"}
KINDS = (
    Kind("FILE", FOLDER, _folder, Least(snapshot=0, delete_snapshot=0)),
    Kind("FILE_THIN", FOLDER, _folder, Least(snapshot=0, delete_snapshot=0)),
)


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    for kind in KINDS:
        host = SimulatedHost(total=100 * GIB, reflink=True)
        kind.prepare(host)
        pool = WantedPool(name="pool", uuid="pool-uuid", provider=kind.name, props=kind.props, new=True)
        yield from of_pool(host, pool, lambda host=host: len(host.ran), kind.least)


def of_pool(host: Host, pool: WantedPool, ran: Callable[[], int], least: Least) -> Iterator[Figure]:
    """`pool` is new and empty; `ran` tells how many programs the host has run so far."""
    at = _Satellite(host, pool)
    count = _Count(pool.provider, ran)
    volume = bench.volume(size=SIZE, new=True)
    yield count("create a volume", least.create, lambda: at.update(bench.resource(volume)))
    volume = replace(volume, new=False)
    kept = bench.snapshot(of=volume, new=True)
    yield count("take a snapshot", least.snapshot, lambda: at.update(bench.resource(volume, kept)))
    gone = replace(kept, new=False, wanted=False)
    yield count("delete a snapshot", least.delete_snapshot, lambda: at.update(bench.resource(volume, gone)))
    end = bench.resource(replace(volume, wanted=False))
    yield count("delete a volume", least.delete, lambda: at.update(end))
    several = [bench.resource(bench.volume(f"some{number}", size=SIZE, new=True)) for number in range(TOGETHER)]
    yield count(f"create each of {TOGETHER} volumes together", least.create, lambda: at.update(*several), TOGETHER)
    rest = range(TOGETHER, MANY)
    at.update(*(bench.resource(bench.volume(f"some{number}", size=SIZE, new=True)) for number in rest))
    at.require_settled()
    yield count(f"look at {MANY} volumes", least.look, lambda: at.look_again())
    wanted = [bench.resource(bench.volume(f"some{number}", size=SIZE, wanted=False)) for number in range(MANY)]
    yield count(f"delete each of {MANY} volumes together", least.delete, lambda: at.update(*wanted), MANY)


class _Count:
    def __init__(self, kind: str, ran: Callable[[], int]) -> None:
        self._kind, self._ran = kind, ran

    def __call__(self, what: str, least: int, act: Callable[[], object], share: int = 1) -> Figure:
        before = self._ran()
        act()
        return Figure(f"{self._kind}: {what}", (self._ran() - before) / share, "", least or None, least=True)


class _Satellite:
    """Its core without network; what it is told to do is done when a method returns."""

    def __init__(self, host: Host, pool: WantedPool) -> None:
        self._now = 0.0
        self._node = Node(
            name="node", host=host, drivers=DRIVERS, hooks=Hooks(), directory="/var/lib/orlop-benchmark", run="run"
        )
        self._node.sync(Sync(fence=FENCE, node="node", node_uuid="node-uuid", pools=(pool,)))
        self._settle()

    def update(self, *wanted: WantedResource) -> None:
        self._node.update(Update(fence=FENCE, resources=wanted))
        self._settle()

    def look_again(self) -> None:
        self._now += LOOK_EVERY + 1
        self._settle()

    def require_settled(self) -> None:
        for said in self._node.reports(0).resources:
            if not said.settled:
                raise OrlopError(f"{said.name}: {said.problem}")

    def _settle(self) -> None:
        while self._node.due() <= self._now:
            self._node.work(self._now)
