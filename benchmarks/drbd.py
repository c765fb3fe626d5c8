"""What a satellite with many replicated resources runs when it starts, beside a bare `drbdadm adjust all`.

The peers are not there: their connections are waited for. In memory by `python -m benchmarks drbd`; on a real machine,
as root, `python -m benchmarks.drbd vg0 200` uses a volume group that must be new and empty. `make lab-bench KINDS=DRBD`
does that in a virtual node. Programs that programs start are counted there too, as forks of the whole machine.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from benchmarks import table
from benchmarks.commands import CountingHost, place
from benchmarks.table import Figure
from orlop.errors import OrlopError
from orlop.hooks import Hooks
from orlop.host import Host
from orlop.model import GIB, MIB, WantedDrbd, WantedLevel, WantedPeer, WantedPool, WantedReplica, WantedResource
from orlop.satellite.node import Node
from orlop.testing import SimulatedHost, bench
from orlop.testing.bench import DRIVERS, FENCE
from orlop.testing.drbd_network import SimulatedNetwork
from orlop.transport.messages import Sync
from orlop_layers.drbd_sizes import gross

if TYPE_CHECKING:  # it needs the controller, which is not on every machine that this measures
    from benchmarks.seed import Scale

MANY = 200
SIZE = 4 * MIB
FIRST_MINOR, FIRST_PORT = 1000, 7000
ROUNDS = 8
DIRECTORY = "/var/lib/orlop-benchmark"


def figures(directory: Path, scale: Scale, seconds: float) -> Iterator[Figure]:
    yield from in_memory(MANY)


def in_memory(many: int) -> Iterator[Figure]:
    host = SimulatedHost(total=100 * GIB)
    host.disk.add_disk("/dev/vdb", 64 * GIB)
    host.run(("vgcreate", "vg0", "/dev/vdb"))
    host.join(SimulatedNetwork())
    pool = WantedPool(name="pool", uuid="pool-uuid", provider="LVM", props=place("vg0"), new=True)
    yield from (figure for figure in of_pool(host, pool, lambda: len(host.ran), many) if not figure.unit)


def of_pool(host: Host, pool: WantedPool, ran: Callable[[], int], many: int = MANY) -> Iterator[Figure]:
    """Programs without a unit, and times; `ran` tells how many programs the satellite has run so far."""
    count = _Count(ran)
    wanted = [_wanted(number) for number in range(many)]
    at = _Satellite(host, pool, "made")
    yield from count(f"DRBD: create {many} resources, each", lambda: at.obey(wanted), many)
    settled = [replace(each, volumes=tuple(replace(v, new=False) for v in each.volumes)) for each in wanted]
    yield from count(f"DRBD: start with {many} resources that are up", lambda: _started(host, pool, settled))
    for each in wanted:
        host.run(("drbdsetup", "down", each.name))
    yield from count(f"DRBD: start with {many} resources that are down", lambda: _started(host, pool, settled))


def _started(host: Host, pool: WantedPool, wanted: list[WantedResource]) -> None:
    _Satellite(host, replace(pool, new=False), str(time.monotonic())).obey(wanted)


def _wanted(number: int) -> WantedResource:
    port = FIRST_PORT + number
    peer = WantedPeer(node="peer", node_id=1, address="127.0.0.2", port=port)
    replica = WantedReplica(definition=f"definition-{number}", node_id=0, address="127.0.0.1", port=port, peers=(peer,))
    levels = (WantedLevel(layer="DRBD", size=SIZE), WantedLevel(layer="STORAGE", size=gross(SIZE)))
    drbd = WantedDrbd(replica=replica, minor=FIRST_MINOR + number, first=True)
    return bench.resource(bench.volume(f"some{number}", new=True, levels=levels, drbd=drbd))


class _Count:
    def __init__(self, ran: Callable[[], int]) -> None:
        self._ran = ran

    def __call__(self, what: str, act: Callable[[], None], share: int = 1) -> Iterator[Figure]:
        before, forks, began = self._ran(), processes(), time.perf_counter()
        act()
        spent, forks = time.perf_counter() - began, processes() - forks
        yield Figure(what, (self._ran() - before) / share, "")
        yield Figure(f"{what}: processes", forks / share, "processes")
        yield Figure(f"{what}: time", spent * 1000 / share, "ms")


def processes() -> int:
    """Forks since this machine started."""
    lines = Path("/proc/stat").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("processes "))


class _Satellite:
    """Its core without network; what it is told to do is done when a method returns."""

    def __init__(self, host: Host, pool: WantedPool, run: str) -> None:
        self._pool = pool
        self._node = Node(
            name="node",
            host=host,
            drivers=DRIVERS,
            hooks=Hooks(),
            directory=DIRECTORY,
            run=run,
            secret=lambda name: b"benchmark",
        )

    def obey(self, wanted: list[WantedResource]) -> None:
        order = Sync(fence=FENCE, node="node", node_uuid="node-uuid", pools=(self._pool,), resources=tuple(wanted))
        self._node.sync(order)
        for _ in range(ROUNDS * len(wanted)):
            if self._node.due() > 0.0:
                break
            self._node.work(0.0)
        for said in self._node.reports(0).resources:
            if not said.settled:
                raise OrlopError(f"{said.name}: {said.problem}")


def main() -> None:
    group, many = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else MANY
    host = CountingHost()
    Path(DIRECTORY).mkdir(exist_ok=True)
    pool = WantedPool(name="pool", uuid="pool-uuid", provider="LVM", props=place(group), new=True)
    table.show(_beside(host, of_pool(host, pool, lambda: host.ran, many), many))


def _beside(host: CountingHost, measured: Iterator[Figure], many: int) -> Iterator[Figure]:
    yield from measured
    count = _Count(lambda: 0)
    yield from list(count(f"a bare drbdadm adjust all, {many} up", lambda: _adjust(host)))[1:]
    for number in range(many):
        host.run(("drbdsetup", "down", f"some{number}"))
    yield from list(count(f"a bare drbdadm adjust all, {many} down", lambda: _adjust(host)))[1:]


def _adjust(host: CountingHost) -> None:
    host.run(("drbdadm", "adjust", "all"))


if __name__ == "__main__":
    main()
