"""How much room DRBD's metadata takes, at the end of a device or on one of its own, in bytes.

A bitmap for every peer, the activity log, and a block that says where they are. At the end of a device the bitmap
covers the whole of it, the metadata included, so the size is the smallest one that is consistent with itself.
"""

from orlop.model import KIB

PAGE = 4 * KIB
SUPERBLOCK = 4 * KIB
ACTIVITY_LOG = 32 * KIB  # one stripe
SMALLEST = 68 * KIB
SMALLEST_APART = 1024 * KIB  # of a device with nothing but metadata
PEERS = 7


def gross(size: int, peers: int = PEERS, block: int = PAGE, activity_log: int = ACTIVITY_LOG) -> int:
    """Bytes a device needs so that `size` of them are left for data; `block` is what one bit stands for.

    >>> gross(1 << 30) // KIB
    1048840
    """
    data = found = up(size, max(block, PAGE))
    while True:
        whole = data + _metadata(found, peers, block, activity_log)
        if whole == found:
            return max(whole, SMALLEST)
        found = whole


def apart(size: int, peers: int = PEERS, block: int = PAGE, activity_log: int = ACTIVITY_LOG) -> int:
    """Bytes of a device with nothing but the metadata of one that offers `size` bytes, all of it to data.

    >>> apart(100 << 30) // KIB
    22436
    """
    return max(_metadata(up(size, max(block, PAGE)), peers, block, activity_log), SMALLEST_APART)


def _metadata(device: int, peers: int, block: int, activity_log: int) -> int:
    one = up(-(-device // (block * 8)), 8)
    bitmap = up(up(one * peers, KIB), PAGE)
    return up(bitmap + activity_log + SUPERBLOCK, PAGE)


def up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
