"""Runs in a node: what the drivers of LVM do on its real kernel. The argument names the scene; the rest are its own."""

import os
import subprocess
import sys

import msgspec

from orlop.errors import InUse, Refused, WouldDestroy
from orlop.hooks import Hooks
from orlop.host import LocalHost, execute
from orlop.model import MIB, NewBacking, WantedLevel, WantedPool, WantedSnapshot, WantedVolume
from orlop.testing import Workbench
from orlop_storage.lvm import Lvm
from orlop_storage.lvm_settings import filters, settings
from orlop_storage.lvm_thin import LvmThin
from orlop_storage.lvm_thin_pool import LvmThinPool
from orlop_storage.volume_groups import REPORT, look

PLACE = "StorDriver/StorPoolName"
DRIVERS = {"LVM": Lvm, "LVM_THIN": LvmThin, "LVM_THIN_POOL": LvmThinPool}
HOST = LocalHost()


def sh(text):
    return subprocess.run(["sh", "-e", "-c", text], check=True, capture_output=True, text=True).stdout


def desk(kind, place, new=True):
    pool = WantedPool(name="pool", uuid="pool-uuid", provider=kind, props={PLACE: place}, new=new)
    bench = Workbench(DRIVERS[kind], HOST, pool, "cluster")
    bench.until_done(lambda seen: seen.mark_pool(bench.pool))
    return bench


def volume(name, size, options=None, **more):
    levels = (WantedLevel(layer="STORAGE", size=size, options=options or {}),)
    return WantedVolume(
        **{"resource": name, "number": 0, "uuid": f"{name}-u", "pool": "pool", "levels": levels, "new": True, **more}
    )


def snapshot(of, name, **more):
    return WantedSnapshot(
        resource=of.resource,
        snapshot=name,
        number=0,
        uuid=f"{of.uuid}-{name}",
        volume=of.uuid,
        pool="pool",
        size=of.size,
        new=True,
        **more,
    )


def fill(device, size, offset=0):
    part = f"bs=1M count={size >> 20} seek={offset >> 20}"
    sh(f"dd if=/dev/urandom of={device} {part} oflag=direct conv=notrunc,fsync status=none")


def digest(device, size):
    content = sh(f"dd if={device} bs=1M count={size >> 20} iflag=direct status=none | sha256sum")
    return content.split()[0]


def gone(bench, *items):
    for item in items:
        if isinstance(item, WantedSnapshot):
            bench.until_done(lambda seen, item=item: seen.remove_snapshot(replaced(item, wanted=False)))
        else:
            bench.down(replaced(item, wanted=False))


def replaced(item, **more):
    return msgspec.structs.replace(item, **more)


def refusal(kind, act):
    """The sentence with which something is refused."""
    try:
        act()
    except kind as error:
        return str(error)
    raise AssertionError(f"{kind.__name__} was expected")


# -- scenes ---------------------------------------------------------------------------------------


def rollback_with_two_snapshots(kind, place):
    """Every block is written again: the stores are as full as they ever can be, and both snapshots keep their data."""
    bench, size, room = desk(kind, place), 8 * MIB, {"StorDriver/PoolRatio": "500"}
    wanted = volume("two", size, room)
    bench.up(wanted)
    device, hashes, taken = bench.look().device(wanted), [], []
    for name in ("first", "second"):
        fill(device, size)
        hashes.append(digest(device, size))
        taken.append(snapshot(wanted, name))
        bench.until_done(lambda seen, taken=taken: seen.take_snapshot(taken[-1]))
    fill(device, size)
    source = {"source": taken[0].uuid, "source_name": taken[0].name}
    back = volume("two", size, room, uuid="two-b", replaces=wanted.uuid, **source)
    bench.up(back)
    assert digest(device, size) == hashes[0]
    gone(bench, back)
    if kind == "LVM":
        assert "two_00000+1" in sh("lvs --noheadings -o lv_name")
    copy = volume("copy", size, source=taken[1].uuid, source_name=taken[1].name)
    bench.up(copy)
    assert digest(bench.look().device(copy), size) == hashes[1], "a snapshot outlives a rollback and its volume"
    gone(bench, copy, *taken)
    assert bench.look().objects("pool") == ()
    assert "two_" not in sh("lvs --noheadings -o lv_name")


def larger_than_its_snapshot():
    """The rest of the disk is full of old data, which must not show."""
    sh("lvcreate -q --yes --size 80m --name dirt vg0")
    fill("/dev/vg0/dirt", 80 * MIB)
    sh("lvremove -q --yes vg0/dirt")
    bench, size = desk("LVM", "vg0"), 8 * MIB
    small = volume("small", size)
    bench.up(small)
    fill(bench.look().device(small), size)
    taken = snapshot(small, "s")
    bench.until_done(lambda seen: seen.take_snapshot(taken))
    large = volume("large", 3 * size, source=taken.uuid, source_name=taken.name)
    bench.up(large)
    with open(bench.look().device(large), "rb") as file:
        content = file.read()
    assert len(content) == 3 * size
    assert not any(content[size:])
    gone(bench, large, taken, small)


def grow_with_snapshots():
    bench = desk("LVM", "vg0")
    wanted = volume("grows", 8 * MIB)
    bench.up(wanted)
    taken = snapshot(wanted, "s")
    bench.until_done(lambda seen: seen.take_snapshot(taken))
    bigger = volume("grows", 16 * MIB, new=False)
    device = bench.look().device(wanted)
    with open(device, "rb"):
        refusal(InUse, lambda: bench.act(bench.look().bring_up(bigger)))
    bench.up(bigger)
    assert bench.look().size(bigger) == 16 * MIB
    gone(bench, bigger, taken)


def users():
    bench = desk("LVM_THIN", "vg0/thin")
    wanted = volume("a-b", 320 * MIB)
    bench.up(wanted)
    device = bench.look().device(wanted)
    assert device == "/dev/vg0/a-b_00000"
    assert device not in HOST.users()
    sh(f"mkfs.ext4 -q {device}; mkdir -p /mnt/users; mount {device} /mnt/users")
    for alias in (device, "/dev/mapper/vg0-a--b_00000", os.path.realpath(device)):
        assert HOST.users()[alias] == ("mounted at /mnt/users",), alias
    assert "mounted at /mnt/users" in refusal(InUse, lambda: bench.down(replaced(wanted, wanted=False)))
    sh("umount /mnt/users")
    gone(bench, wanted)


def options(first, second):
    bench = desk("LVM", "vg2")
    striped = volume("striped", 24 * MIB, {"StorDriver/LvcreateOptions": f"-i2 -I 64k {first} {second}"})
    bench.up(striped)
    assert sh("lvs --noheadings -o stripes,stripe_size vg2/striped_00000").split() == ["2", "64.00k"]
    mirrored = volume("mirrored", 8 * MIB, {"StorDriver/LvcreateType": "raid1", "StorDriver/LvcreateOptions": "-m1"})
    bench.up(mirrored)
    seen = bench.look()
    assert [seen.size(each) for each in (striped, mirrored)] == [24 * MIB, 8 * MIB]
    taken = snapshot(striped, "s", options={"StorDriver/LvcreateSnapshotOptions": "--chunksize 256k"})
    bench.until_done(lambda seen: seen.take_snapshot(taken))
    assert [thing.name for thing in bench.look().objects("pool")] == [
        "mirrored_00000",
        "striped_00000",
        "striped_00000.s",
    ]
    gone(bench, taken, striped, mirrored)
    assert bench.look().objects("pool") == ()


def filters_are_read_as_lvm_reads_them():
    keep = HOST.read("/etc/lvm/lvm.conf")
    try:
        for text in (
            "",
            'devices {\n filter = [ "a|^/dev/sd|", "r|x y|" ] # mine\n}\n',
            'devices/global_filter = "a|.*|"\n',
            'devices { filter=["a|#{}|"] dir="/dev"\n global_filter = [ "r|\\"|", "a/.*/" ] }\n',
            '# devices { filter = ["r|.*|"] }\nconfig { checks = 1 }\n',
        ):
            with open("/etc/lvm/lvm.conf", "w") as file:
                file.write(text)
            for name in ("filter", "global_filter"):
                done = subprocess.run(["lvmconfig", f"devices/{name}"], capture_output=True, text=True)
                theirs = done.stdout.strip().partition("=")[2].strip("[]") if done.returncode == 0 else None
                ours = filters(text).get(name)
                assert (",".join(ours) if ours is not None else None) == theirs, (text, name, ours, theirs)
            assert look(HOST, settings(HOST), ["vg0"])[0]["vg0"].name == "vg0"
    finally:
        with open("/etc/lvm/lvm.conf", "w") as file:
            file.write(keep)


def a_lock_is_not_waited_for():
    lock = subprocess.Popen(["flock", "/run/lock/lvm/V_vg0", "sleep", "1000"], start_new_session=True)
    try:
        while subprocess.run(["flock", "--nonblock", "/run/lock/lvm/V_vg0", "true"]).returncode == 0:
            pass
        look(HOST, settings(HOST), ["vg0"])
        assert lock.poll() is None, "the lock is still held"
    finally:
        os.killpg(lock.pid, 9)
        lock.wait()


def what_stands_on_drbd_is_not_seen():
    """A volume group inside of a DRBD volume, as a guest would make it, on a device that answers nobody any more."""
    bench = desk("LVM", "vg0")
    wanted = volume("below", 64 * MIB)
    bench.up(wanted)
    device = bench.look().device(wanted)
    with open("/etc/drbd.d/r.res", "w") as file:
        file.write(
            f"resource r {{ device /dev/drbd0; disk {device}; meta-disk internal;\n"
            f"on {os.uname().nodename} {{ address 127.0.0.1:7788; }} on other {{ address 127.0.0.1:7789; }} }}\n"
        )
    sh("modprobe drbd; drbdadm create-md --force r; drbdadm up r; drbdadm primary --force r")
    sh("pvcreate -q /dev/drbd0; vgcreate -q guest /dev/drbd0")
    try:
        assert "guest" in sh("vgs --noheadings -o vg_name"), "LVM alone sees it"
        sh("vgchange -q -an guest; drbdadm suspend-io r")
        said = HOST.run((*REPORT[:2], "--config", settings(HOST), *REPORT[2:]))
        assert '"guest"' not in said
        assert '"vg0"' in said
    finally:
        sh("drbdadm resume-io r; drbdadm down r; rm /etc/drbd.d/r.res")
        gone(bench, wanted)


def whole_disks(kind, first, second):
    driver = DRIVERS[kind]
    backing = NewBacking(provider=kind, name="data", devices=(first, second))
    steps = driver.make_backing(HOST, backing, "cluster")
    for cut in range(1, len(steps)):  # what a power loss leaves is finished by another attempt
        execute("data", steps[:cut], HOST, Hooks(), no_secret)
        steps = driver.make_backing(HOST, backing, "cluster")
        if not steps:
            break
    execute("data", steps, HOST, Hooks(), no_secret)
    assert driver.make_backing(HOST, backing, "cluster") == []
    bench = desk(kind, driver.backing_props(backing)[PLACE])
    wanted = volume("inside", 16 * MIB)
    bench.up(wanted)
    refusal(WouldDestroy, lambda: driver.remove_backing(HOST, bench.pool, "cluster"))
    gone(bench, wanted)
    while steps := driver.remove_backing(HOST, bench.pool, "cluster"):
        execute("data", steps[:1], HOST, Hooks(), no_secret)
    for disk in (first, second):
        assert sh(f"wipefs --noheadings {disk}") == "", "blank again"


def no_secret(name):
    raise AssertionError(name)


def a_full_thin_pool():
    bench = desk("LVM_THIN", "vg0/thin")
    wanted = volume("full", 64 * MIB)
    bench.up(wanted)
    taken = snapshot(wanted, "s")
    bench.until_done(lambda seen: seen.take_snapshot(taken))
    size = bench.look().capacity("pool").total
    sh(f"lvcreate -q --yes -V {size}b --thinpool vg0/thin -n filler; lvchange --errorwhenfull y vg0/thin")
    free = bench.look().capacity("pool").free
    assert bench.look().pool_warning("pool") == ""
    fill("/dev/vg0/filler", int(free * 0.92))
    assert "full: lvextend" in bench.look().pool_warning("pool"), bench.look().pool_warning("pool")
    subprocess.run(["dd", "if=/dev/zero", "of=/dev/vg0/filler", "bs=1M", "oflag=direct", "status=none"], check=False)
    seen = bench.look()
    assert seen.capacity("pool").free == 0
    assert "out_of_data" in seen.pool_warning("pool") or "100% full" in seen.pool_warning("pool"), seen.pool_warning(
        "pool"
    )
    for act in (
        lambda: bench.look().bring_up(volume("more", 4 * MIB)),
        lambda: bench.look().take_snapshot(snapshot(wanted, "more")),
    ):
        assert "no space left in thin pool vg0/thin" in refusal(Refused, act)
    sh("lvremove -q --yes vg0/filler; lvchange --errorwhenfull n vg0/thin")
    gone(bench, taken, wanted)


SCENES = {name: thing for name, thing in globals().items() if callable(thing)}

if __name__ == "__main__":
    SCENES[sys.argv[1]](*sys.argv[2:])
    print("done")
