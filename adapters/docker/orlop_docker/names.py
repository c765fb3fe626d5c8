"""Which resource a volume of Docker is: Docker's names may be longer, begin with digits, and have dots and capitals."""

import hashlib
import re

from orlop.errors import BadName
from orlop.model import names

PREFIX = "docker-"
_DOCKER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")
_KEPT = 24  # characters of the original that an administrator recognises


def resource_name(volume: str) -> str:
    """The same name where it is one of a resource in lower case, else one made of it; never that of another volume.

    >>> resource_name("lsvol"), resource_name("My.Data")
    ('lsvol', 'docker-my-data-c804ecec224a')
    """
    if not _DOCKER.fullmatch(volume):
        raise BadName(
            f"{volume!r} is not the name of a volume",
            correction="Use letters, digits, '_', '.' and '-', beginning with a letter or digit.",
        )
    if _fits(volume):
        return volume
    kept = re.sub("[^a-z0-9]+", "-", volume.lower())[:_KEPT].strip("-")
    return f"{PREFIX}{kept}-{hashlib.sha256(volume.encode()).hexdigest()[:12]}"


def _fits(volume: str) -> bool:
    """Resources are told apart regardless of case, volumes are not."""
    if volume.startswith(PREFIX) or volume != volume.lower():
        return False
    try:
        names.resource(volume)
    except BadName:
        return False
    return True
