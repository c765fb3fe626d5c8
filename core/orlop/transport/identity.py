"""Who a satellite or a controller is: its cluster, its name, the cluster key and its certificate, kept in files."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

import msgspec

from orlop.errors import TransportError
from orlop.model.cluster import Value
from orlop.model.decoding import decoded
from orlop.transport import private_files

KEY_BYTES = 32
DIRECTORY = "identity"


class ClusterKey:
    """The secret that controller and satellites of one cluster share. Nothing that prints a value shows it."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        if len(secret) != KEY_BYTES:
            raise TransportError(
                f"a cluster key has {KEY_BYTES} bytes, this one has {len(secret)}",
                correction="Restore the key file from the controller's backup, or join the node again.",
            )
        self._secret = secret

    @classmethod
    def draw(cls) -> "ClusterKey":
        return cls(secrets.token_bytes(KEY_BYTES))

    @classmethod
    def from_hex(cls, text: str) -> "ClusterKey":
        try:
            return cls(bytes.fromhex(text))
        except ValueError:
            # The text may be all but one character of the key: it has no place in a message or a traceback.
            raise TransportError("a cluster key is written as 64 hexadecimal digits, this one is not") from None

    def reveal(self) -> bytes:
        """The bytes themselves: for a key file, a node that joins, or a key derivation; never for anything shown."""
        return self._secret

    def authenticate(self, message: bytes) -> bytes:
        return hmac.digest(self._secret, message, hashlib.sha256)

    def __repr__(self) -> str:
        return "ClusterKey(hidden)"

    def __reduce__(self) -> str:
        raise TypeError("a cluster key is not to be pickled")


class TlsFiles(Value, frozen=True, kw_only=True):
    """Where the certificate of one side lies, its private key, and the authority that it trusts. All PEM."""

    certificate: Path
    private_key: Path
    authority: Path


class Identity(Value, frozen=True, kw_only=True):
    """`name` is the node's name, of a controller 'controller'."""

    cluster: str
    name: str
    key: ClusterKey
    tls: TlsFiles | None = None


class _Stored(msgspec.Struct):
    cluster: str
    name: str


def tls_files(directory: Path) -> TlsFiles:
    return TlsFiles(
        certificate=directory / "certificate.pem",
        private_key=directory / "private-key.pem",
        authority=directory / "authority.pem",
    )


def contents(
    cluster: str, name: str, key: ClusterKey, certificate: bytes = b"", private_key: bytes = b"", authority: bytes = b""
) -> dict[str, bytes]:
    """The files of an identity, by name. Without a certificate it can talk over loopback only."""
    files = {
        "identity.json": msgspec.json.encode(_Stored(cluster=cluster, name=name)),
        "cluster.key": key.reveal().hex().encode() + b"\n",
    }
    if certificate:
        files |= {"certificate.pem": certificate, "private-key.pem": private_key, "authority.pem": authority}
    return files


def store(state_directory: Path, files: dict[str, bytes]) -> None:
    """Keep an identity. There must be none: joining another cluster is not done by the way."""
    private_files.make_directory(state_directory / DIRECTORY, files)


def load(state_directory: Path) -> Identity | None:
    """The identity kept in a state directory, None where there is none."""
    directory = state_directory / DIRECTORY
    if not directory.is_dir():
        return None
    try:
        stored = decoded(private_files.read(directory / "identity.json"), _Stored)
        key = ClusterKey.from_hex(private_files.read(directory / "cluster.key").decode(errors="replace").strip())
    except (OSError, msgspec.DecodeError) as error:
        raise TransportError(
            f"the identity in {directory} cannot be read: {error}",
            correction="Run as root; if files are lost or damaged, remove the directory and join the node again.",
        ) from error
    tls = tls_files(directory)
    if not tls.certificate.exists():
        return Identity(cluster=stored.cluster, name=stored.name, key=key)
    private_files.read(tls.private_key)  # refuses a key that others can read
    return Identity(cluster=stored.cluster, name=stored.name, key=key, tls=tls)


def discard(state_directory: Path) -> None:
    """Remove an identity. It first loses its name, so that a crash leaves a whole one or none."""
    directory = state_directory / DIRECTORY
    leaving = directory.with_name(f".{DIRECTORY}.left.{secrets.token_hex(4)}")
    directory.rename(leaving)
    private_files.sync_directory(state_directory)
    for file in leaving.iterdir():
        file.unlink()
    os.rmdir(leaving)
