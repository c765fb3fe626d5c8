"""Private keys, certificate requests and fingerprints: what a node and the cluster's authority both need."""

import hashlib
import hmac

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from orlop.errors import Unauthenticated

# The controller's certificate on the enrolment port. An underscore makes it a name that no node can have, so that no
# node's certificate, though of the same authority, lets it take tokens from nodes that want to join.
ENROLMENT_NAME = "_enrolment.orlop"


def draw_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def subject(name: str) -> x509.Name:
    # X.520 allows a common name 64 characters; what counts is the alternative name, which holds all of a host name.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])


def request_pem(key: ec.EllipticCurvePrivateKey, node: str) -> bytes:
    """A certificate request; the authority takes the public key from it and nothing else."""
    request = x509.CertificateSigningRequestBuilder().subject_name(subject(node)).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def fingerprint(authority: bytes) -> str:
    """SHA-256 of a certificate (PEM) in the form `sha256:<hexadecimal>`; raises ValueError."""
    certificate = x509.load_pem_x509_certificate(authority)
    return "sha256:" + hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def same_fingerprint(left: str, right: str) -> bool:
    """Whatever their case and with or without colons between the bytes."""
    plain = [text.lower().removeprefix("sha256:").replace(":", "").encode() for text in (left, right)]
    return hmac.compare_digest(*plain)


def check_issued(certificate: bytes, authority: bytes, key: ec.EllipticCurvePrivateKey) -> None:
    """Raises `Unauthenticated` unless the authority made this certificate for this key."""
    try:
        issued = x509.load_pem_x509_certificate(certificate)
        issued.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    except (ValueError, TypeError, InvalidSignature) as error:
        raise Unauthenticated("the certificate that came back is not of the cluster's authority") from error
    if issued.public_key() != key.public_key():
        raise Unauthenticated("the certificate that came back is for another key")
