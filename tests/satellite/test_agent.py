"""The agent with its threads, on a simulated machine."""

import threading
from collections.abc import Callable, Iterator

import pytest

from orlop.model import ReportedResource
from orlop.satellite.agent import ThreadedAgent
from orlop.testing.bench import FENCE, Bench, pool, resource, volume
from orlop.testing.disk import Disk
from orlop.transport.agent import Agent
from orlop.transport.messages import Sync, Update


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def agent(bench: Bench) -> Iterator[Agent]:
    threaded = ThreadedAgent(bench.node)
    threaded.start()
    threaded.sync(Sync(fence=FENCE, node="node", node_uuid="node-uuid", pools=(pool(new=True),)))
    yield threaded
    threaded.stop()


def wait_for(agent: Agent, done: Callable[[dict[str, ReportedResource]], bool]) -> dict[str, ReportedResource]:
    """Follow the reports as a controller does; the time-out only keeps a broken test from hanging."""
    seen: dict[str, ReportedResource] = {}
    number = 0
    while not done(seen):
        said = agent.reports(number, 20)
        assert said.number != number, "nothing was reported"
        number = said.number
        seen |= {r.name: r for r in said.resources}
    return seen


def test_many_orders_are_carried_out_and_reported(agent: Agent) -> None:
    names = {f"r{n}" for n in range(40)}
    for name in names:
        agent.update(Update(fence=FENCE, resources=(resource(volume(name, new=True)),)))
    seen = wait_for(agent, lambda seen: {name for name, said in seen.items() if said.settled} == names)
    assert len({said.volumes[0].device for said in seen.values()}) == len(names)


def test_a_slow_step_delays_nobody_else(agent: Agent, bench: Bench) -> None:
    begun, go_on = threading.Event(), threading.Event()
    losetup = bench.host.installed["losetup"]

    def slow(disk: Disk, arguments: tuple[str, ...]) -> str:
        if arguments[-1].endswith("/slow_00000"):
            begun.set()
            go_on.wait()
        return losetup(disk, arguments)

    bench.host.installed["losetup"] = slow
    agent.update(Update(fence=FENCE, resources=(resource(volume("slow", new=True)),)))
    begun.wait()
    try:
        agent.update(Update(fence=FENCE, resources=(resource(volume("quick", new=True)),)))
        seen = wait_for(agent, lambda seen: "quick" in seen and seen["quick"].settled)
        assert "slow" not in seen or not seen["slow"].settled
    finally:
        go_on.set()
    wait_for(agent, lambda seen: "slow" in seen and seen["slow"].settled)


def test_a_long_poll_returns_at_once_with_what_is_new(agent: Agent) -> None:
    wait_for(agent, lambda seen: True)
    assert agent.reports(10_000, 20).info is not None, "a number from an earlier run gets everything"


def test_a_mount_is_reported_when_it_happens() -> None:
    bench = Bench(look_every=3600.0)
    agent = ThreadedAgent(bench.node)
    agent.start()
    wanted = (resource(volume(new=True)),)
    agent.sync(Sync(fence=FENCE, node="node", node_uuid="node-uuid", pools=(pool(new=True),), resources=wanted))
    seen = wait_for(agent, lambda seen: "res" in seen and seen["res"].settled)
    bench.host.disk.use(str(seen["res"].volumes[0].device), "mounted at /mnt")
    wait_for(agent, lambda seen: "res" in seen and bool(seen["res"].volumes[0].in_use))
    agent.stop()
