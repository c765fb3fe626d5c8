"""One-time tokens with which nodes join: only their hashes are kept, and they outlive a restart of the controller."""

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from orlop.errors import Unauthenticated
from orlop.model import key as name_key
from orlop.model.cluster import Value
from orlop.model.decoding import decoded
from orlop.transport import private_files

LIFETIME = 3600.0
REMEMBERED = 86400.0  # seconds after its end for which a token is told from one that never was


class _Token(Value, frozen=True, kw_only=True):
    digest: str
    node: str
    expires_at: float
    used: bool = False


class JoinTokens:
    """Tokens in a root-only file. `clock` gives seconds since 1970."""

    def __init__(self, file: Path, clock: Callable[[], float] = time.time) -> None:
        self._file = file
        self._clock = clock
        self._lock = threading.Lock()

    def draw(self, node: str) -> tuple[str, int]:
        """A new token for one node, and when it ends in milliseconds since 1970."""
        token = secrets.token_urlsafe(32)
        expires_at = self._clock() + LIFETIME
        with self._lock:
            kept = [known for known in self._load() if known.expires_at + REMEMBERED > self._clock()]
            self._save([*kept, _Token(digest=_digest(token), node=node, expires_at=expires_at)])
        return token, int(expires_at * 1000)

    def redeem(self, token: str, node: str) -> None:
        """Use a token up, durably; raises `Unauthenticated` with the reason when it is of no use."""
        digest = _digest(token)
        with self._lock:
            tokens = self._load()
            # Every one is compared, so that the time taken says nothing about any of them.
            matching = [known for known in tokens if hmac.compare_digest(known.digest, digest)]
            if not matching:
                raise _useless("is not known here")
            found = matching[0]
            if found.used:
                raise _useless("was used before")
            if found.expires_at <= self._clock():
                raise _useless("has expired")
            if name_key(found.node) != name_key(node):
                raise _useless(f"is for node {found.node}, not for {node}")
            self._save([msgspec.structs.replace(t, used=True) if t is found else t for t in tokens])

    def _load(self) -> list[_Token]:
        if not self._file.exists():
            return []
        return decoded(private_files.read(self._file), list[_Token])

    def _save(self, tokens: list[_Token]) -> None:
        private_files.replace(self._file, msgspec.json.encode(tokens))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _useless(why: str) -> Unauthenticated:
    return Unauthenticated(
        f"the join token {why}", correction="Get a new one: 'orlop node join-command NODE'. Each serves once, for 1 h."
    )
