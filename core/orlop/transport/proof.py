"""How controller and satellite prove to each other that they hold the cluster key, without ever sending it.

Both draw a challenge. The satellite answers the controller's, the controller the satellite's; each proof covers
everything both have said, so that nothing can be moved to another session, node or activation. The two keys of the
session come from the same words. Every later request and answer is signed with them, and numbered.
"""

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orlop.model import key as name_key
from orlop.transport.identity import ClusterKey
from orlop.transport.messages import Hello

CHALLENGE_BYTES = 32
WINDOW = 64

SESSION_HEADER = "X-Orlop-Session"
COUNTER_HEADER = "X-Orlop-Counter"
SIGNATURE_HEADER = "X-Orlop-Signature"


def pack(*fields: str | bytes) -> bytes:
    """Fields with their lengths: no two lists of fields give the same bytes.

    >>> pack("ab", "c") != pack("a", "bc")
    True
    """
    encoded = [field.encode() if isinstance(field, str) else field for field in fields]
    return b"".join(len(field).to_bytes(8, "big") + field for field in encoded)


def transcript(hello: Hello, session: str, challenge: str) -> bytes:
    """Everything both sides said; `challenge` is the satellite's."""
    fence = hello.fence
    return pack(
        "orlop session",
        str(hello.version),
        fence.cluster,
        str(fence.term),
        fence.nonce,
        str(fence.sequence),
        name_key(hello.node),
        hello.challenge,
        session,
        challenge,
    )


def satellite_proof(key: ClusterKey, said: bytes) -> str:
    return key.authenticate(pack("satellite", said)).hex()


def controller_proof(key: ClusterKey, said: bytes) -> str:
    return key.authenticate(pack("controller", said)).hex()


def equal(left: str, right: str) -> bool:
    """In constant time, for any text."""
    return hmac.compare_digest(left.encode(), right.encode())


class SessionKeys:
    """Sign the requests and answers of one session. The two directions have different keys."""

    __slots__ = ("_answers", "_requests")

    def __init__(self, key: ClusterKey, said: bytes) -> None:
        salt = hashlib.sha256(said).digest()
        derived = HKDF(algorithm=SHA256(), length=64, salt=salt, info=b"orlop session keys").derive(key.reveal())
        self._requests, self._answers = derived[:32], derived[32:]

    def sign_request(self, session: str, counter: int, method: str, path: str, body: bytes) -> str:
        """`path` with its query."""
        return hmac.digest(self._requests, pack(session, str(counter), method, path, body), "sha256").hex()

    def sign_answer(self, session: str, counter: int, status: int, body: bytes) -> str:
        """`counter` is that of the request it answers."""
        return hmac.digest(self._answers, pack(session, str(counter), str(status), body), "sha256").hex()

    def __repr__(self) -> str:
        return "SessionKeys(hidden)"


class Counters:
    """Which requests of a session were seen. Two connections share a session, so a few may overtake each other."""

    __slots__ = ("_highest", "_seen")

    def __init__(self) -> None:
        self._highest = 0
        self._seen = 0  # bit n: `_highest - n` was seen

    def accept(self, counter: int) -> bool:
        """False for one that was seen or is too old to know. Call only for a request whose signature is right.

        >>> counters = Counters()
        >>> [counters.accept(number) for number in (1, 3, 2, 3, 100, 2)]
        [True, True, True, False, True, False]
        """
        if counter > self._highest:
            distance = min(counter - self._highest, WINDOW)
            self._seen = (self._seen << distance | 1) & ((1 << WINDOW) - 1)
            self._highest = counter
            return True
        age = self._highest - counter
        if counter < 1 or age >= WINDOW or self._seen >> age & 1:
            return False
        self._seen |= 1 << age
        return True
