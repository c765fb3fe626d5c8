"""A WSGI application on a port or a socket: what all listeners of the services and adapters have in common."""

from __future__ import annotations

import io
import logging
import os
import socket
import ssl
import threading
from concurrent.futures import Future
from typing import Any, NamedTuple
from wsgiref.types import WSGIApplication

from cheroot import wsgi
from cheroot.makefile import MakeFile
from cheroot.server import HTTPConnection
from cheroot.ssl import Adapter

from orlop.errors import TransportError

log = logging.getLogger(__name__)

GREETING = 10.0  # seconds for the handshake of TLS, however long a connection may be idle later


class Load(NamedTuple):
    """What a listener bears. No bound on sizes where they are 0 bytes."""

    threads: int
    header: int = 0  # bytes
    body: int = 0  # bytes
    kept: int = 10  # connections that may stay open between requests
    backlog: int = 5  # connections that wait for being taken
    idle: float = 10.0  # seconds until a connection on which nothing comes is closed


def cannot_listen(address: str, port: int, error: OSError) -> TransportError:
    return TransportError(
        f"cannot listen on {address} port {port}: {error}",
        correction="Choose another port, or end the program that has it ('ss -ltnp' names it).",
    )


class Listener:
    """An application on a port or a bound unix socket, served by daemon threads.

    Port 0 takes a free one; `port` then tells which. A socket is closed when this stops.
    """

    def __init__(
        self,
        application: WSGIApplication,
        at: tuple[str, int] | socket.socket,
        tls: ssl.SSLContext | None,
        load: Load,
        name: str,
    ) -> None:
        """`name` is what the application hears as that of its server."""
        self._address = str(at.getsockname()) if isinstance(at, socket.socket) else at
        self._server = _Server(self._address, application, numthreads=load.threads, server_name=name)
        self._server.given = at if isinstance(at, socket.socket) else None
        self._server.ssl_adapter = _Tls(tls) if tls else None
        self._server.max_request_header_size = load.header
        self._server.max_request_body_size = load.body
        self._server.keep_alive_conn_limit = load.kept
        self._server.request_queue_size = load.backlog
        self._server.timeout = load.idle
        self._server.shutdown_timeout = 2
        self._server.expiration_interval = 0.2  # seconds: how long a stop takes to be noticed
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        return int(self._server.bind_addr[1])

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Returns when it can be reached; raises `TransportError` when it cannot be."""
        # cheroot would take descriptor 3 for its own, whatever that is: an address that nobody checked, or no socket.
        os.environ.pop("LISTEN_PID", None)
        ready: Future[None] = Future()
        # The worker threads are daemons because the thread that makes them is one.
        self._thread = threading.Thread(
            target=self._serve, args=(ready,), name=f"listener {self._address}", daemon=True
        )
        self._thread.start()
        try:
            ready.result()
        except OSError as error:
            if isinstance(self._address, str):
                raise TransportError(f"cannot listen at {self._address}: {error}") from error
            address, port = self._address
            raise cannot_listen(address, port, error) from error

    def stop(self) -> None:
        """Nobody is let in any more; waits a moment for what is being answered."""
        self._server.stop()
        if self._thread is not None:
            self._thread.join()

    def _serve(self, ready: Future[None]) -> None:
        try:
            self._server.prepare()
        except OSError as error:
            ready.set_exception(error)
            return
        ready.set_result(None)
        self._server.serve()


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
                self.socket.settimeout(GREETING)
                self.socket.do_handshake()
                self.socket.settimeout(self.server.timeout)
            except OSError as error:
                log.warning("refused %s: no proof by TLS: %s", self.remote_addr, error)
                return False
        self.greeted = True
        return bool(super().communicate())  # type: ignore[no-untyped-call]  # its stub names no types


class _Server(wsgi.Server):
    ConnectionClass = _Connection
    given: socket.socket | None = None

    @staticmethod
    def bind_socket(socket_: socket.socket, bind_addr: tuple[str, int]) -> socket.socket:
        try:
            socket_.bind(bind_addr)
        except OSError:
            socket_.close()
            raise
        return socket_

    def bind_unix_socket(self, bind_addr: str) -> socket.socket:
        assert self.given is not None
        self.socket = self.given
        return self.given

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        log.log(level, "%s", msg, exc_info=traceback)
