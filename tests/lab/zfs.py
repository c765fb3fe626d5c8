"""ZFS modules, compiled once for each kernel: Debian brings their source only."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from tests.lab import cache, kernel
from trees import debian

TOOLS = ("gcc", "make", "libc6-dev", "kmod", "bc", "perl", "xz-utils", "file", "diffutils", "patch", "libelf1")
SOURCES = "zfs-dkms"
# The package is fetched and unpacked only: installing it would compile for the kernel of this machine.
UNPACK = f'cd "$1" && chroot . sh -c "cd /tmp && apt-get download {SOURCES} && dpkg -x {SOURCES}_*.deb /"'
COMPILE = """
set -e
cd /usr/src/zfs-*
./configure --disable-dependency-tracking --with-config=kernel \
    --with-linux=/usr/src/linux-headers-$COMMON --with-linux-obj=/usr/src/linux-headers-$RELEASE
make -j$JOBS
"""


def modules(release: str) -> Path:
    """Folder with the modules for this release of the kernel."""
    return cache.artefact("zfs", cache.digest(release, *TOOLS, UNPACK, COMPILE), lambda new: _build(new, release))


def _build(new: Path, release: str) -> None:
    with tempfile.TemporaryDirectory(dir=new) as scratch:
        tree = Path(scratch) / "tree"
        unpack = ("--skip=cleanup/apt", f"--customize-hook={UNPACK}")
        debian.bootstrap(tree, [*TOOLS, f"linux-headers-{release}"], *unpack)
        common = release.removesuffix("-amd64") + "-common"
        debian.run(
            # Mounts and processes are the new name spaces' own: nothing of them is left, whatever happens.
            ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={tree}/proc"]
            + ["chroot", str(tree), "sh", "-c", COMPILE],
            RELEASE=release,
            COMMON=common,
            JOBS=str(os.cpu_count() or 1),
        )
        for module in (tree / "usr/src").glob("zfs-*/module/**/*.ko"):
            debian.run(["objcopy", "--strip-debug", str(module)])
            shutil.copy(module, new / module.name)
    if not (new / "zfs.ko").exists():
        raise SystemExit("zfs.ko was not built")


if __name__ == "__main__":
    modules(kernel.release(kernel.kernel()))
