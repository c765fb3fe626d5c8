"""How much room DRBD's metadata takes at the end of a device, in bytes.

A bitmap for every peer, the activity log, and a block that says where they are. The bitmap covers the whole device,
the metadata included, so the size is the smallest one that is consistent with itself.
"""

from orlop.model import KIB

PAGE = 4 * KIB
SUPERBLOCK = 4 * KIB
ACTIVITY_LOG = 32 * KIB  # one stripe
SMALLEST = 68 * KIB
PEERS = 7


def gross(size: int, peers: int = PEERS, block: int = PAGE, activity_log: int = ACTIVITY_LOG) -> int:
    """Bytes a device needs so that `size` of them are left for data; `block` is what one bit stands for.

    >>> gross(1 << 30) // KIB
    1048840
    """
    data = found = _up(size, max(block, PAGE))
    while True:
        whole = data + _metadata(found, peers, block, activity_log)
        if whole == found:
            return max(whole, SMALLEST)
        found = whole


def _metadata(device: int, peers: int, block: int, activity_log: int) -> int:
    one = _up(-(-device // (block * 8)), 8)
    bitmap = _up(_up(one * peers, KIB), PAGE)
    return _up(bitmap + activity_log + SUPERBLOCK, PAGE)


def _up(size: int, unit: int) -> int:
    return -(-size // unit) * unit
