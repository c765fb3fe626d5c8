"""A satellite's port: plain on loopback, TLS with certificates on both sides everywhere else."""

from orlop.errors import TransportError
from orlop.listener import Listener, Load
from orlop.transport.agent import Agent
from orlop.transport.application import LARGEST_BODY, WAITING, Application
from orlop.transport.identity import Identity, TlsFiles
from orlop.transport.tls import is_loopback, server_context

LARGEST_HEADER = 16 << 10
# Long polls take at most WAITING, so orders always find a thread.
LOAD = Load(threads=WAITING + 4, header=LARGEST_HEADER, body=LARGEST_BODY)


class SatelliteServer:
    """A satellite's port and the application behind it."""

    def __init__(self, agent: Agent, address: str, port: int, identity: Identity, tls: TlsFiles | None) -> None:
        self._application = Application(agent, identity)
        context = server_context(tls) if tls else None
        self._listener = Listener(self._application, (address, port), context, LOAD, address)

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def running(self) -> bool:
        return self._listener.running

    def start(self) -> None:
        self._listener.start()

    def stop(self) -> None:
        self._application.close()
        self._listener.stop()


def serve(agent: Agent, address: str, port: int, identity: Identity, *, tls: TlsFiles | None = None) -> SatelliteServer:
    """The port of a satellite, not started yet. Without `tls` it is plain, which only loopback may be."""
    if tls is None and not is_loopback(address):
        raise TransportError(
            f"satellite {identity.name} does not listen on {address} without TLS",
            cause="Beyond loopback anybody on the network could read along and give orders to a root process.",
            correction="Join the node with the command that 'orlop node join-command' prints; that brings a "
            "certificate. Or listen on 127.0.0.1.",
        )
    return SatelliteServer(agent, address, port, identity, tls)
