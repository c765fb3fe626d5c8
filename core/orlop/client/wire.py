"""Requests as values, and the one place that sends them."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from orlop import __version__
from orlop.client.answer import ClientError, ConnectionBroken, TimedOut, UnexpectedReply, Unreachable

if TYPE_CHECKING:
    import requests

Query = tuple[tuple[str, str], ...]
_PROBE_SECONDS = 3.0


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One call. `changes` is False for calls that only read, whatever their verb; `data`: the answer is no envelope.

    `silence`: seconds without a line after which a stream is given up; None waits for ever.
    """

    method: str
    path: str
    query: Query = ()
    body: Any = None
    changes: bool = False
    data: bool = False
    silence: float | None = None

    @property
    def target(self) -> str:
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def payload(self) -> bytes | None:
        return None if self.body is None else msgspec.json.encode(self.body)


class Reply(msgspec.Struct, frozen=True):
    status: int
    body: bytes


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """Paths of PEM files. Without `ca_file` the certificates of the system count."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """How to prove who asks. Never sent over plain HTTP unless `insecure`."""

    user: str = ""
    password: str = ""
    token: str = ""
    insecure: bool = False

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


class Transport(Protocol):
    """Whatever carries a request to a controller and brings the reply."""

    def send(self, request: Request) -> Reply: ...
    def lines(self, request: Request) -> Iterator[str]: ...


class InsecureLogin(ClientError):
    """A password or token would have gone over the wire in clear."""


class Http:
    """Sends to the first controller that can be reached, beginning with the one that answered last.

    The next one is tried only when a connection could not be made: a request that was sent once is never
    sent again, except when it only reads. Proxies of the environment are not used.
    """

    def __init__(
        self,
        urls: Sequence[str],
        timeout: float = 300.0,
        tls: Tls | None = None,
        credentials: Credentials | None = None,
    ) -> None:
        self.urls = list(urls)
        self.timeout = timeout
        self._tls = tls or Tls()
        self._credentials = credentials
        self._open: requests.Session | None = None
        self._lock = threading.Lock()

    def send(self, request: Request) -> Reply:
        with self._answer(request, stream=False) as answer:
            return Reply(answer.status_code, answer.content)

    def lines(self, request: Request) -> Iterator[str]:
        with self._answer(request, stream=True) as answer:
            if answer.status_code >= 400:
                raise UnexpectedReply(f"the controller refused the stream with HTTP status {answer.status_code}")
            yield from _lines(answer)

    @contextmanager
    def _answer(self, request: Request, stream: bool) -> Iterator[requests.Response]:
        answer = self._first(request, stream)
        try:
            yield answer
        finally:
            answer.close()

    def _first(self, request: Request, stream: bool) -> requests.Response:
        import requests

        problems: dict[str, str] = {}
        for url in list(self.urls):
            try:
                answer = self._ask(url, request, stream)
            except requests.ReadTimeout as error:
                raise TimedOut(url, self.timeout) from error
            except requests.ConnectionError as error:
                if request.changes and _may_have_arrived(error):
                    raise _broken(url, error) from error
                problems[url] = _reason(error)
                continue
            except requests.RequestException as error:
                raise _broken(url, error) from error
            self._prefer(url)
            return answer
        raise Unreachable(problems)

    def _ask(self, url: str, request: Request, stream: bool) -> requests.Response:
        if self._credentials and url.startswith("http:"):
            url = self._encrypted(url)
        answer = self._exchange(url, request, stream)
        secure = _redirect(url, answer.status_code, answer.headers.get("Location", ""))
        return self._exchange(secure, request, stream) if secure else answer

    def _encrypted(self, url: str) -> str:
        """Where to log in: the TLS port, if the plain one points to it."""
        assert self._credentials is not None
        probe = self._session().get(f"{url}/v1/controller/version", timeout=_PROBE_SECONDS, allow_redirects=False)
        secure = _redirect(url, probe.status_code, probe.headers.get("Location", ""))
        if not secure and not self._credentials.insecure:
            raise InsecureLogin(
                f"{url} is not encrypted; the login was not sent",
                correction="Use https. 'orlop --allow-insecure-auth' logs in nevertheless, for networks you trust.",
            )
        return secure or url

    def _exchange(self, url: str, request: Request, stream: bool) -> requests.Response:
        session = self._session()
        headers: dict[str, str] = {}
        auth = None
        if self._credentials and self._credentials.token:
            headers["Authorization"] = f"Bearer {self._credentials.token}"
        elif self._credentials:
            auth = (self._credentials.user, self._credentials.password)
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        return session.request(
            request.method,
            url + request.target,
            data=request.payload,
            headers=headers,
            auth=auth,
            timeout=(min(self.timeout, 10.0), request.silence if stream else self.timeout),
            allow_redirects=False,
            stream=stream,
        )

    def _session(self) -> requests.Session:
        import requests

        with self._lock:
            if self._open is None:
                session = requests.Session()
                session.trust_env = False
                session.headers["User-Agent"] = f"Orlop/{__version__}"
                session.verify = self._tls.ca_file or True
                if self._tls.cert_file:
                    key = self._tls.key_file
                    session.cert = (self._tls.cert_file, key) if key else self._tls.cert_file
                self._open = session
            return self._open

    def _prefer(self, url: str) -> None:
        with self._lock:
            self.urls = [url, *(other for other in self.urls if other != url)]

    def close(self) -> None:
        with self._lock:
            if self._open is not None:
                self._open.close()
            self._open = None


def path(*segments: object) -> str:
    """`/v1/...` with every segment escaped: names may hold anything, external file names hold slashes."""
    return "/v1/" + "/".join(quote(str(segment), safe="") for segment in segments)


def query(**parameters: object) -> Query:
    """Query parameters in order; None and empty sequences are left out, sequences are repeated.

    >>> query(nodes=["a", "b"], limit=None, cached=True)
    (('nodes', 'a'), ('nodes', 'b'), ('cached', 'true'))
    """
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        if isinstance(value, bool):
            pairs.append((name, "true" if value else "false"))
        elif isinstance(value, (list, tuple)):
            pairs.extend((name, str(item)) for item in value)
        elif value is not None:
            pairs.append((name, str(value)))
    return tuple(pairs)


def _redirect(url: str, status: int, location: str) -> str | None:
    """The TLS address of the same host. Only the port of the location is believed."""
    target = urlsplit(location)
    if status != 302 or not url.startswith("http:") or target.scheme != "https":
        return None
    host = urlsplit(url).hostname or ""
    shown = f"[{host}]" if ":" in host else host
    return f"https://{shown}:{target.port or 443}"


def _may_have_arrived(error: requests.ConnectionError) -> bool:
    from urllib3.exceptions import ProtocolError

    return bool(error.args) and isinstance(error.args[0], ProtocolError)


def _reason(error: Exception) -> str:
    """The innermost sentence; what requests and urllib3 wrap around it helps nobody."""
    inner: Any = error
    while getattr(inner, "args", None) and isinstance(inner.args[0], Exception):
        inner = inner.args[0]
    inner = getattr(inner, "reason", None) or inner
    return re.sub(r"^\S*HTTPS?Connection\w*(\(.*?\)|[^:]*):? ", "", str(inner))


def _lines(answer: requests.Response) -> Iterator[str]:
    import requests

    try:
        yield from (line.decode("utf-8", "replace") for line in answer.iter_lines(chunk_size=1))
    except requests.RequestException as error:
        raise ConnectionBroken("the stream of the controller broke", cause=_reason(error)) from error


def _broken(url: str, error: Exception) -> ClientError:
    return ConnectionBroken(
        f"the connection to {url} broke",
        cause=_reason(error),
        details="The controller may have begun the work.",
        correction="Look at the state of the objects before you repeat the command.",
    )
