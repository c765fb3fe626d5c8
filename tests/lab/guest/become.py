"""Makes one node of what is the same for all: a clock, a name, a network address, its own disk."""

import ctypes
import fcntl
import glob
import os
import struct
import subprocess
import time
import uuid

RNDADDENTROPY = 0x40085203
RNDRESEEDCRNG = 0x5207
WRITABLE = ("etc", "var", "root", "srv", "opt", "home", "mnt")
MS_RDONLY, MS_NOATIME, MS_BIND = 1, 1024, 4096
LIBC = ctypes.CDLL(None, use_errno=True)
PROJECT = 99  # place of the disk with the project
PATIENCE = 20  # seconds for the kernel to show a disk


def become(order):
    """`number` of the node, `nodes` of the lab, `time`, `entropy` as hex, `disks`: how many, `again`: not the first."""
    _stir(bytes.fromhex(order["entropy"]))
    time.clock_settime(time.CLOCK_REALTIME, order["time"])
    _mount_own_disk()
    _name(order["number"], order["nodes"])
    _connect(order["number"])
    for position in range(order["disks"]):
        disk(position + 1)
    subprocess.run(["udevadm", "settle", "--timeout=30"], check=True)
    if order["again"]:
        _activate()


def _stir(entropy):
    """Nodes that were restored from one state must not draw the same numbers."""
    with open("/dev/urandom", "wb") as pool:
        fcntl.ioctl(pool, RNDADDENTROPY, struct.pack("ii", len(entropy) * 8, len(entropy)) + entropy)
        fcntl.ioctl(pool, RNDRESEEDCRNG)


def disk(unit):
    """Path of the disk at this place; the first is the node's own."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        found = glob.glob(f"/sys/class/scsi_disk/0:0:0:{unit}/device/block/*")
        if found and os.path.exists(path := f"/dev/{os.path.basename(found[0])}"):
            return path
        time.sleep(0.02)
    raise FileNotFoundError(f"no disk at place {unit}")


def _mount_own_disk():
    _mount(disk(0), "/node", "ext4", MS_NOATIME)
    for name in WRITABLE:
        _mount(f"/node/{name}", f"/{name}", None, MS_BIND)
    _mount(disk(PROJECT), "/opt/orlop", "ext4", MS_NOATIME | MS_RDONLY)


def _mount(source, target, kind, flags):
    """Without a program: each takes its time under emulation."""
    if LIBC.mount(source.encode(), target.encode(), kind and kind.encode(), flags, None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def _name(number, nodes):
    name = f"node{number}"
    own = uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.lab")
    with open("/proc/sys/kernel/hostname", "w") as file:
        file.write(name)
    hosts = "".join(f"10.77.0.{each} node{each}\n" for each in nodes)
    for path, content in {
        "/etc/hostname": f"{name}\n",
        "/etc/hosts": f"127.0.0.1 localhost\n{hosts}",
        "/etc/machine-id": f"{own.hex}\n",
        "/etc/nvme/hostid": f"{own}\n",
        "/etc/nvme/hostnqn": f"nqn.2014-08.org.nvmexpress:uuid:{own}\n",
        "/etc/iscsi/initiatorname.iscsi": f"InitiatorName=iqn.2020-01.lab.orlop:{name}\n",
    }.items():
        with open(path, "w") as file:
            file.write(content)
    with open("/etc/hostid", "wb") as file:
        file.write(struct.pack("<I", 0x10770000 + number))


def _connect(number):
    commands = f"link set eth1 address 52:54:00:77:00:{number:02x}\naddress add 10.77.0.{number}/24 dev eth1\n"
    subprocess.run(["ip", "-batch", "-"], input=f"{commands}link set eth1 up\n".encode(), check=True)


def _activate():
    """What a Debian machine does when it boots: volume groups, pools of ZFS that it knows, its table of mounts."""
    subprocess.run(["vgchange", "--quiet", "--activate", "ay"], stdout=subprocess.DEVNULL)
    if os.path.exists("/etc/zfs/zpool.cache"):
        subprocess.run(["zpool", "import", "-a", "-N", "-c", "/etc/zfs/zpool.cache"])
        subprocess.run(["zfs", "mount", "-a"])
    if os.path.getsize("/etc/fstab"):
        subprocess.run(["udevadm", "settle", "--timeout=30"], check=True)
        subprocess.run(["mount", "--all"])
