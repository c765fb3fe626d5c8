"""The satellite's side of the proof: who may give orders, until when, and which requests are theirs."""

import secrets
import threading
import time
from collections.abc import Callable

from orlop.errors import TransportError, Unauthenticated
from orlop.model import key as name_key
from orlop.transport.identity import Identity
from orlop.transport.messages import VERSION, Fence, Hello, Opening, Welcome
from orlop.transport.proof import (
    CHALLENGE_BYTES,
    Counters,
    SessionKeys,
    controller_proof,
    equal,
    satellite_proof,
    transcript,
)
from orlop.transport.refusals import SessionLost

PENDING = 64
PENDING_SECONDS = 10.0
SESSIONS = 8  # of one activation: a controller that lost an answer opens another one


class Session:
    """One controller that has proved itself, for one activation."""

    def __init__(self, name: str, fence: Fence, keys: SessionKeys) -> None:
        self.name, self.fence, self.keys = name, fence, keys
        self._counters = Counters()
        self._lock = threading.Lock()

    def verify(self, counter: int, method: str, path: str, body: bytes, signature: str) -> None:
        """Raises `Unauthenticated` for a request that is not the controller's, was changed or was seen before."""
        if not equal(self.keys.sign_request(self.name, counter, method, path, body), signature):
            raise Unauthenticated("the signature of the request is wrong: it was changed, or made with another key")
        with self._lock:
            if not self._counters.accept(counter):
                raise Unauthenticated("the request was received before: it is not carried out twice")


class _Pending:
    def __init__(self, fence: Fence, said: bytes, until: float) -> None:
        self.fence, self.said, self.until = fence, said, until


class Sessions:
    """Sessions of one satellite. `clock` is monotonic, in seconds."""

    def __init__(self, identity: Identity, clock: Callable[[], float] = time.monotonic) -> None:
        self._identity = identity
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: dict[str, _Pending] = {}  # oldest first
        self._open: dict[str, Session] = {}  # oldest first

    def greet(self, hello: Hello) -> Welcome:
        """Prove ourselves and ask for the other side's proof. Nothing is promised yet, and no order obeyed."""
        self._check(hello)
        session, challenge = secrets.token_hex(16), secrets.token_hex(CHALLENGE_BYTES)
        said = transcript(hello, session, challenge)
        now = self._clock()
        with self._lock:
            for name in [name for name, pending in self._pending.items() if pending.until < now]:
                del self._pending[name]
            if len(self._pending) >= PENDING:
                del self._pending[next(iter(self._pending))]
            self._pending[session] = _Pending(hello.fence, said, now + PENDING_SECONDS)
        proof = satellite_proof(self._identity.key, said)
        return Welcome(node=self._identity.name, session=session, challenge=challenge, proof=proof)

    def prove(self, opening: Opening) -> Session:
        """Check the controller's proof; raises `Unauthenticated`. One attempt for each greeting."""
        with self._lock:
            pending = self._pending.pop(opening.session, None)
        if pending is None or pending.until < self._clock():
            raise Unauthenticated("no greeting came before this proof, or it came too late")
        if not equal(controller_proof(self._identity.key, pending.said), opening.proof):
            raise Unauthenticated(
                f"the controller did not prove that it holds the key of cluster {self._identity.cluster}",
                correction="Join this node again with the command that 'orlop node join-command' prints.",
            )
        return Session(opening.session, pending.fence, SessionKeys(self._identity.key, pending.said))

    def admit(self, session: Session) -> None:
        """From now on the session's requests are served, and those of earlier activations are not."""
        with self._lock:
            for name, other in list(self._open.items()):
                if other.fence.term < session.fence.term:
                    del self._open[name]
            while len(self._open) >= SESSIONS:
                del self._open[next(iter(self._open))]
            self._open[session.name] = session

    def find(self, name: str) -> Session:
        with self._lock:
            session = self._open.get(name)
        if session is None:
            raise SessionLost("the satellite does not know this session; connect again")
        return session

    def _check(self, hello: Hello) -> None:
        mine = self._identity
        if hello.version > VERSION:
            raise TransportError(
                f"satellite {mine.name} speaks messages up to version {VERSION}, the controller sent {hello.version}",
                correction=f"Upgrade orlop-satellite on {mine.name}.",
            )
        if hello.fence.cluster != mine.cluster:
            raise Unauthenticated(
                f"satellite {mine.name} belongs to cluster {mine.cluster}, not to {hello.fence.cluster}",
                correction="Create the node in its own cluster, or have it leave that one and join again.",
            )
        if name_key(hello.node) != name_key(mine.name):
            raise Unauthenticated(
                f"this is satellite {mine.name}, not {hello.node}",
                correction="Correct the address of the node's net interface.",
            )
        if len(hello.challenge) != 2 * CHALLENGE_BYTES:
            raise TransportError(f"a challenge has {CHALLENGE_BYTES} bytes")
