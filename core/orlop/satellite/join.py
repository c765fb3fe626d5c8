"""Make this node part of a cluster: prove the controller first, then give it the token, then keep what comes back."""

import http.client
import logging
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import urllib3
from urllib3.exceptions import HTTPError

from orlop.errors import Refused, TransportError, Unauthenticated
from orlop.model import key as name_key
from orlop.model import names
from orlop.model.decoding import decoded
from orlop.transport import identity
from orlop.transport.certificates import (
    ENROLMENT_NAME,
    check_issued,
    draw_key,
    fingerprint,
    key_pem,
    request_pem,
    same_fingerprint,
)
from orlop.transport.identity import ClusterKey, Identity
from orlop.transport.messages import JoinAnswer, JoinRequest, Problem, encode, printable
from orlop.transport.tls import trusting

log = logging.getLogger(__name__)

PORT = 3371
FENCE = "fence.json"  # where the agent keeps whom it obeys
SECONDS = 30.0
LARGEST_ANSWER = 64 << 10


def join(
    controller: str, ca_fingerprint: str, node: str, token: str, state_directory: Path, *, leave: str | None = None
) -> Identity:
    """Join the cluster of the controller at an https URL, for which `token` was made; raises `TransportError`.

    `leave` names the cluster whose identity, kept here by an earlier join, is given up.
    """
    host, port = _location(controller)
    names.node(node)
    _check_may_leave(identity.load(state_directory), leave)
    authority = _fetch_authority(host, port)
    _check_authority(authority, ca_fingerprint, controller)
    key = draw_key()
    request = JoinRequest(token=token, node=node, csr=request_pem(key, node).decode())
    answer = _ask(host, port, authority, request)
    check_issued(answer.certificate.encode(), authority, key)
    files = identity.contents(
        answer.cluster,
        node,
        ClusterKey.from_hex(answer.cluster_key),
        certificate=answer.certificate.encode(),
        private_key=key_pem(key),
        authority=authority,
    )
    if leave is not None:
        identity.discard(state_directory)
        if answer.cluster != leave:
            # Terms of one cluster say nothing about another's; within one they must never be forgotten.
            (state_directory / FENCE).unlink(missing_ok=True)
    identity.store(state_directory, files)
    joined = identity.load(state_directory)
    assert joined is not None
    log.info("joined cluster %s as %s", joined.cluster, joined.name)
    return joined


def already_joined(ca_fingerprint: str, node: str, state_directory: Path) -> Identity | None:
    """The identity that a join to this authority under this name has left here, None if there was none."""
    found = identity.load(state_directory)
    if found is None or found.tls is None or name_key(found.name) != name_key(node):
        return None
    return found if same_fingerprint(fingerprint(found.tls.authority.read_bytes()), ca_fingerprint) else None


def _location(controller: str) -> tuple[str, int]:
    try:
        url = urlsplit(controller)
        host, port = url.hostname, url.port or PORT
    except ValueError:
        host, port = None, PORT
    if host is None or url.scheme != "https" or url.path.strip("/"):
        raise Refused(
            f"{controller!r} is not the address of a controller",
            correction="Give it in the form https://ADDRESS:3371, as 'orlop node join-command' prints it.",
        )
    return host, port


def _check_may_leave(found: Identity | None, leave: str | None) -> None:
    if found is None and leave is not None:
        raise Refused("this node belongs to no cluster that it could leave", correction="Omit --leave-cluster.")
    if found is not None and leave != found.cluster:
        raise Refused(
            f"this node belongs to cluster {found.cluster} as {found.name}",
            cause="A node that joins another cluster obeys its former controller no more.",
            correction=f"If that is intended, add '--leave-cluster {found.cluster}'.",
        )


def _fetch_authority(host: str, port: int) -> bytes:
    """The authority's certificate, from whoever answers: nothing is believed yet, and nothing of ours is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    try:
        connection.request("GET", "/v1/orlop/authority")
        response = connection.getresponse()
        return response.read(LARGEST_ANSWER)
    except (OSError, http.client.HTTPException) as error:
        raise _unreachable(host, port, error) from error
    finally:
        connection.close()


def _check_authority(authority: bytes, expected: str, controller: str) -> None:
    try:
        found = fingerprint(authority)
    except ValueError:
        found = "none"
    if not same_fingerprint(found, expected):
        message = f"{controller} is not the controller that was expected: its authority has the fingerprint {found}"
        log.warning("%s", message)
        raise Unauthenticated(
            message,
            cause="It belongs to another cluster, or somebody answers in its place. The token was not sent.",
            correction="Get a new command with 'orlop node join-command' from the controller itself.",
        )


def _ask(host: str, port: int, authority: bytes, request: JoinRequest) -> JoinAnswer:
    with urllib3.HTTPSConnectionPool(
        host,
        port,
        ssl_context=trusting(authority.decode()),
        server_hostname=ENROLMENT_NAME,
        assert_hostname=ENROLMENT_NAME,
        timeout=SECONDS,
        retries=False,
    ) as pool:
        try:
            response = pool.request("POST", "/v1/orlop/join", body=encode(request), redirect=False)
        except urllib3.exceptions.SSLError as error:
            log.warning("the controller at %s:%d did not prove itself: %s", host, port, error)
            raise Unauthenticated(f"the controller at {host}:{port} did not prove itself: {error}") from error
        except HTTPError as error:
            raise _unreachable(host, port, error) from error
    try:
        if response.status == 200:
            return decoded(response.data, JoinAnswer)
        refusal = printable(decoded(response.data, Problem).message)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise TransportError(f"the controller at {host}:{port} sent an answer that cannot be understood") from None
    log.warning("the controller refused: %s", refusal)
    raise Unauthenticated(
        f"the controller at {host}:{port} refused: {refusal}",
        correction="Get a new command with 'orlop node join-command' on the controller.",
    )


def _unreachable(host: str, port: int, error: Exception) -> TransportError:
    return TransportError(
        f"the controller at {host}:{port} cannot be reached: {error}",
        correction="Check that the controller's enrolment port listens on an address that this node can reach.",
    )
