"""The port where new nodes join: a token that works once buys the cluster key and a certificate, over TLS only."""

import logging
import shlex
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec

from orlop.controller.cluster_key import ClusterKeys
from orlop.controller.join_tokens import JoinTokens
from orlop.errors import OrlopError, Refused, Unauthenticated
from orlop.listener import Listener
from orlop.model import names
from orlop.model.cluster import Value
from orlop.model.decoding import decoded
from orlop.transport.messages import JoinAnswer, JoinRequest, Problem, encode, printable
from orlop.transport.server import LOAD
from orlop.transport.tls import server_context

log = logging.getLogger(__name__)

PORT = 3371
TOKENS = "join-tokens.json"
LARGEST_REQUEST = 64 << 10
FAILURES = 5  # of one address within FAILURE_SECONDS; then it has to wait
FAILURE_SECONDS = 60.0
ADDRESSES = 1024  # that failures are remembered of


class JoinCommand(Value, frozen=True, kw_only=True):
    """What to run on a node to make it join. The command asks for the token: an argument could be seen by anybody.

    `expires_at` is the token's end in milliseconds since 1970.
    """

    command: str
    token: str
    expires_at: int

    def __repr__(self) -> str:
        return f"JoinCommand(command={self.command!r}, expires_at={self.expires_at})"


class TooManyFailures(Refused):
    """Somebody tries tokens out."""


class Failures:
    """Counts what each address got wrong lately. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._times: dict[str, deque[float]] = {}

    def check(self, address: str) -> None:
        with self._lock:
            times = self._times.get(address, ())
            recent = [at for at in times if at > self._clock() - FAILURE_SECONDS]
        if len(recent) >= FAILURES:
            raise TooManyFailures(f"{address} failed to join {len(recent)} times; it has to wait a minute")

    def add(self, address: str) -> None:
        with self._lock:
            times = self._times.pop(address, deque(maxlen=FAILURES))
            times.append(self._clock())
            self._times[address] = times
            if len(self._times) > ADDRESSES:
                del self._times[next(iter(self._times))]


class Enrolment:
    """Lets nodes join. `address` is where it listens, `advertised` how nodes reach it if that is something else."""

    def __init__(
        self,
        keys: ClusterKeys,
        state_directory: Path,
        *,
        address: str = "127.0.0.1",
        port: int = PORT,
        advertised: str | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._keys = keys
        self._tokens = JoinTokens(state_directory / TOKENS, clock)
        self._failures = Failures(monotonic)
        self._advertised = advertised or address
        tls = server_context(keys.enrolment_tls, ask_client=False)
        self._listener = Listener(self, (address, port), tls, LOAD._replace(threads=4), address)

    @property
    def port(self) -> int:
        return self._listener.port

    def start(self) -> None:
        self._listener.start()

    def stop(self) -> None:
        self._listener.stop()

    def join_command(self, node: str) -> JoinCommand:
        """Draws a token for a node; raises `BadName`."""
        host = f"[{self._advertised}]" if ":" in self._advertised else self._advertised
        options = ("--controller", f"https://{host}:{self.port}", "--ca-fingerprint", self._keys.fingerprint)
        command = shlex.join(("orlop-satellite", "join", *options, "--node", names.node(node)))
        token, expires_at = self._tokens.draw(node)
        return JoinCommand(command=command, token=token, expires_at=expires_at)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        """The WSGI application."""
        peer: str = environ.get("REMOTE_ADDR", "")
        try:
            status, body = self._answer(environ, peer)
        except (OrlopError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log.warning("refused to let %s join: %s", peer, printable(str(error)))
            status, kind = _status(error)
            body = encode(Problem(kind=kind, message=str(error)))
        start_response(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
        return [body]

    def _answer(self, environ: WSGIEnvironment, peer: str) -> tuple[str, bytes]:
        match environ["REQUEST_METHOD"], environ["PATH_INFO"]:
            case "GET", "/v1/orlop/authority":
                return "200 OK", self._keys.authority
            case "POST", "/v1/orlop/join":
                self._failures.check(peer)
                try:
                    return "200 OK", encode(self._join(_body(environ), peer))
                except (OrlopError, msgspec.DecodeError, UnicodeDecodeError):
                    self._failures.add(peer)
                    raise
        return "404 Not Found", encode(Problem(kind="bad_message", message="nodes join at POST /v1/orlop/join"))

    def _join(self, body: bytes, peer: str) -> JoinAnswer:
        request = decoded(body, JoinRequest)
        node = names.node(request.node)
        self._tokens.redeem(request.token, node)
        certificate = self._keys.issue_for_node(request.csr, node, peer or None)
        log.info("node %s joined from %s", node, peer)
        return JoinAnswer(
            cluster=self._keys.identity.cluster,
            cluster_key=self._keys.identity.key.reveal().hex(),
            certificate=certificate.decode(),
            authority=self._keys.authority.decode(),
        )


def _body(environ: WSGIEnvironment) -> bytes:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdigit() or int(length) > LARGEST_REQUEST:
        raise Refused(f"a request to join has at most {LARGEST_REQUEST} bytes")
    body: bytes = environ["wsgi.input"].read(int(length))
    return body


def _status(error: Exception) -> tuple[str, str]:
    match error:
        case Unauthenticated():
            return "401 Unauthorized", "unauthenticated"
        case TooManyFailures():
            return "429 Too Many Requests", "unauthenticated"
        case _:
            return "400 Bad Request", "bad_message"
