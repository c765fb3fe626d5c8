"""Where the keys come from that steps name."""

from orlop.errors import NodeError


def no_secret(name: str) -> bytes:
    raise NodeError(f"secret {name!r} is not known on this node")
