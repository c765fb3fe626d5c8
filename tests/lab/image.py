"""The image all nodes start from: a read-only root file system, and a template of the disk that a node writes to."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

from tests.lab import cache, kernel, zfs
from trees import debian

PACKAGES = Path(__file__).with_name("packages.txt")
PYTHON = "3.11"  # of Debian 12
LIBRARIES = f"usr/local/lib/python{PYTHON}/dist-packages"
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64")
WRITABLE = ("etc", "var", "root", "srv", "opt", "home", "mnt")  # on the node's own disk
NODE_DISK = 2 << 30  # bytes, sparse
SPARE = 64 << 20  # bytes the root file system has beyond its content
CLONE = Path(__file__).parents[2]
GUEST = Path(__file__).parent / "guest"
PROGRAMS = ("orlop-satellite", "orlop-docker")  # of the project, in nodes
SOURCE = Path(__file__)


class Image(NamedTuple):
    """Paths of what a node needs to start."""

    vmlinux: Path
    initrd: Path
    root: Path
    node_disk: Path


@functools.cache
def image() -> Image:
    """Builds what is missing of it."""
    files, built = root(), kernel.kernel()
    extra, packages = zfs.modules(kernel.release(built)), libraries()
    key = cache.digest(files.name, built.name, extra.name, packages.name, SOURCE, *_guest_files())
    made = cache.artefact("image", key, lambda new: _build(new, files, built, extra, packages))
    return Image(built / "vmlinux", made / "initrd", made / "root.ext4", made / "node.ext4")


def root() -> Path:
    """Folder with `root.tar`: Debian with all tools, without a kernel."""
    key = cache.digest(PACKAGES, Path(debian.__file__))
    return cache.artefact("root", key, lambda new: debian.bootstrap(new / "root.tar", PACKAGES.read_text().split()))


def libraries() -> Path:
    """Folder with what the project's programs in nodes import, for the nodes' Python."""
    wanted = requirements("satellite", "plugins", "docker")
    return cache.artefact("libraries", cache.digest(*wanted, *PLATFORMS), lambda new: _fetch(new, wanted))


def requirements(*extras: str) -> list[str]:
    """What pyproject.toml asks for, without the project itself."""
    project = tomllib.loads((CLONE / "pyproject.toml").read_text())["project"]
    offered = project["optional-dependencies"]
    wanted = {line for extra in extras for line in offered[extra]} | set(project["dependencies"])
    return sorted(line for line in wanted if not line.startswith("orlop["))


def _fetch(new: Path, wanted: list[str]) -> None:
    platforms = [f"--platform={platform}" for platform in PLATFORMS]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(new), "--only-binary=:all:"]
    subprocess.run([*command, "--python-version", PYTHON, *platforms, *wanted], check=True)
    shutil.rmtree(new / "bin", ignore_errors=True)


def _guest_files() -> list[Path]:
    return sorted(path for path in GUEST.rglob("*") if path.is_file() and "__pycache__" not in path.parts)


def _build(new: Path, files: Path, built: Path, extra: Path, packages: Path) -> None:
    with tempfile.TemporaryDirectory(dir=new) as scratch:
        tree = Path(scratch) / "root"
        tree.mkdir()
        debian.run(["tar", "-xf", str(files / "root.tar"), "-C", str(tree), "--exclude=./dev/*"])
        _add_modules(tree, built, extra)
        shutil.copytree(packages, tree / LIBRARIES, dirs_exist_ok=True)
        _add_guest(tree)
        debian.run(["chroot", str(tree), "python3", "-m", "compileall", "-q", f"/{LIBRARIES}", "/lab"])
        _make_initrd(tree, kernel.release(built), Path(scratch) / "initrd", new / "initrd")
        _make_file_systems(tree, Path(scratch) / "node", new)


def _add_modules(tree: Path, built: Path, extra: Path) -> None:
    release = kernel.release(built)
    target = tree / "usr/lib/modules" / release
    shutil.copytree(built / "modules", target)
    shutil.copytree(extra, target / "updates/zfs")
    debian.run(["depmod", "-b", str(tree / "usr"), release])


def _add_guest(tree: Path) -> None:
    for path in _guest_files():
        copy = tree / "lab" / path.relative_to(GUEST)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
        copy.chmod(0o755)
    (tree / LIBRARIES / "orlop.pth").write_text("/opt/orlop\n/lab/plugin\n")
    for program in PROGRAMS:
        shutil.copy(GUEST / program, tree / "usr/local/bin" / program)
        (tree / "usr/local/bin" / program).chmod(0o755)
    (tree / "etc/mtab").unlink(missing_ok=True)
    (tree / "etc/mtab").symlink_to("/proc/self/mounts")
    shutil.copy(GUEST / "lvmlocal.conf", tree / "etc/lvm/lvmlocal.conf")
    (tree / "etc/modprobe.d/lab.conf").write_text("options zfs zfs_arc_max=67108864\n")
    (tree / "etc/fstab").write_text("")
    (tree / "etc/target").mkdir(exist_ok=True)
    for folder in ("usr/share/doc", "usr/share/man", "var/lib/apt/lists", "var/cache/apt"):
        shutil.rmtree(tree / folder, ignore_errors=True)


def _make_initrd(tree: Path, release: str, files: Path, target: Path) -> None:
    """Debian's kernel has neither its disk driver nor ext4 built in."""
    (files / "bin").mkdir(parents=True)
    shutil.copy(tree / "usr/bin/busybox", files / "bin/busybox")
    shutil.copy(GUEST / "initrd", files / "init")
    (files / "init").chmod(0o755)
    order: dict[str, None] = {}
    for name in kernel.FIRST:
        shown = debian.run(["modprobe", "-d", str(tree / "usr"), "-S", release, "--show-depends", name])
        order |= dict.fromkeys(line.split()[1] for line in shown.splitlines() if line.startswith("insmod"))
    for module in order:
        shutil.copy(module, files / Path(module).name)
    (files / "modules").write_text("".join(f"/{Path(module).name}\n" for module in order))
    names = "".join(f"{path.relative_to(files)}\n" for path in sorted(files.rglob("*")))
    with target.open("wb") as archive:
        command = ["cpio", "--create", "--format=newc", "--quiet", "--owner=0:0"]
        subprocess.run(command, cwd=files, input=names.encode(), stdout=archive, check=True)


def _make_file_systems(tree: Path, node: Path, new: Path) -> None:
    node.mkdir()
    for name in WRITABLE:
        (tree / name).rename(node / name)
        (tree / name).mkdir()
    (tree / "node").mkdir()
    (node / "opt/orlop").mkdir()
    options = "^metadata_csum,^has_journal"  # never written to
    make_file_system(tree, new / "root.ext4", size_of(tree) + SPARE, "-O", options, "-N", "40000")
    make_file_system(node, new / "node.ext4", NODE_DISK, "-J", "size=16", "-N", "32768")


def make_file_system(tree: Path, file: Path, size: int, *options: str) -> None:
    """An ext4 file system with a tree of files in it, without mounting it."""
    command = ["mke2fs", "-q", "-t", "ext4", "-m", "0", "-d", str(tree), "-E", "root_owner=0:0", *options, str(file)]
    debian.run([*command, f"{size >> 10}k"])


def size_of(tree: Path) -> int:
    """Bytes in whole blocks, with one for every file."""
    return sum(-(-path.lstat().st_size // 4096) * 4096 + 4096 for path in tree.rglob("*"))


if __name__ == "__main__":
    os.umask(0o022)
    print(image())
