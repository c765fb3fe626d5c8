"""Where controllers are: what people write becomes base URLs."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from orlop.errors import OrlopError

PLAIN_PORT = 3370
TLS_PORT = 3371
DEFAULT = "localhost"
_SCHEMES = {"http": "http", "https": "https", "linstor": "http", "linstor+ssl": "https", "orlop": "http"}


class BadAddress(OrlopError):
    """The address of a controller cannot be read."""


def addresses(texts: Iterable[str]) -> list[str]:
    """Base URLs of controllers, in order, each once. A text may hold several, parted by commas.

    >>> addresses(["alice,linstor+ssl://bob", "[fd00::1]:4000"])
    ['http://alice:3370', 'https://bob:3371', 'http://[fd00::1]:4000']
    """
    found = [_address(part.strip()) for text in texts for part in text.split(",") if part.strip()]
    return list(dict.fromkeys(found)) or [_address(DEFAULT)]


def _address(text: str) -> str:
    parts = urlsplit(text if "://" in text else f"http://{text}")
    try:
        scheme, host, port = _SCHEMES[parts.scheme.lower()], parts.hostname, parts.port
    except (KeyError, ValueError) as error:
        raise _bad(text) from error
    if not host:
        raise _bad(text)
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}:{port or (TLS_PORT if scheme == 'https' else PLAIN_PORT)}"


def _bad(text: str) -> BadAddress:
    return BadAddress(
        f"{text!r} is not the address of a controller",
        correction="Write host, host:port, http://host:port or https://host:port.",
    )
