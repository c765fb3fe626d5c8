import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from orlop.transport.channel import Channel
from orlop.transport.identity import ClusterKey, Identity
from orlop.transport.messages import Fence
from orlop.transport.server import SatelliteServer, serve

sys.path.insert(0, str(Path(__file__).parent))

from memory_agent import MemoryAgent  # noqa: E402

CLUSTER = "6b1c6f0e-32a5-4a55-9f5b-6d8a57a0c001"


@pytest.fixture
def fence() -> Fence:
    return Fence(cluster=CLUSTER, term=7, nonce="first")


@pytest.fixture
def key() -> ClusterKey:
    return ClusterKey.draw()


@pytest.fixture
def agent() -> MemoryAgent:
    return MemoryAgent("n1.example")


@pytest.fixture
def identity(key: ClusterKey) -> Identity:
    return Identity(cluster=CLUSTER, name="n1.example", key=key)


@pytest.fixture
def server(agent: MemoryAgent, identity: Identity) -> Iterator[SatelliteServer]:
    running = serve(agent, "127.0.0.1", 0, identity)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def channel_with(server: SatelliteServer, key: ClusterKey, fence: Fence) -> Iterator[Callable[..., Channel]]:
    """Makes channels to the running satellite; each argument replaces what is right."""
    with ExitStack() as stack:

        def make(**other: object) -> Channel:
            right = {"node": "n1.example", "address": "127.0.0.1", "port": server.port, "key": key, "fence": fence}
            return stack.enter_context(closing(Channel(**(right | other))))

        yield make


@pytest.fixture
def channel(channel_with: Callable[..., Channel]) -> Channel:
    return channel_with()
