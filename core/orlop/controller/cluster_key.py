"""The secrets of a cluster: the cluster key, the authority that signs its certificates, and what these sign.

Whoever reads these files rules every satellite; they are root-only and belong into the controller's backup.
"""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from orlop.errors import Refused, TransportError
from orlop.model import names
from orlop.transport import identity, private_files
from orlop.transport.certificates import (
    ENROLMENT_NAME,
    certificate_pem,
    draw_key,
    fingerprint,
    key_pem,
    subject,
)
from orlop.transport.identity import ClusterKey, Identity, TlsFiles

CONTROLLER = "controller"
LIFETIME = timedelta(days=3653)  # of all certificates: a storage cluster must not stop because a date has passed
CLOCK_SKEW = timedelta(days=1)  # clocks of nodes that join may be behind
AUTHORITY_KEY = "authority-key.pem"
ENROLMENT = ("enrolment-certificate.pem", "enrolment-key.pem")


class ClusterKeys:
    """The secrets in a controller's state directory. `open` makes them at the first start."""

    def __init__(self, directory: Path, mine: Identity, tls: TlsFiles) -> None:
        self.identity = mine  # with the certificate that satellites ask of a controller
        self.tls = tls
        self.authority = tls.authority.read_bytes()
        self.fingerprint = fingerprint(self.authority)
        self.enrolment_tls = TlsFiles(
            certificate=directory / ENROLMENT[0], private_key=directory / ENROLMENT[1], authority=tls.authority
        )
        self._authority_key = directory / AUTHORITY_KEY

    @classmethod
    def open(cls, state_directory: Path, cluster: str, may_make: bool = True) -> "ClusterKeys":
        """Raises `TransportError` when the keys are another cluster's, damaged or open to others than root.

        `may_make` is false for a cluster that has nodes: they would not obey new keys.
        """
        found = identity.load(state_directory)
        if found is None and not may_make:
            raise TransportError(
                f"the keys of cluster {cluster} are not in {state_directory / identity.DIRECTORY}",
                cause="The database has nodes, and they obey only who holds the key that they were given.",
                correction="Copy the state directory from the controller that ran before, or from its backup.",
            )
        if found is None:
            identity.store(state_directory, _make(cluster))
            found = identity.load(state_directory)
        directory = state_directory / identity.DIRECTORY
        if found is None or found.tls is None:
            raise TransportError(
                f"{directory} is not the key directory of a controller",
                correction="Give the controller a state directory of its own.",
            )
        if found.cluster != cluster:
            raise TransportError(
                f"the keys in {directory} are those of cluster {found.cluster}, the database is cluster {cluster}",
                correction="Use the database and the keys of one cluster; a backup holds both.",
            )
        return cls(directory, found, found.tls)

    def issue_for_node(self, request: str, node: str, address: str | None = None) -> bytes:
        """Certificate (PEM) with which a node can serve but not give orders. `request` is PEM; raises `Refused`."""
        try:
            asked = x509.load_pem_x509_csr(request.encode())
            public_key = asked.public_key()
        except ValueError as error:
            raise Refused("the certificate request cannot be read") from error
        if not asked.is_signature_valid or not isinstance(public_key, ec.EllipticCurvePublicKey):
            raise Refused("the certificate request is not signed by an elliptic-curve key")
        authority = x509.load_pem_x509_certificate(self.authority)
        key = _load_key(self._authority_key)
        return certificate_pem(_leaf(authority, key, public_key, names.node(node), _SERVER, address))

    def __repr__(self) -> str:
        return f"ClusterKeys(cluster={self.identity.cluster!r})"


_SERVER = ExtendedKeyUsageOID.SERVER_AUTH
_CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH


def _make(cluster: str) -> dict[str, bytes]:
    authority_key, controller_key, enrolment_key = draw_key(), draw_key(), draw_key()
    authority = _authority(authority_key, cluster)
    # What a certificate may be used for is what keeps nodes, which hold the cluster key too, from giving orders.
    controller = _leaf(authority, authority_key, controller_key.public_key(), CONTROLLER, _CLIENT)
    enrolment = _leaf(authority, authority_key, enrolment_key.public_key(), ENROLMENT_NAME, _SERVER)
    return identity.contents(
        cluster,
        CONTROLLER,
        ClusterKey.draw(),
        certificate=certificate_pem(controller),
        private_key=key_pem(controller_key),
        authority=certificate_pem(authority),
    ) | {
        AUTHORITY_KEY: key_pem(authority_key),
        ENROLMENT[0]: certificate_pem(enrolment),
        ENROLMENT[1]: key_pem(enrolment_key),
    }


def _authority(key: ec.EllipticCurvePrivateKey, cluster: str) -> x509.Certificate:
    """It signs end certificates only. Node names are free, so there are no name constraints to set."""
    name = subject(f"Orlop {cluster}")
    usage = {"digital_signature": False, "key_cert_sign": True, "crl_sign": True}
    return (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(**usage), critical=True)
        .sign(key, hashes.SHA256())
    )


def _leaf(
    authority: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    public_key: ec.EllipticCurvePublicKey,
    name: str,
    purpose: x509.ObjectIdentifier,
    address: str | None = None,
) -> x509.Certificate:
    alternatives: list[x509.GeneralName] = [x509.DNSName(name)]
    if address is not None:
        alternatives.append(x509.IPAddress(ipaddress.ip_address(address)))
    issuer = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        _builder(subject(name), authority.subject, public_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True, key_cert_sign=False, crl_sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer), critical=False)
        .sign(key, hashes.SHA256())
    )


def _builder(name: x509.Name, issuer: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _usage(*, digital_signature: bool, key_cert_sign: bool, crl_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    key = serialization.load_pem_private_key(private_files.read(path), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TransportError(f"{path} does not hold the key of an authority made by Orlop")
    return key
