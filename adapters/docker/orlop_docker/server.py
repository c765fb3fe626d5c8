"""Where engines reach the plugin: unix sockets, its own or systemd's, or a TCP port with certificates on both sides."""

from __future__ import annotations

import logging
import os
import socket
import ssl
import stat
import threading
from concurrent.futures import Future
from pathlib import Path
from wsgiref.types import WSGIApplication

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter

from orlop.errors import OrlopError, Refused

log = logging.getLogger(__name__)
THREADS = 64  # a Create occupies one until it is answered
CONNECTIONS = 256  # that may be kept open
FOR_EVER = 10 * 365 * 86400.0  # seconds
FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)


class _Server(wsgi.Server):
    given: socket.socket | None = None

    def bind_unix_socket(self, bind_addr: str) -> socket.socket:
        assert self.given is not None
        self.socket = self.given
        return self.given

    def error_log(self, msg: str = "", level: int = logging.INFO, traceback: bool = False) -> None:
        log.log(level, "%s", msg, exc_info=traceback)


class Listener:
    """Serves one application on one socket with daemon threads."""

    def __init__(
        self, application: WSGIApplication, at: socket.socket | tuple[str, int], tls: BuiltinSSLAdapter | None = None
    ) -> None:
        given = at if isinstance(at, socket.socket) else None
        address = given.getsockname() if given else at
        self._server = _Server(address, application, numthreads=THREADS, server_name="orlop-docker")
        self._server.given = given
        self._server.ssl_adapter = tls
        # Nothing is closed because it is idle: an engine that meets a closed connection repeats its request empty.
        self._server.timeout = FOR_EVER
        self._server.keep_alive_conn_limit = CONNECTIONS
        self._server.request_queue_size = CONNECTIONS  # whom a full queue turns away repeats its request empty as well
        self._server.shutdown_timeout = 2
        self._server.expiration_interval = 0.2  # seconds: how long a stop takes to be noticed
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        os.environ.pop("LISTEN_PID", None)  # cheroot would take descriptor 3 for its socket, whatever that is
        ready: Future[None] = Future()
        self._thread = threading.Thread(target=self._serve, args=(ready,), name="listener", daemon=True)
        self._thread.start()
        try:
            ready.result()
        except OSError as error:
            raise Refused(f"cannot listen: {error}") from error

    @property
    def port(self) -> int:
        return int(self._server.bind_addr[1])

    @property
    def running(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Waits a moment for what is being answered."""
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


def unix_socket(path: Path) -> socket.socket:
    """For root only. What an earlier run left is replaced, what is served is not; raises `Refused`."""
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() or path.is_symlink():
            _require_dead(path)
            path.unlink()
        made.bind(str(path))
        path.chmod(stat.S_IRUSR | stat.S_IWUSR)
    except OSError as error:
        made.close()
        raise Refused(f"cannot listen at {path}: {error}") from error
    except OrlopError:
        made.close()
        raise
    return made


def _require_dead(path: Path) -> None:
    if not stat.S_ISSOCK(path.lstat().st_mode):
        raise Refused(f"{path} is no socket; it was left as it is")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
    raise Refused(f"another program serves {path}", correction=f"'ss -lxp src {path}' names it.")


def inherited() -> list[socket.socket]:
    """Sockets that systemd opened for this process; asked once, since the variables are not for its children."""
    process, count = os.environ.pop("LISTEN_PID", ""), os.environ.pop("LISTEN_FDS", "0")
    os.environ.pop("LISTEN_FDNAMES", None)
    if process != str(os.getpid()):
        return []
    numbers = range(FIRST_DESCRIPTOR, FIRST_DESCRIPTOR + int(count))
    for number in numbers:
        os.set_inheritable(number, False)
    return [socket.socket(fileno=number) for number in numbers]


def driver_name(at: socket.socket) -> str:
    """By which an engine knows a socket: its file without the ending."""
    return Path(str(at.getsockname())).stem


def with_certificates(cert: Path, key: Path, ca: Path) -> BuiltinSSLAdapter:
    """Only who has a certificate of this authority is served: whoever is, mounts file systems as root."""
    try:
        adapter = BuiltinSSLAdapter(str(cert), str(key), str(ca))
    except OSError as error:
        raise Refused(f"the certificates cannot be read: {error}") from error
    adapter.context.minimum_version = ssl.TLSVersion.TLSv1_2
    adapter.context.verify_mode = ssl.CERT_REQUIRED
    return adapter
