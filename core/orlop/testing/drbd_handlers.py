"""What a simulated DRBD has called when something happens: `drbdadm` finds it in the file as it is then."""

from __future__ import annotations

import re
import shlex

from orlop.testing.disk import Disk

BEFORE, AFTER = "before-resync-target", "after-resync-target"


def called(disk: Disk, resource: str, number: int, handler: str) -> bool:
    """Whether it agrees: without its consent no synchronization begins."""
    file = disk.find(f"/var/lib/orlop/drbd/{resource}.res")
    found = re.search(rf'^\s*{handler} "?([^";]+)"?;', file.text, re.MULTILINE) if file else None
    if found is None or disk.helper is None:
        return True
    environment = {"DRBD_RESOURCE": resource, "DRBD_VOLUME": str(number)}
    return disk.helper(tuple(shlex.split(found[1])), environment) == 0
