"""How many external programs each kind of pool runs, beside the least possible.

The satellite's core is driven as by a controller, over a node in memory. On a real machine, as root,
`python -m benchmarks.commands LVM vg0 200` does the same with that many volumes in a real pool, which must be new and
empty, and tells the time beside that of the bare steps. `make lab-bench` does it in a virtual node for every kind.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from benchmarks import table
from benchmarks.table import Figure
from orlop.errors import OrlopError
from orlop.hooks import Hooks
from orlop.host import Host, LocalHost
from orlop.model import GIB, MIB, WantedPool, WantedResource
from orlop.plugin import Step, hookimpl
from orlop.satellite.node import Node
from orlop.satellite.rounds import LOOK_EVERY
from orlop.testing import SimulatedHost, bench
from orlop.testing.bench import DRIVERS, FENCE
from orlop.transport.messages import Sync, Update

if TYPE_CHECKING:  # it needs the controller, which is not on every machine that this measures
    from benchmarks.seed import Scale

replace = msgspec.structs.replace
MANY = 200  # volumes
TOGETHER = 20  # volumes made by one order
SIZE = 4 * MIB


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


def _volume_group(host: SimulatedHost) -> None:
    host.disk.add_disk("/dev/vdb", 64 * GIB)
    host.run(("vgcreate", "vg0", "/dev/vdb"))


def _thin_pool(host: SimulatedHost) -> None:
    _volume_group(host)
    host.run(("lvcreate", "--type", "thin-pool", "--extents", "8192", "--name", "thin", "vg0"))


def _zpool(host: SimulatedHost) -> None:
    host.zfs.make("tank", 100 * GIB)


def place(name: str) -> Mapping[str, str]:
    return {"StorDriver/StorPoolName": name}


KINDS = (
    Kind("FILE", place("/srv/orlop"), _folder, Least(snapshot=0, delete_snapshot=0)),
    Kind("FILE_THIN", place("/srv/orlop"), _folder, Least(snapshot=0, delete_snapshot=0)),
    Kind("LVM", place("vg0"), _volume_group),
    Kind("LVM_THIN", place("vg0/thin"), _thin_pool),
    Kind("LVM_THIN_POOL", place("vg0"), _volume_group),
    Kind("ZFS", place("tank"), _zpool),
    Kind("ZFS_THIN", place("tank"), _zpool),
)


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    for kind in KINDS:
        host = SimulatedHost(total=100 * GIB, reflink=True)
        kind.prepare(host)
        pool = WantedPool(name="pool", uuid="pool-uuid", provider=kind.name, props=kind.props, new=True)
        for measured in of_pool(host, pool, lambda host=host: len(host.ran), kind.least):
            yield measured.programs


class Measured(NamedTuple):
    programs: Figure
    time: Figure


def of_pool(host: Host, pool: WantedPool, ran: Callable[[], int], least: Least, many: int = MANY) -> Iterator[Measured]:
    """`pool` is new and empty; `ran` tells how many programs the host has run so far."""
    watch = _Stopwatch()
    at = _Satellite(host, pool, Hooks(watch))
    count = _Count(pool.provider, ran, watch)
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
    rest = range(TOGETHER, many)
    at.update(*(bench.resource(bench.volume(f"some{number}", size=SIZE, new=True)) for number in rest))
    at.require_settled()
    yield count(f"look at {many} volumes", least.look, lambda: at.look_again())
    wanted = [bench.resource(bench.volume(f"some{number}", size=SIZE, wanted=False)) for number in range(many)]
    yield count(f"delete each of {many} volumes together", least.delete, lambda: at.update(*wanted), many)


class _Stopwatch:
    """Seconds that the steps of plans took: what doing the same by hand would take."""

    def __init__(self) -> None:
        self.seconds = self._began = 0.0

    @hookimpl
    def orlop_step_started(self, resource: str, step: Step) -> None:
        self._began = time.perf_counter()

    @hookimpl
    def orlop_step_done(self, resource: str, step: Step, error: Exception | None) -> None:
        self.seconds += time.perf_counter() - self._began


class _Count:
    def __init__(self, kind: str, ran: Callable[[], int], watch: _Stopwatch) -> None:
        self._kind, self._ran, self._watch = kind, ran, watch

    def __call__(self, what: str, least: int, act: Callable[[], object], share: int = 1) -> Measured:
        before, bare, began = self._ran(), self._watch.seconds, time.perf_counter()
        act()
        spent, bare = time.perf_counter() - began, self._watch.seconds - bare
        name = f"{self._kind}: {what}"
        return Measured(
            Figure(name, (self._ran() - before) / share, "", least or None, least=True),
            Figure(name, spent * 1000 / share, "ms", bare * 1000 / share or None, least=True),
        )


class _Satellite:
    """Its core without network; what it is told to do is done when a method returns."""

    def __init__(self, host: Host, pool: WantedPool, hooks: Hooks) -> None:
        self._now = 0.0
        self._node = Node(
            name="node", host=host, drivers=DRIVERS, hooks=hooks, directory="/var/lib/orlop-benchmark", run="run"
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


class CountingHost(LocalHost):
    def __init__(self) -> None:
        super().__init__()
        self.ran = 0

    def run(self, argv: tuple[str, ...], stdin: bytes = b"") -> str:
        self.ran += 1
        return super().run(argv, stdin)


def main() -> None:
    kind = next(kind for kind in KINDS if kind.name == sys.argv[1])
    host = CountingHost()
    pool = WantedPool(name="pool", uuid="pool-uuid", provider=kind.name, props=place(sys.argv[2]), new=True)
    Path("/var/lib/orlop-benchmark").mkdir(exist_ok=True)  # where the satellite's core keeps its fence
    many = int(sys.argv[3]) if len(sys.argv) > 3 else MANY
    table.show(figure for measured in of_pool(host, pool, lambda: host.ran, kind.least, many) for figure in measured)


if __name__ == "__main__":
    main()
