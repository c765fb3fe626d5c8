"""Simulated nodes with volume groups."""

from typing import Any

from orlop.model import GIB, WantedPool
from orlop.testing import SimulatedHost

PLACES = {"LVM": "vg0", "LVM_THIN": "vg0/thin", "LVM_THIN_POOL": "vg0"}


def node(total: int = 10 * GIB, **more: Any) -> SimulatedHost:
    """Two disks of the same size in group vg0, most of one of them in the thin pool vg0/thin."""
    host = SimulatedHost(**more)
    for device in ("/dev/vdb", "/dev/vdc"):
        host.disk.add_disk(device, total // 2)
    host.run(("vgcreate", "vg0", "/dev/vdb", "/dev/vdc"))
    extents = total // 2 // (4 << 20) - 10
    host.run(("lvcreate", "--type", "thin-pool", "--extents", str(extents), "--name", "thin", "vg0"))
    host.ran.clear()
    return host


def pool(kind: str, **more: Any) -> WantedPool:
    props = {"StorDriver/StorPoolName": PLACES[kind]}
    return WantedPool(**{"name": "pool", "uuid": "pool-uuid", "provider": kind, "props": props, "new": True, **more})
