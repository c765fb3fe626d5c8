"""Block devices that nothing uses and that bear no signature: what a pool could be made of."""

import json
from collections.abc import Mapping
from typing import Any

from orlop.model import GIB
from orlop.plugin import Probe
from orlop.transport.messages import PhysicalDevice

COLUMNS = "PATH,NAME,TYPE,SIZE,ROTA,MODEL,SERIAL,WWN,FSTYPE,PTTYPE,PKNAME,MOUNTPOINTS,RO"
NOT_FOR_POOLS = ("loop", "rom")
NEVER = ("drbd", "zram", "ram")


def unused(probe: Probe) -> tuple[PhysicalDevice, ...]:
    rows = json.loads(probe.run(("lsblk", "--json", "--bytes", "--output", COLUMNS)))["blockdevices"]
    free = [row for row in rows if _free(row)]
    # lsblk knows signatures from udev, which may be away: look for oneself at what seems empty.
    return tuple(_device(row) for row in free if not _signed(probe, row["path"]))


def _free(row: Mapping[str, Any]) -> bool:
    """Top-level rows have no parent."""
    return (
        row["type"] not in NOT_FOR_POOLS
        and not row["name"].startswith(NEVER)
        and not row.get("children")
        and not row["pkname"]
        and not row["fstype"]
        and not row["pttype"]
        and not any(row["mountpoints"])
        and not row["ro"]
        and row["size"] > GIB
    )


def _signed(probe: Probe, device: str) -> bool:
    return bool(json.loads(probe.run(("wipefs", "--no-act", "--json", device)) or "{}").get("signatures"))


def _device(row: Mapping[str, Any]) -> PhysicalDevice:
    return PhysicalDevice(
        device=row["path"],
        size=row["size"],
        rotational=bool(row["rota"]),
        model=(row["model"] or "").strip(),
        serial=row["serial"] or "",
        wwn=row["wwn"] or "",
    )
