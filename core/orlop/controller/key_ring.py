"""Keys at rest: volume keys sealed under a master key, the master key sealed under the master passphrase.

Sealing is authenticated encryption (AES-256-GCM), bound to what is sealed; the passphrase is stretched by scrypt, which
takes 128 MiB and a good part of a second for every guess.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from orlop.codes import Fail
from orlop.errors import Refused
from orlop.model import MasterKey, VolumeKey

COST = 17  # log2 of scrypt's n
KEY_BYTES, NONCE_BYTES, SALT_BYTES = 32, 12, 16
SLOTS = 32  # key slots of a LUKS2 header
LONGEST = 512  # bytes of a passphrase that cryptsetup reads from a line
MASTER = b"master key"


class KeyRing:
    """The unlocked master key, in memory only. `locked` until the passphrase was given to this process."""

    def __init__(self, cost: int = COST) -> None:
        self._master: bytes | None = None
        self._cost = cost

    def __repr__(self) -> str:
        return f"<KeyRing {'locked' if self.locked else 'unlocked'}>"

    @property
    def locked(self) -> bool:
        return self._master is None

    def new_master(self, passphrase: str) -> tuple[MasterKey, bytes]:
        """A master key sealed under a passphrase; `use` what comes with it once the first is stored."""
        plain = secrets.token_bytes(KEY_BYTES)
        return self._sealed_master(plain, passphrase), plain

    def use(self, plain: bytes) -> None:
        self._master = plain

    def unlock(self, master: MasterKey, passphrase: str) -> None:
        """Raises `Refused` where it is not the passphrase."""
        self._master = _open_master(master, passphrase)

    def resealed(self, master: MasterKey, old: str, new: str) -> MasterKey:
        """The same master key under another passphrase."""
        return self._sealed_master(_open_master(master, old), new)

    def new_key(self, uuid: str, slot: int, passphrase: str = "") -> VolumeKey:
        """A random key, or the one a user gave. It is text, so that somebody can type it in an emergency."""
        plain = passphrase or secrets.token_urlsafe(KEY_BYTES)
        return VolumeKey(uuid=uuid, slot=slot, sealed=_seal(self._unlocked(), plain.encode(), _about(uuid)))

    def reveal(self, key: VolumeKey) -> bytes:
        try:
            return _open(self._unlocked(), key.sealed, _about(key.uuid))
        except InvalidTag:
            raise Refused(
                f"key {key.uuid} in the database was not sealed under this master key",
                correction="Restore the database from a backup.",
                code=Fail.NOT_FOUND_CRYPT_KEY,
            ) from None

    def _sealed_master(self, plain: bytes, passphrase: str) -> MasterKey:
        salt = secrets.token_bytes(SALT_BYTES)
        sealed = _seal(_stretched(passphrase, salt, self._cost), plain, MASTER)
        return MasterKey(salt=salt.hex(), cost=self._cost, sealed=sealed)

    def _unlocked(self) -> bytes:
        if self._master is None:
            raise Locked()
        return self._master


class Locked(Refused):
    """The keys of volumes cannot be read or made."""

    code = Fail.NOT_FOUND_CRYPT_KEY

    def __init__(self) -> None:
        super().__init__(
            "the controller is locked: the master passphrase was not entered since it was started",
            correction="Enter it with 'orlop encryption enter-passphrase'.",
        )


def checked_passphrase(text: str, what: str = "passphrase") -> str:
    if not text or len(text.encode()) > LONGEST or not text.isprintable():
        raise Refused(
            f"The {what} has to be one line of 1 to {LONGEST} bytes without control characters.",
            code=Fail.INVLD_CRYPT_PASSPHRASE,
        )
    return text


def free_slot(used: Sequence[VolumeKey]) -> int:
    """One that no key of the volume or of its snapshots has; raises `Refused` where there is none."""
    taken = {key.slot for key in used}
    for slot in range(SLOTS):
        if slot not in taken:
            return slot
    raise Refused(
        f"All {SLOTS} key slots of the volume are taken by keys that snapshots of it still need.",
        correction="Delete old snapshots of it first.",
        code=Fail.INVLD_CRYPT_PASSPHRASE,
    )


def _about(uuid: str) -> bytes:
    return f"key of a volume: {uuid}".encode()


def _stretched(passphrase: str, salt: bytes, cost: int) -> bytes:
    return Scrypt(salt=salt, length=KEY_BYTES, n=1 << cost, r=8, p=1).derive(passphrase.encode())


def _seal(key: bytes, plain: bytes, about: bytes) -> str:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return (nonce + AESGCM(key).encrypt(nonce, plain, about)).hex()


def _open(key: bytes, sealed: str, about: bytes) -> bytes:
    raw = bytes.fromhex(sealed)
    return AESGCM(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], about)


def _open_master(master: MasterKey, passphrase: str) -> bytes:
    try:
        return _open(_stretched(passphrase, bytes.fromhex(master.salt), master.cost), master.sealed, MASTER)
    except InvalidTag:
        raise Refused("This is not the master passphrase.", code=Fail.INVLD_CRYPT_PASSPHRASE) from None
