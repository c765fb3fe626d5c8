"""The lab itself: what tests of drivers build on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.cluster import Cluster
from tests.lab.faults import FlakyDisk, fill_folder, fill_thin_pool, fill_volume_group, fill_zpool
from tests.lab.image import CLONE
from tests.lab.keeper import PREFIX
from tests.lab.lab import Lab
from tests.lab.node import GIB, CommandFailed, Node

NODES = 3
MIB = 1 << 20


# -- nodes ------------------------------------------------------------------------------------------------------------


def test_nodes_have_names_disks_and_a_network(lab: Lab) -> None:
    for node in lab.nodes:
        assert node.run("uname", "-n").strip() == node.name
        assert [int(node.run("blockdev", "--getsize64", disk.path)) for disk in node.disks] == [2 * GIB, 2 * GIB]
    assert all(one.reaches(other) for one in lab.nodes for other in lab.nodes if one is not other)


def test_nodes_of_one_state_draw_different_numbers(lab: Lab) -> None:
    assert len({node.run("cat", "/proc/sys/kernel/random/uuid") for node in lab.nodes}) == NODES


def test_a_command_that_fails_says_what_it_said(node: Node) -> None:
    with pytest.raises(CommandFailed, match=r"node1: ls /none\nended with 2:\nls: cannot access '/none'"):
        node.run("ls", "/none")
    assert node.attempt("sh", "-c", "echo out; echo err >&2; exit 3") == (3, "out\n", "err\n")


def test_files_and_folders_go_back_and_forth(node: Node, tmp_path: Path) -> None:
    content = os.urandom(MIB)
    node.put("/srv/lab/file", content)
    assert node.get("/srv/lab/file") == content
    (tmp_path / "tree/inner").mkdir(parents=True)
    (tmp_path / "tree/inner/file").write_text("text")
    node.push(tmp_path / "tree", "/srv/lab")
    assert node.get("/srv/lab/tree/inner/file") == b"text"


def test_tools_and_kernel_are_there(node: Node) -> None:
    for module in ("drbd", "zfs", "nvmet_tcp", "iscsi_target_mod", "dm_thin_pool", "dm_crypt"):
        node.run("modprobe", module)
    for program in ("lvm", "zpool", "cryptsetup", "nvme", "drbdadm", "targetcli", "iscsiadm", "thin_check"):
        node.shell(f"command -v {program}")


# -- network ----------------------------------------------------------------------------------------------------------


def test_a_cut_is_between_two_nodes_only(lab: Lab) -> None:
    one, two, three = lab.nodes
    one.cut(two)
    assert (one.reaches(two), two.reaches(one)) == (False, False)
    assert one.reaches(three)
    assert two.reaches(three)
    one.mend(two)
    assert one.reaches(two)


def test_a_pulled_cable_takes_a_node_off(lab: Lab) -> None:
    one, two, three = lab.nodes
    three.pull_cable()
    assert not one.reaches(three)
    assert one.reaches(two)
    three.plug_cable()
    three.wait_for("it is back", lambda: one.reaches(three))


def test_a_frozen_node_does_not_answer_and_goes_on_afterwards(lab: Lab) -> None:
    one, two, _ = lab.nodes
    two.run("touch", "/run/remembered")
    two.freeze()
    assert not one.reaches(two)
    two.thaw()
    one.wait_for("it is back", lambda: one.reaches(two))
    two.run("ls", "/run/remembered")


# -- power and disks --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cold", [False, True], ids=["restored", "booted"])
def test_a_loss_of_power_keeps_what_was_flushed_and_nothing_else(lab: Lab, cold: bool) -> None:
    node = lab.nodes[2]
    device = node.disks[0].path
    node.shell(f"mkfs.ext4 -qF {device}")
    node.mount(device, "/srv/data")
    node.shell("echo 5000000 > /proc/sys/vm/dirty_writeback_centisecs")
    node.shell("head -c 1M /dev/urandom > /srv/data/flushed; sync /srv/data /srv/data/flushed; echo x > /srv/data/lost")
    flushed = node.run("sha256sum", "/srv/data/flushed")
    node.kill()
    node.start(cold=cold)
    assert node.run("sha256sum", "/srv/data/flushed") == flushed
    assert node.attempt("cat", "/srv/data/lost").output == ""
    node.shell("umount /srv/data; : > /etc/fstab; sync /etc/fstab")


def test_volumes_of_lvm_and_zfs_are_there_after_a_loss_of_power(lab: Lab) -> None:
    node = lab.nodes[2]
    group, pool = node.disks[0].path, node.disks[1].path
    node.shell(f"wipefs -aqf {group}; vgcreate -q vg {group}; lvcreate -q -n volume -L 100m vg")
    node.shell(f"zpool create tank {pool}; zfs create -V 100M tank/volume; udevadm settle")
    node.kill()
    node.start()
    node.shell("test -b /dev/vg/volume; udevadm settle; test -b /dev/zvol/tank/volume")
    node.shell("zpool destroy tank; vgremove -qf vg")


def test_a_disk_can_be_plugged_in_later(node: Node) -> None:
    disk = node.add_disk(100 * MIB)
    assert node.run("lsblk", "-no", "SERIAL", disk.path).strip() == "node1-disk3"


def test_a_disk_returns_errors_while_it_shall(node: Node) -> None:
    disk = FlakyDisk(node, node.disks[0].path)
    writing = ("dd", "if=/dev/urandom", f"of={disk.path}", "bs=64K", "count=1", "oflag=direct")
    reading = ("dd", f"if={disk.path}", "of=/dev/null", "bs=64K", "count=1", "iflag=direct")
    for break_it, reads, writes in (
        (disk.fail, False, False),
        (disk.fail_writes, True, False),
        (disk.drop_writes, True, True),
        (disk.heal, True, True),
    ):
        break_it()
        assert [node.attempt(*command).code == 0 for command in (reading, writing)] == [reads, writes]
    disk.remove()


def test_pools_can_be_filled(node: Node) -> None:
    group, pool = (disk.path for disk in node.disks[:2])
    node.shell(f"vgcreate -q vg {group}; lvcreate -q --type thin-pool -L 64m -n thin vg; zpool create tank {pool}")
    fill_thin_pool(node, "vg/thin", 90)
    assert 89 < float(node.run("lvs", "--noheadings", "-o", "data_percent", "vg/thin")) <= 90
    fill_volume_group(node, "vg")
    assert node.attempt("lvcreate", "-L", "4m", "-n", "more", "vg").code
    fill_zpool(node, "tank")
    assert node.attempt("zfs", "create", "-V", "16M", "tank/more").code
    node.shell("zpool destroy tank; vgremove -qf vg; mkdir -p /run/full; mount -t tmpfs -o size=16m tmpfs /run/full")
    fill_folder(node, "/run/full")
    assert node.attempt("dd", "if=/dev/zero", "of=/run/full/more", "bs=64K", "count=1").code
    node.shell("umount /run/full")


# -- the product ------------------------------------------------------------------------------------------------------


def test_satellites_are_online_and_a_killed_one_is_seen(cluster: Cluster, node: Node) -> None:
    assert [cluster.status(each) for each in cluster.nodes] == ["ONLINE"] * NODES
    cluster.stop_satellite(node, signal.SIGKILL)
    cluster.wait("it is away", lambda: cluster.status(node) != "ONLINE")
    cluster.start_satellite(node)
    cluster.wait_online(node)


def test_the_controller_comes_back_after_it_was_killed(cluster: Cluster) -> None:
    cluster.restart_controller()
    cluster.wait_online(*cluster.nodes)


def test_a_satellite_out_of_reach_is_away_until_it_is_reached_again(cluster: Cluster, lab: Lab) -> None:
    lab.nodes[1].cut_controller()
    cluster.wait("it is away", lambda: cluster.status(lab.nodes[1]) != "ONLINE")
    lab.nodes[1].mend_controller()
    cluster.wait_online(lab.nodes[1])


def test_power_is_lost_before_or_after_a_step_and_all_steps_are_told(cluster: Cluster, lab: Lab) -> None:
    node = lab.nodes[1]
    cluster.client.create_storage_pool(node.name, "crash", "FILE_THIN", {"StorDriver/StorPoolName": "/srv/crash"})
    for name, after, done in (("before", False, False), ("after", True, True)):
        node.crash_at("create sparse file", after=after)
        cluster.orlop(f"resource-definition create {name} --layer-list storage")
        cluster.orlop(f"volume-definition create {name} 4M")
        line = f"resource create {node.name} {name} --storage-pool crash"
        cluster.in_background(lambda line=line: cluster.orlop(line))  # type: ignore[misc]
        node.wait_until_off()
        assert node.executed()[-1]["event"] == "crash"
        steps = [step["event"] for step in node.executed() if step["resource"] == name]
        assert steps == ["started", *(["done"] if done else []), "crash"]
        cluster.start_node(node)
        cluster.wait("it is there", lambda name=name: cluster.device(name, node))  # type: ignore[misc]
        node.run("blockdev", "--getsize64", cluster.device(name, node))


# -- its end ----------------------------------------------------------------------------------------------------------

HANGING = """
import time
from tests.lab.lab import Lab
with Lab(1) as lab:
    print(lab.directory, lab.nodes[0].machine.pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_is_left_of_a_lab_whose_process_is_ended(number: signal.Signals) -> None:
    command = [sys.executable, "-c", HANGING]
    with subprocess.Popen(command, cwd=CLONE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        directory, pid = next(line for line in process.stdout if PREFIX in line).split()  # after what it builds
        assert Path(directory).name.startswith(PREFIX)
        assert Path(f"/proc/{pid}").exists()
        process.send_signal(number)
    until = time.monotonic() + 60
    while (Path(directory).exists() or Path(f"/proc/{pid}").exists()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not Path(directory).exists()
    assert not Path(f"/proc/{pid}").exists()
