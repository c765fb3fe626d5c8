"""Where engines reach the plugin: unix sockets, its own or systemd's, or a TCP port with certificates on both sides."""

from __future__ import annotations

import os
import socket
import ssl
import stat
from pathlib import Path
from wsgiref.types import WSGIApplication

from orlop.errors import OrlopError, Refused
from orlop.listener import Listener, Load

CONNECTIONS = 256  # that may be kept open
FOR_EVER = 10 * 365 * 86400.0  # seconds
LOAD = Load(
    threads=64,  # a Create occupies one until it is answered
    kept=CONNECTIONS,
    backlog=CONNECTIONS,  # whom a full queue turns away repeats its request empty
    idle=FOR_EVER,  # an engine that meets a closed connection repeats its request empty as well
)
FIRST_DESCRIPTOR = 3  # sd_listen_fds(3)


def listener(
    application: WSGIApplication, at: socket.socket | tuple[str, int], tls: ssl.SSLContext | None = None
) -> Listener:
    return Listener(application, at, tls, LOAD, "orlop-docker")


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


def with_certificates(cert: Path, key: Path, ca: Path) -> ssl.SSLContext:
    """Only who has a certificate of this authority is served: whoever is, mounts file systems as root."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_cert_chain(cert, key)
        context.load_verify_locations(ca)
    except OSError as error:
        raise Refused(f"the certificates cannot be read: {error}") from error
    return context
