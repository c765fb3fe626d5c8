"""TLS between controller and satellites: the cluster's own authority, certificates on both sides, nothing older."""

import ipaddress
import ssl

from orlop.transport.identity import TlsFiles


def is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def server_context(files: TlsFiles, *, ask_client: bool = True) -> ssl.SSLContext:
    """For a port whose clients need a certificate of the cluster's authority that is made for clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(files.certificate, files.private_key)
    if ask_client:
        context.load_verify_locations(files.authority)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """Trusts the cluster's authority only, and shows the controller's certificate."""
    context = trusting(files.authority.read_text())
    context.load_cert_chain(files.certificate, files.private_key)
    return context


def trusting(authority: str) -> ssl.SSLContext:
    """For a client that trusts one authority (PEM) and no other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=authority)
    return context
