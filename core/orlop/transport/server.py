"""A satellite's port: plain on loopback, TLS with certificates on both sides everywhere else."""

import io
import logging
import os
import socket
import ssl
import threading
from concurrent.futures import Future
from typing import Any
from wsgiref.types import WSGIApplication

from cheroot import wsgi
from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection
from cheroot.ssl import Adapter

from orlop.errors import TransportError
from orlop.transport.agent import Agent
from orlop.transport.application import LARGEST_BODY, WAITING, Application
from orlop.transport.identity import Identity, TlsFiles
from orlop.transport.tls import is_loopback, server_context

log = logging.getLogger(__name__)

THREADS = WAITING + 4  # long polls take at most WAITING, so orders always find a thread
LARGEST_HEADER = 16 << 10


def cannot_listen(address: str, port: int, error: OSError) -> TransportError:
    return TransportError(
        f"cannot listen on {address} port {port}: {error}",
        correction="Choose another port, or end the program that has it ('ss -ltnp' names it).",
    )


class _Tls(Adapter):
    """Leaves the handshake to the thread that serves the connection: a silent peer must not hold up the others."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context

    def bind(self, sock: socket.socket) -> socket.socket:
        return sock

    def wrap(self, sock: socket.socket) -> tuple[ssl.SSLSocket, dict[str, str]]:
        wrapped = self.context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        return wrapped, self.get_environ()

    def get_environ(self) -> dict[str, str]:
        return {"wsgi.url_scheme": "https", "HTTPS": "on"}

    def makefile(self, sock: socket.socket, mode: str = "r", bufsize: int = io.DEFAULT_BUFFER_SIZE) -> Any:
        return MakeFile(sock, mode, bufsize)


class _Connection(HTTPConnection):
    greeted = False

    def communicate(self) -> bool:
        if not self.greeted and isinstance(self.socket, ssl.SSLSocket):
            try:
                self.socket.do_handshake()
            except OSError as error:
                log.warning("refused %s: no proof by TLS: %s", self.remote_addr, error)
                return False
        self.greeted = True
        return bool(super().communicate())  # type: ignore[no-untyped-call]  # its stub names no types


class _Server(wsgi.Server):
    ConnectionClass = _Connection

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> socket.socket:
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        log.log(level, "%s", msg, exc_info=traceback)


class Listener:
    """An application on a port, served by daemon threads. Port 0 takes a free one; `port` then tells which."""

    def __init__(
        self, application: WSGIApplication, address: str, port: int, tls: ssl.SSLContext | None, threads: int = THREADS
    ) -> None:
        self.address, self.port = address, port
        self._server = _Server((address, port), application, numthreads=threads, server_name=address)
        self._server.max_request_header_size = LARGEST_HEADER
        self._server.max_request_body_size = LARGEST_BODY
        self._server.shutdown_timeout = 2
        self._server.expiration_interval = 0.2  # seconds: how long a stop takes to be noticed
        self._server.ssl_adapter = _Tls(tls) if tls else None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Returns when the port is open; raises `TransportError` when it cannot be."""
        # cheroot would take descriptor 3 for its port, whatever that is: an address that nobody checked, or no socket.
        os.environ.pop("LISTEN_PID", None)
        ready: Future[None] = Future()
        # The worker threads are daemons because the thread that makes them is one.
        self._thread = threading.Thread(target=self._serve, args=(ready,), name=f"port {self.port}", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except OSError as error:
            raise cannot_listen(self.address, self.port, error) from error
        self.port = self._server.bind_addr[1]

    def stop(self) -> None:
        """Close the port and wait for the requests that are being answered."""
        self._server.stop()
        if self._thread is not None:
            self._thread.join()

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _serve(self, ready: "Future[None]") -> None:
        try:
            self._server.prepare()
        except OSError as error:
            ready.set_exception(error)
            return
        ready.set_result(None)
        self._server.serve()


class SatelliteServer:
    """A satellite's port and the application behind it."""

    def __init__(self, agent: Agent, address: str, port: int, identity: Identity, tls: TlsFiles | None) -> None:
        self._application = Application(agent, identity)
        context = server_context(tls) if tls else None
        self._listener = Listener(self._application, address, port, context)

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
