"""What the peers of a replicated resource prove to each other: derived from the cluster key, so it travels nowhere."""

from collections.abc import Callable

from orlop.satellite.secrets import no_secret
from orlop.transport.identity import ClusterKey

PREFIX = "drbd/"
DIGITS = 40  # of at most 64 that DRBD takes


def shared_secrets(key: ClusterKey, others: Callable[[str], bytes] = no_secret) -> Callable[[str], bytes]:
    """Secrets by name; what is not between peers is asked of `others`."""

    def secret(name: str) -> bytes:
        if not name.startswith(PREFIX):
            return others(name)
        return key.authenticate(f"between peers: {name}".encode()).hex()[:DIGITS].encode()

    return secret
