"""The controller's side of the talk with one satellite."""

import contextlib
import logging
import secrets
import ssl
import threading
from itertools import count
from typing import NamedTuple, NoReturn, TypeVar

import msgspec
import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError, ProtocolError
from urllib3.exceptions import SSLError as TlsError

from orlop.errors import TransportError, Unauthenticated
from orlop.model import NodeInfo
from orlop.model import key as name_key
from orlop.model.decoding import decoded
from orlop.transport.identity import ClusterKey, TlsFiles
from orlop.transport.messages import (
    PREFIX,
    VERSION,
    Accepted,
    BackingOutcome,
    Fence,
    Hello,
    MakeBacking,
    ObjectTaken,
    Opening,
    Operate,
    Operated,
    PhysicalDevice,
    Plan,
    Planned,
    Problem,
    RemoveBacking,
    Report,
    Secrets,
    Sync,
    TakeObject,
    Update,
    Welcome,
    encode,
    printable,
)
from orlop.transport.proof import (
    CHALLENGE_BYTES,
    COUNTER_HEADER,
    SESSION_HEADER,
    SIGNATURE_HEADER,
    SessionKeys,
    controller_proof,
    equal,
    satellite_proof,
    transcript,
)
from orlop.transport.refusals import SessionLost, error
from orlop.transport.tls import client_context, is_loopback

log = logging.getLogger(__name__)

SILENT = (ssl.SSLEOFError, ssl.SSLZeroReturnError)  # the connection was closed in the middle of a handshake
CONNECT_SECONDS = 3.0
ORDER_SECONDS = 30.0
OPERATE_SECONDS = 120.0  # what is in hand is finished first
BACKING_SECONDS = 300.0  # large devices take their time to be signed and wiped
GRACE_SECONDS = 5.0  # on top of what a long poll may wait
LARGEST_ANSWER = 256 << 20
T = TypeVar("T")


class _Session(NamedTuple):
    name: str
    keys: SessionKeys
    counter: "count[int]"


class _Answer(NamedTuple):
    status: int
    body: bytes
    signature: str


class Channel:
    """Talks to the satellite of one node for one activation. Orders and reports may come from two threads.

    Without `tls` the connection is plain, which only loopback may be. Every method raises `TransportError` when the
    satellite cannot be reached or does not do as told; of its kinds, `Fenced` and what a satellite is not able to do
    are believed only with the satellite's signature.
    """

    def __init__(
        self, node: str, address: str, port: int, *, key: ClusterKey, fence: Fence, tls: TlsFiles | None = None
    ) -> None:
        self.node, self.fence = node, fence
        self.where = f"satellite {node} at {f'[{address}]' if ':' in address else address}:{port}"
        self._key = key
        self._session: _Session | None = None
        self._lock = threading.Lock()
        self._orders = self._pool(address, port, tls)
        self._reports = self._pool(address, port, tls)

    def connect(self) -> NodeInfo:
        """Prove each to the other. Raises `Unauthenticated`, `Fenced` or another `TransportError`."""
        challenge = secrets.token_hex(CHALLENGE_BYTES)
        hello = Hello(version=VERSION, fence=self.fence, node=self.node, challenge=challenge)
        answer = self._exchange(self._orders, "POST", PREFIX + "hello", encode(hello), {}, ORDER_SECONDS)
        if answer.status != 200:
            self._distrust(answer)
        welcome = self._decode(answer.body, Welcome)
        said = transcript(hello, welcome.session, welcome.challenge)
        if not equal(satellite_proof(self._key, said), welcome.proof):
            raise self._unproven(f"{self.where} did not prove that it holds the key of this cluster")
        if name_key(welcome.node) != name_key(self.node):
            raise self._unproven(f"{self.where} is satellite {printable(welcome.node)}")
        session = _Session(welcome.session, SessionKeys(self._key, said), count(1))
        opening = encode(Opening(session=session.name, proof=controller_proof(self._key, said)))
        answer = self._exchange(self._orders, "POST", PREFIX + "session", opening, {}, ORDER_SECONDS)
        info = self._decode(self._verified(answer, session, 0), NodeInfo)
        self._session = session
        return info

    def info(self) -> NodeInfo:
        return self._decode(self._call(self._orders, "GET", "info"), NodeInfo)

    def sync(self, message: Sync) -> Accepted:
        return self._decode(self._call(self._orders, "POST", "sync", encode(message)), Accepted)

    def update(self, message: Update) -> Accepted:
        """Raises `NotSynced` when the satellite needs a `Sync` first."""
        return self._decode(self._call(self._orders, "POST", "update", encode(message)), Accepted)

    def reports(self, after: int, wait: float) -> Report:
        """What changed after report number `after`; returns after about `wait` seconds when nothing did."""
        path = f"reports?after={after}&wait={wait:.3f}"
        return self._decode(self._call(self._reports, "GET", path, seconds=wait + GRACE_SECONDS), Report)

    def secrets(self, message: Secrets) -> Accepted:
        return self._decode(self._call(self._orders, "POST", "secrets", encode(message)), Accepted)

    def physical_storage(self) -> tuple[PhysicalDevice, ...]:
        return self._decode(self._call(self._orders, "GET", "physical-storage"), tuple[PhysicalDevice, ...])

    def make_backing(self, message: MakeBacking) -> BackingOutcome:
        return self._backing("make-backing", message)

    def remove_backing(self, message: RemoveBacking) -> BackingOutcome:
        return self._backing("remove-backing", message)

    def _backing(self, path: str, message: MakeBacking | RemoveBacking) -> BackingOutcome:
        answer = self._call(self._orders, "POST", path, encode(message), BACKING_SECONDS)
        return self._decode(answer, BackingOutcome)

    def operate(self, message: Operate) -> Operated:
        return self._decode(self._call(self._orders, "POST", "operate", encode(message), OPERATE_SECONDS), Operated)

    def take_object(self, message: TakeObject) -> ObjectTaken:
        answer = self._call(self._orders, "POST", "take-object", encode(message), BACKING_SECONDS)
        return self._decode(answer, ObjectTaken)

    def plan(self, message: Plan) -> Planned:
        return self._decode(self._call(self._orders, "POST", "plan", encode(message), OPERATE_SECONDS), Planned)

    def close(self) -> None:
        """Forget the session and close the connections."""
        self._session = None
        self._orders.close()
        self._reports.close()

    def __repr__(self) -> str:
        return f"<Channel to {self.where}>"

    def _pool(self, address: str, port: int, tls: TlsFiles | None) -> urllib3.HTTPConnectionPool:
        if tls is not None:
            # The address says where the satellite is, the certificate who it is: it has to bear the node's name.
            return urllib3.HTTPSConnectionPool(
                address, port, ssl_context=client_context(tls), server_hostname=self.node, assert_hostname=self.node
            )
        if not is_loopback(address):
            raise TransportError(
                f"{self.where} is not contacted without TLS: its address is not a loopback address",
                correction="Set the encryption of the node's net interface to SSL and join the node with the command "
                "that 'orlop node join-command' prints.",
            )
        return urllib3.HTTPConnectionPool(address, port)

    def _call(
        self,
        pool: urllib3.HTTPConnectionPool,
        method: str,
        path: str,
        body: bytes = b"",
        seconds: float = ORDER_SECONDS,
    ) -> bytes:
        session, target = self._session, PREFIX + path
        if session is None:
            raise SessionLost(f"{self.where} is not connected")
        for attempt in (1, 2):
            with self._lock:
                counter = next(session.counter)
            signature = session.keys.sign_request(session.name, counter, method, target, body)
            headers = {SESSION_HEADER: session.name, COUNTER_HEADER: str(counter), SIGNATURE_HEADER: signature}
            try:
                answer = self._exchange(pool, method, target, body, headers, seconds)
            except _ConnectionLost:
                # A kept connection may have been closed just now. Every order can be repeated.
                if attempt == 2:
                    raise
            else:
                return self._verified(answer, session, counter)
        raise AssertionError("unreachable")

    def _exchange(
        self,
        pool: urllib3.HTTPConnectionPool,
        method: str,
        target: str,
        body: bytes,
        headers: dict[str, str],
        seconds: float,
    ) -> _Answer:
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=seconds)
        try:
            response = pool.urlopen(
                method, target, body, headers, retries=False, redirect=False, timeout=timeout, preload_content=False
            )
            with contextlib.closing(response):
                content = response.read(LARGEST_ANSWER, decode_content=False)
                whole = not response.read(1)
        except TlsError as cause:
            if cause.args and isinstance(cause.args[0], SILENT):
                raise TransportError(
                    f"{self.where} closed the connection before it said who it is",
                    cause=str(cause),
                    correction=f"If that lasts: 'systemctl status orlop-satellite' on {self.node}.",
                ) from cause
            raise self._unproven(
                f"{self.where} and this controller do not trust each other over TLS: {cause}"
            ) from None
        except (NewConnectionError, ConnectTimeoutError) as cause:
            raise TransportError(
                f"{self.where} cannot be reached",
                cause=str(cause),
                correction=f"See whether it runs: 'systemctl status orlop-satellite' on {self.node}.",
            ) from cause
        except ProtocolError as cause:
            raise _ConnectionLost(f"{self.where} closed the connection", cause=str(cause)) from cause
        except HTTPError as cause:
            raise TransportError(f"{self.where} did not answer: {cause}") from cause
        if not whole:
            raise TransportError(f"{self.where} sent more than {LARGEST_ANSWER} bytes")
        return _Answer(response.status, content, response.headers.get(SIGNATURE_HEADER, ""))

    def _verified(self, answer: _Answer, session: _Session, counter: int) -> bytes:
        expected = session.keys.sign_answer(session.name, counter, answer.status, answer.body)
        if not equal(expected, answer.signature):
            self._distrust(answer)
        if answer.status == 200:
            return answer.body
        refusal = error(self._decode(answer.body, Problem), self.where)
        log.warning("%s", refusal)
        raise refusal

    def _distrust(self, answer: _Answer) -> NoReturn:
        """An answer that nothing proves: it may stop the talk, but it is believed in nothing else."""
        try:
            problem = decoded(answer.body, Problem)
        except (msgspec.DecodeError, UnicodeDecodeError):
            problem = Problem(kind="", message=f"status {answer.status} without a signature")
        message = f"{self.where} refused: {printable(problem.message)}"
        if problem.kind == "no_session":
            self._session = None
            raise SessionLost(message)
        if problem.kind == "bad_message":
            log.warning("%s", message)
            raise TransportError(message)
        raise self._unproven(message)

    def _unproven(self, message: str) -> Unauthenticated:
        log.warning("%s", message)
        return Unauthenticated(
            message, correction=f"Join {self.node} again with the command that 'orlop node join-command' prints."
        )

    def _decode(self, body: bytes, kind: type[T]) -> T:
        try:
            return decoded(body, kind)
        except (msgspec.DecodeError, UnicodeDecodeError) as cause:
            raise TransportError(f"{self.where} sent an answer that cannot be understood: {cause}") from cause


class _ConnectionLost(TransportError):
    """The other side closed the connection before it answered."""
