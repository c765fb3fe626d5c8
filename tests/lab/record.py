"""Records what real tools say, for tests that need no node: `python -m tests.lab.record`.

Each case becomes `tests/recorded/<tool>-<case>-<version>.<suffix>`. Its first lines of a `.txt` are the output as it
was; what goes to standard error, and the exit code if it is not 0, follow after a line `stderr:` or `exit code:`.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from orlop_layers import nvme_initiator, nvme_target
from orlop_storage.datasets import DATASETS, LINKS, ZPOOLS
from tests.lab.image import CLONE
from tests.lab.lab import Lab
from tests.lab.node import GIB, Node

FOLDER = CLONE / "tests" / "recorded"


class Tool(NamedTuple):
    """`version` is a command that prints it; what the pattern finds there becomes part of the files' names."""

    name: str
    version: str
    pattern: str = r"(\d+(?:\.\d+)+)"


class Case(NamedTuple):
    """`command` is recorded as it is; `json` says what its output is."""

    tool: str
    name: str
    command: str
    json: bool = False


TOOLS = (
    Tool("lvm", "lvm version", r"LVM version:\s+([\d.]+)"),
    Tool("zfs", "zfs version", r"zfs-([\d.]+)"),
    Tool("zpool", "zfs version", r"zfs-([\d.]+)"),
    Tool("nvme", "nvme version", r"version ([\d.]+)"),
    Tool("nvmet", "uname -r", r"(\d+\.\d+)"),
    Tool("cryptsetup", "cryptsetup --version"),
    Tool("drbdadm", "drbdadm --version", r"DRBDADM_VERSION=([\d.]+)"),
    Tool("drbdsetup", "drbdadm --version", r"DRBDADM_VERSION=([\d.]+)"),
    Tool("dmsetup", "dmsetup version", r"Library version:\s+([\d.]+)"),
    Tool("losetup", "losetup --version"),
    Tool("lsblk", "lsblk --version"),
    Tool("wipefs", "wipefs --version"),
    Tool("blkid", "blkid --version", r"blkid from util-linux ([\d.]+)"),
    Tool("btrfs", "btrfs --version"),
    Tool("targetcli", "targetcli --version", r"targetcli version ([\d.]+)"),
    Tool("iscsiadm", "iscsiadm --version"),
)
# Everything the cases look at. {0} to {3} are the node's disks.
MAKE = """
vgcreate -q vg {0}
lvcreate -q --yes -L 64m -n plain --addtag orlop.example vg
lvcreate -q --yes --type thin-pool -L 128m -n pool vg
lvcreate -q --yes -V 200m --thinpool vg/pool -n thin
lvcreate -q --yes -s -n thin-snapshot vg/thin
zpool create -o ashift=12 tank {1}
zfs create -V 64M tank/plain
zfs create -s -V 64M -o orlop:example=value tank/sparse
zfs snapshot tank/sparse@first
zfs clone tank/sparse@first tank/clone
head -c 32 /dev/urandom > /run/key
cryptsetup luksFormat --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file /run/key {2}
cryptsetup open --key-file /run/key {2} opened
mkfs.xfs -q {3}
truncate -s 8M /srv/file
losetup --find /srv/file
modprobe -a drbd nvmet_tcp nvme_tcp
cd /sys/kernel/config/nvmet
mkdir subsystems/{nqn} ports/1 subsystems/{nqn}/namespaces/1
echo 1 > subsystems/{nqn}/attr_allow_any_host
echo -n /dev/vg/plain > subsystems/{nqn}/namespaces/1/device_path
echo 1 > subsystems/{nqn}/namespaces/1/enable
echo tcp > ports/1/addr_trtype
echo ipv4 > ports/1/addr_adrfam
echo 127.0.0.1 > ports/1/addr_traddr
echo 4420 > ports/1/addr_trsvcid
ln -s /sys/kernel/config/nvmet/subsystems/{nqn} ports/1/subsystems/
nvme connect -t tcp -a 127.0.0.1 -s 4420 -n {nqn}
udevadm settle
"""
NQN = "nqn.2020-01.lab.orlop:example"
# What paths that some patterns fit say: the target of a link, the text of a file, nothing for a directory.
SHOW = (
    'for each in %s; do if [ -L "$each" ]; then echo "$each -> $(readlink "$each")"; '
    'elif [ -f "$each" ]; then echo "$each = $(cat "$each")"; elif [ -d "$each" ]; then echo "$each"; fi; done'
)
CONNECT = "nvme connect --transport=tcp --traddr=127.0.0.1"
# What the kernel's target does not take; the answers are in the order of the attempts.
NVMET_REFUSED = f"""cd /sys/kernel/config/nvmet
echo -n /dev/vg/thin | tee subsystems/{NQN}/namespaces/1/device_path >/dev/null
echo 11111111-2222-4333-8444-555555555555 | tee subsystems/{NQN}/namespaces/1/device_uuid >/dev/null
echo 127.0.0.2 | tee ports/1/addr_traddr >/dev/null
rmdir subsystems/{NQN}
rmdir ports/1
mkdir ports/2
ln -s /sys/kernel/config/nvmet/subsystems/{NQN} ports/2/subsystems/
echo tcp | tee ports/2/addr_trtype >/dev/null; echo ipv4 | tee ports/2/addr_adrfam >/dev/null
echo 127.0.0.1 | tee ports/2/addr_traddr >/dev/null; echo 4420 | tee ports/2/addr_trsvcid >/dev/null
ln -s /sys/kernel/config/nvmet/subsystems/{NQN} ports/2/subsystems/
mkdir subsystems/nqn.other subsystems/nqn.other/namespaces/1
echo 1 | tee subsystems/nqn.other/namespaces/1/enable >/dev/null
rmdir ports/2 subsystems/nqn.other/namespaces/1 subsystems/nqn.other
"""
CASES = (
    Case("lvm", "fullreport", "lvm fullreport --reportformat json --units b --nosuffix", json=True),
    Case("lvm", "lvs", "lvs --all --reportformat json --units b --nosuffix -o lv_all,vg_name", json=True),
    Case("lvm", "vgs", "vgs --reportformat json --units b --nosuffix -o vg_all", json=True),
    Case("lvm", "pvs", "pvs --reportformat json --units b --nosuffix -o pv_all,vg_name", json=True),
    Case("lvm", "no-such-group", "lvs no-such-group"),
    Case("lvm", "no-such-volume", "lvs vg/no-such-volume"),
    Case("lvm", "group-full", "lvcreate --yes -L 100g -n more vg"),
    Case("lvm", "name-taken", "lvcreate --yes -L 4m -n plain vg"),
    Case("zpool", "list", "zpool list -Hp"),
    Case("zpool", "status", "zpool status -P tank"),
    Case("zpool", "get", "zpool get -Hp all tank"),
    Case("zfs", "list", "zfs list -Hp -r -t all tank"),
    Case("zfs", "get-all", "zfs get -Hp all tank/sparse"),
    Case("zfs", "get-property", "zfs get -Hp -r -t volume,snapshot -o name,property,value,source orlop:example tank"),
    Case("zfs", "no-such-dataset", "zfs list tank/no-such-dataset"),
    Case("zfs", "name-taken", "zfs create -V 16M tank/plain"),
    Case("zfs", "has-dependants", "zfs destroy tank/sparse"),
    Case("zfs", "pool-full", "zfs create -V 100G tank/more"),
    Case("zpool", "no-such-pool", "zpool list no-such-pool"),
    Case("zpool", "columns", shlex.join(ZPOOLS)),
    Case("zpool", "devices", "zpool list -H -v -P tank"),
    Case("zfs", "columns", shlex.join((*DATASETS, "tank"))),
    Case("zfs", "links", shlex.join(LINKS)),
    Case("zfs", "has-clones", "zfs destroy tank/sparse@first"),
    Case("zfs", "not-newest", "zfs snapshot tank/sparse@second; zfs rollback tank/sparse@first"),
    Case("zfs", "grown-too-large", "zfs set volsize=100G tank/plain"),
    Case("zfs", "busy", "exec 5</dev/zvol/tank/plain; zfs destroy tank/plain"),
    Case("nvme", "list", "nvme list --output-format=json", json=True),
    Case("nvme", "list-subsys", "nvme list-subsys --output-format=json", json=True),
    Case("nvme", "sysfs", SHOW % " ".join(nvme_initiator.PATTERNS)),
    Case("nvme", "connect-refused", f"{CONNECT} --trsvcid=4421 --nqn={NQN}"),
    Case("nvme", "connect-unknown", f"{CONNECT} --trsvcid=4420 --nqn={NQN}-other"),
    Case("nvmet", "tree", SHOW % " ".join(nvme_target.patterns(NQN))),
    Case("nvmet", "directories", "cd /sys/kernel/config/nvmet && find subsystems ports hosts -type d | sort"),
    Case("nvmet", "refused", NVMET_REFUSED),
    Case("cryptsetup", "status", "cryptsetup status opened"),
    Case("cryptsetup", "status-none", "cryptsetup status no-such-name"),
    Case("cryptsetup", "luks-dump", "cryptsetup luksDump --dump-json-metadata {2}", json=True),
    Case("drbdadm", "version", "drbdadm --version"),
    Case("drbdsetup", "version", "drbdsetup --version"),
    Case("drbdsetup", "status-none", "drbdsetup status"),
    Case("drbdsetup", "events-none", "drbdsetup events2 --now"),
    Case("dmsetup", "info", "dmsetup info --columns --noheadings --separator ' ' -o name,uuid,open"),
    Case("dmsetup", "table", "dmsetup table"),
    Case("dmsetup", "status", "dmsetup status"),
    Case("losetup", "node", "losetup --list --json --output-all", json=True),
    Case("lsblk", "node", "lsblk --json --bytes --output-all", json=True),
    Case("wipefs", "lvm", "wipefs --no-act --json {0}", json=True),
    Case("wipefs", "zfs", "wipefs --no-act --json {1}", json=True),
    Case("wipefs", "luks", "wipefs --no-act --json {2}", json=True),
    Case("blkid", "node", "blkid --probe {0}; blkid --probe {2}; blkid --probe {3}"),
    Case("targetcli", "ls", "targetcli ls"),
)


def versions(node: Node) -> dict[str, str]:
    """Of every tool."""
    found = {}
    for tool in TOOLS:
        said = node.attempt("sh", "-c", tool.version)
        match = re.search(tool.pattern, said.output + said.errors)
        if match is None:
            raise SystemExit(f"no version in what '{tool.version}' says: {said}")
        found[tool.name] = match[1]
    return found


def record(node: Node, cases: Iterable[Case], folder: Path) -> None:
    known = versions(node)
    disks = [disk.path for disk in node.disks]
    node.shell("set -x\n" + MAKE.format(*disks, nqn=NQN))
    for case in cases:
        done = node.attempt("sh", "-c", case.command.format(*disks))
        suffix = "json" if case.json else "txt"
        if case.json and done.code:
            raise SystemExit(f"{case.command}: {done}")
        text = done.output
        if not case.json:
            text += f"stderr:\n{done.errors}" if done.errors else ""
            text += f"exit code: {done.code}\n" if done.code else ""
        (folder / f"{case.tool}-{case.name}-{known[case.tool]}.{suffix}").write_text(text)


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    with Lab(1, disks=(GIB,) * 4) as lab:
        record(lab.nodes[0], CASES, folder)


if __name__ == "__main__":
    main()
