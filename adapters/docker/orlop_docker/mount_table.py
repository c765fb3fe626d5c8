"""What is mounted where, as the kernel says it (proc(5), `/proc/self/mountinfo`)."""

from __future__ import annotations

import re
from typing import NamedTuple

TABLE = "/proc/self/mountinfo"


class Mounted(NamedTuple):
    at: str
    device: str  # "major:minor"
    kind: str


def parse(text: str) -> dict[str, Mounted]:
    """By mount point; of several on one point the last, which is the one that is seen.

    >>> parse("36 35 98:0 / /a\\\\040b rw,noatime master:1 - ext4 /dev/sda1 rw")["/a b"].kind
    'ext4'
    """
    found: dict[str, Mounted] = {}
    for line in text.splitlines():
        fields = line.split(" ")
        at = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), fields[4])
        found[at] = Mounted(at, fields[2], fields[fields.index("-") + 1])
    return found
