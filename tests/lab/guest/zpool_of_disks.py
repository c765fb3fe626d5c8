"""Runs in a node: makes a zpool of devices and takes it apart again, as physical storage does."""

import json
import sys

from orlop.errors import WouldDestroy
from orlop.hooks import Hooks
from orlop.host import LocalHost, execute
from orlop.model import NewBacking, WantedPool
from orlop.satellite.physical import unused
from orlop_storage.zfs import Zfs

host, devices = LocalHost(), tuple(sys.argv[1:])


def act(steps):
    execute("physical storage", steps, host, Hooks(), lambda name: b"")
    return [str(step) for step in steps]


backing = NewBacking(provider="ZFS", name="made", devices=devices, arguments={"zpool": ("-o", "ashift=12")})
pool = WantedPool(name="made", uuid="made-uuid", provider="ZFS", props=Zfs.backing_props(backing), new=True)
free = {device.device for device in unused(host)}
assert free >= set(devices), f"{free} before"
act(Zfs.make_backing(host, backing, "cluster"))
assert Zfs.make_backing(host, backing, "cluster") == [], "it is made once"
act(Zfs.observe(host, (pool,), "cluster").mark_pool(pool))
assert Zfs.observe(host, (pool,), "cluster").capacity("made").total > 3 << 30
host.run(("zfs", "create", "-s", "-V", "16M", "made/strange"))
try:
    Zfs.remove_backing(host, pool, "cluster")
except WouldDestroy:
    host.run(("udevadm", "settle"))
    host.run(("zfs", "destroy", "made/strange"))
else:
    raise AssertionError("something was in it")
done = act(Zfs.remove_backing(host, pool, "cluster"))
assert Zfs.remove_backing(host, pool, "cluster") == []
host.run(("udevadm", "settle"))
left = free - {device.device for device in unused(host)}
assert not left, f"{left} is not free again after {done}"
print(json.dumps(done))
