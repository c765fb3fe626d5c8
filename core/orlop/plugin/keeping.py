"""How a layer has data kept before it overwrites it by itself: the program that does it, and the files it goes by.

The layer puts down what is allowed (`keeping_of`), by an order of the controller, and has its own programs run ours.
What was done is noted beside it (`kept_of`) for as long as the snapshot may be there.
"""

import sys

from orlop.model import WantedSnapshot, volume_name

_PROGRAM = (sys.executable, "-m", "orlop.satellite.before_resync")
TAKE, REMOVE, REMOVE_KEPT = "take", "remove", "remove-kept"
KEPT = ".kept"


def take(folder: str) -> tuple[str, ...]:
    """For the moment before. It finds the name of the resource in `DRBD_RESOURCE`, its volumes in `DRBD_VOLUME`, and
    fails only where nothing must be overwritten without it.
    """
    return (*_PROGRAM, TAKE, folder)


def remove(folder: str) -> tuple[str, ...]:
    """For the moment after, in the same way."""
    return (*_PROGRAM, REMOVE, folder)


def remove_kept(path: str) -> tuple[str, ...]:
    """What a note tells of: where the moment after was missed, or the volume is to go."""
    return (*_PROGRAM, REMOVE_KEPT, path)


def keeping_of(folder: str, resource: str, number: int) -> str:
    return f"{folder}/{volume_name(resource, number)}.keeping"


def kept_of(folder: str, snapshot: WantedSnapshot) -> str:
    """Of one incarnation: an earlier one may still be on its way out."""
    return f"{folder}/{snapshot.volume_name}.{snapshot.volume}{KEPT}"
