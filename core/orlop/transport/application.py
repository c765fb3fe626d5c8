"""A satellite's agent as a WSGI application. Nothing reaches the agent without proof of the cluster key."""

import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar
from urllib.parse import parse_qs
from wsgiref.types import StartResponse, WSGIEnvironment

import msgspec

from orlop.errors import Fenced, OrlopError, TransportError, Unauthenticated
from orlop.model.cluster import Value
from orlop.model.decoding import decoded
from orlop.transport.agent import Agent
from orlop.transport.identity import Identity
from orlop.transport.messages import (
    PREFIX,
    Fence,
    Hello,
    MakeBacking,
    Opening,
    Operate,
    Plan,
    Problem,
    RemoveBacking,
    Report,
    Secrets,
    Sync,
    TakeObject,
    Update,
    encode,
    printable,
)
from orlop.transport.proof import SIGNATURE_HEADER
from orlop.transport.refusals import NotSynced, problem
from orlop.transport.sessions import Session, Sessions

log = logging.getLogger(__name__)

LARGEST_BODY = 64 << 20
LARGEST_GREETING = 8 << 10
LONGEST_WAIT = 60.0
WAITING = 4  # long polls that may hold a thread of the server
SLICE = 1.0  # seconds after which a long poll notices that it is to end

REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 409: "Conflict"}
REASONS |= {422: "Unprocessable Content", 500: "Internal Server Error"}


class _Request:
    def __init__(self, environ: WSGIEnvironment) -> None:
        self.method: str = environ["REQUEST_METHOD"]
        self.path: str = environ["PATH_INFO"]
        self.query: str = environ.get("QUERY_STRING", "")
        self.peer: str = environ.get("REMOTE_ADDR", "an unknown address")
        self.session: str = environ.get("HTTP_X_ORLOP_SESSION", "")
        self.signature: str = environ.get("HTTP_X_ORLOP_SIGNATURE", "")
        self._counter: str = environ.get("HTTP_X_ORLOP_COUNTER", "")
        self._environ = environ

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def counter(self) -> int:
        if not (self._counter.isascii() and self._counter.isdigit() and len(self._counter) <= 18):
            raise Unauthenticated("the request has no number")
        return int(self._counter)

    def body(self, largest: int) -> bytes:
        text = self._environ.get("CONTENT_LENGTH") or "0"
        length = int(text) if text.isdecimal() else 0
        if length > largest:
            raise TransportError(f"a message of {length} bytes is too long: at most {largest}")
        content: bytes = self._environ["wsgi.input"].read(length)
        if len(content) != length:
            raise TransportError(f"the message was cut off after {len(content)} of {length} bytes")
        return content

    def number(self, name: str) -> float:
        text = parse_qs(self.query).get(name, [""])[0]
        if not re.fullmatch(r"[0-9]{1,18}(\.[0-9]{1,6})?", text, re.ASCII):
            raise TransportError(f"{name} has to be a number")
        return float(text)


M = TypeVar("M", Sync, Secrets, MakeBacking, RemoveBacking, Operate, TakeObject, Plan)
Order = Callable[[Session, _Request, bytes], Value | tuple[Value, ...]]


class Application:
    """Call it from any WSGI server. `close()` ends the long polls, within a second."""

    def __init__(self, agent: Agent, identity: Identity) -> None:
        self._agent = agent
        self._name = identity.name
        self._sessions = Sessions(identity)
        self._closed = threading.Event()
        self._waiting: deque[object] = deque(maxlen=WAITING)  # the newest ones; who is not in it any more answers
        self._orders: dict[tuple[str, str], Order] = {
            ("POST", PREFIX + "sync"): self._told(Sync, agent.sync),
            ("POST", PREFIX + "update"): self._update,
            ("POST", PREFIX + "secrets"): self._told(Secrets, agent.secrets),
            ("GET", PREFIX + "reports"): self._reports,
            ("GET", PREFIX + "physical-storage"): lambda *_: self._agent.physical_storage(),
            ("POST", PREFIX + "make-backing"): self._told(MakeBacking, agent.make_backing),
            ("POST", PREFIX + "remove-backing"): self._told(RemoveBacking, agent.remove_backing),
            ("POST", PREFIX + "operate"): self._told(Operate, agent.operate),
            ("POST", PREFIX + "take-object"): self._told(TakeObject, agent.take_object),
            ("POST", PREFIX + "plan"): self._told(Plan, agent.plan),
            ("GET", PREFIX + "info"): lambda *_: self._agent.info(),
        }

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        request = _Request(environ)
        status, body, signature = self._answer(request)
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if signature:
            headers.append((SIGNATURE_HEADER, signature))
        start_response(f"{status} {REASONS[status]}", headers)
        return [body]

    def close(self) -> None:
        self._closed.set()

    def _answer(self, request: _Request) -> tuple[int, bytes, str]:
        """Status, body and signature; a refusal of whoever proved nothing has no signature."""
        try:
            if request.method == "POST" and request.path == PREFIX + "hello":
                hello = decoded(request.body(LARGEST_GREETING), Hello)
                return 200, encode(self._sessions.greet(hello)), ""
            if request.method == "POST" and request.path == PREFIX + "session":
                session = self._sessions.prove(decoded(request.body(LARGEST_GREETING), Opening))
                return self._signed(request, session, 0, lambda: self._open(session))
            order = self._orders.get((request.method, request.path))
            if order is None:
                return self._refuse(request, *self._unknown(request))
            session, counter = self._sessions.find(request.session), request.counter
            body = request.body(LARGEST_BODY)
            session.verify(counter, request.method, request.target, body, request.signature)
        except (OrlopError, msgspec.DecodeError, UnicodeDecodeError) as error:
            return self._refuse(request, *problem(error))
        return self._signed(request, session, counter, lambda: self._obey(session, order, request, body))

    def _signed(
        self, request: _Request, session: Session, counter: int, work: Callable[[], Value | tuple[Value, ...]]
    ) -> tuple[int, bytes, str]:
        try:
            status, body = 200, encode(work())
        except (OrlopError, msgspec.DecodeError, UnicodeDecodeError) as error:
            status, body, _ = self._refuse(request, *problem(error))
        except Exception:  # noqa: BLE001 - a fault of ours must reach the controller as an answer, not as silence
            log.exception("%s failed", request.path)
            fault = Problem(kind="failed", message=f"satellite {self._name} failed; its log says where")
            status, body = 500, encode(fault)
        return status, body, session.keys.sign_answer(session.name, counter, status, body)

    def _refuse(self, request: _Request, status: int, answer: Problem) -> tuple[int, bytes, str]:
        told = printable(f"{request.method} {request.path} from {request.peer}: {answer.message}")
        log.warning("satellite %s refused %s", self._name, told)
        return status, encode(answer), ""

    def _unknown(self, request: _Request) -> tuple[int, Problem]:
        message = f"satellite {self._name} does not know {request.method} {request.path}; it may be too old for it"
        return 404, Problem(kind="bad_message", message=message)

    def _open(self, session: Session) -> Value:
        self._agent.check(session.fence)
        self._sessions.admit(session)
        log.info("controller of cluster %s proved itself, term %d", session.fence.cluster, session.fence.term)
        return self._agent.info()

    def _obey(
        self,
        session: Session,
        order: Order,
        request: _Request,
        body: bytes,
    ) -> Value | tuple[Value, ...]:
        self._agent.check(session.fence)
        return order(session, request, body)

    def _update(self, session: Session, _: _Request, body: bytes) -> Value:
        message = decoded(body, Update)
        check_speaker(session, message.fence)
        try:
            return self._agent.update(message)
        except Fenced:
            raise
        except TransportError as error:
            raise NotSynced(error.message) from error

    def _told(self, kind: type[M], obey: Callable[[M], Value]) -> Order:
        """An order that is one message, from whoever speaks in this session."""

        def obeyed(session: Session, _: _Request, body: bytes) -> Value:
            message = decoded(body, kind)
            check_speaker(session, message.fence)
            return obey(message)

        return obeyed

    def _reports(self, _: Session, request: _Request, __: bytes) -> Report:
        after, wait = int(request.number("after")), min(request.number("wait"), LONGEST_WAIT)
        until = time.monotonic() + wait
        me = object()
        self._waiting.append(me)  # the oldest of too many has to answer now: a controller that went away left it
        try:
            while True:
                left = until - time.monotonic()
                report = self._agent.reports(after, max(0.0, min(left, SLICE)))
                if report.number != after or left <= SLICE or self._closed.is_set() or me not in self._waiting:
                    return report
        finally:
            with suppress(ValueError):
                self._waiting.remove(me)


def check_speaker(session: Session, fence: Fence) -> None:
    """An order bears the fence its session was opened with; only the commit's number moves on."""
    proved = session.fence
    if (fence.cluster, fence.term, fence.nonce) != (proved.cluster, proved.term, proved.nonce):
        raise TransportError("the order bears another fence than the session it came in")
