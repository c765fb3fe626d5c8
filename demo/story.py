"""The main job, told as the commands that a user would type, each with what it really printed."""

from __future__ import annotations

import hashlib
import os
import random
import shlex
import time
from pathlib import Path

from demo import file_systems
from demo.cluster import CONTROLLER, Cluster, ClusterError

MIB = 1 << 20
PATIENT = 10.0  # seconds in which a cluster with a node away has to answer: no time-out may be waited for


class Story:
    """Every chapter goes on where the one before it ended."""

    def __init__(self, cluster: Cluster, keep: bool) -> None:
        self.cluster = cluster
        self.keep = keep
        self.names = [node.name for node in cluster.nodes]
        self.files = cluster.directory / "mnt" / "files"  # where volume 0 of `data` is mounted
        self.copied = cluster.directory / "mnt" / "copy"
        self.images = cluster.directory / "images"  # what the devices have to hold, byte for byte
        self.file_system = file_systems.growing()
        self.home = ""  # the node that `data` is used on

    def tell(self) -> None:
        began = time.monotonic()
        chapters = [
            self.start,
            self.register,
            self.place,
            self.write,
            self.snapshot,
            self.restore,
            self.grow,
            self.roll_back,
            self.lose_a_node,
        ]
        for chapter in chapters:
            chapter()
        if self.keep:
            self.hand_over()
        else:
            self.delete()
        print(f"\nAll of it took {time.monotonic() - began:.0f} seconds.")

    # -- how it is told ---------------------------------------------------------------------------

    def chapter(self, title: str) -> None:
        print(f"\n=== {title}", flush=True)

    def say(self, *lines: str) -> None:
        for line in lines:
            print(f"# {line}", flush=True)

    def do(self, line: str, stdin: str = "") -> str:
        """Show a command, run it, show its output; the demo ends if it fails."""
        print(f"$ {line}", flush=True)
        done = self.cluster.command(*shlex.split(line), stdin=stdin)
        print(done.stdout, end="" if done.stdout.endswith("\n") or not done.stdout else "\n", flush=True)
        if done.returncode:
            raise ClusterError(f"'{line}' ended with {done.returncode}")
        return done.stdout

    def agree(self, what: str, agrees: bool) -> None:
        if not agrees:
            raise ClusterError(f"NOT TRUE: {what}")
        self.say(f"checked: {what}")

    # -- the chapters -----------------------------------------------------------------------------

    def start(self) -> None:
        self.chapter("One controller, three nodes")
        self.say(f"Everything of this demo is in {self.cluster.directory}; REST is on {self.cluster.url}.")
        self.cluster.start_controller()
        self.cluster.wait_for_controller()
        self.do("orlop controller version")

    def register(self) -> None:
        self.chapter("Nodes and storage pools")
        self.say("A node joins with a command that holds a one-time token; its satellite runs from then on.")
        for node in self.cluster.nodes:
            self.do(f"orlop node create {node.name} {node.address}")
            self.cluster.join(node.name, self.do)
            self.cluster.start_satellite(node.name)
        self.cluster.wait_online()
        self.do("orlop node list")
        self.say("A pool is a folder here; volumes are sparse files in it, on loop devices.")
        for name in self.names:
            self.do(f"orlop storage-pool create file-thin {name} pool1 {self.cluster.pool(name)}")
        self.do("orlop storage-pool list")

    def place(self) -> None:
        self.chapter("A resource of two volumes, placed by a resource group")
        self.say(
            "Stack 'storage' has no replication: with place count 2 these are two unrelated copies, each with",
            "data of its own. A stack with DRBD is what keeps copies equal.",
        )
        self.do("orlop resource-group create demo --storage-pool pool1 --place-count 2 --layer-list storage")
        self.do("orlop volume-group create demo")
        self.do("orlop volume-group create demo")
        self.do(f"orlop resource-group spawn-resources demo data {self.file_system.size} 32M")
        self.do("orlop resource list")
        self.do("orlop volume list")
        placed = [name for name in self.names if self.cluster.volumes("data", name)]
        self.agree(f"two copies, on {' and '.join(placed)}", len(placed) == 2)
        self.home = placed[0]

    def write(self) -> None:
        self.chapter("A file system and raw data")
        files, raw = self.device(0), self.device(1)
        self.files.mkdir(parents=True)
        self.copied.mkdir()
        self.images.mkdir()
        self.do(self.file_system.make.format(device=files))
        self.do(f"mount {files} {self.files}")
        self.fill(self.files, seed=1)
        Path(raw).write_bytes(noise(16 * MIB, seed=2))
        self.say(f"40 files with {size(self.files)} bytes on volume 0, 16 MiB without any file system on volume 1.")
        self.tree = tree_hash(self.files)
        self.say(f"sha256 of all files: {self.tree}")
        self.unmount(self.files)
        other = next(name for name in self.names if name != self.home and self.cluster.volumes("data", name))
        here, there = device_hash(files), device_hash(self.device(0, other))
        self.agree(f"the copy on {other} is an unrelated one: it has none of this", here != there)

    def snapshot(self) -> None:
        self.chapter("A snapshot, then the data changes")
        self.say(
            "Unmounted for it: where the file system below a pool cannot share blocks, a snapshot is a copy, and a",
            "copy of a volume in use would be a mixture. Orlop refuses that.",
        )
        self.keep_images("before")
        self.do("orlop snapshot create data before")
        self.do("orlop snapshot list")
        self.do(f"mount {self.device(0)} {self.files}")
        self.do(f"rm {self.files}/file-00 {self.files}/file-01")
        self.fill(self.files, seed=3, start=30, count=20)
        Path(self.device(1)).write_bytes(noise(MIB, seed=4))
        self.agree("the data is another one now", tree_hash(self.files) != self.tree)

    def restore(self) -> None:
        self.chapter("The snapshot becomes a new resource, while the old one is in use")
        self.do("orlop resource-definition create copy --resource-group demo --layer-list storage")
        self.do(
            "orlop snapshot volume-definition restore --from-resource data --from-snapshot before --to-resource copy"
        )
        self.do("orlop snapshot resource restore --from-resource data --from-snapshot before --to-resource copy")
        self.do("orlop resource list")
        self.compare("copy", "before")
        self.do(f"mount {self.file_system.mount_copy}{self.device(0, resource='copy')} {self.copied}")
        self.agree(f"sha256 of all files is {self.tree} again", tree_hash(self.copied) == self.tree)
        self.unmount(self.copied)

    def grow(self) -> None:
        self.chapter("A volume grows while its file system is mounted and in use")
        self.tree = tree_hash(self.files)
        before = os.statvfs(self.files).f_blocks
        self.do(f"orlop volume-definition set-size data 0 {self.file_system.grown}")
        self.do(self.file_system.grow.format(device=self.device(0), folder=self.files))
        self.do(f"df -h {self.files}")
        self.agree("the file system has grown", os.statvfs(self.files).f_blocks > 1.2 * before)
        self.agree("the data is what it was", tree_hash(self.files) == self.tree)

    def roll_back(self) -> None:
        self.chapter("Back to a snapshot")
        self.unmount(self.files)
        self.keep_images("grown")
        self.do("orlop snapshot create data grown")
        self.do(f"mount {self.device(0)} {self.files}")
        self.say("Somebody removes everything and spoils the raw volume.")
        for file in self.files.glob("file-*"):
            file.unlink()
        Path(self.device(1)).write_bytes(noise(16 * MIB, seed=5))
        self.unmount(self.files)
        self.do("orlop snapshot rollback data grown")
        self.compare("data", "grown")
        self.do(f"mount {self.device(0)} {self.files}")
        self.agree(f"sha256 of all files is {self.tree} again", tree_hash(self.files) == self.tree)

    def lose_a_node(self) -> None:
        away = next(name for name in self.names if name != self.home and self.cluster.volumes("data", name))
        self.chapter(f"Node {away} goes away")
        self.say(f"The satellite of {away} is killed; the data on {self.home} stays mounted.")
        self.cluster.kill(away)
        self.cluster.wait(f"{away} is seen to be away", lambda: self.cluster.status(away) != "ONLINE")
        began = time.monotonic()
        self.do("orlop node list")
        self.do("orlop resource list")
        self.do("orlop resource-group spawn-resources demo more 16M 16M")
        self.do("orlop resource-definition delete more")
        took = time.monotonic() - began
        self.agree(f"the cluster answered four commands in {took:.1f} seconds", took < 4 * PATIENT)
        self.agree(f"the data on {self.home} is untouched", tree_hash(self.files) == self.tree)
        self.cluster.start_satellite(away)
        self.cluster.wait_online(away)
        self.do("orlop node list")

    def hand_over(self) -> None:
        self.chapter("It is yours now")
        self.unmount(self.files)
        self.do("orlop resource list")
        program = Path(self.cluster.environment()["PATH"].split(":")[0]) / "orlop"
        self.say(
            f"The cluster goes on running: REST on {self.cluster.url}, logs in {self.cluster.directory}/*/log.",
            f"Try:  {program} --help",
            f"      {program} volume list",
            f"      curl {self.cluster.url}/v1/nodes",
            "End it and remove all of it with:  make demo-stop",
        )

    def delete(self) -> None:
        self.chapter("Everything is deleted")
        self.unmount(self.files)
        for snapshot in ("before", "grown"):
            self.do(f"orlop snapshot delete data {snapshot}")
        for resource in ("data", "copy"):
            self.do(f"orlop resource-definition delete {resource}")
        self.do("orlop resource list")
        left = [line for line in self.cluster.leftovers() if not line.startswith("process")]
        self.agree("no mount, loop device or backing file is left", not left or not print(*left, sep="\n"))
        self.do("orlop resource-group delete demo")
        for name in self.names:
            self.do(f"orlop storage-pool delete {name} pool1")
            self.do(f"orlop node delete {name}")
        self.do("orlop node list")
        for name in (*self.names, CONTROLLER):
            self.cluster.stop(name)
        left = self.cluster.leftovers()
        self.agree("no process is left either", not left or not print(*left, sep="\n"))

    # -- its data ---------------------------------------------------------------------------------

    def device(self, number: int, node: str = "", resource: str = "data") -> str:
        return self.cluster.device(resource, node or self.home, number)

    def unmount(self, folder: Path) -> None:
        self.do(f"umount {folder}")

    def fill(self, directory: Path, seed: int, start: int = 0, count: int = 40) -> None:
        """Files of about 500 KB that no other seed makes."""
        chance = random.Random(seed)
        for number in range(start, start + count):
            (directory / f"file-{number:02}").write_bytes(chance.randbytes(chance.randrange(400_000, 600_000)))
        os.sync()

    def keep_images(self, name: str) -> None:
        """Remember what both devices hold, to compare with later."""
        for number in (0, 1):
            (self.images / f"{name}-{number}").write_bytes(Path(self.device(number)).read_bytes())

    def compare(self, resource: str, name: str) -> None:
        for number in (0, 1):
            self.do(f"cmp {self.images / f'{name}-{number}'} {self.device(number, resource=resource)}")
        self.say(f"checked: both volumes of {resource} hold, byte for byte, what snapshot {name} held")


def noise(length: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(length)


def size(directory: Path) -> int:
    return sum(file.stat().st_size for file in directory.glob("file-*"))


def tree_hash(directory: Path) -> str:
    """Of names and contents of all files."""
    digest = hashlib.sha256()
    for file in sorted(directory.glob("file-*")):
        digest.update(file.name.encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def device_hash(device: str) -> str:
    return hashlib.sha256(Path(device).read_bytes()).hexdigest()
